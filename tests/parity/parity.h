/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The comparison with reference tensors, on the CPU or a card. `parity DIR` runs every case in a folder of the golden
 * layout (models/NAME/, cases/NAME.safetensors + NAME.json), prints a table and fails on any miss, unknown case or NaN.
 * Each room registers the families of cases it knows in its own parity-*.c.
 */
#pragma once

#include "engine/core/json.h"
#include "engine/core/weights.h"
#include "kernels/ops.h"

typedef struct
{
  const char *dir;  /* the folder given on the command line */
  const char *name; /* "gemma2", "e2e-sana-dpm" */
  JsonObject *meta; /* NAME.json */
  EaselSafetensors *tensors;
  EaselDevice *device; /* its act_dtype is what the models compute in */
  EaselDtype products; /* of 8 bits: f8_e4m3, i8, or EASEL_N_DTYPES: as all else */
  int n_compared, n_failed;
} ParityCase;

/* A case family: `pattern` is a glob on the case's name ("sana-*-tiny"). Runs and compares; FALSE with an error when it
 * could not even run. */
typedef struct
{
  const char *pattern;
  gboolean (*run) (ParityCase *c, GError **error);
} ParityFamily;

/* Tables, one a room, each ended by { NULL }. */
extern const ParityFamily parity_core[], parity_text[], parity_samplers[], parity_sana[], parity_cogvideox[];

/* ||got - want|| / ||want|| against `bound` (relative, for f32; 16-bit activations have bounds of their own); NaN or
 * Inf fails. `want`: the case's tensor of that name (any
 * float dtype, count n). Prints a row. */
void parity_check (ParityCase *c, const char *want, const float *got, gint64 n, double bound);
/* The same, only over rows [n_rows, row] where keep[row] != 0. */
void parity_check_rows (ParityCase *c, const char *want, const float *got, gint64 n_rows, gint64 row,
                        const guint8 *keep, double bound);
/* Largest absolute difference at most `bound`. */
void parity_check_absolute (ParityCase *c, const char *want, const float *got, gint64 n, double bound);
/* Exactly equal integers (i32/i64/u8 in the case). */
void parity_check_ints (ParityCase *c, const char *want, const gint64 *got, gint64 n);
/* A row for something computed by the case itself. */
void parity_row (ParityCase *c, const char *what, double error, double bound);

/* The weights in a folder, for the precision that was asked for. */
EaselWeights *parity_weights (ParityCase *c, const char *dir, GError **error);

/* Floats to a tensor of the stream in f32 or in the dtype of activations, and back; scratch from the arena. */
void parity_upload (EaselStream *s, EaselTensor to, const float *from);
void parity_download (EaselStream *s, float *to, EaselTensor from);

/* Copies of a case's tensor as f32 / i64; g_free. NULL with an error when it is absent. *n receives the count. */
float *parity_floats (ParityCase *c, const char *name, gint64 *n, GError **error);
gint64 *parity_ints (ParityCase *c, const char *name, gint64 *n, GError **error);
gboolean parity_has (ParityCase *c, const char *name);
/* dir + "/" + meta[member]; g_free. NULL with an error when absent. */
char *parity_model_dir (ParityCase *c, const char *member, GError **error);
