# SPDX-License-Identifier: GPL-3.0-or-later
"""Captions: many paraphrases of one scene, from a grammar.

caption(rng, scene) -> str, for a scene of scenes.image_scene
"""

from scenes import CID, COLORS, FILL, NOUNS, NUM, PREFIX, SIZES

WORDS = []  # optional list of unrelated words, sprinkled rarely so that unknown words do little harm


def cword(r, c, s):
    w = r.choice(COLORS[CID[c]][2])
    if s == 1:
        w = "dark " + c
    elif s == 2:
        w = r.choice(["light ", "light ", "pale "]) + c
    return w


def bg_phrase(r, s):
    """-> (text, can_lead)"""
    k = s["kind"]
    cw = [cword(r, *c) for c in s["c"]]
    if k == "none":
        return ""
    if k == "plain":
        c = cw[0]
        return r.choice(
            [
                f"on a {c} background",
                f"on a {c} background",
                f"against a {c} background",
                f"with a {c} background",
                f"on {c}",
                f"{c} background",
                f"the background is {c}",
                f"over a plain {c} background",
                f"on a solid {c} background",
                f"in front of a {c} wall",
            ]
        )
    if k == "sky":
        return r.choice(
            [
                "in the sky",
                "in a blue sky",
                "against the sky",
                "on a sky background",
                "in a clear sky",
                "sky background",
                "with a blue sky",
            ]
        )
    if k == "sunset":
        return r.choice(
            [
                "at sunset",
                "in a sunset",
                "with a sunset background",
                "against a sunset sky",
                "sunset sky",
                "in the evening",
                "on a sunset gradient",
                "at dusk",
            ]
        )
    if k == "night":
        if s.get("space"):
            return r.choice(
                [
                    "in space",
                    "in outer space",
                    "in the universe",
                    "in a dark starry space",
                    "space background",
                    "in the galaxy",
                ]
            )
        return r.choice(
            [
                "at night",
                "in a starry night",
                "on a starry night sky",
                "in the night sky",
                "under the stars",
                "starry night",
                "with a starry sky",
                "night background",
                "in a starry sky",
            ]
        )
    if k == "sea":
        return r.choice(
            [
                "in the sea",
                "under water",
                "underwater",
                "in the ocean",
                "with a sea background",
                "in the water",
                "ocean background",
            ]
        )
    if k == "gradient":
        a, b = cw
        if s["h"]:
            return r.choice(
                [
                    f"on a gradient from {a} on the left to {b} on the right",
                    f"with a horizontal gradient from {a} to {b}",
                    f"on a horizontal {a} to {b} gradient",
                    f"background fading from {a} to {b} left to right",
                ]
            )
        return r.choice(
            [
                f"on a gradient from {a} to {b}",
                f"with a {a} to {b} gradient background",
                f"on a vertical gradient from {a} to {b}",
                f"with a background fading from {a} to {b}",
                f"{a} to {b} gradient",
                f"on a gradient of {a} at the top and {b} at the bottom",
            ]
        )
    if k == "stripes":
        a, b = cw
        d = s["dir"] + " " if s["dir"] else ""
        return r.choice(
            [
                f"on {d}{a} and {b} stripes",
                f"with {d}{a} and {b} stripes",
                f"on a {d}{a} and {b} striped background",
                f"{d}stripes in {a} and {b}",
                f"striped {a} and {b} background" if not d else f"with {d}stripes of {a} and {b}",
            ]
        )
    if k == "checker":
        a, b = cw
        return r.choice(
            [
                f"on a {a} and {b} checkerboard",
                f"with a {a} and {b} checkered background",
                f"on a {a} and {b} checkered pattern",
                f"{a} and {b} checkerboard background",
                f"on a chess board in {a} and {b}",
            ]
        )
    if k == "dots":
        a, b = cw
        return r.choice(
            [
                f"on a {a} background with {b} dots",
                f"with {b} polka dots on {a}",
                f"on {a} with {b} polka dots",
                f"{a} background with {b} polka dots",
                f"with a {a} and {b} polka dot pattern",
                f"on a {a} background with {b} spots",
            ]
        )
    g, t = s["g"], s["t"]
    if g == "grass":
        p = r.choice(
            [
                "on a meadow",
                "on the grass",
                "in a green field",
                "on a green hill",
                "on green grass",
                "in a field",
                "in a landscape",
                "on a lawn",
                "in a park",
                "outside on the grass",
            ]
        )
        if t == "evening":
            p += r.choice([" at sunset", " in the evening", " at dusk"])
        elif r.random() < 0.25:
            p += r.choice([" under a blue sky", " on a sunny day", " with a blue sky"])
        return p
    if g == "desert":
        return r.choice(
            ["in the desert", "on the sand", "on the beach", "on sand under a blue sky", "in a desert landscape"]
        )
    return r.choice(["in the snow", "on snow", "in a snowy landscape", "on a snowy field", "in winter"])


def an(w):
    return ("an " if w[0] in "aeiou" else "a ") + w


