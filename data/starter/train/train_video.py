# SPDX-License-Identifier: GPL-3.0-or-later
"""The video model: 17 frames of 128x128, stage by stage, one at a time (two that share a card are slower than one
after the other).

  vae          AutoencoderKLCogVideoX on rendered clips                        -> vae.safetensors
  transformer  T5 warm-up, pool of latents, then v prediction on it            -> video.safetensors, state-video.pt

  python3 train_video.py STAGE --out DIR --minutes N          figures go to DIR/figures.json
Then: python3 assemble.py video DIR FOLDER
"""

import argparse
import json
import os
import random
import time

import captions
import clips
import kernel
import models
import numpy as np
import torch
import torch.nn.functional as F
from common import (HERE, Clock, Every, Mean, adam, cast, channels_last, compiled, cuda, dev, finite, half, load, log,
                    note, psnr, rate, rec_loss, save, set_rate)  # fmt: skip
from torch import nn

FRAMES, SIDE = 17, 128


def tokenizer():
    import sentencepiece

    for d in (f"{HERE}/../starter-cogvideox/tokenizer", HERE):
        if os.path.exists(f"{d}/spiece.model"):
            return sentencepiece.SentencePieceProcessor(model_file=f"{d}/spiece.model")
    raise SystemExit("no spiece.model: python3 tokenizers_make.py video ../starter-cogvideox makes one")


def _some(job):
    seed, n, text = job
    r, sp, T = random.Random(seed), tokenizer() if text else None, models.VIDEO_TOKENS
    captions.WORDS = open(f"{HERE}/words.txt").read().split()
    E, B, A, I = [], [], [], np.zeros((n, 4, T), np.uint16)
    for i in range(n):
        e, b, a, sc = clips.video_scene(r)
        E.append(e), B.append(b), A.append(a)
        for k in range(4 if text else 0):
            ids = sp.encode(clips.video_caption(r, sc))[: T - 1] + [1]
            I[i, k, : len(ids)] = ids
    return np.stack(E), np.stack(B), np.stack(A), I


