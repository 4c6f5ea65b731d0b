/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config-ui.h"
#include "ui/create/settings-panel.h"

#include <glib/gi18n.h>
#include <string.h>

#include "ui/application.h"
#include "ui/create/model-facts.h"
#include "ui/create/size-row.h"
#include "ui/create/value-row.h"

#define HISTORY_LENGTH 50
#define PLAN_DELAY_MS 250 /* quiet time after a change before the plan is asked for */

struct _EaselSettingsPanel
{
  AdwBin parent;

  /* Template widgets */
  GtkTextView *prompt;
  GtkLabel *placeholder, *preflight;
  GtkPopover *history_popover;
  GtkListBox *history_list;
  AdwEntryRow *negative, *seed;
  AdwComboRow *model, *sampler;
  EaselSizeRow *size;
  GtkSpinButton *count;
  AdwExpanderRow *advanced;
  EaselValueRow *steps, *guidance;
  GtkToggleButton *lock;
  GtkButton *generate;

  /* Owned */
  GtkStringList *models, *samplers;
  EaselModelFacts *facts;    /* of the chosen model; NULL until it is read */
  EaselRequest *to_load;     /* waits for the facts of its model */
  GCancellable *reading, *planning;
  guint plan_timeout;
};

G_DEFINE_FINAL_TYPE (EaselSettingsPanel, easel_settings_panel, ADW_TYPE_BIN)

static const char *
chosen (AdwComboRow *row, GtkStringList *names)
{
  guint i = adw_combo_row_get_selected (row);
  return i == GTK_INVALID_LIST_POSITION ? NULL : gtk_string_list_get_string (names, i);
}

static void
choose (AdwComboRow *row, GtkStringList *names, const char *name)
{
  for (guint i = 0; name && i < g_list_model_get_n_items (G_LIST_MODEL (names)); i++)
    if (strcmp (gtk_string_list_get_string (names, i), name) == 0)
      adw_combo_row_set_selected (row, i);
}

static char *
get_prompt (EaselSettingsPanel *self)
{
  GtkTextBuffer *buffer = gtk_text_view_get_buffer (self->prompt);
  GtkTextIter start, end;

  gtk_text_buffer_get_bounds (buffer, &start, &end);
  return gtk_text_buffer_get_text (buffer, &start, &end, FALSE);
}

static void
set_seed (EaselSettingsPanel *self, gint64 seed)
{
  g_autofree char *text = g_strdup_printf ("%" G_GINT64_FORMAT, seed);
  gtk_editable_set_text (GTK_EDITABLE (self->seed), text);
}

static void
roll_seed (EaselSettingsPanel *self)
{
  set_seed (self, (gint64) g_random_int ());
}

EaselRequest *
easel_settings_panel_build (EaselSettingsPanel *self, GError **error)
{
  EaselRequestSettings settings = EASEL_REQUEST_SETTINGS_INIT;
  g_autofree char *prompt = get_prompt (self);
  const char *digits = gtk_editable_get_text (GTK_EDITABLE (self->seed));
  guint64 seed = 0;

  settings.model = chosen (self->model, self->models);
  if (!settings.model)
    {
      g_set_error_literal (error, EASEL_ERROR, EASEL_ERROR_NOT_FOUND,
                           _ ("There is no model yet. The Models page says where to get one."));
      return NULL;
    }
  if (*digits && !g_ascii_string_to_unsigned (digits, 10, 0, G_MAXINT64, &seed, NULL))
    {
      g_set_error_literal (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST, _ ("The seed must be a whole number."));
      return NULL;
    }
  settings.prompt = prompt;
  settings.negative = gtk_editable_get_text (GTK_EDITABLE (self->negative));
  settings.width = easel_size_row_get_width (self->size);
  settings.height = easel_size_row_get_height (self->size);
  settings.steps = (int) easel_value_row_get_value (self->steps);
  settings.guidance = easel_value_row_get_value (self->guidance);
  settings.sampler = chosen (self->sampler, self->samplers);
  settings.seed = *digits ? (gint64) seed : -1;
  settings.count = gtk_spin_button_get_value_as_int (self->count);
  if (self->facts)
    {
      const EaselRequestSettings *own = easel_request_settings (self->facts->defaults);

      settings.human_instruction = own->human_instruction;
      settings.max_tokens = own->max_tokens;
    }
  return easel_request_new (&settings, error);
}

