/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The desktop program: finds its folders, then hands over to ui/.
 */
#include "config-ui.h"

#include <glib/gi18n.h>
#include <locale.h>
#include <unistd.h>

#include "app/hub-environment.h"
#include "app/object-watch.h"
#include "app/places.h"
#include "app/stall-meter.h"
#include "ui/application.h"

/* EASEL_MEASURE names a file: how long the window took (from EASEL_MEASURE_FROM, monotonic microseconds) and how long
 * its main loop stalls are written there. For ./dev bench --desktop. */
static gboolean
drawn_cb (gpointer user_data)
{
  const char *from = g_getenv ("EASEL_MEASURE_FROM");

  if (from)
    stall_meter_say (g_getenv ("EASEL_MEASURE"), "usable_ms",
                     (double) (g_get_monotonic_time () - g_ascii_strtoll (from, NULL, 10)) / 1000);
  return G_SOURCE_REMOVE;
}

/* When the loop has nothing left to do everything is drawn too. */
static void
usable_cb (EaselApplication *application, gpointer user_data)
{
  g_signal_handlers_disconnect_by_func (application, usable_cb, user_data);
  g_idle_add_full (G_PRIORITY_LOW, drawn_cb, NULL, NULL);
}

static void
right_to_left_cb (GApplication *application, gpointer user_data)
{
  gtk_widget_set_default_direction (GTK_TEXT_DIR_RTL);
}

int
main (int argc, char **argv)
{
  g_autoptr (EaselApplication) application = NULL;
  g_auto (GStrv) roots = NULL;
  g_autofree char *pictures = NULL, *data = NULL, *catalogue = NULL, *own_catalogue = NULL, *login = NULL;
  g_autofree char *locale = NULL, *converted = NULL;
  g_autoptr (EaselHubSettings) hub = NULL;
  EaselApplicationSettings settings = { 0 };
  gboolean restart;
  int status;

  easel_places_prepare ();
  setlocale (LC_ALL, "");
  locale = easel_places_locale_dir ();
  bindtextdomain (GETTEXT_PACKAGE, locale);
  bind_textdomain_codeset (GETTEXT_PACKAGE, "UTF-8");
  textdomain (GETTEXT_PACKAGE);
  g_set_application_name (_ ("Easel"));

  roots = easel_places_model_roots (NULL);
  pictures = easel_places_pictures ();
  data = easel_places_data ();
  settings.model_roots = (const char *const *) roots;
  settings.pictures_folder = pictures;
  settings.data_folder = data;
  settings.converted_folder = converted = easel_places_converted ();
  hub = hub_environment_settings ();
  catalogue = easel_places_catalogue ();
  own_catalogue = easel_places_own_catalogue ();
  login = hub_environment_login_path ();
  settings.hub = (EaselHubClientPlaces){ hub, catalogue, own_catalogue, login };
  application = easel_application_new (&settings);
  /* For translators and tests: how it looks to those who read from the right. */
  if (g_strcmp0 (g_getenv ("EASEL_DIRECTION"), "rtl") == 0)
    g_signal_connect_after (application, "startup", G_CALLBACK (right_to_left_cb), NULL);
  if (g_getenv ("EASEL_MEASURE"))
    {
      stall_meter_start (g_getenv ("EASEL_MEASURE"));
      g_signal_connect (application, "usable", G_CALLBACK (usable_cb), NULL);
    }
  /* For tests: which of our widgets outlive the window they were in. */
  if (g_getenv ("EASEL_OBJECTS"))
    object_watch_start (GTK_APPLICATION (application));
  status = g_application_run (G_APPLICATION (application), argc, argv);
  restart = easel_application_wants_restart (application);
  g_clear_object (&application);
  if (g_getenv ("EASEL_OBJECTS"))
    object_watch_say (g_getenv ("EASEL_OBJECTS"));
  if (restart)
    execv ("/proc/self/exe", (char *[]){ argv[0], NULL });
  return status;
}
