/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config-ui.h"
#include "ui/gallery/gallery-cell.h"

#include <glib/gi18n.h>
#include <math.h>

#define SIDE EASEL_GALLERY_TILE
#define CORNER 9
#define MARK 24   /* the circle of a picked item */
#define INSET 8

struct _EaselGalleryCell
{
  GtkWidget parent;
  EaselGalleryObject *object;
  gboolean picking, picked, named; /* named: the row has the words of what is shown */
};

G_DEFINE_FINAL_TYPE (EaselGalleryCell, easel_gallery_cell, GTK_TYPE_WIDGET)

char *
easel_gallery_item_words (const EaselGalleryItem *item)
{
  return *item->prompt ? g_strdup (item->prompt) : g_path_get_basename (item->path);
}

/* ---- drawing ---- */

static void
add_badge (GtkSnapshot *snapshot, const graphene_rect_t *box)
{
  const GdkRGBA shade = { 0, 0, 0, 0.6f };
  GskRoundedRect round;

  gsk_rounded_rect_init_from_rect (&round, box, box->size.height / 2);
  gtk_snapshot_push_rounded_clip (snapshot, &round);
  gtk_snapshot_append_color (snapshot, &shade, box);
  gtk_snapshot_pop (snapshot);
}

/* White words on a dark pill, with an end at (x, bottom): the left one, or the right one. */
static void
add_words (EaselGalleryCell *self, GtkSnapshot *snapshot, const char *words, float x, float bottom, gboolean right)
{
  const GdkRGBA white = { 1, 1, 1, 1 };
  g_autoptr (PangoLayout) layout = gtk_widget_create_pango_layout (GTK_WIDGET (self), words);
  PangoAttrList *attributes = pango_attr_list_new ();
  graphene_rect_t box;
  int width, height;

  pango_attr_list_insert (attributes, pango_attr_scale_new (PANGO_SCALE_SMALL));
  pango_layout_set_attributes (layout, attributes);
  pango_attr_list_unref (attributes);
  pango_layout_get_pixel_size (layout, &width, &height);
  graphene_rect_init (&box, right ? x - width - 14 : x, bottom - height - 4, width + 14, height + 4);
  add_badge (snapshot, &box);
  gtk_snapshot_save (snapshot);
  gtk_snapshot_translate (snapshot, &GRAPHENE_POINT_INIT (box.origin.x + 7, box.origin.y + 2));
  gtk_snapshot_append_layout (snapshot, layout, &white);
  gtk_snapshot_restore (snapshot);
}

static void
add_icon (EaselGalleryCell *self, GtkSnapshot *snapshot, const char *name, float x, float y, int size, GdkRGBA color)
{
  GtkIconTheme *theme = gtk_icon_theme_get_for_display (gtk_widget_get_display (GTK_WIDGET (self)));
  g_autoptr (GtkIconPaintable) icon =
      gtk_icon_theme_lookup_icon (theme, name, NULL, size, gtk_widget_get_scale_factor (GTK_WIDGET (self)),
                                  gtk_widget_get_direction (GTK_WIDGET (self)), GTK_ICON_LOOKUP_FORCE_SYMBOLIC);

  gtk_snapshot_save (snapshot);
  gtk_snapshot_translate (snapshot, &GRAPHENE_POINT_INIT (x, y));
  gtk_symbolic_paintable_snapshot_symbolic (GTK_SYMBOLIC_PAINTABLE (icon), snapshot, size, size, &color, 1);
  gtk_snapshot_restore (snapshot);
}

