/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config-ui.h"
#include "ui/gallery/gallery-page.h"

#include <glib/gi18n.h>
#include <string.h>

#include "ui/gallery/gallery-actions.h"
#include "ui/gallery/gallery-compare.h"
#include "ui/gallery/gallery-detail.h"
#include "ui/gallery/gallery-filters.h"
#include "ui/gallery/gallery-grid.h"
#include "ui/window.h"

struct _EaselGalleryPage
{
  AdwBin parent;

  /* Template widgets */
  GtkStack *stack, *contents;
  GtkSearchEntry *search;
  GtkMenuButton *filter_button;
  GtkPopover *filter_popover;
  EaselGalleryFilters *filters;
  GtkRevealer *summary, *bar;
  GtkLabel *summary_words, *count, *picked_words, *folder_problem;
  GtkInfoBar *folder_bar;
  GtkToggleButton *picking;
  GtkWidget *trash_button, *restore_button, *compare_button;
  GtkPopover *tag_popover;
  GtkEntry *add_tags, *remove_tags;
  AdwStatusPage *empty;
  GtkWidget *empty_button, *renew_button;
  GtkButton *unreadable;
  EaselGalleryGrid *grid;
  EaselGalleryDetail *detail;
  EaselGalleryCompare *compare;
  GMenuModel *item_menu;

  /* Owned */
  EaselGalleryModel *model;
  GtkWidget *menu;
  GSettings *settings;
  gint64 shown;    /* id of the item in the detail view, 0 none */
  guint position;  /* where it is, or was */
  gint64 wanted;   /* an item that is to be shown once the list has it */
  guint scale;
};

G_DEFINE_FINAL_TYPE (EaselGalleryPage, easel_gallery_page, ADW_TYPE_BIN)

/* ---- what is shown ---- */

static gboolean
is_narrowed (EaselGalleryPage *self)
{
  return *gtk_editable_get_text (GTK_EDITABLE (self->search)) || easel_gallery_filters_count (self->filters) > 0;
}

static void
say_empty (EaselGalleryPage *self, const char *problem)
{
  gboolean narrowed = is_narrowed (self);
  g_autofree char *escaped = g_markup_escape_text (problem ? problem : "", -1);

  adw_status_page_set_title (self->empty,
                             problem                                          ? _ ("The Gallery Cannot Be Read")
                             : easel_gallery_filters_is_trash (self->filters) ? _ ("The Trash Is Empty")
                             : narrowed                                       ? _ ("Nothing Found")
                                                                              : _ ("No Pictures Yet"));
  adw_status_page_set_description (self->empty, problem    ? escaped
                                                : narrowed ? _ ("Try other words, or fewer.")
                                                           : _ ("What you make on the Create page is kept here."));
  gtk_widget_set_visible (self->empty_button, narrowed && !problem);
  gtk_widget_set_visible (self->renew_button, problem != NULL);
}

static void
say_count (EaselGalleryPage *self, guint n)
{
  g_autofree char *narrowed = easel_gallery_filters_words (self->filters);
  g_autofree char *words = g_strdup_printf (ngettext ("%'u picture", "%'u pictures", n), n);
  guint filters = easel_gallery_filters_count (self->filters);

  gtk_label_set_label (self->count, words);
  gtk_label_set_label (self->summary_words, narrowed);
  gtk_revealer_set_reveal_child (self->summary, filters > 0);
  if (filters)
    gtk_widget_add_css_class (GTK_WIDGET (self->filter_button), "accent");
  else
    gtk_widget_remove_css_class (GTK_WIDGET (self->filter_button), "accent");
}

static void
show_position (EaselGalleryPage *self, guint position)
{
  gint64 id = easel_gallery_model_get_id (self->model, position);
  guint n = g_list_model_get_n_items (G_LIST_MODEL (self->model));

  if (!id)
    return;
  self->shown = id;
  self->position = position;
  easel_gallery_detail_set_ends (self->detail, position == 0, position + 1 >= n);
  easel_gallery_detail_show (self->detail, id);
  gtk_stack_set_visible_child_name (self->stack, "detail");
}

