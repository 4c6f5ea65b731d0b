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
    import torch._dynamo

    torch._dynamo.config.recompile_limit = 64  # one compilation a shape


def log(*a):
    print(f"[{time.time() - START:7.1f}]", *a, flush=True)


def cast():
    """bfloat16 products; on a CPU without them (no AVX512-BF16 or AMX) this is slow: EASEL_FP32=1 turns it off"""
    return torch.autocast(dev.type, dtype=torch.bfloat16, enabled=os.environ.get("EASEL_FP32") != "1")


def compiled(f):
    """on a card; EASEL_EAGER=1 where no compiler is at hand"""
    return f if not cuda or os.environ.get("EASEL_EAGER") == "1" else torch.compile(f, dynamic=False)


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
            self.groups.setdefault((len(p), p.numel() // len(p)), []).append(p)
        self.m = {k: torch.zeros(len(v), *k, device=v[0].device) for k, v in self.groups.items()}

    @torch.no_grad()
    def step(self, factor):
        for k, ps in self.groups.items():
            g = torch.stack([p.grad.reshape(k) for p in ps])
            m = self.m[k].lerp_(g, 1 - self.momentum)
            x, flip = g.lerp(m, self.momentum), k[0] > k[1]
            x = x.transpose(1, 2) if flip else x
            x = (x / (x.norm(dim=(1, 2), keepdim=True) + 1e-12)).bfloat16()
            for _ in range(5):
                a = x @ x.transpose(1, 2)
                a = torch.baddbmm(a, a, a, beta=-4.7750, alpha=2.0315)
                x = torch.baddbmm(x, a, x, beta=3.4445)
            x = (x.transpose(1, 2) if flip else x).float() * (0.2 * max(k) ** 0.5)
            torch._foreach_mul_(ps, 1 - self.lr * factor * self.decay)
            torch._foreach_add_(ps, [u.view(p.shape) for p, u in zip(ps, x)], alpha=-self.lr * factor)

    def zero_grad(self):
        for ps in self.groups.values():
            for p in ps:
                p.grad = None


def adam(groups, decay=0.005):
    """groups: (parameters, learning rate) pairs"""
    g = [dict(params=[p for p in ps if p.requires_grad], lr0=lr, lr=lr) for ps, lr in groups]
    return torch.optim.AdamW(g, betas=(0.9, 0.98), weight_decay=decay, fused=cuda)


def set_rate(opt, factor):
    for g in opt.param_groups:
        g["lr"] = g["lr0"] * factor


class Clock:
    """How far a stage is, by time; progress() is 1 at its end. spent: seconds of earlier calls, which count. ends: the
    stage lasts until this moment instead (seconds since 1970); stop: this call leaves off then, however far it is."""

    def __init__(self, minutes, spent=0.0, ends=0.0, stop=0.0):
        self.t, self.stop = time.time() - spent, stop
        self.len = ends - self.t if ends else minutes * 60

    def spent(self):
        return time.time() - self.t

    def progress(self):
        return self.spent() / self.len

    def over(self):
        return self.progress() >= 1 or (self.stop > 0 and time.time() >= self.stop)


class Every:
    def __init__(self, seconds):
        self.s, self.t = seconds, time.time()

    def due(self):
        if time.time() - self.t < self.s:
            return False
        self.t = time.time()
        return True


class Together:
    """Several cards at one training, a process each: WORLD_SIZE processes with RANK 0, 1, … and a card each in
    CUDA_VISIBLE_DEVICES. They start from the same weights and share their gradients; without WORLD_SIZE it does nothing."""

    def __init__(self):
        self.n, self.rank = int(os.environ.get("WORLD_SIZE", 1)), int(os.environ.get("RANK", 0))
        if self.n > 1:
            torch.distributed.init_process_group(
                "nccl" if cuda else "gloo", init_method="tcp://127.0.0.1:29511", rank=self.rank, world_size=self.n
            )

    @torch.no_grad()
    def share(self, params):
        if self.n > 1:
            g = [p.grad for p in params]
            flat = torch.cat([x.reshape(-1) for x in g]) / self.n
            torch.distributed.all_reduce(flat)
            torch._foreach_copy_(g, [f.view(x.shape) for f, x in zip(flat.split([x.numel() for x in g]), g)])

    def agree(self, yes):
        """whether any process says yes"""
        if self.n > 1:
            flag = torch.tensor([float(yes)], device=dev)
            torch.distributed.all_reduce(flag)
            yes = flag.item() > 0
        return yes


def suspend(path, n, spent, muon, mean, **modules):
    """keeps a stage so that another call can go on with it"""
    s = {k: m.state_dict() for k, m in modules.items()}
    torch.save(dict(s, muon_state=muon.m, mean_state=mean.e, mean_n=mean.n, n=n, spent=spent), path + ".tmp")
    os.replace(path + ".tmp", path)


def resume(path, muon, mean, **modules):
    """-> steps and seconds so far, 0 without that file"""
    if not os.path.exists(path):
        return 0, 0.0
    s = torch.load(path, weights_only=False, map_location=dev)
    for k, m in modules.items():
        m.load_state_dict(s[k])
    muon.m, mean.e, mean.n = s["muon_state"], s["mean_state"], s["mean_n"]
    log(f"going on at step {s['n']}, after {s['spent']:.0f} s")
    return s["n"], s["spent"]


def arguments(ap):
    """the arguments all stages have"""
    import captions

    ap.add_argument("--out", required=True)
    ap.add_argument("--scratch", help="where the pool and the state to go on from are kept, if not in --out")
    ap.add_argument("--minutes", type=float, default=5, help="earlier calls counted in")
    ap.add_argument("--ends", type=float, default=0, help="the stage ends at this time instead (seconds since 1970)")
    ap.add_argument("--stop", type=float, default=0, help="leave off at this time, to go on in another call")
    ap.add_argument("--batch", type=int, default=0)
    ap.add_argument("--seed", type=int, default=1)
    a = ap.parse_args()
    a.scratch = a.scratch or a.out
    os.makedirs(a.out, exist_ok=True)
    os.makedirs(a.scratch, exist_ok=True)
    captions.WORDS = open(f"{HERE}/words.txt").read().split()
    return a


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


def colours(z, x):
    """What easel.json says of previews: the colour 0..1 of a latent pixel from its channels, by least squares. z [N,C]
    scaled latents, x [N,3] the mean colours they stand for, -1..1"""
    a = torch.cat([z, torch.ones_like(z[:, :1])], 1).double().cpu()
    w = torch.linalg.lstsq(a, (x.double().cpu() + 1) / 2).solution
    rows = [[round(v, 3) for v in row] for row in w.tolist()]
    return dict(latent_rgb=rows[:-1], latent_rgb_bias=rows[-1])


def channels_last(m):
    for p in m.parameters():
        if p.ndim == 5:
            p.data = p.data.contiguous(memory_format=torch.channels_last_3d)
        elif p.ndim == 4:
            p.data = p.data.contiguous(memory_format=torch.channels_last)
    return m
