/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a fuzz target offers. The same source is built for libFuzzer (clang) and with driver.c (any compiler).
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

/* Optional: the i-th seed, or 0 when there are no more. The driver starts from these; `--write-seeds DIR` gives them to
 * libFuzzer. */
int easel_fuzz_seed (unsigned i, const uint8_t **data, size_t *size) __attribute__ ((weak));
