/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config-ui.h"
#include "ui/gallery/gallery-page.h"

#include <glib/gi18n.h>

#include "ui/application.h"
#include "ui/gallery/gallery-detail.h"
#include "ui/gallery/gallery-model.h"

#define CELL 168 /* pixels on a side */

struct _EaselGalleryPage
{
  AdwBin parent;

  /* Template widgets */
  GtkStack *stack, *contents;
  GtkSearchEntry *search;
  GtkDropDown *stars, *sort;
  AdwStatusPage *empty;
  GtkGridView *grid;
  EaselGalleryDetail *detail;

  /* Owned */
  EaselGalleryModel *model;
  guint shown; /* position of the item in the detail view */
};

G_DEFINE_FINAL_TYPE (EaselGalleryPage, easel_gallery_page, ADW_TYPE_BIN)

/* ---- cells ---- */

static void
setup_cb (GtkSignalListItemFactory *factory, GtkListItem *cell, gpointer user_data)
{
  GtkWidget *picture = gtk_picture_new ();

  gtk_widget_set_size_request (picture, CELL, CELL);
  gtk_picture_set_can_shrink (GTK_PICTURE (picture), TRUE);
  gtk_widget_add_css_class (picture, "easel-cell");
  gtk_list_item_set_child (cell, picture);
}

static void
texture_cb (EaselGalleryObject *object, GParamSpec *spec, GtkListItem *cell)
{
  g_autoptr (GdkTexture) texture = NULL;

  if (gtk_list_item_get_item (cell) != object)
    return;
  g_object_get (object, "texture", &texture, NULL);
  gtk_picture_set_paintable (GTK_PICTURE (gtk_list_item_get_child (cell)), GDK_PAINTABLE (texture));
}

static void
bind_cb (GtkSignalListItemFactory *factory, GtkListItem *cell, gpointer user_data)
{
  EaselGalleryObject *object = gtk_list_item_get_item (cell);
  GtkWidget *picture = gtk_list_item_get_child (cell);
  const EaselGalleryItem *item = easel_gallery_object_get_item (object);
  const char *words = item && *item->prompt ? item->prompt : _ ("Picture without a prompt");

  gtk_picture_set_alternative_text (GTK_PICTURE (picture), words);
  gtk_widget_set_tooltip_text (picture, words);
  gtk_accessible_update_property (GTK_ACCESSIBLE (picture), GTK_ACCESSIBLE_PROPERTY_LABEL, words, -1);
  g_signal_connect (object, "notify::texture", G_CALLBACK (texture_cb), cell);
  texture_cb (object, NULL, cell);
  easel_gallery_object_want_texture (object);
}

static void
unbind_cb (GtkSignalListItemFactory *factory, GtkListItem *cell, gpointer user_data)
{
  g_signal_handlers_disconnect_by_func (gtk_list_item_get_item (cell), texture_cb, cell);
  gtk_picture_set_paintable (GTK_PICTURE (gtk_list_item_get_child (cell)), NULL);
}

/* ---- what is shown ---- */

static void
say_empty (EaselGalleryPage *self)
{
  gboolean filtered = *gtk_editable_get_text (GTK_EDITABLE (self->search)) || gtk_drop_down_get_selected (self->stars);
  guint n = self->model ? g_list_model_get_n_items (G_LIST_MODEL (self->model)) : 0;

  adw_status_page_set_title (self->empty, filtered ? _ ("Nothing Found") : _ ("No Pictures Yet"));
  adw_status_page_set_description (self->empty, filtered ? _ ("Try other words, or fewer.")
                                                         : _ ("What you make on the Create page is kept here."));
  gtk_stack_set_visible_child_name (self->contents, n ? "pictures" : "empty");
}

static void
filter_changed_cb (EaselGalleryPage *self)
{
  static const EaselGallerySort sorts[] = { EASEL_SORT_NEWEST, EASEL_SORT_OLDEST, EASEL_SORT_STARS, EASEL_SORT_NAME };
  EaselGalleryQuery query = EASEL_GALLERY_QUERY_INIT;
  guint sort = gtk_drop_down_get_selected (self->sort);

  if (!self->model)
    return;
  query.text = gtk_editable_get_text (GTK_EDITABLE (self->search));
  query.min_stars = (int) gtk_drop_down_get_selected (self->stars);
  query.sort = sorts[sort < G_N_ELEMENTS (sorts) ? sort : 0];
  easel_gallery_model_set_query (self->model, &query);
  say_empty (self);
}

static void
show_position (EaselGalleryPage *self, guint position)
{
  g_autoptr (EaselGalleryObject) object = g_list_model_get_item (G_LIST_MODEL (self->model), position);

  if (!object)
    return;
  self->shown = position;
  easel_gallery_detail_show (self->detail, easel_gallery_object_get_id (object));
  gtk_stack_set_visible_child_name (self->stack, "detail");
}

static void
item_activated_cb (EaselGalleryPage *self, guint position)
{
  show_position (self, position);
}

