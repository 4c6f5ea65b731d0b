# SPDX-License-Identifier: GPL-3.0-or-later
"""Procedural renderer: signed distance functions with antialiasing, in torch (CPU or GPU, optionally compiled).

A scene is a table of entries (drawn in order) plus one background row, see scenes.py for who makes them:
  entry: shape, cx, cy, r, rot, R, G, B, opacity, soft, outline, detail        (12 floats, shape < 0 = empty)
  bg   : type, c1(3), c2(3), c3(3), p0..p5                                      (16 floats)
Units: the shorter side of the canvas is 1; y grows downwards; colours 0..1; soft/outline in canvas units.
"""

import math

import torch

SHAPES = [
    "circle",
    "square",
    "triangle",
    "star",
    "heart",
    "hexagon",
    "diamond",
    "ring",
    "cross",
    "moon",
    "arrow",
    "flower",
    "house",
    "tree",
    "fish",
    "sun",
    "cloud",
    "cat",
    "smiley",
    "car",
    "boat",
    "balloon",
]
SID = {n: i for i, n in enumerate(SHAPES)}
BG = ["plain", "gradient_v", "gradient_h", "stripes", "checker", "dots", "stars", "land"]
BID = {n: i for i, n in enumerate(BG)}
FAR = 9.0


def _len(x, y):
    return torch.sqrt(x * x + y * y + 1e-12)


def _box(x, y, hx, hy):
    qx, qy = x.abs() - hx, y.abs() - hy
    return _len(qx.clamp(min=0), qy.clamp(min=0)) + torch.maximum(qx, qy).clamp(max=0)


def _disc(x, y, cx, cy, r):
    return _len(x - cx, y - cy) - r


def _fold(x, y, n):
    s = 2 * math.pi / n
    a = torch.atan2(y, x)
    a = a - s * torch.round(a / s)
    l = _len(x, y)
    return l * torch.cos(a), l * torch.sin(a)


def _none(x):
    return torch.full_like(x, FAR)


def s_circle(x, y):
    return _len(x, y) - 0.9, _none(x)


def s_square(x, y):
    return _box(x, y, 0.78, 0.78), _none(x)


def s_triangle(x, y):
    k, r = math.sqrt(3.0), 0.95
    px, py = x.abs() - r, y + 0.12 + r / k
    c = px + k * py > 0
    px, py = torch.where(c, (px - k * py) / 2, px), torch.where(c, (-k * px - py) / 2, py)
    px = px - px.clamp(-2 * r, 0)
    return -_len(px, py) * torch.sign(py), _none(x)


def s_star(x, y):
    kx, ky = 0.809016994375, -0.587785252292
    px, py = x.abs(), y
    d = 2 * (kx * px + ky * py).clamp(min=0)
    px, py = px - d * kx, py - d * ky
    d = 2 * (-kx * px + ky * py).clamp(min=0)
    px, py = px + d * kx, py - d * ky
    px, py = px.abs(), py - 1.0
    rf = 0.46
    bx, by = -rf * ky, rf * kx - 1.0
    h = ((px * bx + py * by) / (bx * bx + by * by)).clamp(0, 1)
    return _len(px - bx * h, py - by * h) * torch.sign(py * bx - px * by), _none(x)


def s_heart(x, y):
    k = 0.6
    px, py = (x * k).abs(), y * k + 0.55
    a = _len(px - 0.25, py - 0.75) - math.sqrt(2) / 4
    m = 0.5 * (px + py).clamp(min=0)
    b = torch.minimum(_len(px, py - 1), _len(px - m, py - m)) * torch.sign(px - py)
    return torch.where(px + py > 1, a, b) / k, _none(x)


def s_hexagon(x, y):
    kx, ky, kz, r = -0.866025404, 0.5, 0.577350269, 0.82
    px, py = x.abs(), y.abs()
    d = 2 * (kx * px + ky * py).clamp(max=0)
    px, py = px - d * kx, py - d * ky
    px, py = px - px.clamp(-kz * r, kz * r), py - r
    return _len(px, py) * torch.sign(py), _none(x)


