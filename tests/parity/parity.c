/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * parity [--device cpu[:uploads]|cuda[:fp32|bf16|fp16|fp8|int8]] [--case GLOB] [--torch FILE] [--quiet] DIR: see
 * parity.h. Exit status: 0 all within bounds, 1 a miss, 2 wrong usage, 77 DIR has no cases or there is no card.
 */
#include "kernels/cuda-loader.h"
#include "tests/parity/parity.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static gboolean quiet;
static JsonObject *torch; /* of torch_errors.py, or NULL */

static float
half_to_float (guint16 h)
{
  guint32 sign = (guint32) (h & 0x8000u) << 16, exponent = (h >> 10) & 31, mantissa = h & 1023;
  guint32 bits;
  float f;

  if (exponent == 0)
    {
      f = ldexpf ((float) mantissa, -24);
      return sign ? -f : f;
    }
  bits = exponent == 31 ? sign | 0x7f800000u | (mantissa << 13) : sign | ((exponent + 112) << 23) | (mantissa << 13);
  memcpy (&f, &bits, 4);
  return f;
}

static double
element (const EaselTensor *t, gint64 i)
{
  const char *p = (const char *) t->data + (gsize) i * easel_dtype_size (t->dtype);
  guint16 h;
  guint32 bits;
  gint32 i32;
  gint64 i64;
  float f;
  double d;

  switch (t->dtype)
    {
    case EASEL_DTYPE_F32:
      memcpy (&f, p, 4);
      return f;
    case EASEL_DTYPE_F64:
      memcpy (&d, p, 8);
      return d;
    case EASEL_DTYPE_F16:
      memcpy (&h, p, 2);
      return half_to_float (h);
    case EASEL_DTYPE_BF16:
      memcpy (&h, p, 2);
      bits = (guint32) h << 16;
      memcpy (&f, &bits, 4);
      return f;
    case EASEL_DTYPE_I32:
      memcpy (&i32, p, 4);
      return i32;
    case EASEL_DTYPE_I64:
      memcpy (&i64, p, 8);
      return (double) i64;
    case EASEL_DTYPE_U8:
    case EASEL_DTYPE_BOOL:
      return *(const guint8 *) p;
    default:
      return NAN;
    }
}

void
parity_row (ParityCase *c, const char *what, double error, double bound)
{
  gboolean pass = error <= bound; /* NaN: FALSE */

  c->n_compared++;
  if (!pass)
    c->n_failed++;
  if (!quiet || !pass)
    printf ("%-22s %-34s %10.3g %10.3g  %s\n", c->name, what, error, bound, pass ? "pass" : "FAIL");
}

static gboolean
wanted (ParityCase *c, const char *name, gint64 n, EaselTensor *out)
{
  char text[128];

  if (!easel_safetensors_find (c->tensors, name, out))
    {
      g_snprintf (text, sizeof text, "%s: not in the case", name);
      parity_row (c, text, NAN, 0);
      return FALSE;
    }
  if (easel_tensor_count (out) != n)
    {
      g_snprintf (text, sizeof text, "%s: %" G_GINT64_FORMAT " values, wanted %" G_GINT64_FORMAT, name, n,
                  (gint64) easel_tensor_count (out));
      parity_row (c, text, NAN, 0);
      return FALSE;
    }
  return TRUE;
}

void
parity_upload (EaselStream *s, EaselTensor to, const float *from)
{
  const size_t mark = easel_stream_mark (s);
  EaselTensor f32;

  if (to.dtype == EASEL_DTYPE_F32)
    {
      easel_upload (s, to, from);
      return;
    }
  f32 = easel_new (s, EASEL_DTYPE_F32, easel_tensor_count (&to));
  easel_upload (s, f32, from);
  easel_cast (s, .x = f32, .y = to);
  easel_stream_release (s, mark);
}

void
parity_download (EaselStream *s, float *to, EaselTensor from)
{
  const size_t mark = easel_stream_mark (s);
  EaselTensor f32 = from;

  if (from.dtype != EASEL_DTYPE_F32)
    {
      f32 = easel_new (s, EASEL_DTYPE_F32, easel_tensor_count (&from));
      easel_cast (s, .x = from, .y = f32);
    }
  easel_download (s, to, f32);
  easel_stream_release (s, mark);
}

