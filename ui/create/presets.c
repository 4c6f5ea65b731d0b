/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config-ui.h"
#include "ui/create/presets.h"

#include <errno.h>
#include <glib/gi18n.h>
#include <glib/gstdio.h>
#include <string.h>

#include "engine/recipes/recipe.h"
#include "ui/compat.h"
#include "ui/window.h"

#define ENDING ".yaml"

struct _EaselPresets
{
  AdwBin parent;

  /* Template widgets */
  GtkPopover *popover;
  GtkListBox *list;
  GtkEntry *name;
  GtkCheckButton *with_prompt;
  GtkButton *save;

  char *folder;
  EaselPresetSource source;
  gpointer source_data;
  char *sharing; /* the file that is being shared */
};

G_DEFINE_FINAL_TYPE (EaselPresets, easel_presets, ADW_TYPE_BIN)

enum
{
  LOAD,
  N_SIGNALS
};
static guint signals[N_SIGNALS];

static void
say (EaselPresets *self, const char *sentence)
{
  EaselWindow *window = easel_window_of (self);

  if (window)
    easel_window_toast (window, sentence);
}

/* ---- files ---- */

/* A file name from a person's: what a file system or another program could stumble over is replaced. */
static char *
path_for (EaselPresets *self, const char *name)
{
  g_autofree char *clean = g_strstrip (g_strdup (name));
  g_autofree char *file = NULL;

  for (char *p = clean; *p; p++)
    if (strchr ("/\\:*?\"<>|", *p) || (guchar) *p < 0x20)
      *p = '-';
  if (*clean == '.')
    *clean = '-';
  file = g_strconcat (*clean ? clean : "preset", ENDING, NULL);
  return g_build_filename (self->folder, file, NULL);
}

static EaselRequest *
read_preset (const char *path, GError **error)
{
  g_autoptr (EaselRecipe) recipe = easel_recipe_load (path, NULL, error);
  return recipe ? easel_request_new (easel_recipe_settings (recipe, 0), error) : NULL;
}

static void
load_path (EaselPresets *self, const char *path)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (EaselRequest) request = read_preset (path, &error);

  gtk_popover_popdown (self->popover);
  if (request)
    g_signal_emit (self, signals[LOAD], 0, request);
  else
    say (self, error->message);
}

static void
save_clicked_cb (EaselPresets *self)
{
  const char *name = gtk_editable_get_text (GTK_EDITABLE (self->name));
  g_autoptr (GError) error = NULL;
  g_autoptr (EaselRequest) request = self->source (self->source_data, &error);
  g_autofree char *path = path_for (self, name), *yaml = NULL, *done = NULL;
  EaselRequestSettings settings;

  if (!*name)
    return;
  gtk_popover_popdown (self->popover);
  if (request)
    {
      settings = *easel_request_settings (request);
      settings.seed = -1; /* a look is not one picture */
      settings.count = 0;
      settings.input = NULL;
      if (!gtk_check_button_get_active (self->with_prompt))
        settings.prompt = "";
      yaml = easel_recipe_to_yaml (&settings, name, NULL, &error);
    }
  if (yaml && g_mkdir_with_parents (self->folder, 0755) != 0)
    g_set_error (&error, G_IO_ERROR, g_io_error_from_errno (errno), _ ("The folder %s could not be made: %s."),
                 self->folder, g_strerror (errno));
  if (error || !g_file_set_contents (path, yaml, -1, &error))
    {
      say (self, error->message);
      return;
    }
  gtk_editable_set_text (GTK_EDITABLE (self->name), "");
  /* Translators: the name of a preset. */
  done = g_strdup_printf (_ ("“%s” was saved."), name);
  say (self, done);
}

static void
name_changed_cb (EaselPresets *self)
{
  gtk_widget_set_sensitive (GTK_WIDGET (self->save), *gtk_editable_get_text (GTK_EDITABLE (self->name)) != '\0');
}

