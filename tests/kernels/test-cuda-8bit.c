/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * quantise and products of scaled 8-bit numbers: the codes and scales of both sides are the same bytes, also those of
 * a weight that was quantised on its way up; what is made of them is compared as for other operations.
 */
#include "cuda-pair.h"

#include <string.h>

static void *
host_copy (Pair *p, int side, EaselTensor t)
{
  void *data = malloc (easel_tensor_bytes (&t) + 1);

  if (!data)
    {
      fprintf (stderr, "no memory\n");
      exit (1);
    }
  easel_download (p->s[side], data, t);
  return data;
}

/* Every byte of codes and scales; `few`: one in 500 codes may be the next one, and scales may be off by 1 %, since what
 * was quantised was summed in another order. */
static void
compare_codes (Pair *p, const char *what, Both y, bool few)
{
  const int64_t rows = easel_tensor_n_rows (&y.on[CPU]);

  p->cases++;
  for (int part = 0; part < 2; part++)
    {
      void *data[SIDES];
      EaselTensor t[SIDES];

      for (int i = 0; i < SIDES; i++)
        {
          t[i] = part ? easel_tensor_of (y.on[i].scales, EASEL_DTYPE_F32, rows) : y.on[i];
          data[i] = host_copy (p, i, t[i]);
        }
      int64_t off = 0, most = few ? 2 + easel_tensor_count (&t[CPU]) / 500 : 0;

      for (int64_t i = 0; !few && i < (int64_t) easel_tensor_bytes (&t[CPU]); i++)
        off += ((char *) data[CPU])[i] != ((char *) data[CARD])[i];
      for (int64_t i = 0; few && part == 0 && i < easel_tensor_count (&t[CPU]); i++)
        off += ((char *) data[CPU])[i] != ((char *) data[CARD])[i];
      for (int64_t i = 0; few && part == 1 && i < rows; i++)
        if (!(fabsf (((float *) data[CPU])[i] - ((float *) data[CARD])[i]) <= 0.01f * ((float *) data[CPU])[i]))
          off = most + 1;
      if (!easel_stream_ok (p->s[CARD]) || !easel_stream_ok (p->s[CPU]) || off > most)
        {
          printf ("FAIL   %s: %s differ %s%s\n", what, part ? "scales" : "codes", p->s[CPU]->message,
                  p->s[CARD]->message);
          p->failures++;
          part = 2;
        }
      free (data[CPU]);
      free (data[CARD]);
    }
}

static EaselTensor
scaled (EaselStream *s, EaselDtype dtype, int64_t rows, int64_t columns)
{
  EaselTensor t = easel_new (s, dtype, rows, columns);

  t.scales = easel_new (s, EASEL_DTYPE_F32, rows).data;
  return t;
}

/* Rows that differ in size, a row of zeros, one that is too small for a scale. */
static Both
uneven (Pair *p, int64_t rows, int64_t columns)
{
  Both x = ACT (p, rows, columns);
  float *host = x.on[CPU].data;

  for (int i = 0; i < SIDES && x.on[CPU].data && x.on[CARD].data; i++)
    for (int64_t m = 0; m < rows && m < 8; m++)
      {
        const float factor = m == 3 ? 0 : m == 5 ? 1e-36f : powf (2, (float) (m * 3 - 9));
        EaselTensor row = easel_tensor_rows (x.on[i], m, 1), f32 = row;

        if (i == CPU)
          for (int64_t k = 0; k < columns; k++)
            host[m * columns + k] *= factor;
        else
          {
            f32 = easel_new (p->s[i], EASEL_DTYPE_F32, 1, columns);
            easel_upload (p->s[i], f32, host + m * columns);
            easel_cast (p->s[i], .x = f32, .y = row);
            easel_cast (p->s[i], .x = row, .y = f32);
            easel_download (p->s[i], host + m * columns, f32); /* as the card rounded it */
          }
      }
  return x;
}

