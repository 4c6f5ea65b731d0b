/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tensor.h"

#include <stdio.h>
#include <string.h>

static const struct
{
  const char *name;
  size_t size;
} dtypes[EASEL_N_DTYPES] = {
  [EASEL_DTYPE_F32] = { "f32", 4 },         [EASEL_DTYPE_F16] = { "f16", 2 },   [EASEL_DTYPE_BF16] = { "bf16", 2 },
  [EASEL_DTYPE_F64] = { "f64", 8 },         [EASEL_DTYPE_F8_E4M3] = { "f8_e4m3", 1 },
  [EASEL_DTYPE_F8_E5M2] = { "f8_e5m2", 1 }, [EASEL_DTYPE_I8] = { "i8", 1 },     [EASEL_DTYPE_U8] = { "u8", 1 },
  [EASEL_DTYPE_I16] = { "i16", 2 },         [EASEL_DTYPE_U16] = { "u16", 2 },   [EASEL_DTYPE_I32] = { "i32", 4 },
  [EASEL_DTYPE_U32] = { "u32", 4 },         [EASEL_DTYPE_I64] = { "i64", 8 },   [EASEL_DTYPE_U64] = { "u64", 8 },
  [EASEL_DTYPE_BOOL] = { "bool", 1 },
};

size_t
easel_dtype_size (EaselDtype dtype)
{
  return (unsigned) dtype < EASEL_N_DTYPES ? dtypes[dtype].size : 0;
}

const char *
easel_dtype_name (EaselDtype dtype)
{
  return (unsigned) dtype < EASEL_N_DTYPES ? dtypes[dtype].name : "unknown";
}

EaselTensor
easel_tensor (void *data, EaselDtype dtype, int n_dims, const int64_t *shape)
{
  EaselTensor self = { .data = data, .dtype = dtype };

  if (n_dims < 0 || n_dims > EASEL_MAX_DIMS)
    return EASEL_NO_TENSOR;
  self.n_dims = n_dims;
  for (int i = 0; i < n_dims; i++)
    self.shape[i] = shape[i];
  return self;
}

int64_t
easel_tensor_count (const EaselTensor *self)
{
  int64_t count = 1;

  if (!self->data)
    return 0;
  for (int i = 0; i < self->n_dims; i++)
    count *= self->shape[i];
  return count;
}

size_t
easel_tensor_bytes (const EaselTensor *self)
{
  return (size_t) easel_tensor_count (self) * easel_dtype_size (self->dtype);
}

EaselTensor
easel_tensor_reshape (EaselTensor self, int n_dims, const int64_t *shape)
{
  EaselTensor other = easel_tensor (self.data, self.dtype, n_dims, shape);

  other.scales = self.scales;
  return other;
}

bool
easel_dtype_is_scaled (EaselDtype dtype)
{
  return dtype == EASEL_DTYPE_F8_E4M3 || dtype == EASEL_DTYPE_I8;
}

int64_t
easel_tensor_n_rows (const EaselTensor *self)
{
  return self->data && self->n_dims > 0 ? easel_tensor_count (self) / self->shape[self->n_dims - 1] : 0;
}

EaselTensor
easel_tensor_rows (EaselTensor self, int64_t start, int64_t n)
{
  int64_t row = 1;

  if (!self.data || self.n_dims < 1)
    return EASEL_NO_TENSOR;
  for (int i = 1; i < self.n_dims; i++)
    row *= self.shape[i];
  if (self.scales)
    self.scales += start * (row / self.shape[self.n_dims - 1]);
  self.data = (char *) self.data + (size_t) (start * row) * easel_dtype_size (self.dtype);
  self.shape[0] = n;
  return self;
}

const char *
easel_tensor_describe (const EaselTensor *self, char *buf, size_t size)
{
  size_t n;

  if (size == 0)
    return buf;
  if (!self->data)
    {
      snprintf (buf, size, "absent");
      return buf;
    }
  snprintf (buf, size, "[");
  for (int i = 0; i < self->n_dims; i++)
    {
      n = strlen (buf);
      snprintf (buf + n, size - n, "%s%lld", i ? ", " : "", (long long) self->shape[i]);
    }
  n = strlen (buf);
  snprintf (buf + n, size - n, "] %s", easel_dtype_name (self->dtype));
  return buf;
}