def s_diamond(x, y):
    a, b = 0.66, 0.98
    return (x.abs() * b + y.abs() * a - a * b) / math.hypot(a, b), _none(x)


def s_ring(x, y):
    return (_len(x, y) - 0.68).abs() - 0.21, _none(x)


def s_cross(x, y):
    return torch.minimum(_box(x, y, 0.88, 0.29), _box(x, y, 0.29, 0.88)), _none(x)


def s_moon(x, y):
    return torch.maximum(_len(x, y) - 0.9, 0.74 - _len(x - 0.46, y - 0.12)), _none(x)


def s_arrow(x, y):
    shaft = _box(x + 0.35, y, 0.58, 0.2)
    head = torch.maximum(0.15 - x, ((x - 0.95) * 0.62 + y.abs() * 0.8) / 1.0121)
    return torch.minimum(shaft, head), _none(x)


def s_flower(x, y):
    qx, qy = _fold(x, y, 6)
    return torch.minimum(_disc(qx, qy, 0.56, 0, 0.36), _len(x, y) - 0.4), _len(x, y) - 0.29


def s_house(x, y):
    body = _box(x, y + 0.33, 0.6, 0.5)
    roof = torch.maximum(0.12 - y, ((y - 0.92) * 0.88 + x.abs() * 0.8) / 1.1893)
    door = _box(x, y + 0.55, 0.16, 0.28)
    return torch.minimum(body, roof), torch.minimum(roof, door)


def s_tree(x, y):
    ax = x.abs()
    leaf = torch.minimum(_disc(x, y, 0, 0.42, 0.52), _disc(ax, y, 0.38, 0.06, 0.42))
    trunk = _box(x, y + 0.66, 0.13, 0.33)
    return torch.minimum(leaf, trunk), trunk


def s_fish(x, y):
    u, v = (x - 0.15) / 0.74, y / 0.46
    k0, k1 = _len(u, v), _len(u / 0.74, v / 0.46)
    body = k0 * (k0 - 1) / (k1 + 1e-4)
    tail = torch.maximum(-0.95 - x, torch.maximum(x + 0.3, (y.abs() * 0.65 + x + 0.42) / 1.1927))
    return torch.minimum(body, tail), _disc(x, y, 0.5, 0.12, 0.09)


def s_sun(x, y):
    qx, qy = _fold(x, y, 8)
    return torch.minimum(_len(x, y) - 0.52, _box(qx - 0.8, qy, 0.17, 0.075)), _none(x)


def s_cloud(x, y):
    a = torch.minimum(_disc(x, y, -0.45, -0.1, 0.38), _disc(x, y, 0.03, 0.15, 0.5))
    a = torch.minimum(a, _disc(x, y, 0.52, -0.12, 0.36))
    return torch.minimum(a, _box(x - 0.03, y + 0.28, 0.52, 0.2)), _none(x)


def s_cat(x, y):
    ax = x.abs()
    head = _disc(x, y, 0, -0.13, 0.77)
    # ear: triangle (0.12,0.42) (0.62,0.98) (0.72,0.1)
    e = torch.maximum(
        (-(ax - 0.62) * 0.56 + (y - 0.98) * 0.5) / 0.7507, ((ax - 0.62) * 0.88 + (y - 0.98) * 0.1) / 0.8857
    )
    e = torch.maximum(e, -y)
    eyes = _disc(ax, y, 0.3, 0.0, 0.11)
    nose = _disc(x, y, 0, -0.3, 0.085)
    return torch.minimum(head, e), torch.minimum(eyes, nose)


def s_smiley(x, y):
    eyes = _disc(x.abs(), y, 0.3, 0.26, 0.11)
    mouth = torch.maximum((_len(x, y - 0.02) - 0.5).abs() - 0.07, y + 0.14)
    return _len(x, y) - 0.9, torch.minimum(eyes, mouth)


