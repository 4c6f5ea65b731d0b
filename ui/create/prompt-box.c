/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config-ui.h"
#include "ui/create/prompt-box.h"

#include <glib/gi18n.h>
#include <string.h>

#include "ui/application.h"
#include "ui/compat.h"
#include "ui/create/model-facts.h"
#include "ui/create/spelling.h"

#define HISTORY_LENGTH 50
#define METER_DELAY_MS 150 /* quiet time after a keystroke before tokens are counted */

struct _EaselPromptBox
{
  AdwBin parent;

  /* Template widgets */
  GtkBox *tools;
  GtkTextView *text;
  GtkLabel *placeholder, *meter;
  GtkPopover *history_popover;
  GtkListBox *history_list;

  /* Owned */
  GtkTextTag *cut; /* the buffer's */
  char *model;
  GCancellable *counting;
  guint timeout;
  int walked; /* place in the history while walking through it, -1: the person's own words */
  char *own;  /* what stood there before walking */
  gboolean walking;
};

G_DEFINE_FINAL_TYPE (EaselPromptBox, easel_prompt_box, ADW_TYPE_BIN)

enum
{
  CHANGED,
  N_SIGNALS
};
static guint signals[N_SIGNALS];

char *
easel_prompt_box_dup_text (EaselPromptBox *self)
{
  GtkTextBuffer *buffer = gtk_text_view_get_buffer (self->text);
  GtkTextIter start, end;

  gtk_text_buffer_get_bounds (buffer, &start, &end);
  return gtk_text_buffer_get_text (buffer, &start, &end, FALSE);
}

void
easel_prompt_box_set_text (EaselPromptBox *self, const char *text)
{
  gtk_text_buffer_set_text (gtk_text_view_get_buffer (self->text), text, -1);
}

void
easel_prompt_box_focus (EaselPromptBox *self)
{
  gtk_widget_grab_focus (GTK_WIDGET (self->text));
}

void
easel_prompt_box_add_tool (EaselPromptBox *self, GtkWidget *tool)
{
  gtk_box_append (self->tools, tool);
}

/* ---- the token meter ---- */

static void
say_tokens (EaselPromptBox *self, const EaselTokenMeter *meter, const char *counted)
{
  GtkTextBuffer *buffer = gtk_text_view_get_buffer (self->text);
  g_autofree char *now = easel_prompt_box_dup_text (self), *text = NULL, *long_text = NULL;
  GtkTextIter start, end;

  if (strcmp (now, counted) != 0)
    return; /* of words that are gone; others are being counted */
  gtk_text_buffer_get_bounds (buffer, &start, &end);
  gtk_text_buffer_remove_tag (buffer, self->cut, &start, &end);
  if (meter->cut < strlen (now))
    {
      gtk_text_buffer_get_iter_at_offset (buffer, &start, (int) g_utf8_pointer_to_offset (now, now + meter->cut));
      gtk_text_buffer_apply_tag (buffer, self->cut, &start, &end);
    }
  /* Translators: tokens used, of how many that the model reads. */
  text = g_strdup_printf (_ ("%d / %d"), meter->used, meter->limit);
  long_text = meter->used > meter->limit
                  ? g_strdup_printf (_ ("%d of %d tokens: the model does not see the grey part"), meter->used,
                                     meter->limit)
                  : g_strdup_printf (_ ("%d of %d tokens that the model reads"), meter->used, meter->limit);
  gtk_label_set_label (self->meter, text);
  gtk_widget_set_tooltip_text (GTK_WIDGET (self->meter), long_text);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->meter), GTK_ACCESSIBLE_PROPERTY_LABEL, long_text, -1);
  if (meter->used > meter->limit)
    gtk_widget_add_css_class (GTK_WIDGET (self->meter), "error");
  else
    gtk_widget_remove_css_class (GTK_WIDGET (self->meter), "error");
}

static void
counted_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *counted = NULL;
  EaselTokenMeter meter;

  /* An error is the plan's to tell; a cancelled count may be of a box that is gone. */
  if (easel_meter_finish (result, &meter, &counted, &error))
    say_tokens (user_data, &meter, counted);
}

static gboolean
count_cb (gpointer user_data)
{
  EaselPromptBox *self = user_data;
  g_autofree char *text = easel_prompt_box_dup_text (self);

  self->timeout = 0;
  g_cancellable_cancel (self->counting);
  g_clear_object (&self->counting);
  self->counting = g_cancellable_new ();
  easel_meter_async (easel_application_get_engine (easel_application_get ()), self->model, text, self->counting,
                     counted_cb, self);
  return G_SOURCE_REMOVE;
}

static void
count_soon (EaselPromptBox *self)
{
  g_clear_handle_id (&self->timeout, g_source_remove);
  if (self->model)
    self->timeout = g_timeout_add (METER_DELAY_MS, count_cb, self);
}

void
easel_prompt_box_set_model (EaselPromptBox *self, const char *model)
{
  if (g_strcmp0 (self->model, model) == 0)
    return;
  g_free (self->model);
  self->model = g_strdup (model);
  gtk_label_set_label (self->meter, "");
  count_soon (self);
}

/* ---- history ---- */

static GSettings *
settings (void)
{
  return easel_application_get_settings (easel_application_get ());
}

static void
fill_history (EaselPromptBox *self)
{
  g_auto (GStrv) prompts = g_settings_get_strv (settings (), "prompt-history");
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
      row = gtk_list_box_row_new ();
      gtk_list_box_row_set_child (GTK_LIST_BOX_ROW (row), label);
      gtk_accessible_update_property (GTK_ACCESSIBLE (row), GTK_ACCESSIBLE_PROPERTY_LABEL, *p, -1);
      gtk_list_box_append (self->history_list, row);
    }
}

