/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * bench-gallery [N]: the real window over N pictures (100,000): how long until the first rows are on the screen, each
 * letter of a search, scrolling, memory. Needs a display; run it under tests/ui/uienv.sh. Times are of the main thread:
 * by the clock, and (in brackets) what the processor spent, which a busy machine does not stretch.
 */
#include "config-ui.h"

#include <glib/gstdio.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "engine/gallery/gallery-private.h"
#include "engine/media/image-file.h"
#include "ui/application.h"
#include "ui/gallery/gallery-cell.h"
#include "ui/gallery/gallery-grid.h"

#define TEMPLATES 64
#define FRAMES 300
#define STALL 16.0 /* milliseconds */

static const char typed[] = "balloon";
static int n_pictures = 100000;
static char *home;

/* ---- how long the main loop is busy between two waits ---- */

typedef struct
{
  double clock, processor;
} Busy;

static GPollFunc poll_before;
static struct timespec clock_left, processor_left;
static GArray *busy; /* Busy, NULL: nobody measures */

static double
since (clockid_t clock, const struct timespec *then)
{
  struct timespec now;

  clock_gettime (clock, &now);
  return (double) (now.tv_sec - then->tv_sec) * 1e3 + (double) (now.tv_nsec - then->tv_nsec) / 1e6;
}

static int
poll_measured (GPollFD *fds, guint n, int timeout)
{
  int result;

  if (busy)
    {
      Busy one = { since (CLOCK_MONOTONIC, &clock_left), since (CLOCK_THREAD_CPUTIME_ID, &processor_left) };
      g_array_append_val (busy, one);
    }
  result = poll_before (fds, n, timeout);
  clock_gettime (CLOCK_MONOTONIC, &clock_left);
  clock_gettime (CLOCK_THREAD_CPUTIME_ID, &processor_left);
  return result;
}

static void
start_measuring (void)
{
  busy = g_array_new (FALSE, FALSE, sizeof (Busy));
  clock_gettime (CLOCK_MONOTONIC, &clock_left);
  clock_gettime (CLOCK_THREAD_CPUTIME_ID, &processor_left);
}

static void
tell_busy (const char *what)
{
  double longest = 0, most = 0;
  guint stalls = 0, burnt = 0;

  for (guint i = 0; i < busy->len; i++)
    {
      const Busy *one = &g_array_index (busy, Busy, i);

      longest = MAX (longest, one->clock);
      most = MAX (most, one->processor);
      stalls += !(one->clock <= STALL);
      burnt += !(one->processor <= STALL);
    }
  printf ("%s: longest stall %.1f ms (%.1f ms of processor), over 16 ms: %u (%u) of %u\n", what, longest, most, stalls,
          burnt, busy->len);
  g_clear_pointer (&busy, g_array_unref);
}

static void
tell_memory (const char *what)
{
  g_autofree char *status = NULL;
  const char *now, *peak;

  g_file_get_contents ("/proc/self/status", &status, NULL, NULL);
  now = status ? strstr (status, "VmRSS:") : NULL;
  peak = status ? strstr (status, "VmHWM:") : NULL;
  printf ("%s: memory %.0f MiB, at most %.0f MiB\n", what, now ? g_ascii_strtod (now + 6, NULL) / 1024 : 0,
          peak ? g_ascii_strtod (peak + 6, NULL) / 1024 : 0);
}

/* ---- a gallery of that size ---- */

static char *
prompt_of (int i)
{
  static const char *const colours[] = { "red", "blue", "green", "yellow", "purple", "white", "black" };
  static const char *const things[] = { "balloon", "sailboat", "house",    "tree",
                                        "lighthouse", "fox",   "mountain", "cat" };
  static const char *const places[] = { "in the sky", "on the sea", "on a hill", "at dawn", "in a forest" };

  return g_strdup_printf ("a %s %s %s, number %d", colours[i % 7], things[(i / 7) % 8], places[(i / 56) % 5], i);
}

