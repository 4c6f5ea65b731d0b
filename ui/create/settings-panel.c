/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config-ui.h"
#include "ui/create/settings-panel.h"

#include <glib/gi18n.h>
#include <string.h>

#include "ui/application.h"
#include "ui/create/input-row.h"
#include "ui/create/model-facts.h"
#include "ui/create/preflight.h"
#include "ui/create/presets.h"
#include "ui/create/prompt-box.h"
#include "ui/create/reset-button.h"
#include "ui/create/sampler-row.h"
#include "ui/create/scroll-guard.h"
#include "ui/create/size-row.h"
#include "ui/create/value-row.h"
#include "ui/window.h"

#define PLAN_DELAY_MS 250 /* quiet time after a change before the plan is asked for */
#define FIT 1              /* of the rows of "If Its Shape Differs" */
#define FASTER 0.3         /* EaselRequestSettings.reuse of who says no number */

struct _EaselSettingsPanel
{
  AdwBin parent;

  /* Template widgets */
  EaselPromptBox *prompt;
  EaselPreflight *preflight;
  AdwEntryRow *negative, *seed;
  AdwComboRow *model;
  AdwComboRow *sampler, *shape;
  EaselInputRow *input;
  EaselSizeRow *size;
  AdwActionRow *count_row, *dynamic_row, *faster_row, *exact_size_row;
  GtkSpinButton *count;
  AdwExpanderRow *advanced;
  EaselValueRow *frames, *fps, *steps, *guidance, *strength;
  GtkSwitch *dynamic, *faster, *exact_size;
  GtkToggleButton *lock;
  GtkButton *generate;
  GtkWidget *editing;

  /* Borrowed: children */
  GtkWidget *reset_negative, *reset_model, *reset_sampler, *reset_count;

  /* Owned */
  GtkStringList *models;
  EaselModelFacts *facts; /* of the chosen model; NULL until it is read */
  EaselRequest *to_load;  /* waits for the models, or for the facts of its model */
  GCancellable *listing, *reading;
  guint plan_timeout;
  gint64 last_seed;       /* -1: none used yet */
  double reuse;           /* what "Faster" asks for */
  gboolean listed;        /* the models are known */
};

G_DEFINE_FINAL_TYPE (EaselSettingsPanel, easel_settings_panel, ADW_TYPE_BIN)

enum
{
  EDIT_CANCELLED,
  N_SIGNALS
};
static guint signals[N_SIGNALS];

static GSettings *
settings_store (void)
{
  return easel_application_get_settings (easel_application_get ());
}

static EaselEngine *
engine (void)
{
  return easel_application_get_engine (easel_application_get ());
}

static const char *
chosen_model (EaselSettingsPanel *self)
{
  guint i = adw_combo_row_get_selected (self->model);
  return i == GTK_INVALID_LIST_POSITION ? NULL : gtk_string_list_get_string (self->models, i);
}

static gboolean
choose_model (EaselSettingsPanel *self, const char *name)
{
  for (guint i = 0; name && i < g_list_model_get_n_items (G_LIST_MODEL (self->models)); i++)
    if (strcmp (gtk_string_list_get_string (self->models, i), name) == 0)
      {
        adw_combo_row_set_selected (self->model, i);
        return TRUE;
      }
  return FALSE;
}

static gboolean
makes_clips (EaselSettingsPanel *self)
{
  return self->facts && self->facts->rules.frames_most > 0;
}

/* ---- the seed ---- */

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

static void
dice_clicked_cb (EaselSettingsPanel *self)
{
  gtk_toggle_button_set_active (self->lock, FALSE);
  roll_seed (self);
}

static void
last_seed_clicked_cb (EaselSettingsPanel *self)
{
  if (self->last_seed < 0)
    return;
  set_seed (self, self->last_seed);
  gtk_toggle_button_set_active (self->lock, TRUE);
}

/* ---- the request ---- */

