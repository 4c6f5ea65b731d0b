/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * fuzz-NAME [--runs N] [--seconds T] [--seed S] [--max BYTES] [--write-seeds DIR] [FILE | FOLDER …]
 *
 * Runs a target over mutations of its seeds and of the given files: the same numbers, the same inputs, everywhere. It
 * does not know what code it reaches; libFuzzer does (see README.md). The input that kills it is left in
 * fuzz-crash.bin; a FILE with --runs 0 is run as it is.
 */
#include <glib.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fcntl.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"

#define MAX_POOL 256

typedef struct
{
  guint8 *data;
  gsize size;
} Input;

static Input pool[MAX_POOL];
static guint n_pool, n_seeds;
static guint64 state;
static gsize max_size = 4096;
static Input current; /* for the signal handler */

int LLVMFuzzerInitialize (int *argc, char ***argv) __attribute__ ((weak));
void __sanitizer_set_death_callback (void (*callback) (void)) __attribute__ ((weak));

static void
save_input (void)
{
  int fd = open ("fuzz-crash.bin", O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (fd >= 0)
    {
      if (write (fd, current.data, current.size) == (ssize_t) current.size)
        (void) !write (2, "the input is in fuzz-crash.bin\n", 31);
      close (fd);
    }
}

static void
crash_cb (int number)
{
  save_input ();
  signal (number, SIG_DFL);
  raise (number);
}

/* splitmix64 */
static guint64
next_random (void)
{
  guint64 z = (state += G_GUINT64_CONSTANT (0x9e3779b97f4a7c15));
  z = (z ^ (z >> 30)) * G_GUINT64_CONSTANT (0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * G_GUINT64_CONSTANT (0x94d049bb133111eb);
  return z ^ (z >> 31);
}

static gsize
below (gsize n)
{
  return n ? (gsize) (next_random () % n) : 0;
}

/* At most `n` of a random length below `limit`. */
static gsize
some (gsize limit, gsize n)
{
  gsize length = below (limit);
  return MIN (length, n);
}

static void
add_input (const void *data, gsize size)
{
  if (n_pool < MAX_POOL)
    pool[n_pool++] = (Input){ g_memdup2 (data, size), size };
}

static void
add_path (const char *path)
{
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  const char *name;
  char *data;
  gsize size;
  if (!dir && g_file_get_contents (path, &data, &size, NULL))
    {
      add_input (data, size);
      g_free (data);
    }
  while (dir && (name = g_dir_read_name (dir)))
    {
      g_autofree char *child = g_build_filename (path, name, NULL);
      add_path (child);
    }
}

/* Replaces [at, at + gone) by `size` bytes. */
static void
replace (GByteArray *bytes, gsize at, gsize gone, const void *data, gsize size)
{
  g_autofree guint8 *copy = g_memdup2 (data, size); /* may point into `bytes` */
  if (gone)
    g_byte_array_remove_range (bytes, (guint) at, (guint) gone);
  g_byte_array_set_size (bytes, bytes->len + (guint) size);
  memmove (bytes->data + at + size, bytes->data + at, bytes->len - at - size);
  if (size)
    memcpy (bytes->data + at, copy, size);
}

static void
mutate_once (GByteArray *bytes)
{
  static const char *const WORDS[] = {
    "{", "}", "[", "]", "\"", ":", ",", "null", "true", "NaN", "-Infinity", "1e999", "-1", "0", "9223372036854775807",
    "18446744073709551616", "\\u0000", "\\ud800", "\n", "Steps: 1, ", "Negative prompt:", "../", "\xff", "\xe2\x80\xa6",
  };
  gsize n = bytes->len, at = below (n + 1);
  switch (below (9))
    {
    case 0:
      if (n)
        bytes->data[below (n)] ^= (guint8) (1 << below (8));
      break;
    case 1:
      if (n)
        bytes->data[below (n)] = (guint8) next_random ();
      break;
    case 2:
      replace (bytes, at, some (16, n - at), NULL, 0);
      break;
    case 3:
      {
        const char *word = WORDS[below (G_N_ELEMENTS (WORDS))];
        replace (bytes, at, below (2) ? MIN (strlen (word), n - at) : 0, word, strlen (word));
        break;
      }
    case 4:
      if (n)
        {
          gsize from = below (n);
          replace (bytes, at, 0, bytes->data + from, some (64, n - from));
        }
      break;
    case 5:
      {
        const Input *other = &pool[below (n_pool)];
        gsize from = below (other->size + 1);
        replace (bytes, at, below (2) ? n - at : 0, other->data + from, some (256, other->size - from));
        break;
      }
    case 6:
      {
        guint8 number[8];
        guint64 value = below (2) ? next_random () >> below (64) : (guint64) - (gint64) below (16);
        memcpy (number, &value, 8);
        gsize width = (gsize) 1 << below (4);
        replace (bytes, at, MIN (width, n - at), number, width);
        break;
      }
    case 7:
      {
        guint8 fill[32];
        memset (fill, (int) next_random (), sizeof fill);
        replace (bytes, at, 0, fill, below (sizeof fill));
        break;
      }
    default:
      g_byte_array_set_size (bytes, (guint) at);
    }
}

/* In a block of exactly its size, so that the address sanitizer sees a read past the end. */
static void
run_one (const guint8 *data, gsize size)
{
  current = (Input){ malloc (MAX (size, 1)), size };
  if (size)
    memcpy (current.data, data, size);
  LLVMFuzzerTestOneInput (current.data, size);
  free (current.data);
  current = (Input){ NULL, 0 };
}

static void
run_mutation (GByteArray *bytes)
{
  const Input *parent = &pool[below (n_pool)];
  g_byte_array_set_size (bytes, 0);
  g_byte_array_append (bytes, parent->data, (guint) parent->size);
  for (gsize k = 1 + below (5); k > 0; k--)
    mutate_once (bytes);
  if (bytes->len > max_size)
    g_byte_array_set_size (bytes, (guint) max_size);
  run_one (bytes->data, bytes->len);
  /* Now and then a mutation becomes a parent; seeds stay. */
  if (below (64) != 0 || bytes->len == 0)
    return;
  if (n_pool == MAX_POOL && n_seeds < MAX_POOL)
    {
      Input *slot = &pool[n_seeds + below (MAX_POOL - n_seeds)];
      g_free (slot->data);
      *slot = (Input){ g_memdup2 (bytes->data, bytes->len), bytes->len };
    }
  else
    add_input (bytes->data, bytes->len);
}

static void
write_seeds (const char *folder)
{
  for (guint i = 0; i < n_pool; i++)
    {
      g_autofree char *path = g_strdup_printf ("%s/seed-%03u", folder, i);
      if (!g_file_set_contents (path, (const char *) pool[i].data, (gssize) pool[i].size, NULL))
        fprintf (stderr, "cannot write %s\n", path);
    }
}

int
main (int argc, char **argv)
{
  gint64 runs = 10000, seconds = 0, seed = 1, most = 0, done = 0;
  g_autofree char *seeds_to = NULL;
  g_auto (GStrv) paths = NULL;
  const GOptionEntry entries[] = {
    { "runs", 0, 0, G_OPTION_ARG_INT64, &runs, "mutations to run", "N" },
    { "seconds", 0, 0, G_OPTION_ARG_INT64, &seconds, "stop after that time (0: never)", "T" },
    { "seed", 0, 0, G_OPTION_ARG_INT64, &seed, "of the random numbers", "S" },
    { "max", 0, 0, G_OPTION_ARG_INT64, &most, "longest input", "BYTES" },
    { "write-seeds", 0, 0, G_OPTION_ARG_FILENAME, &seeds_to, "write the seeds and end", "FOLDER" },
    { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &paths, NULL, "[FILE | FOLDER …]" },
    { NULL },
  };
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_autoptr (GError) error = NULL;
  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error))
    {
      fprintf (stderr, "%s\n", error->message);
      return 2;
    }
  if (LLVMFuzzerInitialize)
    LLVMFuzzerInitialize (&argc, &argv);
  max_size = most > 0 ? (gsize) most : max_size;
  const guint8 *data;
  gsize size;
  for (guint i = 0; easel_fuzz_seed && easel_fuzz_seed (i, &data, &size); i++)
    add_input (data, size);
  for (guint i = 0; paths && paths[i]; i++)
    add_path (paths[i]);
  if (n_pool == 0)
    add_input ("{}", 2);
  n_seeds = n_pool;
  if (seeds_to)
    {
      write_seeds (seeds_to);
      runs = 0;
    }
  signal (SIGABRT, crash_cb);
  signal (SIGTRAP, crash_cb);
  if (__sanitizer_set_death_callback)
    __sanitizer_set_death_callback (save_input);
  else
    signal (SIGSEGV, crash_cb);
  state = (guint64) seed;
  gint64 start = g_get_monotonic_time ();
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  for (guint i = 0; i < n_seeds; i++)
    run_one (pool[i].data, pool[i].size);
  while (done < runs && (seconds == 0 || g_get_monotonic_time () - start < seconds * 1000000))
    {
      run_mutation (bytes);
      done++;
    }
  printf ("%" G_GINT64_FORMAT " inputs in %.1f s\n", done + n_seeds, (double) (g_get_monotonic_time () - start) / 1e6);
  for (guint i = 0; i < n_pool; i++)
    g_free (pool[i].data);
  return 0;
}
