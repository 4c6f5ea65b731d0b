#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The queue as a person meets it: five waiting, in another order, one changed, paused; stopped and kept; quit and gone on
with; killed and nothing lost; the session told that something is being made and that it is ready."""
import json

from driver import *

# Computed at its full size, so that no machine is done with it before the test has done its part.
LONG = {"version": 1, "model": "starter-sana", "width": 2048, "height": 2048, "resolution_binning": False, "steps": 100,
        "prompt": "a red circle"}
SHORT = {**LONG, "width": 128, "height": 128, "steps": 3}


def begin(request):
    settings_set(last_request=json.dumps(request))
    app = App()
    app.wait(lambda: app.find("push button", "Generate").has(SENSITIVE), 60, "Generate to be ready")
    return app


def rows(app):
    """Prompts in the queue, from the top."""
    lists = app.all("list", "Queue")
    return [n.name for n in app.nodes(lists[0]) if n.role == "list item" and n.name] if lists else []


def row(app, prompt):
    return next(n for n in app.nodes(app.find("list", "Queue")) if n.role == "list item" and n.name == prompt)


def pause(app):
    app.press("push button", "Pause the Queue")


app = begin(LONG)
app.write("text", "Prompt", "kept")
app.key("ctrl+Return")
app.find("label", lambda name: " step " in name, 120)
check(app.wait(lambda: desktop.awake, 60), "the session is asked not to sleep")
app.press("push button", "Finish Now")
app.wait(lambda: len(pictures()) == 1, 180, "the kept picture")
kept = json.loads(sh(os.path.join(BUILD, "app", "easel-cli"), "inspect", "--json", pictures()[0]))["request"]
check(0 < kept["stop_after"] < kept["steps"] == 100, f"stopped after step {kept['stop_after']} of 100, and kept")
check(app.wait(lambda: not desktop.awake, 60), "it may sleep again")

for prompt in ("one", "two"):
    app.write("text", "Prompt", prompt)
    app.key("ctrl+Return")
app.wait(lambda: rows(app) == ["one", "two"], 60, "two in the queue")
pause(app)
app.find("label", "2 in the queue, paused")
app.press("push button", "Stop")
check(app.find("label", lambda name: name.startswith("Stopping"), 60), "stopping is said at once")
app.wait(lambda: rows(app) == ["two"], 120, "the stopped one to go")
check(len(pictures()) == 1, "nothing of it is kept")
for prompt in ("three", "four", "five", "six"):
    app.write("text", "Prompt", prompt)
    app.key("ctrl+Return")
    app.wait(lambda: prompt in rows(app), 60, f"{prompt} in the queue")
check(rows(app) == ["two", "three", "four", "five", "six"], f"five in order: {rows(app)}")
app.shot("five")

app.press("push button", "Move Up", within=row(app, "five"))
app.wait(lambda: rows(app) == ["two", "three", "five", "four", "six"], 60, "five to go up")
check(True, "moved with a button")
time.sleep(1)  # the focus follows the row, and GTK 4.8 does not say when
app.key("alt+Up")
app.wait(lambda: rows(app) == ["two", "five", "three", "four", "six"], 60, "five to go up again")
check(True, "moved with the keyboard")
ORDER = ["two", "four", "five", "three", "six"]


def drag(name, onto):
    app.drag(app.find("label", name, within=row(app, name)), app.find("label", onto, within=row(app, onto)))
    return app.wait(lambda: rows(app) == ORDER, 5, must=False)


app.wait(lambda: drag("four", "five"), 90, "four to be dragged up")
check(True, "moved by dragging")

app.press("push button", "Change", within=row(app, "five"))
app.find("push button", "Put Back into the Queue")
check("five" in rows(app), "what is being changed stays in the queue")
app.write("text", "Prompt", "five and a half")
app.press("push button", "Put Back into the Queue")
ORDER[2] = "five and a half"
app.wait(lambda: rows(app) == ORDER, 60, "the changed one in its place")
check(True, "changed in its place")
check(app.quit() == 0, "quits with a queue")

app = begin(LONG)
app.find("label", "5 in the queue, paused")
check(rows(app) == ORDER, "the same five after the start")
pause(app)
app.find("label", lambda name: " step " in name, 120)
app.kill()
check(True, "killed in the middle of a picture")

app = begin(SHORT)
app.wait(lambda: rows(app) == ORDER, 60, "the same five after the crash")
app.find("label", lambda name: " step " in name, 120)
check(True, "it goes on by itself")
app.press("push button", "Remove from the Queue", within=row(app, "six"))
app.wait(lambda: rows(app) == ORDER[:4], 60, "one to be removed")
app.press("push button", "Empty the Queue")
app.find("label", "Empty the Queue?")
app.use_window()
app.key("alt+e")
app.use_window(app.first_window())
app.wait(lambda: len(rows(app)) <= 1, 60, "an empty queue")
app.press("push button", "Stop")
app.find("label", "Say What You Want to See") if not pictures() else None
app.wait(lambda: not any(app.showing(n) for n in app.all("progress bar", "Progress")), 120, "nothing to be made")

# Not in front: a notification with the picture.
app.write("text", "Prompt", "for the notification")
n = len(pictures())
desktop.notifications.clear()
other = subprocess.Popen(["xev", "-geometry", "60x60+1200+700"], stdout=subprocess.DEVNULL)
sh("xdotool", "search", "--sync", "--onlyvisible", "--name", "Event Tester", "windowfocus")
app.press("push button", "Generate")
app.wait(lambda: len(pictures()) > n, 120, "the picture")
app.wait(lambda: desktop.notifications, 60, "a notification")
title, body, hints = desktop.notifications[-1]
check(title == "Your picture is ready" and body == "for the notification", f"it says so: {title}, {body}")
other.terminate()
check("image-path" in hints or "image-data" in hints, f"with the picture: {list(hints)}")
check(app.quit() == 0, "quits cleanly")