static void
back_cb (EaselGalleryPage *self)
{
  guint position = self->shown ? easel_gallery_model_find (self->model, self->shown) : G_MAXUINT;

  self->shown = 0;
  gtk_stack_set_visible_child_name (self->stack, "grid");
  easel_gallery_detail_clear (self->detail);
  easel_gallery_compare_clear (self->compare);
  if (self->model && g_list_model_get_n_items (G_LIST_MODEL (self->model)))
    easel_gallery_grid_focus (self->grid, position);
}

/* The list changed under the detail view: the item may have moved, or gone; then the one that took its place. */
static void
follow_shown (EaselGalleryPage *self)
{
  guint n = g_list_model_get_n_items (G_LIST_MODEL (self->model));
  guint position = easel_gallery_model_find (self->model, self->shown);

  if (position != G_MAXUINT)
    {
      self->position = position;
      easel_gallery_detail_set_ends (self->detail, position == 0, position + 1 >= n);
      easel_gallery_detail_refresh (self->detail);
    }
  else if (n == 0)
    back_cb (self);
  else
    show_position (self, MIN (self->position, n - 1));
}

static void check_folder (EaselGalleryPage *self);

static void
loaded_cb (EaselGalleryPage *self, const char *problem)
{
  guint n = g_list_model_get_n_items (G_LIST_MODEL (self->model));

  say_empty (self, problem);
  say_count (self, n);
  gtk_stack_set_visible_child_name (self->contents, n && !problem ? "pictures" : "empty");
  check_folder (self);
  if (self->wanted)
    {
      guint position = easel_gallery_model_find (self->model, self->wanted);

      if (position != G_MAXUINT)
        {
          self->wanted = 0;
          show_position (self, position);
          return;
        }
    }
  if (self->shown)
    follow_shown (self);
}

static void
filter_changed_cb (EaselGalleryPage *self)
{
  EaselGalleryQuery query = EASEL_GALLERY_QUERY_INIT;
  gboolean trash = easel_gallery_filters_is_trash (self->filters);

  if (!self->model)
    return;
  query.text = gtk_editable_get_text (GTK_EDITABLE (self->search));
  query.sort = (EaselGallerySort) g_settings_get_int (self->settings, "gallery-sort");
  easel_gallery_filters_apply (self->filters, &query);
  easel_gallery_model_set_query (self->model, &query);
  gtk_widget_set_visible (self->trash_button, !trash);
  gtk_widget_set_visible (self->restore_button, trash);
}

static void
unreadable_clicked_cb (EaselGalleryPage *self)
{
  gtk_editable_set_text (GTK_EDITABLE (self->search), "");
  easel_gallery_filters_show_unreadable (self->filters);
}

static void
search_stopped_cb (EaselGalleryPage *self)
{
  gtk_editable_set_text (GTK_EDITABLE (self->search), "");
  if (self->model)
    easel_gallery_grid_focus (self->grid, 0);
}

static void
clear_clicked_cb (EaselGalleryPage *self)
{
  gtk_editable_set_text (GTK_EDITABLE (self->search), "");
  easel_gallery_filters_clear (self->filters);
}

static void
step_cb (EaselGalleryPage *self, int by)
{
  guint n = g_list_model_get_n_items (G_LIST_MODEL (self->model));

  if (by < 0 && self->position > 0)
    show_position (self, self->position - 1);
  else if (by > 0 && self->position + 1 < n)
    show_position (self, self->position + 1);
}

void
easel_gallery_page_show_item (EaselGalleryPage *self, gint64 id)
{
  guint position = self->model ? easel_gallery_model_find (self->model, id) : G_MAXUINT;

  if (position != G_MAXUINT)
    {
      show_position (self, position);
      return;
    }
  if (!self->model)
    return;
  self->wanted = id;
  clear_clicked_cb (self);
  filter_changed_cb (self);
}

void
easel_gallery_page_start_search (EaselGalleryPage *self)
{
  if (self->shown)
    back_cb (self);
  gtk_stack_set_visible_child_name (self->stack, "grid");
  gtk_widget_grab_focus (GTK_WIDGET (self->search));
}

