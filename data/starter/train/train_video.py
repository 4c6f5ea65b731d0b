# SPDX-License-Identifier: GPL-3.0-or-later
"""The video model: 17 frames of 128x128, stage by stage.

  take         the parts of a finished model, to go on from                     -> the three files below
  text         T5 learns to read captions                                       -> text-video.safetensors
  vae          AutoencoderKLCogVideoX on rendered clips, from nothing           -> vae.safetensors
  transformer  pool of latents, then v prediction on it, text encoder with it   -> video.safetensors

  python3 train_video.py STAGE --out DIR --minutes N          figures go to DIR/figures-video.json
Then: python3 assemble.py video DIR FOLDER
"""

import argparse
import json
import os
import random

import captions
import clips
import fast
import fast_vae
import kernel
import models
import numpy as np
import torch
import torch.nn.functional as F
from common import (HERE, Clock, Every, Mean, Muon, Together, adam, arguments, colours, cuda, dev, finite, half, load, log, note,
                    psnr, rate, rec_loss, resume, save, set_rate, suspend)  # fmt: skip
from torch import nn

FRAMES, SIDE, NOISE = 17, 128, 0.08
DT = torch.bfloat16 if cuda else torch.float32


def tokenizer():
    import sentencepiece

    f = f"{HERE}/../starter-cogvideox/tokenizer/spiece.model"
    return sentencepiece.SentencePieceProcessor(model_file=f)


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


