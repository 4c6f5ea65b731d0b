/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config-ui.h"
#include "ui/create/preflight.h"

#include <glib/gi18n.h>

#include "ui/application.h"
#include "ui/create/model-facts.h"
#include "ui/create/speeds.h"
#include "ui/picture.h"

struct _EaselPreflight
{
  AdwBin parent;

  GtkLabel *label; /* borrowed: the child */
  GCancellable *planning;
  EaselRequest *asked;
};

G_DEFINE_FINAL_TYPE (EaselPreflight, easel_preflight, ADW_TYPE_BIN)

void
easel_preflight_say (EaselPreflight *self, const char *sentence)
{
  g_cancellable_cancel (self->planning);
  g_clear_object (&self->planning);
  gtk_label_set_label (self->label, sentence);
}

static const char *
format_of (GSettings *settings, const EaselPlan *plan, char **owned)
{
  *owned = g_settings_get_string (settings, plan->frames > 1 ? "clip-format" : "format");
  return *owned;
}

/* Free bytes where pictures go; G_MAXUINT64 when nobody knows. */
static guint64
free_bytes (void)
{
  EaselGallery *gallery = easel_application_get_gallery (easel_application_get ());
  g_autoptr (GFile) folder = gallery ? g_file_new_for_path (easel_gallery_get_folder (gallery)) : NULL;
  g_autoptr (GFileInfo) info =
      folder ? g_file_query_filesystem_info (folder, G_FILE_ATTRIBUTE_FILESYSTEM_FREE, NULL, NULL) : NULL;

  return info && g_file_info_has_attribute (info, G_FILE_ATTRIBUTE_FILESYSTEM_FREE)
             ? g_file_info_get_attribute_uint64 (info, G_FILE_ATTRIBUTE_FILESYSTEM_FREE)
             : G_MAXUINT64;
}

static void
add (GString *text, const char *part)
{
  if (*part)
    g_string_append_printf (text, "%s%s", text->len ? " · " : "", part);
}

/* What becomes of a picture or clip of another shape. */
static void
add_input (GString *text, const EaselRequestSettings *s, const EaselPlan *plan)
{
  gboolean sides;
  const int cut = (int) (100 * easel_plan_input_cut (plan, &sides) + 0.5);
  g_autofree char *words = NULL;

  if (plan->input_height <= 0)
    return;
  if (s->fit_input)
    words = g_strdup (sides ? _ ("The input stands between bars above and below.")
                              : _ ("The input stands between bars at its sides."));
  else
    words = sides ? g_strdup_printf (_ ("%d %% of the input are cut off at its sides."), cut)
                  : g_strdup_printf (_ ("%d %% of the input are cut off at its top and bottom."), cut);
  g_string_append_printf (text, "\n%s", words);
}

static void
say_plan (EaselPreflight *self, EaselRequest *request, const EaselPlan *plan)
{
  EaselApplication *app = easel_application_get ();
  GSettings *settings = easel_application_get_settings (app);
  const char *device = easel_engine_device_name (easel_application_get_engine (app));
  const EaselRequestSettings *s = easel_request_settings (request);
  int count = MAX (1, s->count);
  g_autofree char *format = NULL;
  double bytes = easel_speeds_bytes (settings, plan, format_of (settings, plan, &format)) * count;
  double seconds = easel_speeds_seconds (settings, device, s, plan);
  g_autofree char *peak = g_format_size (plan->peak_bytes), *size = g_format_size ((guint64) bytes);
  /* Translators: an amount of memory, such as "3.2 GB of memory". */
  g_autofree char *memory = g_strdup_printf (_ ("%s of memory"), peak);
  /* Translators: an amount, such as "0.4 MB on disk". */
  g_autofree char *disk = g_strdup_printf (_ ("%s on disk"), size);
  g_autofree char *time = easel_duration_words (seconds > 0 ? seconds * count : -1);
  g_autofree char *tiles = NULL;
  g_autoptr (GString) text = g_string_new (NULL);

  add (text, time);
  add (text, memory);
  add (text, disk);
  add (text, device);
  if (plan->tile_width > 0)
    {
      /* Translators: pixels, width and height. */
      tiles = g_strdup_printf (_ ("finished in tiles of %d × %d"), plan->tile_width, plan->tile_height);
      add (text, tiles);
    }
  if (plan->takes_turns)
    add (text, _ ("its parts take turns in memory"));
  add_input (text, s, plan);
  if (bytes > (double) free_bytes ())
    g_string_append_printf (text, "\n%s", _ ("There is not enough room on the disk for that."));
  gtk_label_set_label (self->label, text->str);
}

