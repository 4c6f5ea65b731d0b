# SPDX-License-Identifier: GPL-3.0-or-later
"""Prompts of the sheets and of the measure of obedience, with what each must show."""

SHEET = [
    "a red circle",
    "a large blue star on a yellow background",
    "a small green triangle in the top left corner",
    "a pink heart with a soft shadow",
    "a red circle to the left of a blue square",
    "a yellow star above a purple triangle",
    "a white circle inside a black square",
    "three orange stars in a row",
    "two green hearts",
    "a house on a meadow with the sun in the sky",
    "a sailboat in the sea",
    "a glowing yellow moon in a starry night sky",
    "a tree next to a house on a green hill",
    "an outlined cyan hexagon on a navy background",
    "a purple flower on a pink and white striped background",
    "a cat at sunset",
    "an orange fish underwater",
    "a red balloon in the sky",
    "a smiley face on a blue and white checkerboard",
    "a magenta diamond on a gradient from yellow to orange",
    "a red heart, a green square and a blue circle",
    "a gray arrow pointing up",
    "a brown car in the desert",
    "a white cross on a red background with a black ring in the bottom right corner",
]
VSHEET = [
    "a red ball bouncing",
    "a yellow star moving from left to right at night",
    "A blue square spinning on a white background",
    "a green heart growing",
    "a car driving to the left on a meadow",
    "a circle changing color from red to blue",
]
COLORS = [
    "red",
    "orange",
    "yellow",
    "lime",
    "green",
    "cyan",
    "blue",
    "navy",
    "purple",
    "magenta",
    "pink",
    "brown",
    "black",
    "white",
    "gray",
]
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
NOUN = {"smiley": "smiley face", "moon": "crescent moon"}


def single():
    """every colour x shape once, in eight phrasings"""
    out = []
    for i, s in enumerate(SHAPES):
        for j, c in enumerate(COLORS):
            n = NOUN.get(s, s)
            a = "an" if c[0] in "aeiou" else "a"
            k = (i * 7 + j * 3) % 8
            bg = "black" if c in ("white", "yellow", "lime", "cyan", "pink") else "white"
            p = [
                f"{a} {c} {n}",
                f"{a} {c} {n} on a {bg} background",
                f"a large {c} {n}",
                f"a picture of {a} {c} {n}",
                f"{c} {n}, {bg} background",
                f"{a} {c} {n} in the center",
                f"a big {c} {n} in the sky" if c not in ("cyan", "blue", "white") else f"a big {c} {n} at sunset",
                f"draw {a} {c} {n} on {bg}",
            ][k]
            out.append((p, s, c))
    return out


def position():
    P = {
        "in the top left corner": (-1, -1),
        "at the top": (0, -1),
        "in the top right corner": (1, -1),
        "on the left": (-1, 0),
        "in the center": (0, 0),
        "on the right": (1, 0),
        "in the bottom left corner": (-1, 1),
        "at the bottom": (0, 1),
        "in the bottom right corner": (1, 1),
    }
    out = []
    for i, (p, c) in enumerate(P.items()):
        for k in range(8):
            s, col = (
                SHAPES[(i * 5 + k * 3) % len(SHAPES)],
                [x for x in COLORS if x not in ("white", "gray")][(i * 4 + k * 5) % 13],
            )
            out.append((f"a {col} {NOUN.get(s, s)} {p}", s, col, c))
    return out


def pairs():
    out = []
    for k in range(80):
        s1, s2 = SHAPES[(k * 3) % 22], SHAPES[(k * 5 + 7) % 22]
        cs = [x for x in COLORS if x not in ("white", "gray")]
        c1, c2 = cs[(k * 4) % 13], cs[(k * 4 + 5 + k // 13) % 13]
        if c1 == c2:
            c2 = cs[(k * 4 + 6) % 13]
        rel = ["to the left of", "to the right of", "above", "below"][k % 4]
        out.append((f"a {c1} {NOUN.get(s1, s1)} {rel} a {c2} {NOUN.get(s2, s2)}", s1, c1, s2, c2, rel))
    return out


def video():
    V = {
        "right": "moving from left to right",
        "left": "moving from right to left",
        "up": "moving up",
        "down": "moving down",
        "fall": "falling",
        "bounce": "bouncing",
        "grow": "growing",
        "shrink": "shrinking",
        "spin": "spinning",
        "orbit": "moving in a circle",
        "pulse": "pulsing",
        "recolor": None,
    }
    out = []
    cs = [x for x in COLORS if x not in ("white", "gray")]
    sh = [
        "circle",
        "square",
        "triangle",
        "star",
        "heart",
        "hexagon",
        "diamond",
        "cross",
        "arrow",
        "flower",
        "house",
        "tree",
        "fish",
        "cat",
        "car",
        "boat",
    ]
    for i, (m, p) in enumerate(V.items()):
        for k in range(8):
            s, c = sh[(i * 3 + k * 5) % 16], cs[(i * 4 + k * 3) % 13]
            if m == "spin" and s == "circle":
                s = "star"
            if m == "orbit" and s in ("house", "tree"):
                s = "circle"
            c2 = cs[(i * 4 + k * 3 + 6) % 13]
            p2 = p or f"changing color from {c} to {c2}"
            t = f"a {s} {p2}" if m == "recolor" else f"a {c} {s} {p2}"
            bg = ["", " on a white background", "", " on a light gray background"][k % 4]
            out.append((t + bg, s, c, m, c2))
    return out
