#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The same picture through diffusers, as a person would write it: the program that bench.sh compares Easel with.

usage: reference.py MODEL PROMPT SEED STEPS GUIDANCE SIZE THREADS OUT.png

Prints one JSON object: seconds of denoising + decoding (wall and processor time), seconds from process start to the PNG
on disk, and the process's peak memory in MiB.
"""
import inspect
import json
import os
import sys
import time


def process_age():
    """Seconds since this process was started, the interpreter's own start included."""
    with open("/proc/self/stat") as f:
        ticks = int(f.read().rsplit(")", 1)[1].split()[19])
    with open("/proc/uptime") as f:
        return float(f.read().split()[0]) - ticks / os.sysconf("SC_CLK_TCK")


def main():
    model, prompt, seed, steps, guidance, size, threads, out = sys.argv[1:9]
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = threads
    os.environ["HF_HUB_OFFLINE"] = "1"
    import torch

    torch.set_num_threads(int(threads))
    import diffusers

    diffusers.utils.logging.disable_progress_bar()
    with open(os.path.join(model, "model_index.json")) as f:
        index = json.load(f)
    pipeline_class = getattr(diffusers, index["_class_name"])
    pipe = pipeline_class.from_pretrained(model, torch_dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    # encode_prompt() has no instruction of its own; calling the pipeline has.
    extra = {"complex_human_instruction":
             inspect.signature(pipeline_class.__call__).parameters["complex_human_instruction"].default}
    habits = os.path.join(model, "easel.json")
    if os.path.exists(habits):
        with open(habits) as f:
            habits = json.load(f)
        if not habits.get("human_instruction", True):
            extra["complex_human_instruction"] = None
        if habits.get("max_tokens"):
            extra["max_sequence_length"] = habits["max_tokens"]
    # Text is encoded outside the timed part, as Easel reports it as a phase of its own.
    embeds, mask, negative, negative_mask = pipe.encode_prompt(prompt, True, negative_prompt="", device="cpu", **extra)
    wall, cpu = time.perf_counter(), time.process_time()
    image = pipe(prompt=None, negative_prompt=None, prompt_embeds=embeds, prompt_attention_mask=mask,
                 negative_prompt_embeds=negative, negative_prompt_attention_mask=negative_mask,
                 num_inference_steps=int(steps), guidance_scale=float(guidance), height=int(size), width=int(size),
                 generator=torch.Generator("cpu").manual_seed(int(seed))).images[0]
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    image.save(out)
    with open("/proc/self/status") as f:
        peak = next(int(line.split()[1]) for line in f if line.startswith("VmHWM")) / 1024
    print(json.dumps({"denoise_decode_wall": wall, "denoise_decode_cpu": cpu, "total_wall": process_age(),
                      "peak_mib": peak, "versions": {"torch": torch.__version__, "diffusers": diffusers.__version__}}))


main()
