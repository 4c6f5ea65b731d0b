# SPDX-License-Identifier: GPL-3.0-or-later
"""Scenes: what is drawn where. Pure Python and numpy; every choice comes from the random.Random that is passed in.

image_scene(rng, W, H) -> (entries [6,12], background [16], attributes, scene)      rows as render.py reads them
"""

import math

import numpy as np

from render import BID, SHAPES, SID

COLORS = [
    ("red", (228, 38, 38), ["red"] * 6 + ["crimson", "scarlet"]),
    ("orange", (248, 138, 22), ["orange"]),
    ("yellow", (250, 222, 40), ["yellow"] * 4 + ["golden", "gold"]),
    ("lime", (164, 226, 48), ["lime", "lime", "lime green", "bright green"]),
    ("green", (38, 158, 62), ["green"] * 5 + ["emerald"]),
    ("cyan", (48, 200, 215), ["cyan", "cyan", "turquoise", "teal", "aqua"]),
    ("blue", (42, 86, 224), ["blue"] * 6 + ["royal blue"]),
    ("navy", (18, 30, 98), ["navy", "navy blue", "dark blue"]),
    ("purple", (128, 48, 190), ["purple", "purple", "violet"]),
    ("magenta", (226, 30, 168), ["magenta", "magenta", "fuchsia", "hot pink"]),
    ("pink", (250, 152, 192), ["pink"] * 4 + ["rose"]),
    ("brown", (128, 76, 38), ["brown", "brown", "chocolate"]),
    ("black", (20, 20, 24), ["black"]),
    ("white", (248, 248, 248), ["white"]),
    ("gray", (134, 136, 142), ["gray", "grey", "silver"]),
]
CID = {c[0]: i for i, c in enumerate(COLORS)}
DARK, LIGHT = ["red", "green", "purple", "gray", "cyan"], ["blue", "green", "purple", "gray", "brown"]
NOUNS = {
    "circle": ["circle"] * 4 + ["ball", "ball", "disc", "disk", "dot", "round shape", "sphere"],
    "square": ["square"] * 5 + ["box", "block", "cube"],
    "triangle": ["triangle"] * 4 + ["pyramid"],
    "star": ["star"] * 5 + ["five-pointed star"],
    "heart": ["heart"] * 5 + ["love heart"],
    "hexagon": ["hexagon"],
    "diamond": ["diamond", "diamond", "rhombus"],
    "ring": ["ring", "ring", "donut", "hoop"],
    "cross": ["cross", "cross", "plus", "plus sign"],
    "moon": ["moon", "crescent", "crescent moon", "half moon"],
    "arrow": ["arrow"],
    "flower": ["flower"] * 4 + ["blossom", "daisy"],
    "house": ["house"] * 4 + ["home", "hut", "cottage"],
    "tree": ["tree"],
    "fish": ["fish"],
    "sun": ["sun"],
    "cloud": ["cloud"],
    "cat": ["cat"] * 3 + ["kitten", "cat face", "kitty"],
    "smiley": ["smiley", "smiley face", "smiling face", "happy face", "emoji", "face"],
    "car": ["car"] * 3 + ["automobile", "vehicle"],
    "boat": ["boat", "boat", "ship", "sailboat", "sailing boat"],
    "balloon": ["balloon"],
}
NATURAL = {
    "tree": ["green"],
    "sun": ["yellow"] * 3 + ["orange"],
    "moon": ["yellow", "white"],
    "cloud": ["white"],
    "heart": ["red"],
    "smiley": ["yellow"],
    "cat": ["orange", "gray", "black"],
    "house": ["red", "orange", "brown"],
    "fish": ["orange", "blue"],
    "star": ["yellow"],
    "car": ["red", "blue"],
    "boat": ["red", "brown"],
    "balloon": ["red"],
    "flower": ["pink", "red", "purple"],
}
SIZES = {
    0: ["small"] * 3 + ["tiny", "little"],
    1: ["medium", "medium-sized"],
    2: ["large"] * 2 + ["big"] * 2 + ["huge", "giant"],
}
CELLS = [(-1, -1), (0, -1), (1, -1), (-1, 0), (0, 0), (1, 0), (-1, 1), (0, 1), (1, 1)]
NUM = {2: ["two", "two", "2", "a pair of", "a couple of"], 3: ["three", "three", "3"], 4: ["four", "four", "4"]}
PREFIX = [
    "a picture of",
    "an image of",
    "a drawing of",
    "an illustration of",
    "a painting of",
    "a photo of",
    "draw",
    "show me",
    "there is",
    "this is",
    "a simple drawing of",
    "a cartoon of",
    "an icon of",
    "please draw",
    "a render of",
    "make",
]
FILL = [
    "simple",
    "flat design",
    "minimal",
    "vector art",
    "high quality",
    "highly detailed",
    "cartoon style",
    "4k",
    "digital art",
    "clean",
    "beautiful",
    "colorful",
    "nice",
    "icon",
    "minimalist",
    "masterpiece",
    "bright colors",
    "centered composition",
]


