/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config-ui.h"
#include "ui/gallery/gallery-facts.h"

#include <glib/gi18n.h>

#include "ui/gallery/gallery-actions.h"
#include "ui/gallery/star-box.h"
#include "ui/window.h"

struct _EaselGalleryFacts
{
  AdwBin parent;

  /* Template widgets */
  EaselStarBox *stars;
  AdwEntryRow *tags;
  GtkWidget *make, *foreign;
  AdwPreferencesGroup *made, *file;

  GPtrArray *rows;       /* in `made` and `file`, borrowed */
  gint64 id;
  EaselRequest *request;
};

G_DEFINE_FINAL_TYPE (EaselGalleryFacts, easel_gallery_facts, ADW_TYPE_BIN)

/* ---- rows ---- */

static void
copy_clicked_cb (GtkButton *button, EaselGalleryFacts *self)
{
  EaselWindow *window = easel_window_of (self);

  gdk_clipboard_set_text (gtk_widget_get_clipboard (GTK_WIDGET (self)), g_object_get_data (G_OBJECT (button), "text"));
  if (window)
    easel_window_toast (window, _ ("Copied."));
}

static void
use_clicked_cb (GtkButton *button, EaselGalleryFacts *self)
{
  EaselWindow *window = easel_window_of (self);

  if (window && self->request)
    easel_window_take_setting (window, self->request, g_object_get_data (G_OBJECT (button), "setting"));
}

static GtkWidget *
suffix_button (EaselGalleryFacts *self, const char *icon, const char *words, GCallback clicked)
{
  GtkWidget *button = gtk_button_new_from_icon_name (icon);

  gtk_widget_set_valign (button, GTK_ALIGN_CENTER);
  gtk_widget_add_css_class (button, "flat");
  gtk_widget_set_tooltip_text (button, words);
  gtk_accessible_update_property (GTK_ACCESSIBLE (button), GTK_ACCESSIBLE_PROPERTY_LABEL, words, -1);
  g_signal_connect_object (button, "clicked", clicked, self, 0);
  return button;
}

/* setting: the name under which Create takes it over, NULL: it cannot. */
static void
add_row (EaselGalleryFacts *self, AdwPreferencesGroup *group, const char *title, const char *value, const char *setting)
{
  GtkWidget *row, *button;
  g_autofree char *escaped = NULL, *words = NULL;

  if (!value || !*value)
    return;
  row = adw_action_row_new ();
  escaped = g_markup_escape_text (value, -1);
  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (row), title);
  adw_action_row_set_subtitle (ADW_ACTION_ROW (row), escaped);
  adw_action_row_set_subtitle_lines (ADW_ACTION_ROW (row), 0);
  gtk_widget_add_css_class (row, "property");
  /* Translators: a setting's name, such as "Seed". */
  words = g_strdup_printf (_ ("Copy %s"), title);
  button = suffix_button (self, "edit-copy-symbolic", words, G_CALLBACK (copy_clicked_cb));
  g_object_set_data_full (G_OBJECT (button), "text", g_strdup (value), g_free);
  adw_action_row_add_suffix (ADW_ACTION_ROW (row), button);
  if (setting)
    {
      /* Translators: a setting's name, such as "Seed"; Create is the page where pictures are made. */
      g_autofree char *use = g_strdup_printf (_ ("Use %s in Create"), title);

      button = suffix_button (self, "easel-create-symbolic", use, G_CALLBACK (use_clicked_cb));
      g_object_set_data (G_OBJECT (button), "setting", (gpointer) setting);
      adw_action_row_add_suffix (ADW_ACTION_ROW (row), button);
    }
  adw_preferences_group_add (group, row);
  g_object_set_data (G_OBJECT (row), "group", group);
  g_ptr_array_add (self->rows, row);
}

static void
add_number (EaselGalleryFacts *self, const char *title, double value, const char *format, const char *setting)
{
  char text[G_ASCII_DTOSTR_BUF_SIZE];

  g_ascii_formatd (text, sizeof text, format, value);
  add_row (self, self->made, title, text, setting);
}

static void
add_settings (EaselGalleryFacts *self, const EaselRequestSettings *s)
{
  g_autofree char *size = s->width && s->height ? g_strdup_printf ("%d × %d", s->width, s->height) : NULL;
  g_autofree char *seed = s->seed >= 0 ? g_strdup_printf ("%" G_GINT64_FORMAT, s->seed) : NULL;
  g_autofree char *reused = s->reused > 0 ? g_strdup_printf (_ ("%d of %d steps used the work of others"), s->reused,
                                                             s->steps)
                                          : NULL;
  g_autofree char *likeness = s->psnr > 0 ? g_strdup_printf ("PSNR %.1f dB, SSIM %.3f", s->psnr, s->ssim) : NULL;

  add_row (self, self->made, _ ("Prompt"), s->prompt, "prompt");
  add_row (self, self->made, _ ("Left Out"), s->negative, "negative");
  add_row (self, self->made, _ ("Model"), s->model, "model");
  add_row (self, self->made, _ ("Size"), size, "size");
  add_row (self, self->made, _ ("Seed"), seed, "seed");
  if (s->steps > 0)
    add_number (self, _ ("Steps"), s->steps, "%.0f", "steps");
  if (s->guidance >= 0)
    add_number (self, _ ("Guidance"), s->guidance, "%.4g", "guidance");
  add_row (self, self->made, _ ("Sampler"), s->sampler, "sampler");
  if (s->frames > 1)
    add_number (self, _ ("Frames"), s->frames, "%.0f", "frames");
  if (s->frames > 1 && s->fps > 0)
    add_number (self, _ ("Frames a Second"), s->fps, "%.4g", "fps");
  add_row (self, self->made, _ ("Faster"), reused, NULL);
  add_row (self, self->made, _ ("Like the Exact Clip"), likeness, NULL);
  add_row (self, self->made, _ ("Computed"), s->resolution_binning ? NULL : _ ("At exactly this size"), NULL);
  add_row (self, self->made, _ ("Begins With"), s->input, NULL);
  add_row (self, self->made, _ ("Precision"), s->precision, NULL);
}