static void
make_templates (const char *folder)
{
  for (int t = 0; t < TEMPLATES; t++)
    {
      g_autoptr (EaselPicture) picture = easel_picture_new (512, 512, 1, NULL);
      g_autofree char *path = g_strdup_printf ("%s/.template-%d.png", folder, t);

      for (int i = 0; i < 512 * 512 * 3; i++)
        picture->rgb[i] = (guint8) ((i / 1536) * (t % 5 + 1) / 3 + (i % 1536) / 9 * (i % 3 + t % 3));
      easel_image_write (picture, path, NULL, NULL);
    }
}

/* Rows as a scan makes them, and files as hard links, so that the scan finds nothing to do. */
static void
fill (const char *folder, const char *database)
{
  sqlite3 *db = NULL;
  sqlite3_stmt *s = NULL;
  g_autoptr (GError) error = NULL;
  EaselGallery *gallery = easel_gallery_open (database, folder, NULL, &error); /* makes the tables */

  if (!gallery)
    g_printerr ("%s\n", error->message);
  make_templates (folder);
  for (int i = 0; i < n_pictures; i++)
    {
      g_autofree char *from = g_strdup_printf ("%s/.template-%d.png", folder, i % TEMPLATES);
      g_autofree char *name = g_strdup_printf ("%06d.png", i);
      g_autofree char *to = g_build_filename (folder, name, NULL);
      g_autofree char *prompt = prompt_of (i);
      g_autofree char *sql = NULL;
      struct stat st;

      if (link (from, to) != 0 || stat (to, &st) != 0)
        continue;
      /* The connection that knows the tokenizer is the gallery's own. */
      if (!db)
        {
          db = easel_gallery_begin_write (gallery);
          easel_gallery_run (db, "BEGIN", NULL);
        }
      if (!s)
        sqlite3_prepare_v2 (db, "INSERT INTO item (path, kind, width, height, frames, bytes, mtime, created, model,"
                                " sampler, prompt, negative, steps, guidance, seed, stars)"
                                " VALUES (?, 0, 512, 512, 1, ?, ?, ?, 'sana-1.6b', 'flow-dpm++', ?, '', 20, 4.5, ?, ?)",
                            -1, &s, NULL);
      sqlite3_reset (s);
      sqlite3_bind_text (s, 1, name, -1, SQLITE_STATIC);
      sqlite3_bind_int64 (s, 2, st.st_size);
      sqlite3_bind_int64 (s, 3, (gint64) st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec);
      sqlite3_bind_int64 (s, 4, 1700000000 + i);
      sqlite3_bind_text (s, 5, prompt, -1, SQLITE_STATIC);
      sqlite3_bind_int64 (s, 6, i);
      sqlite3_bind_int (s, 7, i % 17 == 0 ? i % 5 + 1 : 0);
      sqlite3_step (s);
    }
  sqlite3_finalize (s);
  easel_gallery_run (db, "COMMIT", NULL);
  easel_gallery_end_write (gallery);
  g_object_unref (gallery);
}

/* The query alone, on this thread. */
static void
measure_queries (const char *index, const char *folder)
{
  g_autoptr (EaselGallery) gallery = easel_gallery_open (index, folder, NULL, NULL);
  const char *words[] = { "", "b", "ba", "balloon", "a", "red fox", "99" };

  for (gsize i = 0; gallery && i < G_N_ELEMENTS (words); i++)
    {
      EaselGalleryQuery query = EASEL_GALLERY_QUERY_INIT;
      double best = G_MAXDOUBLE;
      guint n = 0;

      query.text = words[i];
      for (int run = 0; run < 5; run++)
        {
          g_autoptr (GArray) ids = NULL;
          struct timespec start;

          clock_gettime (CLOCK_THREAD_CPUTIME_ID, &start);
          ids = easel_gallery_query (gallery, &query, NULL);
          best = MIN (best, since (CLOCK_THREAD_CPUTIME_ID, &start));
          n = ids ? ids->len : 0;
        }
      printf ("  query \"%s\": %u found, %.1f ms of processor\n", words[i], n, best);
    }
}