/* ---- what Generate will do ---- */

static void
say_plan (EaselSettingsPanel *self, const EaselPlan *plan)
{
  GSettings *settings = easel_application_get_settings (easel_application_get ());
  double rate = g_settings_get_double (settings, "learnt-rate");
  int count = gtk_spin_button_get_value_as_int (self->count);
  g_autofree char *memory = g_format_size (plan->peak_bytes);
  const char *device = easel_engine_device_name (easel_application_get_engine (easel_application_get ()));
  g_autofree char *text = NULL;

  if (rate > 0)
    {
      double seconds = MAX (1, plan->flops * count / rate);
      g_autofree char *time = seconds < 90 ? g_strdup_printf (ngettext ("about %d second", "about %d seconds",
                                                                         (gulong) seconds), (int) seconds)
                                           : g_strdup_printf (ngettext ("about %d minute", "about %d minutes",
                                                                        (gulong) (seconds / 60 + 0.5)),
                                                              (int) (seconds / 60 + 0.5));
      /* Translators: a time such as "about 4 seconds", an amount of memory, the name of a device. */
      text = g_strdup_printf (_ ("Will take %s and %s of memory on %s"), time, memory, device);
    }
  else
    /* Translators: an amount of memory, the name of a device. */
    text = g_strdup_printf (_ ("Will take %s of memory on %s"), memory, device);
  gtk_label_set_label (self->preflight, text);
}

static void
planned_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GError) error = NULL;
  EaselPlan plan = { 0 };
  gboolean ok = easel_plan_finish (result, &plan, &error);
  EaselSettingsPanel *self = user_data;

  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return; /* another one is on its way, or the panel is gone */
  if (ok)
    say_plan (self, &plan);
  else
    gtk_label_set_label (self->preflight, error->message);
  easel_plan_clear (&plan);
}

static gboolean
plan_cb (gpointer user_data)
{
  EaselSettingsPanel *self = user_data;
  EaselEngine *engine = easel_application_get_engine (easel_application_get ());
  g_autoptr (GError) error = NULL;
  g_autoptr (EaselRequest) request = easel_settings_panel_build (self, &error);

  self->plan_timeout = 0;
  g_cancellable_cancel (self->planning);
  g_clear_object (&self->planning);
  if (!request)
    {
      gtk_label_set_label (self->preflight, error->message);
      return G_SOURCE_REMOVE;
    }
  self->planning = g_cancellable_new ();
  easel_plan_async (engine, request, self->planning, planned_cb, self);
  return G_SOURCE_REMOVE;
}

static void
changed_cb (EaselSettingsPanel *self)
{
  if (!easel_application_get_engine (easel_application_get ()))
    return;
  g_clear_handle_id (&self->plan_timeout, g_source_remove);
  self->plan_timeout = g_timeout_add (PLAN_DELAY_MS, plan_cb, self);
}

typedef struct
{
  EaselSettingsPanel *panel;
  double seconds;
} Learning;

static void
learnt_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autofree Learning *learning = user_data;
  g_autoptr (EaselSettingsPanel) self = learning->panel;
  GSettings *settings = easel_application_get_settings (easel_application_get ());
  double old = g_settings_get_double (settings, "learnt-rate"), now;
  EaselPlan plan = { 0 };

  if (!easel_plan_finish (result, &plan, NULL))
    return;
  now = plan.flops / learning->seconds;
  g_settings_set_double (settings, "learnt-rate", old > 0 ? 0.7 * old + 0.3 * now : now);
  easel_plan_clear (&plan);
  if (gtk_widget_get_root (GTK_WIDGET (self)))
    changed_cb (self);
}

