# SPDX-License-Identifier: GPL-3.0-or-later
"""Drives the real program as a person would: AT-SPI to find, press and read, xdotool for pointer and keys."""
import os
import subprocess
import sys
import time

import pyatspi

def sh(*argv):
    return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=20).stdout


class App:
    def __init__(self, argv=None, timeout=30, env=None):
        self.argv = argv or [os.path.join(os.environ["EASEL_BUILD"], "app", "easel")]
        self.name = os.path.basename(self.argv[0])
        self.started = time.perf_counter()
        self.process = subprocess.Popen(self.argv, env={**os.environ, **(env or {})})
        self.app = self.wait(lambda: next((a for a in pyatspi.Registry.getDesktop(0)
                                           if a and a.name == self.name and a.childCount), None), timeout,
                             "the program on the accessibility bus")
        self.window = sh("xdotool", "search", "--sync", "--onlyvisible", "--pid", str(self.process.pid)).split()[0]
        sh("xdotool", "windowfocus", "--sync", self.window)  # there is no window manager to do it

    def wait(self, condition, timeout=10, what="condition"):
        end = time.time() + timeout
        while time.time() < end:
            if self_ended(self):
                raise RuntimeError(f"the program ended with {self.process.returncode} while waiting for {what}")
            try:
                found = condition()
                if found:
                    return found
            except RuntimeError:
                raise
            except Exception:  # an object can vanish while we walk
                pass
            time.sleep(0.05)
        raise TimeoutError(what)

    def all(self, match):
        return pyatspi.findAllDescendants(self.app, match)

    def find(self, role, name, timeout=10):
        """The shown object of that role and name (a string, or a function of the name)."""
        def match(node):
            if node.getRoleName() != role:
                return False
            if not (name(node.name) if callable(name) else node.name == name):
                return False
            box = node.queryComponent().getExtents(pyatspi.WINDOW_COORDS)
            return box.width > 0 and box.height > 0  # GTK 4.8 never sets STATE_SHOWING

        return self.wait(lambda: pyatspi.findDescendant(self.app, match), timeout, f'{role} "{name}"')

    def gone(self, role, name, timeout=10):
        def absent():
            return pyatspi.findDescendant(self.app, lambda n: n.getRoleName() == role and n.name == name and
                                          n.queryComponent().getExtents(pyatspi.WINDOW_COORDS).width > 0) is None

        return self.wait(absent, timeout, f'{role} "{name}" to go')

    def press(self, role, name, timeout=10):
        action = self.find(role, name, timeout).queryAction()
        names = [action.getName(i) for i in range(action.nActions)]
        return action.doAction(names.index("click") if "click" in names else 0)

    def place(self, node):
        """Absolute centre of an object: GTK 4 tells window coordinates only, without the shadow."""
        box = node.queryComponent().getExtents(pyatspi.WINDOW_COORDS)
        frame = self.app[0].queryComponent().getExtents(pyatspi.WINDOW_COORDS)
        shell = dict(line.split("=") for line in sh("xdotool", "getwindowgeometry", "--shell", self.window).split())
        left, top = (int(shell["WIDTH"]) - frame.width) // 2, (int(shell["HEIGHT"]) - frame.height) // 2
        return int(shell["X"]) + left + box.x + box.width // 2, int(shell["Y"]) + top + box.y + box.height // 2

    def click(self, node):
        x, y = self.place(node)
        sh("xdotool", "mousemove", "--sync", str(x), str(y))
        sh("xdotool", "click", "1")

    def type(self, text):
        sh("xdotool", "type", "--delay", "12", text)

    def key(self, *keys):
        sh("xdotool", "key", *keys)

    def text_of(self, node):
        return node.queryText().getText(0, -1)

    def write(self, role, name, text):
        """Replaces what an entry says, with the keyboard. GTK 4.8 tells nothing of a search entry's text, so only
        text views and entry rows are checked."""
        node = self.find(role, name)
        self.click(node)
        time.sleep(0.2)
        self.key("ctrl+a", "Delete")
        self.type(text)
        if role == "text":
            self.wait(lambda: self.text_of(node) == text, 5, f"{name} to say {text!r}")

    def focused(self):
        return pyatspi.findDescendant(self.app, lambda n: n.getState().contains(pyatspi.STATE_FOCUSED))

    def shot(self, name):
        folder = os.environ.get("EASEL_SCREENSHOTS")
        if folder:
            os.makedirs(folder, exist_ok=True)
            sh("import", "-window", "root", os.path.join(folder, name + ".png"))

    def quit(self, timeout=10):
        self.key("ctrl+q")
        return self.process.wait(timeout)

    def kill(self):
        self.process.kill()
        self.process.wait()


def self_ended(app):
    return app.process.poll() is not None


def check(condition, what):
    print(("ok   " if condition else "FAIL ") + what, flush=True)
    if not condition:
        sys.exit(1)
