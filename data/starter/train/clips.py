# SPDX-License-Identifier: GPL-3.0-or-later
"""Clips: what moves how, and their captions.

video_scene(rng) -> (entries [17,2,12], background [16], attributes, scene)      video_caption(rng, scene) -> str
"""

import math

import numpy as np

import captions
from captions import an, bg_phrase, cword, np_
from render import SHAPES, SID
from scenes import CID, NOUNS, attrs, jit, make_bg, pick_color, pick_obj, poke, rgb

T = 17
MOT = ["right", "left", "up", "down", "fall", "bounce", "grow", "shrink", "spin", "orbit", "pulse", "recolor", "still"]
TOP = math.pi / 2  # where a circle begins: captions do not say, and one place is learnt sooner than four
HARD = ["spin", "orbit"] * 6 + ["bounce"] * 2  # seen more often: what has no straight path is learnt last
VSHAPES = SHAPES


def ease(u, k):
    return u if k == 0 else u * u * (3 - 2 * u)


def motion(r, o, m, two=None):
    """fills o['path']: list of (x,y,scale,rot,mix) per frame"""
    u = [i / (T - 1) for i in range(T)]
    k = r.choice([0, 0, 1])
    x, y, rad = o["x"], o["y"], o["r"]
    lo, hi = rad + 0.02, 1 - rad - 0.02
    P = []
    r.choice([0.0, 0.5])  # one draw, kept so that a seed gives the same clips
    for t in u:
        e = ease(t, k)
        a = [x, y, 1.0, o["rot"], 0.0]
        if m == "right":
            a[0] = lo + (hi - lo) * e
        elif m == "left":
            a[0] = hi + (lo - hi) * e
        elif m == "up":
            a[1] = hi + (lo - hi) * e
        elif m == "down":
            a[1] = lo + (hi - lo) * e
        elif m == "fall":
            a[1] = lo + (hi - lo) * min(1.0, (t / 0.85) ** 2)
        elif m == "bounce":
            a[1] = hi - (hi - lo) * 0.85 * abs(math.sin(math.pi * (t * 2 + 0.5)))
        elif m == "grow":
            a[2] = 0.35 + 0.65 * e
        elif m == "shrink":
            a[2] = 1.0 - 0.65 * e
        elif m == "spin":
            a[3] = o["rot"] + o["spin"] * 2 * math.pi * t * 0.97
        elif m == "orbit":
            th = o["spin"] * 2 * math.pi * t * 0.97 + o["ph"]
            a[0], a[1] = o["ox"] + o["orad"] * math.cos(th), o["oy"] - o["orad"] * math.sin(th)
        elif m == "pulse":
            a[2] = 0.8 + 0.25 * math.sin(2 * math.pi * (2 * t) - math.pi / 2)
        elif m == "recolor":
            a[4] = min(1.0, max(0.0, (t - 0.15) / 0.7))
        P.append(a)
    o["path"] = P


def vobj(r, avoid, m):
    sh = None
    while sh is None or (m == "spin" and sh in ("circle", "ring", "sun")) or (m in ("fall", "bounce") and sh == "sun"):
        sh = r.choice(["circle"] * 3 + VSHAPES)
    o = pick_obj(r, avoid, 0.12, shape=sh)
    if sh == "arrow" and m in ("right", "left", "up", "down"):
        o["dir"] = m
        o["rot"] = {"right": 0, "left": math.pi, "up": math.pi / 2, "down": -math.pi / 2}[m]
    o["m"] = m
    o["spin"] = r.choice([1, -1, -1])
    if m == "recolor":
        o["nat"] = False
        o["color2"] = pick_color(r, avoid + [rgb(*o["color"])])
        o["rgb2"] = jit(r, rgb(*o["color2"]), 0.02)
    return o


