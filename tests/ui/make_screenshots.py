#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of the window for README and metainfo, from real generations: EASEL_SCREENSHOTS=FOLDER make_screenshots.py"""
import os

os.environ.setdefault("UI_SCREEN", "1180x780x24")

from driver import *


def start():
    app = App()
    app.wait(lambda: app.find("push button", "Generate").has(SENSITIVE), 60, "Generate to be ready")
    return app


settings_set(window_width=1170, window_height=770)
app = start()
for prompt in ("a red balloon in the sky", "a yellow star above a blue square", "a tree next to a house on a green hill"):
    n = len(pictures())
    app.write("text", "Prompt", prompt)
    app.key("ctrl+Return")
    app.wait(lambda: len(pictures()) > n, 180, prompt)
app.find("push button", "Show in Gallery")
app.shot("create")
app.quit()
settings_set(theme="dark")
app = start()
for _ in range(4):
    app.key("ctrl+Return")
app.find("label", lambda name: " step 1" in name, 180)
app.shot("dark")
app.kill()
