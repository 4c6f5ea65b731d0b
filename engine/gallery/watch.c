/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The folder watched: a change starts a scan once it has been quiet for a moment. Which folders there are is found by
 * the scan, on its worker; the monitors belong to the main context.
 */
#include "engine/gallery/gallery-private.h"

#define QUIET_MS 400      /* after a change in the folder before it is looked at */
#define MAX_FOLDERS 2000  /* watched; a system hands out some thousands of watches to all programs together */

static void start_scan (EaselGallery *self);

static void
scan_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  GPtrArray *folders = g_ptr_array_new_with_free_func (g_free);

  /* A scan that fails (the folder is away) still says which folders it met. */
  easel_gallery_scan_folders (source, NULL, folders, cancellable, NULL);
  g_task_return_pointer (task, folders, (GDestroyNotify) g_ptr_array_unref);
}

static gboolean
quiet_cb (gpointer user_data)
{
  EaselGallery *self = user_data;

  self->rescan = 0;
  start_scan (self);
  return G_SOURCE_REMOVE;
}

static void
folder_changed_cb (GFileMonitor *monitor, GFile *file, GFile *other, GFileMonitorEvent event, EaselGallery *self)
{
  if (event == G_FILE_MONITOR_EVENT_ATTRIBUTE_CHANGED) /* our own stars and tags */
    return;
  g_clear_handle_id (&self->rescan, g_source_remove);
  self->rescan = g_timeout_add (QUIET_MS, quiet_cb, self);
}

static void
watch_folder (EaselGallery *self, const char *folder)
{
  g_autoptr (GFile) file = g_file_new_for_path (folder);
  GFileMonitor *monitor = g_file_monitor_directory (file, G_FILE_MONITOR_WATCH_MOVES, NULL, NULL);

  if (!monitor)
    return;
  g_signal_connect_object (monitor, "changed", G_CALLBACK (folder_changed_cb), self, 0);
  g_hash_table_insert (self->monitors, g_strdup (folder), monitor);
}

static void
scanned_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  EaselGallery *self = EASEL_GALLERY (source);
  g_autoptr (GPtrArray) folders = g_task_propagate_pointer (G_TASK (result), NULL);
  g_autoptr (GHashTable) there = g_hash_table_new (g_str_hash, g_str_equal);
  GHashTableIter iter;
  gpointer path;

  self->scanning = FALSE;
  if (!folders || !self->monitors)
    return;
  for (guint i = 0; i < folders->len; i++)
    {
      g_hash_table_add (there, folders->pdata[i]);
      if (!g_hash_table_contains (self->monitors, folders->pdata[i]) &&
          g_hash_table_size (self->monitors) < MAX_FOLDERS)
        watch_folder (self, folders->pdata[i]);
    }
  g_hash_table_iter_init (&iter, self->monitors);
  while (g_hash_table_iter_next (&iter, &path, NULL))
    if (!g_hash_table_contains (there, path))
      g_hash_table_iter_remove (&iter);
  if (self->scan_again)
    {
      self->scan_again = FALSE;
      start_scan (self);
    }
}

static void
start_scan (EaselGallery *self)
{
  g_autoptr (GTask) task = NULL;

  if (self->scanning)
    {
      self->scan_again = TRUE;
      return;
    }
  self->scanning = TRUE;
  task = g_task_new (self, self->scans, scanned_cb, NULL);
  g_task_run_in_thread (task, scan_thread);
}

void
easel_gallery_watch (EaselGallery *self)
{
  if (!self->monitors)
    {
      self->monitors = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_object_unref);
      watch_folder (self, self->folder); /* before the first scan, so that nothing falls between */
    }
  start_scan (self);
}