def s_car(x, y):
    body = _box(x, y + 0.1, 0.86, 0.2) - 0.06
    cabin = torch.maximum(_box(x + 0.06, y - 0.28, 0.62, 0.26), ((x + 0.06).abs() * 0.8 + y * 0.55 - 0.72) / 0.9708)
    wheels = _disc(x.abs(), y, 0.5, -0.34, 0.21)
    return torch.minimum(torch.minimum(body, cabin), wheels), wheels


def s_boat(x, y):
    hull = torch.maximum(torch.maximum(y + 0.22, -0.72 - y), (x.abs() - (y + 0.72) * 0.55 - 0.58) / 1.1413)
    sail = torch.maximum(torch.maximum(0.03 - x, -0.12 - y), ((y - 0.95) * 0.68 + (x - 0.03) * 1.07) / 1.2678)
    sail2 = torch.maximum(torch.maximum(x + 0.05, -0.12 - y), ((y - 0.7) * 0.5 - (x + 0.05) * 0.82) / 0.9604)
    sail = torch.minimum(sail, sail2)
    return torch.minimum(hull, sail), sail


def s_balloon(x, y):
    top = _disc(x, y * 0.94, 0, 0.32, 0.6)
    knot = torch.maximum(-0.44 - y, torch.maximum(y + 0.26, x.abs() - 0.1 + (y + 0.26) * 0.2))
    string = _box(x, y + 0.7, 0.028, 0.28)
    return torch.minimum(torch.minimum(top, knot), string), string


FUNCS = [globals()["s_" + n] for n in SHAPES]
# detail colour per shape: 0 none, 1 darker, 2 fixed rgb, 3 contrast (dark on light, light on dark), 4 lighter
_D = {
    "flower": (2, 1.0, 0.86, 0.25),
    "house": (1, 0, 0, 0),
    "tree": (2, 0.45, 0.29, 0.17),
    "fish": (3, 0, 0, 0),
    "cat": (3, 0, 0, 0),
    "smiley": (3, 0, 0, 0),
    "car": (2, 0.13, 0.13, 0.15),
    "boat": (4, 0, 0, 0),
    "balloon": (2, 0.35, 0.35, 0.38),
}
DETAIL = torch.tensor([_D.get(n, (0, 0, 0, 0)) for n in SHAPES])


def sdf_all(sid, x, y):
    """sid broadcastable to x; evaluates every shape and selects: right for one fused (compiled) kernel."""
    d, e = _none(x), _none(x)
    for i, f in enumerate(FUNCS):
        a, b = f(x, y)
        m = sid == i
        d, e = torch.where(m, a, d), torch.where(m, b, e)
    return d, e


def _local(ent, px, py):
    cx, cy, r, rot = (ent[..., i, None, None] for i in (1, 2, 3, 4))
    dx, dy = (px - cx) / r, -(py - cy) / r
    c, s = torch.cos(rot), torch.sin(rot)
    return dx * c + dy * s, -dx * s + dy * c


def distances(ent, px, py):
    """[B,K,h,w] main and detail distances in canvas units (all shapes evaluated)."""
    x, y = _local(ent, px[:, None], py[:, None])
    d, e = sdf_all(ent[..., 0, None, None], x, y)
    r = ent[..., 3, None, None]
    return d * r, e * r


def distances_grouped(ent, px, py):
    """Same, but every shape only on the entries that have it: right for eager mode."""
    B, K = ent.shape[:2]
    h, w = px.shape[-2:]
    d = torch.full((B * K, h, w), FAR, device=ent.device)
    e = torch.full((B * K, h, w), FAR, device=ent.device)
    flat = ent.reshape(B * K, -1)
    ids = flat[:, 0].round().long().cpu()
    bidx = torch.arange(B * K) // K
    for i in ids.unique().tolist():
        if i < 0:
            continue
        sel = (ids == i).nonzero()[:, 0].to(ent.device)
        b = bidx.to(ent.device)[sel]
        f = flat[sel]
        x, y = _local(f, px[b] if px.shape[0] == B else px, py[b] if py.shape[0] == B else py)
        a, c = FUNCS[i](x, y)
        r = f[:, 3, None, None]
        d[sel], e[sel] = a * r, c * r
    return d.view(B, K, h, w), e.view(B, K, h, w)


