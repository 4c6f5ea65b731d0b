# SPDX-License-Identifier: GPL-3.0-or-later
"""The library's transformers and text encoders, same weights and maths, laid out for training on a card: tokens first,
1x1 convolutions as products, one function a block that torch.compile takes once for all blocks.

python3 fast.py compares each with the library.
"""

import math

import torch
import torch.nn.functional as F
from common import compiled, cuda
from diffusers.models.embeddings import get_2d_sincos_pos_embed

_table = {}


def timesteps(t, d=256):
    """the library's Timesteps(d, flip_sin_to_cos=True, downscale_freq_shift=0)"""
    n = d // 2
    f = torch.exp(-math.log(10000) * torch.arange(n, dtype=torch.float32, device=t.device) / n)
    a = t.float()[:, None] * f[None]
    return torch.cat([a.cos(), a.sin()], -1)


def weights(m):
    """parameters of a block by name; what a compiled block function takes"""
    if not hasattr(m, "_named"):
        m._named = dict(m.named_parameters())
    return m._named


def lin(x, w, b=None):
    return F.linear(x, w.flatten(1).to(x.dtype), None if b is None else b.to(x.dtype))


def norm(x, w=None, b=None, eps=1e-6):
    return F.layer_norm(x.float(), (x.shape[-1],), w, b, eps)


def rms(x, w, eps=1e-6):
    x = x.float()
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + eps) * w


def split(x, heads):
    """[B,N,C] -> [B,heads,N,C/heads]"""
    return x.view(x.shape[0], x.shape[1], heads, -1).transpose(1, 2)


def join(x):
    return x.transpose(1, 2).flatten(2)


# ---------------------------------------------------------------- Sana
def positions(d, h, w, base, device):
    """the library's position table, scaled so that every canvas spans the same range"""
    k = (d, h, w, str(device))
    if k not in _table:
        p = get_2d_sincos_pos_embed(d, (h, w), base_size=base, interpolation_scale=1.0, output_type="pt")
        _table[k] = p.float().to(device)
    return _table[k]


