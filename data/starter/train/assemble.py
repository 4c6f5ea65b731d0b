# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts trained parts into a folder in diffusers' layout, weights in float16.

python3 assemble.py image OUT FOLDER     OUT as the training left it; the tokenizer stays, or is copied
python3 assemble.py video OUT FOLDER     from ../starter-sana or ../starter-cogvideox
"""

import json
import os
import shutil
import sys

import diffusers
import models
import torch
from common import HERE, load


def put(model, tensors, path, **edits):
    model.load_state_dict(tensors)
    model = model.to(torch.float16)
    bad = [k for k, v in model.state_dict().items() if v.is_floating_point() and not torch.isfinite(v).all()]
    if bad:
        raise SystemExit(f"not finite in float16: {bad}")
    model.save_pretrained(path)
    d = json.load(open(f"{path}/config.json"))
    d.update(edits)
    json.dump(d, open(f"{path}/config.json", "w"), indent=2)
    for f in os.listdir(path):
        if f.endswith(".safetensors"):
            os.chmod(f"{path}/{f}", 0o644)


def index(folder, name, **parts):
    d = {"_class_name": name, "_diffusers_version": diffusers.__version__, **parts}
    json.dump(d, open(f"{folder}/model_index.json", "w"), indent=2)


def tokenizer(folder, name):
    if not os.path.isdir(f"{folder}/tokenizer"):
        shutil.copytree(f"{HERE}/../{name}/tokenizer", f"{folder}/tokenizer")


def habits(folder, title, preview, **kw):
    """what Easel does with the model if not told otherwise, and the licence where it is looked for"""
    rows = json.dumps(dict(**kw, **preview)).replace("], [", "],\n    [")
    open(f"{folder}/easel.json", "w").write(rows + "\n")
    text = f"---\nlicense: cc0-1.0\n---\n\n{title}. Small, of drawings only; see data/starter/README.md in Easel's sources.\n"
    open(f"{folder}/README.md", "w").write(text)


def image(out, folder):
    from diffusers import AutoencoderDC, DPMSolverMultistepScheduler, SanaTransformer2DModel
    from transformers import Gemma2Config, Gemma2Model

    d = json.load(open(f"{out}/figures.json"))["dcae"]
    scale = d["scaling_factor"]
    habits(folder, "Easel's starter model for pictures", d.get("preview", {}), human_instruction=False, max_tokens=64,
           steps=20, guidance=4.5)  # fmt: skip
    part = f"{out}/image.safetensors"
    put(SanaTransformer2DModel(**models.SANA), load(part, "transformer."), f"{folder}/transformer")
    te = Gemma2Model(Gemma2Config(**models.GEMMA))
    put(te, load(part, "text_encoder."), f"{folder}/text_encoder", torch_dtype="float16", rope_theta=10000.0)
    vae = AutoencoderDC(**{**models.DCAE, "scaling_factor": scale})
    put(vae, load(f"{out}/dcae.safetensors", "vae."), f"{folder}/vae")
    DPMSolverMultistepScheduler(**models.FLOW).save_pretrained(f"{folder}/scheduler")
    tokenizer(folder, "starter-sana")
    index(folder, "SanaPipeline", scheduler=["diffusers", "DPMSolverMultistepScheduler"],
          text_encoder=["transformers", "Gemma2Model"], tokenizer=["transformers", "GemmaTokenizerFast"],
          transformer=["diffusers", "SanaTransformer2DModel"], vae=["diffusers", "AutoencoderDC"])  # fmt: skip


def video(out, folder):
    from diffusers import AutoencoderKLCogVideoX, CogVideoXDDIMScheduler, CogVideoXTransformer3DModel

    d = json.load(open(f"{out}/figures-video.json"))["vae"]
    scale = d["scaling_factor"]
    habits(folder, "Easel's starter model for clips", d.get("preview", {}), max_tokens=32, steps=50, guidance=3, fps=8)
    part = f"{out}/video.safetensors"
    put(CogVideoXTransformer3DModel(**models.COG), load(part, "transformer."), f"{folder}/transformer")
    te, d = models.make_t5(), load(part, "text_encoder.")
    d.setdefault("encoder.embed_tokens.weight", d["shared.weight"])
    put(te, d, f"{folder}/text_encoder", torch_dtype="float16")
    vae = AutoencoderKLCogVideoX(**{**models.KL, "scaling_factor": scale})
    put(vae, load(f"{out}/vae.safetensors", "vae."), f"{folder}/vae")
    CogVideoXDDIMScheduler(**models.DDIM).save_pretrained(f"{folder}/scheduler")
    tokenizer(folder, "starter-cogvideox")
    index(folder, "CogVideoXPipeline", scheduler=["diffusers", "CogVideoXDDIMScheduler"],
          text_encoder=["transformers", "T5EncoderModel"], tokenizer=["transformers", "T5Tokenizer"],
          transformer=["diffusers", "CogVideoXTransformer3DModel"],
          vae=["diffusers", "AutoencoderKLCogVideoX"])  # fmt: skip


if __name__ == "__main__":
    os.makedirs(sys.argv[3], exist_ok=True)
    {"image": image, "video": video}[sys.argv[1]](sys.argv[2], sys.argv[3])
    n = sum(os.path.getsize(os.path.join(r, f)) for r, _, fs in os.walk(sys.argv[3]) for f in fs)
    print(f"{n} bytes, {n / 2**20:.2f} MiB")
