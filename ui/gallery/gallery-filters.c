/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config-ui.h"
#include "ui/gallery/gallery-filters.h"

#include <glib/gi18n.h>

#include "ui/application.h"

enum
{
  PLACE_ALL,
  PLACE_MISSING,
  PLACE_UNREADABLE,
  PLACE_TRASH,
};

/* Sides in pixels, in the order of the list in the template. */
static const struct
{
  int min, max;
} sizes[] = { { 0, 0 }, { 0, 512 }, { 513, 1024 }, { 1025, 2048 }, { 2049, 0 } };

static const int days[] = { 0, 1, 7, 30, 365 };

struct _EaselGalleryFilters
{
  AdwBin parent;

  /* Template widgets */
  AdwComboRow *kind, *model, *tag, *stars, *size, *date, *place;
  GtkWidget *clear;

  GPtrArray *models, *tags; /* char *; the first entries of the lists are not in them */
  gboolean quiet;
};

G_DEFINE_FINAL_TYPE (EaselGalleryFilters, easel_gallery_filters, ADW_TYPE_BIN)

static guint changed;

#define TAG_FIRST 2 /* "Any" and "Without Tags" come before */

static void
changed_cb (EaselGalleryFilters *self)
{
  if (self->quiet)
    return;
  gtk_widget_set_sensitive (self->clear, easel_gallery_filters_count (self) > 0);
  g_signal_emit (self, changed, 0);
}

static const char *
chosen_model (EaselGalleryFilters *self)
{
  guint i = adw_combo_row_get_selected (self->model);
  return i >= 1 && i - 1 < self->models->len ? self->models->pdata[i - 1] : NULL;
}

static const char *
chosen_tag (EaselGalleryFilters *self)
{
  guint i = adw_combo_row_get_selected (self->tag);
  return i >= TAG_FIRST && i - TAG_FIRST < self->tags->len ? self->tags->pdata[i - TAG_FIRST] : NULL;
}

gboolean
easel_gallery_filters_is_trash (EaselGalleryFilters *self)
{
  return adw_combo_row_get_selected (self->place) == PLACE_TRASH;
}

/* The beginning of the day so many days ago. */
static gint64
since (int n)
{
  g_autoptr (GDateTime) now = g_date_time_new_now_local ();
  g_autoptr (GDateTime) day = g_date_time_add_days (now, 1 - n);
  g_autoptr (GDateTime) start = g_date_time_new_local (g_date_time_get_year (day), g_date_time_get_month (day),
                                                       g_date_time_get_day_of_month (day), 0, 0, 0);

  return start ? g_date_time_to_unix (start) : 0;
}

void
easel_gallery_filters_apply (EaselGalleryFilters *self, EaselGalleryQuery *query)
{
  guint kind = adw_combo_row_get_selected (self->kind), size = adw_combo_row_get_selected (self->size);
  guint date = adw_combo_row_get_selected (self->date);

  query->kind = kind == 1 ? EASEL_ITEM_PICTURE : kind == 2 ? EASEL_ITEM_CLIP : -1;
  query->model = chosen_model (self);
  query->tag = chosen_tag (self);
  query->untagged = adw_combo_row_get_selected (self->tag) == 1;
  query->min_stars = (int) adw_combo_row_get_selected (self->stars);
  if (size < G_N_ELEMENTS (sizes))
    {
      query->min_side = sizes[size].min;
      query->max_side = sizes[size].max;
    }
  query->since = date > 0 && date < G_N_ELEMENTS (days) ? since (days[date]) : 0;
  query->missing = adw_combo_row_get_selected (self->place) == PLACE_MISSING;
  query->unreadable = adw_combo_row_get_selected (self->place) == PLACE_UNREADABLE;
  query->trashed = easel_gallery_filters_is_trash (self);
}

static void
each_row (EaselGalleryFilters *self, AdwComboRow *rows[7])
{
  rows[0] = self->kind;
  rows[1] = self->model;
  rows[2] = self->tag;
  rows[3] = self->stars;
  rows[4] = self->size;
  rows[5] = self->date;
  rows[6] = self->place;
}

guint
easel_gallery_filters_count (EaselGalleryFilters *self)
{
  AdwComboRow *rows[7];
  guint n = 0;

  each_row (self, rows);
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    n += adw_combo_row_get_selected (rows[i]) > 0 && adw_combo_row_get_selected (rows[i]) != GTK_INVALID_LIST_POSITION;
  return n;
}

void
easel_gallery_filters_clear (EaselGalleryFilters *self)
{
  AdwComboRow *rows[7];

  self->quiet = TRUE;
  each_row (self, rows);
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    adw_combo_row_set_selected (rows[i], 0);
  self->quiet = FALSE;
  changed_cb (self);
}

void
easel_gallery_filters_show_unreadable (EaselGalleryFilters *self)
{
  easel_gallery_filters_clear (self);
  adw_combo_row_set_selected (self->place, PLACE_UNREADABLE);
}

char *
easel_gallery_filters_words (EaselGalleryFilters *self)
{
  g_autoptr (GString) words = g_string_new (NULL);
  AdwComboRow *rows[7];

  each_row (self, rows);
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      GtkStringObject *chosen = adw_combo_row_get_selected_item (rows[i]);

      if (adw_combo_row_get_selected (rows[i]) > 0 && chosen)
        g_string_append_printf (words, "%s%s", words->len ? " · " : "", gtk_string_object_get_string (chosen));
    }
  return g_string_free (g_steal_pointer (&words), FALSE);
}

