/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config-ui.h"
#include "ui/gallery/gallery-detail.h"

#include <glib/gi18n.h>
#include <string.h>

#include "ui/compat.h"
#include "ui/gallery/gallery-actions.h"
#include "ui/gallery/gallery-cell.h"
#include "ui/gallery/gallery-facts.h"
#include "ui/gallery/large-picture.h"
#include "ui/gallery/zoom-view.h"
#include "ui/video/video-view.h"
#include "ui/window.h"

struct _EaselGalleryDetail
{
  AdwBin parent;

  /* Template widgets */
  GtkLabel *name;
  GtkBox *body;
  GtkWidget *stage, *zoom_box, *previous, *next;
  GtkStack *contents;
  GtkToggleButton *details;
  EaselZoomView *picture;
  EaselVideoView *clip;
  GtkButton *zoom_label;
  AdwStatusPage *problem;

  EaselGalleryFacts *facts; /* borrowed: in the split */
  GtkWidget *split;
  EaselGalleryItem *item;
  EaselRequest *request;    /* of the item; NULL: it carries none */
  GCancellable *reading, *loading;
};

G_DEFINE_FINAL_TYPE (EaselGalleryDetail, easel_gallery_detail, ADW_TYPE_BIN)

enum
{
  BACK,
  STEP,
  N_SIGNALS
};
static guint signals[N_SIGNALS];

/* ---- the picture ---- */

static void
show_problem (EaselGalleryDetail *self, const char *title, const char *message)
{
  g_autofree char *escaped = g_markup_escape_text (message, -1);

  easel_zoom_view_set_texture (self->picture, NULL);
  adw_status_page_set_title (self->problem, title);
  adw_status_page_set_description (self->problem, escaped);
  gtk_stack_set_visible_child_name (self->contents, "problem");
  gtk_widget_set_visible (self->zoom_box, FALSE);
}

static void
loaded_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (EaselGalleryDetail) self = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GdkTexture) texture = easel_large_picture_load_finish (result, &error);

  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED) || !self->item)
    return;
  if (!texture)
    {
      show_problem (self, _ ("This Picture Cannot Be Shown"), error->message);
      return;
    }
  easel_zoom_view_set_texture (self->picture, texture);
  gtk_stack_set_visible_child_name (self->contents, "picture");
  gtk_widget_set_visible (self->zoom_box, TRUE);
}

static void
load_picture (EaselGalleryDetail *self)
{
  g_cancellable_cancel (self->loading);
  g_clear_object (&self->loading);
  easel_video_view_set_file (self->clip, NULL);
  if (self->item->missing)
    {
      show_problem (self, _ ("The File Is Not There Any More"),
                    _ ("It may have been moved or deleted by another program. Put it back where it was, or take it"
                       " out of the gallery."));
      return;
    }
  if (self->item->kind == EASEL_ITEM_CLIP)
    {
      easel_zoom_view_set_texture (self->picture, NULL);
      easel_video_view_set_file (self->clip, self->item->path);
      gtk_stack_set_visible_child_name (self->contents, "clip");
      gtk_widget_set_visible (self->zoom_box, FALSE);
      return;
    }
  self->loading = g_cancellable_new ();
  easel_large_picture_load (self->item->path, self->loading, loaded_cb, g_object_ref (self));
}

static void
view_changed_cb (EaselGalleryDetail *self)
{
  double scale = easel_zoom_view_get_scale (self->picture) * gtk_widget_get_scale_factor (GTK_WIDGET (self));
  g_autofree char *words = g_strdup_printf ("%.0f %%", scale * 100);

  gtk_button_set_label (self->zoom_label, words);
}

/* ---- the item ---- */

static void
read_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  GError *error = NULL;
  EaselGalleryItem *item = easel_gallery_get (g_object_get_data (G_OBJECT (task), "gallery"), *(gint64 *) data, &error);

  if (item)
    g_task_return_pointer (task, item, (GDestroyNotify) easel_gallery_item_free);
  else
    g_task_return_error (task, error);
}