static void
add_pick (EaselGalleryCell *self, GtkSnapshot *snapshot, float right, float top)
{
  const GdkRGBA white = { 1, 1, 1, 1 }, shade = { 0, 0, 0, 0.45f };
  const float widths[4] = { 2, 2, 2, 2 };
  const GdkRGBA edges[4] = { white, white, white, white };
  graphene_rect_t box = GRAPHENE_RECT_INIT (right - MARK, top, MARK, MARK);
  GskRoundedRect round;
  GdkRGBA accent = { 0.21f, 0.52f, 0.89f, 1 };

  gtk_style_context_lookup_color (gtk_widget_get_style_context (GTK_WIDGET (self)), "accent_bg_color", &accent);
  gsk_rounded_rect_init_from_rect (&round, &box, MARK / 2.0f);
  gtk_snapshot_push_rounded_clip (snapshot, &round);
  gtk_snapshot_append_color (snapshot, self->picked ? &accent : &shade, &box);
  gtk_snapshot_pop (snapshot);
  gtk_snapshot_append_border (snapshot, &round, widths, edges);
  if (self->picked)
    add_icon (self, snapshot, "object-select-symbolic", right - MARK + 4, top + 4, 16, white);
}

static void
add_badges (EaselGalleryCell *self, GtkSnapshot *snapshot, const EaselGalleryItem *item, const graphene_rect_t *box)
{
  static const char stars[] = "★★★★★";
  gboolean rtl = gtk_widget_get_direction (GTK_WIDGET (self)) == GTK_TEXT_DIR_RTL;
  float left = box->origin.x + INSET, right = box->origin.x + box->size.width - INSET;
  float bottom = box->origin.y + box->size.height - INSET;

  if (item->stars > 0)
    {
      g_autofree char *words = g_strndup (stars, (gsize) item->stars * 3);
      add_words (self, snapshot, words, rtl ? right : left, bottom, rtl);
    }
  if (item->kind == EASEL_ITEM_CLIP)
    {
      int seconds = (int) (item->seconds + 0.5);
      g_autofree char *words = item->seconds > 0 ? g_strdup_printf ("▶ %d:%02d", seconds / 60, seconds % 60)
                                                 : g_strdup ("▶");
      add_words (self, snapshot, words, rtl ? left : right, bottom, !rtl);
    }
}

static void
easel_gallery_cell_snapshot (GtkWidget *widget, GtkSnapshot *snapshot)
{
  EaselGalleryCell *self = EASEL_GALLERY_CELL (widget);
  const EaselGalleryItem *item = self->object ? easel_gallery_object_get_item (self->object) : NULL;
  GdkTexture *tile = self->object ? easel_gallery_object_get_tile (self->object) : NULL;
  float left = floorf ((float) (gtk_widget_get_width (widget) - SIDE) / 2);
  float top = floorf ((float) (gtk_widget_get_height (widget) - SIDE) / 2);
  graphene_rect_t box = GRAPHENE_RECT_INIT (left, top, SIDE, SIDE);
  GdkRGBA color;

  if (tile)
    gtk_snapshot_append_texture (snapshot, tile, &box); /* has its round corners */
  if (!tile || (item && item->missing))
    {
      GskRoundedRect round;

      gtk_style_context_get_color (gtk_widget_get_style_context (widget), &color);
      color.alpha = tile ? 0.45f : 0.08f;
      gsk_rounded_rect_init_from_rect (&round, &box, CORNER);
      gtk_snapshot_push_rounded_clip (snapshot, &round);
      gtk_snapshot_append_color (snapshot, &color, &box);
      gtk_snapshot_pop (snapshot);
      color.alpha = 0.6f;
      if (self->object && (easel_gallery_object_is_damaged (self->object) || (item && item->missing)))
        add_icon (self, snapshot, "image-missing-symbolic", left + SIDE / 2.0f - 16, top + SIDE / 2.0f - 16, 32, color);
    }
  if (item)
    add_badges (self, snapshot, item, &box);
  if (self->picking || self->picked)
    add_pick (self, snapshot, left + SIDE - INSET, top + INSET);
}

static void
easel_gallery_cell_measure (GtkWidget *widget, GtkOrientation orientation, int for_size, int *minimum, int *natural,
                            int *minimum_baseline, int *natural_baseline)
{
  *minimum = *natural = SIDE;
}

/* ---- what it shows ---- */