/* ---- in the window ---- */

static GtkWidget *
find_widget (GtkWidget *widget, const char *type)
{
  if (g_str_equal (G_OBJECT_TYPE_NAME (widget), type))
    return widget;
  for (GtkWidget *child = gtk_widget_get_first_child (widget); child; child = gtk_widget_get_next_sibling (child))
    {
      GtkWidget *found = find_widget (child, type);

      if (found)
        return found;
    }
  return NULL;
}

static guint
count_tiles (GtkWidget *widget)
{
  guint n = 0;

  if (EASEL_IS_GALLERY_CELL (widget))
    {
      EaselGalleryObject *object = easel_gallery_cell_get_object (EASEL_GALLERY_CELL (widget));
      return object && easel_gallery_object_get_tile (object) ? 1 : 0;
    }
  for (GtkWidget *child = gtk_widget_get_first_child (widget); child; child = gtk_widget_get_next_sibling (child))
    n += count_tiles (child);
  return n;
}

static gboolean
late_cb (gpointer late)
{
  *(gboolean *) late = TRUE;
  return G_SOURCE_CONTINUE;
}

/* Runs the loop until the condition holds, at most 30 seconds. */
#define RUN_UNTIL(condition)                                              \
  do                                                                      \
    {                                                                     \
      gboolean late = FALSE;                                              \
      guint timer = g_timeout_add_seconds (30, late_cb, &late);           \
      while (!(condition) && !late)                                       \
        g_main_context_iteration (NULL, TRUE);                            \
      g_source_remove (timer);                                            \
    }                                                                     \
  while (0)

static gboolean
stop_cb (gpointer stopped)
{
  *(gboolean *) stopped = TRUE;
  return G_SOURCE_REMOVE;
}

static void
run_for (guint milliseconds)
{
  gboolean stopped = FALSE;

  g_timeout_add (milliseconds, stop_cb, &stopped);
  while (!stopped)
    g_main_context_iteration (NULL, TRUE);
}

static void
changed_cb (gboolean *changed)
{
  *changed = TRUE;
}

static void
measure_search (GtkWidget *page, GtkWidget *view)
{
  GtkWidget *entry = find_widget (page, "GtkSearchEntry");
  GListModel *list = G_LIST_MODEL (gtk_grid_view_get_model (GTK_GRID_VIEW (view)));
  double longest = 0;

  for (gsize n = 1; n < sizeof typed; n++)
    {
      g_autofree char *words = g_strndup (typed, n);
      gboolean changed = FALSE;
      gulong handler = g_signal_connect_swapped (list, "items-changed", G_CALLBACK (changed_cb), &changed);
      struct timespec start;
      double taken;

      clock_gettime (CLOCK_MONOTONIC, &start);
      gtk_editable_set_text (GTK_EDITABLE (entry), words);
      if (n == 1 || n == 2) /* the letters that change what is found; later ones find the same */
        RUN_UNTIL (changed);
      else
        run_for (60);
      taken = changed ? since (CLOCK_MONOTONIC, &start) : 0;
      if (n > 2)
        taken = 0;
      longest = MAX (longest, taken);
      printf ("  \"%s\": %u found%s\n", words, g_list_model_get_n_items (list), taken > 0 ? "" : ", the same");
      if (taken > 0)
        printf ("    %.1f ms\n", taken);
      g_signal_handler_disconnect (list, handler);
    }
  printf ("search as you type: at most %.1f ms from the key to the list\n", longest);
  gtk_editable_set_text (GTK_EDITABLE (entry), "");
  RUN_UNTIL (g_list_model_get_n_items (list) == (guint) n_pictures);
}

typedef struct
{
  GtkAdjustment *adjustment;
  int left;
} Scroll;

static gboolean
scroll_cb (GtkWidget *widget, GdkFrameClock *clock, gpointer user_data)
{
  Scroll *scroll = user_data;

  gtk_adjustment_set_value (scroll->adjustment, gtk_adjustment_get_value (scroll->adjustment) + 60);
  return --scroll->left > 0 ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
}