def some_clips(seed, n, text=True):
    """-> entries, backgrounds, attributes, token ids, on the device"""
    from multiprocessing import get_context

    workers = max(1, min(14, (os.cpu_count() or 2) - 1, n // 64))
    jobs = [(seed * 1000 + k, (n + workers - 1) // workers, text) for k in range(workers)]
    if workers > 1:
        with get_context("fork").Pool(workers) as p:
            parts = p.map(_some, jobs)
    else:
        parts = [_some(jobs[0])]
    out = [np.concatenate([q[k] for q in parts]) for k in range(4)]
    return [torch.from_numpy(v.astype(np.int32) if v.dtype != np.float32 else v).to(dev) for v in out]


def draw(ent, bg, side=SIDE, **k):
    """-> [B,17,side,side,3] in -1..1"""
    k = {x: v.repeat_interleave(FRAMES) if torch.is_tensor(v) else v for x, v in k.items()}
    v = kernel.render(ent.flatten(0, 1), bg.repeat_interleave(FRAMES, 0), side, side, **k)
    return v.permute(0, 2, 3, 1).reshape(len(ent), FRAMES, side, side, 3) * 2 - 1


def vae(a):
    """The latents get a fixed amount of noise on the way, which is also the variance the encoder gives out, and are held
    near unit deviation."""
    bs, side = a.batch or (16 if cuda else 1), SIDE if cuda else 32
    ent, bg = some_clips(a.seed, a.scenes, text=False)[:2]
    fast_vae.choose(bs)
    torch.manual_seed(a.seed)
    m = models.make_kl(NOISE).to(dev)
    edge = ("encoder.conv_in", "encoder.conv_out", "decoder.conv_out")
    wide = [p for k, p in m.named_parameters() if p.ndim >= 4 and not k.startswith(edge)]
    rest = [p for p in m.parameters() if all(p is not q for q in wide)]
    muon, opt, mean = Muon(wide, a.rate or 5e-3, decay=0.005), adam([(rest, 2e-3)], 0.0), Mean(m.parameters())
    state = f"{a.scratch}/state-vae.pt"
    n, spent = resume(state, m=m, opt=opt, muon=muon, mean=mean)
    if not n and os.path.exists(f"{a.out}/vae.safetensors"):
        m.load_state_dict(load(f"{a.out}/vae.safetensors", "vae."))
        mean = Mean(m.parameters())
        log("going on from the weights in vae.safetensors")
    clock, tell, keep = Clock(a.minutes, spent, a.ends, a.stop), Every(10), Every(100)

    def write():
        mean.swap()
        save(half(m, "vae."), f"{a.out}/vae.safetensors")
        mean.swap()
        suspend(state, n, clock.spent(), m=m, opt=opt, muon=muon, mean=mean)

    k0 = n
    while not clock.over():
        factor = rate(clock.progress(), n, 200, 0.3)
        i = torch.randint(len(ent), (bs,), device=dev)
        room = 1 - side / SIDE
        x = draw(ent[i], bg[i], side, S=float(SIDE), W=1.0, H=1.0, ox=room * torch.rand(bs, device=dev),
                 oy=room * torch.rand(bs, device=dev))  # fmt: skip
        mu = fast_vae.encode(m, x.to(DT))
        y = fast_vae.decode(m, (mu + NOISE * torch.randn_like(mu)).to(DT))
        c = mu.flatten(0, 3)
        reg = (c.mean(0).square() + (c.std(0) - 1).square()).mean()
        loss = rec_loss(y, x, (1, 2, 3)) + 0.03 * reg
        loss.backward()
        torch.nn.utils.clip_grad_norm_(rest, 1.0)
        muon.step(factor)
        set_rate(opt, factor)
        opt.step()
        opt.zero_grad(set_to_none=True)
        muon.zero_grad()
        mean.update()
        n += 1
        if tell.due():
            finite(loss.item(), "vae")
            log(f"vae {n} loss {loss.item():.4f} psnr {psnr(y, x).mean().item():.2f} latents {c.std(0).min().item():.2f} to "
                f"{c.std(0).max().item():.2f}, {(n - k0) * bs / 10:.0f} clips/s {clock.progress():.2f}")  # fmt: skip
            k0 = n
        if keep.due():
            write()
    write()
    log("vae at step", n, "progress", round(clock.progress(), 3))
    measure_vae(a, steps=n, batch=bs, seconds=round(clock.spent()))


def the_vae(a):
    m = models.make_kl(NOISE)
    m.load_state_dict(load(f"{a.out}/vae.safetensors", "vae."))
    return m.to(dev).eval()


@torch.no_grad()
def measure_vae(a, **kw):
    """on clips never trained on; the scaling factor is one over the spread of the latents"""
    m, ps, zs, seen = the_vae(a), [], [], []
    ent, bg = some_clips(987, 64 if cuda else 4, text=False)[:2]
    for i in range(0, len(ent), 4):
        x = draw(ent[i : i + 4], bg[i : i + 4])
        z = fast_vae.encode(m, x)
        ps.append(psnr(fast_vae.decode(m, z), x)), zs.append(z)
        seen.append(x[:, ::4].unflatten(2, (16, 8)).unflatten(4, (16, 8)).mean((3, 5)))
    ps, z = torch.cat(ps), torch.cat(zs)
    each = z.std((0, 1, 2, 3))
    d = dict(psnr=ps.mean().item(), psnr_p10=ps.quantile(0.1).item(), scaling_factor=1 / z.std().item(),
             channels=[each.min().item(), each.max().item()], **kw)  # fmt: skip
    d["preview"] = colours((z * d["scaling_factor"]).flatten(0, 3), torch.cat(seen).flatten(0, 3))
    note(f"{a.out}/figures-video.json", vae=d)
    log("vae", d)


def take(a):
    from safetensors.torch import load_file

    def part(name, file):
        return {f"{name}.{k}": v for k, v in load_file(f"{a.model}/{name}/{file}.safetensors").items()}

    d = part("text_encoder", "model")
    save(d, f"{a.out}/text-video.safetensors")
    save(part("transformer", "diffusion_pytorch_model") | d, f"{a.out}/video.safetensors")
    save(part("vae", "diffusion_pytorch_model"), f"{a.out}/vae.safetensors")
    habits = json.load(open(f"{a.model}/easel.json"))
    d = dict(scaling_factor=json.load(open(f"{a.model}/vae/config.json"))["scaling_factor"])
    d["preview"] = {k: v for k, v in habits.items() if k.startswith("latent_rgb")}
    note(f"{a.out}/figures-video.json", vae=d)


def text(a):
    _, _, attr, ids = some_clips(a.seed + 5, a.scenes)
    te = models.make_t5().to(dev)
    st = models.warm_text(te, lambda t, i: fast.t5(t, i, DT), ids, attr, a.minutes)
    save(_text(te), f"{a.out}/text-video.safetensors")
    note(f"{a.out}/figures-video.json", text=st)


def _text(te):
    return {k: x for k, x in half(te, "text_encoder.").items() if not k.endswith("encoder.embed_tokens.weight")}


@torch.no_grad()
def pool(a, ent, bg, seconds):
    """-> latents [N,t,C,h,w], what every token of the transformer shows (pixels of two frames, 4x4, and shape)"""
    m, bs, clock, lat, rgb, cls = the_vae(a), 64 if cuda else 4, Clock(seconds / 60), [], [], []
    for i in range(0, len(ent) - bs + 1, bs):
        e, b = ent[i : i + bs], bg[i : i + bs]
        lat.append(fast_vae.encode(m, draw(e, b).to(DT)).permute(0, 1, 4, 2, 3).half())
        x = draw(e, b, 32).view(bs, FRAMES, 8, 4, 8, 4, 3).permute(0, 1, 2, 4, 3, 5, 6).reshape(bs, FRAMES, 64, 48)
        first, last = [0, 1, 5, 9, 13], [0, 4, 8, 12, 16]
        rgb.append(torch.cat([x[:, first], x[:, last]], -1).flatten(1, 2).mul(127).round().to(torch.int8))
        at = ((torch.arange(8, device=dev) + 0.5) / 8).view(1, 1, 8)
        c = torch.full((bs, 5, 8, 8), 22, dtype=torch.uint8, device=dev)
        for k in range(e.shape[2]):
            q = e[:, [0, 3, 7, 11, 15], k, :, None, None]
            near = (at.unsqueeze(2) - q[:, :, 1]).square() + (at.unsqueeze(3) - q[:, :, 2]).square()
            near = near < (q[:, :, 3] * 0.9).clamp(min=0.07).square()
            c = torch.where(near & (q[:, :, 0] >= 0), q[:, :, 0].to(torch.uint8), c)
        cls.append(c.flatten(1))
        if clock.progress() > 1:
            break
    lat = torch.cat(lat)
    between, each = lat[:512].float().std(0).mean().item(), lat[:512].float().std((0, 1, 3, 4))
    log(f"pool {len(lat)}; between clips {between:.3f}, channels {each.min():.3f} to {each.max():.3f}")
    if not between > 0.3:
        raise SystemExit("pool: different clips must give different latents")
    return lat, torch.cat(rgb), torch.cat(cls)


def transformer(a):
    from diffusers import CogVideoXDDIMScheduler

    all_cards = Together()
    ent, bg, _, ids = some_clips(a.seed + 1 + 50 * all_cards.rank, a.scenes)
    ac = CogVideoXDDIMScheduler(**models.DDIM).alphas_cumprod.float().to(dev)
    torch.manual_seed(a.seed)
    m, te = models.make_cog().to(dev), models.make_t5().to(dev)
    d = load(f"{a.out}/text-video.safetensors", "text_encoder.")
    d["encoder.embed_tokens.weight"] = d["shared.weight"]
    te.load_state_dict(d)
    head, tap = nn.Linear(models.COG["num_attention_heads"] * models.COG["attention_head_dim"], 96 + 23).to(dev), 2
    flat = (".attn1.to_", ".ff.net", "text_proj")
    wide = [p for k, p in m.named_parameters() if p.ndim == 2 and any(f in k for f in flat)]
    rest = [p for p in m.parameters() if all(p is not q for q in wide)]
    params = list(m.parameters()) + list(te.parameters())
    muon, mean = Muon(wide, a.rate or 2.5e-3), Mean(params)
    opt = adam([(rest, 1.5e-3), (te.parameters(), 3e-4), (head.parameters(), 1.5e-3)])
    state = f"{a.scratch}/state-video.pt"
    n, spent = resume(state, m=m, te=te, head=head, opt=opt, muon=muon, mean=mean)
    if not n and os.path.exists(f"{a.out}/video.safetensors"):
        m.load_state_dict(load(f"{a.out}/video.safetensors", "transformer."))
        d = load(f"{a.out}/video.safetensors", "text_encoder.")
        te.load_state_dict(d | {"encoder.embed_tokens.weight": d["shared.weight"]})
        mean = Mean(params)
        log("going on from the weights in video.safetensors")
    clock = Clock(a.minutes, spent, a.ends, a.stop)
    scale = json.load(open(f"{a.out}/figures-video.json"))["vae"]["scaling_factor"]
    lat, rgb, cls = pool(a, ent, bg, a.pool)
    bs = a.batch or (256 if cuda else 2)
    empty = torch.zeros(models.VIDEO_TOKENS, dtype=torch.long, device=dev)
    empty[0] = 1
    tell, keep, total, k0, hist = Every(10), Every(100), torch.zeros((), device=dev), n, []

    def write():
        if all_cards.rank > 0:
            return
        mean.swap()
        save(half(m, "transformer.") | _text(te), f"{a.out}/video.safetensors")
        mean.swap()
        suspend(state, n, clock.spent(), m=m, te=te, head=head, opt=opt, muon=muon, mean=mean)
        note(f"{a.out}/figures-video.json",
             transformer=dict(steps=n, batch=bs, seconds=round(clock.spent()), loss=hist))  # fmt: skip

    torch.manual_seed(a.seed + 1000 * all_cards.rank + n)
    while n % 16 or not all_cards.agree(clock.over()):
        p = clock.progress()
        factor = a.peak * rate(p, n, 300, a.hold)
        i = torch.randint(len(lat), (bs,), device=dev)
        c = ids[i, torch.randint(ids.shape[1], (bs,), device=dev)].long()
        c = torch.where(torch.rand(bs, 1, device=dev) < 0.1, empty, c)
        x0, t = lat[i].float() * scale, torch.randint(0, 1000, (bs,), device=dev)
        k, noise = ac[t].view(-1, 1, 1, 1, 1), torch.randn_like(x0)
        h = fast.t5(te, c, DT)
        o, mid = fast.cog(m, k.sqrt() * x0 + (1 - k).sqrt() * noise, t, h, DT, tap)
        loss = (o - (k.sqrt() * noise - (1 - k).sqrt() * x0)).square().mean()
        aux, fade = loss * 0, max(0.0, 1 - p / 0.75) * a.aux
        if fade > 0:
            y = head(fast.norm(mid))
            aux = 0.25 * (y[..., :96] - rgb[i].float() / 127).square().mean()
            aux = aux + 0.1 * F.cross_entropy(y[..., 96:].flatten(0, 1), cls[i].long().flatten())
        (loss + fade * aux).backward()
        all_cards.share(params + (list(head.parameters()) if fade > 0 else []))
        torch.nn.utils.clip_grad_norm_(rest + list(te.parameters()), 1.0)
        muon.step(factor)
        set_rate(opt, factor)
        opt.step()
        opt.zero_grad(set_to_none=True)
        muon.zero_grad()
        mean.update()
        total += loss.detach()
        n += 1
        if tell.due():
            q = total.item() / max(1, n - k0)
            finite(q, "transformer")
            hist.append((n, round(q, 4)))
            log(f"transformer {n} loss {q:.4f} aux {aux.item():.3f} {(n - k0) * bs / 10:.0f} clips/s {p:.2f}")
            total.zero_()
            k0 = n
        if keep.due():
            write()
    write()
    log("transformer at step", n, "progress", round(clock.progress(), 3))


if __name__ == "__main__":
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("stage", choices=["take", "text", "vae", "transformer"])
    ap.add_argument("--model", default=f"{HERE}/../starter-cogvideox", help="the finished model that is taken")
    ap.add_argument("--scenes", type=int, default=60000 if cuda else 64)
    ap.add_argument("--rate", type=float, default=0)
    ap.add_argument("--pool", type=float, default=40, help="seconds the pool of latents may take at most")
    ap.add_argument("--peak", type=float, default=1, help="of the learning rates, for a call that goes on from weights")
    ap.add_argument("--hold", type=float, default=0.4, help="share of the time before they fall")
    ap.add_argument("--aux", type=float, default=1, help="weight of the throw-away head")
    a = arguments(ap)
    globals()[a.stage](a)
