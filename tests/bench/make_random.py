#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A model folder of real size with random weights, for measuring memory and speed without downloading anything.

usage: make_random.py TRANSFORMER.json VAE.json TEXT_ENCODER.json SCHEDULER.json TOKENIZER_DIR OUT [--layers N]

For a Sana or a CogVideoX model. The four files are the components' configurations as on the Hub. Names and shapes come from diffusers' and transformers'
own classes (made without memory); weights are normal with deviation 1/sqrt(fan in), in bf16. Needs torch, diffusers and
transformers.
"""
import argparse
import json
import math
import os
import shutil
import struct

import numpy as np
import torch
from diffusers import (AutoencoderDC, AutoencoderKLCogVideoX, CogVideoXTransformer3DModel,
                       SanaTransformer2DModel)
from transformers import Gemma2Config, Gemma2Model, T5Config, T5EncoderModel

PIPELINES = {
    "SanaTransformer2DModel": ("SanaPipeline", SanaTransformer2DModel, AutoencoderDC, Gemma2Model, Gemma2Config,
                               "GemmaTokenizerFast"),
    "CogVideoXTransformer3DModel": ("CogVideoXPipeline", CogVideoXTransformer3DModel, AutoencoderKLCogVideoX,
                                    T5EncoderModel, T5Config, "T5Tokenizer"),
}

BLOCK = 1 << 20  # values drawn once and repeated with another sign and offset: enough for measuring


def write(path, shapes, rng):
    """A safetensors file, streamed: nothing of the model's size is ever in memory."""
    header, at = {}, 0
    for name, shape in shapes.items():
        n = math.prod(shape) * 2
        header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [at, at + n]}
        at += n
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    noise = torch.from_numpy(rng.standard_normal(BLOCK, dtype=np.float32))
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for name, shape in shapes.items():
            n = math.prod(shape)
            if len(shape) > 1:
                values = noise / math.sqrt(max(1, math.prod(shape[1:])))
            else:
                values = torch.full((BLOCK,), 1.0 if "norm" in name and name.endswith("weight") else 0.0)
            chunk = values.to(torch.bfloat16).view(torch.int16).numpy().tobytes()
            while n > 0:
                f.write(chunk[: 2 * min(n, BLOCK)])
                n -= BLOCK


def shapes_of(model):
    return {k: tuple(v.shape) for k, v in model.state_dict().items()}


def main():
    p = argparse.ArgumentParser()
    for name in ("transformer", "vae", "text_encoder", "scheduler", "tokenizer", "out"):
        p.add_argument(name)
    p.add_argument("--layers", type=int, help="transformer blocks, instead of the configuration's")
    a = p.parse_args()
    rng = np.random.default_rng(1)
    parts = {}
    for part in ("transformer", "vae", "text_encoder", "scheduler"):
        with open(getattr(a, part)) as f:
            parts[part] = json.load(f)
    pipeline, transformer, vae, encoder, encoder_config, tokenizer = PIPELINES[parts["transformer"]["_class_name"]]
    if a.layers:
        parts["transformer"]["num_layers"] = a.layers
    with torch.device("meta"):
        clean = lambda c: {k: v for k, v in c.items() if not k.startswith("_")}
        models = {"transformer": transformer(**clean(parts["transformer"])), "vae": vae(**clean(parts["vae"])),
                  "text_encoder": encoder(encoder_config(**clean(parts["text_encoder"])))}
    files = {"transformer": "diffusion_pytorch_model.safetensors", "vae": "diffusion_pytorch_model.safetensors",
             "text_encoder": "model.safetensors"}
    for part, config in parts.items():
        folder = os.path.join(a.out, part)
        os.makedirs(folder, exist_ok=True)
        name = "scheduler_config.json" if part == "scheduler" else "config.json"
        with open(os.path.join(folder, name), "w") as f:
            json.dump(config, f, indent=2)
        if part in models:
            write(os.path.join(folder, files[part]), shapes_of(models[part]), rng)
    shutil.copytree(a.tokenizer, os.path.join(a.out, "tokenizer"), dirs_exist_ok=True)
    with open(os.path.join(a.out, "model_index.json"), "w") as f:
        json.dump({"_class_name": pipeline, "_diffusers_version": "0.33.0",
                   "scheduler": ["diffusers", parts["scheduler"]["_class_name"]],
                   "text_encoder": ["transformers", encoder.__name__], "tokenizer": ["transformers", tokenizer],
                   "transformer": ["diffusers", transformer.__name__], "vae": ["diffusers", vae.__name__]}, f)


main()
