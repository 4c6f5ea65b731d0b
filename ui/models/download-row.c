/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config-ui.h"
#include "ui/models/download-row.h"

#include <glib/gi18n.h>

#include "ui/compat.h"
#include "ui/models/hub-words.h"

struct _EaselDownloadRow
{
  GtkListBoxRow parent;

  /* Template widgets */
  GtkLabel *title, *status;
  GtkButton *up, *down, *go, *stop;
  GtkProgressBar *progress;
  GtkLinkButton *page;

  /* Owned */
  EaselHubClient *client;
  EaselDownload *download;
};

G_DEFINE_FINAL_TYPE (EaselDownloadRow, easel_download_row, GTK_TYPE_LIST_BOX_ROW)

/* The same icon and words only when they change: a button that is set anew loses its tooltip under the pointer. */
static void
dress (GtkButton *button, const char *icon, const char *label)
{
  if (g_strcmp0 (gtk_button_get_icon_name (button), icon) == 0)
    return;
  gtk_button_set_icon_name (button, icon);
  gtk_widget_set_tooltip_text (GTK_WIDGET (button), label);
  gtk_accessible_update_property (GTK_ACCESSIBLE (button), GTK_ACCESSIBLE_PROPERTY_LABEL, label, -1);
}

static void
set_text (GtkLabel *label, const char *text)
{
  if (g_strcmp0 (gtk_label_get_label (label), text) != 0)
    gtk_label_set_label (label, text);
}

static void
update (EaselDownloadRow *self)
{
  EaselDownloadProgress p = easel_download_get_progress (self->download);
  gboolean over = p.state == EASEL_DOWNLOAD_DONE || p.state == EASEL_DOWNLOAD_CANCELLED;
  gboolean resting = p.state == EASEL_DOWNLOAD_PAUSED || p.state == EASEL_DOWNLOAD_FAILED;
  gboolean failed = p.state == EASEL_DOWNLOAD_FAILED;
  g_autofree char *status = easel_hub_words_state (self->download);
  g_autofree char *page = easel_download_dup_page (self->download);

  set_text (self->status, status);
  if (failed)
    {
      dress (self->go, "view-refresh-symbolic", _ ("Try Again"));
      gtk_widget_add_css_class (GTK_WIDGET (self->status), "error");
    }
  else
    {
      dress (self->go, resting ? "media-playback-start-symbolic" : "media-playback-pause-symbolic",
             resting ? _ ("Resume") : _ ("Pause"));
      gtk_widget_remove_css_class (GTK_WIDGET (self->status), "error");
    }
  dress (self->stop, over ? "window-close-symbolic" : "process-stop-symbolic",
         over ? _ ("Remove from the List") : _ ("Cancel"));
  gtk_widget_set_visible (GTK_WIDGET (self->go), !over);
  gtk_widget_set_visible (GTK_WIDGET (self->progress), !over);
  if (p.state == EASEL_DOWNLOAD_VERIFYING && p.bytes_total > 0)
    gtk_progress_bar_set_fraction (self->progress, (double) p.bytes_verified / (double) p.bytes_total);
  else if (p.bytes_total > 0)
    gtk_progress_bar_set_fraction (self->progress, (double) p.bytes_done / (double) p.bytes_total);
  gtk_widget_set_visible (GTK_WIDGET (self->page), failed && page);
  if (failed && page)
    gtk_link_button_set_uri (self->page, page);
}

/* Moving means something only among several. */
static void
list_changed_cb (EaselDownloadRow *self)
{
  GListModel *list = easel_hub_client_get_downloads (self->client);
  guint n = g_list_model_get_n_items (list), at = 0;

  if (!g_list_store_find (G_LIST_STORE (list), self->download, &at))
    return;
  gtk_widget_set_visible (GTK_WIDGET (self->up), n > 1);
  gtk_widget_set_visible (GTK_WIDGET (self->down), n > 1);
  gtk_widget_set_sensitive (GTK_WIDGET (self->up), at > 0);
  gtk_widget_set_sensitive (GTK_WIDGET (self->down), at + 1 < n);
}

static void
up_clicked_cb (EaselDownloadRow *self)
{
  easel_hub_client_move (self->client, self->download, -1);
}

