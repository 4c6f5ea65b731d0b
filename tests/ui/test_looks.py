#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names for screen readers on everything that can take the focus; windows of 360 and 2560 pixels; dark, high contrast,
right to left, large text; every page and dialog, with screenshots."""
import os

os.environ.setdefault("UI_SCREEN", "2560x1440x24")

from driver import *

# A widget's class instead of a name is what GTK says when there is none.
NAMELESS = re.compile(r"^((Gtk|Adw|Easel)[A-Z]\w*)?$")
# Parts of widgets that GTK itself names through the widget around them.
PARTS = {"frame", "filler", "panel", "scroll pane", "scroll bar", "list", "table", "viewport", "dialog", "window"}

# Of libadwaita 1.2's own preferences window: its empty switcher, its search.
ADWAITAS = ('page tab "GtkLabel"', 'entry "GtkSearchEntry"', 'push button "GtkImage"')


def nameless(app):
    """What takes the focus and says nothing. A control inside one that is named (the button of a menu button, the text
    of an entry row) is heard with it."""
    nodes = app.nodes()
    known = {n.path: n for n in nodes}
    bad = []
    for node in nodes:
        if node.role in PARTS or not node.has(FOCUSABLE) or not NAMELESS.match(node.name):
            continue
        above = known.get(node.parent)
        while above and above.role in ("panel", "filler"):
            above = known.get(above.parent)
        below = [n.name for n in app.nodes(node) if n.role == "label" and not NAMELESS.match(n.name)]
        if below or repr(node) in ADWAITAS or (above and above.role not in PARTS and not NAMELESS.match(above.name)):
            continue
        if node.box()[2] > 0:  # not on a page that was never shown
            bad.append(f"{node} in {above}")
    return bad


def page(app, number, title):
    app.use_window(app.first_window())
    app.key(f"alt+{number}")
    app.wait(lambda: any(n.has(SELECTED) for n in app.all("page tab", title)), 30, f"the page {title}")


settings_set(window_width=1180, window_height=780)
app = App()
app.wait(lambda: app.find("push button", "Generate").has(SENSITIVE), 60, "Generate to be ready")
app.click(app.find("list item", "Advanced"))
for number, title in ((1, "Create"), (2, "Gallery"), (3, "Models")):
    page(app, number, title)
    bad = nameless(app)
    check(not bad, f"{title}: everything that takes the focus has a name {bad}")
app.key("ctrl+comma")
app.find("label", "New Pictures and Clips")
app.use_window()
bad = nameless(app)
app.shot("preferences")
check(not bad, f"preferences: the same {bad}")
app.key("Escape")
app.wait(lambda: len(app.windows()) == 1, 30, "the preferences to go")
app.use_window()
app.key("ctrl+question")
app.wait(lambda: len(app.windows()) > 1, 30, "the shortcuts")
app.use_window()
app.shot("shortcuts")
app.key("Escape")
app.wait(lambda: len(app.windows()) == 1, 30, "the shortcuts to go")

for width, height in ((360, 640), (2560, 1400)):
    page(app, 1, "Create")
    app.resize(width, height)
    for number, title in ((1, "Create"), (2, "Gallery"), (3, "Models")):
        page(app, number, title)
        box = app.find("frame", lambda name: True).box()
        check(box[2] <= width + 2, f"{title} fits into {width} pixels: {box[2]}")
        app.shot(f"{width}-{title.lower()}")
app.resize(1180, 780)
check(app.quit() == 0, "quits cleanly")

for name, settings, env in (
        ("dark", {"theme": "dark"}, {}),
        ("high-contrast", {"theme": "system"}, {"ADW_DEBUG_HIGH_CONTRAST": "1"}),
        ("right-to-left", {}, {"EASEL_DIRECTION": "rtl"}),
        ("large-text", {}, {"GDK_DPI_SCALE": "1.5"})):
    settings_set(**settings)
    app = App(env=env)
    app.wait(lambda: app.find("push button", "Generate").has(SENSITIVE), 60, "Generate to be ready")
    if name == "right-to-left":
        prompt, stage = app.find("text", "Prompt"), app.find("label", "Say What You Want to See")
        check(prompt.box()[0] > stage.box()[0], "right to left: the settings are on the right")
    for number, title in ((1, "Create"), (2, "Gallery"), (3, "Models")):
        page(app, number, title)
        app.shot(f"{name}-{title.lower()}")
    check(app.quit() == 0, f"{name}: quits cleanly")