static void
history_activated_cb (EaselPromptBox *self, GtkListBoxRow *row)
{
  easel_prompt_box_set_text (self, gtk_label_get_text (GTK_LABEL (gtk_list_box_row_get_child (row))));
  gtk_popover_popdown (self->history_popover);
  easel_prompt_box_focus (self);
}

void
easel_prompt_box_remember (EaselPromptBox *self, const char *prompt)
{
  g_auto (GStrv) old = g_settings_get_strv (settings (), "prompt-history");
  g_autoptr (GPtrArray) history = g_ptr_array_new ();

  if (*prompt)
    g_ptr_array_add (history, (gpointer) prompt);
  for (char **p = old; *p && history->len < HISTORY_LENGTH; p++)
    if (strcmp (*p, prompt) != 0)
      g_ptr_array_add (history, *p);
  g_ptr_array_add (history, NULL);
  g_settings_set_strv (settings (), "prompt-history", (const char *const *) history->pdata);
  self->walked = -1;
}

/* One earlier (+1) or one later (-1); the latest step leads back to what the person had written. */
static gboolean
walk (EaselPromptBox *self, int by)
{
  g_auto (GStrv) prompts = g_settings_get_strv (settings (), "prompt-history");
  int n = (int) g_strv_length (prompts), to = CLAMP (self->walked + by, -1, n - 1);

  if (to == self->walked)
    return TRUE;
  if (self->walked < 0)
    {
      g_free (self->own);
      self->own = easel_prompt_box_dup_text (self);
    }
  self->walked = to;
  self->walking = TRUE;
  easel_prompt_box_set_text (self, to < 0 ? self->own : prompts[to]);
  self->walking = FALSE;
  return TRUE;
}

static gboolean
key_cb (EaselPromptBox *self, guint key, guint code, GdkModifierType state)
{
  if ((state & (GDK_ALT_MASK | GDK_CONTROL_MASK | GDK_SHIFT_MASK)) != GDK_ALT_MASK)
    return FALSE;
  if (key == GDK_KEY_Up || key == GDK_KEY_KP_Up)
    return walk (self, 1);
  if (key == GDK_KEY_Down || key == GDK_KEY_KP_Down)
    return walk (self, -1);
  return FALSE;
}

/* ---- object ---- */

static void
buffer_changed_cb (EaselPromptBox *self, GtkTextBuffer *buffer)
{
  gtk_widget_set_visible (GTK_WIDGET (self->placeholder), gtk_text_buffer_get_char_count (buffer) == 0);
  if (!self->walking)
    self->walked = -1;
  count_soon (self);
  g_signal_emit (self, signals[CHANGED], 0);
}

static void
easel_prompt_box_dispose (GObject *object)
{
  EaselPromptBox *self = EASEL_PROMPT_BOX (object);

  g_clear_handle_id (&self->timeout, g_source_remove);
  g_cancellable_cancel (self->counting);
  g_clear_object (&self->counting);
  if (self->text)
    easel_compat_text_view_ends (self->text);
  gtk_widget_dispose_template (GTK_WIDGET (object), EASEL_TYPE_PROMPT_BOX);
  G_OBJECT_CLASS (easel_prompt_box_parent_class)->dispose (object);
}

static void
easel_prompt_box_finalize (GObject *object)
{
  EaselPromptBox *self = EASEL_PROMPT_BOX (object);

  g_free (self->model);
  g_free (self->own);
  G_OBJECT_CLASS (easel_prompt_box_parent_class)->finalize (object);
}

static void
easel_prompt_box_class_init (EaselPromptBoxClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = easel_prompt_box_dispose;
  G_OBJECT_CLASS (klass)->finalize = easel_prompt_box_finalize;
  signals[CHANGED] = g_signal_new ("changed", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                   G_TYPE_NONE, 0);
  gtk_widget_class_set_template_from_resource (widget_class, "/io/github/easelstudio/Easel/create/prompt-box.ui");
  gtk_widget_class_bind_template_child (widget_class, EaselPromptBox, tools);
  gtk_widget_class_bind_template_child (widget_class, EaselPromptBox, text);
  gtk_widget_class_bind_template_child (widget_class, EaselPromptBox, placeholder);
  gtk_widget_class_bind_template_child (widget_class, EaselPromptBox, meter);
  gtk_widget_class_bind_template_child (widget_class, EaselPromptBox, history_popover);
  gtk_widget_class_bind_template_child (widget_class, EaselPromptBox, history_list);
  gtk_widget_class_bind_template_callback (widget_class, history_activated_cb);
  gtk_widget_class_bind_template_callback (widget_class, fill_history);
}

static void
easel_prompt_box_init (EaselPromptBox *self)
{
  GtkEventController *keys = gtk_event_controller_key_new ();
  GtkTextBuffer *buffer;

  gtk_widget_init_template (GTK_WIDGET (self));
  self->walked = -1;
  buffer = gtk_text_view_get_buffer (self->text);
  self->cut = gtk_text_buffer_create_tag (buffer, NULL, "foreground", "#8a8a8a", "style", PANGO_STYLE_ITALIC, NULL);
  g_signal_connect_object (buffer, "changed", G_CALLBACK (buffer_changed_cb), self, G_CONNECT_SWAPPED);
  gtk_event_controller_set_propagation_phase (keys, GTK_PHASE_CAPTURE);
  g_signal_connect_object (keys, "key-pressed", G_CALLBACK (key_cb), self, G_CONNECT_SWAPPED);
  gtk_widget_add_controller (GTK_WIDGET (self->text), keys);
  easel_spelling_attach (self->text);
}
