# SPDX-License-Identifier: GPL-3.0-or-later
"""What all stages share: device, schedule of the learning rate, averaged weights, Muon, losses, files."""

import json
import math
import os
import time

import torch

HERE = os.path.dirname(os.path.abspath(__file__))
START = time.time()
dev = torch.device("cuda" if torch.cuda.is_available() and os.environ.get("EASEL_CPU") != "1" else "cpu")
cuda = dev.type == "cuda"
if cuda:
    torch.backends.cuda.matmul.allow_tf32 = True
    torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = True


def log(*a):
    print(f"[{time.time() - START:7.1f}]", *a, flush=True)


def cast():
    """bfloat16 products; on a CPU without them (no AVX512-BF16 or AMX) this is slow: EASEL_FP32=1 turns it off"""
    return torch.autocast(dev.type, dtype=torch.bfloat16, enabled=os.environ.get("EASEL_FP32") != "1")


def compiled(f):
    """EASEL_EAGER=1 where no compiler is at hand"""
    return f if os.environ.get("EASEL_EAGER") == "1" else torch.compile(f, dynamic=False)


def rate(progress, step, warm=150, hold=0.5):
    """factor of the learning rate: a short warm-up, flat, then down to nothing in a straight line"""
    return min(1.0, (step + 1) / warm) * (1.0 if progress < hold else max(0.01, (1 - progress) / (1 - hold)))


class Mean:
    """averaged copy of parameters; swap() exchanges it with them"""

    def __init__(self, params, decay=0.998):
        self.p = list(params)
        self.e = [p.detach().clone().float() for p in self.p]
        self.decay, self.n = decay, 0

    @torch.no_grad()
    def update(self):
        self.n += 1
        torch._foreach_lerp_(self.e, [p.detach() for p in self.p], 1 - min(self.decay, (1 + self.n) / (10 + self.n)))

    @torch.no_grad()
    def swap(self):
        for p, e in zip(self.p, self.e):
            t = p.detach().clone()
            p.copy_(e)
            e.copy_(t)


class Muon:
    """momentum whose matrices are made orthogonal (five Newton-Schulz steps); matrices of one shape go together"""

    def __init__(self, params, lr, momentum=0.95, decay=0.02):
        self.lr, self.momentum, self.decay, self.groups = lr, momentum, decay, {}
        for p in params:
            self.groups.setdefault(tuple(p.view(p.shape[0], -1).shape), []).append(p)
        self.m = {k: torch.zeros(len(v), *k, device=v[0].device) for k, v in self.groups.items()}

    @torch.no_grad()
    def step(self, factor):
        for k, ps in self.groups.items():
            g = torch.stack([p.grad.view(k) for p in ps])
            m = self.m[k].mul_(self.momentum).add_(g, alpha=1 - self.momentum)
            x, flip = g.lerp(m, self.momentum), k[0] > k[1]
            x = x.transpose(1, 2) if flip else x
            x = (x / (x.norm(dim=(1, 2), keepdim=True) + 1e-12)).bfloat16()
            for _ in range(5):
                a = x @ x.transpose(1, 2)
                x = 3.4445 * x + (-4.7750 * a + 2.0315 * (a @ a)) @ x
            x = (x.transpose(1, 2) if flip else x).float() * (0.2 * max(k) ** 0.5)
            for p, u in zip(ps, x):
                p.mul_(1 - self.lr * factor * self.decay).add_(u.view(p.shape), alpha=-self.lr * factor)

    def zero_grad(self):
        for ps in self.groups.values():
            for p in ps:
                p.grad = None


def adam(groups, decay=0.005):
    """groups: (parameters, learning rate) pairs"""
    g = [dict(params=[p for p in ps if p.requires_grad], lr0=lr, lr=lr) for ps, lr in groups]
    return torch.optim.AdamW(g, betas=(0.9, 0.98), weight_decay=decay, foreach=True)


def set_rate(opt, factor):
    for g in opt.param_groups:
        g["lr"] = g["lr0"] * factor


class Clock:
    """how far a stage is, by time; progress() is 1 at its end"""

    def __init__(self, minutes):
        self.t, self.len = time.time(), minutes * 60

    def progress(self):
        return (time.time() - self.t) / self.len


class Every:
    def __init__(self, seconds):
        self.s, self.t = seconds, time.time()

    def due(self):
        if time.time() - self.t < self.s:
            return False
        self.t = time.time()
        return True


def finite(x, what):
    if not math.isfinite(x):
        raise SystemExit(f"{what}: the loss is not finite; start again from the last checkpoint with a lower rate")


def half(module, prefix):
    """its weights in float16, under a prefix"""
    out = {}
    for k, v in module.state_dict().items():
        v = v.detach().cpu().contiguous()
        out[prefix + k] = v.to(torch.float16) if v.is_floating_point() else v
        if out[prefix + k].is_floating_point() and not torch.isfinite(out[prefix + k]).all():
            raise SystemExit(f"{prefix + k} does not fit in float16")
    return out


def save(tensors, path):
    from safetensors.torch import save_file

    save_file(tensors, path + ".tmp")
    os.replace(path + ".tmp", path)


def load(path, prefix):
    """tensors of a safetensors file under a prefix, in float32"""
    from safetensors.torch import load_file

    d = load_file(path)
    return {k[len(prefix) :]: v.float() if v.is_floating_point() else v for k, v in d.items() if k.startswith(prefix)}


def note(path, **kw):
    d = json.load(open(path)) if os.path.exists(path) else {}
    d.update(kw)
    json.dump(d, open(path, "w"), indent=1)


def rec_loss(y, x, dims=(-1, -2)):
    e = y.float() - x
    s = e.abs().mean() + e.square().mean()
    for d in dims:
        n = e.shape[d]
        s = s + 0.5 * (e.narrow(d, 1, n - 1) - e.narrow(d, 0, n - 1)).abs().mean()
    return s


def psnr(y, x):
    """of each picture or clip, both in -1..1"""
    return -10 * torch.log10(((y.clamp(-1, 1) - x) / 2).float().square().flatten(1).mean(1) + 1e-10)


def channels_last(m):
    for p in m.parameters():
        if p.ndim == 5:
            p.data = p.data.contiguous(memory_format=torch.channels_last_3d)
        elif p.ndim == 4:
            p.data = p.data.contiguous(memory_format=torch.channels_last)
    return m