static void
show_item (EaselGalleryDetail *self, EaselGalleryItem *item)
{
  gboolean other = !self->item || self->item->id != item->id || self->item->modified != item->modified ||
                   self->item->missing != item->missing || g_strcmp0 (self->item->path, item->path) != 0;
  g_autofree char *name = g_path_get_basename (item->path), *words = easel_gallery_item_words (item);

  g_clear_pointer (&self->request, easel_request_unref);
  g_clear_pointer (&self->item, easel_gallery_item_free);
  self->item = item;
  self->request = item->request ? easel_request_from_json (item->request, strlen (item->request), NULL) : NULL;
  gtk_label_set_label (self->name, name);
  easel_zoom_view_set_words (self->picture, words);
  easel_video_view_set_description (self->clip, words);
  gtk_widget_action_set_enabled (GTK_WIDGET (self), "detail.again", self->request != NULL);
  gtk_widget_action_set_enabled (GTK_WIDGET (self), "detail.variations", self->request != NULL);
  gtk_widget_action_set_enabled (GTK_WIDGET (self), "detail.edit", self->request != NULL);
  easel_gallery_facts_show (self->facts, item, self->request);
  if (other)
    load_picture (self);
}

static void
read_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  EaselGalleryDetail *self = EASEL_GALLERY_DETAIL (source);
  g_autoptr (GError) error = NULL;
  EaselGalleryItem *item = g_task_propagate_pointer (G_TASK (result), &error);

  if (item)
    show_item (self, item);
  else if (!g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    show_problem (self, _ ("This Picture Cannot Be Shown"), error->message);
}

static void
read_item (EaselGalleryDetail *self, gint64 id)
{
  EaselGallery *gallery = easel_application_get_gallery (easel_application_get ());
  g_autoptr (GTask) task = NULL;

  g_cancellable_cancel (self->reading);
  g_clear_object (&self->reading);
  self->reading = g_cancellable_new ();
  task = g_task_new (self, self->reading, read_cb, NULL);
  g_object_set_data_full (G_OBJECT (task), "gallery", g_object_ref (gallery), g_object_unref);
  g_task_set_task_data (task, g_memdup2 (&id, sizeof id), g_free);
  g_task_run_in_thread (task, read_thread);
}

void
easel_gallery_detail_show (EaselGalleryDetail *self, gint64 id)
{
  read_item (self, id);
}

void
easel_gallery_detail_refresh (EaselGalleryDetail *self)
{
  if (self->item)
    read_item (self, self->item->id);
}

void
easel_gallery_detail_clear (EaselGalleryDetail *self)
{
  g_cancellable_cancel (self->reading);
  g_cancellable_cancel (self->loading);
  g_clear_pointer (&self->item, easel_gallery_item_free);
  easel_zoom_view_set_texture (self->picture, NULL);
  easel_video_view_set_file (self->clip, NULL);
}

void
easel_gallery_detail_set_ends (EaselGalleryDetail *self, gboolean first, gboolean last)
{
  gtk_widget_action_set_enabled (GTK_WIDGET (self), "detail.previous", !first);
  gtk_widget_action_set_enabled (GTK_WIDGET (self), "detail.next", !last);
  gtk_widget_set_visible (self->previous, !first);
  gtk_widget_set_visible (self->next, !last);
}

/* ---- what a person does with it ---- */

static GArray *
this_one (EaselGalleryDetail *self)
{
  GArray *ids = g_array_new (FALSE, FALSE, sizeof (gint64));

  if (self->item)
    g_array_append_val (ids, self->item->id);
  return ids;
}

static void
action_cb (GtkWidget *widget, const char *name, GVariant *parameter)
{
  EaselGalleryDetail *self = EASEL_GALLERY_DETAIL (widget);
  g_autoptr (GArray) ids = this_one (self);
  const char *what = name + strlen ("detail.");

  if (g_str_equal (what, "back"))
    g_signal_emit (self, signals[BACK], 0);
  else if (g_str_equal (what, "previous"))
    g_signal_emit (self, signals[STEP], 0, -1);
  else if (g_str_equal (what, "next"))
    g_signal_emit (self, signals[STEP], 0, 1);
  else if (g_str_equal (what, "zoom-in"))
    easel_zoom_view_zoom_by (self->picture, 1.25);
  else if (g_str_equal (what, "zoom-out"))
    easel_zoom_view_zoom_by (self->picture, 0.8);
  else if (g_str_equal (what, "zoom-fit"))
    easel_zoom_view_zoom_to (self->picture, easel_zoom_view_get_view (self->picture).zoom > 0 ? 0 : 1);
  else if (!self->item)
    return;
  else if (g_str_equal (what, "again"))
    easel_gallery_actions_make_again (widget, self->request);
  else if (g_str_equal (what, "variations"))
    easel_gallery_actions_make_variations (widget, self->request);
  else if (g_str_equal (what, "edit"))
    easel_window_edit_request (easel_window_of (self), self->request);
  else if (g_str_equal (what, "trash"))
    easel_gallery_actions_trash (widget, ids);
  else if (g_str_equal (what, "forget"))
    easel_gallery_actions_forget (widget, ids);
  else if (g_str_equal (what, "open"))
    easel_gallery_actions_open (widget, self->item->path);
  else if (g_str_equal (what, "show-folder"))
    easel_gallery_actions_show_in_folder (widget, self->item->path);
  else if (g_str_equal (what, "export"))
    easel_gallery_actions_export (widget, ids);
}

