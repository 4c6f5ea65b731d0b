#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The window in German: every page, the preferences, and a picture, with the words of the translation."""
from driver import *

# Since glibc 2.39 the locale C.UTF-8 has no translations, and a machine need not have a German one: make it.
env = {"LANGUAGE": "de", "LC_ALL": "C.UTF-8"}
if subprocess.run(["localedef", "-i", "de_DE", "-f", "UTF-8", home("de_DE.UTF-8")], capture_output=True).returncode == 0:
    env.update(LOCPATH=home(), LC_ALL="de_DE.UTF-8")
app = App(env=env)
app.find("push button", "Erzeugen")
app.wait(lambda: app.find("push button", "Erzeugen").has(SENSITIVE), 60, "the button to be ready")
app.find("label", "Was dieser Rechner kann")
app.press("push button", "a red balloon in the sky")
app.find("push button", "In der Galerie zeigen", 300)
app.shot("create")
for number, title in ((2, "Galerie"), (3, "Modelle"), (1, "Erstellen")):
    app.key(f"alt+{number}")
    app.wait(lambda: any(n.has(SELECTED) for n in app.all("page tab", title)), 60, title)
    app.shot(title.lower())
app.key("ctrl+comma")
app.find("label", "Neue Bilder und Clips")
app.use_window()
app.shot("preferences")
app.key("Escape")
english = [n.name for n in app.nodes() if n.name in ("Generate", "Gallery", "Models", "Prompt", "Size", "Advanced", "Settings",
                                                     "Show in Gallery", "Nothing Found", "Download…")]
check([name for name in english if name != "Prompt"] == [], f"no English left: {english}")
check(app.quit() == 0, "quits cleanly")
