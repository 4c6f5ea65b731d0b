/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/core/error.h"

G_DEFINE_QUARK (easel-error-quark, easel_error)

const char *
easel_error_code_name (EaselError code)
{
  switch (code)
    {
    case EASEL_ERROR_FAILED:
      return "failed";
    case EASEL_ERROR_CANCELLED:
      return "cancelled";
    case EASEL_ERROR_NO_MEMORY:
      return "no-memory";
    case EASEL_ERROR_BAD_REQUEST:
      return "bad-request";
    case EASEL_ERROR_NOT_FOUND:
      return "not-found";
    case EASEL_ERROR_DAMAGED:
      return "damaged";
    case EASEL_ERROR_UNSUPPORTED:
      return "unsupported";
    case EASEL_ERROR_IO:
      return "io";
    case EASEL_ERROR_DEVICE:
      return "device";
    case EASEL_ERROR_NETWORK:
      return "network";
    case EASEL_ERROR_ACCESS:
      return "access";
    }
  return "failed";
}

EaselError
easel_error_from_errno (int saved_errno)
{
  switch (saved_errno)
    {
    case ENOENT:
    case ENOTDIR:
      return EASEL_ERROR_NOT_FOUND;
    case ENOMEM:
      return EASEL_ERROR_NO_MEMORY;
    default:
      return EASEL_ERROR_IO;
    }
}

void
easel_status_to_error (EaselStatus status, const char *what, const char *detail, GError **error)
{
  switch (status)
    {
    case EASEL_STATUS_OK:
      break;
    case EASEL_STATUS_NO_MEMORY:
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_NO_MEMORY,
                   "%s ran out of memory (%s). Choose a smaller size, or close other programs.", what, detail);
      break;
    case EASEL_STATUS_BAD_SHAPE:
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_DAMAGED,
                   "%s met numbers that do not fit together (%s). The model's files may be damaged or mixed.", what,
                   detail);
      break;
    case EASEL_STATUS_UNSUPPORTED:
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_UNSUPPORTED, "%s needs what this device cannot do (%s).", what,
                   detail);
      break;
    case EASEL_STATUS_DEVICE:
      g_set_error (error, EASEL_ERROR, EASEL_ERROR_DEVICE, "%s failed on the device (%s). Start again.", what, detail);
      break;
    }
}

gboolean
easel_stream_check (EaselStream *stream, const char *what, GError **error)
{
  if (easel_stream_ok (stream))
    return TRUE;
  easel_status_to_error (stream->status, what, stream->message, error);
  return FALSE;
}
