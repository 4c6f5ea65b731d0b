# SPDX-License-Identifier: GPL-3.0-or-later
"""Sheets of samples and obedience in percent, through diffusers' own pipelines, or through Easel.

python3 evaluate.py image FOLDER OUT [--parts sheet,sizes,single,position,pairs] [--limit N] [--cli build/app/easel-cli]
python3 evaluate.py video FOLDER OUT [--parts sheet,single] [--limit N] [--cli build/app/easel-cli]
"""

import argparse
import glob
import json
import os
import random
import subprocess
import tempfile

import measure
import numpy as np
import prompts as P
import torch
from PIL import Image, ImageDraw

dev = "cuda" if torch.cuda.is_available() else "cpu"


def sheet(images, captions, path, columns=6, cell=200, wrap=34):
    rows = (len(images) + columns - 1) // columns
    page = Image.new("RGB", (columns * (cell + 6), rows * (cell + 36)), "white")
    d = ImageDraw.Draw(page)
    for i, im in enumerate(images):
        x, y = i % columns * (cell + 6), i // columns * (cell + 36)
        im = im.copy()
        im.thumbnail((cell, cell), Image.LANCZOS)
        page.paste(im, (x, y))
        for k in range(3):
            d.text((x + 1, y + cell + 1 + 11 * k), captions[i][k * wrap : (k + 1) * wrap], fill="black")
    page.save(path)


def through_cli(a, ending="png", **same):
    """run() with easel-cli: one process for a list of prompts -> files"""

    def run(ps, h=None, w=None, seed=0, then=lambda f: Image.open(f).convert("RGB")):
        size = {} if h is None else dict(width=w, height=h)
        with tempfile.TemporaryDirectory() as folder:
            wishes = [dict(prompt=p, seed=seed + i, output=f"{folder}/{i}.{ending}", **size) for i, p in enumerate(ps)]
            argv = [a.cli, "generate", "--quiet", "--model", a.folder, "--steps", str(a.steps), "--guidance", str(a.cfg)]
            text = "".join(json.dumps(wish) + "\n" for wish in wishes)
            subprocess.run(argv + ["--prompts", "-"], input=text, text=True, check=True, stdout=subprocess.DEVNULL)
            return [then(wish["output"]) for wish in wishes]

    return run


def image(a):
    run = through_cli(a) if a.cli else through_diffusers(a)
    measure_image(a, run)


def through_diffusers(a):
    from diffusers import SanaPipeline

    pipe = SanaPipeline.from_pretrained(a.folder, torch_dtype=torch.float32).to(dev)
    pipe.set_progress_bar_config(disable=True)

    def run(ps, h=512, w=512, seed=0):
        out = []
        for i in range(0, len(ps), a.batch):
            b = ps[i : i + a.batch]
            g = [torch.Generator("cpu").manual_seed(seed + i + k) for k in range(len(b))]
            out += pipe(b, num_inference_steps=a.steps, guidance_scale=a.cfg, height=h, width=w, generator=g,
                        max_sequence_length=64, complex_human_instruction=None).images  # fmt: skip
        return out

    return run


def measure_image(a, run):
    parts, res, wrong = a.parts.split(","), {}, []
    if "sheet" in parts:
        sheet(run(P.SHEET), P.SHEET, f"{a.out}/sheet.png")
    if "sizes" in parts:
        w = ["a red circle to the left of a blue square", "a house on a meadow with the sun in the sky"]
        t = ["a yellow star above a purple triangle", "a red balloon in the sky"]
        ims = run(w, 384, 640) + run(t, 640, 384) + run(["", ""], seed=7)
        sheet(ims, w + t + ["(empty prompt)"] * 2, f"{a.out}/sizes.png")
    for part in ("single", "position", "pairs"):
        if part not in parts:
            continue
        rows = getattr(P, part)()
        if a.limit:
            rows = random.Random(1).sample(rows, min(a.limit, len(rows)))
        ims, n = run([r[0] for r in rows], seed=1000), {}
        for im, r in zip(ims, rows):
            v = np.asarray(im, np.float32) / 255
            if part == "single":
                s, c = measure.ok_single(v, *r[1:])
                got = dict(shape=s, colour=c, both=s and c)
            elif part == "position":
                s, c, q = measure.ok_place(v, *r[1:])
                got = dict(place=q, all=s and c and q)
            else:
                b, q = measure.ok_pair(v, *r[1:])
                got = dict(both=b, all=b and q)
            for k, x in got.items():
                n[k] = n.get(k, 0) + bool(x)
            if not all(got.values()):
                wrong.append((im, r[0]))
        res[part] = dict(prompts=len(rows), **{k: round(100 * x / len(rows), 1) for k, x in n.items()})
        print(part, res[part], flush=True)
    if wrong:
        sheet([w[0] for w in wrong[:60]], [w[1] for w in wrong[:60]], f"{a.out}/wrong.png")
    if res:
        json.dump(res, open(f"{a.out}/obedience.json", "w"), indent=1)


