/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Compares an op with a naive reference in double, at every level this processor has and with 1, 2 and 3 threads.
 * All memory of a case lies directly before a page that faults, so that a kernel which reads or writes one element too
 * far is caught at once; starts are therefore odd, as in mapped files.
 */
#pragma once

#include "kernels/half.h"
#include "kernels/ops.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

typedef void (*HarnessIssue) (EaselStream *s, const void *data);

/* Memory before a guard page; freed by harness_end(). */
void *harness_memory (size_t bytes);

/* A tensor of normal-like numbers (exactly those of its dtype), times `spread`, plus `offset`. */
EaselTensor harness_random (EaselDtype dtype, double spread, double offset, int n_dims, const int64_t *shape);
#define RANDOM(dtype, spread, ...) \
  harness_random (EASEL_DTYPE_##dtype, spread, 0, (int) (sizeof ((int64_t[]){ __VA_ARGS__ }) / sizeof (int64_t)), \
                  (const int64_t[]){ __VA_ARGS__ })
EaselTensor harness_empty (EaselDtype dtype, int n_dims, const int64_t *shape);
#define EMPTY(dtype, ...)                                                                                        \
  harness_empty (EASEL_DTYPE_##dtype, (int) (sizeof ((int64_t[]){ __VA_ARGS__ }) / sizeof (int64_t)), \
                 (const int64_t[]){ __VA_ARGS__ })

/* Element i as double; of a scaled tensor what it stands for. */
double harness_at (const EaselTensor *t, int64_t i);
double harness_act (double x, EaselAct act);

/* Doubles for the expected result, freed by harness_end(). NAN: must not be written. */
double *harness_want (int64_t n);

/* Runs `issue`, which writes y (n elements from its start; y keeps its contents as input of in-place ops), and fails
 * unless |got - want| <= tolerance * (|want| + root mean square of want) for every element. */
void harness_check (const char *name, HarnessIssue issue, const void *data, EaselTensor y, const double *want,
                    int64_t n, double tolerance);

void harness_end (void);
int harness_random_int (int below);

/* Exit status: 0, or 1 when something failed. */
int harness_finish (void);
void harness_fail (const char *format, ...) __attribute__ ((format (printf, 1, 2)));
