/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One error domain for the whole engine. A message is a sentence that says what, where and what to do; it is written
 * in English and shown as it is by easel-cli; the desktop words the code itself and shows the message as detail.
 */
#pragma once

#include <errno.h>
#include <glib.h>

#include "kernels/device.h"

G_BEGIN_DECLS

typedef enum
{
  EASEL_ERROR_FAILED,      /* anything without a better code */
  EASEL_ERROR_CANCELLED,   /* the person asked */
  EASEL_ERROR_NO_MEMORY,   /* host or device; smaller size, another plan */
  EASEL_ERROR_BAD_REQUEST, /* a setting the model cannot do */
  EASEL_ERROR_NOT_FOUND,   /* a file, folder, model or name that is not there */
  EASEL_ERROR_DAMAGED,     /* a file that lies about itself or is cut short */
  EASEL_ERROR_UNSUPPORTED, /* a class, dtype or field this version does not know */
  EASEL_ERROR_IO,          /* reading or writing failed: full disk, no permission */
  EASEL_ERROR_DEVICE,      /* the accelerator failed */
  EASEL_ERROR_NETWORK,     /* the hub room only */
  EASEL_ERROR_ACCESS,      /* a gated or private repository */
} EaselError;

#define EASEL_ERROR (easel_error_quark ())
GQuark easel_error_quark (void);

/* The stable lower-case word of a code ("no-memory"), for --json and logs. */
const char *easel_error_code_name (EaselError code);

/* NOT_FOUND, NO_MEMORY or IO for what a system call left in errno. */
EaselError easel_error_from_errno (int saved_errno);

/* Sets `error` from a kernel's status (not OK). what: the phase in a person's words; detail: op, shapes, bytes. */
void easel_status_to_error (EaselStatus status, const char *what, const char *detail, GError **error);

/* TRUE when the stream is fine. Otherwise sets `error` from it (what: "Decoding", the phase in a person's words)
 * and returns FALSE. The stream keeps its error. */
gboolean easel_stream_check (EaselStream *stream, const char *what, GError **error);

G_END_DECLS