def plural(n):
    for a, b in (
        ("fish", "fish"),
        ("cross", "crosses"),
        ("box", "boxes"),
        ("plus", "plus signs"),
        ("daisy", "daisies"),
        ("kitty", "kitties"),
        ("rhombus", "rhombuses"),
    ):
        if n == a:
            return b
    return n + "s"


def np_(r, o, art=True, pl=False):
    noun = o["noun"] or r.choice(NOUNS[o["shape"]])
    if pl:
        noun = plural(noun)
    c = "" if o["nat"] else cword(r, *o["color"])
    size = r.choice(SIZES[o["sz"]]) if o.get("say_size") else ""
    st = ""
    tail = ""
    if o["style"] == 1:
        x = r.random()
        if x < 0.5:
            st = r.choice(["outlined", "hollow", "unfilled", "line-drawn"])
        elif x < 0.8 and not pl:
            inner = " ".join(w for w in (size, c, noun) if w)
            return (
                ("the " if r.random() < 0.4 and art else "an " if art else "")
                + "outline of "
                + (an(inner) if art else inner)
            )
        else:
            tail = r.choice([" outline", " contour"]) if not pl else " outlines"
    elif o["style"] == 2:
        tail = r.choice([" with a soft shadow", " with a shadow", " with a drop shadow", " casting a shadow"])
    elif o["style"] == 3:
        st = r.choice(["glowing", "glowing", "shining", "neon", "luminous"])
    if o.get("dir"):
        d = o["dir"]
        if d != "right" or r.random() < 0.5:
            tail = r.choice([f" pointing {d}", f" pointing {d}", f" facing {d}"]) + tail
    x = r.random()
    if c and x < 0.06 and not pl and not st:
        s = " ".join(w for w in (size, noun) if w)
        return (an(s) if art else s) + r.choice([f" that is {c}", f" in {c}", f" colored {c}", f", {c}"]) + tail
    adj = [w for w in (size, st, c) if w]
    if r.random() < 0.12:
        r.shuffle(adj)
    s = " ".join(adj + [noun])
    if art and not pl:
        s = ("the " if r.random() < 0.05 else "one " if r.random() < 0.03 else "") + s if r.random() < 0.06 else an(s)
    return s + tail


def cell_phrase(r, c):
    x, y = c
    h = {-1: "left", 0: "", 1: "right"}[x]
    v = {-1: "top", 0: "", 1: "bottom"}[y]
    if not h and not v:
        return r.choice(
            [
                "in the center",
                "in the middle",
                "in the centre",
                "centered",
                "at the center",
                "in the middle of the picture",
            ]
        )
    if h and v:
        v2 = r.choice([v, v, {"top": "upper", "bottom": "lower"}[v]])
        return r.choice(
            [
                f"in the {v2} {h} corner",
                f"in the {v2} {h}",
                f"at the {v} {h}",
                f"in the {v2} {h} corner",
                f"{v} {h}",
                f"{v2} {h} corner",
            ]
        )
    w = h or v
    if h:
        return r.choice(
            [
                f"on the {w}",
                f"on the {w} side",
                f"at the {w}",
                f"to the {w}",
                f"on the {w} side of the picture",
                f"{w} side",
            ]
        )
    return r.choice(
        [
            f"at the {w}",
            f"at the {w}",
            f"on the {w}",
            f"near the {w}",
            f"at the {w} of the image",
            f"in the {'upper' if w == 'top' else 'lower'} part",
        ]
    )


