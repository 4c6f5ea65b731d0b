/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Enchant's interface is small and has not changed since its version 2; it is declared here so that nobody needs it to
 * build. One dictionary for the whole program: the person's language, else English, in which most prompts are written.
 */
#include "config-ui.h"
#include "ui/create/spelling.h"

#include <gio/gio.h>
#include <glib/gi18n.h>
#include <gmodule.h>
#include <string.h>

#define CHECK_DELAY_MS 300
#define MAX_WORDS 4000 /* a prompt has a few hundred at most */
#define MAX_SUGGESTIONS 5

typedef struct
{
  gpointer dictionary;
  int (*check) (gpointer dictionary, const char *word, gssize length); /* 0: known */
  char **(*suggest) (gpointer dictionary, const char *word, gssize length, gsize *n);
  void (*add) (gpointer dictionary, const char *word, gssize length);
  void (*free_list) (gpointer dictionary, char **list);
} Speller;

typedef struct
{
  GtkTextView *view; /* borrowed: owns this */
  GtkTextBuffer *buffer;
  GtkTextTag *tag;
  GMenu *menu;
  const Speller *speller; /* NULL until there is one */
  guint timeout;
  char *word; /* that the menu is about */
  int at;     /* its first character */
} Spelling;

static gboolean
load_symbols (GModule *module, Speller *s, gpointer (**init) (void),
              gpointer (**request) (gpointer broker, const char *tag))
{
  return g_module_symbol (module, "enchant_broker_init", (gpointer *) init) &&
         g_module_symbol (module, "enchant_broker_request_dict", (gpointer *) request) &&
         g_module_symbol (module, "enchant_dict_check", (gpointer *) &s->check) &&
         g_module_symbol (module, "enchant_dict_suggest", (gpointer *) &s->suggest) &&
         g_module_symbol (module, "enchant_dict_add", (gpointer *) &s->add) &&
         g_module_symbol (module, "enchant_dict_free_string_list", (gpointer *) &s->free_list);
}

/* Once; the library and the dictionary stay until the program ends. */
static void
load_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  static Speller speller;
  static gsize once;

  if (g_once_init_enter (&once))
    {
      GModule *module = g_module_open ("libenchant-2.so.2", G_MODULE_BIND_LOCAL | G_MODULE_BIND_LAZY);
      gpointer (*init) (void) = NULL, (*request) (gpointer, const char *) = NULL;
      gpointer broker = module && load_symbols (module, &speller, &init, &request) ? init () : NULL;
      const char *const *languages = g_get_language_names ();

      for (guint i = 0; broker && languages[i] && !speller.dictionary; i++)
        if (!strchr (languages[i], '.') && strcmp (languages[i], "C") != 0)
          speller.dictionary = request (broker, languages[i]);
      if (broker && !speller.dictionary)
        speller.dictionary = request (broker, "en_US");
      if (broker && !speller.dictionary)
        speller.dictionary = request (broker, "en");
      g_once_init_leave (&once, 1);
    }
  g_task_return_pointer (task, speller.dictionary ? &speller : NULL, NULL);
}

/* ---- marking ---- */

static gboolean
is_word (const char *word)
{
  if (g_utf8_strlen (word, -1) < 2)
    return FALSE;
  for (const char *p = word; *p; p = g_utf8_next_char (p))
    if (g_unichar_isdigit (g_utf8_get_char (p)))
      return FALSE;
  return TRUE;
}

