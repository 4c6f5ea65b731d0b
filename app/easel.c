/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The desktop program: finds its folders, then hands over to ui/.
 */
#include "config-ui.h"

#include <glib/gi18n.h>
#include <locale.h>

#include "app/hub-environment.h"
#include "app/places.h"
#include "ui/application.h"

int
main (int argc, char **argv)
{
  g_autoptr (EaselApplication) application = NULL;
  g_auto (GStrv) roots = NULL;
  g_autofree char *pictures = NULL, *data = NULL, *catalogue = NULL, *own_catalogue = NULL, *login = NULL;
  g_autoptr (EaselHubSettings) hub = NULL;
  EaselApplicationSettings settings = { 0 };

  easel_places_prepare ();
  setlocale (LC_ALL, "");
  bindtextdomain (GETTEXT_PACKAGE, EASEL_LOCALEDIR);
  bind_textdomain_codeset (GETTEXT_PACKAGE, "UTF-8");
  textdomain (GETTEXT_PACKAGE);
  g_set_application_name (_ ("Easel"));

  roots = easel_places_model_roots (NULL);
  pictures = easel_places_pictures ();
  data = easel_places_data ();
  settings.model_roots = (const char *const *) roots;
  settings.pictures_folder = pictures;
  settings.data_folder = data;
  hub = hub_environment_settings ();
  catalogue = easel_places_catalogue ();
  own_catalogue = easel_places_own_catalogue ();
  login = hub_environment_login_path ();
  settings.hub = (EaselHubClientPlaces){ hub, catalogue, own_catalogue, login };
  application = easel_application_new (&settings);
  return g_application_run (G_APPLICATION (application), argc, argv);
}