static void
copy_action_cb (GtkWidget *widget, const char *name, GVariant *parameter)
{
  EaselGalleryDetail *self = EASEL_GALLERY_DETAIL (widget);
  const char *paths[] = { self->item ? self->item->path : NULL, NULL };
  g_autoptr (GdkContentProvider) content = NULL;

  if (!self->item)
    return;
  content = easel_gallery_actions_content (paths, easel_zoom_view_get_texture (self->picture));
  gdk_clipboard_set_content (gtk_widget_get_clipboard (widget), content);
  easel_window_toast (easel_window_of (self), _ ("The picture was copied."));
}

static gboolean
star_key_cb (GtkWidget *widget, GVariant *stars, gpointer user_data)
{
  g_autoptr (GArray) ids = this_one (EASEL_GALLERY_DETAIL (widget));

  easel_gallery_actions_set_stars (widget, ids, g_variant_get_int32 (stars));
  return TRUE;
}

static GdkContentProvider *
drag_prepare_cb (GtkDragSource *source, double x, double y, EaselGalleryDetail *self)
{
  const char *paths[] = { self->item ? self->item->path : NULL, NULL };

  if (!self->item || self->item->missing || easel_zoom_view_get_view (self->picture).zoom > 0)
    return NULL;
  return easel_gallery_actions_content (paths, NULL);
}

/* ---- the pane beside it ---- */

static void
details_toggled_cb (EaselGalleryDetail *self)
{
  gboolean shown = gtk_toggle_button_get_active (self->details);

  easel_compat_split_set_shown (self->split, shown);
  if (!easel_compat_split_is_folded (self->split))
    g_settings_set_boolean (easel_application_get_settings (easel_application_get ()), "gallery-details", shown);
}

/* A narrow window shows the picture first; a wide one what was chosen. */
static void
folded_cb (EaselGalleryDetail *self)
{
  GSettings *settings = easel_application_get_settings (easel_application_get ());
  gboolean shown = !easel_compat_split_is_folded (self->split) && g_settings_get_boolean (settings, "gallery-details");

  gtk_toggle_button_set_active (self->details, shown);
  easel_compat_split_set_shown (self->split, shown);
}

/* ---- object ---- */

static void
easel_gallery_detail_dispose (GObject *object)
{
  EaselGalleryDetail *self = EASEL_GALLERY_DETAIL (object);

  g_cancellable_cancel (self->reading);
  g_cancellable_cancel (self->loading);
  g_clear_object (&self->reading);
  g_clear_object (&self->loading);
  g_clear_pointer (&self->item, easel_gallery_item_free);
  g_clear_pointer (&self->request, easel_request_unref);
  /* The bin's own child is bound: the template would take it away without the bin knowing. */
  adw_bin_set_child (ADW_BIN (object), NULL);
  gtk_widget_dispose_template (GTK_WIDGET (object), EASEL_TYPE_GALLERY_DETAIL);
  G_OBJECT_CLASS (easel_gallery_detail_parent_class)->dispose (object);
}

