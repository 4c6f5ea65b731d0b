# SPDX-License-Identifier: GPL-3.0-or-later
"""diffusers' SanaTransformer2DModel, same weights and maths, in a layout that trains fast: tokens first, 1x1
convolutions as products, no copies for the mixed feed-forward. check() compares it with the library."""

import math

import torch
import torch.nn.functional as F
from diffusers.models.embeddings import get_2d_sincos_pos_embed

_table = {}


def positions(d, h, w, base, device):
    """the library's position table, scaled so that every canvas spans the same range"""
    k = (d, h, w, str(device))
    if k not in _table:
        p = get_2d_sincos_pos_embed(d, (h, w), base_size=base, interpolation_scale=1.0, output_type="pt")
        _table[k] = p.float().to(device)
    return _table[k]


def timesteps(t):
    """the library's Timesteps(256, flip_sin_to_cos=True, downscale_freq_shift=0)"""
    f = torch.exp(-math.log(10000) * torch.arange(128, dtype=torch.float32, device=t.device) / 128)
    a = t.float()[:, None] * f[None]
    return torch.cat([a.cos(), a.sin()], -1)


def lin(x, m):
    return F.linear(x, m.weight.to(x.dtype), None if m.bias is None else m.bias.to(x.dtype))


def norm(x, eps=1e-6):
    return F.layer_norm(x.float(), (x.shape[-1],), eps=eps)


def glu(u, conv, B, h, w):
    """[B,N,2m] -> [B,N,m]: silu, depthwise 3x3, gate"""
    u = F.silu(u.view(B, h, w, -1)).permute(0, 3, 1, 2)
    y = F.conv2d(u, conv.weight.to(u.dtype), conv.bias.to(u.dtype), padding=1, groups=u.shape[1])
    a, g = y.permute(0, 2, 3, 1).chunk(2, -1)
    return (a * F.silu(g)).reshape(B, h * w, -1)


def forward(m, pe, x, text, bias, temb, dt=torch.bfloat16, tap=None):
    """x [B,C,h,w] noised; text [B,T,D]; bias [B,1,1,T] added to the scores; temb [B,256] from timesteps()
    -> [B,N,C], and with tap the state after that block"""
    B, C, h, w = x.shape
    d = m.inner
    p = m.patch_embed.proj
    s = F.linear(x.flatten(2).transpose(1, 2).to(dt), p.weight.flatten(1).to(dt), p.bias.to(dt)).float() + pe
    t = m.time_embed.emb.timestep_embedder
    e = lin(F.silu(lin(temb, t.linear_1)), t.linear_2)
    mod = lin(F.silu(e), m.time_embed.linear).view(B, 6, d)
    cp = m.caption_projection
    c = lin(F.gelu(lin(text.to(dt), cp.linear_1), approximate="tanh"), cp.linear_2).float()
    c = (c * torch.rsqrt(c.square().mean(-1, keepdim=True) + m.caption_norm.eps) * m.caption_norm.weight).to(dt)
    state = None
    for k, b in enumerate(m.transformer_blocks):
        s1, c1, g1, s2, c2, g2 = (b.scale_shift_table[None] + mod).unsqueeze(2).unbind(1)
        a = b.attn1
        n = (norm(s) * (1 + c1) + s1).to(dt)
        z = F.linear(n, torch.cat([a.to_q.weight, a.to_k.weight, a.to_v.weight]).to(dt))
        q, kk, v = F.relu(z[..., :d]), F.relu(z[..., d : 2 * d]), z[..., 2 * d :]
        den = (q.float() * kk.float().sum(1)[:, None]).view(B, -1, a.heads, d // a.heads).sum(-1, keepdim=True) + 1e-4
        q, kk, v = (y.reshape(B, -1, a.heads, d // a.heads).transpose(1, 2) for y in (q, kk, v))
        o = (q @ (kk.transpose(-1, -2) @ v)).transpose(1, 2).float() / den
        s = s + g1 * lin(o.reshape(B, -1, d).to(dt), a.to_out[0]).float()
        a = b.attn2
        q = lin(s.to(dt), a.to_q).view(B, -1, a.heads, d // a.heads).transpose(1, 2)
        kv = F.linear(c, torch.cat([a.to_k.weight, a.to_v.weight]).to(dt), torch.cat([a.to_k.bias, a.to_v.bias]).to(dt))
        kk, v = kv.view(B, -1, 2, a.heads, d // a.heads).unbind(2)
        o = (q @ kk.permute(0, 2, 3, 1)).float() * (d // a.heads) ** -0.5 + bias
        o = (o.softmax(-1).to(dt) @ v.transpose(1, 2)).transpose(1, 2).reshape(B, -1, d)
        s = s + lin(o, a.to_out[0]).float()
        f = b.ff
        n = (norm(s) * (1 + c2) + s2).to(dt)
        u = F.linear(n, f.conv_inverted.weight.flatten(1).to(dt), f.conv_inverted.bias.to(dt))
        y = glu(u, f.conv_depth, B, h, w)
        s = s + g2 * F.linear(y, f.conv_point.weight.flatten(1).to(dt)).float()
        if k == tap:
            state = s
    a, b = (m.scale_shift_table[None] + e[:, None]).chunk(2, 1)
    o = lin((norm(s) * (1 + b) + a).to(dt), m.proj_out).float()
    return o if tap is None else (o, state)


def check():
    from models import make_sana

    m = make_sana()
    for p in m.parameters():
        p.data.normal_(0, 0.06)
    x, c, t, mask = torch.randn(2, 32, 12, 20), torch.randn(2, 9, 192), torch.rand(2) * 1000, torch.ones(2, 9)
    mask[0, 5:] = 0
    a = m(x, encoder_hidden_states=c, timestep=t, encoder_attention_mask=mask, return_dict=False)[0]
    pe = positions(m.inner, 12, 20, 16, x.device)
    b = forward(m, pe, x, c, (1 - mask)[:, None, None] * -10000.0, timesteps(t), torch.float32)
    print("difference to the library", (a - b.transpose(1, 2).reshape(a.shape)).abs().max().item())


if __name__ == "__main__":
    check()
