#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""ratios.py EASEL.csv ANCHOR.json: how many times faster than diffusers, eager and compiled, each stage was."""
import csv
import json
import sys

# stage: (eager, compiled) as the anchor names them; the best compiled one counts
NAMES = {
    "sana-1024-b2": (["sana1.6B.1024.fwd.b2.eager_ms"],
                     ["sana1.6B.1024.fwd.b2.compile_ms", "sana1.6B.1024.fwd.b2.compile_cudagraph_ms"]),
    "sana-1024-b1": (["sana1.6B.1024.fwd.b1.eager_ms"], ["sana1.6B.1024.fwd.b1.compile_cudagraph_ms"]),
    "sana-4096-b2": (["sana1.6B.4096.fwd.b2.eager_ms"], []),
    "dcae-1024": (["dcae.1024.decode.eager_ms", "dcae.1024.decode.eager_channels_last_ms"],
                  ["dcae.1024.decode.compile_ms"]),
    "dcae-4096": (["dcae.4096.decode.tiled.eager_ms"], []),
    "picture-1024": (["sana1.6B.1024.20step.denoise+decode.eager_ms"],
                     ["sana1.6B.1024.20step.denoise+decode.compile_ms"]),
    "gemma-300": (["gemma2-2b.encode.L300.eager_ms"], []),
    "cogvideox-b2": (["cog2b.49x480x720.fwd.b2.eager_ms", "cog2b.49x480x720.fwd.b2.eager_cudnn_attn_ms"],
                     ["cog2b.49x480x720.fwd.b2.compile_ms", "cog2b.49x480x720.fwd.b2.compile_cudnn_attn_ms"]),
    "cogvideox-vae": (["cogvae.49x480x720.decode.eager_ms"], []),
    "cogvideox-vae-tiled": (["cogvae.49x480x720.decode.tiled.eager_ms"], []),
    "t5-226": (["t5xxl.encode.b2.226.eager_ms"], []),
}


def best(anchor, names):
    found = [anchor[name] for name in names if name in anchor]
    return min(found) if found else None


def main():
    with open(sys.argv[1], encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    with open(sys.argv[2], encoding="utf-8") as text:
        anchor = json.load(text)
    print(f"{'stage':20} {'easel ms':>10} {'eager ms':>10} {'ratio':>6} {'compiled':>10} {'ratio':>6}")
    for row in rows:
        line = f"{row['stage']:20} {float(row['ms']):10.2f}"
        for names in NAMES.get(row["stage"], ([], [])):
            theirs = best(anchor, names)
            line += f" {theirs:10.2f} {theirs / float(row['ms']):5.2f}x" if theirs else f" {'-':>10} {'-':>6}"
        print(line)


main()
