# SPDX-License-Identifier: GPL-3.0-or-later
"""The renderer of render.py as one C kernel, compiled for CUDA or for the CPU: about a hundred times faster than torch.

render(entries, backgrounds, h, w, ...) -> [B,3,h,w] in 0..1, channels last in memory; same arguments as render.render.
"""

import ctypes
import hashlib
import os
import subprocess
import tempfile

import torch
from render import DETAIL, SHAPES

_D = ",\n ".join("{" + ", ".join("%.6ff" % v for v in row) + "}" for row in DETAIL.tolist())
SRC = (
    r"""
#ifdef CPUTEST
#include <math.h>
#define DEV static inline
#define CONST static const
#else
#define DEV __device__ __forceinline__
#define CONST __constant__
#endif
#define PI2 6.283185307179586f
CONST float DET["""
    + str(len(SHAPES))
    + r"""][4] = {"""
    + _D
    + r"""};
DEV float cl(float v, float a, float b) { return fminf(fmaxf(v, a), b); }
DEV float sat(float v) { return cl(v, 0.f, 1.f); }
DEV float len(float x, float y) { return sqrtf(x * x + y * y + 1e-12f); }
DEV float sgn(float v) { return v > 0.f ? 1.f : v < 0.f ? -1.f : 0.f; }
DEV float mn(float a, float b) { return fminf(a, b); }
DEV float mx(float a, float b) { return fmaxf(a, b); }
DEV float box(float x, float y, float hx, float hy) { float qx = fabsf(x) - hx, qy = fabsf(y) - hy;
  return len(mx(qx, 0.f), mx(qy, 0.f)) + mn(mx(qx, qy), 0.f); }
DEV float disc(float x, float y, float cx, float cy, float r) { return len(x - cx, y - cy) - r; }
DEV void fold(float x, float y, int n, float *u, float *v) { float s = PI2 / n, a = atan2f(y, x);
  a = a - s * rintf(a / s); float l = len(x, y); *u = l * cosf(a); *v = l * sinf(a); }
DEV void sdf(int id, float x, float y, float *D, float *E) {
  float d = 9.f, e = 9.f, ax = fabsf(x), u, v;
  switch (id) {
  case 0: d = len(x, y) - 0.9f; break;
  case 1: d = box(x, y, 0.78f, 0.78f); break;
  case 2: { const float k = 1.7320508f, r = 0.95f; float px = ax - r, py = y + 0.12f + r / k;
    if (px + k * py > 0.f) { float a = (px - k * py) / 2.f, b = (-k * px - py) / 2.f; px = a; py = b; }
    px -= cl(px, -2.f * r, 0.f); d = -len(px, py) * sgn(py); break; }
  case 3: { const float kx = 0.809016994f, ky = -0.587785252f, rf = 0.46f;
    float px = ax, py = y, q = 2.f * mx(kx * px + ky * py, 0.f);
    px -= q * kx; py -= q * ky; q = 2.f * mx(-kx * px + ky * py, 0.f); px += q * kx; py -= q * ky; px = fabsf(px);
      py -= 1.f;
    float bx = -rf * ky, by = rf * kx - 1.f, h = sat((px * bx + py * by) / (bx * bx + by * by));
    d = len(px - bx * h, py - by * h) * sgn(py * bx - px * by); break; }
  case 4: { const float k = 0.6f; float px = fabsf(x * k), py = y * k + 0.55f;
    if (px + py > 1.f) d = (len(px - 0.25f, py - 0.75f) - 0.35355339f) / k;
    else { float m = 0.5f * mx(px + py, 0.f); d = mn(len(px, py - 1.f), len(px - m, py - m)) * sgn(px - py) / k;
      } break; }
  case 5: { const float kx = -0.866025404f, ky = 0.5f, kz = 0.577350269f, r = 0.82f;
    float px = ax, py = fabsf(y), q = 2.f * mn(kx * px + ky * py, 0.f);
    px -= q * kx; py -= q * ky; px -= cl(px, -kz * r, kz * r); py -= r; d = len(px, py) * sgn(py); break; }
  case 6: d = (ax * 0.98f + fabsf(y) * 0.66f - 0.66f * 0.98f) / 1.18152444f; break;
  case 7: d = fabsf(len(x, y) - 0.68f) - 0.21f; break;
  case 8: d = mn(box(x, y, 0.88f, 0.29f), box(x, y, 0.29f, 0.88f)); break;
  case 9: d = mx(len(x, y) - 0.9f, 0.74f - len(x - 0.46f, y - 0.12f)); break;
  case 10: d = mn(box(x + 0.35f, y, 0.58f, 0.2f), mx(0.15f - x, ((x - 0.95f) * 0.62f + fabsf(y) * 0.8f) / 1.0121f));
    break;
  case 11: fold(x, y, 6, &u, &v); d = mn(disc(u, v, 0.56f, 0.f, 0.36f), len(x, y) - 0.4f); e = len(x, y) - 0.29f;
    break;
  case 12: { float roof = mx(0.12f - y, ((y - 0.92f) * 0.88f + ax * 0.8f) / 1.1893f);
    d = mn(box(x, y + 0.33f, 0.6f, 0.5f), roof); e = mn(roof, box(x, y + 0.55f, 0.16f, 0.28f)); break; }
  case 13: e = box(x, y + 0.66f, 0.13f, 0.33f);
    d = mn(mn(disc(x, y, 0.f, 0.42f, 0.52f), disc(ax, y, 0.38f, 0.06f, 0.42f)), e); break;
  case 14: { float p = (x - 0.15f) / 0.74f, q = y / 0.46f, k0 = len(p, q), k1 = len(p / 0.74f, q / 0.46f);
    d = mn(k0 * (k0 - 1.f) / (k1 + 1e-4f), mx(-0.95f - x, mx(x + 0.3f, (fabsf(y) * 0.65f + x + 0.42f) / 1.1927f)));
      e = disc(x, y, 0.5f, 0.12f, 0.09f); break; }
  case 15: fold(x, y, 8, &u, &v); d = mn(len(x, y) - 0.52f, box(u - 0.8f, v, 0.17f, 0.075f)); break;
  case 16: d = mn(mn(mn(disc(x, y, -0.45f, -0.1f, 0.38f), disc(x, y, 0.03f, 0.15f, 0.5f)), disc(x, y, 0.52f, -0.12f,
    0.36f)), box(x - 0.03f, y + 0.28f, 0.52f, 0.2f)); break;
  case 17: { float ear = mx(mx((-(ax - 0.62f) * 0.56f + (y - 0.98f) * 0.5f) / 0.7507f,
    ((ax - 0.62f) * 0.88f + (y - 0.98f) * 0.1f) / 0.8857f), -y);
    d = mn(disc(x, y, 0.f, -0.13f, 0.77f), ear);
      e = mn(disc(ax, y, 0.3f, 0.f, 0.11f), disc(x, y, 0.f, -0.3f, 0.085f)); break; }
  case 18: d = len(x, y) - 0.9f;
    e = mn(disc(ax, y, 0.3f, 0.26f, 0.11f), mx(fabsf(len(x, y - 0.02f) - 0.5f) - 0.07f, y + 0.14f)); break;
  case 19: e = disc(ax, y, 0.5f, -0.34f, 0.21f);
    d = mn(mn(box(x, y + 0.1f, 0.86f, 0.2f) - 0.06f, mx(box(x + 0.06f, y - 0.28f, 0.62f, 0.26f),
      (fabsf(x + 0.06f) * 0.8f + y * 0.55f - 0.72f) / 0.9708f)), e); break;
  case 20: { float hull = mx(mx(y + 0.22f, -0.72f - y), (ax - (y + 0.72f) * 0.55f - 0.58f) / 1.1413f);
    float s1 = mx(mx(0.03f - x, -0.12f - y), ((y - 0.95f) * 0.68f + (x - 0.03f) * 1.07f) / 1.2678f),
      s2 = mx(mx(x + 0.05f, -0.12f - y), ((y - 0.7f) * 0.5f - (x + 0.05f) * 0.82f) / 0.9604f);
    e = mn(s1, s2); d = mn(hull, e); break; }
  case 21: e = box(x, y + 0.7f, 0.028f, 0.28f);
    d = mn(mn(disc(x, y * 0.94f, 0.f, 0.32f, 0.6f), mx(-0.44f - y, mx(y + 0.26f, ax - 0.1f + (y + 0.26f) * 0.2f))),
    e); break;
  }
  *D = d; *E = e;
}
DEV float tri(float u) { float f = u - floorf(u); return f < 0.5f ? mn(f, 0.5f - f) : -mn(f - 0.5f, 1.f - f); }
DEV float hsh(float a, float b, float s) { float v = sinf(a * 12.9898f + b * 78.233f + s * 37.719f) * 43758.5453f;
  return v - floorf(v); }
DEV void pixel(const float *ent, const float *bg, const float *par, float *out, int K, int xi, int yi) {
  float S = par[0], W = par[1], H = par[2], px = (xi + 0.5f) / S + par[3], py = (yi + 0.5f) / S + par[4], c[3];
  int t = (int)(bg[0] + 0.5f);
  float per = mx(bg[10], 1e-3f), m = 0.f, hz = sat(py / H);
  float u = t == 2 ? sat(px / W) : hz;
  if (t == 3) m = sat(tri((px * cosf(bg[11]) + py * sinf(bg[11])) / per + bg[12]) * per * S + 0.5f);
  else if (t == 4) { float a = sat(tri(px / per + bg[12]) * per * S + 0.5f),
    b = sat(tri(py / per + bg[13]) * per * S + 0.5f); m = a * (1.f - b) + b * (1.f - a); }
  else if (t == 5) { float row = floorf(py / per + bg[13]),
    fx = px / per + bg[12] + 0.5f * (row - 2.f * floorf(row / 2.f)); fx = fx - floorf(fx) - 0.5f;
    float fy = py / per + bg[13] - row - 0.5f; m = sat((bg[11] - len(fx * per, fy * per)) * S + 0.5f); }
  if (t == 1 || t == 2 || t == 6) {
    float st = 0.f;
    if (t == 6) { float ix = floorf(px / per), iy = floorf(py / per), h1 = hsh(ix, iy, bg[11]), h2 = hsh(ix, iy,
      bg[11] + 7.3f), h3 = hsh(ix, iy, bg[11] + 3.1f);
      if (h3 > 0.35f) st = sat((0.004f + 0.008f * h3 - len(px - (ix + 0.2f + 0.6f * h1) * per,
        py - (iy + 0.2f + 0.6f * h2) * per)) * S + 0.5f); }
    for (int i = 0; i < 3; i++) {
      float g = u < 0.5f ? bg[1 + i] + (bg[4 + i] - bg[1 + i]) * (u * 2.f) : bg[4 + i] + (bg[7 + i] - bg[4 + i]) * (u
      * 2.f - 1.f); c[i] = g + (1.f - g) * st; }
  } else if (t == 7) {
    float ml = sat((py - (bg[10] * H + bg[11] * sinf(px * bg[12] + bg[13]))) * S + 0.5f), f = mn(hz / mx(bg[10],
      0.05f), 1.f), sh = 1.f - 0.18f * sat(hz - bg[10]);
    for (int i = 0; i < 3; i++) { float sky = bg[1 + i] + (bg[7 + i] - bg[1 + i]) * f;
      c[i] = sky + (bg[4 + i] * sh - sky) * ml; }
  } else for (int i = 0; i < 3; i++) c[i] = bg[1 + i] + (bg[4 + i] - bg[1 + i]) * m;
  for (int k = 0; k < K; k++) {
    const float *q = ent + 12 * k;
    if (q[0] < -0.5f) continue;
    float r = q[3], w = q[9], dx = px - q[1], dy = py - q[2], far = 1.45f * r + w + 2.f / S;
    if (fabsf(dx) > far || fabsf(dy) > far) continue;
    dx /= r; dy = -dy / r;
    float cs = cosf(q[4]), sn = sinf(q[4]), d, e;
    int id = (int)(q[0] + 0.5f);
    sdf(id, dx * cs + dy * sn, -dx * sn + dy * cs, &d, &e);
    d *= r; e *= r;
    if (q[10] > 0.f) d = fabsf(d + q[10]) - q[10];
    float cov;
    if (w > 0.f) { float z = sat(0.5f - d / mx(w, 1e-4f) * 0.5f); cov = z * z * (3.f - 2.f * z);
      } else cov = sat(0.5f - d * S);
    cov *= q[8];
    if (cov <= 0.f) continue;
    float mode = DET[id][0], dm = (mode > 0.f && q[11] > 0.f) ? sat(0.5f - e * S) : 0.f,
      con = (0.3f * q[5] + 0.6f * q[6] + 0.1f * q[7]) > 0.32f ? 0.08f : 0.95f;
    for (int i = 0; i < 3; i++) {
      float a = q[5 + i], b = mode == 1.f ? a * 0.45f : mode == 3.f ? con : mode == 4.f ? a * 0.4f + 0.55f :
        DET[id][1 + i];
      a += (b - a) * dm; c[i] += (a - c[i]) * cov;
    }
  }
  for (int i = 0; i < 3; i++) out[i] = sat(c[i]);
}
#ifdef CPUTEST
extern "C" void render(const float *ent, const float *bg, const float *par, float *out, int B, int K, int h, int w) {
  for (int b = 0; b < B; b++) for (int y = 0; y < h; y++) for (int x = 0; x < w; x++)
    pixel(ent + 12 * K * b, bg + 16 * b, par + 5 * b, out + 3ll * ((b * (long long)h + y) * w + x), K, x, y);
}
#else
extern "C" __global__ void render(const float *ent, const float *bg, const float *par, float *out, int B, int K,
  int h, int w) {
  long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x, n = (long long)h * w;
  if (i >= B * n) return;
  int b = (int)(i / n), p = (int)(i % n);
  pixel(ent + 12 * K * b, bg + 16 * b, par + 5 * b, out + 3 * i, K, p % w, p / w);
}
#endif
"""
)