/* What torch is off in the same precision: for the tensor, else for the worst of the case; 0: it has no figure. */
static double
torch_error (const ParityCase *c, const char *tensor)
{
  const char *precision = easel_dtype_name (c->device->act_dtype);
  JsonObject *cases = torch && json_object_has_member (torch, precision)
                          ? json_object_get_object_member (torch, precision)
                          : NULL;
  JsonObject *of = cases && json_object_has_member (cases, c->name) ? json_object_get_object_member (cases, c->name)
                                                                   : NULL;
  g_autoptr (GList) all = of ? json_object_get_members (of) : NULL;
  double worst = 0;

  if (of && json_object_has_member (of, tensor))
    return json_object_get_double_member (of, tensor);
  for (GList *l = all; l; l = l->next)
    worst = MAX (worst, json_object_get_double_member (of, l->data));
  return worst;
}

/* In 16 bits a model may be off twice what torch is in the same ones (torch-errors.json); without a figure of torch's
 * what several layers of roundings of 2^-9 and 2^-12 come to. Products of 8 bits: e4m3 rounds by up to 2^-4, 2^-4 /
 * sqrt (3) on average, both operands: a product is off by 5 %. s8 rounds by half of a 127th of a row's largest, which
 * is some three times its average: 1 %. What a few layers make of that in a residual stream is some times as much. */
static double
bound_for (const ParityCase *c, const char *tensor, double bound)
{
  double error;

  if (c->products < EASEL_N_DTYPES)
    return MAX (bound, c->products == EASEL_DTYPE_I8 ? 0.08 : 0.25);
  if (c->device->act_dtype == EASEL_DTYPE_F32)
    return bound;
  if ((error = torch_error (c, tensor)) > 0)
    return MAX (bound, 2 * error);
  return MAX (bound, c->device->act_dtype == EASEL_DTYPE_BF16 ? 4e-2 : 8e-3);
}

void
parity_check_rows (ParityCase *c, const char *want, const float *got, gint64 n_rows, gint64 row, const guint8 *keep,
                   double bound)
{
  EaselTensor t;
  double difference = 0, size = 0;

  if (!wanted (c, want, n_rows * row, &t))
    return;
  for (gint64 r = 0; r < n_rows; r++)
    for (gint64 i = r * row; (!keep || keep[r]) && i < (r + 1) * row; i++)
      {
        double w = element (&t, i), d = got[i] - w;
        difference += d * d;
        size += w * w;
      }
  parity_row (c, want, size > 0 ? sqrt (difference / size) : sqrt (difference), bound_for (c, want, bound));
}

void
parity_check (ParityCase *c, const char *want, const float *got, gint64 n, double bound)
{
  parity_check_rows (c, want, got, 1, n, NULL, bound);
}

void
parity_check_absolute (ParityCase *c, const char *want, const float *got, gint64 n, double bound)
{
  EaselTensor t;
  double largest = 0;

  if (!wanted (c, want, n, &t))
    return;
  for (gint64 i = 0; i < n; i++)
    {
      double d = fabs (got[i] - element (&t, i));
      if (!(d <= largest)) /* keeps a NaN */
        largest = d;
      if (isnan (d))
        break;
    }
  parity_row (c, want, largest, bound);
}

void
parity_check_ints (ParityCase *c, const char *want, const gint64 *got, gint64 n)
{
  EaselTensor t;
  gint64 differ = 0;

  if (!wanted (c, want, n, &t))
    return;
  for (gint64 i = 0; i < n; i++)
    differ += (double) got[i] != element (&t, i);
  parity_row (c, want, (double) differ, 0);
}

EaselWeights *
parity_weights (ParityCase *c, const char *dir, GError **error)
{
  EaselWeights *weights = easel_weights_open (dir, NULL, error);

  if (weights && c->products < EASEL_N_DTYPES)
    easel_weights_set_products (weights, c->products);
  return weights;
}