void
easel_gallery_page_search (EaselGalleryPage *self, const char *words)
{
  easel_gallery_filters_clear (self->filters);
  gtk_editable_set_text (GTK_EDITABLE (self->search), words);
  easel_gallery_page_start_search (self);
}

/* ---- the folder ---- */

typedef struct
{
  EaselGallery *gallery;
  char *problem;
  guint unreadable; /* files */
} Folder;

static void
folder_free (gpointer data)
{
  Folder *folder = data;

  g_object_unref (folder->gallery);
  g_free (folder->problem);
  g_free (folder);
}

static void
folder_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  Folder *folder = data;
  EaselGalleryQuery query = EASEL_GALLERY_QUERY_INIT;
  g_autoptr (GArray) ids = NULL;

  folder->problem = easel_gallery_folder_problem (folder->gallery);
  query.unreadable = TRUE;
  ids = easel_gallery_query (folder->gallery, &query, NULL);
  folder->unreadable = ids ? ids->len : 0;
  g_task_return_boolean (task, TRUE);
}

static void
folder_checked_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  EaselGalleryPage *self = EASEL_GALLERY_PAGE (source);
  Folder *folder = g_task_get_task_data (G_TASK (result));
  g_autofree char *words = NULL;

  if (!self->model)
    return;
  gtk_label_set_label (self->folder_problem, folder->problem ? folder->problem : "");
  gtk_info_bar_set_revealed (self->folder_bar, folder->problem != NULL);
  words = g_strdup_printf (ngettext ("%u file cannot be read", "%u files cannot be read", folder->unreadable),
                           folder->unreadable);
  gtk_button_set_label (self->unreadable, words);
  gtk_widget_set_visible (GTK_WIDGET (self->unreadable), folder->unreadable > 0);
}

static void
check_folder (EaselGalleryPage *self)
{
  EaselGallery *gallery = easel_application_get_gallery (easel_application_get ());
  g_autoptr (GTask) task = NULL;
  Folder *folder;

  if (!gallery)
    return;
  folder = g_new0 (Folder, 1);
  folder->gallery = g_object_ref (gallery);
  task = g_task_new (self, NULL, folder_checked_cb, NULL);
  g_task_set_task_data (task, folder, folder_free);
  g_task_run_in_thread (task, folder_thread);
}

static void
folder_response_cb (EaselGalleryPage *self)
{
  EaselGallery *gallery = easel_application_get_gallery (easel_application_get ());

  if (gallery)
    easel_gallery_watch (gallery);
  check_folder (self);
}

/* ---- the picked ones ---- */

static void
picked_changed_cb (EaselGalleryPage *self)
{
  guint n = easel_gallery_grid_count_picked (self->grid);
  gboolean picking = easel_gallery_grid_get_picking (self->grid);
  g_autofree char *words = n ? g_strdup_printf (ngettext ("%u selected", "%u selected", n), n)
                             : g_strdup (_ ("Select pictures"));

  gtk_label_set_label (self->picked_words, words);
  gtk_revealer_set_reveal_child (self->bar, picking);
  gtk_widget_set_visible (GTK_WIDGET (self->bar), picking);
  if (gtk_toggle_button_get_active (self->picking) != picking)
    gtk_toggle_button_set_active (self->picking, picking);
  gtk_widget_action_set_enabled (GTK_WIDGET (self), "gallery.compare", n == 2);
}

static void
picking_toggled_cb (EaselGalleryPage *self)
{
  easel_gallery_grid_set_picking (self->grid, gtk_toggle_button_get_active (self->picking));
}

static void
compare_picked (EaselGalleryPage *self)
{
  EaselGallery *gallery = easel_application_get_gallery (easel_application_get ());
  g_autoptr (GArray) ids = easel_gallery_grid_get_picked (self->grid);
  g_autoptr (GPtrArray) items = NULL;

  if (ids->len != 2)
    return;
  items = easel_gallery_get_many (gallery, (const gint64 *) (gpointer) ids->data, 2, NULL);
  if (!items || items->len != 2)
    return;
  easel_gallery_compare_show (self->compare, items->pdata[0], items->pdata[1]);
  gtk_stack_set_visible_child_name (self->stack, "compare");
}

