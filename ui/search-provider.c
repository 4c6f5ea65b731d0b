/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config-ui.h"
#include "ui/search-provider.h"

#include <glib/gi18n.h>
#include <string.h>

#define MOST_RESULTS 20

struct _EaselSearchProvider
{
  GObject parent;
  GApplication *application; /* borrowed: it owns this */
  EaselSearchSource source;
  GDBusNodeInfo *node;
  guint registration;
};

G_DEFINE_FINAL_TYPE (EaselSearchProvider, easel_search_provider, G_TYPE_OBJECT)

static const char interface[] =
    "<node><interface name='org.gnome.Shell.SearchProvider2'>"
    "<method name='GetInitialResultSet'><arg type='as' name='terms' direction='in'/>"
    "<arg type='as' name='results' direction='out'/></method>"
    "<method name='GetSubsequentResultSet'><arg type='as' name='previous_results' direction='in'/>"
    "<arg type='as' name='terms' direction='in'/><arg type='as' name='results' direction='out'/></method>"
    "<method name='GetResultMetas'><arg type='as' name='identifiers' direction='in'/>"
    "<arg type='aa{sv}' name='metas' direction='out'/></method>"
    "<method name='ActivateResult'><arg type='s' name='identifier' direction='in'/>"
    "<arg type='as' name='terms' direction='in'/><arg type='u' name='timestamp' direction='in'/></method>"
    "<method name='LaunchSearch'><arg type='as' name='terms' direction='in'/>"
    "<arg type='u' name='timestamp' direction='in'/></method>"
    "</interface></node>";

/* ---- on the worker ---- */

typedef struct
{
  EaselGallery *gallery;
  GDBusMethodInvocation *invocation;
  char *words; /* to find; NULL: `ids` are to be described */
  GStrv ids;
} Question;

static void
question_free (gpointer data)
{
  Question *question = data;

  g_object_unref (question->gallery);
  g_free (question->words);
  g_strfreev (question->ids);
  g_free (question);
}

static GVariant *
find (Question *question)
{
  EaselGalleryQuery query = EASEL_GALLERY_QUERY_INIT;
  g_autoptr (GArray) ids = NULL;
  GVariantBuilder found;

  query.text = question->words;
  query.limit = MOST_RESULTS;
  ids = *question->words ? easel_gallery_query (question->gallery, &query, NULL) : NULL;
  g_variant_builder_init (&found, G_VARIANT_TYPE ("as"));
  for (guint i = 0; ids && i < ids->len; i++)
    {
      g_autofree char *id = g_strdup_printf ("%" G_GINT64_FORMAT, g_array_index (ids, gint64, i));
      g_variant_builder_add (&found, "s", id);
    }
  return g_variant_new ("(as)", &found);
}

static void
describe_item (GVariantBuilder *metas, const EaselGalleryItem *item)
{
  g_autofree char *id = g_strdup_printf ("%" G_GINT64_FORMAT, item->id);
  g_autofree char *base = g_path_get_basename (item->path);
  g_autofree char *name = g_strndup (*item->prompt ? item->prompt : base, 200);
  g_autofree char *valid = g_utf8_make_valid (name, -1); /* the cut may lie within a letter */
  g_autoptr (GDateTime) when = g_date_time_new_from_unix_local (item->created);
  g_autofree char *day = when ? g_date_time_format (when, "%x") : g_strdup ("");
  g_autofree char *words = *item->model ? g_strdup_printf ("%s · %s", day, item->model) : g_strdup (day);
  g_autofree char *thumbnail = easel_thumbnail_ensure (item->path, 256, NULL);

  g_variant_builder_open (metas, G_VARIANT_TYPE ("a{sv}"));
  g_variant_builder_add (metas, "{sv}", "id", g_variant_new_string (id));
  g_variant_builder_add (metas, "{sv}", "name", g_variant_new_string (valid));
  g_variant_builder_add (metas, "{sv}", "description", g_variant_new_string (words));
  if (thumbnail)
    {
      g_autoptr (GFile) file = g_file_new_for_path (thumbnail);
      g_autoptr (GIcon) icon = g_file_icon_new (file);
      g_autoptr (GVariant) serialized = g_icon_serialize (icon);
      g_autofree char *text = g_icon_to_string (icon);

      g_variant_builder_add (metas, "{sv}", "icon", serialized);
      g_variant_builder_add (metas, "{sv}", "gicon", g_variant_new_string (text));
    }
  g_variant_builder_close (metas);
}

static GVariant *
describe (Question *question)
{
  g_autoptr (GArray) ids = g_array_new (FALSE, FALSE, sizeof (gint64));
  g_autoptr (GPtrArray) items = NULL;
  GVariantBuilder metas;

  for (guint i = 0; question->ids[i]; i++)
    {
      gint64 id = g_ascii_strtoll (question->ids[i], NULL, 10);
      g_array_append_val (ids, id);
    }
  items = easel_gallery_get_many (question->gallery, (const gint64 *) (gpointer) ids->data, ids->len, NULL);
  g_variant_builder_init (&metas, G_VARIANT_TYPE ("aa{sv}"));
  for (guint i = 0; items && i < items->len; i++)
    describe_item (&metas, items->pdata[i]);
  return g_variant_new ("(aa{sv})", &metas);
}

