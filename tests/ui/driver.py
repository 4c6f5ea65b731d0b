# SPDX-License-Identifier: GPL-3.0-or-later
"""Drives the real program as a person would: the accessibility bus to find, press and read; xdotool for pointer and keys.

A test is a script:

    from driver import App, check
    app = App()                                       # starts build/app/easel; waits until its window can be used
    app.write("text", "Prompt", "a red circle")       # clicks it, replaces what it says, checks that it says so
    app.press("push button", "Generate")              # the widget's own action: no coordinates, works when scrolled away
    app.find("push button", "Show in Gallery", 120)   # waits until it is shown; TimeoutError says what was there instead
    app.shot("create")                                # PNG into $EASEL_SCREENSHOTS; nothing when that is unset
    check(app.quit() == 0, "quits cleanly")           # prints ok/FAIL; a failure ends the test

Run one by hand from anywhere:  EASEL_SCREENSHOTS=/tmp/shots tests/ui/test_first_picture.py
Importing this module starts the script again under uienv.sh unless it runs there already: its own Xvfb on a free
display, session bus, accessibility bus, HOME and XDG folders, gone afterwards. So tests may run at the same time.
Set before the import:  os.environ.setdefault("UI_SCREEN", "2560x1440x24")  "UI_LOCALE"  "UI_ANIMATIONS"  "UI_SETTINGS".

What there is (all waits are by condition, up to a limit in seconds that is generous because machines are busy):
  App(args, env, timeout)  program started with its own arguments and environment; several may live after another (the
                           folders stay for the whole test: quit() or kill() it, then App() again is the next start)
  find all nodes gone      by role and name (a string, or a function of the name); within=node looks below a node
  showing(node)            really on top at its centre (a page behind a stack has a size too, a picked point not)
  press click double_click right_click drag scroll_to   pointer or action; write type key tab_to focused   keyboard
                           (press() of a button acts a quarter of a second later: GTK shows it pressed first)
  text_of value_of set_value checked selected           what a widget says
  windows use_window resize                             X windows of the program; dialogs take the keys by use_window()
  wait(condition, timeout, what)                        any condition; ends early when the program ends
  shot quit kill           quit() is Ctrl+Q (or other keys) and returns the exit status; kill() is SIGKILL
  warnings()               lines that GLib called WARNING or CRITICAL
  desktop                  the session: desktop.notifications, desktop.awake (who asked not to sleep)
  home() pictures() settings_set(key=…) settings_get(key)   the test's own folders and GSettings (a key file)

Criticals end the program; a warning makes quit() return 99, but for those in KNOWN, which are GTK's own. Python 3 with PyGObject; no pyatspi: one walk of
the tree asks each level at once (0.1 s for a whole window), where pyatspi asks node by node.
Known of GTK 4.8: STATE_SHOWING is never set (so: sizes, and showing()), GrabFocus is refused (so: tab_to), coordinates
are the window's only, search entries say nothing of their text.
"""
import ast
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.environ.setdefault("EASEL_SOURCE", os.path.dirname(os.path.dirname(HERE)))
BUILD = os.environ.setdefault("EASEL_BUILD", os.path.join(SOURCE, "build"))

if "EASEL_UI_PRIVATE" not in os.environ and __name__ != "__main__":
    os.execv("/bin/bash", ["bash", os.path.join(HERE, "uienv.sh"), "/usr/bin/python3", *sys.argv])

try:
    import gi
    gi.require_version("Atspi", "2.0")
    from gi.repository import Atspi, Gio, GLib
except (ImportError, ValueError):
    print("SKIP: PyGObject with Atspi is not installed")
    sys.exit(77)

# GTK 4.8 on a press that a grab takes away, on the slider of a scroll bar that has just
# come, and libadwaita 1.2 while its view switcher gives way to the bar below. Not ours to prevent.
KNOWN = ("Broken accounting of active state", "Trying to snapshot GtkGizmo", "and height -1")
ROOT = "/org/a11y/atspi/accessible/root"
A11Y = "org.a11y.atspi."
FOCUSED, CHECKED, PRESSED, SELECTED, SENSITIVE, FOCUSABLE = (getattr(Atspi.StateType, name) for name in (
    "FOCUSED", "CHECKED", "PRESSED", "SELECTED", "SENSITIVE", "FOCUSABLE"))


