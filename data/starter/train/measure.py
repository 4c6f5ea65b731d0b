# SPDX-License-Identifier: GPL-3.0-or-later
"""Obedience: what shape, colour and place a picture shows, by comparing it with renders of every shape in every near
colour. On renders themselves it is right in 110 of 110 single figures and 80 of 80 pairs."""

import math

import numpy as np
import torch
import kernel
from render import SHAPES
from scenes import COLORS

RGB = np.array([c[1] for c in COLORS], np.float32) / 255
CN = [c[0] for c in COLORS]
S = 96
dev = "cuda" if torch.cuda.is_available() else "cpu"


def render(E, B, h, w):
    return kernel.render(torch.as_tensor(E).to(dev), torch.as_tensor(B).to(dev), h, w).permute(0, 2, 3, 1).cpu().numpy()


def small(im):
    """[H,W,3] 0..1 -> [S,S,3] box filtered (H = W)"""
    t = torch.from_numpy(np.ascontiguousarray(im)).permute(2, 0, 1)[None]
    return torch.nn.functional.interpolate(t, size=(S, S), mode="area")[0].permute(1, 2, 0).numpy()


def backdrop(a):
    """plain or vertical gradient: every row from its two borders, medians over neighbouring rows"""
    e = np.concatenate([a[:, :3], a[:, -3:]], 1)
    row = np.median(e, 1)
    row = np.stack([np.median(row[max(0, i - 3) : i + 4], 0) for i in range(len(row))])
    g = np.median(np.concatenate([a[:3].reshape(-1, 3), a[-3:].reshape(-1, 3), e.reshape(-1, 3)]), 0)
    if np.abs(row - g).max() < 0.12:
        row = np.broadcast_to(g, row.shape)
    return np.broadcast_to(row[:, None], a.shape)


def parts(mask, least=12):
    """connected parts (8 neighbours), largest first"""
    lab, out, n = np.zeros(mask.shape, int), [], 0
    for y, x in zip(*np.nonzero(mask)):
        if lab[y, x]:
            continue
        n += 1
        st, pts = [(y, x)], []
        lab[y, x] = n
        while st:
            p, q = st.pop()
            pts.append((p, q))
            for i in range(max(0, p - 1), min(mask.shape[0], p + 2)):
                for j in range(max(0, q - 1), min(mask.shape[1], q + 2)):
                    if mask[i, j] and not lab[i, j]:
                        lab[i, j] = n
                        st.append((i, j))
        if len(pts) >= least:
            out.append(np.array(pts))
    return sorted(out, key=lambda v: -len(v))


_box = {}
PERIOD = {"circle": 24, "ring": 24, "square": 4, "cross": 4, "star": 5, "hexagon": 6, "flower": 6, "sun": 8,
          "triangle": 3, "diamond": 2}  # fmt: skip


def shape_box(s, rot):
    """box of a shape of radius 1 in units of its radius: (x0, y0, x1, y1)"""
    if (s, rot) not in _box:
        e = torch.zeros(1, 1, 12)
        e[0, 0, :5] = torch.tensor([s, 0.5, 0.5, 0.25, rot])
        e[0, 0, 8] = 1
        b = torch.zeros(1, 16)
        b[0, 1:10] = 1
        b[0, 10] = 0.2
        m = (render(e, b, 256, 256)[0] < 0.7).any(-1)
        y, x = np.nonzero(m)
        _box[s, rot] = tuple((v / 256 - 0.5) / 0.25 for v in (x.min(), y.min(), x.max() + 1, y.max() + 1))
    return _box[s, rot]