def depthwise(u, w, b):
    """3x3 over [B,h,w,C]: on a card nine shifted products, which compile into one pass; else the library's"""
    if not u.is_cuda:
        return F.conv2d(u.permute(0, 3, 1, 2), w.to(u.dtype), b.to(u.dtype), 1, 1, 1, len(w)).permute(0, 2, 3, 1)
    h, ww, w = u.shape[1], u.shape[2], w.flatten(1).to(u.dtype)
    u = F.pad(u, (0, 0, 1, 1, 1, 1))
    y = b.float()
    for i in range(9):
        y = y + (u[:, i // 3 : i // 3 + h, i % 3 : i % 3 + ww] * w[:, i]).float()
    return y.to(u.dtype)


@compiled
def sana_block(s, mod, c, bias, h, w, heads, P):
    """s [B,N,d] float; mod [B,6,d]; c [B,T,d] in the dtype of the products; bias [B,1,1,T]"""
    dt, d = c.dtype, s.shape[-1]
    s1, c1, g1, s2, c2, g2 = (P["scale_shift_table"][None] + mod).unsqueeze(2).unbind(1)
    n = (norm(s) * (1 + c1) + s1).to(dt)
    z = lin(n, torch.cat([P["attn1.to_q.weight"], P["attn1.to_k.weight"], P["attn1.to_v.weight"]]))
    q, k, v = F.relu(z[..., :d]), F.relu(z[..., d : 2 * d]), z[..., 2 * d :]
    den = (q.float() * k.float().sum(1)[:, None]).view(*s.shape[:2], heads, -1).sum(-1, keepdim=True) + 1e-4
    q, k, v = split(q, heads), split(k, heads), split(v, heads)
    o = (q @ (k.transpose(-1, -2) @ v)).transpose(1, 2).float() / den
    s = s + g1 * lin(o.flatten(2).to(dt), P["attn1.to_out.0.weight"], P["attn1.to_out.0.bias"]).float()
    q = split(lin(s.to(dt), P["attn2.to_q.weight"], P["attn2.to_q.bias"]), heads)
    k = split(lin(c, P["attn2.to_k.weight"], P["attn2.to_k.bias"]), heads)
    v = split(lin(c, P["attn2.to_v.weight"], P["attn2.to_v.bias"]), heads)
    o = (q @ k.transpose(-1, -2)).float() * (d // heads) ** -0.5 + bias
    o = join(o.softmax(-1).to(dt) @ v)
    s = s + lin(o, P["attn2.to_out.0.weight"], P["attn2.to_out.0.bias"]).float()
    n = (norm(s) * (1 + c2) + s2).to(dt)
    u = F.silu(lin(n, P["ff.conv_inverted.weight"], P["ff.conv_inverted.bias"]))
    u = depthwise(u.view(len(s), h, w, -1), P["ff.conv_depth.weight"], P["ff.conv_depth.bias"])
    a, g = u.chunk(2, -1)
    return s + g2 * lin((a * F.silu(g)).flatten(1, 2), P["ff.conv_point.weight"]).float()


def sana(m, x, t, text, mask, dt=torch.bfloat16, tap=None):
    """x [B,C,h,w] noised, t [B] 0..1000, text [B,T,D], mask [B,T] -> [B,N,C] and the state after block tap"""
    h, w = x.shape[2:]
    d, heads = m.config.num_attention_heads * m.config.attention_head_dim, m.config.num_attention_heads
    p, e, cp = m.patch_embed.proj, m.time_embed.emb.timestep_embedder, m.caption_projection
    s = lin(x.flatten(2).transpose(1, 2).to(dt), p.weight, p.bias).float() + positions(d, h, w, 16, x.device)
    e = lin(F.silu(lin(timesteps(t), e.linear_1.weight, e.linear_1.bias)), e.linear_2.weight, e.linear_2.bias)
    mod = lin(F.silu(e), m.time_embed.linear.weight, m.time_embed.linear.bias).view(len(x), 6, d)
    c = F.gelu(lin(text.to(dt), cp.linear_1.weight, cp.linear_1.bias), approximate="tanh")
    c = rms(lin(c, cp.linear_2.weight, cp.linear_2.bias), m.caption_norm.weight, m.caption_norm.eps).to(dt)
    bias, state = (1 - mask.float())[:, None, None] * -10000.0, None
    for k, b in enumerate(m.transformer_blocks):
        s = sana_block(s, mod, c, bias, h, w, heads, weights(b))
        state = s if k == tap else state
    a, b = (m.scale_shift_table[None] + e[:, None]).chunk(2, 1)
    return lin((norm(s) * (1 + b) + a).to(dt), m.proj_out.weight, m.proj_out.bias).float(), state


# ---------------------------------------------------------------- Gemma 2
def turn(x, cos, sin):
    a, b = x.chunk(2, -1)
    return x * cos + torch.cat([-b, a], -1) * sin


@compiled
def gemma_layer(s, cos, sin, bias, heads, kv, P):
    dt = cos.dtype
    n = rms(s, 1 + P["input_layernorm.weight"]).to(dt)
    q, k = (split(lin(n, P[f"self_attn.{a}_proj.weight"]), c) for a, c in (("q", heads), ("k", kv)))
    v = split(lin(n, P["self_attn.v_proj.weight"]), kv)
    q, k = turn(q, cos, sin), turn(k, cos, sin)
    k, v = k.repeat_interleave(heads // kv, 1), v.repeat_interleave(heads // kv, 1)
    o = (q @ k.transpose(-1, -2)).float() * q.shape[-1] ** -0.5
    o = join((torch.tanh(o / 50.0) * 50.0 + bias).softmax(-1).to(dt) @ v)
    s = s + rms(lin(o, P["self_attn.o_proj.weight"]), 1 + P["post_attention_layernorm.weight"])
    n = rms(s, 1 + P["pre_feedforward_layernorm.weight"]).to(dt)
    n = F.gelu(lin(n, P["mlp.gate_proj.weight"]), approximate="tanh") * lin(n, P["mlp.up_proj.weight"])
    return s + rms(lin(n, P["mlp.down_proj.weight"]), 1 + P["post_feedforward_layernorm.weight"])


def gemma(te, ids, dt=torch.bfloat16):
    """ids [B,T], 0 pads -> features [B,T,D] float, mask [B,T]"""
    c, T = te.config, ids.shape[1]
    mask = (ids != 0).long()
    mask[:, 0] = 1
    f = 1.0 / (10000.0 ** (torch.arange(0, c.head_dim, 2, device=ids.device).float() / c.head_dim))
    a = torch.arange(T, device=ids.device).float()[:, None] * torch.cat([f, f])[None]
    see = torch.ones(T, T, device=ids.device).tril()[None] * mask[:, None]
    bias = ((1 - see) * -1e4)[:, None]
    s = F.embedding(ids, te.embed_tokens.weight).float() * c.hidden_size**0.5
    for b in te.layers:
        s = gemma_layer(s, a.cos().to(dt), a.sin().to(dt), bias, c.num_attention_heads, c.num_key_value_heads, weights(b))
    return rms(s, 1 + te.norm.weight), mask


# ---------------------------------------------------------------- T5
@compiled
def t5_layer(s, bias, heads, dt, P):
    a, f = "layer.0.SelfAttention.", "layer.1.DenseReluDense."
    n = rms(s, P["layer.0.layer_norm.weight"]).to(dt)
    q, k, v = (split(lin(n, P[a + x + ".weight"]), heads) for x in "qkv")
    o = join(((q @ k.transpose(-1, -2)).float() + bias).softmax(-1).to(dt) @ v)
    s = s + lin(o, P[a + "o.weight"]).float()
    n = rms(s, P["layer.1.layer_norm.weight"]).to(dt)
    n = F.gelu(lin(n, P[f + "wi_0.weight"]), approximate="tanh") * lin(n, P[f + "wi_1.weight"])
    return s + lin(n, P[f + "wo.weight"]).float()


def t5(te, ids, dt=torch.bfloat16):
    """ids [B,T], padded to the full length and not masked -> [B,T,D] float"""
    s = F.embedding(ids, te.shared.weight).float()
    bias = te.encoder.block[0].layer[0].SelfAttention.compute_bias(ids.shape[1], ids.shape[1], device=ids.device)
    for b in te.encoder.block:
        P = {k: v for k, v in weights(b).items() if "relative" not in k}
        s = t5_layer(s, bias, te.config.num_heads, dt, P)
    return rms(s, te.encoder.final_layer_norm.weight)


# ---------------------------------------------------------------- CogVideoX
@compiled
def cog_block(s, e, text, heads, dt, P):
    """s [B,T+N,d] float, text tokens first; e [B,E]"""

    def modulated(k):
        z = lin(F.silu(e), P[k + ".linear.weight"], P[k + ".linear.bias"]).view(len(s), 6, 1, -1)
        shift, scale = (torch.cat([z[:, i + 3].expand(-1, text, -1), z[:, i].expand(-1, s.shape[1] - text, -1)], 1)
                        for i in (0, 1))  # fmt: skip
        gate = torch.cat([z[:, 5].expand(-1, text, -1), z[:, 2].expand(-1, s.shape[1] - text, -1)], 1)
        n = norm(s, P[k + ".norm.weight"], P[k + ".norm.bias"], 1e-5)
        return (n * (1 + scale) + shift).to(dt), gate

    n, gate = modulated("norm1")
    q, k, v = (split(lin(n, P[f"attn1.to_{x}.weight"], P[f"attn1.to_{x}.bias"]), heads) for x in "qkv")
    q, k = (norm(x, P[f"attn1.norm_{y}.weight"], P[f"attn1.norm_{y}.bias"]).to(dt) for x, y in ((q, "q"), (k, "k")))
    o = join(F.scaled_dot_product_attention(q, k, v))
    s = s + gate * lin(o, P["attn1.to_out.0.weight"], P["attn1.to_out.0.bias"]).float()
    n, gate = modulated("norm2")
    n = F.gelu(lin(n, P["ff.net.0.proj.weight"], P["ff.net.0.proj.bias"]), approximate="tanh")
    return s + gate * lin(n, P["ff.net.2.weight"], P["ff.net.2.bias"]).float()


def cog(m, x, t, text, dt=torch.bfloat16, tap=None):
    """x [B,F,C,h,w] noised, t [B] -> [B,F,C,h,w] and the state of the clip's tokens after block tap"""
    B, Fr, C, h, w = x.shape
    p, heads, T, e = m.config.patch_size, m.config.num_attention_heads, text.shape[1], m.time_embedding
    e = lin(timesteps(t, heads * m.config.attention_head_dim), e.linear_1.weight, e.linear_1.bias)
    e = lin(F.silu(e), m.time_embedding.linear_2.weight, m.time_embedding.linear_2.bias)
    v = x.view(B, Fr, C, h // p, p, w // p, p).permute(0, 1, 3, 5, 2, 4, 6).reshape(B, -1, C * p * p).to(dt)
    a, b = m.patch_embed.proj, m.patch_embed.text_proj
    s = torch.cat([lin(text.to(dt), b.weight, b.bias), lin(v, a.weight, a.bias)], 1).float() + m.patch_embed.pos_embedding
    state = None
    for k, b in enumerate(m.transformer_blocks):
        s = cog_block(s, e, T, heads, dt, weights(b))
        state = s[:, T:] if k == tap else state
    s = norm(s[:, T:], m.norm_final.weight, m.norm_final.bias, 1e-5)
    shift, scale = lin(F.silu(e), m.norm_out.linear.weight, m.norm_out.linear.bias)[:, None].chunk(2, -1)
    s = norm(s, m.norm_out.norm.weight, m.norm_out.norm.bias, 1e-5) * (1 + scale) + shift
    o = lin(s.to(dt), m.proj_out.weight, m.proj_out.bias).float()
    o = o.view(B, Fr, h // p, w // p, -1, p, p).permute(0, 1, 4, 2, 5, 3, 6).reshape(B, Fr, -1, h, w)
    return o, state


def check():
    import models as M

    def shake(m):
        for p in m.parameters():
            p.data.normal_(0, 0.06)
        return m.eval()

    torch.manual_seed(1)
    m, mask = shake(M.make_sana()), torch.ones(2, 9)
    mask[0, 5:] = 0
    x, c, t = torch.randn(2, 32, 12, 20), torch.randn(2, 9, 192), torch.rand(2) * 1000
    a = m(x, encoder_hidden_states=c, timestep=t, encoder_attention_mask=mask, return_dict=False)[0]
    b = sana(m, x, t, c, mask, torch.float32)[0]
    print("sana", (a - b.transpose(1, 2).reshape(a.shape)).abs().max().item(), "of", a.abs().max().item())
    m, ids = shake(M.make_gemma()), torch.randint(3, 1200, (2, 12))
    ids[0, 7:] = 0
    b, mask = gemma(m, ids, torch.float32)
    a = m(input_ids=ids, attention_mask=mask, use_cache=False)[0] * mask[..., None]
    print("gemma", (a - b * mask[..., None]).abs().max().item(), "of", a.abs().max().item())
    m, ids = shake(M.make_t5()), torch.randint(0, 999, (2, 32))
    a, b = m(input_ids=ids)[0], t5(m, ids, torch.float32)
    print("t5", (a - b).abs().max().item(), "of", a.abs().max().item())
    m, x, c, t = shake(M.make_cog()), torch.randn(2, 5, 16, 16, 16), torch.randn(2, 32, M.T5["d_model"]), torch.tensor([3, 800])
    a = m(hidden_states=x, encoder_hidden_states=c, timestep=t, return_dict=False)[0]
    b = cog(m, x, t, c, torch.float32)[0]
    print("cogvideox", (a - b).abs().max().item(), "of", a.abs().max().item())


if __name__ == "__main__":
    with torch.no_grad():
        check()
