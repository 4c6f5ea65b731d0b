/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * libsentencepiece for C. Nothing here throws: what the library throws comes back as FAILED or NO_MEMORY.
 * Give it only models that easel_spm_model_read() has written.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define EASEL_SPM_NOEXCEPT noexcept
extern "C" {
#else
#define EASEL_SPM_NOEXCEPT
#endif

typedef struct EaselSpm EaselSpm;

typedef enum
{
  EASEL_SPM_OK,
  EASEL_SPM_NO_MEMORY,
  EASEL_SPM_FAILED, /* message says why, in the library's words */
} EaselSpmStatus;

/* Called for each token in order, with the bytes [begin, end) of the text it stands for. Must not throw or jump. */
typedef void (*EaselSpmToken) (void *user, int32_t id, uint32_t begin, uint32_t end);

/* A model from memory, which is copied. *out is the caller's; untouched on failure. message [message_size] is written
 * on FAILED. Any thread. */
EaselSpmStatus easel_spm_open (const void *data, size_t size, EaselSpm **out, char *message,
                               size_t message_size) EASEL_SPM_NOEXCEPT;
void easel_spm_free (EaselSpm *self) EASEL_SPM_NOEXCEPT;

/* Tokens of text [size], without special ones. Several threads may call it on one model at a time. */
EaselSpmStatus easel_spm_encode (const EaselSpm *self, const char *text, size_t size, EaselSpmToken token, void *user,
                                 char *message, size_t message_size) EASEL_SPM_NOEXCEPT;

#ifdef __cplusplus
}
#endif