def body(r, sc):
    L = sc["layout"]
    if L == "single":
        o = sc["objs"][0]
        s = np_(r, o, r.random() < 0.86)
        if o["cell"]:
            p = cell_phrase(r, o["cell"])
            return (
                r.choice([f"{s} {p}", f"{s} {p}", f"{s}, {p}", f"{p}, {s}", f"{p} {s}"])
                if r.random() < 0.6
                else f"{s} {p}"
            )
        return s
    if L == "pair":
        a, b = sc["ab"]
        x, y = np_(r, a), np_(r, b)
        rel = sc["rel"]
        if rel == "inside":
            return r.choice(
                [
                    f"{x} inside {y}",
                    f"{x} in {y}",
                    f"{x} within {y}",
                    f"{y} with {x} inside",
                    f"{y} containing {x}",
                    f"{y} with {x} in it",
                    f"{x} on top of {y}" if 0 else f"{x} inside of {y}",
                ]
            )
        if rel == "left":
            return r.choice(
                [
                    f"{x} to the left of {y}",
                    f"{x} left of {y}",
                    f"{x} on the left of {y}",
                    f"{x} on the left and {y} on the right",
                    f"{y} to the right of {x}",
                    f"{x} on the left, {y} on the right",
                    f"on the left {x}, on the right {y}",
                ]
            )
        if rel == "right":
            return r.choice(
                [
                    f"{x} to the right of {y}",
                    f"{x} right of {y}",
                    f"{x} on the right of {y}",
                    f"{x} on the right and {y} on the left",
                    f"{y} to the left of {x}",
                ]
            )
        if rel == "above":
            return r.choice(
                [
                    f"{x} above {y}",
                    f"{x} over {y}",
                    f"{x} above {y}",
                    f"{x} at the top and {y} at the bottom",
                    f"{y} below {x}",
                    f"{y} under {x}",
                    f"{x} on top of {y}",
                ]
            )
        if rel == "below":
            return r.choice(
                [
                    f"{x} below {y}",
                    f"{x} under {y}",
                    f"{x} beneath {y}",
                    f"{x} underneath {y}",
                    f"{x} at the bottom and {y} at the top",
                    f"{y} above {x}",
                    f"{y} over {x}",
                ]
            )
        if rel == "next":
            return r.choice(
                [
                    f"{x} next to {y}",
                    f"{x} beside {y}",
                    f"{x} near {y}",
                    f"{x} close to {y}",
                    f"{x} by {y}",
                    f"{x} alongside {y}",
                ]
            )
        if rel == "cells":
            p, q = cell_phrase(r, a["cell"]), cell_phrase(r, b["cell"])
            return r.choice([f"{x} {p} and {y} {q}", f"{x} {p}, {y} {q}", f"{p} {x}, {q} {y}", f"{x} {p} and {y} {q}"])
        return r.choice(
            [f"{x} and {y}", f"{x} and {y}", f"{x} with {y}", f"{x}, {y}", f"{x} plus {y}", f"both {x} and {y}"]
        )
    if L == "triple":
        a, b, c = (np_(r, o, r.random() < 0.9) for o in sc["objs"])
        if sc["kind"] == "row":
            return r.choice(
                [
                    f"{a}, {b} and {c}",
                    f"{a}, {b} and {c}",
                    f"{a} and {b} and {c}",
                    f"{a}, {b}, {c} in a row",
                    f"from left to right {a}, {b}, {c}",
                    f"{a} on the left, {b} in the middle and {c} on the right",
                    f"{a}, {b} and {c} side by side",
                    f"{b} between {a} and {c}",
                ]
            )
        if sc["kind"] == "col":
            return r.choice(
                [
                    f"{a} above {b} above {c}",
                    f"from top to bottom {a}, {b}, {c}",
                    f"{a} at the top, {b} in the middle and {c} at the bottom",
                    f"a stack of {a}, {b} and {c}",
                    f"{a}, {b} and {c} in a column",
                ]
            )
        q = [cell_phrase(r, o["cell"]) for o in sc["objs"]]
        return r.choice([f"{a} {q[0]}, {b} {q[1]} and {c} {q[2]}", f"{a} {q[0]}, {b} {q[1]}, {c} {q[2]}"])
    if L == "count":
        o = sc["objs"][0]
        s = r.choice(NUM[o["n"]]) + " " + np_(r, dict(o, say_size=False), False, True)
        if sc["kind"] == "row":
            return s + r.choice(["", "", " in a row", " side by side", " next to each other", " in a line"])
        if sc["kind"] == "col":
            return s + r.choice(
                [
                    " in a column",
                    " stacked vertically",
                    " on top of each other",
                    " above each other",
                    " in a vertical line",
                ]
            )
        return (
            s
            + {
                2: r.choice([" diagonally", " in a diagonal", " arranged diagonally"]),
                3: r.choice([" in a triangle", " arranged in a triangle", " forming a triangle"]),
                4: r.choice([" in a grid", " in a square", " in the corners", " in two rows", " in a two by two grid"]),
            }[o["n"]]
        )
    g = [np_(r, o) for o in sc["ground"]]
    s = " and ".join(g)
    if sc["sky"]:
        o = sc["sky"][0]
        k = np_(r, o)
        if o["nat"] and o["shape"] in ("sun", "moon") and r.random() < 0.6:
            k = "the " + o["shape"]
        side = {-1: "left", 1: "right"}[o["side"]]
        s += r.choice(
            [
                f" with {k} in the sky",
                f" under {k}",
                f" and {k} in the sky",
                f" and {k}",
                f" and {k} in the upper {side}",
                f" below {k}",
                f" with {k} above",
            ]
        )
    return s


def caption(r, sc):
    if r.random() < 0.015 and sc["layout"] == "single" and not sc["bg"]["c"]:
        return r.choice(NOUNS[sc["objs"][0]["shape"]])
    b, g = body(r, sc), bg_phrase(r, sc["bg"])
    if r.random() < 0.06 and sc["bg"]["kind"] in ("sky", "sunset", "night", "sea"):
        pass
    if g:
        x = r.random()
        if x < 0.72:
            s = b + ("" if r.random() < 0.8 and not g.endswith("background") else ",") + " " + g
        elif x < 0.9:
            s = g + ", " + b
        else:
            s = b + ". " + g
    else:
        s = b
    x = r.random()
    if x < 0.16:
        s = r.choice(PREFIX) + " " + s
    elif x < 0.24:
        s = s + ", " + ", ".join(r.sample(FILL, r.choice([1, 1, 2])))
    elif x < 0.27:
        s = r.choice(FILL) + " " + s
    if WORDS and r.random() < 0.03:
        w = s.split(" ")
        w.insert(r.randrange(len(w) + 1), r.choice(WORDS))
        s = " ".join(w)
    if r.random() < 0.08:
        s = s.replace(",", "")
    if r.random() < 0.12:
        s += "."
    return s.lower().strip()