def some_clips(seed, n, text=True, workers=None):
    """-> entries, backgrounds, attributes, token ids, on the device"""
    from multiprocessing import Pool

    workers = workers or max(1, min(16, (os.cpu_count() or 2) - 1))
    jobs = [(seed * 1000 + k, (n + workers - 1) // workers, text) for k in range(workers)]
    with Pool(workers) as p:
        parts = p.map(_some, jobs) if workers > 1 else [_some(jobs[0])]
    out = [np.concatenate([q[k] for q in parts]) for k in range(4)]
    return [torch.from_numpy(v.astype(np.int32) if v.dtype != np.float32 else v).to(dev) for v in out]


def draw(ent, bg):
    """-> [B,3,17,128,128] in -1..1"""
    B = len(ent)
    v = kernel.render(ent.flatten(0, 1), bg.repeat_interleave(FRAMES, 0), SIDE, SIDE)
    return v.permute(0, 2, 3, 1).reshape(B, FRAMES, SIDE, SIDE, 3).permute(0, 4, 1, 2, 3) * 2 - 1


def quick_vae():
    """for training, same maths: group norm in the dtype that comes in; the 1x1x1 convolutions of the spatial norm
    before the nearest interpolation instead of after it; no copies for the caches of the convolutions"""
    from diffusers.models.autoencoders import autoencoder_kl_cogvideox as K

    def group(m, x):
        with torch.autocast(dev.type, enabled=False):
            return F.group_norm(x, m.num_groups, m.weight.to(x.dtype), m.bias.to(x.dtype), m.eps)

    def spatial(self, f, zq, conv_cache=None):
        y, b = self.conv_y.conv, self.conv_b.conv
        q = F.conv3d(zq, torch.cat([y.weight, b.weight]), torch.cat([y.bias, b.bias]))
        if f.shape[2] > 1 and f.shape[2] % 2 == 1:
            first = F.interpolate(q[:, :, :1], size=(1,) + f.shape[-2:])
            q = torch.cat([first, F.interpolate(q[:, :, 1:], size=(f.shape[2] - 1,) + f.shape[-2:])], dim=2)
        else:
            q = F.interpolate(q, size=f.shape[-3:])
        y, b = q.chunk(2, dim=1)
        return torch.addcmul(b.to(f.dtype), group(self.norm_layer, f), y.to(f.dtype)), {}

    def causal(self, inputs, conv_cache=None):
        x = self.fake_context_parallel_forward(inputs, conv_cache)
        y = F.conv3d(x, self.conv.weight, self.conv.bias, self.conv.stride, self.conv.padding)
        return y, x[:, :, -self.time_kernel_size + 1 :]

    old = K.CogVideoXSpatialNorm3D.forward, K.CogVideoXCausalConv3d.forward, nn.GroupNorm.forward
    K.CogVideoXSpatialNorm3D.forward, K.CogVideoXCausalConv3d.forward, nn.GroupNorm.forward = spatial, causal, group

    def back():
        K.CogVideoXSpatialNorm3D.forward, K.CogVideoXCausalConv3d.forward, nn.GroupNorm.forward = old

    return back


def vae(a):
    """An earlier run of 1,352 steps at batch 8 reached 21.2 dB, blocky; 27 dB wants five to ten times the steps."""
    ent, bg = some_clips(a.seed, a.scenes if cuda else 256, text=False)[:2]
    torch.manual_seed(a.seed)
    m = models.make_kl()
    if os.path.exists(f"{a.out}/vae.safetensors"):
        m.load_state_dict(load(f"{a.out}/vae.safetensors", "vae."))
        log("going on from vae.safetensors")
    m = channels_last(m.to(dev))
    back = quick_vae()
    bs = a.batch or (8 if cuda else 1)
    opt, mean, clock = adam([(m.parameters(), a.rate or 1.5e-3)], 0.0), Mean(m.parameters()), Clock(a.minutes)
    tell, keep, n = Every(20), Every(150), 0

    def write():
        mean.swap()
        save(half(m, "vae."), f"{a.out}/vae.safetensors")
        mean.swap()

    while clock.progress() < 1:
        set_rate(opt, rate(clock.progress(), n, 150, 0.35))
        i = torch.randint(len(ent), (bs,), device=dev)
        x = draw(ent[i], bg[i])
        with cast():
            post = m.encode(x.contiguous(memory_format=torch.channels_last_3d)).latent_dist
            mu, lv = post.mean.float(), post.logvar.float()
            y = m.decode(mu + torch.exp(0.5 * lv) * torch.randn_like(mu)).sample
        c = mu.transpose(0, 1).flatten(1)
        reg = (c.mean(1).square() + (c.std(1) - 1).square()).mean()
        kl = 0.5 * (mu.square() + lv.exp() - 1 - lv).mean()
        loss = rec_loss(y, x, (-1, -2, -3)) + 5e-4 * kl + 0.03 * reg
        loss.backward()
        torch.nn.utils.clip_grad_norm_(m.parameters(), 1.0)
        opt.step()
        opt.zero_grad(set_to_none=True)
        mean.update()
        n += 1
        if tell.due():
            finite(loss.item(), "vae")
            log(f"vae {n} loss {loss.item():.4f} psnr {psnr(y, x).mean().item():.2f} {clock.progress():.2f}")
        if keep.due():
            write()
    write()
    back()
    m.load_state_dict(load(f"{a.out}/vae.safetensors", "vae."))
    ent, bg = some_clips(987, 64 if cuda else 4, text=False, workers=1)[:2]
    ps, zs = [], []
    with torch.no_grad():
        for i in range(0, len(ent), 4):
            x = draw(ent[i : i + 4], bg[i : i + 4])
            z = m.encode(x).latent_dist.mode()
            ps.append(psnr(m.decode(z).sample, x)), zs.append(z)
    ps, z = torch.cat(ps), torch.cat(zs)
    d = dict(psnr=ps.mean().item(), psnr_p10=ps.quantile(0.1).item(), scaling_factor=1 / z.std().item(), steps=n)
    note(f"{a.out}/figures.json", vae=d)
    log("vae", d)


def transformer(a):
    from diffusers import CogVideoXDDIMScheduler

    ac = CogVideoXDDIMScheduler(**models.DDIM).alphas_cumprod.float().to(dev)
    ent, bg, attr, ids = some_clips(a.seed + 1, a.scenes if cuda else 64)
    torch.manual_seed(a.seed)
    m, te = models.make_cog().to(dev), models.make_t5().to(dev)
    begin, state, n, spent = time.time(), f"{a.scratch}/state-video.pt", 0, 0.0
    params = list(m.parameters()) + list(te.parameters())
    opt, mean = adam([(m.parameters(), a.rate or 1e-3), (te.parameters(), 3e-4)]), Mean(params, 0.999)
    if os.path.exists(state):
        s = torch.load(state, weights_only=False, map_location=dev)
        m.load_state_dict(s["m"]), te.load_state_dict(s["te"]), opt.load_state_dict(s["opt"])
        mean.e, mean.n, n, spent = s["mean"], s["n"], s["n"], s["spent"]
        log("going on at step", n)
    else:
        st = models.warm_text(te, models.encode_t5, ids, attr, min(0.7, a.minutes / 8))
        note(f"{a.out}/figures.json", video_text=st)
        mean = Mean(params, 0.999)
    scale = json.load(open(f"{a.out}/figures.json"))["vae"]["scaling_factor"]
    v = models.make_kl()
    v.load_state_dict(load(f"{a.out}/vae.safetensors", "vae."))
    v, back, bs = channels_last(v.to(dev)).eval(), quick_vae(), 32 if cuda else 2
    lat, clock = [], Clock(a.minutes / 5)
    with torch.no_grad(), cast():
        for i in range(0, len(ent), bs):
            x = draw(ent[i : i + bs], bg[i : i + bs]).contiguous(memory_format=torch.channels_last_3d)
            lat.append(v.encode(x).latent_dist.mode().transpose(1, 2).half())
            if clock.progress() > 1:
                break
    back()
    del v
    lat = torch.cat(lat)
    between, each = lat[:512].float().std(0).mean().item(), lat[:512].float().std((0, 1, 3, 4))
    log(f"pool {len(lat)}; between clips {between:.3f}, channels {each.min():.3f} to {each.max():.3f}")
    if between < 0.4:
        raise SystemExit("pool: different clips must give different latents")
    for b in m.transformer_blocks:
        b.forward = compiled(b.forward)
    bs = a.batch or (128 if cuda else 2)
    empty = torch.zeros(models.VIDEO_TOKENS, dtype=torch.long, device=dev)
    empty[0] = 1
    tell, keep, total, k0, hist = Every(20), Every(120), torch.zeros((), device=dev), n, []

    def write():
        mean.swap()
        t = {k: x for k, x in half(te, "text_encoder.").items() if not k.endswith("encoder.embed_tokens.weight")}
        save(half(m, "transformer.") | t, f"{a.out}/video.safetensors")
        mean.swap()
        used = time.time() - begin + spent
        s = dict(m=m.state_dict(), te=te.state_dict(), opt=opt.state_dict(), mean=mean.e, n=n, spent=used)
        torch.save(s, state + ".tmp")
        os.replace(state + ".tmp", state)
        note(f"{a.out}/figures.json", video_transformer=dict(steps=n, batch=bs, seconds=used, loss=hist))

    while (p := (time.time() - begin + spent) / (a.minutes * 60)) < 1:
        set_rate(opt, rate(p, n, 300))
        i = torch.randint(len(lat), (bs,), device=dev)
        c = ids[i, torch.randint(ids.shape[1], (bs,), device=dev)].long()
        c = torch.where(torch.rand(bs, 1, device=dev) < 0.1, empty, c)
        x0, t = lat[i].float() * scale, torch.randint(0, 1000, (bs,), device=dev)
        k, noise = ac[t].view(-1, 1, 1, 1, 1), torch.randn_like(x0)
        with cast():
            h = models.encode_t5(te, c)
            xt = k.sqrt() * x0 + (1 - k).sqrt() * noise
            o = m(hidden_states=xt, encoder_hidden_states=h, timestep=t, return_dict=False)[0]
        loss = (o.float() - (k.sqrt() * noise - (1 - k).sqrt() * x0)).square().mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(params, 1.0)
        opt.step()
        opt.zero_grad(set_to_none=True)
        mean.update()
        total += loss.detach()
        n += 1
        if tell.due():
            q = total.item() / max(1, n - k0)
            finite(q, "transformer")
            hist.append((n, round(q, 4)))
            log(f"transformer {n} loss {q:.4f} {(n - k0) * bs / 20:.0f} clips/s {p:.2f}")
            total.zero_()
            k0 = n
        if keep.due():
            write()
    write()


if __name__ == "__main__":
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("stage", choices=["vae", "transformer"])
    ap.add_argument("--out", required=True)
    ap.add_argument("--scratch", help="where state-video.pt goes, if not to --out")
    ap.add_argument("--minutes", type=float, default=7)
    ap.add_argument("--scenes", type=int, default=60000)
    ap.add_argument("--batch", type=int, default=0)
    ap.add_argument("--rate", type=float, default=0)
    ap.add_argument("--seed", type=int, default=1)
    a = ap.parse_args()
    a.scratch = a.scratch or a.out
    os.makedirs(a.out, exist_ok=True)
    os.makedirs(a.scratch, exist_ok=True)
    globals()[a.stage](a)
