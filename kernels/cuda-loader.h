/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * NVIDIA cards, through a module that is looked for at run time. A program without it, without a driver or with a card
 * that is too old gets a sentence and goes on with the CPU.
 */
#pragma once

#include "device.h"

typedef struct
{
  const char *module; /* path of libeasel-cuda.so; NULL: beside the program, in the build tree, where it is installed */
  int index;          /* which card, as CUDA counts them */
  bool portable;      /* tests: no kernels that only some cards can run */
} EaselCudaSettings;

/* Opens a card. *out is owned by the caller; act_dtype is f32 until somebody chooses (easel_stream_set_act()).
 * UNSUPPORTED (no module, no driver, no card, too old a card or driver), NO_MEMORY (others hold the card's memory) or
 * DEVICE: `why` (size > 0) is then a sentence for the person, and *out is untouched. settings may be NULL. Any
 * thread. */
EaselStatus easel_cuda_device_open (const EaselCudaSettings *settings, EaselDevice **out, char *why, size_t why_size);
