# SPDX-License-Identifier: GPL-3.0-or-later
"""Sizes of the starter models, how they start, and their text encoders' warm-up."""

import math

import torch
import torch.nn.functional as F
from common import Clock, adam, cast, dev, log, rate, set_rate
from torch import nn

HEADS = 5
SANA = dict(
    in_channels=32, out_channels=32, num_attention_heads=HEADS, attention_head_dim=32, num_layers=6,
    num_cross_attention_heads=HEADS, cross_attention_head_dim=32, cross_attention_dim=HEADS * 32, caption_channels=192,
    mlp_ratio=2.0, dropout=0.0, attention_bias=False, sample_size=16, patch_size=1, norm_elementwise_affine=False,
    norm_eps=1e-6, interpolation_scale=1,
)  # fmt: skip
GEMMA = dict(
    vocab_size=1280, hidden_size=192, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2, head_dim=64,
    intermediate_size=256, query_pre_attn_scalar=64, attn_logit_softcapping=50.0, final_logit_softcapping=30.0,
    max_position_embeddings=1024, sliding_window=512, pad_token_id=0, eos_token_id=1, bos_token_id=2, rms_norm_eps=1e-6,
    hidden_activation="gelu_pytorch_tanh",
)  # fmt: skip
_TYPES = ["ResBlock"] * 4 + ["EfficientViTBlock"] * 2
DCAE = dict(
    in_channels=3, latent_channels=32, attention_head_dim=32, encoder_block_types=_TYPES, decoder_block_types=_TYPES,
    encoder_block_out_channels=[16, 32, 64, 64, 64, 128], decoder_block_out_channels=[16, 32, 64, 64, 128, 128],
    encoder_layers_per_block=[1] * 6, decoder_layers_per_block=[1, 1, 1, 2, 1, 1],
    encoder_qkv_multiscales=[[], [], [], [], [5], [5]], decoder_qkv_multiscales=[[], [], [], [], [5], [5]],
    upsample_block_type="interpolate", downsample_block_type="Conv", decoder_norm_types="rms_norm",
    decoder_act_fns="silu", scaling_factor=1.0,
)  # fmt: skip
COG = dict(
    num_attention_heads=4, attention_head_dim=32, in_channels=16, out_channels=16, time_embed_dim=16,
    text_embed_dim=128, num_layers=6, sample_width=16, sample_height=16, sample_frames=17, patch_size=2,
    temporal_compression_ratio=4, max_text_seq_length=32, spatial_interpolation_scale=1.0,
    temporal_interpolation_scale=1.0, use_rotary_positional_embeddings=False,
)  # fmt: skip
T5 = dict(
    vocab_size=1000, d_model=128, d_kv=32, d_ff=128, num_layers=2, num_heads=4, feed_forward_proj="gated-gelu",
    pad_token_id=0, eos_token_id=1, decoder_start_token_id=0, tie_word_embeddings=False,
    relative_attention_num_buckets=32, dropout_rate=0.0, n_positions=512,
)  # fmt: skip
KL = dict(
    block_out_channels=[16, 24, 32, 32], latent_channels=16, layers_per_block=1, norm_num_groups=8,
    temporal_compression_ratio=4, sample_height=128, sample_width=128, scaling_factor=1.0,
)  # fmt: skip
FLOW = dict(
    num_train_timesteps=1000, prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0,
    algorithm_type="dpmsolver++", solver_order=2, solver_type="midpoint", lower_order_final=True,
    final_sigmas_type="zero", beta_start=0.0001, beta_end=0.02, beta_schedule="linear",
)  # fmt: skip
DDIM = dict(
    num_train_timesteps=1000, beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False,
    set_alpha_to_one=True, prediction_type="v_prediction", rescale_betas_zero_snr=True, snr_shift_scale=3.0,
    timestep_spacing="trailing", steps_offset=0,
)  # fmt: skip
IMAGE_TOKENS, VIDEO_TOKENS = 48, 32  # Gemma: padded right and masked; T5: padded to exactly this, no mask


def make_gemma():
    from transformers import Gemma2Config, Gemma2Model

    m = Gemma2Model(Gemma2Config(**GEMMA, attn_implementation="eager"))
    m.config.use_cache = False
    return m


def make_t5():
    from transformers import T5Config, T5EncoderModel

    return T5EncoderModel(T5Config(**T5))


def make_sana():
    from diffusers import SanaTransformer2DModel

    m = SanaTransformer2DModel(**SANA)
    for k, p in m.named_parameters():
        if k.endswith("weight") and p.ndim == 2:
            nn.init.xavier_uniform_(p)
        elif k.endswith("bias"):
            nn.init.zeros_(p)
    t = m.time_embed
    for lin in (t.linear, t.emb.timestep_embedder.linear_1, t.emb.timestep_embedder.linear_2):
        nn.init.normal_(lin.weight, std=0.02)
    flat = [m.patch_embed.proj]
    for b in m.transformer_blocks:
        flat += [b.ff.conv_inverted, b.ff.conv_point]
        b.attn2.to_out[0].weight.data.mul_(0.2)
    for c in flat:
        nn.init.xavier_uniform_(c.weight.view(c.weight.shape[0], -1))
    nn.init.zeros_(m.proj_out.weight)
    return m


