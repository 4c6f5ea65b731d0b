#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The token in the keyring, with a real one: secret.py EASEL-CLI. libsecret speaks over a session bus of its own to
gnome-keyring-daemon, whose keyring lies in a home of its own. Skipped where one of them is not installed."""
import os
import random
import shutil
import subprocess
import sys
import tempfile
import unittest

from hubserver import Hub, Repo, sana

TOKEN = "hf_" + "KeyringKeyringKeyring7"


def skip(why):
    print("SKIP: " + why)
    sys.exit(77)


for tool in ("dbus-run-session", "gnome-keyring-daemon"):
    if not shutil.which(tool):
        skip(f"{tool} is not installed")
if "EASEL_SECRET_TOP" not in os.environ:
    top = tempfile.mkdtemp(prefix="easel-secret-")
    try:
        for folder in ("run", "home"):
            os.mkdir(os.path.join(top, folder), 0o700)
        env = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy") and not k.startswith(("HF_", "XDG_"))}
        env |= {"EASEL_SECRET_TOP": top, "XDG_RUNTIME_DIR": os.path.join(top, "run"), "HOME": os.path.join(top, "home")}
        env.pop("DISPLAY", None)  # it would ask with a window
        status = subprocess.run(["dbus-run-session", "--", sys.executable, *sys.argv], env=env).returncode
    finally:
        shutil.rmtree(top, True)
    sys.exit(status)

CLI, TOP = os.path.abspath(sys.argv.pop(1)), os.environ["EASEL_SECRET_TOP"]


class SecretTest(unittest.TestCase):
    def setUp(self):
        self.hub = Hub(3)
        self.addCleanup(self.hub.close)
        self.hub.add(Repo("org/gated", sana(random.Random(3)), gated="auto"))
        self.hub.tokens = {TOKEN: ("org/gated",)}
        self.env = {**os.environ, "HF_ENDPOINT": self.hub.endpoint, "HF_HOME": os.path.join(TOP, "hf")}
        self.said = ""

    def models(self, *args, code=0, text=""):
        p = subprocess.run([CLI, "models", *args], input=text, capture_output=True, text=True, timeout=120, env=self.env)
        self.said += p.stdout + p.stderr
        self.assertEqual(p.returncode, code, p.stdout + p.stderr)
        return p.stdout + p.stderr

    def test_in_order(self):
        # No service: a sentence, and what needs no token works on. (On this bus the service would start by itself.)
        bus, self.env["DBUS_SESSION_BUS_ADDRESS"] = self.env["DBUS_SESSION_BUS_ADDRESS"], "unix:path=/nonexistent"
        self.assertIn("keyring does not answer", self.models("login", code=1, text=TOKEN + "\n"))
        self.assertIn("no token", self.models("plan", "org/gated", code=1))
        self.env["DBUS_SESSION_BUS_ADDRESS"] = bus

        keyring = subprocess.Popen(["gnome-keyring-daemon", "--foreground", "--unlock", "--components=secrets"],
                                   stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(keyring.wait)
        self.addCleanup(keyring.terminate)
        keyring.stdin.write(b"the password of a test")
        keyring.stdin.close()
        subprocess.run(["gdbus", "wait", "--session", "--timeout", "60", "org.freedesktop.secrets"], check=True)

        self.assertIn("does not look like a token", self.models("login", code=1, text="two words\n"))
        self.assertIn("no token", self.models("plan", "org/gated", code=1))
        self.assertIn("in the keyring", self.models("login", text=TOKEN + "\n"))
        self.assertIn("models--org--gated", self.models("pull", "org/gated"))
        # Kept for that endpoint alone.
        other = Hub(4)
        self.addCleanup(other.close)
        other.add(Repo("org/gated", sana(random.Random(4)), gated="auto"))
        self.assertIn("no token", self.models("plan", "org/gated", "--endpoint", other.endpoint, code=1))
        self.assertFalse([r for r in other.log if r.auth])
        # Replaced, not added to.
        self.hub.tokens = {TOKEN + "b": ("org/gated",)}
        self.models("login", text=TOKEN + "b\n")
        self.models("remove", "org/gated")
        self.models("pull", "org/gated")
        self.models("logout")
        self.assertIn("no token", self.models("plan", "org/gated", "--precision", "all", code=1))
        self.models("logout")

        self.assertNotIn(TOKEN, self.said)
        for folder, _, names in os.walk(TOP):
            for name in names:
                path = os.path.join(folder, name)
                if os.path.isfile(path):
                    with open(path, "rb") as f:
                        self.assertNotIn(TOKEN.encode(), f.read(), path)
        self.assertTrue(os.path.isdir(os.path.join(TOP, "home", ".local/share/keyrings")))  # it was the real one


if __name__ == "__main__":
    unittest.main(verbosity=2)