/* ---- which models and tags there are ---- */

typedef struct
{
  EaselGallery *gallery;
  GPtrArray *models, *tags;
} Facets;

static void
facets_free (gpointer data)
{
  Facets *facets = data;

  g_object_unref (facets->gallery);
  g_clear_pointer (&facets->models, g_ptr_array_unref);
  g_clear_pointer (&facets->tags, g_ptr_array_unref);
  g_free (facets);
}

static void
facets_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  Facets *facets = data;

  facets->models = easel_gallery_models (facets->gallery, NULL);
  facets->tags = easel_gallery_tags (facets->gallery, NULL);
  g_task_return_boolean (task, facets->models && facets->tags);
}

/* The same choice stays chosen; one that is not there any more is kept in the list. */
static void
fill (AdwComboRow *row, GPtrArray *names, GPtrArray *counts, const char *chosen, const char *const *before)
{
  g_autoptr (GtkStringList) list = gtk_string_list_new (before);
  g_autofree char *keep = g_strdup (chosen);
  guint first = g_strv_length ((GStrv) before), old = adw_combo_row_get_selected (row), at = MIN (old, first - 1);

  g_ptr_array_set_size (names, 0);
  for (guint i = 0; i < counts->len; i++)
    {
      EaselGalleryCount *count = counts->pdata[i];
      g_autofree char *words = g_strdup_printf ("%s (%" G_GINT64_FORMAT ")", count->name, count->count);

      if (g_strcmp0 (count->name, keep) == 0)
        at = first + names->len;
      g_ptr_array_add (names, g_strdup (count->name));
      gtk_string_list_append (list, words);
    }
  if (keep && at < first)
    {
      at = first + names->len;
      g_ptr_array_add (names, g_strdup (keep));
      gtk_string_list_append (list, keep);
    }
  adw_combo_row_set_model (row, G_LIST_MODEL (list));
  adw_combo_row_set_selected (row, at);
}

static void
facets_read_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  EaselGalleryFilters *self = EASEL_GALLERY_FILTERS (source);
  Facets *facets = g_task_get_task_data (G_TASK (result));
  const char *any_model[] = { _ ("Any Model"), NULL };
  const char *any_tag[] = { _ ("Any Tags"), _ ("Without Tags"), NULL };

  if (!g_task_propagate_boolean (G_TASK (result), NULL) || !self->models)
    return;
  self->quiet = TRUE;
  fill (self->model, self->models, facets->models, chosen_model (self), any_model);
  fill (self->tag, self->tags, facets->tags, chosen_tag (self), any_tag);
  self->quiet = FALSE;
}

void
easel_gallery_filters_refresh (EaselGalleryFilters *self)
{
  EaselGallery *gallery = easel_application_get_gallery (easel_application_get ());
  g_autoptr (GTask) task = NULL;
  Facets *facets;

  if (!gallery)
    return;
  facets = g_new0 (Facets, 1);
  facets->gallery = g_object_ref (gallery);
  task = g_task_new (self, NULL, facets_read_cb, NULL);
  g_task_set_task_data (task, facets, facets_free);
  g_task_run_in_thread (task, facets_thread);
}

static void
easel_gallery_filters_dispose (GObject *object)
{
  EaselGalleryFilters *self = EASEL_GALLERY_FILTERS (object);

  g_clear_pointer (&self->models, g_ptr_array_unref);
  g_clear_pointer (&self->tags, g_ptr_array_unref);
  gtk_widget_dispose_template (GTK_WIDGET (object), EASEL_TYPE_GALLERY_FILTERS);
  G_OBJECT_CLASS (easel_gallery_filters_parent_class)->dispose (object);
}

static void
easel_gallery_filters_class_init (EaselGalleryFiltersClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = easel_gallery_filters_dispose;
  changed = g_signal_new ("changed", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
  gtk_widget_class_set_template_from_resource (widget_class, "/io/github/easelstudio/Easel/gallery/gallery-filters.ui");
  gtk_widget_class_bind_template_child (widget_class, EaselGalleryFilters, kind);
  gtk_widget_class_bind_template_child (widget_class, EaselGalleryFilters, model);
  gtk_widget_class_bind_template_child (widget_class, EaselGalleryFilters, tag);
  gtk_widget_class_bind_template_child (widget_class, EaselGalleryFilters, stars);
  gtk_widget_class_bind_template_child (widget_class, EaselGalleryFilters, size);
  gtk_widget_class_bind_template_child (widget_class, EaselGalleryFilters, date);
  gtk_widget_class_bind_template_child (widget_class, EaselGalleryFilters, place);
  gtk_widget_class_bind_template_child (widget_class, EaselGalleryFilters, clear);
  gtk_widget_class_bind_template_callback (widget_class, changed_cb);
  gtk_widget_class_bind_template_callback (widget_class, easel_gallery_filters_clear);
}

static void
easel_gallery_filters_init (EaselGalleryFilters *self)
{
  self->quiet = TRUE;
  self->models = g_ptr_array_new_with_free_func (g_free);
  self->tags = g_ptr_array_new_with_free_func (g_free);
  gtk_widget_init_template (GTK_WIDGET (self));
  self->quiet = FALSE;
}