/* "cuda:bf16" and the like; NULL with a sentence. skip: the card is not there, or has no products of 8 bits. */
static EaselDevice *
open_device (const char *name, EaselDtype *products, gboolean *skip)
{
  g_auto (GStrv) parts = g_strsplit (name ? name : "cpu", ":", 2);
  const char *precision = parts[0] && parts[1] ? parts[1] : "fp32";
  EaselDevice *device = NULL;
  char why[256] = "it cannot be opened";

  *skip = FALSE;
  *products = !strcmp (precision, "fp8")    ? EASEL_DTYPE_F8_E4M3
              : !strcmp (precision, "int8") ? EASEL_DTYPE_I8
                                            : EASEL_N_DTYPES;
  if (!g_strcmp0 (parts[0], "cuda"))
    *skip = easel_cuda_device_open (NULL, &device, why, sizeof why) == EASEL_STATUS_UNSUPPORTED;
  else if (!g_strcmp0 (parts[0], "cpu") && !strcmp (precision, "fp32"))
    easel_cpu_device_open (0, &device);
  else if (!g_strcmp0 (parts[0], "cpu") && !strcmp (precision, "uploads"))
    {
      /* the processor holding weights of its own, as a card does */
      if (easel_cpu_device_open (0, &device) == EASEL_STATUS_OK)
        device->maps_weights = false;
    }
  else
    g_strlcpy (why, "there are cpu, cpu:uploads, cuda, and cuda: with fp32, bf16, fp16, fp8 or int8", sizeof why);
  if (device && *products < EASEL_N_DTYPES && !(device->product_dtypes >> *products & 1))
    {
      *skip = TRUE;
      g_snprintf (why, sizeof why, "%s has no products of %s", device->name, precision);
      easel_device_close (&device);
    }
  if (!device)
    {
      printf ("%s%s\n", *skip ? "SKIP: " : "parity: no such device: ", why);
      return NULL;
    }
  device->act_dtype = !strcmp (precision, "bf16") || *products < EASEL_N_DTYPES ? EASEL_DTYPE_BF16
                      : !strcmp (precision, "fp16") ? EASEL_DTYPE_F16
                                                    : EASEL_DTYPE_F32;
  return device;
}

static gboolean
find (ParityCase *c, const char *name, EaselTensor *t, GError **error)
{
  if (easel_safetensors_find (c->tensors, name, t))
    return TRUE;
  g_set_error (error, EASEL_ERROR, EASEL_ERROR_NOT_FOUND, "case %s has no tensor \"%s\"", c->name, name);
  return FALSE;
}

float *
parity_floats (ParityCase *c, const char *name, gint64 *n, GError **error)
{
  EaselTensor t;
  float *out;

  if (!find (c, name, &t, error))
    return NULL;
  out = g_new (float, easel_tensor_count (&t));
  for (gint64 i = 0; i < easel_tensor_count (&t); i++)
    out[i] = (float) element (&t, i);
  if (n)
    *n = easel_tensor_count (&t);
  return out;
}

gint64 *
parity_ints (ParityCase *c, const char *name, gint64 *n, GError **error)
{
  EaselTensor t;
  gint64 *out;

  if (!find (c, name, &t, error))
    return NULL;
  out = g_new (gint64, easel_tensor_count (&t));
  for (gint64 i = 0; i < easel_tensor_count (&t); i++)
    out[i] = (gint64) element (&t, i);
  if (n)
    *n = easel_tensor_count (&t);
  return out;
}

gboolean
parity_has (ParityCase *c, const char *name)
{
  EaselTensor t;
  return easel_safetensors_find (c->tensors, name, &t);
}

char *
parity_model_dir (ParityCase *c, const char *member, GError **error)
{
  const char *relative = NULL;

  if (json_object_has_member (c->meta, member))
    relative = json_object_get_string_member (c->meta, member);
  if (!relative)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_NOT_FOUND, "%s.json names no \"%s\"", c->name, member);
      return NULL;
    }
  return g_build_filename (c->dir, relative, NULL);
}

static const ParityFamily *
family_of (const char *name)
{
  const ParityFamily *tables[] = { parity_core, parity_text, parity_samplers, parity_sana, parity_cogvideox };

  for (gsize t = 0; t < G_N_ELEMENTS (tables); t++)
    for (const ParityFamily *f = tables[t]; f->pattern; f++)
      if (g_pattern_match_simple (f->pattern, name))
        return f;
  return NULL;
}

