/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The same operation on the CPU and on a card, on the same numbers. A case makes tensors of which it has one on each
 * side, issues the operation once for each side, and compares.
 */
#pragma once

#include "kernels/ops.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum
{
  CPU,
  CARD,
  SIDES
};

typedef struct
{
  EaselTensor on[SIDES];
} Both;

typedef struct
{
  EaselDevice *device[SIDES];
  EaselStream *s[SIDES];
  EaselDtype act; /* of the card; the CPU computes in f32 on the same numbers */
  uint64_t rng;
  const char *only; /* name of one operation, or NULL */
  int cases, failures, absent;
} Pair;

/* Uniform numbers in [lo, hi], rounded to the dtype they have on the card. Absent when n_dims is 0. */
Both pair_numbers (Pair *p, EaselDtype card, float lo, float hi, int n_dims, const int64_t *shape);
/* The same through easel_upload_weight(). */
Both pair_weight (Pair *p, EaselDtype card, float lo, float hi, int n_dims, const int64_t *shape);
/* A mask of bytes, each 1 with the chance given in percent. */
Both pair_mask (Pair *p, int percent, int64_t n);
Both pair_ids (Pair *p, int below, int64_t n);

#define SHAPE(...) (int) (sizeof ((int64_t[]){ __VA_ARGS__ }) / sizeof (int64_t)), (const int64_t[]){ __VA_ARGS__ }
#define ACT(p, ...) pair_numbers ((p), (p)->act, -1, 1, SHAPE (__VA_ARGS__))
#define F32(p, ...) pair_numbers ((p), EASEL_DTYPE_F32, -1, 1, SHAPE (__VA_ARGS__))
#define WEIGHT(p, ...) pair_weight ((p), (p)->act, -1, 1, SHAPE (__VA_ARGS__))
#define NONE ((Both){ 0 })

int pair_random (Pair *p, int below);

/* Begins a case: false when another operation was asked for. Ends with pair_end(), which gives the memory back. */
bool pair_begin (Pair *p, const char *op);

/* Fails unless |card - CPU| <= e (|CPU| + root mean square of CPU) for each element, e = slack times what a number of
 * the activations' dtype (f32: a sum of some hundreds) may be off. */
void pair_compare (Pair *p, const char *what, Both y, double slack);
void pair_end (Pair *p);

void test_rows (Pair *p);   /* test-cuda-rows.c */
void test_8bit (Pair *p);   /* test-cuda-8bit.c */
void test_models (Pair *p); /* test-cuda-models.c */