def _cpu():
    """compiles the same source as C++ with g++ (or c++) into the cache of this user, once"""
    tag = hashlib.sha256(SRC.encode()).hexdigest()[:16]
    so = os.path.join(tempfile.gettempdir(), f"easel-starter-{os.getuid()}-{tag}.so")
    if not os.path.exists(so):
        with tempfile.TemporaryDirectory() as d:
            open(f"{d}/k.cpp", "w").write(SRC)
            cc = os.environ.get("CXX", "g++")
            subprocess.check_call(
                [
                    cc,
                    "-O3",
                    "-march=native",
                    "-fno-math-errno",
                    "-DCPUTEST",
                    "-shared",
                    "-fPIC",
                    f"{d}/k.cpp",
                    "-o",
                    f"{d}/k.so",
                ]
            )
            os.replace(f"{d}/k.so", so)
    lib = ctypes.CDLL(so)

    def call(ent, bg, par, out, B, K, h, w):
        lib.render(*(ctypes.c_void_p(t.data_ptr()) for t in (ent, bg, par, out)), B, K, h, w)

    return call


def _cuda():
    g = torch.cuda._compile_kernel(SRC, "render")

    def call(ent, bg, par, out, B, K, h, w):
        g(grid=((B * h * w + 255) // 256, 1, 1), block=(256, 1, 1), args=[ent, bg, par, out, B, K, h, w])

    return call


_call = {}


def render(ent, bg, h, w, S=None, ox=None, oy=None, W=None, H=None):
    B, K = ent.shape[:2]
    dev = ent.device
    if dev.type not in _call:
        _call[dev.type] = _cuda() if dev.type == "cuda" else _cpu()
    m = float(min(h, w))

    def f(v, d):
        return torch.as_tensor(d if v is None else v, dtype=torch.float32, device=dev).expand(B)

    par = torch.stack([f(S, m), f(W, w / m), f(H, h / m), f(ox, 0.0), f(oy, 0.0)], 1).contiguous()
    out = torch.empty(B, h, w, 3, device=dev)
    _call[dev.type](ent.contiguous().float(), bg.contiguous().float(), par, out, B, K, h, w)
    return out.permute(0, 3, 1, 2)


if __name__ == "__main__":
    import random

    import numpy as np
    import render as R
    import scenes

    r = random.Random(3)
    for W_, H_, h, w in ((1, 1, 192, 192), (5 / 3, 1, 120, 200), (1, 5 / 3, 200, 120)):
        s = [scenes.image_scene(r, W_, H_) for _ in range(8)]
        e, b = torch.tensor(np.stack([q[0] for q in s])), torch.tensor(np.stack([q[1] for q in s]))
        d = (render(e, b, h, w) - R.render(e, b, h, w)).abs()
        print(h, w, "mean difference to render.py %.6f, worst picture %.6f" % (d.mean(), d.flatten(1).mean(1).max()))