static void
back_cb (EaselGalleryPage *self)
{
  gtk_stack_set_visible_child_name (self->stack, "grid");
  gtk_widget_grab_focus (GTK_WIDGET (self->grid));
}

static void
step_cb (EaselGalleryPage *self, int by)
{
  guint n = g_list_model_get_n_items (G_LIST_MODEL (self->model));

  if (n == 0)
    back_cb (self);
  else if (by < 0 && self->shown > 0)
    show_position (self, self->shown - 1);
  else if (by > 0 && self->shown + 1 < n)
    show_position (self, self->shown + 1);
  else if (by == 0) /* the one shown is gone: the one that took its place */
    show_position (self, MIN (self->shown, n - 1));
}

void
easel_gallery_page_show_item (EaselGalleryPage *self, gint64 id)
{
  guint position = self->model ? easel_gallery_model_find (self->model, id) : G_MAXUINT;

  if (position == G_MAXUINT && self->model)
    {
      gtk_editable_set_text (GTK_EDITABLE (self->search), "");
      gtk_drop_down_set_selected (self->stars, 0);
      filter_changed_cb (self);
      position = easel_gallery_model_find (self->model, id);
    }
  if (position != G_MAXUINT)
    show_position (self, position);
}

void
easel_gallery_page_start_search (EaselGalleryPage *self)
{
  gtk_stack_set_visible_child_name (self->stack, "grid");
  gtk_widget_grab_focus (GTK_WIDGET (self->search));
}

/* ---- object ---- */

static void
easel_gallery_page_dispose (GObject *object)
{
  EaselGalleryPage *self = EASEL_GALLERY_PAGE (object);

  gtk_widget_dispose_template (GTK_WIDGET (object), EASEL_TYPE_GALLERY_PAGE);
  g_clear_object (&self->model);
  G_OBJECT_CLASS (easel_gallery_page_parent_class)->dispose (object);
}

static void
easel_gallery_page_class_init (EaselGalleryPageClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = easel_gallery_page_dispose;
  g_type_ensure (EASEL_TYPE_GALLERY_DETAIL);
  gtk_widget_class_set_template_from_resource (widget_class, "/io/github/easelstudio/Easel/gallery/gallery-page.ui");
  gtk_widget_class_bind_template_child (widget_class, EaselGalleryPage, stack);
  gtk_widget_class_bind_template_child (widget_class, EaselGalleryPage, contents);
  gtk_widget_class_bind_template_child (widget_class, EaselGalleryPage, search);
  gtk_widget_class_bind_template_child (widget_class, EaselGalleryPage, stars);
  gtk_widget_class_bind_template_child (widget_class, EaselGalleryPage, sort);
  gtk_widget_class_bind_template_child (widget_class, EaselGalleryPage, empty);
  gtk_widget_class_bind_template_child (widget_class, EaselGalleryPage, grid);
  gtk_widget_class_bind_template_child (widget_class, EaselGalleryPage, detail);
  gtk_widget_class_bind_template_callback (widget_class, filter_changed_cb);
  gtk_widget_class_bind_template_callback (widget_class, item_activated_cb);
  gtk_widget_class_bind_template_callback (widget_class, back_cb);
  gtk_widget_class_bind_template_callback (widget_class, step_cb);
}

static void
fill_choices (EaselGalleryPage *self)
{
  const char *stars[] = { _ ("Any stars"), "★", "★★", "★★★", "★★★★", "★★★★★", NULL };
  const char *sorts[] = { _ ("Newest first"), _ ("Oldest first"), _ ("Most stars"), _ ("By name"), NULL };
  g_autoptr (GtkStringList) star_list = gtk_string_list_new (stars);
  g_autoptr (GtkStringList) sort_list = gtk_string_list_new (sorts);

  gtk_drop_down_set_model (self->stars, G_LIST_MODEL (star_list));
  gtk_drop_down_set_model (self->sort, G_LIST_MODEL (sort_list));
}

static void
easel_gallery_page_init (EaselGalleryPage *self)
{
  EaselGallery *gallery = easel_application_get_gallery (easel_application_get ());
  GtkListItemFactory *factory = gtk_signal_list_item_factory_new ();

  gtk_widget_init_template (GTK_WIDGET (self));
  fill_choices (self);
  g_signal_connect (factory, "setup", G_CALLBACK (setup_cb), NULL);
  g_signal_connect (factory, "bind", G_CALLBACK (bind_cb), NULL);
  g_signal_connect (factory, "unbind", G_CALLBACK (unbind_cb), NULL);
  gtk_grid_view_set_factory (self->grid, factory);
  g_object_unref (factory);
  if (gallery)
    {
      GtkSelectionModel *selection;

      self->model = easel_gallery_model_new (gallery);
      selection = GTK_SELECTION_MODEL (gtk_multi_selection_new (G_LIST_MODEL (g_object_ref (self->model))));
      gtk_grid_view_set_model (self->grid, selection);
      g_object_unref (selection);
      g_signal_connect_object (self->model, "items-changed", G_CALLBACK (say_empty), self, G_CONNECT_SWAPPED);
    }
  say_empty (self);
}
