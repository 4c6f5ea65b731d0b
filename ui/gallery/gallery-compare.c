/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config-ui.h"
#include "ui/gallery/gallery-compare.h"

#include <glib/gi18n.h>
#include <math.h>
#include <string.h>

#include "ui/gallery/gallery-cell.h"
#include "ui/gallery/large-picture.h"
#include "ui/gallery/zoom-view.h"

struct _EaselGalleryCompare
{
  AdwBin parent;

  /* Template widgets */
  GtkStack *contents;
  GtkToggleButton *side, *slider, *difference;
  EaselZoomView *first, *second, *over, *shown;
  GtkAdjustment *divider;
  GtkLabel *first_name, *second_name, *settings, *measure, *problem;

  EaselPicturePair *pair;
  GCancellable *loading;
  gboolean following; /* one view is being moved after the other */
};

G_DEFINE_FINAL_TYPE (EaselGalleryCompare, easel_gallery_compare, ADW_TYPE_BIN)

static guint back;

/* ---- what differs ---- */

static void
add_difference (GString *words, const char *name, const char *a, const char *b)
{
  if (g_strcmp0 (a ? a : "", b ? b : "") == 0)
    return;
  if (words->len)
    g_string_append (words, " · ");
  /* Translators: a setting's name and its two values. */
  g_string_append_printf (words, _ ("%s: %s → %s"), name, a && *a ? a : "—", b && *b ? b : "—");
}

static void
add_number (GString *words, const char *name, double a, double b)
{
  char x[G_ASCII_DTOSTR_BUF_SIZE], y[G_ASCII_DTOSTR_BUF_SIZE];

  g_ascii_formatd (x, sizeof x, "%.10g", a);
  g_ascii_formatd (y, sizeof y, "%.10g", b);
  add_difference (words, name, x, y);
}

static char *
describe_settings (const EaselGalleryItem *a, const EaselGalleryItem *b)
{
  g_autoptr (GString) words = g_string_new (NULL);

  if (!a->request || !b->request)
    return g_strdup (_ ("One of them does not say how it was made."));
  add_difference (words, _ ("Prompt"), a->prompt, b->prompt);
  add_difference (words, _ ("Left Out"), a->negative, b->negative);
  add_difference (words, _ ("Model"), a->model, b->model);
  add_difference (words, _ ("Sampler"), a->sampler, b->sampler);
  add_number (words, _ ("Seed"), (double) a->seed, (double) b->seed);
  add_number (words, _ ("Steps"), a->steps, b->steps);
  add_number (words, _ ("Guidance"), a->guidance, b->guidance);
  if (a->width != b->width || a->height != b->height)
    {
      g_autofree char *x = g_strdup_printf ("%d × %d", a->width, a->height);
      g_autofree char *y = g_strdup_printf ("%d × %d", b->width, b->height);
      add_difference (words, _ ("Size"), x, y);
    }
  return g_strdup (words->len ? words->str : _ ("The settings are the same."));
}

static void
describe_pixels (EaselGalleryCompare *self)
{
  g_autofree char *words =
      self->pair->part > 0
          ? g_strdup_printf (_ ("%.1f %% of the pixels differ, by %.2f of 255 on average"), self->pair->part * 100,
                             self->pair->mean)
          : g_strdup (_ ("The pixels are identical"));

  gtk_label_set_label (self->measure, words);
}

/* ---- showing ---- */

static void
loaded_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (EaselGalleryCompare) self = user_data;
  g_autoptr (GError) error = NULL;
  EaselPicturePair *pair = easel_picture_pair_load_finish (result, &error);

  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED) || !self->loading)
    {
      g_clear_pointer (&pair, easel_picture_pair_free);
      return;
    }
  if (!pair)
    {
      gtk_label_set_label (self->problem, error->message);
      gtk_stack_set_visible_child_name (self->contents, "problem");
      return;
    }
  g_clear_pointer (&self->pair, easel_picture_pair_free);
  self->pair = pair;
  easel_zoom_view_set_texture (self->first, pair->first);
  easel_zoom_view_set_texture (self->second, pair->second);
  easel_zoom_view_set_texture (self->over, pair->first);
  easel_zoom_view_set_second (self->over, pair->second);
  easel_zoom_view_set_texture (self->shown, pair->difference);
  describe_pixels (self);
}

static void
mode_changed_cb (EaselGalleryCompare *self)
{
  const char *name = gtk_toggle_button_get_active (self->slider)       ? "slider"
                     : gtk_toggle_button_get_active (self->difference) ? "difference"
                                                                       : "side";
  gtk_stack_set_visible_child_name (self->contents, name);
}

