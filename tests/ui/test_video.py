#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A clip in its widget: play, pause, seek, step, loop, by names and by keys, from a film file and from memory. The
window's label "Seen …" says which frame the pixels on screen are."""
import os

from driver import BUILD, App, Atspi, check

WINDOW = os.path.join(BUILD, "tests", "ui", "video-window")
PRESSED = Atspi.StateType.PRESSED
LAST = 32  # of 33 frames


def seen(app):
    return int(app.find("label", lambda name: name.startswith("Seen ")).name.split()[1].replace("nothing", "-1"))


def comes(app, frame):
    if not app.wait(lambda: seen(app) == frame, 60, must=False):
        check(False, f"frame {frame} is shown, and not {seen(app)}")
    app.find("label", lambda name: name.endswith(f"· {frame + 1}/{LAST + 1}"))


def drive(source):
    app = App([source], program=WINDOW, env={"GST_REGISTRY": os.path.join(os.environ["HOME"], "registry.bin")})
    comes(app, 0)
    check(app.find("push button", "Play"), f"{source}: with animations off it waits to be played")
    check(app.find("image", "a ball that rolls") is not None, f"{source}: the picture has the prompt for a name")
    for name in ("One Frame Back", "One Frame On"):
        check(app.find("push button", name) is not None, f"{source}: a button {name}")

    # the slider: any frame, in any order
    slider = app.find("slider", "Frame")
    for frame in (20, 3, LAST, 11):
        app.set_value(slider, frame)
        comes(app, frame)
    app.shot(source.strip("."))

    # step
    app.press("push button", "One Frame On")
    comes(app, 12)
    app.press("push button", "One Frame Back")
    comes(app, 11)
    app.press("push button", "One Frame Back")  # pressed twice within a quarter of a second is once, says GTK
    comes(app, 10)

    # by keys alone: the picture takes the focus
    app.tab_to(app.find("image", "a ball that rolls"))
    app.key("period", "period", "period")
    comes(app, 13)
    app.key("comma")
    comes(app, 12)
    app.key("space")
    app.find("push button", "Pause")
    app.wait(lambda: seen(app) > 20, 60, "a later frame")
    app.wait(lambda: 0 <= seen(app) < 12, 60, "the beginning again")
    app.key("space")
    app.find("push button", "Play")
    still = seen(app)
    app.wait(lambda: False, 0.5, must=False)
    check(seen(app) == still, f"{source}: paused at {still}")

    # without looping it stops at the end
    loop = app.find("", "Play Over and Over")  # the role's name differs between versions
    check(app.again(loop).has(PRESSED), f"{source}: it loops")
    app.key("l")
    app.wait(lambda: not app.again(loop).has(PRESSED), 20, "the loop button to be up")
    app.set_value(slider, LAST - 6)
    comes(app, LAST - 6)
    app.press("push button", "Play")
    comes(app, LAST)
    app.find("push button", "Play")
    check(app.quit() == 0, f"{source}: quits cleanly")
    check("all finalised" in app.output(), f"{source}: nothing is left: {app.output()[-200:]}")


for kind in ("frames", ".webm", ".webp"):
    drive(kind)

app = App(["/nowhere/clip.mp4"], program=WINDOW)
app.find("label", lambda name: "clip.mp4" in name and "cannot be played" in name)
app.shot("missing")
check(app.quit() == 0, "a clip that is gone: a sentence")