static void
quantise_case (Pair *p, EaselDtype dtype, int64_t rows, int64_t columns)
{
  Both y = NONE;
  char what[96];

  if (!pair_begin (p, "quantise"))
    return;
  Both x = uneven (p, rows, columns);
  for (int i = 0; i < SIDES; i++)
    {
      y.on[i] = scaled (p->s[i], dtype, rows, columns);
      easel_quantise (p->s[i], .x = x.on[i], .y = y.on[i]);
    }
  snprintf (what, sizeof what, "quantise %lld x %lld to %s", (long long) rows, (long long) columns,
            easel_dtype_name (dtype));
  compare_codes (p, what, y, false);
  pair_end (p);
}

/* On the card: a norm that quantises against one followed by quantise. */
static void
norm_case (Pair *p, EaselDtype dtype, int64_t B, int64_t m, int64_t c, bool affine)
{
  EaselStream *s = p->s[CARD];
  char what[96];

  if (!pair_begin (p, "norm-8bit"))
    return;
  Both x = ACT (p, B * m, c), scale = F32 (p, B, c), shift = F32 (p, B, c), w = affine ? WEIGHT (p, c) : NONE, y;
  EaselTensor rounded = easel_new (s, p->act, B * m, c), codes[2];

  for (int i = 0; i < 2; i++)
    {
      codes[i] = scaled (s, dtype, B * m, c);
      easel_norm (s, .kind = EASEL_NORM_LAYER, .x = x.on[CARD], .weight = w.on[CARD], .scale = scale.on[CARD],
                  .shift = shift.on[CARD], .y = i ? codes[i] : rounded, .eps = 1e-6f);
    }
  easel_quantise (s, .x = rounded, .y = codes[0]);
  for (int i = 0; i < 2; i++) /* both sides of the comparison come from the card */
    {
      void *host[2] = { host_copy (p, CARD, codes[i]),
                        host_copy (p, CARD, easel_tensor_of (codes[i].scales, EASEL_DTYPE_F32, B * m)) };

      y.on[i] = scaled (p->s[i], dtype, B * m, c);
      easel_upload (p->s[i], y.on[i], host[0]);
      easel_upload (p->s[i], easel_tensor_of (y.on[i].scales, EASEL_DTYPE_F32, B * m), host[1]);
      free (host[0]);
      free (host[1]);
    }
  snprintf (what, sizeof what, "norm %lldx%lld x %lld to %s", (long long) B, (long long) m, (long long) c,
            easel_dtype_name (dtype));
  compare_codes (p, what, y, true);
  pair_end (p);
}

/* w [n, k] scaled on both sides, from the same numbers. */
static Both
scaled_weight (Pair *p, EaselDtype dtype, int64_t n, int64_t k)
{
  Both w = NONE, from = ACT (p, n, k);
  void *host = host_copy (p, CARD, from.on[CARD]);

  w.on[CPU] = scaled (p->s[CPU], dtype, n, k);
  easel_quantise (p->s[CPU], .x = from.on[CPU], .y = w.on[CPU]);
  w.on[CARD] = scaled (p->s[CARD], dtype, n, k);
  easel_upload_weight (p->s[CARD], w.on[CARD], host, p->act);
  easel_synchronize (p->s[CARD]);
  free (host);
  return w;
}

