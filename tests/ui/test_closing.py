#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Closing the window gives back every widget that was in it: after a start, and after all pages were used."""
import os

from driver import App, check, home

objects = os.path.join(home(), "objects")


def alive():
    with open(objects, encoding="utf-8") as file:
        first, *rest = file.read().splitlines()
    os.remove(objects)
    print(first, flush=True)
    check(int(first.split()[1]) + len(rest) > 10, f"the window had widgets of ours: {first}")
    return rest


app = App(env={"EASEL_OBJECTS": objects})
app.find("push button", "Generate")
check(app.quit(keys="ctrl+w") == 0, "closes cleanly")
check(alive() == [], "nothing outlives the window")

app = App(env={"EASEL_OBJECTS": objects})
app.write("text", "Prompt", "a red circle")
app.press("push button", "Generate")
app.press("push button", "Show in Gallery", 300)
app.press("push button", "Back to All Pictures")
app.find("table cell", lambda name: "circle" in name)
app.key("alt+3")
app.find("label", lambda name: "starter-sana" in name)
check(app.quit(keys="ctrl+w") == 0, "closes cleanly after use")
check(alive() == [], "nothing outlives a window that was used")