static EaselRequest *
build (EaselSettingsPanel *self, gboolean complete, GError **error)
{
  EaselRequestSettings s = EASEL_REQUEST_SETTINGS_INIT;
  g_autofree char *prompt = easel_prompt_box_dup_text (self->prompt);
  g_autofree char *precision = g_settings_get_string (settings_store (), "precision");
  const char *digits = gtk_editable_get_text (GTK_EDITABLE (self->seed));
  guint64 seed = 0;

  s.model = chosen_model (self);
  if (!s.model)
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
  s.prompt = prompt;
  s.negative = !self->facts || self->facts->rules.negative ? gtk_editable_get_text (GTK_EDITABLE (self->negative)) : "";
  s.width = easel_size_row_get_width (self->size);
  s.height = easel_size_row_get_height (self->size);
  s.steps = (int) easel_value_row_get_value (self->steps);
  s.guidance = easel_value_row_get_value (self->guidance);
  s.sampler = easel_sampler_row_get_name (self->sampler);
  s.seed = *digits ? (gint64) seed : -1;
  s.count = gtk_spin_button_get_value_as_int (self->count);
  s.precision = *precision && easel_engine_has_8_bits (engine ()) ? precision : NULL;
  if (self->facts)
    {
      const EaselRequestSettings *own = easel_request_settings (self->facts->defaults);
      EaselInput kind = self->facts->rules.input;

      s.human_instruction = own->human_instruction;
      s.max_tokens = own->max_tokens;
      s.input = kind != EASEL_INPUT_NONE ? easel_input_row_get_path (self->input) : NULL;
      s.fit_input = s.input && adw_combo_row_get_selected (self->shape) == FIT;
      if (complete && !s.input && (kind == EASEL_INPUT_PICTURE || kind == EASEL_INPUT_CLIP))
        {
          g_set_error_literal (error, EASEL_ERROR, EASEL_ERROR_BAD_REQUEST,
                               kind == EASEL_INPUT_PICTURE ? _ ("This model begins with a picture; choose one above.")
                                                           : _ ("This model changes a clip; choose one above."));
          return NULL;
        }
    }
  if (makes_clips (self))
    {
      s.frames = (int) easel_value_row_get_value (self->frames);
      s.fps = easel_value_row_get_value (self->fps);
      s.dynamic_guidance = gtk_switch_get_active (self->dynamic);
      s.reuse = gtk_switch_get_active (self->faster) ? self->reuse : 0;
      s.strength = s.input && self->facts->rules.input != EASEL_INPUT_PICTURE
                       ? easel_value_row_get_value (self->strength)
                       : 0;
    }
  else
    s.resolution_binning = !gtk_switch_get_active (self->exact_size);
  return easel_request_new (&s, error);
}

EaselRequest *
easel_settings_panel_build (EaselSettingsPanel *self, GError **error)
{
  return build (self, TRUE, error);
}

static EaselRequest *
preset_source (gpointer user_data, GError **error)
{
  return build (user_data, FALSE, error);
}

/* ---- what Generate will do ---- */

static gboolean
plan_cb (gpointer user_data)
{
  EaselSettingsPanel *self = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (EaselRequest) request = build (self, TRUE, &error);

  self->plan_timeout = 0;
  if (request)
    easel_preflight_ask (self->preflight, request);
  else
    easel_preflight_say (self->preflight, error->message);
  return G_SOURCE_REMOVE;
}

/* A control changed: the way back to its default, and the plan a moment later. */
static void
changed_cb (EaselSettingsPanel *self)
{
  easel_reset_button_set_needed (self->reset_negative, *gtk_editable_get_text (GTK_EDITABLE (self->negative)) != '\0');
  easel_reset_button_set_needed (self->reset_model,
                                 adw_combo_row_get_selected (self->model) != 0 && chosen_model (self));
  easel_reset_button_set_needed (self->reset_sampler, adw_combo_row_get_selected (self->sampler) != 0 && self->facts);
  easel_reset_button_set_needed (self->reset_count, gtk_spin_button_get_value_as_int (self->count) != 1);
  if (!engine () || !self->facts)
    return;
  g_clear_handle_id (&self->plan_timeout, g_source_remove);
  self->plan_timeout = g_timeout_add (PLAN_DELAY_MS, plan_cb, self);
}

static void
input_changed_cb (EaselSettingsPanel *self)
{
  gboolean changes = makes_clips (self) && self->facts->rules.input != EASEL_INPUT_PICTURE &&
                     easel_input_row_get_path (self->input);

  gtk_widget_set_visible (GTK_WIDGET (self->shape), easel_input_row_get_path (self->input) != NULL &&
                                                        gtk_widget_get_visible (GTK_WIDGET (self->input)));
  gtk_widget_set_visible (GTK_WIDGET (self->strength), changes);
  changed_cb (self);
}

