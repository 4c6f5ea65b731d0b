#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""First run to first picture: write a prompt, generate, watch it, find it in the gallery, search, trash, undo."""
from driver import App, check, pictures

app = App()
app.find("push button", "Generate")
app.shot("first-run")
app.write("text", "Prompt", "a red circle")
app.press("push button", "Generate")
app.find("progress bar", "Progress")
app.find("push button", "Show in Gallery", 300)
app.shot("create")
check(len(pictures()) == 1, f"one picture in the folder: {pictures()}")
app.press("push button", "Show in Gallery")
app.find("push button", "Edit in Create")
app.shot("gallery-detail")
app.press("push button", "Back to All Pictures")
app.write("entry", "Search the Gallery", "circ")
app.find("table cell", lambda name: "circle" in name)
app.shot("gallery")
app.write("entry", "Search the Gallery", "nothing")
app.find("label", "Nothing Found")
check(app.quit() == 0, "quits cleanly")