static void
copy_targets (EaselGalleryPage *self, GArray *ids)
{
  EaselGallery *gallery = easel_application_get_gallery (easel_application_get ());
  g_autoptr (GPtrArray) items =
      easel_gallery_get_many (gallery, (const gint64 *) (gpointer) ids->data, ids->len, NULL);
  g_autoptr (GPtrArray) paths = g_ptr_array_new ();
  g_autoptr (GdkContentProvider) content = NULL;
  g_autofree char *words = NULL;

  for (guint i = 0; items && i < items->len; i++)
    g_ptr_array_add (paths, ((EaselGalleryItem *) items->pdata[i])->path);
  if (!paths->len)
    return;
  words = g_strdup_printf (ngettext ("%u picture was copied.", "%u pictures were copied.", paths->len), paths->len);
  g_ptr_array_add (paths, NULL);
  content = easel_gallery_actions_content ((const char *const *) paths->pdata, NULL);
  gdk_clipboard_set_content (gtk_widget_get_clipboard (GTK_WIDGET (self)), content);
  easel_window_toast (easel_window_of (self), words);
}

static void
open_target (EaselGalleryPage *self, GArray *ids)
{
  EaselGallery *gallery = easel_application_get_gallery (easel_application_get ());
  g_autoptr (EaselGalleryItem) item =
      ids->len ? easel_gallery_get (gallery, g_array_index (ids, gint64, 0), NULL) : NULL;

  if (item)
    easel_gallery_actions_open (GTK_WIDGET (self), item->path);
}

static void
stop_picking (EaselGalleryPage *self)
{
  easel_gallery_grid_set_picking (self->grid, FALSE);
}

static void
action_cb (GtkWidget *widget, const char *name, GVariant *parameter)
{
  EaselGalleryPage *self = EASEL_GALLERY_PAGE (widget);
  g_autoptr (GArray) ids = easel_gallery_grid_get_targets (self->grid);
  const char *what = name + strlen ("gallery.");

  if (!self->model)
    return;
  if (g_str_equal (what, "compare"))
    compare_picked (self);
  else if (g_str_equal (what, "copy"))
    copy_targets (self, ids);
  else if (g_str_equal (what, "export"))
    easel_gallery_actions_export (widget, ids);
  else if (g_str_equal (what, "open"))
    open_target (self, ids);
  else if (g_str_equal (what, "pick-all"))
    easel_gallery_grid_pick_all (self->grid);
  else if (g_str_equal (what, "stars"))
    easel_gallery_actions_set_stars (widget, ids, g_variant_get_int32 (parameter));
  else if (g_str_equal (what, "trash"))
    {
      easel_gallery_actions_trash (widget, ids);
      stop_picking (self);
    }
  else if (g_str_equal (what, "restore"))
    {
      easel_gallery_actions_untrash (widget, ids);
      stop_picking (self);
    }
  else if (g_str_equal (what, "forget"))
    {
      easel_gallery_actions_forget (widget, ids);
      stop_picking (self);
    }
  else if (g_str_equal (what, "tag"))
    {
      easel_gallery_actions_edit_tags (widget, ids, gtk_editable_get_text (GTK_EDITABLE (self->add_tags)),
                                       gtk_editable_get_text (GTK_EDITABLE (self->remove_tags)));
      gtk_popover_popdown (self->tag_popover);
      gtk_editable_set_text (GTK_EDITABLE (self->add_tags), "");
      gtk_editable_set_text (GTK_EDITABLE (self->remove_tags), "");
    }
}

/* Escape: first what is picked, then the search. */
static gboolean
escape_cb (GtkWidget *widget, GVariant *parameter, gpointer user_data)
{
  EaselGalleryPage *self = EASEL_GALLERY_PAGE (widget);

  if (g_strcmp0 (gtk_stack_get_visible_child_name (self->stack), "grid") != 0)
    return FALSE;
  if (easel_gallery_grid_get_picking (self->grid))
    stop_picking (self);
  else if (is_narrowed (self))
    clear_clicked_cb (self);
  else
    return FALSE;
  return TRUE;
}

