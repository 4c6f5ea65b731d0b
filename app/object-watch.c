/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "app/object-watch.h"

/* Type names of what is still there, and how many are not. */
static GHashTable *alive; /* object -> name of its type, borrowed from the type system */
static guint n_finalised;

static void
gone_cb (gpointer data G_GNUC_UNUSED, GObject *where)
{
  if (g_hash_table_remove (alive, where))
    n_finalised++;
}

static void
watch (GtkWidget *widget)
{
  const char *name = G_OBJECT_TYPE_NAME (widget);

  if (g_str_has_prefix (name, "Easel") && g_hash_table_insert (alive, widget, (gpointer) name))
    g_object_weak_ref (G_OBJECT (widget), gone_cb, NULL);
  for (GtkWidget *child = gtk_widget_get_first_child (widget); child; child = gtk_widget_get_next_sibling (child))
    watch (child);
}

static gboolean
close_request_cb (GtkWindow *window, gpointer user_data G_GNUC_UNUSED)
{
  watch (GTK_WIDGET (window));
  return FALSE;
}

static void
window_added_cb (GtkApplication *application G_GNUC_UNUSED, GtkWindow *window, gpointer user_data G_GNUC_UNUSED)
{
  g_signal_connect (window, "close-request", G_CALLBACK (close_request_cb), NULL);
}

void
object_watch_start (GtkApplication *application)
{
  alive = g_hash_table_new (NULL, NULL);
  g_signal_connect (application, "window-added", G_CALLBACK (window_added_cb), NULL);
}

void
object_watch_say (const char *path)
{
  g_autoptr (GString) text = g_string_new (NULL);
  GHashTableIter iter;
  gpointer name;

  g_string_append_printf (text, "finalised %u\n", n_finalised);
  g_hash_table_iter_init (&iter, alive);
  while (g_hash_table_iter_next (&iter, NULL, &name))
    g_string_append_printf (text, "alive %s\n", (const char *) name);
  g_file_set_contents (path, text->str, -1, NULL);
}
