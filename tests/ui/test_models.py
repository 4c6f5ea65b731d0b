#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The models page against a Hub of ours: search, the dialog before a download, pausing, a network that goes and comes,
cancelling, removing, and what is said when something is refused."""
import os
import random
import sys
import time

from driver import SENSITIVE, SOURCE, App, check, desktop, home, offer

sys.path.insert(0, os.path.join(SOURCE, "tests", "hub"))
from hubserver import File, Hub, Repo, sana  # noqa: E402

hub = Hub(1)
rng = random.Random(1)
small = sana(rng, scale=20)  # 15 MB of which 9 are needed
small["LICENSE.txt"] = b"You may look at these numbers.\n"
hub.add(Repo("org/sana", small, tags=["license:other"]))
hub.add(Repo("org/second", sana(rng, scale=20), tags=["license:mit"]))
hub.add(Repo("org/gated", sana(rng), gated="auto", tags=["license:other"]))


class Huge(File):
    """A listing's word for it is enough: nobody gets as far as its bytes."""

    def __init__(self):
        super().__init__(b"x" * 20000)
        self.size = 1 << 40


hub.add(Repo("org/huge", {**sana(rng), "vae/diffusion_pytorch_model.safetensors": Huge()}))
hub.rate = 300_000  # bytes a second, each connection


ENV = {"HF_ENDPOINT": hub.endpoint, "HF_HOME": home("hf"), "HF_TOKEN": "", "HF_HUB_OFFLINE": ""}
app = App(env=ENV)


def label(start):
    return lambda name: name.startswith(start)


def downloads():
    return app.find("list", "Downloads")


def download_row(title):
    return app.find("list item", title, within=downloads())


def search(words, finds):
    """GTK 4.8 tells neither the focus nor the text of an entry row, and rows move while lists fill: until it is found."""
    def try_it():
        app.click(app.find("text", "Words or a name"))
        time.sleep(0.3)
        app.key("ctrl+a", "Delete")
        app.type(words)
        app.key("Return")
        return app.wait(lambda: app.all("push button", offer(finds)), 10, must=False)

    app.wait(try_it, 90, f"the search for {words}")


def download(title):
    """Presses the row's button; the dialog has the keys then."""
    app.press("push button", offer(title))
    app.wait(lambda: len(app.windows()) == 2, 60, "the dialog")
    app.use_window()


def closed():
    app.wait(lambda: len(app.windows()) == 1, 60, "the dialog to close")
    app.use_window()


app.key("alt+3")
app.find("label", "Available")
app.shot("list")

search("a", "org/sana")
app.find("push button", offer("org/gated"))
app.shot("search")

# What a download would mean is said before the first byte.
download("org/sana")
app.find("label", lambda name: name.endswith("MB to Fetch"))
app.find("label", lambda name: "MB free on this drive" in name or "GB free on this drive" in name)
check("numbers" in app.text_of(app.find("text", "Text of the licence")), "the licence is there to be read")
check(not any(r.storage for r in hub.log), "not a byte of a model was fetched")
app.shot("dialog")
app.press("push button", "Download")
closed()

# Downloading, pausing, going on.
app.find("label", label("Downloading"))
app.find("label", lambda name: name.startswith("Downloading") and "/s" in name and "left" in name)
app.shot("downloading")
check(list(desktop.awake.values()) == ["A model is being downloaded"], "the machine is kept awake while something is fetched")
app.press("push button", "Pause", within=download_row("org/sana"))
app.find("label", label("Paused ·"))
before = sum(r.sent for r in hub.log)
app.shot("paused")
app.wait(lambda: not desktop.awake, 10, "the machine to be free to sleep when paused")
app.press("push button", "Resume", within=download_row("org/sana"))
app.find("label", label("Downloading"))

# The network goes and comes back.
hub.close(cut=True)
app.find("label", label("Paused: no network"))
app.shot("no-network")
hub.rate = 0
hub.open()
app.find("label", label("Done"), 120)
app.shot("done")

# Another one, cancelled: it asks, deletes and leaves the list.
hub.rate = 200_000
search("second", "org/second")
folder = home("hf", "hub", "models--org--second")