static void
answer_thread (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  Question *question = data;
  g_dbus_method_invocation_return_value (question->invocation, question->words ? find (question) : describe (question));
  g_task_return_boolean (task, TRUE);
}

static void
answered_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_application_release (EASEL_SEARCH_PROVIDER (source)->application);
}

static void
ask (EaselSearchProvider *self, GDBusMethodInvocation *invocation, const char *const *terms, GStrv ids)
{
  EaselGallery *gallery = self->source (self->application);
  g_autoptr (GTask) task = NULL;
  Question *question;

  if (!gallery)
    {
      g_dbus_method_invocation_return_value (
          invocation, terms ? g_variant_new ("(as)", NULL)
                            : g_variant_new ("(@aa{sv})", g_variant_new_array (G_VARIANT_TYPE ("a{sv}"), NULL, 0)));
      g_strfreev (ids);
      return;
    }
  question = g_new0 (Question, 1);
  question->gallery = g_object_ref (gallery);
  g_application_hold (self->application);
  question->invocation = invocation;
  question->words = terms ? g_strjoinv (" ", (char **) terms) : NULL;
  question->ids = ids;
  task = g_task_new (self, NULL, answered_cb, NULL);
  g_task_set_task_data (task, question, question_free);
  g_task_run_in_thread (task, answer_thread);
}

/* ---- the bus ---- */

static void
call_cb (GDBusConnection *bus, const char *sender, const char *path, const char *interface_name, const char *method,
         GVariant *parameters, GDBusMethodInvocation *invocation, gpointer user_data)
{
  EaselSearchProvider *self = user_data;
  g_autofree const char **terms = NULL;
  const char *id;

  if (g_str_equal (method, "GetInitialResultSet"))
    {
      g_variant_get (parameters, "(^a&s)", &terms);
      ask (self, invocation, terms, NULL);
    }
  else if (g_str_equal (method, "GetSubsequentResultSet"))
    {
      g_variant_get (parameters, "(@as^a&s)", NULL, &terms);
      ask (self, invocation, terms, NULL);
    }
  else if (g_str_equal (method, "GetResultMetas"))
    {
      GStrv ids;
      g_variant_get (parameters, "(^as)", &ids);
      ask (self, invocation, NULL, ids);
    }
  else if (g_str_equal (method, "ActivateResult"))
    {
      g_variant_get (parameters, "(&s^a&su)", &id, &terms, NULL);
      g_action_group_activate_action (G_ACTION_GROUP (self->application), "show-item",
                                      g_variant_new_int64 (g_ascii_strtoll (id, NULL, 10)));
      g_dbus_method_invocation_return_value (invocation, NULL);
    }
  else if (g_str_equal (method, "LaunchSearch"))
    {
      g_autofree char *words = NULL;

      g_variant_get (parameters, "(^a&su)", &terms, NULL);
      words = g_strjoinv (" ", (char **) terms);
      g_action_group_activate_action (G_ACTION_GROUP (self->application), "search", g_variant_new_string (words));
      g_dbus_method_invocation_return_value (invocation, NULL);
    }
}

gboolean
easel_search_provider_register (EaselSearchProvider *self, GDBusConnection *bus, GError **error)
{
  static const GDBusInterfaceVTable methods = { .method_call = call_cb };

  self->registration = g_dbus_connection_register_object (bus, "/io/github/easelstudio/Easel/SearchProvider",
                                                          self->node->interfaces[0], &methods, self, NULL, error);
  return self->registration != 0;
}

void
easel_search_provider_unregister (EaselSearchProvider *self, GDBusConnection *bus)
{
  if (self->registration)
    g_dbus_connection_unregister_object (bus, self->registration);
  self->registration = 0;
}

static void
easel_search_provider_finalize (GObject *object)
{
  g_clear_pointer (&EASEL_SEARCH_PROVIDER (object)->node, g_dbus_node_info_unref);
  G_OBJECT_CLASS (easel_search_provider_parent_class)->finalize (object);
}

static void
easel_search_provider_class_init (EaselSearchProviderClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = easel_search_provider_finalize;
}

static void
easel_search_provider_init (EaselSearchProvider *self)
{
  self->node = g_dbus_node_info_new_for_xml (interface, NULL);
}

EaselSearchProvider *
easel_search_provider_new (GApplication *application, EaselSearchSource source)
{
  EaselSearchProvider *self = g_object_new (EASEL_TYPE_SEARCH_PROVIDER, NULL);

  self->application = application;
  self->source = source;
  return self;
}