static void
opened_cb (GFile *file, gpointer user_data)
{
  g_autoptr (EaselPresets) self = user_data;
  g_autofree char *path = file ? g_file_get_path (file) : NULL;

  if (path)
    load_path (self, path);
}

static void
open_clicked_cb (EaselPresets *self)
{
  gtk_popover_popdown (self->popover);
  easel_compat_open_file (GTK_WINDOW (easel_window_of (self)), _ ("Open a Preset"), opened_cb, g_object_ref (self));
}

static void
shared_cb (GFile *file, gpointer user_data)
{
  g_autoptr (EaselPresets) self = user_data;
  g_autoptr (GFile) from = self->sharing ? g_file_new_for_path (self->sharing) : NULL;
  g_autoptr (GError) error = NULL;

  if (!file || !from)
    return;
  /* A text of a few hundred bytes. */
  if (g_file_copy (from, file, G_FILE_COPY_OVERWRITE, NULL, NULL, NULL, &error))
    say (self, _ ("The preset was saved as a file that others can open."));
  else
    say (self, error->message);
}

/* ---- the list ---- */

static const char *
path_of (GtkWidget *widget)
{
  GtkWidget *row = gtk_widget_get_ancestor (widget, GTK_TYPE_LIST_BOX_ROW);
  return g_object_get_data (G_OBJECT (row), "path");
}

static void
share_clicked_cb (GtkButton *button, EaselPresets *self)
{
  g_autofree char *name = NULL;

  g_free (self->sharing);
  self->sharing = g_strdup (path_of (GTK_WIDGET (button)));
  name = g_path_get_basename (self->sharing);
  gtk_popover_popdown (self->popover);
  easel_compat_save_file (GTK_WINDOW (easel_window_of (self)), _ ("Share the Preset"), name, shared_cb,
                          g_object_ref (self));
}

static void
trash_clicked_cb (GtkButton *button, EaselPresets *self)
{
  g_autoptr (GFile) file = g_file_new_for_path (path_of (GTK_WIDGET (button)));
  g_autoptr (GError) error = NULL;

  gtk_popover_popdown (self->popover);
  if (g_file_trash (file, NULL, &error))
    say (self, _ ("The preset is in the trash."));
  else
    say (self, error->message);
}

static void
add_button (GtkWidget *box, const char *icon, const char *label, const char *name, gpointer callback,
            EaselPresets *self)
{
  GtkWidget *button = gtk_button_new_from_icon_name (icon);
  g_autofree char *full = g_strdup_printf ("%s: %s", label, name);

  gtk_widget_add_css_class (button, "flat");
  gtk_widget_set_tooltip_text (button, label);
  gtk_accessible_update_property (GTK_ACCESSIBLE (button), GTK_ACCESSIBLE_PROPERTY_LABEL, full, -1);
  g_signal_connect_object (button, "clicked", callback, self, 0);
  gtk_box_append (GTK_BOX (box), button);
}

static int
compare_names (gconstpointer a, gconstpointer b)
{
  return g_utf8_collate (*(const char *const *) a, *(const char *const *) b);
}

static gboolean
focus_cb (gpointer widget)
{
  if (gtk_widget_get_mapped (widget))
    gtk_widget_grab_focus (widget);
  return G_SOURCE_REMOVE;
}