static void
shape_changed_cb (EaselSettingsPanel *self)
{
  easel_input_row_set_fits (self->input, adw_combo_row_get_selected (self->shape) == FIT);
  changed_cb (self);
}

static void
exact_size_changed_cb (EaselSettingsPanel *self)
{
  easel_size_row_set_exact (self->size, gtk_switch_get_active (self->exact_size));
  changed_cb (self);
}

static void
size_changed_cb (EaselSettingsPanel *self)
{
  easel_input_row_set_size (self->input, easel_size_row_get_width (self->size), easel_size_row_get_height (self->size));
  changed_cb (self);
}

void
easel_settings_panel_learn (EaselSettingsPanel *self, EaselJob *job, gint64 bytes)
{
  easel_preflight_learn (self->preflight, job, bytes);
}

/* ---- going back ---- */

static void
reset_negative_cb (EaselSettingsPanel *self)
{
  gtk_widget_grab_focus (GTK_WIDGET (self->negative));
  gtk_editable_set_text (GTK_EDITABLE (self->negative), "");
}

static void
reset_model_cb (EaselSettingsPanel *self)
{
  gtk_widget_grab_focus (GTK_WIDGET (self->model));
  adw_combo_row_set_selected (self->model, 0);
}

static void
reset_sampler_cb (EaselSettingsPanel *self)
{
  gtk_widget_grab_focus (GTK_WIDGET (self->sampler));
  adw_combo_row_set_selected (self->sampler, 0);
}

static void
reset_count_cb (EaselSettingsPanel *self)
{
  gtk_widget_grab_focus (GTK_WIDGET (self->count));
  gtk_spin_button_set_value (self->count, 1);
}

/* ---- models ---- */

static void
apply_request (EaselSettingsPanel *self, EaselRequest *request)
{
  const EaselRequestSettings *s = easel_request_settings (request);

  if (*s->prompt)
    easel_prompt_box_set_text (self->prompt, s->prompt);
  gtk_editable_set_text (GTK_EDITABLE (self->negative), s->negative);
  if (s->width > 0 && s->height > 0)
    easel_size_row_set_size (self->size, s->width, s->height);
  if (s->steps > 0)
    easel_value_row_set_value (self->steps, s->steps);
  if (s->guidance >= 0)
    easel_value_row_set_value (self->guidance, s->guidance);
  if (s->frames > 0 && makes_clips (self))
    easel_value_row_set_value (self->frames, s->frames);
  if (s->fps > 0)
    easel_value_row_set_value (self->fps, s->fps);
  if (s->strength > 0)
    easel_value_row_set_value (self->strength, s->strength);
  gtk_switch_set_active (self->dynamic, s->dynamic_guidance);
  self->reuse = s->reuse > 0 ? s->reuse : FASTER;
  gtk_switch_set_active (self->faster, s->reuse > 0);
  gtk_switch_set_active (self->exact_size, !s->resolution_binning);
  /* A file carries the last part of a name only, which says what it was, not where. */
  if (s->input && g_path_is_absolute (s->input))
    easel_input_row_set_path (self->input, s->input);
  adw_combo_row_set_selected (self->shape, s->fit_input ? FIT : 0);
  easel_sampler_row_choose (self->sampler, s->sampler);
  if (s->seed >= 0)
    set_seed (self, s->seed);
  gtk_spin_button_set_value (self->count, MAX (1, s->count));
}