def begin_second():
    download("org/second")
    app.find("label", lambda name: name.endswith("MB to Fetch"))
    app.press("push button", "Download")
    closed()
    app.find("label", label("Downloading"))
    app.wait(lambda: any(n.endswith(".easel.incomplete") for n in os.listdir(os.path.join(folder, "blobs"))), 60, "a part")


begin_second()
app.press("push button", "Move Up", within=download_row("org/second"))
app.wait(lambda: [n.name for n in app.all("list item", within=downloads())] == ["org/second", "org/sana"], 30, "the order")
app.press("push button", "Cancel", within=download_row("org/second"))
app.wait(lambda: len(app.windows()) == 2, 60, "the question")
app.shot("cancel")
app.press("push button", lambda name: name.endswith("Delete"))
app.wait(lambda: [n.name for n in app.all("list item", within=downloads())] == ["org/sana"], 60, "it to leave the list")
check(not os.path.exists(folder), "what was fetched is deleted")
closed()

# Quitting and crashing change nothing about the queue.
begin_second()
app.kill()
app = App(env=ENV)
app.key("alt+3")
app.find("label", label("Downloading"))
app.press("push button", "Pause", within=download_row("org/second"))
app.find("label", label("Paused ·"))
check(app.quit() == 0, "quits cleanly")
app = App(env=ENV)
app.key("alt+3")
app.find("label", lambda name: name.startswith("Paused ·") and "B of " in name)
hub.rate = 0
app.press("push button", "Resume", within=download_row("org/second"))
app.find("label", label("Done"))
app.press("push button", "Remove from the List", within=download_row("org/second"))

# Why something cannot be had.
search("org", "org/gated")
download("org/gated")
app.find("label", lambda name: "only for people who are signed in" in name)
app.find("push button", "Download Settings…")
app.shot("gated")
app.key("Escape")
closed()
download("org/huge")
app.find("label", lambda name: "Not enough space" in name)
check(not app.find("push button", "Download").has(SENSITIVE), "there is no button to press without space")
app.shot("no-space")
app.key("Escape")
closed()

# Verified, repaired, and removed from the drive.
def menu(title, entry):
    installed = app.find("list item", title, within=app.find("list", "Installed"))
    app.press(app.all("push button", "What Can Be Done with This Model", within=installed)[-1], None)
    app.press("menu item", entry)


snapshots = home("hf", "hub", "models--org--sana", "snapshots")
vae = os.path.realpath(os.path.join(snapshots, os.listdir(snapshots)[0], "vae/diffusion_pytorch_model.safetensors"))
menu("org/sana", "Verify Every Byte")
app.find("label", label("Nothing is wrong"))
with open(vae, "r+b") as file:
    file.seek(5000)
    file.write(b"mosaic")
menu("org/sana", "Verify Every Byte")
app.wait(lambda: len(app.windows()) == 2, 60, "what is wrong")
app.find("label", lambda name: "vae/diffusion_pytorch_model.safetensors" in name)
app.shot("repair")
began = len(hub.log)
app.press("push button", lambda name: name.endswith("Repair"))
app.find("label", label("Done"))
closed()
check({r.file[1] for r in hub.log[began:] if r.storage and r.file} == {"vae/diffusion_pytorch_model.safetensors"},
      "exactly the damaged file was fetched again")
with open(vae, "rb") as file:
    check(file.read() == small["vae/diffusion_pytorch_model.safetensors"], "and it is right")
menu("org/sana", "Remove…")
app.wait(lambda: len(app.windows()) == 2, 60, "the question")
app.find("label", lambda name: name.startswith("This frees 1"))
app.press("push button", lambda name: name.endswith("Remove"))
app.find("label", label("Removed:"))
app.gone("list item", "org/sana", within=app.find("list", "Installed"))
check(not os.path.exists(snapshots), "it is gone from the drive")
closed()

app.press("push button", "Download Settings…")
app.wait(lambda: len(app.windows()) == 2, 60, "the settings")
app.find("label", "Access Token of Hugging Face")
app.shot("settings")
app.use_window()
app.key("Escape")
closed()
check(app.quit() == 0, "quits cleanly")
hub.close()
