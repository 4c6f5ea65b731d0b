/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * An NVIDIA driver of long ago, as far as CUDA's runtime asks: it is there, and knows CUDA 11.0. Compiled to
 * libcuda.so.1 and found before any other by test-old-driver.sh.
 */
#define EXPORT __attribute__ ((visibility ("default")))

EXPORT int cuInit (unsigned int flags);
EXPORT int cuDriverGetVersion (int *version);

int
cuInit (unsigned int flags)
{
  (void) flags;
  return 0;
}

int
cuDriverGetVersion (int *version)
{
  *version = 11000;
  return 0;
}