/* What is shown, in words: "a red balloon, 3 stars". NULL: nothing yet. Caller frees. */
static char *
describe (EaselGalleryCell *self)
{
  const EaselGalleryItem *item = self->object ? easel_gallery_object_get_item (self->object) : NULL;
  g_autoptr (GString) words = g_string_new (NULL);
  g_autofree char *name = item ? easel_gallery_item_words (item) : NULL;

  if (!item)
    return NULL;
  g_string_append (words, name);
  if (item->kind == EASEL_ITEM_CLIP)
    g_string_append_printf (words, ", %s", _ ("clip"));
  if (item->stars > 0)
    {
      g_string_append (words, ", ");
      g_string_append_printf (words, ngettext ("%d star", "%d stars", (gulong) item->stars), item->stars);
    }
  if (item->missing)
    g_string_append_printf (words, ", %s", _ ("the file is not there any more"));
  else if (easel_gallery_object_is_damaged (self->object))
    g_string_append_printf (words, ", %s", _ ("the file cannot be shown"));
  return g_string_free (g_steal_pointer (&words), FALSE);
}

/* The name belongs to the list's own row around the cell: that takes the focus and is what a screen reader asks. */
static void
update_words (EaselGalleryCell *self)
{
  GtkWidget *row = gtk_widget_get_parent (GTK_WIDGET (self));
  g_autofree char *words = describe (self);

  if (row)
    gtk_accessible_update_property (GTK_ACCESSIBLE (row), GTK_ACCESSIBLE_PROPERTY_LABEL, words ? words : _ ("Picture"),
                                    -1);
  self->named = words != NULL;
}

static gboolean
easel_gallery_cell_query_tooltip (GtkWidget *widget, int x, int y, gboolean keyboard, GtkTooltip *tooltip)
{
  g_autofree char *words = describe (EASEL_GALLERY_CELL (widget));

  gtk_tooltip_set_text (tooltip, words);
  return words != NULL;
}

/* A tile that came changes nothing about the words, unless it could not be made. */
static void
changed_cb (EaselGalleryCell *self, gboolean row)
{
  if (row || !self->named || easel_gallery_object_is_damaged (self->object))
    update_words (self);
  gtk_widget_queue_draw (GTK_WIDGET (self));
}

void
easel_gallery_cell_set_object (EaselGalleryCell *self, EaselGalleryObject *object)
{
  if (self->object == object)
    return;
  if (self->object)
    {
      g_signal_handlers_disconnect_by_func (self->object, changed_cb, self);
      easel_gallery_object_hide (self->object);
    }
  g_set_object (&self->object, object);
  if (object)
    {
      g_signal_connect_swapped (object, "changed", G_CALLBACK (changed_cb), self);
      easel_gallery_object_show (object);
      changed_cb (self, TRUE);
    }
}

EaselGalleryObject *
easel_gallery_cell_get_object (EaselGalleryCell *self)
{
  return self->object;
}

void
easel_gallery_cell_set_picked (EaselGalleryCell *self, gboolean picking, gboolean picked)
{
  if (self->picking == picking && self->picked == picked)
    return;
  self->picking = picking;
  self->picked = picked;
  gtk_widget_queue_draw (GTK_WIDGET (self));
}

static void
easel_gallery_cell_dispose (GObject *object)
{
  easel_gallery_cell_set_object (EASEL_GALLERY_CELL (object), NULL);
  G_OBJECT_CLASS (easel_gallery_cell_parent_class)->dispose (object);
}

static void
easel_gallery_cell_class_init (EaselGalleryCellClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = easel_gallery_cell_dispose;
  widget_class->snapshot = easel_gallery_cell_snapshot;
  widget_class->measure = easel_gallery_cell_measure;
  widget_class->query_tooltip = easel_gallery_cell_query_tooltip;
  gtk_widget_class_set_css_name (widget_class, "easel-cell");
  gtk_widget_class_set_accessible_role (widget_class, GTK_ACCESSIBLE_ROLE_PRESENTATION);
}

static void
easel_gallery_cell_init (EaselGalleryCell *self)
{
  gtk_widget_set_overflow (GTK_WIDGET (self), GTK_OVERFLOW_HIDDEN);
  gtk_widget_set_has_tooltip (GTK_WIDGET (self), TRUE);
}

EaselGalleryCell *
easel_gallery_cell_new (void)
{
  return g_object_new (EASEL_TYPE_GALLERY_CELL, NULL);
}
