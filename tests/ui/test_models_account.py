#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A gated model in the window: no token, a wrong one, one without the right, terms not accepted, and in the end the model;
with a real keyring on the test's bus, and the token in no file."""
import os
import random
import shutil
import subprocess
import sys
import time

from driver import SOURCE, App, check, home, offer, sh

sys.path.insert(0, os.path.join(SOURCE, "tests", "hub"))
from hubserver import Hub, Repo, sana  # noqa: E402

if not shutil.which("gnome-keyring-daemon"):
    print("SKIP: gnome-keyring is not installed")
    sys.exit(77)
keyring = subprocess.Popen(["gnome-keyring-daemon", "--foreground", "--unlock", "--components=secrets"],
                           stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
keyring.stdin.write(b"the password of a test")
keyring.stdin.close()
subprocess.run(["gdbus", "wait", "--session", "--timeout", "60", "org.freedesktop.secrets"], check=True)

GOOD = "hf_TheRightOneTheRightOne"
hub = Hub(2)
hub.add(Repo("org/gated", sana(random.Random(2)), gated="auto", tags=["license:other"]))
hub.tokens = {"hf_no-right-at-all": (), "hf_terms-not-read": (), GOOD: ("org/gated",)}
app = App(env={"HF_ENDPOINT": hub.endpoint, "HF_HOME": home("hf"), "HF_TOKEN": "", "HF_HUB_OFFLINE": ""})


def says(*words):
    return app.find("label", lambda name: all(word in name for word in words))


def give_token(token):
    """Through the settings that the dialog offers, then once more."""
    app.press("push button", "Download Settings…", within=app.find("frame", "Download a Model"))
    app.wait(lambda: len(app.windows()) == 3, 60, "the settings")
    app.use_window()

    def try_it():  # GTK 4.8 tells neither focus nor text of an entry row
        x, y, width, height = app.find("text", "Access Token of Hugging Face").box()
        frame = app.find("frame", "Download Settings").box()
        shell = dict(line.split("=") for line in sh("xdotool", "getwindowgeometry", "--shell", app.window).split())
        sh("xdotool", "mousemove", str(int(shell["X"]) + (int(shell["WIDTH"]) - frame[2]) // 2 + x + width // 3),
           str(int(shell["Y"]) + (int(shell["HEIGHT"]) - frame[3]) // 2 + y + height // 2), "click", "1")
        time.sleep(0.3)
        app.key("ctrl+a", "Delete")
        app.type(token)
        app.key("Return")
        return app.wait(lambda: app.all("label", lambda name: name.startswith("Done. The keyring has it")), 10, must=False)

    app.wait(try_it, 90, "the keyring to take the token")
    app.shot("stored")
    app.key("Escape")
    app.wait(lambda: len(app.windows()) == 2, 60, "the settings to close")
    app.use_window()
    app.press("push button", "Try Again")


def find_gated():
    app.click(app.find("text", "Words or a name"))
    time.sleep(0.3)
    app.key("ctrl+a", "Delete")
    app.type("gated")
    app.key("Return")
    return app.wait(lambda: app.all("push button", offer("org/gated")), 10, must=False)


app.key("alt+3")
app.find("label", "Available")
app.wait(find_gated, 90, "the search")
app.press("push button", offer("org/gated"))
app.wait(lambda: len(app.windows()) == 2, 60, "the dialog")
app.use_window()
says("only for people who are signed in")
give_token("hf_not-known-there")
says("does not accept your access token")
give_token("hf_no-right-at-all")
says("Your access token may not read org/gated")
give_token("hf_terms-not-read")
says("terms of org/gated are not accepted yet")
app.shot("terms")
check(not any(r.storage for r in hub.log), "four sentences, and not a byte before access was clear")
give_token(GOOD)
says("to Fetch")
app.press("push button", "Download")
app.wait(lambda: len(app.windows()) == 1, 60, "the dialog to close")
app.use_window()
says("Done ·")
check(app.quit() == 0, "quits cleanly")
check(all(GOOD not in str(r.headers) + r.path for r in hub.log if r.storage), "the storage host never saw the token")
found = []
for folder, _, names in os.walk(home()):
    for name in names:
        path = os.path.join(folder, name)
        if os.path.isfile(path):
            with open(path, "rb") as file:
                if GOOD.encode() in file.read():
                    found.append(path)
check(not found, f"the token is in no file and no log: {found}")
check(os.path.isdir(home(".local", "share", "keyrings")), "it was the real keyring")
keyring.terminate()
keyring.wait()
hub.close()