static void
show_rules (EaselSettingsPanel *self)
{
  const EaselModelRules *rules = &self->facts->rules;
  const EaselRequestSettings *own = easel_request_settings (self->facts->defaults);
  gboolean clips = makes_clips (self);

  easel_value_row_set_default (self->steps, own->steps);
  easel_value_row_set_default (self->guidance, own->guidance);
  easel_size_row_set_rules (self->size, rules);
  gtk_widget_set_visible (GTK_WIDGET (self->negative), rules->negative);
  easel_input_row_set_kind (self->input, rules->input);
  gtk_widget_set_visible (GTK_WIDGET (self->frames), clips);
  gtk_widget_set_visible (GTK_WIDGET (self->fps), clips);
  gtk_widget_set_visible (GTK_WIDGET (self->dynamic_row), clips);
  gtk_widget_set_visible (GTK_WIDGET (self->faster_row), clips);
  gtk_widget_set_visible (GTK_WIDGET (self->exact_size_row), !clips && !rules->only_sizes && rules->multiple <= 1);
  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (self->count_row), clips ? _ ("Clips") : _ ("Pictures"));
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->count), GTK_ACCESSIBLE_PROPERTY_LABEL,
                                  clips ? _ ("Clips") : _ ("Pictures"), -1);
  if (clips)
    {
      /* The default first: a value that was never set follows it. */
      easel_value_row_set_default (self->frames, own->frames);
      easel_value_row_set_default (self->fps, own->fps);
      easel_value_row_set_range (self->frames, rules->frames_least, rules->frames_most);
      easel_value_row_set_step (self->frames, rules->frames_step, TRUE);
    }
  easel_sampler_row_set_samplers (self->sampler, self->facts->samplers);
}

static void
facts_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GError) error = NULL;
  EaselModelFacts *facts = easel_model_facts_read_finish (result, &error);
  EaselSettingsPanel *self = user_data;

  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return;
  gtk_widget_set_sensitive (GTK_WIDGET (self->generate), facts != NULL);
  if (!facts)
    {
      easel_preflight_say (self->preflight, error->message);
      return;
    }
  g_clear_pointer (&self->facts, easel_model_facts_free);
  self->facts = facts;
  show_rules (self);
  if (self->to_load)
    apply_request (self, self->to_load);
  g_clear_pointer (&self->to_load, easel_request_unref);
  input_changed_cb (self);
  easel_application_note_usable (easel_application_get ());
}

static void
model_changed_cb (EaselSettingsPanel *self)
{
  const char *model = chosen_model (self);

  g_cancellable_cancel (self->reading);
  g_clear_object (&self->reading);
  g_clear_pointer (&self->facts, easel_model_facts_free);
  easel_prompt_box_set_model (self->prompt, model);
  changed_cb (self);
  if (!model)
    return;
  self->reading = g_cancellable_new ();
  easel_model_facts_read_async (engine (), model, self->reading, facts_cb, self);
}

/* The list as it is now; the chosen one stays chosen. */
static void
show_models (EaselSettingsPanel *self, char **names)
{
  g_autofree char *before = g_strdup (chosen_model (self));
  guint n = g_list_model_get_n_items (G_LIST_MODEL (self->models));
  gboolean same = g_strv_length (names) == n;

  for (guint i = 0; same && i < n; i++)
    same = strcmp (names[i], gtk_string_list_get_string (self->models, i)) == 0;
  if (!same)
    gtk_string_list_splice (self->models, 0, n, (const char *const *) names);
  if (before && !same)
    choose_model (self, before);
  gtk_widget_set_sensitive (GTK_WIDGET (self->generate), *names != NULL);
  if (!*names)
    easel_preflight_say (self->preflight, _ ("There is no model yet. The Models page says where to get one."));
}

static void
names_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) names = easel_model_names_finish (result, &error);
  EaselSettingsPanel *self = user_data;

  if (!names)
    return; /* cancelled: the panel is gone or looks again */
  show_models (self, names);
  if (!self->listed && self->to_load)
    {
      g_autoptr (EaselRequest) waiting = g_steal_pointer (&self->to_load);

      self->listed = TRUE;
      easel_settings_panel_load (self, waiting);
    }
  self->listed = TRUE;
}

void
easel_settings_panel_refresh_models (EaselSettingsPanel *self)
{
  if (!engine ())
    return;
  g_cancellable_cancel (self->listing);
  g_clear_object (&self->listing);
  self->listing = g_cancellable_new ();
  easel_model_names_async (engine (), self->listing, names_cb, self);
}