static gboolean
check_cb (gpointer data)
{
  Spelling *self = data;
  GtkTextBuffer *buffer = gtk_text_view_get_buffer (self->view);
  GtkTextIter start, end, cursor;

  self->timeout = 0;
  gtk_text_buffer_get_bounds (buffer, &start, &end);
  gtk_text_buffer_remove_tag (buffer, self->tag, &start, &end);
  gtk_text_buffer_get_iter_at_mark (buffer, &cursor, gtk_text_buffer_get_insert (buffer));
  end = start;
  for (int i = 0; i < MAX_WORDS && gtk_text_iter_forward_word_end (&end); i++)
    {
      g_autofree char *word = NULL;

      start = end;
      gtk_text_iter_backward_word_start (&start);
      word = gtk_text_iter_get_text (&start, &end);
      /* Not the word that is being written. */
      if (is_word (word) && !gtk_text_iter_equal (&cursor, &end) &&
          self->speller->check (self->speller->dictionary, word, (gssize) strlen (word)) > 0)
        gtk_text_buffer_apply_tag (buffer, self->tag, &start, &end);
    }
  return G_SOURCE_REMOVE;
}

static void
check_soon (Spelling *self)
{
  if (!self->speller)
    return;
  g_clear_handle_id (&self->timeout, g_source_remove);
  self->timeout = g_timeout_add (CHECK_DELAY_MS, check_cb, self);
}

static void
changed_cb (GtkTextBuffer *buffer, Spelling *self)
{
  check_soon (self);
}

/* ---- the menu ---- */

/* About the unknown word at a place, if there is one. */
static void
fill_menu (Spelling *self, const GtkTextIter *place)
{
  GtkTextIter start = *place, end = *place;
  g_autoptr (GMenu) words = NULL;
  g_autofree char *word = NULL;
  char **list;
  gsize n = 0;

  if (!gtk_text_iter_has_tag (place, self->tag) && !gtk_text_iter_ends_tag (place, self->tag))
    {
      g_menu_remove_all (self->menu);
      g_clear_pointer (&self->word, g_free);
      return;
    }
  if (!gtk_text_iter_starts_tag (&start, self->tag))
    gtk_text_iter_backward_to_tag_toggle (&start, self->tag);
  if (!gtk_text_iter_ends_tag (&end, self->tag))
    gtk_text_iter_forward_to_tag_toggle (&end, self->tag);
  word = gtk_text_iter_get_text (&start, &end);
  self->at = gtk_text_iter_get_offset (&start);
  if (g_strcmp0 (word, self->word) == 0)
    return;
  g_menu_remove_all (self->menu);
  g_free (self->word);
  self->word = g_strdup (word);
  words = g_menu_new ();
  list = self->speller->suggest (self->speller->dictionary, word, (gssize) strlen (word), &n);
  for (gsize i = 0; list && i < n && i < MAX_SUGGESTIONS; i++)
    {
      g_autoptr (GMenuItem) item = g_menu_item_new (list[i], NULL);

      g_menu_item_set_action_and_target (item, "spelling.replace", "s", list[i]);
      g_menu_append_item (words, item);
    }
  if (list)
    self->speller->free_list (self->speller->dictionary, list);
  g_menu_append_section (self->menu, NULL, G_MENU_MODEL (words));
  g_menu_append (self->menu, _ ("Add to Dictionary"), "spelling.add");
}

static void
pressed_cb (GtkGestureClick *gesture, int n, double x, double y, Spelling *self)
{
  GtkTextIter place;
  int bx, by;

  gtk_text_view_window_to_buffer_coords (self->view, GTK_TEXT_WINDOW_WIDGET, (int) x, (int) y, &bx, &by);
  if (self->speller && gtk_text_view_get_iter_at_location (self->view, &place, bx, by))
    fill_menu (self, &place);
}

/* For the menu key: what the cursor stands in. */
static void
cursor_cb (GtkTextBuffer *buffer, GParamSpec *spec, Spelling *self)
{
  GtkTextIter cursor;

  if (!self->speller)
    return;
  gtk_text_buffer_get_iter_at_mark (buffer, &cursor, gtk_text_buffer_get_insert (buffer));
  fill_menu (self, &cursor);
  check_soon (self); /* the word that was left is checked now */
}