def rgb(name, shade=0):
    c = np.array(COLORS[CID[name]][1], np.float32) / 255
    if shade == 1:
        c = c * 0.5
    elif shade == 2:
        c = c * 0.45 + 0.55
    return c


def pick_color(r, avoid=(), shades=True):
    while True:
        c = r.choice(COLORS)[0]
        s = 0
        if shades and r.random() < 0.14:
            opt = ([1] if c in DARK else []) + ([2] if c in LIGHT else [])
            s = r.choice(opt) if opt else 0
        v = rgb(c, s)
        if all(np.abs(v - a).max() > 0.28 or np.abs(v - a).sum() > 0.55 for a in avoid):
            return c, s


def jit(r, v, a=0.025):
    return np.clip(v + np.array([r.uniform(-a, a) for _ in range(3)], np.float32), 0, 1)


def poke(v):
    return [float(v[0]), float(v[1]), float(v[2])]


# ---------------------------------------------------------------- backgrounds
def make_bg(r, kind=None, video=False):
    """-> (row[16], spec dict, list of rgb to avoid)"""
    if kind is None:
        x = r.random()
        kind = (
            "none"
            if x < 0.36
            else "plain"
            if x < 0.58
            else "sky"
            if x < 0.63
            else "sunset"
            if x < 0.68
            else "night"
            if x < 0.74
            else "sea"
            if x < 0.78
            else "gradient"
            if x < 0.85
            else "stripes"
            if x < 0.89
            else "checker"
            if x < 0.92
            else "dots"
            if x < 0.955
            else "land"
        )
    row = np.zeros(16, np.float32)
    spec = {"kind": kind, "c": []}
    avoid = []

    def put(t, a, b=None, c=None, p=()):
        b = a if b is None else b
        c = b if c is None else c
        row[0] = BID[t]
        row[1:4], row[4:7], row[7:10] = a, b, c
        row[10 : 10 + len(p)] = p
        if len(p) == 0:
            row[10] = 0.2

    if kind == "none":
        if r.random() < 0.55:
            c = jit(r, np.array([0.97, 0.97, 0.97], np.float32), 0.02)
        else:
            h = r.choice(
                [
                    (0.98, 0.93, 0.85),
                    (0.86, 0.93, 0.98),
                    (0.90, 0.97, 0.88),
                    (0.97, 0.89, 0.93),
                    (0.93, 0.9, 0.98),
                    (0.9, 0.9, 0.91),
                ]
            )
            c = jit(r, np.array(h, np.float32), 0.02)
        put("plain", c)
        avoid = [c]
    elif kind == "plain":
        n, s = pick_color(r)
        c = jit(r, rgb(n, s), 0.015)
        spec["c"] = [(n, s)]
        put("plain", c)
        avoid = [c]
    elif kind == "sky":
        a, b = jit(r, np.array([0.27, 0.55, 0.92], np.float32)), jit(r, np.array([0.80, 0.91, 0.99], np.float32))
        put("gradient_v", a, (a + b) / 2, b)
        avoid = [(a + b) / 2, a]
    elif kind == "sunset":
        a, b, c = (
            jit(r, np.array(v, np.float32)) for v in [(0.36, 0.16, 0.45), (0.93, 0.42, 0.30), (0.99, 0.80, 0.38)]
        )
        put("gradient_v", a, b, c)
        avoid = [b, c]
    elif kind == "night":
        spec["space"] = r.random() < 0.3
        if spec["space"]:
            a, c = (
                jit(r, np.array([0.02, 0.02, 0.06], np.float32), 0.012),
                jit(r, np.array([0.07, 0.04, 0.14], np.float32), 0.012),
            )
        else:
            a, c = jit(r, np.array([0.03, 0.05, 0.18], np.float32)), jit(r, np.array([0.12, 0.16, 0.40], np.float32))
        put("stars", a, (a + c) / 2, c, (0.17, r.uniform(0, 50)))
        avoid = [a, c]
    elif kind == "sea":
        a, c = jit(r, np.array([0.35, 0.80, 0.88], np.float32)), jit(r, np.array([0.03, 0.20, 0.50], np.float32))
        put("gradient_v", a, (a + c) / 2, c)
        avoid = [(a + c) / 2, a]
    elif kind == "gradient":
        a, b = pick_color(r), None
        b = pick_color(r, [rgb(*a)])
        spec["c"] = [a, b]
        spec["h"] = r.random() < 0.4
        va, vb = jit(r, rgb(*a), 0.015), jit(r, rgb(*b), 0.015)
        put("gradient_h" if spec["h"] else "gradient_v", va, (va + vb) / 2, vb)
        avoid = [va, vb, (va + vb) / 2]
    elif kind in ("stripes", "checker", "dots"):
        a = pick_color(r)
        b = ("white", 0) if a[0] != "white" and r.random() < 0.5 else pick_color(r, [rgb(*a)])
        spec["c"] = [a, b]
        va, vb = rgb(*a), rgb(*b)
        if kind == "stripes":
            spec["dir"] = r.choice(["horizontal", "vertical", "diagonal", ""])
            ang = {"horizontal": math.pi / 2, "vertical": 0.0, "diagonal": math.pi / 4}.get(
                spec["dir"], r.choice([0.0, math.pi / 2])
            )
            put("stripes", va, vb, None, (r.choice([0.2, 0.25]) * (1.4 if video else 1), ang, 0.0, 0.0))
        elif kind == "checker":
            put("checker", va, vb, None, (r.choice([0.25, 1 / 3]) * (1.5 if video else 1), 0, 0, 0))
        else:
            sp = r.choice([0.125, 0.1667]) * (1.5 if video else 1)
            put("dots", va, vb, None, (sp, sp * 0.27, 0, 0))
        avoid = [va, vb]
    elif kind == "land":
        spec["g"] = r.choice(["grass"] * 4 + ["desert", "snow"])
        spec["t"] = r.choice(["day", "day", "day", "evening"]) if spec["g"] == "grass" else "day"
        top, low = (
            ((0.30, 0.58, 0.93), (0.82, 0.92, 0.99)) if spec["t"] == "day" else ((0.45, 0.22, 0.5), (0.98, 0.66, 0.40))
        )
        g = {"grass": (0.36, 0.70, 0.28), "desert": (0.93, 0.78, 0.47), "snow": (0.95, 0.97, 0.99)}[spec["g"]]
        hor, amp = r.uniform(0.62, 0.72), r.choice([0.0, 0.0, 0.02, 0.035])
        put(
            "land",
            jit(r, np.array(top, np.float32)),
            jit(r, np.array(g, np.float32)),
            jit(r, np.array(low, np.float32)),
            (hor, amp, r.uniform(3, 6), r.uniform(0, 6.28)),
        )
        spec["hor"] = hor
        avoid = [np.array(top, np.float32), np.array(g, np.float32)]
    return row, spec, avoid