static gboolean
star_key_cb (GtkWidget *widget, GVariant *stars, gpointer user_data)
{
  EaselGalleryPage *self = EASEL_GALLERY_PAGE (widget);
  g_autoptr (GArray) ids = easel_gallery_grid_get_targets (self->grid);

  if (g_strcmp0 (gtk_stack_get_visible_child_name (self->stack), "grid") != 0)
    return FALSE;
  easel_gallery_actions_set_stars (widget, ids, g_variant_get_int32 (stars));
  return TRUE;
}

static void
menu_cb (EaselGalleryPage *self, GtkWidget *at, double x, double y)
{
  double to_x, to_y;

  if (!self->menu)
    {
      self->menu = gtk_popover_menu_new_from_model (self->item_menu);
      gtk_popover_set_has_arrow (GTK_POPOVER (self->menu), FALSE);
      gtk_widget_set_halign (self->menu, GTK_ALIGN_START);
      gtk_widget_set_parent (self->menu, GTK_WIDGET (self));
    }
  if (!gtk_widget_translate_coordinates (at, GTK_WIDGET (self), x, y, &to_x, &to_y))
    return;
  gtk_popover_set_pointing_to (GTK_POPOVER (self->menu), &(GdkRectangle){ (int) to_x, (int) to_y, 1, 1 });
  gtk_popover_popup (GTK_POPOVER (self->menu));
}

/* ---- object ---- */

static void
easel_gallery_page_size_allocate (GtkWidget *widget, int width, int height, int baseline)
{
  EaselGalleryPage *self = EASEL_GALLERY_PAGE (widget);

  GTK_WIDGET_CLASS (easel_gallery_page_parent_class)->size_allocate (widget, width, height, baseline);
  if (self->menu)
    gtk_popover_present (GTK_POPOVER (self->menu));
}

static void
easel_gallery_page_map (GtkWidget *widget)
{
  GTK_WIDGET_CLASS (easel_gallery_page_parent_class)->map (widget);
  check_folder (EASEL_GALLERY_PAGE (widget));
}

static void
filters_shown_cb (EaselGalleryPage *self)
{
  easel_gallery_filters_refresh (self->filters);
}

static void
easel_gallery_page_dispose (GObject *object)
{
  EaselGalleryPage *self = EASEL_GALLERY_PAGE (object);

  g_clear_pointer (&self->menu, gtk_widget_unparent);
  /* The bin's own child is bound: the template would take it away without the bin knowing. */
  adw_bin_set_child (ADW_BIN (self), NULL);
  gtk_widget_dispose_template (GTK_WIDGET (object), EASEL_TYPE_GALLERY_PAGE);
  g_clear_object (&self->model);
  g_clear_object (&self->settings);
  G_OBJECT_CLASS (easel_gallery_page_parent_class)->dispose (object);
}

static void
bind_children (GtkWidgetClass *widget_class)
{
#define BIND(name) gtk_widget_class_bind_template_child (widget_class, EaselGalleryPage, name)
  BIND (stack);
  BIND (contents);
  BIND (search);
  BIND (filter_button);
  BIND (filter_popover);
  BIND (filters);
  BIND (summary);
  BIND (bar);
  BIND (summary_words);
  BIND (count);
  BIND (picked_words);
  BIND (folder_problem);
  BIND (folder_bar);
  BIND (picking);
  BIND (trash_button);
  BIND (restore_button);
  BIND (compare_button);
  BIND (tag_popover);
  BIND (add_tags);
  BIND (remove_tags);
  BIND (empty);
  BIND (empty_button);
  BIND (renew_button);
  BIND (unreadable);
  BIND (grid);
  BIND (detail);
  BIND (compare);
  BIND (item_menu);
#undef BIND
}