/* FALSE when something missed. */
static gboolean
run_case (const char *dir, const char *name, EaselDevice *device, EaselDtype products, int *n_compared)
{
  g_autofree char *json = g_strdup_printf ("%s/cases/%s.json", dir, name);
  g_autofree char *path = g_strdup_printf ("%s/cases/%s.safetensors", dir, name);
  g_autoptr (GError) error = NULL;
  g_autoptr (EaselSafetensors) tensors = easel_safetensors_open (path, &error);
  ParityCase c = { .dir = dir, .name = name, .tensors = tensors, .device = device,
                   .products = products };
  const ParityFamily *family = family_of (name);
  guint64 used_before = device->memory_used; /* the device keeps scratch */
  gboolean ran = FALSE;

  if (!family)
    {
      printf ("%-22s unknown case: no room has registered it  FAIL\n", name);
      return FALSE;
    }
  if (tensors)
    c.meta = easel_json_load (json, &error);
  if (c.meta)
    ran = family->run (&c, &error);
  if (!ran)
    printf ("%-22s %s  FAIL\n", name, error ? error->message : "did not run");
  else if (c.n_compared == 0)
    printf ("%-22s compared nothing  FAIL\n", name);
  if (device->memory_used != used_before)
    {
      printf ("%-22s left %" G_GUINT64_FORMAT " bytes of the device allocated  FAIL\n", name,
              device->memory_used - used_before);
      c.n_failed++;
    }
  g_clear_pointer (&c.meta, json_object_unref);
  *n_compared += c.n_compared;
  return ran && c.n_compared > 0 && c.n_failed == 0;
}

static int
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

int
main (int argc, char **argv)
{
  g_autofree char *only = NULL, *where = NULL, *errors = NULL;
  g_auto (GStrv) skip = NULL;
  GOptionEntry entries[] = {
    { "case", 'c', 0, G_OPTION_ARG_STRING, &only, "Only the cases that match", "GLOB" },
    { "skip", 's', 0, G_OPTION_ARG_STRING_ARRAY, &skip, "Not the cases that match; said in the output", "GLOB" },
    { "device", 'd', 0, G_OPTION_ARG_STRING, &where, "cpu (as without this), cuda, cuda:bf16, …", "DEVICE" },
    { "torch", 't', 0, G_OPTION_ARG_FILENAME, &errors, "What torch is off in 16 bits (torch_errors.py)", "FILE" },
    { "quiet", 'q', 0, G_OPTION_ARG_NONE, &quiet, "Print misses and the summary alone", NULL },
    { NULL },
  };
  g_autoptr (GOptionContext) context = g_option_context_new ("DIR");
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  g_autofree char *cases = NULL;
  GDir *listing;
  const char *entry;
  EaselDevice *device;
  EaselDtype products;
  gboolean no_card;
  int passed = 0, failed = 0, skipped = 0, compared = 0;

  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error) || argc != 2)
    {
      fprintf (stderr, "parity: %s\n", error ? error->message : "name the folder of reference cases");
      return 2;
    }
  cases = g_build_filename (argv[1], "cases", NULL);
  listing = g_dir_open (cases, 0, NULL);
  if (!listing)
    {
      printf ("SKIP: no reference cases in %s\n", argv[1]);
      return 77;
    }
  while ((entry = g_dir_read_name (listing)))
    if (g_str_has_suffix (entry, ".safetensors"))
      {
        char *name = g_strndup (entry, strlen (entry) - strlen (".safetensors"));

        if (!only || g_pattern_match_simple (only, name))
          g_ptr_array_add (names, name);
        else
          g_free (name);
      }
  g_dir_close (listing);
  g_ptr_array_sort (names, compare_names);

  if (errors && !(torch = easel_json_load (errors, &error)))
    {
      fprintf (stderr, "parity: %s\n", error->message);
      return 2;
    }
  if (!(device = open_device (where, &products, &no_card)))
    return no_card ? 77 : 2;
  printf ("device: %s, %s\n%-22s %-34s %10s %10s\n", device->name,
          easel_dtype_name (device->act_dtype), "case", "tensor", "error", "bound");
  for (guint i = 0; i < names->len; i++)
    {
      gboolean out = FALSE;

      for (int k = 0; skip && skip[k]; k++)
        out = out || g_pattern_match_simple (skip[k], names->pdata[i]);
      if (out)
        skipped++, printf ("%-22s left out as asked\n", (char *) names->pdata[i]);
      else if (run_case (argv[1], names->pdata[i], device, products, &compared))
        passed++;
      else
        failed++;
    }
  easel_device_close (&device);
  g_clear_pointer (&torch, json_object_unref);
  printf ("%d tensors compared\n%d passed, %d failed, %d skipped\n", compared, passed, failed, skipped);
  return failed ? 1 : passed ? 0 : 77;
}
