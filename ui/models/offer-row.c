/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config-ui.h"
#include "ui/models/offer-row.h"

#include <glib/gi18n.h>
#include <string.h>

#include "ui/models/hub-words.h"
#include "ui/models/pull-window.h"

struct _EaselOfferRow
{
  AdwActionRow parent;

  /* Template widgets */
  GtkButton *get;

  /* Owned */
  EaselHubClient *client;
  char *repo, *revision, *precision;
};

G_DEFINE_FINAL_TYPE (EaselOfferRow, easel_offer_row, ADW_TYPE_ACTION_ROW)

static void
get_clicked_cb (EaselOfferRow *self)
{
  easel_pull_window_present (GTK_WIDGET (self), self->client, self->repo, self->revision, self->precision);
}

static EaselOfferRow *
new_row (EaselHubClient *client, const char *title, const char *subtitle, const char *repo)
{
  EaselOfferRow *self = g_object_new (EASEL_TYPE_OFFER_ROW, NULL);
  g_autofree char *escaped_title = g_markup_escape_text (title, -1);
  g_autofree char *escaped = g_markup_escape_text (subtitle, -1);

  self->client = g_object_ref (client);
  self->repo = g_strdup (repo);
  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (self), escaped_title);
  adw_action_row_set_subtitle (ADW_ACTION_ROW (self), escaped);
  adw_action_row_set_activatable_widget (ADW_ACTION_ROW (self), GTK_WIDGET (self->get));
  return self;
}

GtkWidget *
easel_offer_row_new_entry (EaselHubClient *client, const EaselCatalogueEntry *entry, guint64 budget)
{
  const char *fit = easel_hub_words_fit (
      easel_fit (entry->memory > 0 ? (guint64) entry->memory : 0, entry->largest > 0 ? (guint64) entry->largest : 0,
                 budget));
  g_autofree char *bytes = entry->download > 0 ? g_format_size ((guint64) entry->download) : NULL;
  /* Translators: bytes to download, about. */
  g_autofree char *fetch = bytes ? g_strdup_printf (_ ("%s to fetch"), bytes) : NULL;
  GString *subtitle = g_string_new (entry->good_for);
  EaselOfferRow *self;

  if (fetch)
    g_string_append_printf (subtitle, "\n%s", fetch);
  if (fit)
    g_string_append_printf (subtitle, " · %s", fit);
  /* A name fits here; where there is none but a sentence, the dialog has it with the text. */
  if (strlen (entry->licence_name) < 20)
    {
      g_string_append (subtitle, fetch ? " · " : "\n");
      g_string_append_printf (subtitle, _ ("licence: %s"), entry->licence_name);
    }
  self = new_row (client, entry->title, subtitle->str, entry->repository);
  self->revision = g_strdup (entry->revision);
  self->precision = g_strdup (entry->precision);
  g_string_free (subtitle, TRUE);
  return GTK_WIDGET (self);
}

GtkWidget *
easel_offer_row_new_hit (EaselHubClient *client, const EaselHubHit *hit)
{
  GString *subtitle = g_string_new (hit->pipeline_class);
  EaselOfferRow *self;

  if (hit->downloads >= 0)
    {
      g_autofree char *n = g_strdup_printf ("%" G_GINT64_FORMAT, hit->downloads);
      g_autofree char *times =
          g_strdup_printf (ngettext ("fetched %s time", "fetched %s times", (gulong) hit->downloads), n);
      g_string_append_printf (subtitle, " · %s", times);
    }
  g_string_append (subtitle, " · ");
  g_string_append_printf (subtitle, _ ("licence: %s"), hit->licence ? hit->licence : _ ("not stated"));
  if (hit->gated)
    g_string_append_printf (subtitle, " · %s", _ ("asks for an account"));
  self = new_row (client, hit->repo, subtitle->str, hit->repo);
  g_string_free (subtitle, TRUE);
  return GTK_WIDGET (self);
}

static void
easel_offer_row_finalize (GObject *object)
{
  EaselOfferRow *self = EASEL_OFFER_ROW (object);

  g_clear_object (&self->client);
  g_free (self->repo);
  g_free (self->revision);
  g_free (self->precision);
  G_OBJECT_CLASS (easel_offer_row_parent_class)->finalize (object);
}

static void
easel_offer_row_class_init (EaselOfferRowClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->finalize = easel_offer_row_finalize;
  gtk_widget_class_set_template_from_resource (widget_class, "/io/github/easelstudio/Easel/models/offer-row.ui");
  gtk_widget_class_bind_template_child (widget_class, EaselOfferRow, get);
  gtk_widget_class_bind_template_callback (widget_class, get_clicked_cb);
}

static void
easel_offer_row_init (EaselOfferRow *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
}