void
easel_settings_panel_learn (EaselSettingsPanel *self, EaselRequest *request, double seconds)
{
  Learning *learning;

  if (seconds <= 0.05)
    return;
  learning = g_new0 (Learning, 1);
  learning->panel = g_object_ref (self);
  learning->seconds = seconds;
  easel_plan_async (easel_application_get_engine (easel_application_get ()), request, NULL, learnt_cb, learning);
}

/* ---- models ---- */

static void
apply_request (EaselSettingsPanel *self, EaselRequest *request)
{
  const EaselRequestSettings *s = easel_request_settings (request);

  gtk_text_buffer_set_text (gtk_text_view_get_buffer (self->prompt), s->prompt, -1);
  gtk_editable_set_text (GTK_EDITABLE (self->negative), s->negative);
  if (s->width > 0 && s->height > 0)
    easel_size_row_set_size (self->size, s->width, s->height);
  if (s->steps > 0)
    easel_value_row_set_value (self->steps, s->steps);
  if (s->guidance >= 0)
    easel_value_row_set_value (self->guidance, s->guidance);
  choose (self->sampler, self->samplers, s->sampler);
  if (s->seed >= 0)
    set_seed (self, s->seed);
  gtk_spin_button_set_value (self->count, MAX (1, s->count));
}

static void
sampler_changed_cb (EaselSettingsPanel *self)
{
  guint i = adw_combo_row_get_selected (self->sampler);
  const EaselSamplerInfo *info =
      self->facts && i < self->facts->samplers->len ? self->facts->samplers->pdata[i] : NULL;

  adw_action_row_set_subtitle (ADW_ACTION_ROW (self->sampler), info ? _ (info->description) : "");
  changed_cb (self);
}

static void
facts_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GError) error = NULL;
  EaselModelFacts *facts = easel_model_facts_read_finish (result, &error);
  EaselSettingsPanel *self = user_data;
  const EaselRequestSettings *own;

  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return;
  if (!facts)
    {
      gtk_label_set_label (self->preflight, error->message);
      return;
    }
  g_clear_pointer (&self->facts, easel_model_facts_free);
  self->facts = facts;
  own = easel_request_settings (facts->defaults);
  easel_value_row_set_default (self->steps, own->steps);
  easel_value_row_set_default (self->guidance, own->guidance);
  easel_size_row_set_model (self->size, MAX (own->width, own->height), facts->multiple);
  easel_size_row_set_size (self->size, own->width, own->height);
  gtk_string_list_splice (self->samplers, 0, g_list_model_get_n_items (G_LIST_MODEL (self->samplers)), NULL);
  for (guint i = 0; i < facts->samplers->len; i++)
    gtk_string_list_append (self->samplers, ((const EaselSamplerInfo *) facts->samplers->pdata[i])->name);
  adw_combo_row_set_selected (self->sampler, 0);
  if (self->to_load)
    apply_request (self, self->to_load);
  g_clear_pointer (&self->to_load, easel_request_unref);
  sampler_changed_cb (self);
}

static void
model_changed_cb (EaselSettingsPanel *self)
{
  const char *model = chosen (self->model, self->models);

  g_cancellable_cancel (self->reading);
  g_clear_object (&self->reading);
  g_clear_pointer (&self->facts, easel_model_facts_free);
  if (!model)
    return;
  self->reading = g_cancellable_new ();
  easel_model_facts_read_async (easel_application_get_engine (easel_application_get ()), model, self->reading,
                                facts_cb, self);
}

static void
list_models (EaselSettingsPanel *self)
{
  EaselEngine *engine = easel_application_get_engine (easel_application_get ());
  g_autoptr (GPtrArray) found = engine ? easel_engine_list_models (engine) : NULL;

  for (guint i = 0; found && i < found->len; i++)
    {
      const EaselModelInfo *info = found->pdata[i];
      if (!info->problem)
        gtk_string_list_append (self->models, info->name);
    }
  if (g_list_model_get_n_items (G_LIST_MODEL (self->models)) == 0)
    gtk_label_set_label (self->preflight, _ ("There is no model yet. The Models page says where to get one."));
  gtk_widget_set_sensitive (GTK_WIDGET (self->generate), g_list_model_get_n_items (G_LIST_MODEL (self->models)) > 0);
}