void
easel_settings_panel_load (EaselSettingsPanel *self, EaselRequest *request)
{
  const EaselRequestSettings *s = easel_request_settings (request);
  const char *before = chosen_model (self);

  easel_request_ref (request);
  g_clear_pointer (&self->to_load, easel_request_unref);
  self->to_load = request;
  if (!self->listed)
    return; /* when the models are known */
  if (s->model && !choose_model (self, s->model) && easel_window_of (self))
    {
      /* Translators: the name of a model. */
      g_autofree char *sentence = g_strdup_printf (_ ("The model %s is not here; another one is chosen."), s->model);
      easel_window_toast (easel_window_of (self), sentence);
    }
  if (!self->facts || g_strcmp0 (before, chosen_model (self)) != 0)
    return; /* when the model is known */
  apply_request (self, request);
  g_clear_pointer (&self->to_load, easel_request_unref);
  input_changed_cb (self);
}

/* ---- using them ---- */

void
easel_settings_panel_queued (EaselSettingsPanel *self, EaselRequest *request)
{
  g_autofree char *json = easel_request_to_json (request);

  easel_prompt_box_remember (self->prompt, easel_request_settings (request)->prompt);
  g_settings_set_string (settings_store (), "last-request", json);
  self->last_seed = easel_request_settings (request)->seed;
  if (!gtk_toggle_button_get_active (self->lock))
    roll_seed (self);
}

void
easel_settings_panel_set_prompt (EaselSettingsPanel *self, const char *prompt)
{
  easel_prompt_box_set_text (self->prompt, prompt);
}

void
easel_settings_panel_focus_prompt (EaselSettingsPanel *self)
{
  easel_prompt_box_focus (self->prompt);
}

void
easel_settings_panel_set_editing (EaselSettingsPanel *self, gboolean editing)
{
  gtk_widget_set_visible (self->editing, editing);
  gtk_button_set_label (self->generate, editing ? _ ("Put Back into the Queue") : _ ("Generate"));
}

static void
cancel_edit_cb (EaselSettingsPanel *self)
{
  g_signal_emit (self, signals[EDIT_CANCELLED], 0);
}

static void
preset_load_cb (EaselSettingsPanel *self, EaselRequest *request)
{
  easel_settings_panel_load (self, request);
}

/* ---- object ---- */

static void
restore_last (EaselSettingsPanel *self)
{
  g_autofree char *json = g_settings_get_string (settings_store (), "last-request");
  g_autoptr (EaselRequest) last = *json ? easel_request_from_json (json, strlen (json), NULL) : NULL;

  if (!last)
    return;
  self->last_seed = easel_request_settings (last)->seed;
  easel_settings_panel_load (self, last);
}

static void
easel_settings_panel_dispose (GObject *object)
{
  EaselSettingsPanel *self = EASEL_SETTINGS_PANEL (object);

  g_clear_handle_id (&self->plan_timeout, g_source_remove);
  g_cancellable_cancel (self->listing);
  g_cancellable_cancel (self->reading);
  g_clear_object (&self->listing);
  g_clear_object (&self->reading);
  g_clear_pointer (&self->facts, easel_model_facts_free);
  g_clear_pointer (&self->to_load, easel_request_unref);
  gtk_widget_dispose_template (GTK_WIDGET (object), EASEL_TYPE_SETTINGS_PANEL);
  g_clear_object (&self->models);
  G_OBJECT_CLASS (easel_settings_panel_parent_class)->dispose (object);
}

#define BIND(member) gtk_widget_class_bind_template_child (widget_class, EaselSettingsPanel, member)

static void
easel_settings_panel_class_init (EaselSettingsPanelClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = easel_settings_panel_dispose;
  signals[EDIT_CANCELLED] = g_signal_new ("edit-cancelled", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                          NULL, G_TYPE_NONE, 0);
  g_type_ensure (EASEL_TYPE_PROMPT_BOX);
  g_type_ensure (EASEL_TYPE_PREFLIGHT);
  g_type_ensure (EASEL_TYPE_INPUT_ROW);
  g_type_ensure (EASEL_TYPE_SIZE_ROW);
  g_type_ensure (EASEL_TYPE_VALUE_ROW);
  gtk_widget_class_set_template_from_resource (widget_class, "/io/github/easelstudio/Easel/create/settings-panel.ui");
  BIND (prompt);
  BIND (preflight);
  BIND (negative);
  BIND (seed);
  BIND (model);
  BIND (sampler);
  BIND (input);
  BIND (shape);
  BIND (size);
  BIND (count_row);
  BIND (count);
  BIND (advanced);
  BIND (frames);
  BIND (fps);
  BIND (steps);
  BIND (guidance);
  BIND (strength);
  BIND (dynamic_row);
  BIND (dynamic);
  BIND (faster_row);
  BIND (faster);
  BIND (exact_size_row);
  BIND (exact_size);
  BIND (lock);
  BIND (generate);
  BIND (editing);
  gtk_widget_class_bind_template_callback (widget_class, dice_clicked_cb);
  gtk_widget_class_bind_template_callback (widget_class, last_seed_clicked_cb);
  gtk_widget_class_bind_template_callback (widget_class, cancel_edit_cb);
}

