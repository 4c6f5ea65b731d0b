#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clips in the window: one that begins with another of a different shape, cropped or fitted as the row says; made
faster; watched where it was made and in the gallery, which says how it was made; a picture at exactly its size."""
import json

from driver import *

CLI = os.path.join(BUILD, "app", "easel-cli")
begin = home("wide.gif")
sh(CLI, "generate", "--model", "starter-cogvideox", "--prompt", "a red ball moves to the right", "--size", "128x64",
   "--no-binning", "--frames", "9", "--steps", "2", "--seed", "1", "--quiet", "--output", begin, timeout=300)


def start(**request):
    settings_set(last_request=json.dumps({"version": 1, "seed": 7, **request}))
    app = App()
    app.wait(lambda: app.find("push button", "Generate").has(SENSITIVE), 60, "Generate to be ready")
    return app


def inspected(path):
    return json.loads(sh(CLI, "inspect", "--json", path))["request"]


def generate(app):
    n = len(pictures())
    app.wait(lambda: app.again(app.find("push button", "Generate")).has(SENSITIVE), 60, "Generate to be ready")
    app.press("push button", "Generate")
    app.wait(lambda: len(pictures()) > n, 300, "the file")
    return inspected(pictures()[-1])


def switch(app, name):
    """The row of a switch, on or off, by the pointer: Advanced is open."""
    app.click(app.find("label", name))


# Another shape: the line under Generate says what becomes of it, as the row says.
app = start(model="starter-cogvideox", prompt="a blue ball moves to the right", width=128, height=128, frames=9, steps=12,
            input=begin)
app.find("label", "wide.gif")
app.find("label", lambda name: "cut off at its sides" in name)
check(True, "cropped, and it says so")
app.find("slider", "Strength")
app.shot("crop")
app.click(app.find("label", "If Its Shape Differs"))
time.sleep(0.5)  # a popover is a window of its own here, and says nothing of its focus
app.key("Down", "Return")
app.find("label", lambda name: "stands between bars above and below" in name)
check(True, "fitted, and it says so")

# Faster: a switch among what is advanced.
app.click(app.find("label", "Advanced"))
switch(app, "Faster")
app.shot("fit")
made = generate(app)
check(made["fit_input"] and made["input"] == "wide.gif", "it began with the clip, between bars")
check(made["reuse"] == 0.3 and made["reused"] > 0, f"{made['reused']} of {made['steps']} steps were made faster")
app.find("slider", "Frame", 60)
check(True, "the clip is there to be watched")
app.shot("made")

# Without the other clip, from words alone.
app.press("push button", "Begin With None")
app.find("label", "None: made from words alone")
made = generate(app)
check("input" not in made and made["reuse"] == 0.3, "from words alone, still faster")
switch(app, "Faster")
check("reuse" not in generate(app), "and exact again")

# In the gallery: it plays, and says how it was made.
app.key("alt+2")
app.wait(lambda: len(app.all("table cell", None, app.find("table", "Pictures"))) == 3, 60, "three clips in the gallery")
app.shot("gallery")
cells = app.all("table cell", None, app.find("table", "Pictures"))
app.click(cells[-1])
app.find("slider", "Frame")
app.find("label", lambda name: name.endswith(" of 12 steps used the work of others"))
app.find("label", "wide.gif")
check(True, "its details say that it was made faster, and from what")
app.shot("details")
check(app.quit() == 0, "quits cleanly")

# A picture at exactly its size, and the setting again after a start.
app = start(model="starter-sana", prompt="a red circle", width=160, height=96, steps=2)
app.click(app.find("label", "Advanced"))
switch(app, "Compute at Exactly This Size")
app.find("label", lambda name: name.startswith("Computed at exactly this size"))
check(generate(app)["resolution_binning"] is False, "computed at exactly its size")
check(app.quit() == 0, "quits cleanly")
app = App()
app.wait(lambda: app.find("push button", "Generate").has(SENSITIVE), 60, "Generate to be ready")
check(generate(app)["resolution_binning"] is False, "and at the next start")
check(app.quit() == 0, "quits cleanly")