void
easel_gallery_compare_show (EaselGalleryCompare *self, const EaselGalleryItem *first, const EaselGalleryItem *second)
{
  g_autofree char *a = easel_gallery_item_words (first), *b = easel_gallery_item_words (second);
  g_autofree char *settings = describe_settings (first, second);

  easel_gallery_compare_clear (self);
  gtk_label_set_label (self->first_name, a);
  gtk_label_set_label (self->second_name, b);
  gtk_label_set_label (self->settings, settings);
  gtk_label_set_label (self->measure, "");
  easel_zoom_view_set_words (self->first, a);
  easel_zoom_view_set_words (self->second, b);
  easel_zoom_view_set_words (self->over, _ ("Both pictures, one on each side of the divider"));
  easel_zoom_view_set_words (self->shown, _ ("What differs between the two pictures"));
  mode_changed_cb (self);
  self->loading = g_cancellable_new ();
  easel_picture_pair_load (first->path, second->path, self->loading, loaded_cb, g_object_ref (self));
}

void
easel_gallery_compare_clear (EaselGalleryCompare *self)
{
  g_cancellable_cancel (self->loading);
  g_clear_object (&self->loading);
  g_clear_pointer (&self->pair, easel_picture_pair_free);
  easel_zoom_view_set_texture (self->first, NULL);
  easel_zoom_view_set_texture (self->second, NULL);
  easel_zoom_view_set_texture (self->over, NULL);
  easel_zoom_view_set_second (self->over, NULL);
  easel_zoom_view_set_texture (self->shown, NULL);
}

/* ---- moving together ---- */

/* The same place of both, also where one has more pixels. */
static void
view_changed_cb (EaselZoomView *moved, EaselGalleryCompare *self)
{
  EaselZoomView *other = moved == self->first ? self->second : self->first;
  EaselZoom view = easel_zoom_view_get_view (moved);
  GdkTexture *a = easel_zoom_view_get_texture (moved), *b = easel_zoom_view_get_texture (other);

  if (self->following || !a || !b)
    return;
  self->following = TRUE;
  view.zoom *= (double) gdk_texture_get_width (a) / gdk_texture_get_width (b);
  easel_zoom_view_set_view (other, view);
  self->following = FALSE;
}

static void
divider_changed_cb (EaselGalleryCompare *self)
{
  easel_zoom_view_set_divider (self->over, gtk_adjustment_get_value (self->divider));
}

static void
divider_moved_cb (EaselGalleryCompare *self)
{
  gtk_adjustment_set_value (self->divider, easel_zoom_view_get_divider (self->over));
}

static void
back_action_cb (GtkWidget *widget, const char *name, GVariant *parameter)
{
  g_signal_emit (widget, back, 0);
}

static void
easel_gallery_compare_dispose (GObject *object)
{
  EaselGalleryCompare *self = EASEL_GALLERY_COMPARE (object);

  g_cancellable_cancel (self->loading);
  g_clear_object (&self->loading);
  g_clear_pointer (&self->pair, easel_picture_pair_free);
  gtk_widget_dispose_template (GTK_WIDGET (object), EASEL_TYPE_GALLERY_COMPARE);
  G_OBJECT_CLASS (easel_gallery_compare_parent_class)->dispose (object);
}

static void
easel_gallery_compare_class_init (EaselGalleryCompareClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = easel_gallery_compare_dispose;
  back = g_signal_new ("back", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
  g_type_ensure (EASEL_TYPE_ZOOM_VIEW);
  gtk_widget_class_set_template_from_resource (widget_class, "/io/github/easelstudio/Easel/gallery/gallery-compare.ui");
  gtk_widget_class_bind_template_child (widget_class, EaselGalleryCompare, contents);
  gtk_widget_class_bind_template_child (widget_class, EaselGalleryCompare, side);
  gtk_widget_class_bind_template_child (widget_class, EaselGalleryCompare, slider);
  gtk_widget_class_bind_template_child (widget_class, EaselGalleryCompare, difference);
  gtk_widget_class_bind_template_child (widget_class, EaselGalleryCompare, first);
  gtk_widget_class_bind_template_child (widget_class, EaselGalleryCompare, second);
  gtk_widget_class_bind_template_child (widget_class, EaselGalleryCompare, over);
  gtk_widget_class_bind_template_child (widget_class, EaselGalleryCompare, shown);
  gtk_widget_class_bind_template_child (widget_class, EaselGalleryCompare, divider);
  gtk_widget_class_bind_template_child (widget_class, EaselGalleryCompare, first_name);
  gtk_widget_class_bind_template_child (widget_class, EaselGalleryCompare, second_name);
  gtk_widget_class_bind_template_child (widget_class, EaselGalleryCompare, settings);
  gtk_widget_class_bind_template_child (widget_class, EaselGalleryCompare, measure);
  gtk_widget_class_bind_template_child (widget_class, EaselGalleryCompare, problem);
  gtk_widget_class_bind_template_callback (widget_class, mode_changed_cb);
  gtk_widget_class_bind_template_callback (widget_class, view_changed_cb);
  gtk_widget_class_bind_template_callback (widget_class, divider_changed_cb);
  gtk_widget_class_bind_template_callback (widget_class, divider_moved_cb);
  gtk_widget_class_install_action (widget_class, "compare.back", NULL, back_action_cb);
  gtk_widget_class_add_binding_action (widget_class, GDK_KEY_Escape, 0, "compare.back", NULL);
}

static void
easel_gallery_compare_init (EaselGalleryCompare *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
}