void
easel_settings_panel_load (EaselSettingsPanel *self, EaselRequest *request)
{
  const EaselRequestSettings *s = easel_request_settings (request);
  const char *before = chosen (self->model, self->models);

  choose (self->model, self->models, s->model);
  if (self->facts && g_strcmp0 (before, chosen (self->model, self->models)) == 0)
    {
      apply_request (self, request);
      return;
    }
  g_clear_pointer (&self->to_load, easel_request_unref);
  self->to_load = easel_request_ref (request);
}

/* ---- prompt history ---- */

static void
fill_history (EaselSettingsPanel *self)
{
  GSettings *settings = easel_application_get_settings (easel_application_get ());
  g_auto (GStrv) prompts = g_settings_get_strv (settings, "prompt-history");
  GtkWidget *row;

  while ((row = GTK_WIDGET (gtk_list_box_get_row_at_index (self->history_list, 0))))
    gtk_list_box_remove (self->history_list, row);
  for (char **p = prompts; *p; p++)
    {
      GtkWidget *label = gtk_label_new (*p);

      gtk_label_set_ellipsize (GTK_LABEL (label), PANGO_ELLIPSIZE_END);
      gtk_label_set_lines (GTK_LABEL (label), 2);
      gtk_label_set_wrap (GTK_LABEL (label), TRUE);
      gtk_label_set_xalign (GTK_LABEL (label), 0);
      gtk_widget_set_margin_top (label, 6);
      gtk_widget_set_margin_bottom (label, 6);
      gtk_list_box_append (self->history_list, label);
    }
}

static void
history_activated_cb (EaselSettingsPanel *self, GtkListBoxRow *row)
{
  const char *text = gtk_label_get_text (GTK_LABEL (gtk_list_box_row_get_child (row)));

  gtk_text_buffer_set_text (gtk_text_view_get_buffer (self->prompt), text, -1);
  gtk_popover_popdown (self->history_popover);
  gtk_widget_grab_focus (GTK_WIDGET (self->prompt));
}

void
easel_settings_panel_queued (EaselSettingsPanel *self, EaselRequest *request)
{
  GSettings *settings = easel_application_get_settings (easel_application_get ());
  g_auto (GStrv) old = g_settings_get_strv (settings, "prompt-history");
  g_autoptr (GPtrArray) history = g_ptr_array_new ();
  const char *prompt = easel_request_settings (request)->prompt;
  g_autofree char *json = easel_request_to_json (request);

  if (*prompt)
    g_ptr_array_add (history, (gpointer) prompt);
  for (char **p = old; *p && history->len < HISTORY_LENGTH; p++)
    if (strcmp (*p, prompt) != 0)
      g_ptr_array_add (history, *p);
  g_ptr_array_add (history, NULL);
  g_settings_set_strv (settings, "prompt-history", (const char *const *) history->pdata);
  g_settings_set_string (settings, "last-request", json);
  fill_history (self);
  if (!gtk_toggle_button_get_active (self->lock))
    roll_seed (self);
}

void
easel_settings_panel_focus_prompt (EaselSettingsPanel *self)
{
  gtk_widget_grab_focus (GTK_WIDGET (self->prompt));
}

static void
dice_clicked_cb (EaselSettingsPanel *self)
{
  gtk_toggle_button_set_active (self->lock, FALSE);
  roll_seed (self);
}

static void
prompt_changed_cb (EaselSettingsPanel *self, GtkTextBuffer *buffer)
{
  gtk_widget_set_visible (GTK_WIDGET (self->placeholder), gtk_text_buffer_get_char_count (buffer) == 0);
}

/* ---- object ---- */

static void
restore_last (EaselSettingsPanel *self)
{
  g_autofree char *json = g_settings_get_string (easel_application_get_settings (easel_application_get ()),
                                                 "last-request");
  g_autoptr (EaselRequest) last = *json ? easel_request_from_json (json, strlen (json), NULL) : NULL;

  if (last)
    easel_settings_panel_load (self, last);
}

