# SPDX-License-Identifier: GPL-3.0-or-later
"""The image model, stage by stage; every stage reads what it needs from the output folder and writes its part there.

  dcae         AutoencoderDC on renders, from nothing            -> dcae.safetensors
  text         Gemma 2 learns to read captions                   -> text.safetensors
  take         copies both from a finished folder instead        (--model ../starter-sana)
  pool         scenes -> latents, checked                        -> pool/*.pt
  transformer  flow matching on the pool, text encoder with it   -> image.safetensors

  python3 train_image.py STAGE --out DIR --minutes N
Figures go to DIR/figures.json. Then: python3 assemble.py image DIR FOLDER
"""

import argparse
import glob
import itertools
import json
import os
import random

import captions
import fast
import kernel
import models
import numpy as np
import scenes
import torch
import torch.nn.functional as F
from common import (HERE, Clock, Every, Mean, Muon, adam, arguments, cast, channels_last, colours, compiled, cuda, dev, finite,
                    half, load, log, note, psnr, rate, rec_loss, resume, save, set_rate, suspend)  # fmt: skip
from torch import nn

DT, SHARD = torch.bfloat16 if cuda else torch.float32, 512 if cuda else 16
CANVAS = {"square": (1.0, 1.0, 512, 512), "wide": (5 / 3, 1.0, 384, 640), "tall": (1.0, 5 / 3, 640, 384)}


def tokenizer():
    import sentencepiece

    return sentencepiece.SentencePieceProcessor(model_file=f"{HERE}/../starter-sana/tokenizer/tokenizer.model")


def some_scenes(r, n, kind="square", paraphrases=8, sp=None):
    """-> entries, backgrounds, attributes, token ids"""
    W, H = CANVAS[kind][:2]
    E, B, A, I = [], [], [], np.zeros((n, paraphrases, models.IMAGE_TOKENS), np.uint16)
    for i in range(n):
        e, b, a, sc = scenes.image_scene(r, W, H)
        E.append(e), B.append(b), A.append(a)
        for k in range(paraphrases if sp else 0):
            ids = ([2] + sp.encode(captions.caption(r, sc)))[: models.IMAGE_TOKENS]
            I[i, k, : len(ids)] = ids
    return np.stack(E), np.stack(B), np.stack(A), I


def draw(e, b, h, w, **k):
    e, b = (torch.as_tensor(v).to(dev) for v in (e, b))
    return kernel.render(e, b, h, w, **k) * 2 - 1


def dcae(a):
    E, B = (torch.from_numpy(v).to(dev) for v in some_scenes(random.Random(a.seed), a.scenes)[:2])
    torch.manual_seed(a.seed)
    vae = channels_last(models.make_dcae().to(dev))
    enc, dec = compiled(vae.encoder), compiled(vae.decoder)
    bs = a.batch or (64 if cuda else 8)
    opt, mean, clock, tell, n = (
        adam([(vae.parameters(), 1.2e-3)], 0.0),
        Mean(vae.parameters()),
        Clock(a.minutes),
        Every(15),
        0,
    )
    while clock.progress() < 1:
        set_rate(opt, rate(clock.progress(), n, 150, 0.35))
        i = torch.randint(len(E), (bs,), device=dev)
        u = torch.rand(bs, device=dev)  # windows of 256 pixels at the scale of use, and others for other sizes
        S = torch.where(u < 0.62, 512.0, torch.where(u < 0.8, 256.0, 300 + 380 * torch.rand(bs, device=dev)))
        room = (1 - 256 / S).clamp(min=0)
        ox, oy = room * torch.rand(bs, device=dev), room * torch.rand(bs, device=dev)
        x = draw(E[i], B[i], 256, 256, S=S, ox=ox, oy=oy, W=1.0, H=1.0)
        with cast():
            z = enc(x).float()
            y = dec((z + 0.10 * torch.randn_like(z)).contiguous(memory_format=torch.channels_last))
        c = z.transpose(0, 1).flatten(1)
        reg = (c.mean(1).square() + (c.std(1) - 1).square()).mean()
        loss = rec_loss(y, x) + 0.03 * reg
        loss.backward()
        torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        opt.step()
        opt.zero_grad(set_to_none=True)
        mean.update()
        n += 1
        if tell.due():
            finite(loss.item(), "dcae")
            log(f"dcae {n} loss {loss.item():.4f} psnr {psnr(y, x).mean().item():.2f} {clock.progress():.2f}")
    mean.swap()
    save(half(vae, "vae."), f"{a.out}/dcae.safetensors")
    measure_dcae(a, steps=n)