static void
measure (GtkWindow *window)
{
  GtkWidget *page = find_widget (GTK_WIDGET (window), "EaselGalleryPage");
  GtkWidget *view = find_widget (find_widget (page, "EaselGalleryGrid"), "GtkGridView");
  Scroll scroll = { easel_gallery_grid_get_adjustment (EASEL_GALLERY_GRID (find_widget (page, "EaselGalleryGrid"))),
                    FRAMES };
  struct timespec start;

  clock_gettime (CLOCK_MONOTONIC, &start);
  gtk_widget_activate_action (GTK_WIDGET (window), "win.show-page", "s", "gallery");
  RUN_UNTIL (count_tiles (view) >= 12);
  printf ("from the window's first moment to the first rows: %.0f ms\n", since (CLOCK_MONOTONIC, &start));
  run_for (1500); /* the scan of the folder goes on meanwhile */
  tell_memory ("opened");
  measure_search (page, view);
  run_for (500);
  start_measuring ();
  gtk_widget_add_tick_callback (view, scroll_cb, &scroll, NULL);
  RUN_UNTIL (scroll.left <= 0);
  tell_busy ("scrolling 300 frames");
  run_for (300);
  start_measuring ();
  gtk_adjustment_set_value (scroll.adjustment, gtk_adjustment_get_upper (scroll.adjustment) * 0.7);
  run_for (1500);
  tell_busy ("jumping to 70 %");
  tell_memory ("scrolled");
}

static gboolean
start_cb (gpointer application)
{
  measure (gtk_application_get_active_window (application));
  g_application_quit (application);
  return G_SOURCE_REMOVE;
}

static void
activated_cb (GApplication *application)
{
  g_idle_add (start_cb, application);
}

int
main (int argc, char **argv)
{
  g_autoptr (EaselApplication) application = NULL;
  g_autoptr (EaselHubSettings) hub = NULL;
  g_autofree char *folder = NULL, *data = NULL, *index = NULL, *schemas = NULL;
  const char *roots[] = { NULL };
  char *remove[] = { (char *) "rm", (char *) "-rf", NULL, NULL };
  EaselApplicationSettings settings = { 0 };
  struct timespec start;
  int status;

  setvbuf (stdout, NULL, _IOLBF, 0);
  if (argc > 1)
    n_pictures = (int) g_ascii_strtoll (argv[1], NULL, 10);
  home = g_dir_make_tmp ("easel-bench-XXXXXX", NULL);
  folder = g_build_filename (home, "pictures", NULL);
  data = g_build_filename (home, "data", NULL);
  index = g_build_filename (data, "gallery.sqlite", NULL);
  schemas = g_build_filename (g_getenv ("EASEL_BUILD"), "data", NULL);
  g_setenv ("GSETTINGS_SCHEMA_DIR", schemas, TRUE);
  g_setenv ("GSETTINGS_BACKEND", "memory", TRUE);
  g_setenv ("XDG_CACHE_HOME", home, TRUE);
  fill (folder, index);
  clock_gettime (CLOCK_MONOTONIC, &start);
  g_object_unref (easel_gallery_open (index, folder, NULL, NULL));
  printf ("%d pictures; the index opens in %.0f ms\n", n_pictures, since (CLOCK_MONOTONIC, &start));
  measure_queries (index, folder);
  settings.model_roots = roots;
  settings.pictures_folder = folder;
  settings.data_folder = data;
  hub = easel_hub_settings_new (data);
  hub->offline = TRUE;
  settings.hub.base = hub;
  application = easel_application_new (&settings);
  g_signal_connect_after (application, "activate", G_CALLBACK (activated_cb), NULL);
  poll_before = g_main_context_get_poll_func (NULL);
  g_main_context_set_poll_func (NULL, poll_measured);
  status = g_application_run (G_APPLICATION (application), 1, argv);
  g_clear_object (&application);
  remove[2] = home;
  g_spawn_sync (NULL, remove, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, NULL, NULL);
  return status;
}
