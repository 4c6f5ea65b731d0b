#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The starter clip model through diffusers and through easel-cli: the same folder, prompt, seed and settings must give the
same frames, within 2 of 255.

usage: compare_starter.py EASEL_CLI FOLDER
"""
import glob
import json
import os
import subprocess
import sys
import tempfile

import numpy
import torch
from diffusers import CogVideoXPipeline
from PIL import Image

CLI, FOLDER = sys.argv[1:]
CASES = [("a red ball moves to the right", 3, 17, 20), ("a blue square moves up", 11, 9, 12)]
torch.set_num_threads(2)
pipe = CogVideoXPipeline.from_pretrained(FOLDER, torch_dtype=torch.float32)
pipe.set_progress_bar_config(disable=True)
with open(os.path.join(FOLDER, "easel.json"), encoding="utf-8") as file:
    habits = json.load(file)
size = pipe.transformer.config.sample_height * pipe.vae_scale_factor_spatial
worst = 0
for prompt, seed, frames, steps in CASES:
    with torch.no_grad():
        video = pipe(prompt, negative_prompt="", height=size, width=size, num_frames=frames, num_inference_steps=steps,
                     guidance_scale=habits["guidance"], max_sequence_length=habits["max_tokens"],
                     generator=torch.Generator().manual_seed(seed), output_type="np").frames[0]
    want = (video * 255).round().astype(numpy.uint8)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([CLI, "generate", "--quiet", "--device", "cpu", "--model", FOLDER, "--prompt", prompt, "--seed",
                        str(seed), "--frames", str(frames), "--steps", str(steps), "--output",
                        os.path.join(folder, "clip.png")], check=True)
        got = numpy.stack([numpy.asarray(Image.open(name).convert("RGB"))
                           for name in sorted(glob.glob(os.path.join(folder, "clip-*.png")))])
    if got.shape != want.shape:
        sys.exit(f"{got.shape} and not {want.shape}")
    difference = int(numpy.abs(got.astype(int) - want.astype(int)).max())
    print(f"{prompt!r}, seed {seed}, {frames} frames, {steps} steps: differs by {difference} of 255 at most")
    worst = max(worst, difference)
sys.exit(0 if worst <= 2 else f"differs by {worst}, allowed are 2")
