/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Which device a program computes on, and in which numbers a model computes there.
 */
#pragma once

#include <glib.h>

#include "engine/core/weights.h"
#include "kernels/device.h"

G_BEGIN_DECLS

/* name: "cpu"; "cuda" or "cuda:N", the N-th card; NULL or "auto": a card when one can be used, else the CPU. threads:
 * of the CPU, 0 one per core. card_limit: bytes of a card that may be used, 0 whatever is free.
 * *note (may be NULL) receives, when "auto" chose the CPU although there is a card, a sentence that says why; g_free.
 * UNSUPPORTED (a name that is none; no card, driver or module), NO_MEMORY or DEVICE: sentences. */
EaselDevice *easel_devices_open (const char *name, int threads, guint64 card_limit, char **note, GError **error);

/* Precisions, as requests have them: "f32", "bf16", "f16"; "fp8" and "int8": the products of transformers and text
 * encoders are those of 8-bit numbers with a scale for each row, all else is in 16 bits as the model was trained. NULL:
 * as the model was trained. */

/* TRUE when the device computes in it, or in 16 bits instead (a card without products of 8 bits, see
 * easel_devices_precision_note()); else BAD_REQUEST. */
gboolean easel_devices_check_precision (EaselDevice *device, const char *precision, GError **error);

/* A clause for the person when the device computes in more bits than were asked for, else NULL. g_free. */
char *easel_devices_precision_note (EaselDevice *device, const char *precision);

/* What a model stored as `stored` computes in. range: it was made for more range than f16 has, and is given bf16. */
EaselDtype easel_devices_compute_dtype (EaselDevice *device, const char *precision, EaselDtype stored, gboolean range);

/* The same for a component's weights, which become that where they are uploaded (those of products 8 bits, when asked
 * for), and are counted so. expected: their bytes, when a dry run has counted them; else 0. */
EaselDtype easel_devices_choose_dtype (EaselDevice *device, const char *precision, EaselWeights *weights,
                                       gboolean range, guint64 expected);

G_END_DECLS