def video_scene(r):
    x = r.random()
    kind = (
        "none"
        if x < 0.34
        else "plain"
        if x < 0.62
        else "sky"
        if x < 0.69
        else "sunset"
        if x < 0.75
        else "night"
        if x < 0.82
        else "sea"
        if x < 0.87
        else "gradient"
        if x < 0.92
        else "stripes"
        if x < 0.935
        else "checker"
        if x < 0.945
        else "dots"
        if x < 0.96
        else "land"
    )
    row, spec, avoid = make_bg(r, kind, True)
    two = r.random() < 0.2
    sc = {"bg": spec, "two": two}
    if not two:
        m = r.choice(MOT[:-1] * 3 + HARD + ["still"])
        o = vobj(r, avoid, m)
        x = r.random()
        o["sz"] = 0 if x < 0.2 else 1 if x < 0.65 else 2
        o["say_size"] = r.random() < (0.7 if o["sz"] != 1 else 0.12)
        o["r"] = {0: r.uniform(0.09, 0.12), 1: r.uniform(0.15, 0.20), 2: r.uniform(0.23, 0.28)}[o["sz"]]
        if m in ("grow", "shrink", "pulse"):
            o["r"], o["say_size"] = r.uniform(0.26, 0.36), False
        o["x"] = o["y"] = 0.5
        if m == "orbit":
            o["r"] = min(o["r"], 0.16)
            o["ox"], o["oy"], o["orad"], o["ph"] = 0.5, 0.5, r.uniform(0.26, 0.31), TOP
        objs = [o]
    else:
        rel = r.choice(["lr", "lr", "rl", "updown", "orbit", "bb"])
        sc["rel"] = rel
        ms = {
            "lr": ("right", "left"),
            "rl": ("left", "right"),
            "updown": ("up", "down"),
            "orbit": ("still", "orbit"),
            "bb": (r.choice(["bounce", "spin", "pulse", "still"]), r.choice(["bounce", "spin", "still", "grow"])),
        }[rel]
        if rel == "updown" and r.random() < 0.5:
            ms = ("down", "up")
        a, b = vobj(r, avoid, ms[0]), vobj(r, avoid, ms[1])
        for o in (a, b):
            o["r"] = r.uniform(0.12, 0.16)
        if rel in ("lr", "rl"):
            a["x"] = b["x"] = 0.5
            a["y"], b["y"] = 0.28, 0.72
        elif rel == "orbit":
            a["r"], b["r"] = r.uniform(0.15, 0.19), r.uniform(0.08, 0.105)
            a["x"] = a["y"] = b["x"] = b["y"] = 0.5
            b["ox"], b["oy"], b["orad"], b["ph"] = 0.5, 0.5, r.uniform(0.33, 0.37), TOP
        else:
            a["x"], b["x"], a["y"], b["y"] = 0.27, 0.73, 0.5, 0.5
        objs = [a, b]
    ent = np.zeros((T, 2, 12), np.float32)
    ent[..., 0] = -1
    for i, o in enumerate(objs):
        motion(r, o, o["m"])
        for t, (x, y, s, rot, mix) in enumerate(o["path"]):
            c = o["rgb"] if mix == 0 else o["rgb"] * (1 - mix) + o["rgb2"] * mix
            ent[t, i] = [SID[o["shape"]], x, y, o["r"] * s, rot, *poke(c), 1, 0, 0, 1]
    sc["objs"] = objs
    a = attrs(objs, spec)
    for i, o in enumerate(objs):
        a[5 * i + 3] = MOT.index(o["m"])
        a[5 * i + 4] = {1: 1, -1: 2}[o["spin"]] if o["m"] in ("spin", "orbit") else 0
    if objs[0]["m"] == "recolor":
        a[22] = CID[objs[0]["color2"][0]] * 3 + objs[0]["color2"][1]
    return ent, row, a, sc


