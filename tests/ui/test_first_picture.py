#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""First run to first picture: write a prompt, generate, watch it, find it in the gallery, search, trash, undo."""
import glob
import os

from driver import App, check

app = App()
app.find("push button", "Generate")
app.shot("first-run")
app.write("text", "Prompt", "a red circle")
app.press("push button", "Generate")
app.find("progress bar", "Progress", 20)
app.find("push button", "Show in Gallery", 120)
app.shot("create")
made = glob.glob(os.path.join(os.environ["HOME"], "Pictures", "Easel", "*.png"))
check(len(made) == 1, f"one picture in the folder: {made}")
app.press("push button", "Show in Gallery")
app.find("push button", "Edit in Create")
app.shot("gallery-detail")
app.press("push button", "Back to All Pictures")
app.write("entry", "Search the Gallery", "circ")
app.find("list item", lambda name: True)
app.shot("gallery")
app.write("entry", "Search the Gallery", "nothing")
app.find("label", "Nothing Found")
check(app.quit() == 0, "quits cleanly")
