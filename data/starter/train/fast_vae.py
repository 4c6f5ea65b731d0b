# SPDX-License-Identifier: GPL-3.0-or-later
"""diffusers' AutoencoderKLCogVideoX, same weights and maths, laid out for training on a card: [B,T,H,W,C] throughout, a
whole clip of 17 frames at once. The library goes through a clip in two pieces (9 and 8 frames) with a cache of frames
between them; the same comes out here because only the group norms see pieces, so they take their statistics by piece. Norms compile; the
convolutions are cuDNN's.

python3 fast_vae.py compares it with the library.
"""

import torch
import torch.nn.functional as F
from common import compiled, cuda, dev, log

flat = False  # the 3D convolutions as 2D ones over three frames side by side; choose() times both


def before(x, flat):
    """[B,T,H,W,C] as the causal convolution takes it: the first frame twice more before the others; flat: the three
    frames of every step side by side"""
    T = x.shape[1]
    x = torch.cat([x[:, :1], x[:, :1], x], 1)
    return torch.cat([x[:, :T], x[:, 1 : T + 1], x[:, 2:]], -1) if flat else x


def conv3(x, c):
    """causal 3x3x3, of what before() gives"""
    w, b = c.conv.weight.to(x.dtype), c.conv.bias.to(x.dtype)
    if not flat:
        return F.conv3d(x.permute(0, 4, 1, 2, 3), w, b, 1, (0, 1, 1)).permute(0, 2, 3, 4, 1)
    y = F.conv2d(x.flatten(0, 1).permute(0, 3, 1, 2), w.permute(0, 2, 1, 3, 4).flatten(1, 2), b, 1, 1)
    return y.permute(0, 2, 3, 1).reshape(*x.shape[:4], -1)


def conv2(x, c, stride=1, padding=1):
    """3x3 on every frame"""
    B, T = x.shape[:2]
    x = x.flatten(0, 1).permute(0, 3, 1, 2)
    y = F.conv2d(x, c.weight.to(x.dtype), c.bias.to(x.dtype), stride, padding).permute(0, 2, 3, 1)
    return y.reshape(B, T, *y.shape[1:])


def point(x, c):
    return F.linear(x, c.weight.flatten(1).to(x.dtype), c.bias.to(x.dtype))


def larger(x, k):
    B, T, H, W, C = x.shape
    return x[:, :, :, None, :, None].expand(-1, -1, -1, k, -1, k, -1).reshape(B, T, k * H, k * W, C)


def longer(x, k):
    """every frame k times but the first"""
    B, T, H, W, C = x.shape
    return torch.cat([x[:, :1], x[:, 1:, None].expand(-1, -1, k, -1, -1, -1).reshape(B, k * (T - 1), H, W, C)], 1)


