#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cases of the golden layout for the prompt rules: what diffusers' SanaPipeline.encode_prompt makes of texts with the
tiny text encoder of the reference set, and Python's lower case of them. `parity OUT` compares them.

usage: make_prompt_cases.py OUT REFERENCE
"""
import inspect
import json
import os
import random
import sys

import torch
from diffusers import SanaPipeline
from safetensors.torch import save_file
from transformers import AutoTokenizer, Gemma2Model

torch.set_grad_enabled(False)
torch.set_num_threads(1)
OUT, REFERENCE = sys.argv[1:]
os.makedirs(f"{OUT}/cases", exist_ok=True)
os.symlink(os.path.abspath(f"{REFERENCE}/models"), f"{OUT}/models")

PROMPTS = ["", 'A Cyberpunk CAT with a neon sign that says "Sana"', "  Two   red balls,  next to a GREEN cube. \n",
           "ΟΔΥΣΣΕΥΣ İstanbul Ⅷ", "一只可爱的熊猫 🐼", "\u3000x\u00a0", "word " * 500, "x" * 400, "tab\there\nline"]

tokenizer = AutoTokenizer.from_pretrained(f"{REFERENCE}/models/gemma-tokenizer")
encoder = Gemma2Model.from_pretrained(f"{REFERENCE}/models/gemma2-tiny", dtype=torch.float32,
                                      attn_implementation="eager").eval()
pipeline = SanaPipeline(tokenizer=tokenizer, text_encoder=encoder, vae=None, transformer=None, scheduler=None)
instruction = inspect.signature(SanaPipeline.__call__).parameters["complex_human_instruction"].default


def write(name, tensors, meta):
    save_file(tensors or {"none": torch.zeros(1)}, f"{OUT}/cases/{name}.safetensors")
    with open(f"{OUT}/cases/{name}.json", "w") as f:
        json.dump(meta, f)


for length in (300, 32, 5):
    tensors = {}
    for i, prompt in enumerate(PROMPTS):
        for with_instruction in (0, 1):
            embeds, mask, _, _ = pipeline.encode_prompt(
                prompt, do_classifier_free_guidance=False, device="cpu", max_sequence_length=length,
                complex_human_instruction=instruction if with_instruction else None)
            tensors[f"embeds.{i}.{with_instruction}"] = embeds[0].contiguous()
            tensors[f"mask.{i}.{with_instruction}"] = mask[0].contiguous()
    write(f"prompts-sana-{length}", tensors, {"model": "models/gemma2-tiny", "tokenizer": "models/gemma-tokenizer",
                                              "max_tokens": length, "prompts": PROMPTS})

# Every character by itself between letters and around one, and random texts full of sigmas.
characters = [chr(c) for c in range(1, 0x20000) if not 0xD800 <= c < 0xE000]
texts = ["".join(f"a{c}b{c}X{c} " for c in characters[i:i + 500]) for i in range(0, len(characters), 500)]
texts += [c + "X" + c for c in characters if c.isspace() or c in "\u200b\ufeff\u180e"]
random.seed(1)
pool = [chr(c) for c in (*range(32, 0x600), *range(0x1F00, 0x2200), *range(0x2460, 0x24F0))] + ["Σ", "a", " "] * 700
texts += ["".join(random.choice(pool) for _ in range(random.randint(0, 12))) for _ in range(3000)]
write("prompts-lower", {}, {"texts": texts, "lowered": [t.lower().strip() for t in texts]})
