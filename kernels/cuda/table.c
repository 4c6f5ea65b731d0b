/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The module's table of operations. Weak: an operation whose file is not there yet is "not on" the card, in words.
 */
#include "cuda.h"

#include "module.h"

#define WEAK(name, Args) void easel_cuda_##name (EaselStream *s, const Args *a) __attribute__ ((weak));
EASEL_FOR_EACH_OP (WEAK)
#undef WEAK

#define ENTRY(name, Args) .name = easel_cuda_##name,
const EaselOps easel_cuda_ops = { EASEL_FOR_EACH_OP (ENTRY) };
#undef ENTRY
