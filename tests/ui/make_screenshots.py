#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of the window for README and metainfo, from real generations: EASEL_SCREENSHOTS=FOLDER make_screenshots.py
They go to data/screenshots/ without their black edge and with a palette: convert -bordercolor black -border 1 -trim
+repage -dither None -colors 160 IN PNG8:OUT."""
import json
import os

os.environ.setdefault("UI_SCREEN", "1180x780x24")

from driver import *


def start(**request):
    settings_set(last_request=json.dumps({"version": 1, **request}))
    app = App()
    app.wait(lambda: app.find("push button", "Generate").has(SENSITIVE), 60, "Generate to be ready")
    return app


def make(app, prompt):
    n = len(pictures())
    app.write("text", "Prompt", prompt)
    app.key("ctrl+Return")
    app.wait(lambda: len(pictures()) > n, 180, prompt)


settings_set(window_width=1170, window_height=770)
app = start(model="starter-sana")
for prompt in ("a red balloon in the sky", "a yellow star above a blue square"):
    make(app, prompt)
app.quit()
app = start(model="starter-sana", seed=3)
make(app, "a tree next to a house on a green hill")
app.find("push button", "Show in Gallery")
time.sleep(1)
app.shot("create")
app.quit()

app = start(model="starter-cogvideox", seed=0)
make(app, "a green heart growing")
app.find("slider", "Frame")
app.set_value(app.find("slider", "Frame"), 12)
time.sleep(1)
app.shot("clip")
app.quit()

settings_set(theme="dark")
# At its full size: slow enough to be seen.
app = start(model="starter-sana", seed=3, width=1024, height=1024, steps=40, resolution_binning=False)
for prompt in ("a tree next to a house on a green hill", "a red balloon in the sky", "a blue square to the left of a red circle",
               "a yellow star above a hill"):
    app.write("text", "Prompt", prompt)
    app.key("ctrl+Return")
app.find("label", lambda name: " step 1" in name or " step 2" in name, 180)
app.shot("dark")
app.kill()
