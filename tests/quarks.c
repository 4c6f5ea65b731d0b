/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Part of every program in a build with AddressSanitizer, and of no other. GLib keeps the words it numbers (quarks)
 * in one table that grows by 2048 places; the old table is left behind on purpose, since threads read it without a lock
 * (glib/gquark.c, quark_new). A program that starts GStreamer has about 2000 of them: whether one of 16384 bytes is
 * found without an owner depends on the plugins that are installed and on what happens to be on a stack. A suppression
 * file cannot name it: libglib has no frame pointers, so the trace ends at g_malloc, and unwinding every allocation
 * exactly costs 12 microseconds each. So the tables, and nothing else of their sizes, are pointed out as they are made.
 */
#include <dlfcn.h>
#include <execinfo.h>
#include <string.h>

#include <glib.h>
#include <sanitizer/lsan_interface.h>

/* sanitizer/allocator_interface.h, which gcc does not install. */
int __sanitizer_install_malloc_and_free_hooks (void (*malloc_hook) (const volatile void *, size_t),
                                               void (*free_hook) (const volatile void *));

#define TABLE (2048 * sizeof (char *))
#define MOST_TABLES 32
#define N_FRAMES 12

/* The first table is made when libglib is loaded, before main and before any constructor of the program. */
static gboolean loading = TRUE;

static gboolean
made_for_quarks (void)
{
  void *frames[N_FRAMES];
  const int n = backtrace (frames, N_FRAMES);

  for (int i = 0; i < n; i++)
    {
      Dl_info at;

      if (dladdr (frames[i], &at) && at.dli_sname
          && (g_str_has_prefix (at.dli_sname, "g_quark_from_") || g_str_has_prefix (at.dli_sname, "g_intern_")))
        return TRUE;
    }
  return FALSE;
}

static void
allocated_cb (const volatile void *p, size_t size)
{
  if (size % TABLE == 0 && size > 0 && size <= MOST_TABLES * TABLE && (loading || made_for_quarks ()))
    __lsan_ignore_object ((const void *) p);
}

static void
freed_cb (const volatile void *p G_GNUC_UNUSED)
{
}

static void
watch (void)
{
  __sanitizer_install_malloc_and_free_hooks (allocated_cb, freed_cb);
}

/* Runs before the constructors of libraries. */
__attribute__ ((section (".preinit_array"), used)) static void (*const before_libraries) (void) = watch;

__attribute__ ((constructor)) static void
loaded (void)
{
  loading = FALSE;
}
