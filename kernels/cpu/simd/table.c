/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "simd.h"

extern const EaselOps ISA (ops);

#define SIMD_ENTRY(name, Args) .name = ISA (name),
const EaselOps ISA (ops) = { EASEL_FOR_EACH_OP (SIMD_ENTRY) };
#undef SIMD_ENTRY
