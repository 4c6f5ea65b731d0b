/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See encoder.h.
 */
#include "engine/text/encoder.h"

#include <string.h>

#include "kernels/ops.h"

double
easel_encoder_optional (EaselFields *fields, const char *name, double fallback)
{
  if (json_object_has_member (fields->object, name) && json_object_get_null_member (fields->object, name))
    return 0;
  return easel_fields_double (fields, name, fallback);
}

gboolean
easel_encoder_begin (EaselStream *stream, EaselJob *job, int batch, int n, const gint32 *ids, int vocab, GError **error)
{
  if (!easel_encoder_check (stream, job, error))
    return FALSE;
  if (batch < 1 || n < 1 || batch > EASEL_ENCODER_MAX_TOKENS / n)
    {
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST, "The text encoder cannot read %d texts of %d tokens.",
                   batch, n);
      return FALSE;
    }
  if (easel_stream_is_dry (stream))
    return TRUE;
  for (int i = 0; i < batch * n; i++)
    if (ids[i] < 0 || ids[i] >= vocab)
      {
        g_set_error (error, EASEL_ERROR, EASEL_ERROR_DAMAGED,
                     "Token %d is not in the text encoder's vocabulary of %d: tokenizer and text_encoder are not of "
                     "one model.",
                     ids[i], vocab);
        return FALSE;
      }
  return TRUE;
}

EaselTensor
easel_encoder_upload (EaselStream *stream, EaselDtype dtype, int n_dims, const gint64 *shape, const void *src)
{
  EaselTensor t = easel_stream_alloc (stream, dtype, n_dims, shape);

  if (easel_stream_ok (stream) && !easel_stream_is_dry (stream))
    easel_upload (stream, t, src);
  return t;
}

/* Rows `ids` of a table on the host: a table of its own on the device, [n, C] act from the arena. */
static EaselTensor
fetch_rows (EaselStream *stream, EaselTensor table, const gint32 *ids, gint64 n)
{
  const gint64 C = table.shape[1];
  const gsize row = (gsize) C * easel_dtype_size (table.dtype);
  EaselTensor rows = easel_new (stream, stream->act_dtype, n, C);
  g_autofree char *host = NULL;

  if (easel_stream_is_dry (stream) || !easel_stream_ok (stream))
    return rows;
  if (!(host = g_try_malloc_n ((gsize) n, row)))
    {
      easel_stream_fail (stream, EASEL_STATUS_NO_MEMORY, "%d rows of a table", (int) n);
      return rows;
    }
  for (gint64 i = 0; i < n; i++)
    memcpy (host + i * row, (const char *) table.data + ids[i] * row, row);
  easel_upload_weight (stream, rows, host, table.dtype);
  return rows;
}

void
easel_encoder_embed (EaselStream *stream, EaselWeights *weights, EaselTensor table, const gint32 *ids, float scale,
                     EaselTensor y)
{
  const size_t mark = easel_stream_mark (stream);
  const gint64 n = easel_stream_ok (stream) ? easel_tensor_count (&y) / table.shape[1] : 1;
  g_autofree gint32 *in_order = NULL;
  EaselTensor device_ids;

  if (easel_weights_keeps_tables (weights))
    {
      table = fetch_rows (stream, table, ids, n);
      ids = in_order = g_new (gint32, n);
      for (gint64 i = 0; i < n; i++)
        in_order[i] = (gint32) i;
    }
  device_ids = easel_encoder_upload (stream, EASEL_DTYPE_I32, EASEL_SHAPE (n), ids);
  easel_embedding (stream, .ids = device_ids, .table = table, .y = y, .scale = scale);
  easel_stream_release (stream, mark);
}

void
easel_encoder_download (EaselStream *stream, EaselTensor x, float *out)
{
  size_t mark = easel_stream_mark (stream);

  if (x.dtype != EASEL_DTYPE_F32)
    {
      EaselTensor y = easel_stream_alloc (stream, EASEL_DTYPE_F32, x.n_dims, x.shape);

      easel_cast (stream, .x = x, .y = y);
      x = y;
    }
  if (easel_stream_ok (stream))
    easel_download (stream, out, x);
  easel_stream_release (stream, mark);
}

gboolean
easel_encoder_check (EaselStream *stream, EaselJob *job, GError **error)
{
  return easel_stream_check (stream, "Reading the prompt", error) && (job == NULL || easel_job_check (job, error));
}