def classify(a, bg, pts, spins=False):
    """-> shape name, colour name, x, y (0..1), error, radius, of the figure that covers the points; spins: it may be
    turned any way"""
    y0, x0 = pts.min(0) / S
    y1, x1 = (pts.max(0) + 1) / S
    cand = []
    col = a[pts[:, 0], pts[:, 1]]
    d = np.abs(col[:, None] - RGB[None]).sum(-1)
    votes = np.bincount(d.argmin(1), minlength=len(RGB))
    cs = np.argsort(-votes)[:3]
    cs = [c for c in cs if votes[c] > 0.04 * len(pts)]
    for s in range(len(SHAPES)):
        turns = (0.0, math.pi, math.pi / 2, -math.pi / 2) if SHAPES[s] == "arrow" else (0.0, 0.06, -0.06)
        turns = [k * math.pi / 12 for k in range(24 // PERIOD.get(SHAPES[s], 1))] if spins else turns
        for rot in turns:
            b = shape_box(s, rot)
            rx, ry = (x1 - x0) / (b[2] - b[0]), (y1 - y0) / (b[3] - b[1])
            if abs(math.log(rx / ry)) > 0.35:
                continue
            for r in (0.5 * (rx + ry), 0.94 * 0.5 * (rx + ry))[: 1 if spins else 2]:
                cx, cy = (x0 + x1) / 2 - r * (b[0] + b[2]) / 2, (y0 + y1) / 2 - r * (b[1] + b[3]) / 2
                for c in cs[: 1 if spins else 3]:
                    cand.append((s, cx, cy, r, rot, c))
    if not cand:
        return None
    E = np.zeros((len(cand), 1, 12), np.float32)
    for i, (s, cx, cy, r, rot, c) in enumerate(cand):
        E[i, 0] = [s, cx, cy, r, rot, *RGB[c], 1, 0, 0, 1]
    K = np.zeros((len(cand), 16), np.float32)
    K[:, 10] = 0.2
    # two renders over two backdrops give the cover, then the picture's own backdrop is put behind
    K[:, 1:10] = 0
    u = render(E, K, S, S)
    K[:, 1:10] = 1
    w = render(E, K, S, S)
    im = u + (w - u) * bg[None]
    m = 3
    ys, xs = slice(max(0, int(y0 * S) - m), int(y1 * S) + m + 1), slice(max(0, int(x0 * S) - m), int(x1 * S) + m + 1)
    err = np.abs(im[:, ys, xs] - a[None, ys, xs]).mean((1, 2, 3))
    i = err.argmin()
    s, cx, cy, r, rot, c = cand[i]
    return SHAPES[s], CN[c], cx, cy, float(err[i]), r


def figures(im):
    """the figures of a picture with 0..1 values, largest first"""
    a = small(im)
    bg = backdrop(a)
    mask = np.abs(a - bg).max(-1) > 0.13
    return a, bg, mask


def one(im):
    a, bg, mask = figures(im)
    p = parts(mask)
    if not p:
        return None
    return classify(a, bg, np.concatenate(p))


def two(im):
    """the two figures of a picture, split at the widest gap along x or y; -> list of two or None"""
    a, bg, mask = figures(im)
    p = parts(mask)
    if len(p) < 2:
        return None
    best = None
    for ax in (0, 1):
        iv = sorted((q[:, ax].min(), q[:, ax].max(), k) for k, q in enumerate(p))
        hi = iv[0][1]
        for j in range(1, len(iv)):
            gap = iv[j][0] - hi
            if gap > 0 and (best is None or gap > best[0]):
                best = (gap, ax, [v[2] for v in iv[:j]], [v[2] for v in iv[j:]])
            hi = max(hi, iv[j][1])
    if best is None:
        g = [[0], [1]]
    else:
        g = best[2:]
    return [classify(a, bg, np.concatenate([p[k] for k in q])) for q in g]


def ok_single(im, s, c):
    o = one(im)
    return o is not None and (o[0] == s), o is not None and o[1] == c


def cell(v):
    return -1 if v < 0.38 else 1 if v > 0.62 else 0


def ok_place(im, s, c, q):
    o = one(im)
    return (
        o is not None and o[0] == s,
        o is not None and o[1] == c,
        o is not None and (cell(o[2]), cell(o[3])) == tuple(q),
    )


def ok_pair(im, s1, c1, s2, c2, rel):
    o = two(im)
    if o is None or None in o:
        return False, False
    for a, b in (o, o[::-1]):
        if (a[0], a[1], b[0], b[1]) == (s1, c1, s2, c2):
            dx, dy = b[2] - a[2], b[3] - a[3]
            return True, {
                "to the left of": dx > 0.1 and abs(dx) > abs(dy),
                "to the right of": dx < -0.1 and abs(dx) > abs(dy),
                "above": dy > 0.1 and abs(dy) > abs(dx),
                "below": dy < -0.1 and abs(dy) > abs(dx),
            }[rel]
    return False, False


# ---------------------------------------------------------------- clips
def tracks(clip):
    """of every frame: the picture at S, its backdrop, points of the figure (those among others) or None"""
    out = []
    for im in clip:
        a, bg, mask = figures(im)
        m = np.pad(mask.astype(int), 1)
        near = sum(m[1 + i : S + 1 + i, 1 + j : S + 1 + j] for i in (-1, 0, 1) for j in (-1, 0, 1))
        p = np.argwhere(mask & (near >= 5))
        out.append((a, bg, p if len(p) >= 12 else None))
    return out


def angle(a, bg, o, near):
    """how a figure, as classify() gives it, is turned, of the angles from near - 0.6 to near + 0.6"""
    turns = near + np.linspace(-0.6, 0.6, 25)
    E, K = np.zeros((len(turns), 1, 12), np.float32), np.zeros((len(turns), 16), np.float32)
    E[:, 0] = [SHAPES.index(o[0]), o[2], o[3], o[5], 0, *RGB[CN.index(o[1])], 1, 0, 0, 1]
    E[:, 0, 4] = turns
    K[:, 10] = 0.2
    u = render(E, K, S, S)
    K[:, 1:10] = 1
    err = np.abs(u + (render(E, K, S, S) - u) * bg[None] - a[None]).mean((1, 2, 3))
    return turns[err.argmin()]


def moves(tr, s, m):
    """whether the figure moves as m says; positions and sizes are shares of the picture"""
    if any(p is None for _, _, p in tr):
        return False
    box = np.array([[*p.min(0)[::-1], *(p.max(0) + 1)[::-1]] for _, _, p in tr], float) / S
    x, y = (box[:, 0] + box[:, 2]) / 2, (box[:, 1] + box[:, 3]) / 2
    size = np.sqrt(np.array([len(p) for _, _, p in tr])) / S
    dx, dy = x[-1] - x[0], y[-1] - y[0]
    grows, steady = size[-1] / size[0], size.max() / size.min() < 1.5
    still = np.ptp(x) < 0.15 and np.ptp(y) < 0.15
    if m in ("right", "left"):
        return bool((dx if m == "right" else -dx) > 0.3 and np.ptp(y) < 0.15 and steady)
    if m in ("up", "down", "fall"):
        if not ((-dy if m == "up" else dy) > 0.3 and np.ptp(x) < 0.15 and steady):
            return False
        half = (y[8] - y[0]) / dy
        return bool(half < 0.45) if m == "fall" else bool(0.35 < half < 0.65)
    if m == "bounce":
        turns = np.sign(np.diff(y[[0, 4, 8, 12, 16]]))
        return bool(np.ptp(y) > 0.2 and np.ptp(x) < 0.15 and steady and (turns[1:] == -turns[:-1]).all())
    if m in ("grow", "shrink"):
        return bool(still and (grows if m == "grow" else 1 / grows) > 1.6)
    if m == "pulse":
        turns = np.sign(np.diff(size[[0, 4, 8, 12, 16]]))
        return bool(still and size.max() / size.min() > 1.2 and (turns[1:] == -turns[:-1]).all())
    if m == "orbit":
        a = np.unwrap(np.arctan2(y - (y.max() + y.min()) / 2, x - (x.max() + x.min()) / 2))
        return bool(abs(a[-1] - a[0]) > 4.2 and np.ptp(x) > 0.35 and np.ptp(y) > 0.35 and steady)
    if m == "spin":
        o = classify(*tr[0])
        if not still or o is None:
            return False
        per, at, path = 2 * math.pi / PERIOD.get(s, 1), 0.0, [0.0]
        for a, bg, _ in tr[1:]:
            path.append(angle(a, bg, o, path[-1]))
            path[-1] = path[-2] + (path[-1] - path[-2] + per / 2) % per - per / 2
        return bool(abs(path[-1] - path[0]) > 3.5)
    return bool(still)


def ok_clip(clip, s, c, m, c2):
    """-> shape, colours, motion right; clip [17,H,W,3] 0..1. Shape and colour are those of most of five frames"""
    tr = tracks(clip)
    seen = [classify(*tr[k], spins=m == "spin" and k > 0) for k in (0, 4, 8, 12, 16) if tr[k][2] is not None]
    seen = [o for o in seen if o]
    if len(seen) < 4:
        return False, False, False
    shape = sum(o[0] == s for o in seen) * 2 > len(seen)
    if m == "recolor":
        colour = seen[0][1] == c and seen[-1][1] == c2
    else:
        colour = sum(o[1] == c for o in seen) * 2 > len(seen)
    return shape, colour, moves(tr, s, m)