def sh(*argv, timeout=30):
    return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=timeout).stdout


def home(*parts):
    return os.path.join(os.environ["HOME"], *parts)


def pictures():
    """Files in the gallery's folder, oldest first."""
    folder = home("Pictures", "Easel")
    names = [os.path.join(folder, name) for name in os.listdir(folder)] if os.path.isdir(folder) else []
    return sorted((n for n in names if os.path.isfile(n) and not os.path.basename(n).startswith(".")),
                  key=os.path.getmtime)


class Desktop:
    """What a session has and a bare bus lacks: takes notifications and requests to stay awake, and remembers them."""

    XML = """<node>
      <interface name="org.freedesktop.Notifications">
        <method name="Notify"><arg type="s"/><arg type="u"/><arg type="s"/><arg type="s"/><arg type="s"/><arg type="as"/>
          <arg type="a{sv}"/><arg type="i"/><arg type="u" direction="out"/></method>
        <method name="CloseNotification"><arg type="u"/></method>
        <method name="GetCapabilities"><arg type="as" direction="out"/></method>
        <method name="GetServerInformation"><arg type="s" direction="out"/><arg type="s" direction="out"/>
          <arg type="s" direction="out"/><arg type="s" direction="out"/></method>
      </interface>
      <interface name="org.gnome.SessionManager">
        <method name="Inhibit"><arg type="s"/><arg type="u"/><arg type="s"/><arg type="u"/>
          <arg type="u" direction="out"/></method>
        <method name="Uninhibit"><arg type="u"/></method>
        <method name="RegisterClient"><arg type="s"/><arg type="s"/><arg type="o" direction="out"/></method>
      </interface></node>"""

    def __init__(self):
        self.notifications = []  # (title, body, hints)
        self.awake = {}          # cookie: reason
        self.was_awake = []      # reasons, all that there were
        ready = threading.Event()
        threading.Thread(target=self._serve, args=(ready,), daemon=True).start()
        ready.wait(30)

    def _serve(self, ready):
        context = GLib.MainContext()
        context.push_thread_default()
        address = Gio.dbus_address_get_for_bus_sync(Gio.BusType.SESSION)
        bus = Gio.DBusConnection.new_for_address_sync(
            address, Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT | Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION,
            None, None)
        interfaces = Gio.DBusNodeInfo.new_for_xml(self.XML).interfaces
        bus.register_object("/org/freedesktop/Notifications", interfaces[0], self._called, None, None)
        bus.register_object("/org/gnome/SessionManager", interfaces[1], self._called, None, None)
        for name in ("org.freedesktop.Notifications", "org.gnome.SessionManager"):
            bus.call_sync("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "RequestName",
                          GLib.Variant("(su)", (name, 4)), None, 0, 30000, None)
        ready.set()
        GLib.MainLoop(context).run()

    def _called(self, bus, sender, path, interface, method, arguments, invocation):
        values = arguments.unpack()
        answer = None
        if method == "Notify":
            self.notifications.append((values[3], values[4], values[6]))
            answer = GLib.Variant("(u)", (len(self.notifications),))
        elif method == "Inhibit":
            cookie = len(self.was_awake) + 1
            self.awake[cookie] = values[2]
            self.was_awake.append(values[2])
            answer = GLib.Variant("(u)", (cookie,))
        elif method == "Uninhibit":
            self.awake.pop(values[0], None)
        elif method == "RegisterClient":
            answer = GLib.Variant("(o)", ("/org/gnome/SessionManager/Client1",))
        elif method == "GetCapabilities":
            answer = GLib.Variant("(as)", (["body", "actions"],))
        elif method == "GetServerInformation":
            answer = GLib.Variant("(ssss)", ("test", "Easel", "1", "1.2"))
        invocation.return_value(answer)