def mot_phrase(r, o):
    m, sh = o["m"], o["shape"]
    ing = r.random() < 0.62
    v = lambda a, b: a if ing else b
    if m in ("right", "left"):
        n = {"right": "left", "left": "right"}[m]
        verbs = [
            ("moving", "moves"),
            ("moving", "moves"),
            ("sliding", "slides"),
            ("traveling", "travels"),
            ("going", "goes"),
            ("gliding", "glides"),
        ]
        if sh in ("circle", "ring"):
            verbs += [("rolling", "rolls")]
        if sh == "car":
            verbs += [("driving", "drives")] * 4
        if sh in ("fish",):
            verbs += [("swimming", "swims")] * 4
        if sh == "boat":
            verbs += [("sailing", "sails")] * 4
        if sh in ("balloon", "cloud", "star", "moon"):
            verbs += [("flying", "flies"), ("floating", "floats"), ("drifting", "drifts")]
        w = v(*r.choice(verbs))
        return w + r.choice(
            [
                f" from {n} to {m}",
                f" from {n} to {m}",
                f" from the {n} to the {m}",
                f" to the {m}",
                f" {m}",
                f" {n} to {m}",
                f" across the screen to the {m}",
            ]
        )
    if m == "up":
        return r.choice(
            [
                v("moving", "moves") + " up",
                v("rising", "rises"),
                v("moving", "moves") + " upward",
                v("floating", "floats") + " up",
                v("going", "goes") + " up",
                v("moving", "moves") + " from bottom to top",
                v("flying", "flies") + " up",
                v("rising", "rises") + " up",
            ]
        )
    if m == "down":
        return r.choice(
            [
                v("moving", "moves") + " down",
                v("moving", "moves") + " downward",
                v("sinking", "sinks"),
                v("going", "goes") + " down",
                v("moving", "moves") + " from top to bottom",
                v("sliding", "slides") + " down",
                v("descending", "descends"),
            ]
        )
    if m == "fall":
        return r.choice(
            [
                v("falling", "falls"),
                v("falling", "falls") + " down",
                v("dropping", "drops"),
                v("falling", "falls") + " to the ground",
                v("dropping", "drops") + " down",
            ]
        )
    if m == "bounce":
        return r.choice(
            [
                v("bouncing", "bounces"),
                v("bouncing", "bounces") + " up and down",
                v("jumping", "jumps"),
                v("hopping", "hops"),
                v("bouncing", "bounces") + " on the ground",
            ]
        )
    if m == "grow":
        return r.choice(
            [
                v("growing", "grows"),
                v("getting", "gets") + " bigger",
                v("expanding", "expands"),
                v("growing", "grows") + " larger",
                v("becoming", "becomes") + " bigger",
                v("zooming", "zooms") + " in",
            ]
        )
    if m == "shrink":
        return r.choice(
            [
                v("shrinking", "shrinks"),
                v("getting", "gets") + " smaller",
                v("shrinking", "shrinks") + " away",
                v("becoming", "becomes") + " smaller",
                v("zooming", "zooms") + " out",
            ]
        )
    if m == "spin":
        w = r.choice(
            [
                v("spinning", "spins"),
                v("rotating", "rotates"),
                v("turning", "turns"),
                v("spinning", "spins") + " around",
            ]
        )
        d = {1: ["counterclockwise", "to the left", "anticlockwise"], -1: ["clockwise", "clockwise", "to the right"]}[
            o["spin"]
        ]
        return w + (" " + r.choice(d) if o["spin"] == 1 or r.random() < 0.3 else "")
    if m == "orbit":
        d = {1: " counterclockwise", -1: " clockwise"}[o["spin"]]
        w = r.choice(
            [
                v("moving", "moves") + " in a circle",
                v("circling", "circles"),
                v("going", "goes") + " around in a circle",
                v("orbiting", "orbits") + " around the center",
                v("moving", "moves") + " in circles",
            ]
        )
        return w + (d if o["spin"] == 1 or r.random() < 0.3 else "")
    if m == "pulse":
        return r.choice(
            [
                v("pulsing", "pulses"),
                v("beating", "beats"),
                v("pulsating", "pulsates"),
                v("throbbing", "throbs"),
                v("breathing", "breathes"),
            ]
        )
    if m == "recolor":
        a, b = cword(r, *o["color"]), cword(r, *o["color2"])
        return r.choice(
            [
                v("turning", "turns") + f" {b}",
                v("changing", "changes") + f" color from {a} to {b}",
                v("turning", "turns") + f" from {a} to {b}",
                v("changing", "changes") + f" from {a} to {b}",
                v("becoming", "becomes") + f" {b}",
                v("fading", "fades") + f" from {a} to {b}",
            ]
        )
    return r.choice(
        [v("standing", "stands") + " still", v("staying", "stays") + " still", "not moving", "static", "", ""]
    )


def video_caption(r, sc):
    b = sc["bg"]
    os_ = sc["objs"]
    if sc["two"] and sc["rel"] == "orbit":
        x, y = np_(r, os_[1]), np_(r, os_[0])
        w = r.choice(
            [
                "orbiting",
                "circling",
                "orbiting around",
                "moving around",
                "going around",
                "orbits",
                "circles",
                "revolving around",
            ]
        )
        s = f"{x} {w} {y}"
        if os_[1]["spin"] == 1 and r.random() < 0.6:
            s += " counterclockwise"
    elif sc["two"]:
        p = []
        for o in os_:
            m = mot_phrase(r, o)
            p.append((np_(r, o) + " " + m).strip())
        s = r.choice([" and ", " and ", ", ", " while "]).join(p)
        if sc["rel"] in ("lr", "rl", "updown") and r.random() < 0.12:
            s = f"{np_(r, os_[0])} and {np_(r, os_[1])} moving in opposite directions"
    else:
        o = os_[0]
        m = mot_phrase(r, o)
        if o["m"] == "recolor" and " from " in m and r.random() < 0.6:
            n = r.choice(NOUNS[o["shape"]])
            s = f"{an(n)} {m}"
        elif r.random() < 0.05 and m:
            s = f"{m} {np_(r, o, False)}"
        else:
            s = f"{np_(r, o, r.random() < 0.88)} {m}".strip()
    g = bg_phrase(r, b)
    if g:
        x = r.random()
        s = s + ("," if g.endswith("background") and r.random() < 0.5 else "") + " " + g if x < 0.8 else g + ", " + s
    x = r.random()
    if x < 0.08:
        s = r.choice(["a video of", "an animation of", "a clip of", "animation of", "a short video of"]) + " " + s
    elif x < 0.11:
        s += r.choice([", simple animation", ", flat design", ", cartoon style", ", high quality"])
    if captions.WORDS and r.random() < 0.02:
        w = s.split(" ")
        w.insert(r.randrange(len(w) + 1), r.choice(captions.WORDS))
        s = " ".join(w)
    x = r.random()
    if x < 0.35:
        s = s[0].upper() + s[1:]
    elif x < 0.37:
        s = s.title()
    if r.random() < 0.2:
        s += "."
    return s.strip()