# ---------------------------------------------------------------- objects
def pick_obj(r, avoid, natural=0.18, shape=None, shapes=None):
    sh = shape or r.choice(shapes or SHAPES)
    o = {"shape": sh, "noun": None, "style": 0, "size": None, "cell": None, "dir": None, "nat": False, "rot": 0.0}
    if sh in NATURAL and r.random() < natural * 2:
        for _ in range(4):
            c = r.choice(NATURAL[sh])
            v = rgb(c)
            if all(np.abs(v - a).sum() > 0.4 for a in avoid):
                o["color"], o["nat"] = (c, 0), True
                break
    if "color" not in o:
        o["color"] = pick_color(r, avoid)
    o["rgb"] = jit(r, rgb(*o["color"]), 0.02)
    if sh == "arrow":
        o["dir"] = r.choice(["right", "right", "left", "up", "down"])
        o["rot"] = {"right": 0, "left": math.pi, "up": math.pi / 2, "down": -math.pi / 2}[o["dir"]]
    else:
        o["rot"] = r.gauss(0, 0.035)
    return o


def clampc(o, W, H, m=0.03):
    r = o["r"]
    o["x"] = min(max(o["x"], r + m), W - r - m) if W > 2 * (r + m) else W / 2
    o["y"] = min(max(o["y"], r + m), H - r - m) if H > 2 * (r + m) else H / 2