SETTINGS = ("--schemadir", os.path.join(BUILD, "data"), "io.github.easelstudio.Easel")


def settings_set(**values):
    """GSettings of the test's home, before a start (a key file: a running program may not see it). '_' is '-'."""
    for key, value in values.items():
        text = str(value).lower() if isinstance(value, bool) else str(value)
        sh("gsettings", *SETTINGS[:2], "set", SETTINGS[2], key.replace("_", "-"), text)


def settings_get(key):
    text = sh("gsettings", *SETTINGS[:2], "get", SETTINGS[2], key).strip()
    try:
        return ast.literal_eval(re.sub(r"^@\w+ ", "", text).replace("true", "True").replace("false", "False"))
    except (SyntaxError, ValueError):
        return text


def offer(title):
    """The name of the button that downloads a model: newer GTK says what it is for only, not what it does too."""
    return lambda name: name in (title, "Download… " + title)


def check(condition, what):
    print(("ok   " if condition else "FAIL ") + what, flush=True)
    if not condition:
        for app in App.running:
            app.shot("failure")
            app.report()
        sys.exit(1)


desktop = Desktop()


class Node:
    """One accessible, as the last walk saw it. role: "push button" (also where newer versions say "button")."""

    def __init__(self, app, item):
        (_, self.path), _, (_, self.parent), self.index, _, interfaces, self.name, role, self.description, bits = item
        self.app = app
        self.interfaces = {name.rsplit(".", 1)[1] for name in interfaces}
        self.role = Atspi.role_get_name(Atspi.Role(role))
        self.role = "push button" if self.role == "button" else self.role
        self.bits = bits[0] | bits[1] << 32

    def __repr__(self):
        return f'{self.role} "{self.name}"'

    def has(self, state):
        return bool(self.bits >> int(state) & 1)

    def call(self, interface, method, signature=None, *arguments):
        return self.app.call(self.path, interface, method, signature, *arguments)

    def box(self):
        """x, y, width, height in the window; zeros where it is hidden."""
        return self.call("Component", "GetExtents", "(u)", 1)[0]


