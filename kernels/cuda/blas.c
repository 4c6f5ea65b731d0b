/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "blas.h"

#include <dlfcn.h>
#include <stdio.h>

static const char *const NAMES[] = { "libcublasLt.so.13", "libcublasLt.so.12", NULL };

bool
easel_blas_open (EaselBlas *self, char *why, size_t why_size)
{
  *self = (EaselBlas){ 0 };
  for (int i = 0; NAMES[i] && !self->library; i++)
    self->library = dlopen (NAMES[i], RTLD_NOW | RTLD_LOCAL);
  if (!self->library)
    {
      snprintf (why, why_size, "The card cannot be used: cuBLASLt (%s) is not installed. Install the CUDA 13 runtime "
                               "libraries.", NAMES[0]);
      return false;
    }
#define LOOK_UP(name)                                                                                \
  if (!(self->name = (__typeof__ (self->name)) dlsym (self->library, #name)))                        \
    {                                                                                                \
      snprintf (why, why_size, "The card cannot be used: this cuBLASLt lacks %s. Install that of CUDA 13.", #name); \
      easel_blas_close (self);                                                                       \
      return false;                                                                                  \
    }
  EASEL_CUBLASLT_FOR_EACH (LOOK_UP)
#undef LOOK_UP
  return true;
}

void
easel_blas_close (EaselBlas *self)
{
  if (self->library)
    dlclose (self->library);
  self->library = NULL;
}
