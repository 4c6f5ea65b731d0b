#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cases of the golden layout for what the shipped set leaves out: every way an AutoencoderDC and a Sana transformer can
be configured, with small random weights. `parity OUT` compares them.

usage: make_cases.py OUT
"""
import json
import math
import os
import sys

import torch
from diffusers import AutoencoderDC, SanaTransformer2DModel
from safetensors.torch import save_file

torch.set_grad_enabled(False)
torch.set_num_threads(1)
OUT = sys.argv[1]
os.makedirs(f"{OUT}/models", exist_ok=True)
os.makedirs(f"{OUT}/cases", exist_ok=True)


def noise(*shape, seed):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def randomise(model, seed):
    g = torch.Generator().manual_seed(seed)
    for name, p in sorted(model.named_parameters()):
        r = torch.randn(p.shape, generator=g)
        if p.ndim >= 2:
            p.copy_(r / math.sqrt(p[0].numel()) if "table" not in name else r * 0.3)
        else:
            p.copy_(1 + 0.1 * r if "norm" in name and name.endswith("weight") else 0.1 * r)
    for name, b in sorted(model.named_buffers()):
        if name.endswith("running_mean"):
            b.copy_(0.3 * torch.randn(b.shape, generator=g))
        elif name.endswith("running_var"):
            b.copy_(0.5 + torch.rand(b.shape, generator=g))
    return model.eval()


def write(name, model, tensors, meta):
    model.save_pretrained(f"{OUT}/models/{name}", safe_serialization=True)
    save_file({k: v.contiguous() for k, v in tensors.items()}, f"{OUT}/cases/{name}.safetensors")
    with open(f"{OUT}/cases/{name}.json", "w") as f:
        json.dump({"model": f"models/{name}", **meta}, f)


def autoencoder(name, seed, tiling=None, size=(5, 3), **config):
    base = dict(latent_channels=8, attention_head_dim=8,
                encoder_block_types=("ResBlock", "ResBlock", "EfficientViTBlock"),
                decoder_block_types=("ResBlock", "ResBlock", "EfficientViTBlock"),
                encoder_block_out_channels=(8, 16, 32), decoder_block_out_channels=(8, 16, 32),
                encoder_layers_per_block=(1, 1, 1), decoder_layers_per_block=(1, 1, 1),
                encoder_qkv_multiscales=((), (), (5,)), decoder_qkv_multiscales=((), (), (5,)), scaling_factor=0.7)
    model = randomise(AutoencoderDC(**{**base, **config}), seed)
    z = noise(2, 8, *size, seed=seed + 1)
    image = torch.tanh(noise(2, 3, size[0] * 4, size[1] * 4, seed=seed + 2))
    tensors = dict(z=z, decoded=model.decode(z, return_dict=False)[0], image=image,
                   encoded=model.encode(image, return_dict=False)[0])
    meta = {}
    if tiling:
        wide = noise(2, 8, 13, 9, seed=seed + 3)
        picture = torch.tanh(noise(1, 3, 52, 36, seed=seed + 4))
        model.enable_tiling(*tiling)
        tensors.update({"tiled.z": wide, "tiled.decoded": model.decode(wide, return_dict=False)[0],
                        "tiled.image": picture, "tiled.encoded": model.encode(picture, return_dict=False)[0]})
        meta["tiling"] = tiling
    write(name, model, tensors, meta)


autoencoder("dcae-norms", 1, decoder_norm_types=("batch_norm", "rms_norm", "batch_norm"),
            decoder_act_fns=("relu", "silu", "silu"), decoder_conv_act_fn="silu")
autoencoder("dcae-no-shortcuts", 2, encoder_out_shortcut=False, decoder_in_shortcut=False,
            upsample_block_type="interpolate", downsample_block_type="conv")
autoencoder("dcae-empty-first", 3, encoder_layers_per_block=(0, 1, 2), decoder_layers_per_block=(0, 2, 1))
autoencoder("dcae-empty-first-plain", 4, encoder_layers_per_block=(0, 1, 1), decoder_layers_per_block=(0, 1, 1),
            upsample_block_type="interpolate", downsample_block_type="conv")
autoencoder("dcae-scales", 5, encoder_qkv_multiscales=((), (), (3, 5)), decoder_qkv_multiscales=((), (), (3, 7)))
autoencoder("dcae-tiles", 6, tiling=(16, 20, 8, 16))
autoencoder("dcae-tiles-apart", 7, tiling=(16, 16, 16, 16))
autoencoder("dcae-tiles-close", 8, tiling=(24, 24, 4, 12))
autoencoder("dcae-one-latent", 9, size=(1, 1))


def transformer(name, seed, size=(4, 6), times=(731.0, 3.0), guidance=None, **config):
    base = dict(in_channels=8, out_channels=8, num_layers=2, num_attention_heads=3, attention_head_dim=16,
                num_cross_attention_heads=2, cross_attention_head_dim=24, cross_attention_dim=48, caption_channels=24,
                sample_size=16)
    model = randomise(SanaTransformer2DModel(**{**base, **config}), seed)
    text, mask = noise(2, 11, 24, seed=seed + 1), (torch.arange(11)[None] < torch.tensor([[4], [11]])).long()
    x, timestep, hidden, extra = noise(2, 8, *size, seed=seed + 2), torch.tensor(times), [], {}
    if guidance is not None:
        extra["guidance"] = torch.full((2,), guidance * model.config.guidance_embeds_scale)
    hooks = [b.register_forward_hook(lambda m, i, o: hidden.append(o.clone())) for b in model.transformer_blocks]
    out = model(x, encoder_hidden_states=text, encoder_attention_mask=mask, timestep=timestep, return_dict=False,
                **extra)[0]
    for hook in hooks:
        hook.remove()
    write(name, model, dict(x=x, text=text, mask=mask, timestep=timestep, out=out,
                            **{f"block.{i}": h for i, h in enumerate(hidden)}), {"guidance": guidance})


transformer("sana-bias-tiny", 21, attention_bias=True)
transformer("sana-affine-tiny", 22, norm_elementwise_affine=True, norm_eps=1e-5, mlp_ratio=3.3)
transformer("sana-positions-tiny", 23, interpolation_scale=1, size=(16, 16))
transformer("sana-positions-wide-tiny", 24, interpolation_scale=2.0, size=(3, 9))
transformer("sana-guided-tiny", 25, guidance=7.0, guidance_embeds=True, guidance_embeds_scale=0.2,
            qk_norm="rms_norm_across_heads", times=(0.5, 0.9))
transformer("sana-one-token-tiny", 26, size=(1, 1), qk_norm="rms_norm_across_heads")
