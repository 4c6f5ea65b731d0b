#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far torch itself is from float32 when it computes the reference cases in 16 bits: what Easel's bounds are made of.

usage: torch_errors.py REFERENCE OUT.json [--device cuda]

For every case and tensor that it can compute, the relative error ||a - b|| / ||b|| of diffusers' or transformers' model
in bfloat16 and float16 on the case's inputs, against the case's float32 tensor. Whole runs take the case's embeddings.
Needs torch, diffusers and transformers. A case that torch cannot compute in a type has no figure there.
"""

import argparse
import glob
import json
import os

import diffusers
import torch
from safetensors.torch import load_file
from transformers import Gemma2Model, T5EncoderModel

torch.set_grad_enabled(False)
GUIDANCE_SCALE = 0.1


class Case:
    def __init__(self, root, name, dtype, device):
        self.root, self.name, self.dtype, self.device = root, name, dtype, device
        self.t = load_file(f"{root}/cases/{name}.safetensors")
        with open(f"{root}/cases/{name}.json", encoding="utf-8") as f:
            self.meta = json.load(f)
        self.errors = {}

    def x(self, name):
        v = self.t[name].to(self.device)
        return v.to(self.dtype) if v.is_floating_point() else v

    def model(self, cls, key="model"):
        return cls.from_pretrained(f"{self.root}/{self.meta[key]}", torch_dtype=self.dtype).to(self.device).eval()

    def check(self, name, got, keep=None):
        if name not in self.t:
            return
        a, b = got.detach().float().cpu(), self.t[name].float()
        if keep is not None:
            a, b = a[keep], b[keep]
        e = ((a - b).norm() / b.norm()).item()
        if e == e and e != float("inf"):
            self.errors[name] = e


def blocks(c, model):
    """Hooks that compare what every block gives."""
    for i, b in enumerate(model.transformer_blocks):
        b.register_forward_hook(lambda m, a, o, i=i: c.check(f"block.{i}", o[0] if isinstance(o, tuple) else o))


def sana(c):
    m = c.model(diffusers.SanaTransformer2DModel)
    blocks(c, m)
    kw = {}
    if c.meta.get("guidance"):
        kw["guidance"] = torch.full((2,), c.meta["guidance"] * GUIDANCE_SCALE, device=c.device, dtype=c.dtype)
    c.check("out", m(c.x("x"), encoder_hidden_states=c.x("text"), encoder_attention_mask=c.x("mask"),
                     timestep=c.t["timestep"].to(c.device), return_dict=False, **kw)[0])


def dcae(c):
    m = c.model(diffusers.AutoencoderDC)
    c.check("decoded", m.decode(c.x("z"), return_dict=False)[0])
    c.check("encoded", m.encode(c.x("image"), return_dict=False)[0])
    if "tiled.z" in c.t:
        m.enable_tiling(128, 128, 96, 96)
        c.check("tiled.decoded", m.decode(c.x("tiled.z"), return_dict=False)[0])


def gemma(c):
    m = c.model(Gemma2Model)
    for k in (0, 1):
        mask = c.x(f"mask.{k}")
        out = m(input_ids=c.x(f"ids.{k}"), attention_mask=mask, use_cache=False, output_hidden_states=True)
        keep = mask.bool().cpu()
        c.check(f"last.{k}", out.last_hidden_state, keep)
        for i, h in enumerate(out.hidden_states):
            c.check(f"hidden.{k}.{i}", h, keep)


def t5(c):
    m = c.model(T5EncoderModel)
    for k in (0, 1):
        c.check(f"out.{k}", m(c.x(f"ids.{k}"))[0])


def cog(c):
    m = c.model(diffusers.CogVideoXTransformer3DModel)
    kw = {}
    if "rope_cos" in c.t:
        kw["image_rotary_emb"] = (c.t["rope_cos"].to(c.device), c.t["rope_sin"].to(c.device))
    if m.config.ofs_embed_dim:
        kw["ofs"] = torch.full((1,), 2.0, device=c.device, dtype=c.dtype)
    c.check("out", m(c.x("x"), c.x("text"), c.t["timestep"].to(c.device), return_dict=False, **kw)[0])


def cogvae(c):
    m = c.model(diffusers.AutoencoderKLCogVideoX)
    for k in (1, 3, 5):
        c.check(f"decoded.{k}", m.decode(c.x(f"z.{k}"), return_dict=False)[0])
    d = m.encode(c.x("video"), return_dict=False)[0]
    c.check("encoded.mean", d.mean)
    c.check("encoded.logvar", d.logvar)
    c.check("image.mean", m.encode(c.x("video")[:, :, :1], return_dict=False)[0].mean)


def scheduler_of(c):
    s = c.meta["scheduler"]
    names = {"flow_prediction": "DPMSolverMultistepScheduler", "trigflow": "SCMScheduler"}
    if c.name.startswith("e2e-cog"):
        cls = "CogVideoXDDIMScheduler" if "ddim" in c.name else "CogVideoXDPMScheduler"
    else:
        cls = names.get(s.get("prediction_type"), "FlowMatchEulerDiscreteScheduler")
    return getattr(diffusers, cls).from_config({k: v for k, v in s.items() if k != "_use_default_values"})


def common(c):
    def watch(pipe, i, t, kw):
        c.check(f"latents.{i + 1}", kw["latents"])
        return kw

    return dict(prompt=None, prompt_embeds=c.x("prompt_embeds"), num_inference_steps=c.meta["steps"],
                guidance_scale=c.meta["guidance"], output_type="latent", callback_on_step_end=watch,
                generator=torch.Generator("cpu").manual_seed(c.meta["sampler_noise_seed"]))


def whole_sana(c):
    sprint = "sprint" in c.name
    m, vae = c.model(diffusers.SanaTransformer2DModel, "transformer"), c.model(diffusers.AutoencoderDC, "vae")
    cls = diffusers.SanaSprintPipeline if sprint else diffusers.SanaPipeline
    pipe = cls(tokenizer=None, text_encoder=None, vae=None, transformer=m, scheduler=scheduler_of(c))
    pipe.set_progress_bar_config(disable=True)
    kw = common(c)
    h, w = c.meta["latent"]
    kw.update(prompt_attention_mask=c.x("prompt_mask"), height=h * 32, width=w * 32, use_resolution_binning=False,
              latents=c.t["latents0"].to(c.device))
    if "neg_embeds" in c.t:
        kw.update(negative_prompt=None, negative_prompt_embeds=c.x("neg_embeds"),
                  negative_prompt_attention_mask=c.x("neg_mask"))
    if sprint and c.meta["steps"] != 2:
        kw.update(intermediate_timesteps=None)
    z = pipe(**kw)
    z = z[0] if isinstance(z, tuple) else z.images
    c.check("latents_final", z)
    c.check("image", vae.decode(z.to(c.dtype) / vae.config.scaling_factor, return_dict=False)[0])


def whole_cog(c):
    m = c.model(diffusers.CogVideoXTransformer3DModel, "transformer")
    vae = c.model(diffusers.AutoencoderKLCogVideoX, "vae")
    pipe = diffusers.CogVideoXPipeline(tokenizer=None, text_encoder=None, vae=vae, transformer=m, scheduler=scheduler_of(c))
    pipe.set_progress_bar_config(disable=True)
    kw = common(c)
    kw.update(negative_prompt_embeds=c.x("neg_embeds"), height=c.meta["height"], width=c.meta["width"],
              num_frames=c.meta["num_frames"], use_dynamic_cfg=c.meta["dynamic_cfg"], latents=c.x("latents0"),
              max_sequence_length=m.config.max_text_seq_length)
    z = pipe(**kw).frames
    c.check("latents_final", z)
    c.check("video", pipe.decode_latents(z.to(c.dtype)))


KINDS = [("e2e-sana", whole_sana), ("e2e-sprint", whole_sana), ("e2e-cog", whole_cog), ("dcae", dcae), ("gemma2", gemma),
         ("t5", t5), ("cogvae", cogvae), ("cog-", cog), ("sana-", sana)]
# The last two make noise between steps, in 16 bits other numbers than in 32.
LEFT_OUT = ("t5-real-tokenizer", "sana-controlnet", "sana-pag", "e2e-cog2b-dpm", "e2e-cog5b-dpm")


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("reference"), ap.add_argument("out")
    ap.add_argument("--device", default="cpu")
    a = ap.parse_args()
    found = {}
    for path in sorted(glob.glob(f"{a.reference}/cases/*.safetensors")):
        name = os.path.basename(path)[: -len(".safetensors")]
        run = next((f for prefix, f in KINDS if name.startswith(prefix)), None)
        if not run or name in LEFT_OUT:
            continue
        for word, dtype in (("bf16", torch.bfloat16), ("f16", torch.float16)):
            c = Case(a.reference, name, dtype, a.device)
            try:
                run(c)
            except Exception as e:  # what torch cannot do has no figure
                print(f"{name} {word}: {type(e).__name__}: {e}"[:200], flush=True)
            for tensor, e in c.errors.items():
                found.setdefault(word, {}).setdefault(name, {})[tensor] = float(f"{e:.3g}")
            if c.errors:
                print(f"{name} {word}: {max(c.errors.values()):.3g} at most", flush=True)
    with open(a.out, "w", encoding="utf-8") as f:
        lines = [f'  "{w}": {{\n' + ",\n".join(f'    "{n}": {json.dumps(t)}' for n, t in v.items()) + "\n  }"
                 for w, v in found.items()]
        f.write("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
