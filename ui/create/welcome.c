/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config-ui.h"
#include "ui/create/welcome.h"

#include <glib/gi18n.h>
#include <unistd.h>

#include "ui/application.h"

struct _EaselWelcome
{
  AdwBin parent;

  /* Template widgets */
  GtkBox *examples;
  AdwPreferencesGroup *machine;
  AdwActionRow *device, *ready, *fits, *slow;
};

G_DEFINE_FINAL_TYPE (EaselWelcome, easel_welcome, ADW_TYPE_BIN)

enum
{
  EXAMPLE,
  N_SIGNALS
};
static guint signals[N_SIGNALS];

/* In English, which the models read; the starter model knows all of it. */
static const char *const examples[] = {
  "a tree next to a house on a green hill",
  "a red balloon in the sky",
  "a yellow star above a blue square",
};

static void
example_clicked_cb (GtkButton *button, EaselWelcome *self)
{
  g_signal_emit (self, signals[EXAMPLE], 0, gtk_button_get_label (button));
}

/* ---- what this machine can run ---- */

static guint64
machine_memory (void)
{
  const long pages = sysconf (_SC_PHYS_PAGES), size = sysconf (_SC_PAGESIZE);
  return pages > 0 && size > 0 ? (guint64) pages * (guint64) size : 0;
}

static void
show_list (AdwActionRow *row, GString *list)
{
  g_autofree char *escaped = g_markup_escape_text (list->str, -1);

  adw_action_row_set_subtitle (row, escaped);
  gtk_widget_set_visible (GTK_WIDGET (row), list->len > 0);
}

/* Titles of the catalogue, semicolons between them. */
static void
judge (EaselWelcome *self, EaselHubClient *hub, EaselEngine *engine)
{
  const char *problem;
  GPtrArray *entries = easel_hub_client_get_catalogue (hub, &problem);
  g_autoptr (GString) fits = g_string_new (NULL), slow = g_string_new (NULL);

  for (guint i = 0; entries && i < entries->len; i++)
    {
      const EaselCatalogueEntry *entry = entries->pdata[i];
      EaselFit fit = easel_fit ((guint64) MAX (entry->memory, 0), (guint64) MAX (entry->largest, 0),
                                easel_engine_get_memory_budget (engine));
      GString *list = fit == EASEL_FIT_WHOLE ? fits : fit == EASEL_FIT_IN_PARTS ? slow : NULL;

      if (list)
        g_string_append_printf (list, "%s%s", list->len ? "; " : "", entry->title);
    }
  show_list (self->fits, fits);
  show_list (self->slow, slow);
}

static void
show_machine (EaselWelcome *self)
{
  EaselApplication *app = easel_application_get ();
  EaselEngine *engine = easel_application_get_engine (app);
  EaselHubClient *hub = easel_application_get_hub (app);
  g_autofree char *memory = g_format_size (machine_memory ());
  /* Translators: an amount of memory. */
  g_autofree char *subtitle = g_strdup_printf (_ ("%s of memory"), memory);

  gtk_widget_set_visible (GTK_WIDGET (self->machine),
                          engine && !g_settings_get_boolean (easel_application_get_settings (app), "first-run-done"));
  if (!gtk_widget_get_visible (GTK_WIDGET (self->machine)))
    return;
  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (self->device), easel_engine_device_name (engine));
  adw_action_row_set_subtitle (self->device, subtitle);
  if (hub)
    judge (self, hub, engine);
}

/* ---- object ---- */

static void
easel_welcome_dispose (GObject *object)
{
  gtk_widget_dispose_template (GTK_WIDGET (object), EASEL_TYPE_WELCOME);
  G_OBJECT_CLASS (easel_welcome_parent_class)->dispose (object);
}

static void
easel_welcome_class_init (EaselWelcomeClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = easel_welcome_dispose;
  signals[EXAMPLE] = g_signal_new ("example", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                   G_TYPE_NONE, 1, G_TYPE_STRING);
  gtk_widget_class_set_template_from_resource (widget_class, "/io/github/easelstudio/Easel/create/welcome.ui");
  gtk_widget_class_bind_template_child (widget_class, EaselWelcome, examples);
  gtk_widget_class_bind_template_child (widget_class, EaselWelcome, machine);
  gtk_widget_class_bind_template_child (widget_class, EaselWelcome, device);
  gtk_widget_class_bind_template_child (widget_class, EaselWelcome, ready);
  gtk_widget_class_bind_template_child (widget_class, EaselWelcome, fits);
  gtk_widget_class_bind_template_child (widget_class, EaselWelcome, slow);
}

static void
easel_welcome_init (EaselWelcome *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
  for (gsize i = 0; i < G_N_ELEMENTS (examples); i++)
    {
      GtkWidget *button = gtk_button_new_with_label (examples[i]);

      gtk_label_set_wrap (GTK_LABEL (gtk_button_get_child (GTK_BUTTON (button))), TRUE);
      gtk_widget_add_css_class (button, "pill");
      gtk_widget_set_halign (button, GTK_ALIGN_CENTER);
      g_signal_connect_object (button, "clicked", G_CALLBACK (example_clicked_cb), self, 0);
      gtk_box_append (self->examples, button);
    }
  show_machine (self);
}
