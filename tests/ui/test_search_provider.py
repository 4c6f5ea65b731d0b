#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""GNOME Shell's search: the bus starts the program as a service, without a window; words of prompts find pictures, with
a name and a thumbnail; opening a result opens the window on it."""
import os
import subprocess
import time

from driver import BUILD, SOURCE, Gio, GLib, check, home

NAME = "io.github.easelstudio.Easel"
PATH = "/io/github/easelstudio/Easel/SearchProvider"
ini = open(os.path.join(SOURCE, "data", NAME + ".search-provider.ini"), encoding="utf-8").read()
check(f"BusName={NAME}\n" in ini and f"ObjectPath={PATH}\n" in ini, "the installed file names the bus name and object")
services = home(".local", "share", "dbus-1", "services")
os.makedirs(services)
with open(os.path.join(services, NAME + ".service"), "w", encoding="utf-8") as file:
    file.write(f"[D-BUS Service]\nName={NAME}\nExec={BUILD}/app/easel --gapplication-service\n")
cli = os.path.join(BUILD, "app", "easel-cli")
for seed, prompt in enumerate(("a red balloon in the sky", "a blue square")):
    subprocess.run([cli, "generate", "--output", home("Pictures", "Easel") + "/", "--size", "256x256", "--steps", "4",
                    "--seed", str(seed), "--quiet", prompt], check=True, stdout=subprocess.DEVNULL)
subprocess.run([cli, "gallery", "list"], check=True)

bus = Gio.bus_get_sync(Gio.BusType.SESSION)
bus.call_sync("org.freedesktop.DBus", "/", "org.freedesktop.DBus", "ReloadConfig", None, None, 0, -1, None)


def ask(method, signature, *arguments):
    return bus.call_sync(NAME, PATH, "org.gnome.Shell.SearchProvider2", method, GLib.Variant(signature, arguments), None,
                         0, 120000, None).unpack()


def windows():
    pid = bus.call_sync("org.freedesktop.DBus", "/", "org.freedesktop.DBus", "GetConnectionUnixProcessID",
                        GLib.Variant("(s)", (NAME,)), None, 0, -1, None).unpack()[0]
    return subprocess.run(["xdotool", "search", "--onlyvisible", "--pid", str(pid)], capture_output=True, text=True,
                          check=False).stdout.split()


found = ask("GetInitialResultSet", "(as)", ["ball"])[0]
check(len(found) == 1, f"one is found by a part of a word: {found}")
check(ask("GetInitialResultSet", "(as)", ["\"*", "("])[0] is not None, "signs are no query language")
check(ask("GetSubsequentResultSet", "(asas)", found, ["ball", "sky"])[0] == found, "more words narrow it down")
check(ask("GetSubsequentResultSet", "(asas)", found, ["ball", "square"])[0] == [], "and can leave nothing")
meta = ask("GetResultMetas", "(as)", found)[0][0]
check(meta["name"] == "a red balloon in the sky" and meta["id"] == found[0], f"its name is the prompt: {meta['name']}")
check(os.path.exists(meta["gicon"]), f"its icon is a thumbnail: {meta['gicon']}")
check(not windows(), "no window was opened for it")
ask("ActivateResult", "(sasu)", found[0], ["ball"], 0)
end = time.monotonic() + 120
while not windows() and time.monotonic() < end:
    time.sleep(0.1)
check(len(windows()) == 1, "opening a result opens the window")
bus.call_sync(NAME, "/io/github/easelstudio/Easel", "org.gtk.Actions", "Activate",
              GLib.Variant("(sava{sv})", ("quit", [], {})), None, 0, 60000, None)
