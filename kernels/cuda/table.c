/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The module's table of operations.
 */
#include "cuda.h"

#include "module.h"

#define ENTRY(name, Args) .name = easel_cuda_##name,
const EaselOps easel_cuda_ops = { EASEL_FOR_EACH_OP (ENTRY) };
#undef ENTRY