def cell_pos(r, cell, W, H, j=0.03):
    return (0.5 + 0.28 * cell[0] + r.uniform(-j, j)) * W, (0.5 + 0.28 * cell[1] + r.uniform(-j, j)) * H


def set_style(r, o, allow_fx=True):
    x = r.random()
    if x < 0.10:
        o["style"] = 1
    elif allow_fx and x < 0.19:
        o["style"] = 2
    elif allow_fx and x < 0.27:
        o["style"] = 3


def image_scene(r, W=1.0, H=1.0):
    x = r.random()
    layout = "single" if x < 0.50 else "pair" if x < 0.82 else "triple" if x < 0.88 else "count" if x < 0.95 else "land"
    bgk = None
    if layout == "land":
        bgk = "land"
    row, spec, avoid = make_bg(r, bgk)
    objs, sc = [], {"layout": layout, "bg": spec}
    if layout == "single":
        o = pick_obj(r, avoid)
        x = r.random()
        o["sz"] = 0 if x < 0.22 else 1 if x < 0.58 else 2
        o["say_size"] = r.random() < (0.85 if o["sz"] == 0 else 0.35 if o["sz"] == 1 else 0.6)
        if r.random() < 0.48:
            o["cell"] = r.choice(CELLS)
        elif r.random() < 0.12:
            o["hidden_cell"] = r.choice(CELLS)
        cell = o["cell"] or o.get("hidden_cell") or (0, 0)
        o["r"] = {0: r.uniform(0.085, 0.12), 1: r.uniform(0.16, 0.21), 2: r.uniform(0.28, 0.36)}[o["sz"]]
        if cell != (0, 0):
            o["r"] = min(o["r"], r.uniform(0.23, 0.26))
        o["x"], o["y"] = cell_pos(r, cell, W, H)
        set_style(r, o)
        objs = [o]
    elif layout == "pair":
        same = r.random() < 0.06
        a = pick_obj(r, avoid)
        if same:
            b = pick_obj(r, avoid, shape=a["shape"])
        else:
            b = pick_obj(r, avoid)
        rel = r.choice(["left", "right", "above", "below"] * 2 + ["inside", "next", "and", "cells"])
        if rel == "inside":
            b["shape"] = r.choice(
                ["circle", "square", "hexagon", "heart", "diamond", "ring", "star", "cloud", "balloon"]
            )
            b["nat"], b["dir"], b["rot"] = False, None, 0.0
            b["color"] = pick_color(r, avoid)
            b["rgb"] = jit(r, rgb(*b["color"]), 0.02)
            a["color"], a["nat"] = pick_color(r, [rgb(*b["color"])]), False
            a["rgb"] = jit(r, rgb(*a["color"]), 0.02)
            b["r"], a["r"] = r.uniform(0.32, 0.40), r.uniform(0.10, 0.135)
            k = {"heart": -0.02, "star": 0.0, "diamond": 0.0, "balloon": -0.12, "cloud": 0.0}.get(b["shape"], 0.0)
            if b["shape"] in ("star", "diamond", "cloud"):
                a["r"] *= 0.9
            b["x"], b["y"] = W / 2 + r.uniform(-0.03, 0.03), H / 2 + r.uniform(-0.03, 0.03)
            a["x"], a["y"] = b["x"], b["y"] + k * b["r"] * 2
            objs = [b, a]
        else:
            for o in (a, b):
                o["sz"] = r.choice([0, 1, 1, 1, 2])
                o["say_size"] = r.random() < (0.75 if o["sz"] != 1 else 0.1)
                o["r"] = {0: r.uniform(0.075, 0.10), 1: r.uniform(0.13, 0.18), 2: r.uniform(0.21, 0.235)}[o["sz"]]
            j = lambda: r.uniform(-0.035, 0.035)
            mx = W * r.uniform(0.23, 0.28)
            my = H * r.uniform(0.23, 0.28)
            if rel in ("left", "and"):
                a["x"], b["x"], a["y"], b["y"] = mx + j(), W - mx + j(), H / 2 + j(), H / 2 + j()
            elif rel == "right":
                a["x"], b["x"], a["y"], b["y"] = W - mx + j(), mx + j(), H / 2 + j(), H / 2 + j()
            elif rel == "above":
                a["y"], b["y"], a["x"], b["x"] = my + j(), H - my + j(), W / 2 + j(), W / 2 + j()
            elif rel == "below":
                a["y"], b["y"], a["x"], b["x"] = H - my + j(), my + j(), W / 2 + j(), W / 2 + j()
            elif rel == "next":
                d = a["r"] + b["r"] + r.uniform(0.04, 0.09)
                s = 1 if r.random() < 0.7 else -1
                a["x"], b["x"], a["y"], b["y"] = W / 2 - s * d / 2, W / 2 + s * d / 2, H / 2 + j(), H / 2 + j()
            else:
                ca, cb = r.choice([c for c in CELLS if c != (0, 0)]), None
                cb = r.choice([c for c in CELLS if abs(c[0] - ca[0]) + abs(c[1] - ca[1]) >= 2])
                a["cell"], b["cell"] = ca, cb
                for o in (a, b):
                    o["r"] = min(o["r"], 0.17)
                    o["x"], o["y"] = cell_pos(r, o["cell"], W, H)
            objs = [a, b]
            for o in objs:
                set_style(r, o)
        sc["rel"] = rel
        sc["ab"] = (a, b)
    elif layout == "triple":
        kind = r.choice(["row", "row", "row", "col", "cells"])
        objs = [pick_obj(r, avoid) for _ in range(3)]
        cells = r.sample([c for c in CELLS if abs(c[0]) + abs(c[1]) != 1], 3)
        for i, o in enumerate(objs):
            o["r"] = r.uniform(0.10, 0.135)
            if kind == "row":
                o["x"], o["y"] = W * (0.2 + 0.3 * i) + r.uniform(-0.015, 0.015), H / 2 + r.uniform(-0.025, 0.025)
            elif kind == "col":
                o["x"], o["y"] = W / 2 + r.uniform(-0.025, 0.025), H * (0.2 + 0.3 * i) + r.uniform(-0.015, 0.015)
            else:
                o["cell"] = cells[i]
                o["x"], o["y"] = cell_pos(r, cells[i], W, H)
            if r.random() < 0.1:
                o["style"] = 1
        sc["kind"] = kind
    elif layout == "count":
        n = r.choice([2, 2, 3, 3, 4])
        kind = r.choice(["row", "row", "row", "col", "tri"])
        o = pick_obj(r, avoid)
        set_style(r, o, n <= 3)
        o["n"] = n
        rad = {2: r.uniform(0.16, 0.19), 3: r.uniform(0.11, 0.135), 4: r.uniform(0.085, 0.10)}[n]
        if kind == "tri":
            rad = {2: r.uniform(0.16, 0.19), 3: r.uniform(0.15, 0.18), 4: r.uniform(0.14, 0.17)}[n]
        o["r"] = rad
        for i in range(n):
            q = dict(o)
            u = (i + 0.5) / n
            u = 0.5 + (u - 0.5) * 1.0
            if kind == "row":
                q["x"], q["y"] = W * u, H / 2 + r.uniform(-0.015, 0.015)
            elif kind == "col":
                q["x"], q["y"] = W / 2 + r.uniform(-0.015, 0.015), H * u
            elif n == 2:
                q["x"], q["y"] = W * (0.29 + 0.42 * i), H * (0.29 + 0.42 * i)
            elif n == 3:
                q["x"], q["y"] = [(0.5, 0.27), (0.26, 0.71), (0.74, 0.71)][i]
                q["x"], q["y"] = q["x"] * W, q["y"] * H
            else:
                q["x"], q["y"] = W * (0.27 + 0.46 * (i % 2)), H * (0.27 + 0.46 * (i // 2))
            objs.append(q)
        sc["kind"] = kind
    else:
        hor = spec["hor"] * H
        ground = [
            pick_obj(r, avoid, 0.5, shape=s)
            for s in r.sample(["house", "tree", "car", "cat", "flower", "tree", "house"], r.choice([1, 1, 2]))
        ]
        if len(ground) == 2 and ground[0]["shape"] == ground[1]["shape"]:
            ground = ground[:1]
        skyo = [
            pick_obj(r, avoid, 0.8, shape=s)
            for s in r.sample(["sun", "cloud", "balloon", "moon", "star"], r.choice([0, 1, 1]))
        ]
        for i, o in enumerate(ground):
            o["r"] = r.uniform(0.17, 0.22) if o["shape"] in ("house", "tree") else r.uniform(0.12, 0.15)
            o["x"] = W * (0.5 if len(ground) == 1 else 0.29 + 0.42 * i) + r.uniform(-0.04, 0.04)
            o["y"] = hor + 0.06 * H - o["r"] * (0.55 if o["shape"] != "car" else 0.3)
        for o in skyo:
            o["r"] = r.uniform(0.09, 0.12)
            o["side"] = r.choice([-1, 1])
            o["x"], o["y"] = W * (0.5 + 0.31 * o["side"]) + r.uniform(-0.03, 0.03), H * r.uniform(0.15, 0.2)
        objs = ground + skyo
        sc["ground"], sc["sky"] = ground, skyo
    ent = np.zeros((6, 12), np.float32)
    ent[:, 0] = -1
    k = 0
    for o in objs:
        clampc(o, W, H)
        if k < 6 and o["style"] in (2, 3) and 6 - k >= 2:
            if o["style"] == 2:
                ent[k] = [
                    SID[o["shape"]],
                    o["x"] + o["r"] * 0.14,
                    o["y"] + o["r"] * 0.2,
                    o["r"],
                    o["rot"],
                    0,
                    0,
                    0,
                    0.5,
                    o["r"] * 0.2,
                    0,
                    0,
                ]
            else:
                g = o["rgb"] * 0.6 + 0.4
                ent[k] = [SID[o["shape"]], o["x"], o["y"], o["r"] * 1.08, o["rot"], *poke(g), 0.7, o["r"] * 0.42, 0, 0]
            k += 1
        ent[k] = [
            SID[o["shape"]],
            o["x"],
            o["y"],
            o["r"],
            o["rot"],
            *poke(o["rgb"]),
            1,
            0,
            o["r"] * 0.075 if o["style"] == 1 else 0,
            o["style"] != 1,
        ]
        k += 1
    sc["objs"] = objs
    return ent, row, attrs(objs, spec), sc


NATTR = 4 * 5 + 4  # 4 objects x (shape, colour, size3, cell9, style) + bg kind, c1, c2, layout
BGK = ["none", "plain", "sky", "sunset", "night", "sea", "gradient", "stripes", "checker", "dots", "land"]
LAY = ["single", "pair", "triple", "count", "land"]


def attrs(objs, spec):
    a = np.full(NATTR, -100, np.int16)
    for i, o in enumerate(objs[:4]):
        s = o.get("r", 0.15)
        a[5 * i] = SID[o["shape"]]
        a[5 * i + 1] = CID[o["color"][0]] * 3 + o["color"][1]
        a[5 * i + 2] = 0 if s < 0.11 else 1 if s < 0.225 else 2
        a[5 * i + 3] = min(2, int(o["x"] * 3)) + 3 * min(2, int(o["y"] * 3)) if "x" in o else 4
        a[5 * i + 4] = o["style"]
    a[20] = BGK.index(spec["kind"])
    for j, c in enumerate(spec["c"][:2]):
        a[21 + j] = CID[c[0]] * 3 + c[1]
    a[23] = len(objs)
    return a