def the_dcae(a):
    vae = models.make_dcae().to(dev)
    vae.load_state_dict(load(f"{a.out}/dcae.safetensors", "vae."))
    return vae.eval()


@torch.no_grad()
def measure_dcae(a, **kw):
    """on scenes never trained on; the scaling factor is one over the spread of the latents"""
    vae, ps, zs, seen = the_dcae(a), [], [], []
    E, B = some_scenes(random.Random(987654), 128 if cuda else 24)[:2]
    for i in range(0, len(E), 8):
        x = draw(E[i : i + 8], B[i : i + 8], 512, 512)
        z = vae.encoder(x)
        ps.append(psnr(vae.decoder(z), x)), zs.append(z), seen.append(F.avg_pool2d(x, 32))
    ps, z = torch.cat(ps), torch.cat(zs)
    d = dict(psnr=ps.mean().item(), psnr_p10=ps.quantile(0.1).item(), scaling_factor=1 / z.std().item(), **kw)
    z, x = (v.permute(0, 2, 3, 1).flatten(0, 2) for v in (z * d["scaling_factor"], torch.cat(seen)))
    note(f"{a.out}/figures.json", dcae=d | dict(preview=colours(z, x)))
    log("dcae", d)


def text(a):
    _, _, A, I = some_scenes(random.Random(a.seed + 1), a.scenes, sp=tokenizer())
    te = models.make_gemma().to(dev)
    ids, attr = torch.from_numpy(I.astype(np.int32)).to(dev), torch.from_numpy(A.astype(np.int32)).to(dev)
    st = models.warm_text(te, lambda t, i: fast.gemma(t, i, DT)[0], ids, attr, a.minutes)
    save(half(te, "text_encoder."), f"{a.out}/text.safetensors")
    note(f"{a.out}/figures.json", text=st)


def take(a):
    from safetensors.torch import load_file

    d = {"vae." + k: v for k, v in load_file(f"{a.model}/vae/diffusion_pytorch_model.safetensors").items()}
    save(d, f"{a.out}/dcae.safetensors")
    d = {"text_encoder." + k: v for k, v in load_file(f"{a.model}/text_encoder/model.safetensors").items()}
    save(d, f"{a.out}/text.safetensors")
    habits = json.load(open(f"{a.model}/easel.json"))
    d = dict(scaling_factor=json.load(open(f"{a.model}/vae/config.json"))["scaling_factor"])
    d["preview"] = {k: v for k, v in habits.items() if k.startswith("latent_rgb")}
    note(f"{a.out}/figures.json", dcae=d)