static void
down_clicked_cb (EaselDownloadRow *self)
{
  easel_hub_client_move (self->client, self->download, 1);
}

static void
go_clicked_cb (EaselDownloadRow *self)
{
  EaselDownloadState state = easel_download_get_state (self->download);

  if (state == EASEL_DOWNLOAD_PAUSED || state == EASEL_DOWNLOAD_FAILED)
    easel_download_resume (self->download);
  else
    easel_download_pause (self->download);
}

static void
cancel_agreed_cb (gpointer user_data)
{
  easel_download_cancel (user_data, FALSE); /* it leaves the list by itself */
}

static void
stop_clicked_cb (EaselDownloadRow *self)
{
  EaselDownloadProgress p = easel_download_get_progress (self->download);
  g_autofree char *here = g_format_size (p.bytes_done), *body = NULL;

  if (p.state == EASEL_DOWNLOAD_DONE || p.state == EASEL_DOWNLOAD_CANCELLED)
    {
      easel_hub_client_forget (self->client, self->download);
      return;
    }
  if (p.bytes_done == 0)
    {
      cancel_agreed_cb (self->download);
      return;
    }
  body = g_strdup_printf (_ ("%s are here already and would be deleted. To keep them for another time, pause it."),
                          here);
  easel_compat_confirm (GTK_WIDGET (self), _ ("Stop This Download?"), body, _ ("_Stop and Delete"), TRUE,
                        cancel_agreed_cb, self->download);
}

static void
easel_download_row_dispose (GObject *object)
{
  EaselDownloadRow *self = EASEL_DOWNLOAD_ROW (object);

  gtk_widget_dispose_template (GTK_WIDGET (object), EASEL_TYPE_DOWNLOAD_ROW);
  g_clear_object (&self->download);
  g_clear_object (&self->client);
  G_OBJECT_CLASS (easel_download_row_parent_class)->dispose (object);
}

static void
easel_download_row_class_init (EaselDownloadRowClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = easel_download_row_dispose;
  gtk_widget_class_set_template_from_resource (widget_class, "/io/github/easelstudio/Easel/models/download-row.ui");
  gtk_widget_class_bind_template_child (widget_class, EaselDownloadRow, title);
  gtk_widget_class_bind_template_child (widget_class, EaselDownloadRow, status);
  gtk_widget_class_bind_template_child (widget_class, EaselDownloadRow, up);
  gtk_widget_class_bind_template_child (widget_class, EaselDownloadRow, down);
  gtk_widget_class_bind_template_child (widget_class, EaselDownloadRow, go);
  gtk_widget_class_bind_template_child (widget_class, EaselDownloadRow, stop);
  gtk_widget_class_bind_template_child (widget_class, EaselDownloadRow, progress);
  gtk_widget_class_bind_template_child (widget_class, EaselDownloadRow, page);
  gtk_widget_class_bind_template_callback (widget_class, up_clicked_cb);
  gtk_widget_class_bind_template_callback (widget_class, down_clicked_cb);
  gtk_widget_class_bind_template_callback (widget_class, go_clicked_cb);
  gtk_widget_class_bind_template_callback (widget_class, stop_clicked_cb);
}

static void
easel_download_row_init (EaselDownloadRow *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
}

GtkWidget *
easel_download_row_new (EaselHubClient *client, EaselDownload *download)
{
  EaselDownloadRow *self = g_object_new (EASEL_TYPE_DOWNLOAD_ROW, NULL);
  g_autofree char *title = easel_hub_words_title (client, easel_download_get_repo (download));

  self->client = g_object_ref (client);
  self->download = g_object_ref (download);
  gtk_label_set_label (self->title, title);
  gtk_widget_set_tooltip_text (GTK_WIDGET (self->title), easel_download_get_repo (download));
  gtk_accessible_update_property (GTK_ACCESSIBLE (self), GTK_ACCESSIBLE_PROPERTY_LABEL, title, -1);
  g_signal_connect_object (download, "notify::state", G_CALLBACK (update), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (easel_hub_client_get_downloads (client), "items-changed", G_CALLBACK (list_changed_cb), self,
                           G_CONNECT_SWAPPED);
  update (self);
  list_changed_cb (self);
  return GTK_WIDGET (self);
}
