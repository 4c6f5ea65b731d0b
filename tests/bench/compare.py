#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Times Easel and diffusers on the same picture, in turn, and prints the medians and their ratios.

Both start from nothing each time; processor time and peak memory are the operating system's own account of the finished
process. Where the Python has no diffusers only Easel's figures are printed, and that is said.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))


def run(argv, env=None):
    """(stdout, wall seconds, processor seconds, peak MiB); ends the program when the command fails."""
    with tempfile.TemporaryFile() as out:
        start = time.perf_counter()
        child = subprocess.Popen(argv, stdout=out, stderr=subprocess.PIPE, env=env)
        errors = child.stderr.read()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        wall = time.perf_counter() - start
        if child.returncode:
            sys.exit(f"{' '.join(argv)}: exit status {child.returncode}\n{errors.decode()}")
        out.seek(0)
        return out.read().decode(), wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def easel(a, out):
    text, wall, _, peak = run([f"{a.build}/app/easel-cli", "generate", "--json", "--force", "--model", a.model, "--prompt",
                               a.prompt, "--seed", str(a.seed), "--steps", str(a.steps), "--guidance", str(a.guidance),
                               "--size", f"{a.size}x{a.size}", "--threads", str(a.threads), "--output", out])
    events = [json.loads(line) for line in text.splitlines() if line.strip()]
    began = min(e["elapsed"] for e in events if e.get("phase") == "denoising")
    made = next(e["seconds"] for e in events if e["event"] == "picture") - began
    return {"denoise_decode_wall": made, "total_wall": wall, "peak_mib": peak}


def reference(a, out):
    text, wall, _, peak = run([a.python, os.path.join(HERE, "reference.py"), a.model, a.prompt, str(a.seed),
                               str(a.steps), str(a.guidance), str(a.size), str(a.threads), out])
    figures = json.loads(text.splitlines()[-1])
    return {"denoise_decode_wall": figures["denoise_decode_wall"], "total_wall": wall, "peak_mib": peak}


def difference(python, first, second):
    script = ("import sys, numpy as np; from PIL import Image;"
              "a, b = (np.asarray(Image.open(p).convert('RGB')).astype(int) for p in sys.argv[1:]);"
              "d = abs(a - b); print(d.max(), (d > 0).mean())")
    return run([python, "-c", script, first, second])[0].split()


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--build", required=True)
    p.add_argument("--python", default="python3")
    p.add_argument("--model", default=os.path.join(HERE, "..", "..", "data", "starter", "starter-sana"))
    p.add_argument("--prompt", default="a red circle to the left of a blue square")
    p.add_argument("--seed", type=int, default=7)
    p.add_argument("--steps", type=int, default=20)
    p.add_argument("--guidance", type=float, default=4.5)
    p.add_argument("--size", type=int, default=512)
    p.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    p.add_argument("--runs", type=int, default=3)
    a = p.parse_args()
    a.model = os.path.abspath(a.model)
    have = subprocess.run([a.python, "-c", "import torch, diffusers, transformers"], capture_output=True).returncode == 0
    rows = {"Easel": [], "diffusers": []}
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = os.path.join(folder, "easel.png"), os.path.join(folder, "diffusers.png")
        for i in range(a.runs + 1):  # the first of each warms the page cache and is not counted
            made = easel(a, ours)
            compared = reference(a, theirs) if have else None
            if i:
                rows["Easel"].append(made)
                rows["diffusers"].append(compared)
        listing = [run([f"{a.build}/app/easel-cli", "models"])[1] for _ in range(a.runs)]
        pixels = difference(a.python, ours, theirs) if have else None

    def median(who, what):
        return statistics.median(r[what] for r in rows[who])

    print(f"{a.steps} steps at {a.size} x {a.size}, {a.threads} threads, medians of {a.runs} runs")
    names = {"denoise_decode_wall": "denoising + decoding, s", "total_wall": "process start to PNG, s",
             "peak_mib": "peak memory, MiB"}
    for what, name in names.items():
        line = f"{name:28} {median('Easel', what):9.2f}"
        if have:
            line += f" {median('diffusers', what):9.2f}   ratio {median('Easel', what) / median('diffusers', what):.2f}"
        print(line)
    if pixels:
        print(f"{'largest u8 difference':28} {pixels[0]:>9}   pixels that differ {100 * float(pixels[1]):.3f} %")
    else:
        print("(no Python with torch, diffusers and transformers: set EASEL_PYTHON to compare)")
    print(f"{'easel-cli models, ms':28} {1000 * statistics.median(listing):9.1f}")


main()