def pool(a):
    """shards until the time is up: eleven in twelve square, the rest wide and tall"""
    from multiprocessing import get_context

    os.makedirs(f"{a.scratch}/pool", exist_ok=True)
    clock, n, bs = Clock(a.minutes, 0, a.ends, a.stop), 0, 64 if cuda else 4
    jobs = (
        (a.seed * 100000 + k, ("wide" if k % 24 == 7 else "tall" if k % 24 == 15 else "square")) for k in range(10**6)
    )
    jobs = itertools.islice(jobs, (a.scenes + SHARD - 1) // SHARD)
    with get_context("fork").Pool(a.workers, initializer=_worker) as w:
        vae, between, each = the_dcae(a).to(DT), None, None
        quick = compiled(lambda x: vae.encoder(x))
        for kind, seed, (E, B, A, I) in w.imap(_shard, jobs):
            h, ww = CANVAS[kind][2:]
            enc = quick if kind == "square" else vae.encoder
            L, R, C = [], [], []
            with torch.no_grad():
                for i in range(0, SHARD, bs):
                    e, b = torch.from_numpy(E[i : i + bs]).to(dev), torch.from_numpy(B[i : i + bs]).to(dev)
                    x = draw(e, b, h, ww).to(DT)
                    L.append(enc(x.contiguous(memory_format=torch.channels_last)).half())
                    R.append(shown(e, b, *L[-1].shape[2:])), C.append(belongs(e, *L[-1].shape[2:]))
            if between is None:
                z = torch.cat(L).float()
                between, each = z.std(0).mean().item(), z.std((0, 2, 3))
                log(f"pool: between pictures {between:.3f}, channels {each.min():.3f} to {each.max():.3f}")
                if not (between > 0.5 and each.min() > 0.5 and each.max() < 2):
                    raise SystemExit("pool: different pictures must give different latents, near unit deviation")
            f, d = f"{a.scratch}/pool/{kind}_{seed:08d}.pt", dict(lat=torch.cat(L), rgb=torch.cat(R), cls=torch.cat(C))
            torch.save({k: v.cpu() for k, v in d.items()} | dict(ids=torch.from_numpy(I.astype(np.int16))), f + ".tmp")
            os.replace(f + ".tmp", f)
            n += SHARD
            if n // SHARD % 20 == 0:
                log(f"pool {n} pictures {clock.progress():.2f}")
            if clock.over():
                break
        w.terminate()
    log(f"pool {n} pictures")


def shown(e, b, h, w):
    """4x4 pixels of every token, [B,h*w,48] bytes"""
    im = kernel.render(e, b, 4 * h, 4 * w)
    return (im.reshape(len(e), 3, h, 4, w, 4).permute(0, 2, 4, 1, 3, 5).reshape(len(e), h * w, 48) * 255).round().byte()


def belongs(e, h, w):
    """the shape every token belongs to, 22 for none"""
    c, m = torch.full((len(e), h, w), 22, device=dev), min(h, w)
    px, py = ((torch.arange(w, device=dev) + 0.5) / m)[None, None], ((torch.arange(h, device=dev) + 0.5) / m)[None, :, None]
    for k in range(e.shape[1]):
        q = e[:, k, :, None, None]
        near = (px - q[:, 1]).square() + (py - q[:, 2]).square() < (q[:, 3] * 0.9).clamp(min=0.04).square()
        c = torch.where(near & (q[:, 0] >= 0) & (q[:, 9] == 0), q[:, 0].long(), c)
    return c.flatten(1).byte()


_sp = None


def _worker():
    global _sp
    torch.set_num_threads(1)
    _sp = tokenizer()


def _shard(job):
    return job[1], job[0], some_scenes(random.Random(job[0]), SHARD, job[1], sp=_sp)


class Pool:
    def __init__(self, folder, kind):
        d = [torch.load(f) for f in sorted(glob.glob(f"{folder}/{kind}_*.pt"))]
        self.n = sum(len(v["lat"]) for v in d)
        for k in ("lat", "ids", "rgb", "cls"):
            setattr(self, k, torch.cat([v[k] for v in d]).to(dev) if d else None)

    def batch(self, n, scale):
        i = torch.randint(self.n, (n,), device=dev)
        ids = self.ids[i, torch.randint(self.ids.shape[1], (n,), device=dev)].long()
        return self.lat[i].float() * scale, ids, self.rgb[i].float() / 127.5 - 1, self.cls[i].long()


def transformer(a):
    """Two things make it learn in minutes: Muon for the matrices, and a throw-away head that tells from the state after
    the third block what every token will show (16 pixels and the shape it belongs to), which fades out."""
    torch.manual_seed(a.seed)
    scale = json.load(open(f"{a.out}/figures.json"))["dcae"]["scaling_factor"]
    m, te = models.make_sana().to(dev), models.make_gemma().to(dev)
    te.load_state_dict(load(f"{a.out}/text.safetensors", "text_encoder."))
    head, tap = nn.Linear(models.SANA["cross_attention_dim"], 48 + 23).to(dev), 2
    flat = (".attn", "conv_inverted", "conv_point", "caption_projection")
    wide = [p for k, p in m.named_parameters() if p.ndim in (2, 4) and any(f in k for f in flat)]
    rest = [p for p in m.parameters() if all(p is not q for q in wide)]
    bs, lr = a.batch or (256 if cuda else 32), a.rate
    params = list(m.parameters()) + list(te.parameters())
    muon, mean = Muon(wide, lr), Mean(params)
    opt = adam([(rest, lr / 2), (te.parameters(), 2e-4), (head.parameters(), lr / 2)])
    state = f"{a.scratch}/state.pt"
    n, spent = resume(state, m=m, te=te, head=head, opt=opt, muon=muon, mean=mean)
    if not n and os.path.exists(f"{a.out}/image.safetensors"):
        m.load_state_dict(load(f"{a.out}/image.safetensors", "transformer."))
        te.load_state_dict(load(f"{a.out}/image.safetensors", "text_encoder."))
        mean = Mean(params)
        log("going on from the weights in image.safetensors")
    clock = Clock(a.minutes, spent, a.ends, a.stop)
    pools = {k: Pool(f"{a.scratch}/pool", k) for k in CANVAS}
    log("pool", {k: p.n for k, p in pools.items()})
    empty = torch.zeros(models.IMAGE_TOKENS, dtype=torch.long, device=dev)
    empty[0] = 2
    k0, hist, total = n, [], torch.zeros((), device=dev)
    tell, keep = Every(10), Every(100)

    def write():
        mean.swap()
        save(half(m, "transformer.") | half(te, "text_encoder."), f"{a.out}/image.safetensors")
        mean.swap()
        suspend(state, n, clock.spent(), m=m, te=te, head=head, opt=opt, muon=muon, mean=mean)
        note(f"{a.out}/figures.json", transformer=dict(steps=n, batch=bs, seconds=round(clock.spent()), loss=hist))

    while not clock.over():
        p = clock.progress()
        factor = rate(p, n, 150, 0.4)
        kind = "square" if n % 16 or not pools["wide"].n else ("wide", "tall")[n // 16 % 2]
        x0, ids, rgb, cls = pools[kind].batch(bs, scale)
        ids = torch.where(torch.rand(bs, 1, device=dev) < 0.1, empty, ids)[:, :32]
        u = torch.sigmoid(torch.randn(bs, device=dev))
        u = torch.where(torch.rand(bs, device=dev) < 0.15, torch.rand(bs, device=dev), u)
        t = 3 * u / (1 + 2 * u)
        noise, tt = torch.randn_like(x0), t.view(-1, 1, 1, 1)
        h, mask = fast.gemma(te, ids, DT)
        o, mid = fast.sana(m, (1 - tt) * x0 + tt * noise, t * 1000, h, mask, DT, tap)
        loss = (o - (noise - x0).flatten(2).transpose(1, 2)).square().mean()
        aux, fade = loss * 0, max(0.0, 1 - p / 0.75)
        if fade > 0:
            y = head(fast.norm(mid))
            aux = 0.25 * (y[..., :48] - rgb).square().mean()
            aux = aux + 0.1 * F.cross_entropy(y[..., 48:].flatten(0, 1), cls.flatten())
        (loss + fade * aux).backward()
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
            v = total.item() / max(1, n - k0)
            finite(v, "transformer")
            hist.append((n, round(v, 4)))
            log(f"transformer {n} loss {v:.4f} aux {aux.item():.3f} {(n - k0) * bs / 10:.0f} pictures/s {p:.2f}")
            total.zero_()
            k0 = n
        if keep.due():
            write()
    write()
    log("transformer at step", n, "progress", round(clock.progress(), 3))


if __name__ == "__main__":
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("stage", choices=["dcae", "text", "take", "pool", "transformer"])
    ap.add_argument("--model", default=f"{HERE}/../starter-sana")
    ap.add_argument("--scenes", type=int, default=150000)
    ap.add_argument("--rate", type=float, default=2.5e-3)
    ap.add_argument("--workers", type=int, default=max(1, min(16, (os.cpu_count() or 2) - 2)))
    a = arguments(ap)
    globals()[a.stage](a)
