#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""One cache, two programs: ours and the real huggingface_hub. interop.py HUBTOOL
Runs with the Python named by EASEL_PYTHON, else this one; exit status 77 (skipped) where that has no huggingface_hub."""
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

PYTHON = os.environ.get("EASEL_PYTHON", sys.executable)
if subprocess.run([PYTHON, "-c", "import huggingface_hub"], capture_output=True).returncode:
    print(f"skipped: {PYTHON} has no huggingface_hub")
    sys.exit(77)

from hubserver import Hub, Repo, sana

TOOL = os.path.abspath(sys.argv.pop(1))

SCAN = """
import json, sys
from huggingface_hub import scan_cache_dir
info = scan_cache_dir(sys.argv[1])
print(json.dumps({"warnings": [str(w) for w in info.warnings], "incomplete": [str(f.file_path) for f in getattr(info, "incomplete_files", [])],
  "repos": [{"repo": r.repo_id, "bytes": r.size_on_disk, "files": r.nb_files, "revisions":
    [{"commit": v.commit_hash, "refs": sorted(v.refs), "bytes": v.size_on_disk, "files": sorted(
      str(f.file_path.relative_to(v.snapshot_path)) for f in v.files)} for v in r.revisions]} for r in info.repos]}))
"""
LOCAL = """
import sys
from huggingface_hub import snapshot_download
print(snapshot_download(sys.argv[2], cache_dir=sys.argv[1], local_files_only=True))
"""
FETCH = """
import json, sys
from huggingface_hub import snapshot_download
print(snapshot_download(sys.argv[2], cache_dir=sys.argv[1], allow_patterns=json.loads(sys.argv[3])))
"""


class Interop(unittest.TestCase):
    def setUp(self):
        self.hub = Hub(3)
        self.repo = self.hub.add(Repo("org/sana", sana(random.Random(3))))
        self.top = tempfile.mkdtemp(prefix="easel-interop-")
        self.cache = os.path.join(self.top, "hub")
        self.addCleanup(shutil.rmtree, self.top, True)
        self.addCleanup(self.hub.close)

    def start_python(self, script, *args):
        env = {**os.environ, "HF_ENDPOINT": self.hub.endpoint, "HF_HOME": self.top, "HF_HUB_DISABLE_XET": "1",
               "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_DISABLE_UPDATE_CHECK": "1",
               "HF_TOKEN_PATH": os.path.join(self.top, "none"), "NO_PROXY": "*"}
        return subprocess.Popen([PYTHON, "-c", script, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                env=env)

    def python(self, script, *args):
        p = self.start_python(script, *args)
        out, err = p.communicate(timeout=240)
        self.assertEqual(p.returncode, 0, err)
        return out.strip().splitlines()[-1]

    def scan(self):
        info = json.loads(self.python(SCAN, self.cache))
        self.assertEqual(info["warnings"], [])
        return info

    def tool_args(self, *args):
        return [TOOL, "--endpoint", self.hub.endpoint, "--cache", self.cache, "--keep-free", "0", "--block", "16384", *args]

    def tool(self, *args):
        p = subprocess.run(self.tool_args(*args), capture_output=True, text=True, timeout=120)
        self.assertEqual(p.returncode, 0, p.stdout + p.stderr)
        return [json.loads(line) for line in p.stdout.splitlines()]

    def same_view(self):
        theirs = {(r["repo"], v["commit"]): (v["bytes"], len(v["files"]), " ".join(v["refs"]))
                  for r in self.scan()["repos"] for v in r["revisions"]}
        ours = {(s["repo"], s["commit"]): (s["bytes"], s["files"], s["refs"]) for s in self.tool("installed")}
        self.assertEqual(ours, theirs)
        self.assertTrue(ours)

    def test_ours_read_by_huggingface_hub(self):
        snapshot = self.tool("pull", "org/sana")[-1]["snapshot"]
        self.same_view()
        self.assertEqual(self.python(LOCAL, self.cache, "org/sana"), snapshot)
        self.hub.log.clear()
        wanted = self.tool("plan", "org/sana")[0]["wanted"]
        self.python(FETCH, self.cache, "org/sana", json.dumps(wanted))
        self.assertEqual(sum(r.sent for r in self.hub.log if r.file), 0)

    def test_all_of_ours_read_by_huggingface_hub(self):
        snapshot = self.tool("pull", "org/sana", "", "all")[-1]["snapshot"]
        self.same_view()
        self.assertEqual(self.python(LOCAL, self.cache, "org/sana"), snapshot)
        with open(os.path.join(self.cache, "models--org--sana", "trees", self.repo.main + ".json")) as f:
            ours = json.load(f)
        other = os.path.join(self.top, "other")
        self.python(FETCH, other, "org/sana", "null")
        trees = os.path.join(other, "models--org--sana", "trees", self.repo.main + ".json")
        if os.path.exists(trees):  # since 1.x
            with open(trees) as f:
                self.assertEqual(ours, json.load(f))

    def test_theirs_read_by_us(self):
        wanted = self.tool("plan", "org/sana")[0]["wanted"]
        snapshot = self.python(FETCH, self.cache, "org/sana", json.dumps(wanted))
        self.same_view()
        self.tool("deep", "org/sana")
        self.hub.log.clear()
        end = self.tool("pull", "org/sana")[-1]
        self.assertEqual((end["snapshot"], end["fetched"]), (snapshot, 0))
        self.same_view()

    def test_unfinished_ones_are_seen_as_such(self):
        self.hub.rate = 200_000
        p = subprocess.Popen(self.tool_args("pull", "org/sana"), stdout=subprocess.DEVNULL)
        time.sleep(1)
        p.kill()
        p.wait()
        self.assertTrue(self.scan()["incomplete"])
        self.hub.rate = 0
        self.tool("pull", "org/sana")
        self.assertEqual(self.scan()["incomplete"], [])

    def test_both_at_once(self):
        wanted = self.tool("plan", "org/sana")[0]["wanted"]
        self.hub.log.clear()
        self.hub.rate = 150_000
        theirs = self.start_python(FETCH, self.cache, "org/sana", json.dumps(wanted))
        while not any(r.sent for r in self.hub.log if r.file) and theirs.poll() is None:
            time.sleep(0.01)
        ours = subprocess.Popen(self.tool_args("pull", "org/sana"), stdout=subprocess.PIPE, text=True)
        out, err = theirs.communicate(timeout=240)
        self.assertEqual(theirs.returncode, 0, err)
        mine, _ = ours.communicate(timeout=240)
        self.assertEqual(ours.returncode, 0, mine)
        total = sum(self.repo.files[p].size for p in wanted)
        self.assertLess(sum(r.sent for r in self.hub.log if r.file), total + 10000)
        self.tool("deep", "org/sana")
        self.same_view()


if __name__ == "__main__":
    unittest.main(verbosity=2)
