/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cuda-loader.h"

#include "cuda/module.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NAME "libeasel-cuda.so"

/* Where the module may lie, seen from the program's folder: installed beside each other, then a build tree. */
static const char *const PLACES[] = { "", "../lib/easel/", "../kernels/cuda/", "../../kernels/cuda/", NULL };

static bool
exists (const char *path)
{
  return access (path, R_OK) == 0;
}

/* The path of the module into `out` (PATH_MAX); false when there is none. */
static bool
find_module (char *out)
{
  char program[PATH_MAX];
  ssize_t n = readlink ("/proc/self/exe", program, sizeof program - 1);

  if (n > 0)
    {
      char *slash;

      program[n] = '\0';
      if ((slash = strrchr (program, '/')))
        slash[1] = '\0';
      for (int i = 0; slash && PLACES[i]; i++)
        if (snprintf (out, PATH_MAX, "%s%s%s", program, PLACES[i], NAME) < PATH_MAX && exists (out))
          return true;
    }
  snprintf (out, PATH_MAX, "%s/%s", EASEL_MODULE_DIR, NAME);
  return exists (out);
}

/* The module's table, or NULL with a sentence. The module stays in memory: CUDA does not like to be unloaded. */
static const EaselCudaModule *
open_module (const char *path, char *why, size_t size)
{
  const EaselCudaModule *module;
  void *handle = dlopen (path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);

  if (!handle)
    {
      snprintf (why, size, "The CUDA module cannot be opened: %s.", dlerror ());
      return NULL;
    }
  module = dlsym (handle, EASEL_CUDA_MODULE_SYMBOL);
  dlclose (handle);
  if (module && module->abi == EASEL_CUDA_MODULE_ABI && module->size_stream == sizeof (EaselStream) &&
      module->size_device == sizeof (EaselDevice) && module->size_backend == sizeof (EaselBackend) &&
      module->size_ops == sizeof (EaselOps) && module->size_tensor == sizeof (EaselTensor))
    return module;
  snprintf (why, size, "%s belongs to another version of Easel. Install both from the same package.", path);
  return NULL;
}

EaselStatus
easel_cuda_device_open (const EaselCudaSettings *settings, EaselDevice **out, char *why, size_t why_size)
{
  const EaselCudaSettings defaults = { 0 };
  const EaselCudaSettings *s = settings ? settings : &defaults;
  const EaselCudaModule *module;
  char path[PATH_MAX];

  why[0] = '\0';
  if (s->module)
    snprintf (path, sizeof path, "%s", s->module);
  else if (!find_module (path))
    {
      snprintf (why, why_size, "Easel was built or installed without its CUDA module (%s).", NAME);
      return EASEL_STATUS_UNSUPPORTED;
    }
  if (!(module = open_module (path, why, why_size)))
    return EASEL_STATUS_UNSUPPORTED;
  return module->open (s->index, s->portable, out, why, why_size);
}