@compiled
def normed(x, w, b, groups, eps, flat, y=None, z=None):
    """group norm of the first half of the frames (the larger) and of the rest; with y and z, at the size of the latents,
    times y plus z; then SiLU and before()"""
    B, T, H, W, C = x.shape
    f, mean, scale = x.float(), [], []
    for p in (f[:, : (T + 1) // 2], f[:, (T + 1) // 2 :]):
        k = p.shape[1] * H * W * (C // groups)
        m = p.sum((1, 2, 3)).view(B, groups, -1).sum(-1, keepdim=True) / k
        v = p.square().sum((1, 2, 3)).view(B, groups, -1).sum(-1, keepdim=True) / k - m.square()
        r = torch.rsqrt(v.clamp(min=0) + eps).expand(-1, -1, C // groups).reshape(B, 1, 1, 1, C)
        m = m.expand(-1, -1, C // groups).reshape(B, 1, 1, 1, C)
        mean.append(m.expand(-1, p.shape[1], -1, -1, -1)), scale.append(r.expand(-1, p.shape[1], -1, -1, -1))
    f = (f - torch.cat(mean, 1)) * torch.cat(scale, 1) * w + b
    if y is not None:
        y, z = (larger(longer(v, (T - 1) // (v.shape[1] - 1)), W // v.shape[3]).float() for v in (y, z))
        f = f * y + z
    return before(F.silu(f).to(x.dtype), flat)


def act(x, n, z):
    if z is None:
        return normed(x, n.weight, n.bias, n.num_groups, n.eps, flat)
    y, b, n = point(z, n.conv_y.conv), point(z, n.conv_b.conv), n.norm_layer
    return normed(x, n.weight, n.bias, n.num_groups, n.eps, flat, y, b)


def resnet(x, r, z=None):
    h = conv3(act(x, r.norm1, z), r.conv1)
    h = conv3(act(h, r.norm2, z), r.conv2)
    return h + (x if r.in_channels == r.out_channels else point(x, r.conv_shortcut))


def encode(m, x):
    """x [B,T,H,W,3] -> means of the latents [B,t,h,w,C]"""
    e = m.encoder
    x = conv3(before(x, flat), e.conv_in)
    for b in e.down_blocks:
        for r in b.resnets:
            x = resnet(x, r)
        for d in b.downsamplers or []:
            if d.compress_time:
                x = torch.cat([x[:, :1], (x[:, 1::2] + x[:, 2::2]) / 2], 1)
            x = conv2(F.pad(x, (0, 0, 0, 1, 0, 1)), d.conv, 2, 0)
    for r in e.mid_block.resnets:
        x = resnet(x, r)
    return conv3(act(x, e.norm_out, None), e.conv_out).chunk(2, -1)[0].float()


def decode(m, z):
    """z [B,t,h,w,C] -> [B,T,H,W,3]"""
    d = m.decoder
    x = conv3(before(z, flat), d.conv_in)
    for r in d.mid_block.resnets:
        x = resnet(x, r, z)
    for b in d.up_blocks:
        for r in b.resnets:
            x = resnet(x, r, z)
        for u in b.upsamplers or []:
            x = larger(longer(x, 2) if u.compress_time else x, 2)
            x = conv2(x, u.conv)
    return conv3(act(x, d.norm_out, z), d.conv_out).float()


def choose(batch):
    """which form of the convolutions is faster here at full size, forward and backward"""
    global flat
    if not cuda:
        return
    import time
    from types import SimpleNamespace

    t, c = [], SimpleNamespace(conv=torch.nn.Conv3d(16, 16, 3).to(dev))
    x = torch.randn(batch, 17, 128, 128, 16, device=dev, dtype=torch.bfloat16, requires_grad=True)
    for flat in (False, True):
        for k in range(8):
            if k == 3:
                torch.cuda.synchronize()
                s = time.time()
            conv3(before(x, flat), c).sum().backward()
        torch.cuda.synchronize()
        t.append((time.time() - s) / 5)
    flat = t[1] < t[0]
    log(f"a convolution at full size, both ways: 3D {1000 * t[0]:.2f} ms, 2D {1000 * t[1]:.2f} ms")


def check():
    global flat
    from models import make_kl

    torch.manual_seed(1)
    m = make_kl().eval()
    for k, p in m.named_parameters():
        p.data.add_(torch.randn_like(p) * 0.02)
    x = torch.rand(1, 3, 17, 64, 64) * 2 - 1
    z = m.encode(x).latent_dist.mean
    y = m.decode(z).sample
    for flat in (False, True):
        a = encode(m, x.permute(0, 2, 3, 4, 1)).permute(0, 4, 1, 2, 3)
        b = decode(m, z.permute(0, 2, 3, 4, 1)).permute(0, 4, 1, 2, 3)
        print("encode", (a - z).abs().max().item(), "of", z.abs().max().item())
        print("decode", (b - y).abs().max().item(), "of", y.abs().max().item())


if __name__ == "__main__":
    with torch.no_grad():
        check()