static GtkWidget *
add_reset (EaselSettingsPanel *self, GtkWidget *row, const char *of, gpointer callback)
{
  GtkWidget *button = easel_reset_button_new (of);

  g_signal_connect_object (button, "clicked", callback, self, G_CONNECT_SWAPPED);
  if (ADW_IS_ENTRY_ROW (row))
    adw_entry_row_add_suffix (ADW_ENTRY_ROW (row), button);
  else
    adw_action_row_add_suffix (ADW_ACTION_ROW (row), button);
  return button;
}

static void
connect_controls (EaselSettingsPanel *self)
{
  const struct
  {
    gpointer object;
    const char *signal;
    gpointer callback;
  } connections[] = {
    { self->model, "notify::selected", model_changed_cb },  { self->sampler, "notify::selected", changed_cb },
    { self->size, "notify::width", size_changed_cb },       { self->size, "notify::height", size_changed_cb },
    { self->steps, "notify::value", changed_cb },           { self->guidance, "notify::value", changed_cb },
    { self->frames, "notify::value", changed_cb },          { self->strength, "notify::value", changed_cb },
    { self->count, "value-changed", changed_cb },           { self->negative, "changed", changed_cb },
    { self->input, "notify::path", input_changed_cb },      { self->shape, "notify::selected", shape_changed_cb },
    { self->faster, "notify::active", changed_cb },
    { self->exact_size, "notify::active", exact_size_changed_cb },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (connections); i++)
    g_signal_connect_object (connections[i].object, connections[i].signal, G_CALLBACK (connections[i].callback), self,
                             G_CONNECT_SWAPPED);
}

static void
easel_settings_panel_init (EaselSettingsPanel *self)
{
  g_autofree char *folder = NULL;
  GtkWidget *presets;

  gtk_widget_init_template (GTK_WIDGET (self));
  self->last_seed = -1;
  self->reuse = FASTER;
  self->models = gtk_string_list_new (NULL);
  adw_combo_row_set_model (self->model, G_LIST_MODEL (self->models));
  easel_sampler_row_setup (self->sampler);
  self->reset_negative = add_reset (self, GTK_WIDGET (self->negative), _ ("Leave Out"), reset_negative_cb);
  self->reset_model = add_reset (self, GTK_WIDGET (self->model), _ ("Model"), reset_model_cb);
  self->reset_sampler = add_reset (self, GTK_WIDGET (self->sampler), _ ("Sampler"), reset_sampler_cb);
  self->reset_count = easel_reset_button_new (_ ("Pictures"));
  g_signal_connect_object (self->reset_count, "clicked", G_CALLBACK (reset_count_cb), self, G_CONNECT_SWAPPED);
  adw_action_row_add_suffix (self->count_row, self->reset_count);
  gtk_box_reorder_child_after (GTK_BOX (gtk_widget_get_parent (self->reset_count)), GTK_WIDGET (self->count),
                               self->reset_count);
  easel_scroll_guard (GTK_WIDGET (self->count));
  folder = g_build_filename (easel_application_get_data_folder (easel_application_get ()), "presets", NULL);
  presets = easel_presets_new (folder, preset_source, self);
  g_signal_connect_object (presets, "load", G_CALLBACK (preset_load_cb), self, G_CONNECT_SWAPPED);
  easel_prompt_box_add_tool (self->prompt, presets);
  connect_controls (self);
  gtk_widget_set_sensitive (GTK_WIDGET (self->generate), FALSE);
  easel_settings_panel_set_editing (self, FALSE);
  roll_seed (self);
  restore_last (self);
  easel_settings_panel_refresh_models (self);
}