def make_dcae():
    """starts close to the pure shortcut path: the norms close the residual branches"""
    from diffusers import AutoencoderDC
    from diffusers.models.autoencoders.autoencoder_dc import DCDownBlock2d, DCUpBlock2d

    vae = AutoencoderDC(**DCAE)
    for n, m in vae.named_modules():
        if type(m).__name__ == "RMSNorm" and not n.endswith("decoder.norm_out"):
            m.weight.data.fill_(0.05)
        if isinstance(m, (DCDownBlock2d, DCUpBlock2d)):
            m.conv.weight.data.mul_(0.15)
    return vae


def make_kl(noise=0.08):
    """starts with quiet residual branches and spatial norms that scale by one; the latents' deviation is fixed"""
    from diffusers import AutoencoderKLCogVideoX

    vae = AutoencoderKLCogVideoX(**KL)
    for m in vae.modules():
        if type(m).__name__ == "CogVideoXResnetBlock3D":
            m.conv2.conv.weight.data.mul_(0.1)
            nn.init.zeros_(m.conv2.conv.bias)
        if type(m).__name__ == "CogVideoXSpatialNorm3D":
            m.conv_y.conv.weight.data.mul_(0.2)
            m.conv_b.conv.weight.data.mul_(0.2)
            nn.init.ones_(m.conv_y.conv.bias)
            nn.init.zeros_(m.conv_b.conv.bias)
    c = vae.encoder.conv_out.conv
    nn.init.zeros_(c.weight.data[len(c.weight) // 2 :])
    nn.init.constant_(c.bias.data[len(c.bias) // 2 :], 2 * math.log(noise))
    return vae


def make_cog():
    from diffusers import CogVideoXTransformer3DModel

    m = CogVideoXTransformer3DModel(**COG)
    for k, p in m.named_parameters():
        if k.endswith("weight") and p.ndim == 2:
            nn.init.xavier_uniform_(p)
        elif k.endswith("bias"):
            nn.init.zeros_(p)
    for b in m.transformer_blocks:
        nn.init.zeros_(b.norm1.linear.weight)
        nn.init.zeros_(b.norm2.linear.weight)
    nn.init.zeros_(m.norm_out.linear.weight)
    nn.init.normal_(m.time_embedding.linear_1.weight, std=0.05)
    nn.init.normal_(m.time_embedding.linear_2.weight, std=0.2)
    nn.init.zeros_(m.proj_out.weight)
    return m


class Reader(nn.Module):
    """reads the attributes of a scene off text features; thrown away after the warm-up"""

    def __init__(self, d, questions=24, classes=48):
        super().__init__()
        self.q = nn.Parameter(torch.randn(questions, d) * 0.3)
        self.inp = nn.LayerNorm(d)
        layer = nn.TransformerDecoderLayer(d, d // 32, 2 * d, 0.0, batch_first=True, norm_first=True)
        self.dec = nn.TransformerDecoder(layer, 2)
        self.out = nn.Parameter(torch.randn(questions, d, classes) * d**-0.5)
        self.b = nn.Parameter(torch.zeros(questions, classes))

    def forward(self, h, pad):
        y = self.dec(self.q.expand(len(h), -1, -1), self.inp(h), memory_key_padding_mask=pad)
        return torch.einsum("bqd,qdc->bqc", y, self.out) + self.b


def warm_text(te, encode, ids, attr, minutes, steps=900, batch=None):
    """learns to tell shape, colour, size, place and background from captions, so that the transformer meets features
    that mean something; ids [N,K,T], attr [N,24] with -100 where there is nothing to tell"""
    batch = batch or (768 if dev.type == "cuda" else 64)
    head = Reader(te.config.hidden_size).to(dev)
    ps = list(te.parameters()) + list(head.parameters())
    opt, clock, n, acc = adam([(ps, 1e-3)]), Clock(minutes), 0, None
    while clock.progress() < 1 and n < steps:
        set_rate(opt, rate(max(clock.progress(), n / steps), n, 60, 0.4))
        b = torch.randint(len(ids), (batch,), device=dev)
        i = ids[b, torch.randint(ids.shape[1], (batch,), device=dev)].long()
        with cast():
            h = encode(te, i)
            pad = i == 0
            pad[:, 0] = False
            out = head(h, pad)
        a = attr[b].long()
        loss = F.cross_entropy(out.float().flatten(0, 1), a.flatten(), ignore_index=-100)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(ps, 1.0)
        opt.step()
        opt.zero_grad(set_to_none=True)
        n += 1
        if n % 100 == 0:
            ok = ((out.argmax(-1) == a) & (a >= 0)).sum(0) / (a >= 0).sum(0).clamp(min=1)
            acc = [round(v, 2) for v in ok.tolist()]
            log(f"text {n} loss {loss.item():.3f} right: shape {acc[0]} colour {acc[1]} size {acc[2]} "
                f"place or motion {acc[3]} backdrop {acc[20]}")  # fmt: skip
    return dict(steps=n, right=acc)