def _tri(u):
    """distance to the nearest edge of a 50% square wave of period 1, signed (+ in the first half)"""
    f = u - torch.floor(u)
    return torch.where(f < 0.5, torch.minimum(f, 0.5 - f), -torch.minimum(f - 0.5, 1 - f))


def _hash(a, b, s):
    v = torch.sin(a * 12.9898 + b * 78.233 + s * 37.719) * 43758.5453
    return v - torch.floor(v)


def background(bg, px, py, S, W, H):
    """bg [B,16]; px,py [B or 1,h,w] -> [B,3,h,w]"""
    g = lambda i: bg[:, i, None, None]
    t = g(0)
    c1, c2, c3 = (bg[:, i : i + 3, None, None] for i in (1, 4, 7))
    u = torch.where(t == BID["gradient_h"], px / W, py / H).clamp(0, 1)
    u = u.unsqueeze(1)
    grad = torch.where(u < 0.5, c1 + (c2 - c1) * (u * 2), c2 + (c3 - c2) * (u * 2 - 1))
    # stripes: p0 period, p1 angle, p2 phase
    per = g(10).clamp(min=1e-3)
    sd = _tri((px * torch.cos(g(11)) + py * torch.sin(g(11))) / per + g(12)) * per
    ms = (sd * S + 0.5).clamp(0, 1)
    # checker: p0 period (two cells), p2 p3 phases
    a = (_tri(px / per + g(12)) * per * S + 0.5).clamp(0, 1)
    b = (_tri(py / per + g(13)) * per * S + 0.5).clamp(0, 1)
    mc = a * (1 - b) + b * (1 - a)
    # dots: p0 spacing, p1 radius, p2 p3 phases, every other row shifted
    row = torch.floor(py / per + g(13))
    fx = px / per + g(12) + 0.5 * (row - 2 * torch.floor(row / 2))
    fx, fy = fx - torch.floor(fx) - 0.5, py / per + g(13) - row - 0.5
    md = ((g(11) - _len(fx * per, fy * per)) * S + 0.5).clamp(0, 1)
    # stars: p0 cell, p1 seed
    ix, iy = torch.floor(px / per), torch.floor(py / per)
    h1, h2, h3 = _hash(ix, iy, g(11)), _hash(ix, iy, g(11) + 7.3), _hash(ix, iy, g(11) + 3.1)
    sr = (0.004 + 0.008 * h3) * (h3 > 0.35)
    sx, sy = (ix + 0.2 + 0.6 * h1) * per, (iy + 0.2 + 0.6 * h2) * per
    mst = ((sr - _len(px - sx, py - sy)) * S + 0.5).clamp(0, 1) * (sr > 0)
    # land: horizon p0, hill amplitude p1, hill frequency p2, phase p3
    hor = g(10) * H + g(11) * torch.sin(px * g(12) + g(13))
    ml = ((py - hor) * S + 0.5).clamp(0, 1)
    m = torch.where(t == 3, ms, torch.where(t == 4, mc, torch.where(t == 5, md, 0 * px)))
    m = m.unsqueeze(1)
    flat = c1 + (c2 - c1) * m
    ml, mst, t4 = ml.unsqueeze(1), mst.unsqueeze(1), t.unsqueeze(1)
    hz = (py / H).clamp(0, 1).unsqueeze(1)
    sky = c1 + (c3 - c1) * (hz / g(10).unsqueeze(1).clamp(min=0.05)).clamp(max=1)
    land = sky + (c2 * (1.0 - 0.18 * (hz - g(10).unsqueeze(1)).clamp(0, 1)) - sky) * ml
    star = grad + (1 - grad) * mst
    isg = (t4 == 1) | (t4 == 2)
    return torch.where(isg, grad, torch.where(t4 == 6, star, torch.where(t4 == 7, land, flat)))