static void
add_file (EaselGalleryFacts *self, const EaselGalleryItem *item)
{
  g_autofree char *size = item->width ? g_strdup_printf ("%d × %d", item->width, item->height) : NULL;
  g_autofree char *bytes = g_format_size ((guint64) item->bytes);
  g_autoptr (GDateTime) when = g_date_time_new_from_unix_local (item->created);
  g_autofree char *date = when ? g_date_time_format (when, "%c") : NULL;
  g_autofree char *name = g_path_get_basename (item->path), *folder = g_path_get_dirname (item->path);
  g_autofree char *length = item->seconds > 0 ? g_strdup_printf (_ ("%.1f s, %d frames"), item->seconds, item->n_frames)
                                              : NULL;

  add_row (self, self->file, _ ("Name"), name, NULL);
  add_row (self, self->file, _ ("Folder"), folder, NULL);
  add_row (self, self->file, _ ("Pixels"), size, NULL);
  add_row (self, self->file, _ ("Length"), length, NULL);
  add_row (self, self->file, _ ("Made"), date, NULL);
  add_row (self, self->file, _ ("File Size"), bytes, NULL);
}

void
easel_gallery_facts_show (EaselGalleryFacts *self, const EaselGalleryItem *item, EaselRequest *request)
{
  g_autofree char *tags = g_strjoinv (", ", item->tags);

  for (guint i = 0; i < self->rows->len; i++)
    adw_preferences_group_remove (g_object_get_data (self->rows->pdata[i], "group"), self->rows->pdata[i]);
  g_ptr_array_set_size (self->rows, 0);
  self->id = item->id;
  g_clear_pointer (&self->request, easel_request_unref);
  self->request = request ? easel_request_ref (request) : NULL;
  easel_star_box_set_stars (self->stars, item->stars);
  if (g_strcmp0 (gtk_editable_get_text (GTK_EDITABLE (self->tags)), tags) != 0)
    gtk_editable_set_text (GTK_EDITABLE (self->tags), tags);
  /* A text that was set is not a text that was changed. */
  adw_entry_row_set_show_apply_button (self->tags, FALSE);
  adw_entry_row_set_show_apply_button (self->tags, TRUE);
  gtk_widget_set_visible (self->make, request != NULL);
  gtk_widget_set_visible (GTK_WIDGET (self->made), request != NULL);
  gtk_widget_set_visible (self->foreign, request == NULL);
  if (request)
    add_settings (self, easel_request_settings (request));
  add_file (self, item);
}

/* ---- changing ---- */

static void
stars_picked_cb (EaselGalleryFacts *self, int stars)
{
  g_autoptr (GArray) ids = g_array_new (FALSE, FALSE, sizeof (gint64));

  if (!self->id)
    return;
  g_array_append_val (ids, self->id);
  easel_gallery_actions_set_stars (GTK_WIDGET (self), ids, stars);
}

static void
tags_applied_cb (EaselGalleryFacts *self)
{
  if (self->id)
    easel_gallery_actions_set_tags (GTK_WIDGET (self), self->id, gtk_editable_get_text (GTK_EDITABLE (self->tags)));
}

static void
easel_gallery_facts_dispose (GObject *object)
{
  EaselGalleryFacts *self = EASEL_GALLERY_FACTS (object);

  g_clear_pointer (&self->rows, g_ptr_array_unref);
  g_clear_pointer (&self->request, easel_request_unref);
  gtk_widget_dispose_template (GTK_WIDGET (object), EASEL_TYPE_GALLERY_FACTS);
  G_OBJECT_CLASS (easel_gallery_facts_parent_class)->dispose (object);
}

static void
easel_gallery_facts_class_init (EaselGalleryFactsClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = easel_gallery_facts_dispose;
  g_type_ensure (EASEL_TYPE_STAR_BOX);
  gtk_widget_class_set_template_from_resource (widget_class, "/io/github/easelstudio/Easel/gallery/gallery-facts.ui");
  gtk_widget_class_bind_template_child (widget_class, EaselGalleryFacts, stars);
  gtk_widget_class_bind_template_child (widget_class, EaselGalleryFacts, tags);
  gtk_widget_class_bind_template_child (widget_class, EaselGalleryFacts, make);
  gtk_widget_class_bind_template_child (widget_class, EaselGalleryFacts, foreign);
  gtk_widget_class_bind_template_child (widget_class, EaselGalleryFacts, made);
  gtk_widget_class_bind_template_child (widget_class, EaselGalleryFacts, file);
  gtk_widget_class_bind_template_callback (widget_class, stars_picked_cb);
  gtk_widget_class_bind_template_callback (widget_class, tags_applied_cb);
}

static void
easel_gallery_facts_init (EaselGalleryFacts *self)
{
  self->rows = g_ptr_array_new ();
  gtk_widget_init_template (GTK_WIDGET (self));
}