class App:
    running = []

    def __init__(self, args=(), env=None, timeout=120, program=None):
        self.argv = [program or os.path.join(BUILD, "app", "easel"), *args]
        self.log = os.path.join(home(), f"program-{len(os.listdir(home()))}-{time.monotonic_ns()}.log")
        self.started = time.perf_counter()
        surroundings = {**os.environ, "G_DEBUG": "fatal-criticals", **(env or {})}
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(self.argv, env=surroundings, stdout=log, stderr=log)
        App.running.append(self)
        self.timeout = timeout
        session = Gio.bus_get_sync(Gio.BusType.SESSION)
        address = session.call_sync("org.a11y.Bus", "/org/a11y/bus", "org.a11y.Bus", "GetAddress", None, None, 0, 30000,
                                    None).unpack()[0]
        self.bus = Gio.DBusConnection.new_for_address_sync(
            address, Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT | Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION,
            None, None)
        self.name = None
        self.wait(self._on_the_bus, timeout, "the program on the accessibility bus")
        self.wait(lambda: self.windows(), timeout, "a window")
        self.use_window()

    # ---- the bus ----

    def _on_the_bus(self):
        for name, _ in self._ask("org.a11y.atspi.Registry", ROOT, A11Y + "Accessible", "GetChildren")[0]:
            pid = self._ask("org.freedesktop.DBus", "/", "org.freedesktop.DBus", "GetConnectionUnixProcessID",
                            GLib.Variant("(s)", (name,)))[0]
            if pid == self.process.pid:
                self.name = name
        return self.name

    def _ask(self, name, path, interface, method, arguments=None):
        return self.bus.call_sync(name, path, interface, method, arguments, None, 0, 60000, None).unpack()

    def call(self, path, interface, method, signature=None, *arguments):
        try:
            return self._ask(self.name, path, A11Y + interface, method,
                             GLib.Variant(signature, arguments) if signature else None)
        except GLib.Error as error:
            if "ServiceUnknown" not in str(error) and "NoReply" not in str(error):
                raise
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                raise error from None
            self.report()
            raise RuntimeError(f"the program ended with {self.process.returncode}") from None

    def _each(self, paths, interface, method, arguments=None):
        """The same question to many objects at once: {path: answer}; without those that are gone."""
        answers, left, loop = {}, len(paths), GLib.MainLoop()

        def answered(bus, result, path):
            nonlocal left
            try:
                answers[path] = bus.call_finish(result).unpack()[0]
            except GLib.Error:
                pass
            left -= 1
            if left == 0:
                loop.quit()

        for path in paths:
            self.bus.call(self.name, path, A11Y + interface, method, arguments, None, 0, 60000, None, answered, path)
        if paths:
            loop.run()
        return answers

    def nodes(self, within=None):
        """Every accessible object, hidden ones too, in the order of the tree."""
        top = within.path if within else ROOT
        level, children = [top], {}
        while level:
            children.update(self._each(level, "Accessible", "GetChildren"))
            level = [path for parent in level for _, path in children.get(parent, []) if path not in children]
        known = {item[0][1]: item for item in self.call("/org/a11y/atspi/cache", "Cache", "GetItems")[0]}
        order, stack = [], [top]
        while stack:
            path = stack.pop()
            if path in known:
                order.append(Node(self, known[path]))
            stack += [child for _, child in reversed(children.get(path, []))]
        return order

    # ---- finding ----

    def wait(self, condition, timeout=60, what="the condition", must=True):
        """The first true answer; an object that vanishes while it is asked is asked again. must=False: None in the end."""
        end = time.monotonic() + timeout
        while True:
            if self.process.poll() is not None:
                self.report()
                raise RuntimeError(f"the program ended with {self.process.returncode} while waiting for {what}")
            try:
                found = condition()
                if found:
                    return found
            except GLib.Error:
                pass
            if time.monotonic() > end:
                if not must:
                    return None
                self.shot("failure")
                self.report()
                raise TimeoutError(what)
            time.sleep(0.05)

    def all(self, role, name=None, within=None, hidden=False):
        """Those of a role ("" any; a toggle is a push button too, as versions of GTK differ) and name (a string, a function
        of it, None any) that have a size."""
        roles = ("push button", "toggle button") if role == "push button" else (role,)
        match = [n for n in self.nodes(within) if (not role or n.role in roles) and (
            name is None or (name(n.name) if callable(name) else n.name == name))]
        if hidden:
            return match
        boxes = self._each([n.path for n in match], "Component", "GetExtents", GLib.Variant("(u)", (1,)))
        return [n for n in match if boxes.get(n.path, (0, 0, 0, 0))[2] > 0 and boxes[n.path][3] > 0]

    def find(self, role, name, timeout=60, within=None):
        def one():
            return (self.all(role, name, within) or [None])[0]
        return self.wait(one, timeout, f"{role} {name!r}")

    def gone(self, role, name, timeout=60, within=None):
        return self.wait(lambda: not any(self.showing(n) for n in self.all(role, name, within)), timeout,
                         f"{role} {name!r} to go")

    def parent_of(self, node, role):
        """The nearest ancestor of that role, or None."""
        known = {n.path: n for n in self.nodes()}
        while node and node.role != role:
            node = known.get(node.parent)
        return node

    def showing(self, node):
        x, y, width, height = node.box()
        if width <= 0 or height <= 0:
            return False
        known = {n.path: n for n in self.nodes()}
        top = next((n for n in known.values() if n.role in ("frame", "dialog", "alert", "window") and
                    self._below(known, node.path, n.path)), None)
        if not top:
            return False
        hit = top.call("Component", "GetAccessibleAtPoint", "(iiu)", x + width // 2, y + height // 2, 1)[0][1]
        near, path = {node.path}, node.path
        for _ in range(3):  # a label is picked through the button around it
            path = known[path].parent if path in known else None
            near.add(path)
        return hit in near or self._below(known, hit, node.path)

    @staticmethod
    def _below(known, path, ancestor):
        while path in known:
            if path == ancestor:
                return True
            path = known[path].parent
        return False

    def again(self, node):
        """The node as it is now: states and name are those of a walk. None when it is gone."""
        return next((n for n in self.nodes() if n.path == node.path), None)

    def focused(self):
        return next((n for n in self.nodes() if n.has(FOCUSED) and n.role not in ("frame", "dialog")), None)

    # ---- pressing ----

    def press(self, role, name, timeout=60, within=None):
        node = role if isinstance(role, Node) else self.find(role, name, timeout, within)
        actions = node.call("Action", "GetActions")[0]
        if not actions:  # a menu button is a button around a button
            node = next(n for n in self.nodes(node)[1:] if n.role in ("push button", "toggle button"))
            actions = node.call("Action", "GetActions")[0]
        names = [action[0] for action in actions]
        return node.call("Action", "DoAction", "(i)", names.index("click") if "click" in names else 0)[0]

    def place(self, node):
        """Absolute centre of an object: GTK 4 tells window coordinates only, without the shadow."""
        x, y, width, height = node.box()
        frames = [n for n in self.nodes() if n.role in ("frame", "dialog", "alert", "window")]
        frame = next((f for f in frames if self._below({n.path: n for n in self.nodes(f)}, node.path, f.path)),
                     frames[0])
        _, _, frame_width, frame_height = frame.box()
        shell = dict(line.split("=") for line in sh("xdotool", "getwindowgeometry", "--shell", self.window).split())
        left, top = (int(shell["WIDTH"]) - frame_width) // 2, (int(shell["HEIGHT"]) - frame_height) // 2
        return int(shell["X"]) + left + x + width // 2, int(shell["Y"]) + top + y + height // 2

    def scroll_to(self, node):
        """Turns the wheel over the pages a node is on until it is in sight. Outermost page first."""
        known = {n.path: n for n in self.nodes()}
        pages, path = [], node.parent
        while path in known:
            if known[path].role == "scroll pane":
                pages.insert(0, known[path])
            path = known[path].parent
        for page in pages:
            for _ in range(60):
                _, top, _, height = page.box()
                _, y, _, own = node.box()
                middle = y + own // 2
                if top <= middle < top + height or height <= 0:
                    break
                self.wheel(page, 1 if middle >= top + height else -1)
                if not self.wait(lambda: node.box()[1] != y, 2, must=False):
                    break

    def click(self, node, button=1, times=1):
        self.scroll_to(node)
        x, y = self.place(node)
        sh("xdotool", "mousemove", str(x), str(y), "click", "--repeat", str(times), "--delay", "40", str(button))

    def double_click(self, node):
        self.click(node, times=2)

    def right_click(self, node):
        self.click(node, button=3)

    def drag(self, node, onto, dx=0, dy=0):
        """Slowly enough for GTK to see a drag; dx, dy from the target's centre."""
        (x, y), (to_x, to_y) = self.place(node), self.place(onto)
        to_x, to_y = to_x + dx, to_y + dy
        sh("xdotool", "mousemove", str(x), str(y), "mousedown", "1")
        for i in range(1, 11):
            sh("xdotool", "mousemove", str(x + (to_x - x) * i // 10), str(y + (to_y - y) * i // 10 + (i % 2)),
               "sleep", "0.03")
        sh("xdotool", "mousemove", str(to_x), str(to_y), "sleep", "0.1", "mouseup", "1")

    def wheel(self, node, clicks):
        """Down for positive."""
        x, y = self.place(node)
        sh("xdotool", "mousemove", str(x), str(y), "click", "--repeat", str(abs(clicks)), "--delay", "30",
           "5" if clicks > 0 else "4")

    # ---- the keyboard ----

    def type(self, text):
        sh("xdotool", "type", "--delay", "12", text)

    def key(self, *keys):
        sh("xdotool", "key", "--delay", "30", *keys)

    def tab_to(self, node, most=80, key="Tab"):
        """Walks the focus to a node; how many steps it took."""
        for i in range(most):
            if (self.again(node) or node).has(FOCUSED):
                return i
            before = self.focused()
            self.key(key)
            self.wait(lambda: (self.focused() or node).path != (before.path if before else None), 3, must=False)
        raise TimeoutError(f"tab to {node}")

    def write(self, role, name, text, within=None):
        """Replaces what an entry says, with the keyboard. GTK 4.8 tells nothing of what search entries, entry
        rows and spin buttons say, so only text views are checked."""
        node = role if isinstance(role, Node) else self.find(role, name, within=within)
        self.click(node)
        # Entry rows of libadwaita 1.2 do not tell that they have the focus: their text is checked in the end.
        self.wait(lambda: self.again(node).has(FOCUSED) or self._focus_within(node), 2, must=False)
        self.key("ctrl+a", "Delete")
        self.type(text)
        if node.role == "text" and self.wait(lambda: self.text_of(node), 2, must=False):
            self.wait(lambda: self.text_of(node) == text, 20, f"{name} to say {text!r}")
        return node

    def _focus_within(self, node):
        return any(n.has(FOCUSED) for n in self.nodes(node))

    # ---- what a widget says ----

    def text_of(self, node):
        return node.call("Text", "GetText", "(ii)", 0, -1)[0]

    def value_of(self, node):
        return self._ask(self.name, node.path, "org.freedesktop.DBus.Properties", "Get",
                         GLib.Variant("(ss)", (A11Y + "Value", "CurrentValue")))[0]

    def set_value(self, node, value):
        self._ask(self.name, node.path, "org.freedesktop.DBus.Properties", "Set", GLib.Variant(
            "(ssv)", (A11Y + "Value", "CurrentValue", GLib.Variant("d", value))))

    def checked(self, node):
        return self.again(node).has(CHECKED)

    def selected(self, node):
        return self.again(node).has(SELECTED)

    # ---- windows ----

    def windows(self):
        """X windows that are shown, the newest last."""
        found = subprocess.run(["xdotool", "search", "--onlyvisible", "--pid", str(self.process.pid)],
                               capture_output=True, text=True, timeout=30).stdout.split()
        return sorted(found, key=int)

    def first_window(self):
        """The oldest that is shown. Waits: while one goes, xdotool may find none."""
        return self.wait(self.windows, 30, "a window")[0]

    def use_window(self, window=None):
        """Gives the keys to a window (there is no window manager to do it): the newest when none is named."""
        self.window = window or self.wait(self.windows, 30, "a window")[-1]
        sh("xdotool", "windowfocus", "--sync", self.window)
        return self.window

    def resize(self, width, height):
        """There is no window manager to hold a window to a size: one that GTK asks for at that moment wins, so ask again."""
        frame = next(n for n in self.nodes() if n.role == "frame")
        asked = 0

        def resized():
            nonlocal asked
            if abs(frame.box()[2] - width) < 80:
                return True
            if time.monotonic() - asked > 2:
                asked = time.monotonic()
                sh("xdotool", "windowsize", self.window, str(width), str(height))  # --sync hangs at the same size
            return False

        self.wait(resized, 60, f"the window to be {width} wide")
        return frame.box()[2:]

    # ---- the program ----

    def shot(self, name):
        folder = os.environ.get("EASEL_SCREENSHOTS")
        if folder and shutil.which("import"):
            os.makedirs(folder, exist_ok=True)
            stem = os.path.basename(sys.argv[0]).removeprefix("test_").removesuffix(".py")
            subprocess.run(["import", "-window", "root", os.path.join(folder, f"{stem}-{name}.png")], timeout=60,
                           check=False)

    def output(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return log.read()

    def warnings(self):
        return [line for line in self.output().splitlines() if re.search(r"-(WARNING|CRITICAL|ERROR) \*\*", line) and
                not any(known in line for known in KNOWN)]

    def report(self):
        print(f"--- what the program said ---\n{self.output()[-4000:]}--- end ---", flush=True)

    def quit(self, timeout=60, keys="ctrl+q"):
        self.use_window(self.first_window())
        self.key(keys)
        status = self.process.wait(timeout)
        if status or self.warnings():
            self.report()
        App.running.remove(self)
        return status or (99 if self.warnings() else 0)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        App.running.remove(self)
