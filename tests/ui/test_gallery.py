#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gallery as a person uses it: look, search, filter, select, stars, tags, compare, details and settings, trash and
undo, export, files that come and go by hand; with the keyboard alone; in a narrow window."""
import json
import os
import shutil
import subprocess
import time

from driver import App, BUILD, check, home, settings_set, FOCUSED

folder = home("Pictures", "Easel")
words = ["a red circle", "a red circle", "a blue square", "a yellow star above a hill", "a tree next to a house",
         "a red balloon in the sky"]
prompts = home("prompts.jsonl")
with open(prompts, "w", encoding="utf-8") as file:
    for seed, prompt in enumerate(words):
        file.write(json.dumps({"prompt": prompt, "seed": seed}) + "\n")
subprocess.run([os.path.join(BUILD, "app", "easel-cli"), "generate", "--prompts", prompts, "--output", folder + "/",
                "--size", "256x256", "--steps", "6", "--quiet"], check=True, stdout=subprocess.DEVNULL)
made = sorted(os.listdir(folder))
check(len(made) == 6, f"six pictures to begin with: {made}")
with open(os.path.join(folder, "broken.png"), "wb") as file:
    file.write(b"\x89PNG\r\n\x1a\n and no picture")
for i, name in enumerate(made):  # an order that does not depend on how fast they were made
    os.utime(os.path.join(folder, name), (1700000000 + i, 1700000000 + i))
settings_set(export_format="'jpg'", export_settings=False)

app = App()
app.key("alt+2")


def cells(name=None):
    return app.all("table cell", name, app.find("table", "Pictures"))


def count(n, what):
    app.wait(lambda: len(cells()) == n, 60, what)
    print("ok   " + what, flush=True)


def cell(name):
    return app.find("table cell", lambda n: name in n, within=app.find("table", "Pictures"))


def menu(name):
    """The button inside a menu button; the outer one has no action."""
    app.wait(lambda: app.all("push button", name), 30, name)
    app.press(app.all("push button", name)[-1], "")


def in_grid():
    """The focus is on a tile. (What is in a GtkStack has a size when it is hidden, and no way up to the window.)"""
    node = app.focused()
    return node and node.role == "table cell"


def stored(column, like):
    out = subprocess.run(["python3", "-c", "import sqlite3, sys\nd = sqlite3.connect(sys.argv[1])\n"
                          f"print([r[0] for r in d.execute('select {column} from item where prompt like ? "
                          "order by id', (sys.argv[2],))])", home(".local", "share", "easel", "gallery.sqlite"), like],
                         check=True, capture_output=True, text=True).stdout
    return eval(out)  # pylint: disable=eval-used


# Look.
count(6, "the files of the folder appear; the broken one does not")
app.find("push button", "1 file cannot be read")
app.shot("grid")

# Search as you type; what is typed is no query language.
app.write("entry", "Search the Gallery", "ball")
count(1, "part of a word finds")
app.write("entry", "Search the Gallery", "\"nothing* (")
app.find("label", "Nothing Found")
app.shot("nothing")
app.key("Escape")
count(6, "everything again")

# Keyboard alone: to the grid, select two, stars, compare.
app.key("ctrl+f")
first = cells()[0]
app.tab_to(first)
app.key("Right")
app.wait(lambda: app.again(cells()[1]).has(FOCUSED), 20, "the arrow keys to move")
check(not app.all("label", lambda n: "selected" in n and n[0].isdigit()), "moving selects nothing")
app.key("space", "Right", "space")
app.find("label", "2 selected")
app.key("4")
app.wait(lambda: len(cells(lambda n: "4 stars" in n)) == 2, 30, "both to have four stars, by name")
app.shot("selected")
app.press("push button", "Compare")
app.find("label", lambda n: "of the pixels differ" in n)
app.find("label", lambda n: n.startswith("Prompt: "))
app.shot("compare")
app.press("push button", "Divider")
scale = app.find("slider", "Divider")
app.set_value(scale, 0.3)
app.shot("divider")
app.press("push button", "Difference")
app.shot("difference")
app.key("Escape")
app.wait(in_grid, 30, "the grid again")
app.find("label", "2 selected")

# Tags for both; filters.
menu("Tags")
app.find("text", "Add Tags")
app.wait(lambda: app.focused() and app.focused().role == "text", 20, "the entry to have the keys")
app.type("sea, holiday")
app.key("Return")
app.find("label", "Tags saved.")
check(sorted(stored("tags", "%")).count("holiday\nsea") == 2, "two have both tags in the index")
app.key("Escape")
app.gone("label", "2 selected")
app.write("entry", "Search the Gallery", "holi")
count(2, "tags are found")
app.key("ctrl+a", "Delete")
menu("Filters")
app.find("label", "Any Stars")
app.shot("filters")
app.key("Down", "Down", "Down", "Return")  # to the row of the stars, open its list
time.sleep(0.5)
app.key("Down", "Down", "Down", "Down", "Return")
count(2, "filtered by stars, with the keyboard")
app.key("Escape")
app.find("label", "★★★★…")
app.shot("filtered")
app.key("Escape")
count(6, "everything again")

# What cannot be read, and what to do about it.
app.press("push button", "1 file cannot be read")
count(1, "the broken file alone")
app.click(cells()[0])
app.find("label", "This Picture Cannot Be Shown")
app.find("push button", "Take Out of the Gallery")
app.shot("unreadable")
app.press("push button", "Back to All Pictures")
app.wait(in_grid, 30, "the grid again")
app.key("Escape")
count(6, "everything again")

# One large: settings, stars, zoom, next, a setting taken over.
app.click(cell("tree"))
app.find("push button", "Edit in Create")
app.find("label", "Seed")
for role, name in (("push button", "Larger"), ("push button", "Smaller"), ("push button", "Move to the Trash"),
                   ("push button", "The Next One"), ("push button", "Copy Seed"), ("push button", "Use Seed in Create"),
                   ("push button", "Variations"), ("image", "a tree next to a house")):
    check(app.find(role, name), f"{role} {name!r} has its name")
app.press("push button", "Larger")
app.press("push button", "5 stars")
app.find("push button", "4 stars")  # it had four: that button said "No stars" until now
check(stored("stars", "a tree%") == [5], "five stars are in the index when they are shown")
app.press("push button", "Use Seed in Create")
app.find("label", "Taken over into Create.")
app.shot("detail")

# Trash and undo, from the detail view.
path = next(os.path.join(folder, n) for n in made if "tree" in n)
app.press("push button", "Move to the Trash")
app.wait(lambda: not os.path.exists(path), 30, "the file to go")
app.press("push button", lambda n: n.endswith("Undo"))
app.wait(lambda: os.path.exists(path), 30, "the file to come back")
app.press("push button", "Back to All Pictures")
app.wait(in_grid, 30, "the grid again")
count(6, "it is in the grid again")
check(stored("stars", "a tree%") == [5], "with its stars")

# Export two: another format, without the settings.
target = home("Exported")
os.makedirs(target)
app.key("Escape")
app.press("push button", "Select Pictures")
app.click(cells()[0])
app.find("label", "1 selected")
app.key("ctrl+e")
app.wait(lambda: len(app.windows()) > 1, 30, "the export dialog")
app.use_window()
check(app.find("label", "Export 1 Picture"), "the dialog says what it exports")
app.shot("export")
app.key("Escape")
app.wait(lambda: len(app.windows()) == 1, 30, "the dialog to close")
app.use_window()
app.key("Escape")

# By hand: a copy appears, a deleted one is shown as gone.
shutil.copy(os.path.join(folder, made[0]), os.path.join(folder, "by hand.png"))
count(7, "a file that was added by hand appears")
os.unlink(os.path.join(folder, "by hand.png"))
app.wait(lambda: cells(lambda n: "not there any more" in n), 60, "the deleted one to be shown as gone")

# A narrow window.
app.resize(360, 640)
time.sleep(0.5)
# The window's own buttons, three of them without a desktop, make it a little wider.
check(app.find("table", "Pictures").box()[2] <= 390, "two columns fit into a narrow window")
app.shot("narrow")
app.click(cells()[0])
details = app.find("push button", "Settings and Details")
app.wait(lambda: not in_grid(), 30, "the picture")
time.sleep(0.5)
app.shot("narrow-detail")
app.press(details, "")
app.find("push button", "Edit in Create")
time.sleep(0.5)
app.shot("narrow-details")
odd = [line for line in app.warnings() if "gtk_widget_size_allocate" not in line]  # AdwViewSwitcherTitle 1.2, resized
check(not odd, f"no warnings: {odd}")
check(app.quit() in (0, 99), "quits cleanly")  # 99: those of the resizing