static void
install_actions (GtkWidgetClass *widget_class)
{
  static const char *const names[] = { "gallery.compare", "gallery.copy", "gallery.export", "gallery.open",
                                       "gallery.pick-all", "gallery.trash", "gallery.restore", "gallery.forget",
                                       "gallery.tag" };

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    gtk_widget_class_install_action (widget_class, names[i], NULL, action_cb);
  gtk_widget_class_install_action (widget_class, "gallery.stars", "i", action_cb);
  gtk_widget_class_add_binding_action (widget_class, GDK_KEY_Delete, 0, "gallery.trash", NULL);
  gtk_widget_class_add_binding_action (widget_class, GDK_KEY_c, GDK_CONTROL_MASK, "gallery.copy", NULL);
  gtk_widget_class_add_binding_action (widget_class, GDK_KEY_e, GDK_CONTROL_MASK, "gallery.export", NULL);
  gtk_widget_class_add_binding (widget_class, GDK_KEY_Escape, 0, escape_cb, NULL);
  for (guint i = 0; i <= 5; i++)
    gtk_widget_class_add_binding (widget_class, GDK_KEY_0 + i, 0, star_key_cb, "i", (int) i);
}

static void
easel_gallery_page_class_init (EaselGalleryPageClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = easel_gallery_page_dispose;
  widget_class->size_allocate = easel_gallery_page_size_allocate;
  widget_class->map = easel_gallery_page_map;
  g_type_ensure (EASEL_TYPE_GALLERY_DETAIL);
  g_type_ensure (EASEL_TYPE_GALLERY_COMPARE);
  g_type_ensure (EASEL_TYPE_GALLERY_FILTERS);
  g_type_ensure (EASEL_TYPE_GALLERY_GRID);
  gtk_widget_class_set_template_from_resource (widget_class, "/io/github/easelstudio/Easel/gallery/gallery-page.ui");
  bind_children (widget_class);
  gtk_widget_class_bind_template_callback (widget_class, filter_changed_cb);
  gtk_widget_class_bind_template_callback (widget_class, search_stopped_cb);
  gtk_widget_class_bind_template_callback (widget_class, clear_clicked_cb);
  gtk_widget_class_bind_template_callback (widget_class, unreadable_clicked_cb);
  gtk_widget_class_bind_template_callback (widget_class, filters_shown_cb);
  gtk_widget_class_bind_template_callback (widget_class, picking_toggled_cb);
  gtk_widget_class_bind_template_callback (widget_class, picked_changed_cb);
  gtk_widget_class_bind_template_callback (widget_class, folder_response_cb);
  gtk_widget_class_bind_template_callback (widget_class, show_position);
  gtk_widget_class_bind_template_callback (widget_class, back_cb);
  gtk_widget_class_bind_template_callback (widget_class, step_cb);
  gtk_widget_class_bind_template_callback (widget_class, menu_cb);
  install_actions (widget_class);
}

static void
easel_gallery_page_init (EaselGalleryPage *self)
{
  EaselApplication *application = easel_application_get ();
  EaselGallery *gallery = easel_application_get_gallery (application);
  g_autoptr (GSimpleActionGroup) view = g_simple_action_group_new ();
  g_autoptr (GAction) sort = NULL;

  self->settings = g_object_ref (easel_application_get_settings (application));
  gtk_widget_init_template (GTK_WIDGET (self));
  sort = g_settings_create_action (self->settings, "gallery-sort");
  g_action_map_add_action (G_ACTION_MAP (view), sort);
  gtk_widget_insert_action_group (GTK_WIDGET (self), "view", G_ACTION_GROUP (view));
  g_signal_connect_object (self->settings, "changed::gallery-sort", G_CALLBACK (filter_changed_cb), self,
                           G_CONNECT_SWAPPED);
  if (gallery)
    {
      self->model = easel_gallery_model_new (gallery, gtk_widget_get_scale_factor (GTK_WIDGET (self)));
      g_signal_connect_object (self->model, "loaded", G_CALLBACK (loaded_cb), self, G_CONNECT_SWAPPED);
      easel_gallery_grid_set_model (self->grid, self->model);
      filter_changed_cb (self);
    }
  else
    {
      say_empty (self, easel_application_get_problem (application));
      gtk_stack_set_visible_child_name (self->contents, "empty");
    }
  picked_changed_cb (self);
}