static void
replace_cb (GSimpleAction *action, GVariant *parameter, gpointer data)
{
  Spelling *self = data;
  GtkTextBuffer *buffer = gtk_text_view_get_buffer (self->view);
  GtkTextIter start, end;

  if (!self->word)
    return;
  gtk_text_buffer_get_iter_at_offset (buffer, &start, self->at);
  gtk_text_buffer_get_iter_at_offset (buffer, &end, self->at + (int) g_utf8_strlen (self->word, -1));
  gtk_text_buffer_begin_user_action (buffer);
  gtk_text_buffer_delete (buffer, &start, &end);
  gtk_text_buffer_insert (buffer, &start, g_variant_get_string (parameter, NULL), -1);
  gtk_text_buffer_end_user_action (buffer);
}

static void
add_cb (GSimpleAction *action, GVariant *parameter, gpointer data)
{
  Spelling *self = data;

  if (self->word)
    self->speller->add (self->speller->dictionary, self->word, (gssize) strlen (self->word));
  check_soon (self);
}

/* ---- coming and going ---- */

static void
loaded_cb (GObject *view, GAsyncResult *result, gpointer user_data)
{
  const Speller *speller = g_task_propagate_pointer (G_TASK (result), NULL);
  Spelling *self = g_object_get_data (view, "easel-spelling");

  if (!speller || !self)
    return;
  self->speller = speller;
  gtk_text_view_set_extra_menu (self->view, G_MENU_MODEL (self->menu));
  check_soon (self);
}

static void
spelling_free (gpointer data)
{
  Spelling *self = data;

  g_clear_handle_id (&self->timeout, g_source_remove);
  g_clear_object (&self->menu);
  g_clear_object (&self->buffer);
  g_free (self->word);
  g_free (self);
}

/* The view may have let go of its buffer. */
static void
view_destroy_cb (GtkWidget *view, gpointer user_data)
{
  Spelling *self = g_object_get_data (G_OBJECT (view), "easel-spelling");

  if (self)
    g_signal_handlers_disconnect_by_data (self->buffer, self);
  g_object_set_data (G_OBJECT (view), "easel-spelling", NULL);
}

void
easel_spelling_attach (GtkTextView *view)
{
  static const GActionEntry actions[] = {
    { .name = "replace", .parameter_type = "s", .activate = replace_cb },
    { .name = "add", .activate = add_cb },
  };
  Spelling *self = g_new0 (Spelling, 1);
  GtkTextBuffer *buffer = gtk_text_view_get_buffer (view);
  g_autoptr (GSimpleActionGroup) group = g_simple_action_group_new ();
  g_autoptr (GTask) task = g_task_new (view, NULL, loaded_cb, NULL);
  GtkGesture *gesture = gtk_gesture_click_new ();

  self->view = view;
  self->buffer = g_object_ref (buffer);
  self->menu = g_menu_new ();
  self->tag = gtk_text_buffer_create_tag (buffer, NULL, "underline", PANGO_UNDERLINE_ERROR, NULL);
  g_action_map_add_action_entries (G_ACTION_MAP (group), actions, G_N_ELEMENTS (actions), self);
  gtk_widget_insert_action_group (GTK_WIDGET (view), "spelling", G_ACTION_GROUP (group));
  gtk_gesture_single_set_button (GTK_GESTURE_SINGLE (gesture), GDK_BUTTON_SECONDARY);
  gtk_event_controller_set_propagation_phase (GTK_EVENT_CONTROLLER (gesture), GTK_PHASE_CAPTURE);
  g_signal_connect (gesture, "pressed", G_CALLBACK (pressed_cb), self);
  gtk_widget_add_controller (GTK_WIDGET (view), GTK_EVENT_CONTROLLER (gesture));
  g_signal_connect (buffer, "changed", G_CALLBACK (changed_cb), self);
  g_signal_connect (buffer, "notify::cursor-position", G_CALLBACK (cursor_cb), self);
  g_object_set_data_full (G_OBJECT (view), "easel-spelling", self, spelling_free);
  g_signal_connect (view, "destroy", G_CALLBACK (view_destroy_cb), NULL);
  g_task_set_source_tag (task, easel_spelling_attach);
  g_task_run_in_thread (task, load_thread);
}