static void
easel_settings_panel_dispose (GObject *object)
{
  EaselSettingsPanel *self = EASEL_SETTINGS_PANEL (object);

  g_clear_handle_id (&self->plan_timeout, g_source_remove);
  g_cancellable_cancel (self->reading);
  g_cancellable_cancel (self->planning);
  g_clear_object (&self->reading);
  g_clear_object (&self->planning);
  g_clear_pointer (&self->facts, easel_model_facts_free);
  g_clear_pointer (&self->to_load, easel_request_unref);
  gtk_widget_dispose_template (GTK_WIDGET (object), EASEL_TYPE_SETTINGS_PANEL);
  g_clear_object (&self->models);
  g_clear_object (&self->samplers);
  G_OBJECT_CLASS (easel_settings_panel_parent_class)->dispose (object);
}

static void
easel_settings_panel_class_init (EaselSettingsPanelClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = easel_settings_panel_dispose;
  g_type_ensure (EASEL_TYPE_SIZE_ROW);
  g_type_ensure (EASEL_TYPE_VALUE_ROW);
  gtk_widget_class_set_template_from_resource (widget_class, "/io/github/easelstudio/Easel/create/settings-panel.ui");
  gtk_widget_class_bind_template_child (widget_class, EaselSettingsPanel, prompt);
  gtk_widget_class_bind_template_child (widget_class, EaselSettingsPanel, placeholder);
  gtk_widget_class_bind_template_child (widget_class, EaselSettingsPanel, preflight);
  gtk_widget_class_bind_template_child (widget_class, EaselSettingsPanel, history_popover);
  gtk_widget_class_bind_template_child (widget_class, EaselSettingsPanel, history_list);
  gtk_widget_class_bind_template_child (widget_class, EaselSettingsPanel, negative);
  gtk_widget_class_bind_template_child (widget_class, EaselSettingsPanel, seed);
  gtk_widget_class_bind_template_child (widget_class, EaselSettingsPanel, model);
  gtk_widget_class_bind_template_child (widget_class, EaselSettingsPanel, sampler);
  gtk_widget_class_bind_template_child (widget_class, EaselSettingsPanel, size);
  gtk_widget_class_bind_template_child (widget_class, EaselSettingsPanel, count);
  gtk_widget_class_bind_template_child (widget_class, EaselSettingsPanel, advanced);
  gtk_widget_class_bind_template_child (widget_class, EaselSettingsPanel, steps);
  gtk_widget_class_bind_template_child (widget_class, EaselSettingsPanel, guidance);
  gtk_widget_class_bind_template_child (widget_class, EaselSettingsPanel, lock);
  gtk_widget_class_bind_template_child (widget_class, EaselSettingsPanel, generate);
  gtk_widget_class_bind_template_callback (widget_class, history_activated_cb);
  gtk_widget_class_bind_template_callback (widget_class, dice_clicked_cb);
}

static void
easel_settings_panel_init (EaselSettingsPanel *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
  self->models = gtk_string_list_new (NULL);
  self->samplers = gtk_string_list_new (NULL);
  adw_combo_row_set_model (self->model, G_LIST_MODEL (self->models));
  adw_combo_row_set_model (self->sampler, G_LIST_MODEL (self->samplers));
  g_signal_connect_object (self->model, "notify::selected", G_CALLBACK (model_changed_cb), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (self->sampler, "notify::selected", G_CALLBACK (sampler_changed_cb), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (self->size, "notify::width", G_CALLBACK (changed_cb), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (self->size, "notify::height", G_CALLBACK (changed_cb), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (self->steps, "notify::value", G_CALLBACK (changed_cb), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (self->guidance, "notify::value", G_CALLBACK (changed_cb), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (self->count, "value-changed", G_CALLBACK (changed_cb), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (gtk_text_view_get_buffer (self->prompt), "changed", G_CALLBACK (prompt_changed_cb), self,
                           G_CONNECT_SWAPPED);
  roll_seed (self);
  fill_history (self);
  list_models (self);
  restore_last (self);
}