def composite(img, ent, d, e, detail, S):
    """img [B,3,h,w]; ent [B,K,12]; d,e [B,K,h,w]; detail [B,K,4]"""
    for k in range(ent.shape[1]):
        q = lambda i: ent[:, k, i, None, None]
        dk, ek = d[:, k], e[:, k]
        ow = q(10)
        dk = torch.where(ow > 0, (dk + ow).abs() - ow, dk)
        w = q(9)
        hard = (0.5 - dk * S).clamp(0, 1)
        z = (0.5 - dk / w.clamp(min=1e-4) * 0.5).clamp(0, 1)
        cov = torch.where(w > 0, z * z * (3 - 2 * z), hard) * q(8) * (q(0) >= 0)
        col = ent[:, k, 5:8, None, None]
        mode = detail[:, k, 0, None, None]
        lum = 0.3 * q(5) + 0.6 * q(6) + 0.1 * q(7)
        con = torch.where(lum > 0.32, 0.08, 0.95).unsqueeze(1)
        dc = torch.where(
            (mode == 1).unsqueeze(1),
            col * 0.45,
            torch.where(
                (mode == 3).unsqueeze(1),
                con,
                torch.where((mode == 4).unsqueeze(1), col * 0.4 + 0.55, detail[:, k, 1:4, None, None]),
            ),
        )
        dm = ((0.5 - ek * S).clamp(0, 1) * (mode > 0) * (q(11) > 0)).unsqueeze(1)
        col = col + (dc - col) * dm
        img = img + (col - img) * cov.unsqueeze(1)
    return img


def _grid(h, w, S, ox, oy, dev):
    px = (torch.arange(w, device=dev, dtype=torch.float32) + 0.5)[None, None, :] / S + ox.view(-1, 1, 1)
    py = (torch.arange(h, device=dev, dtype=torch.float32) + 0.5)[None, :, None] / S + oy.view(-1, 1, 1)
    return px.expand(-1, h, w), py.expand(-1, h, w)


def _render_core(ent, bg, det, S, ox, oy, W, H, h, w):
    px, py = _grid(h, w, S, ox, oy, ent.device)
    d, e = distances(ent, px, py)
    return composite(background(bg, px, py, S, W, H), ent, d, e, det, S).clamp(0, 1)


_compiled = None


def render(ent, bg, h, w, S=None, ox=None, oy=None, W=None, H=None, mode="grouped"):
    """-> [B,3,h,w] in 0..1. S: pixels per unit (default: the shorter side). ox, oy: window origin in units.
    S, W, H may be numbers or [B] tensors. mode: grouped (eager) | all (eager) | compiled."""
    B, dev = ent.shape[0], ent.device
    f = lambda v, dflt: (
        torch.as_tensor(dflt if v is None else v, dtype=torch.float32, device=dev).reshape(-1, 1, 1).expand(B, 1, 1)
    )
    S = f(S, float(min(h, w)))
    W, H = f(W, w / min(h, w)), f(H, h / min(h, w))
    z = torch.zeros(B, device=dev)
    ox, oy = (z if ox is None else ox), (z if oy is None else oy)
    det = DETAIL.to(dev)[ent[..., 0].round().long().clamp(min=0)]
    if mode == "compiled":
        global _compiled
        if _compiled is None:
            _compiled = torch.compile(_render_core, dynamic=True)
        return _compiled(ent, bg, det, S.contiguous(), ox, oy, W.contiguous(), H.contiguous(), h, w)
    if mode == "all":
        return _render_core(ent, bg, det, S, ox, oy, W, H, h, w)
    px, py = _grid(h, w, S, ox, oy, dev)
    d, e = distances_grouped(ent, px, py)
    return composite(background(bg, px, py, S, W, H), ent, d, e, det, S).clamp(0, 1)