static void
fill_list (EaselPresets *self)
{
  GtkWidget *first;
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GDir) dir = g_dir_open (self->folder, 0, NULL);
  const char *file;
  GtkWidget *row;

  while ((row = GTK_WIDGET (gtk_list_box_get_row_at_index (self->list, 0))))
    gtk_list_box_remove (self->list, row);
  while (dir && (file = g_dir_read_name (dir)))
    if (g_str_has_suffix (file, ENDING))
      g_ptr_array_add (names, g_strdup (file));
  g_ptr_array_sort (names, compare_names);
  gtk_widget_set_can_focus (GTK_WIDGET (self->list), names->len > 0); /* else the name has the focus */
  for (guint i = 0; i < names->len; i++)
    {
      GtkWidget *box = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 6), *label;
      g_autofree char *stem = g_strndup (names->pdata[i], strlen (names->pdata[i]) - strlen (ENDING));
      g_autofree char *shown = g_filename_display_name (stem);

      row = gtk_list_box_row_new ();
      label = gtk_label_new (shown);
      gtk_label_set_xalign (GTK_LABEL (label), 0);
      gtk_label_set_ellipsize (GTK_LABEL (label), PANGO_ELLIPSIZE_END);
      gtk_widget_set_hexpand (label, TRUE);
      gtk_box_append (GTK_BOX (box), label);
      add_button (box, "document-save-as-symbolic", _ ("Share as a File"), shown, share_clicked_cb, self);
      add_button (box, "user-trash-symbolic", _ ("Move to the Trash"), shown, trash_clicked_cb, self);
      gtk_list_box_row_set_child (GTK_LIST_BOX_ROW (row), box);
      gtk_accessible_update_property (GTK_ACCESSIBLE (row), GTK_ACCESSIBLE_PROPERTY_LABEL, shown, -1);
      g_object_set_data_full (G_OBJECT (row), "path", g_build_filename (self->folder, names->pdata[i], NULL), g_free);
      gtk_list_box_append (self->list, row);
    }
  /* Once it is on the screen: the first preset, or the name for one. */
  first = GTK_WIDGET (gtk_list_box_get_row_at_index (self->list, 0));
  g_idle_add_full (G_PRIORITY_LOW, focus_cb, g_object_ref (first ? first : GTK_WIDGET (self->name)), g_object_unref);
}

static void
row_activated_cb (EaselPresets *self, GtkListBoxRow *row)
{
  g_autofree char *path = g_strdup (g_object_get_data (G_OBJECT (row), "path"));
  load_path (self, path);
}

/* ---- object ---- */

static void
easel_presets_dispose (GObject *object)
{
  gtk_widget_dispose_template (GTK_WIDGET (object), EASEL_TYPE_PRESETS);
  G_OBJECT_CLASS (easel_presets_parent_class)->dispose (object);
}

static void
easel_presets_finalize (GObject *object)
{
  EaselPresets *self = EASEL_PRESETS (object);

  g_free (self->folder);
  g_free (self->sharing);
  G_OBJECT_CLASS (easel_presets_parent_class)->finalize (object);
}

static void
easel_presets_class_init (EaselPresetsClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = easel_presets_dispose;
  G_OBJECT_CLASS (klass)->finalize = easel_presets_finalize;
  signals[LOAD] = g_signal_new ("load", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE,
                                1, G_TYPE_POINTER);
  gtk_widget_class_set_template_from_resource (widget_class, "/io/github/easelstudio/Easel/create/presets.ui");
  gtk_widget_class_bind_template_child (widget_class, EaselPresets, popover);
  gtk_widget_class_bind_template_child (widget_class, EaselPresets, list);
  gtk_widget_class_bind_template_child (widget_class, EaselPresets, name);
  gtk_widget_class_bind_template_child (widget_class, EaselPresets, with_prompt);
  gtk_widget_class_bind_template_child (widget_class, EaselPresets, save);
  gtk_widget_class_bind_template_callback (widget_class, fill_list);
  gtk_widget_class_bind_template_callback (widget_class, row_activated_cb);
  gtk_widget_class_bind_template_callback (widget_class, save_clicked_cb);
  gtk_widget_class_bind_template_callback (widget_class, open_clicked_cb);
  gtk_widget_class_bind_template_callback (widget_class, name_changed_cb);
}

static void
easel_presets_init (EaselPresets *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
}

GtkWidget *
easel_presets_new (const char *folder, EaselPresetSource source, gpointer user_data)
{
  EaselPresets *self = g_object_new (EASEL_TYPE_PRESETS, NULL);

  self->folder = g_strdup (folder);
  self->source = source;
  self->source_data = user_data;
  return GTK_WIDGET (self);
}