def frames_of(path):
    """numbered pictures -> [17,128,128,3] bytes"""
    return np.stack([np.asarray(Image.open(f).convert("RGB")) for f in sorted(glob.glob(path[:-4] + "-*.png"))])


def clips_through_cli(a):
    run = through_cli(a)
    return lambda ps, seed=0: run(ps, seed=seed, then=frames_of)


def clips_through_diffusers(a):
    from diffusers import CogVideoXPipeline

    pipe = CogVideoXPipeline.from_pretrained(a.folder, torch_dtype=torch.float32).to(dev)
    pipe.set_progress_bar_config(disable=True)

    def run(ps, seed=0):
        out = []
        for i in range(0, len(ps), a.batch):
            b = ps[i : i + a.batch]
            g = [torch.Generator("cpu").manual_seed(seed + i + k) for k in range(len(b))]
            clips = pipe(b, num_inference_steps=a.steps, guidance_scale=a.cfg, max_sequence_length=32, generator=g).frames
            out += [np.stack([np.asarray(f) for f in c]) for c in clips]
        return out

    return run


def clip_sheet(clips, captions, path, cell=128, pick=(0, 3, 6, 10, 13, 16)):
    page = Image.new("RGB", (len(pick) * (cell + 4), len(clips) * (cell + 16)), "white")
    d = ImageDraw.Draw(page)
    for i, c in enumerate(clips):
        for k, t in enumerate(pick):
            page.paste(Image.fromarray(c[t]).resize((cell, cell)), (k * (cell + 4), i * (cell + 16)))
        d.text((2, i * (cell + 16) + cell + 2), captions[i], fill="black")
    page.save(path)


def video(a):
    run = (clips_through_cli if a.cli else clips_through_diffusers)(a)
    parts, n, wrong, kinds = a.parts.split(","), {}, [], {}
    if "sheet" in parts:
        clip_sheet(run(P.VSHEET), P.VSHEET, f"{a.out}/clips.png")
    if "single" in parts:
        rows = P.video()
        if a.limit:
            rows = random.Random(1).sample(rows, min(a.limit, len(rows)))
        for clip, r in zip(run([r[0] for r in rows], seed=1000), rows):
            s, c, m = measure.ok_clip(np.asarray(clip, np.float32) / 255, *r[1:])
            for k, x in dict(shape=s, colour=c, motion=m, all=s and c and m).items():
                n[k] = n.get(k, 0) + bool(x)
            kinds.setdefault(r[3], []).append(bool(s and c and m))
            if not (s and c and m):
                no = [w for w, ok in (("shape", s), ("colour", c), ("motion", m)) if not ok]
                wrong.append((clip, f"{r[0]} ({', '.join(no)})"))
        res = dict(prompts=len(rows), **{k: round(100 * x / len(rows), 1) for k, x in n.items()},
                   motions={k: f"{sum(v)} of {len(v)}" for k, v in kinds.items()})  # fmt: skip
        print("clips", res, flush=True)
        json.dump(res, open(f"{a.out}/obedience.json", "w"), indent=1)
        if wrong:
            clip_sheet([w[0] for w in wrong[:24]], [w[1] for w in wrong[:24]], f"{a.out}/wrong.png")


if __name__ == "__main__":
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("kind", choices=["image", "video"])
    ap.add_argument("folder"), ap.add_argument("out")
    ap.add_argument("--parts", default="sheet,sizes,single,position,pairs")
    ap.add_argument("--batch", type=int, default=48 if dev == "cuda" else 8)
    ap.add_argument("--steps", type=int, help="20 for pictures, 50 for clips")
    ap.add_argument("--cfg", type=float, help="4.5 and 3")
    ap.add_argument("--limit", type=int, default=0)
    ap.add_argument("--cli", help="make the pictures with this easel-cli instead of diffusers")
    a = ap.parse_args()
    a.steps, a.cfg = a.steps or (20 if a.kind == "image" else 50), a.cfg or (4.5 if a.kind == "image" else 3.0)
    os.makedirs(a.out, exist_ok=True)
    globals()[a.kind](a)