static void
linear_case (Pair *p, EaselDtype dtype, int64_t B, int64_t m, int64_t n, int64_t k, EaselAct act, int extras,
             int64_t wider)
{
  const bool bias = extras & 1, gate = extras & 2, residual = extras & 4, own = extras & 8;
  const int64_t ldx = k + wider, ldy = n + wider, M = B * m;
  char what[160];
  double slack;

  if (!pair_begin (p, "linear-8bit"))
    return;
  Both x = ACT (p, (M - 1) * ldx + k), y = ACT (p, (M - 1) * ldy + n), w = scaled_weight (p, dtype, n, k), b = NONE;
  Both g = NONE, r = NONE;

  snprintf (what, sizeof what, "linear %s %lldx%lld x %lld x %lld act %d extras %d wider %lld",
            easel_dtype_name (dtype), (long long) B, (long long) m, (long long) n, (long long) k, act, extras,
            (long long) wider);
  compare_codes (p, what, w, false);
  if (bias)
    b = pair_weight (p, extras % 3 ? EASEL_DTYPE_F32 : p->act, -1, 1, SHAPE (n));
  if (gate)
    g = F32 (p, B, n);
  if (residual && !own)
    r = ACT (p, M, n);
  for (int i = 0; i < SIDES; i++)
    {
      EaselTensor yi = y.on[i], xi = x.on[i];

      if (xi.data && yi.data)
        {
          xi = easel_tensor_of (xi.data, xi.dtype, B, m, k);
          yi = easel_tensor_of (yi.data, yi.dtype, B, m, n);
        }
      easel_linear (p->s[i], .x = xi, .w = w.on[i], .bias = b.on[i], .gate = g.on[i], .act = act,
                    .residual = residual && own ? yi : r.on[i], .y = yi, .x_stride = wider ? ldx : 0,
                    .y_stride = wider ? ldy : 0);
    }
  /* Sums of e4m3 have the tensor cores' 14 bits, whatever y has: 0.6 % of a sum of 1120 to 2240. */
  if (dtype == EASEL_DTYPE_I8)
    slack = 2;
  else
    slack = p->act == EASEL_DTYPE_F32 ? 1200 : p->act == EASEL_DTYPE_F16 ? 6 : 1;
  pair_compare (p, what, y, slack);
  pair_end (p);
}

void
test_8bit (Pair *p)
{
  static const EaselDtype dtypes[] = { EASEL_DTYPE_F8_E4M3, EASEL_DTYPE_I8 };
  static const int64_t rows[][2] = { { 1, 1 },    { 3, 5 },      { 8, 16 },    { 33, 128 },
                                     { 9, 2240 }, { 300, 5600 }, { 9, 10240 }, { 2, 40000 } };
  static const int64_t sizes[][3] = { { 1, 16, 16 },    { 7, 48, 32 },    { 33, 80, 144 },    { 130, 144, 128 },
                                      { 257, 320, 272 }, { 300, 560, 2240 }, { 1024, 2240, 1120 } };

  for (int d = 0; d < 2; d++)
    {
      if (!(p->device[CARD]->product_dtypes >> dtypes[d] & 1))
        {
          printf ("skip   %s: %s has no products of it\n", easel_dtype_name (dtypes[d]), p->device[CARD]->name);
          continue;
        }
      for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        quantise_case (p, dtypes[d], rows[i][0], rows[i][1]);
      for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        norm_case (p, dtypes[d], 1 + (int64_t) i % 2, rows[i][0], rows[i][1], i % 3 == 0);
      norm_case (p, dtypes[d], 2, 600, 2240, false);
      norm_case (p, dtypes[d], 2, 600, 64, true);
      for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        for (int act = EASEL_ACT_NONE; act <= EASEL_ACT_GELU_TANH; act++)
          for (int extras = 0; extras < 16; extras += i < 4 ? 1 : 5)
            linear_case (p, dtypes[d], 1 + extras % 2, sizes[i][0], sizes[i][1], sizes[i][2], (EaselAct) act, extras,
                         extras % 5 == 3 ? 8 : extras % 5 == 1 ? 3 : 0);
      /* Neither cuBLASLt nor the copy engine take rows of 7 bytes. */
      linear_case (p, dtypes[d], 1, 19, 13, 7, EASEL_ACT_SILU, 7, 0);
      /* More rows than the workspace holds at once. */
      linear_case (p, dtypes[d], 2, 2500, 3008, 32, EASEL_ACT_NONE, 15, 0);
    }
}