static void
planned_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GError) error = NULL;
  EaselPlan plan = { 0 };
  gboolean ok = easel_plan_finish (result, &plan, &error);

  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return; /* another one is on its way, or the widget is gone */
  if (ok)
    say_plan (user_data, easel_plan_get_request (result), &plan);
  else
    gtk_label_set_label (EASEL_PREFLIGHT (user_data)->label, error->message);
  easel_plan_clear (&plan);
}

void
easel_preflight_ask (EaselPreflight *self, EaselRequest *request)
{
  g_cancellable_cancel (self->planning);
  g_clear_object (&self->planning);
  easel_request_ref (request);
  g_clear_pointer (&self->asked, easel_request_unref);
  self->asked = request;
  self->planning = g_cancellable_new ();
  easel_plan_async (easel_application_get_engine (easel_application_get ()), request, self->planning, planned_cb, self);
}

/* ---- learning ---- */

typedef struct
{
  EaselPreflight *self;
  EaselJob *job;
  gint64 bytes;
} Lesson;

static void
learnt_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autofree Lesson *lesson = user_data;
  g_autoptr (EaselPreflight) self = lesson->self;
  g_autoptr (EaselJob) job = lesson->job;
  EaselApplication *app = easel_application_get ();
  GSettings *settings = easel_application_get_settings (app);
  EaselEngine *engine = easel_application_get_engine (app);
  EaselPlan plan = { 0 };
  g_autofree char *format = NULL;

  if (!easel_plan_finish (result, &plan, NULL))
    return;
  if (engine)
    easel_speeds_learn (settings, easel_engine_device_name (engine), job, &plan, lesson->bytes,
                        format_of (settings, &plan, &format));
  easel_plan_clear (&plan);
  if (self->asked && engine && gtk_widget_get_root (GTK_WIDGET (self)))
    {
      g_autoptr (EaselRequest) again = easel_request_ref (self->asked);
      easel_preflight_ask (self, again);
    }
}

void
easel_preflight_learn (EaselPreflight *self, EaselJob *job, gint64 bytes)
{
  Lesson *lesson = g_new0 (Lesson, 1);

  lesson->self = g_object_ref (self);
  lesson->job = g_object_ref (job);
  lesson->bytes = bytes;
  easel_plan_async (easel_application_get_engine (easel_application_get ()), easel_job_get_request (job), NULL,
                    learnt_cb, lesson);
}

/* ---- object ---- */

static void
easel_preflight_dispose (GObject *object)
{
  EaselPreflight *self = EASEL_PREFLIGHT (object);

  g_cancellable_cancel (self->planning);
  g_clear_object (&self->planning);
  g_clear_pointer (&self->asked, easel_request_unref);
  G_OBJECT_CLASS (easel_preflight_parent_class)->dispose (object);
}

static void
easel_preflight_class_init (EaselPreflightClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = easel_preflight_dispose;
}

static void
easel_preflight_init (EaselPreflight *self)
{
  self->label = GTK_LABEL (gtk_label_new (NULL));
  gtk_label_set_wrap (self->label, TRUE);
  gtk_label_set_justify (self->label, GTK_JUSTIFY_CENTER);
  gtk_label_set_lines (self->label, 4);
  gtk_widget_add_css_class (GTK_WIDGET (self->label), "caption");
  gtk_widget_add_css_class (GTK_WIDGET (self->label), "dim-label");
  adw_bin_set_child (ADW_BIN (self), GTK_WIDGET (self->label));
}