static void
install_actions (GtkWidgetClass *widget_class)
{
  static const char *const names[] = { "detail.back", "detail.previous", "detail.next", "detail.zoom-in",
                                       "detail.zoom-out", "detail.zoom-fit", "detail.again", "detail.variations",
                                       "detail.edit", "detail.trash", "detail.forget", "detail.open",
                                       "detail.show-folder", "detail.export" };

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    gtk_widget_class_install_action (widget_class, names[i], NULL, action_cb);
  gtk_widget_class_install_action (widget_class, "detail.copy", NULL, copy_action_cb);
  gtk_widget_class_add_binding_action (widget_class, GDK_KEY_Escape, 0, "detail.back", NULL);
  gtk_widget_class_add_binding_action (widget_class, GDK_KEY_Delete, 0, "detail.trash", NULL);
  gtk_widget_class_add_binding_action (widget_class, GDK_KEY_Left, 0, "detail.previous", NULL);
  gtk_widget_class_add_binding_action (widget_class, GDK_KEY_Right, 0, "detail.next", NULL);
  gtk_widget_class_add_binding_action (widget_class, GDK_KEY_Left, GDK_ALT_MASK, "detail.previous", NULL);
  gtk_widget_class_add_binding_action (widget_class, GDK_KEY_Right, GDK_ALT_MASK, "detail.next", NULL);
  gtk_widget_class_add_binding_action (widget_class, GDK_KEY_c, GDK_CONTROL_MASK, "detail.copy", NULL);
  gtk_widget_class_add_binding_action (widget_class, GDK_KEY_e, GDK_CONTROL_MASK, "detail.export", NULL);
  for (guint i = 0; i <= 5; i++)
    gtk_widget_class_add_binding (widget_class, GDK_KEY_0 + i, 0, star_key_cb, "i", (int) i);
}

static void
easel_gallery_detail_class_init (EaselGalleryDetailClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = easel_gallery_detail_dispose;
  signals[BACK] = g_signal_new ("back", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                G_TYPE_NONE, 0);
  signals[STEP] = g_signal_new ("step", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                G_TYPE_NONE, 1, G_TYPE_INT);
  g_type_ensure (EASEL_TYPE_ZOOM_VIEW);
  g_type_ensure (EASEL_TYPE_VIDEO_VIEW);
  gtk_widget_class_set_template_from_resource (widget_class, "/io/github/easelstudio/Easel/gallery/gallery-detail.ui");
  gtk_widget_class_bind_template_child (widget_class, EaselGalleryDetail, name);
  gtk_widget_class_bind_template_child (widget_class, EaselGalleryDetail, body);
  gtk_widget_class_bind_template_child (widget_class, EaselGalleryDetail, stage);
  gtk_widget_class_bind_template_child (widget_class, EaselGalleryDetail, zoom_box);
  gtk_widget_class_bind_template_child (widget_class, EaselGalleryDetail, previous);
  gtk_widget_class_bind_template_child (widget_class, EaselGalleryDetail, next);
  gtk_widget_class_bind_template_child (widget_class, EaselGalleryDetail, contents);
  gtk_widget_class_bind_template_child (widget_class, EaselGalleryDetail, details);
  gtk_widget_class_bind_template_child (widget_class, EaselGalleryDetail, picture);
  gtk_widget_class_bind_template_child (widget_class, EaselGalleryDetail, clip);
  gtk_widget_class_bind_template_child (widget_class, EaselGalleryDetail, zoom_label);
  gtk_widget_class_bind_template_child (widget_class, EaselGalleryDetail, problem);
  gtk_widget_class_bind_template_callback (widget_class, details_toggled_cb);
  gtk_widget_class_bind_template_callback (widget_class, view_changed_cb);
  install_actions (widget_class);
}

static void
easel_gallery_detail_init (EaselGalleryDetail *self)
{
  GtkDragSource *drag = gtk_drag_source_new ();

  gtk_widget_init_template (GTK_WIDGET (self));
  self->facts = g_object_new (EASEL_TYPE_GALLERY_FACTS, NULL);
  g_object_ref (self->stage);
  gtk_box_remove (self->body, self->stage);
  self->split = easel_compat_split_new (GTK_WIDGET (self->facts), self->stage, TRUE);
  g_object_unref (self->stage);
  gtk_widget_set_vexpand (self->split, TRUE);
  gtk_box_append (self->body, self->split);
  easel_compat_split_watch_folded (self->split, G_CALLBACK (folded_cb), self);
  folded_cb (self);
  g_signal_connect_object (drag, "prepare", G_CALLBACK (drag_prepare_cb), self, 0);
  gtk_widget_add_controller (GTK_WIDGET (self->picture), GTK_EVENT_CONTROLLER (drag));
}
