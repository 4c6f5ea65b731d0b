/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config-ui.h"
#include "ui/create/sampler-row.h"

#include <glib/gi18n.h>
#include <string.h>

#include "engine/samplers/sampler.h"

static GtkStringList *
names_of (AdwComboRow *row)
{
  return GTK_STRING_LIST (adw_combo_row_get_model (row));
}

static const EaselSamplerInfo *
info_at (AdwComboRow *row, guint i)
{
  const char *name = i == GTK_INVALID_LIST_POSITION ? NULL : gtk_string_list_get_string (names_of (row), i);
  return name ? easel_sampler_find (name) : NULL;
}

const char *
easel_sampler_row_get_name (AdwComboRow *row)
{
  const EaselSamplerInfo *info = info_at (row, adw_combo_row_get_selected (row));
  return info ? info->name : NULL;
}

void
easel_sampler_row_choose (AdwComboRow *row, const char *name)
{
  guint n = g_list_model_get_n_items (G_LIST_MODEL (names_of (row))), at = 0;

  for (guint i = 0; name && i < n; i++)
    if (strcmp (gtk_string_list_get_string (names_of (row), i), name) == 0)
      at = i;
  if (n > 0)
    adw_combo_row_set_selected (row, at);
}

void
easel_sampler_row_set_samplers (AdwComboRow *row, GPtrArray *samplers)
{
  g_autofree char *before = g_strdup (easel_sampler_row_get_name (row));
  g_autoptr (GPtrArray) names = g_ptr_array_new ();

  for (guint i = 0; i < samplers->len; i++)
    g_ptr_array_add (names, (gpointer) ((const EaselSamplerInfo *) samplers->pdata[i])->name);
  g_ptr_array_add (names, NULL);
  gtk_string_list_splice (names_of (row), 0, g_list_model_get_n_items (G_LIST_MODEL (names_of (row))),
                          (const char *const *) names->pdata);
  easel_sampler_row_choose (row, before);
}

static void
selected_cb (AdwComboRow *row)
{
  const EaselSamplerInfo *info = info_at (row, adw_combo_row_get_selected (row));
  adw_action_row_set_subtitle (ADW_ACTION_ROW (row), info ? _ (info->description) : "");
}

/* ---- the list that opens ---- */

static void
setup_cb (GtkSignalListItemFactory *factory, GtkListItem *item)
{
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 0);

  for (int i = 0; i < 2; i++)
    {
      GtkWidget *label = gtk_label_new (NULL);

      gtk_label_set_xalign (GTK_LABEL (label), 0);
      gtk_label_set_wrap (GTK_LABEL (label), i == 1);
      gtk_label_set_max_width_chars (GTK_LABEL (label), 34);
      if (i == 1)
        {
          gtk_widget_add_css_class (label, "caption");
          gtk_widget_add_css_class (label, "dim-label");
        }
      gtk_box_append (GTK_BOX (box), label);
    }
  gtk_list_item_set_child (item, box);
}

static void
bind_cb (GtkSignalListItemFactory *factory, GtkListItem *item)
{
  const char *name = gtk_string_object_get_string (gtk_list_item_get_item (item));
  const EaselSamplerInfo *info = easel_sampler_find (name);
  GtkWidget *first = gtk_widget_get_first_child (gtk_list_item_get_child (item));

  gtk_label_set_label (GTK_LABEL (first), name);
  gtk_label_set_label (GTK_LABEL (gtk_widget_get_next_sibling (first)), info ? _ (info->description) : "");
}

/* In the row itself the name alone: the line is the row's subtitle. */
static void
setup_name_cb (GtkSignalListItemFactory *factory, GtkListItem *item)
{
  gtk_list_item_set_child (item, gtk_label_new (NULL));
}

static void
bind_name_cb (GtkSignalListItemFactory *factory, GtkListItem *item)
{
  gtk_label_set_label (GTK_LABEL (gtk_list_item_get_child (item)),
                       gtk_string_object_get_string (gtk_list_item_get_item (item)));
}

void
easel_sampler_row_setup (AdwComboRow *row)
{
  g_autoptr (GtkStringList) names = gtk_string_list_new (NULL);
  g_autoptr (GtkListItemFactory) list = gtk_signal_list_item_factory_new ();
  g_autoptr (GtkListItemFactory) name = gtk_signal_list_item_factory_new ();

  g_signal_connect (list, "setup", G_CALLBACK (setup_cb), NULL);
  g_signal_connect (list, "bind", G_CALLBACK (bind_cb), NULL);
  g_signal_connect (name, "setup", G_CALLBACK (setup_name_cb), NULL);
  g_signal_connect (name, "bind", G_CALLBACK (bind_name_cb), NULL);
  adw_combo_row_set_factory (row, name);
  adw_combo_row_set_list_factory (row, list);
  adw_combo_row_set_model (row, G_LIST_MODEL (names));
  g_signal_connect (row, "notify::selected", G_CALLBACK (selected_cb), NULL);
}
