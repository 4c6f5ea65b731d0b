#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What engine/hub does with a Hub on the other end: network.py HUBTOOL [NAME...]. One function a claim."""
import hashlib
import json
import os
import random
import shutil
import signal
import socketserver
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from hubserver import File, Hub, Repo, Server, Handler, safetensors, sana

TOOL = os.path.abspath(sys.argv.pop(1)) if len(sys.argv) > 1 else None
TOKEN = "hf_" + "SecretSecretSecret9"


class HubTest(unittest.TestCase):
    def setUp(self):
        self.rng = random.Random(7)
        self.hub = Hub(7)
        self.top = tempfile.mkdtemp(prefix="easel-hub-")
        self.cache = os.path.join(self.top, "cache")
        self.addCleanup(shutil.rmtree, self.top, True)
        self.addCleanup(self.hub.close)
        self.output = ""

    def args(self, *args, cache=None):
        return [TOOL, "--endpoint", self.hub.endpoint, "--cache", cache or self.cache, "--block", "16384", "--piece", "65536",
                "--stall-ms", "8000", "--backoff-ms", "3", "--retries", "3", "--keep-free", "0", *args]

    def run_tool(self, *args, cache=None, code=0, env=None):
        p = subprocess.run(self.args(*args, cache=cache), capture_output=True, text=True, timeout=120,
                           env=env and {**os.environ, **env})
        self.output += p.stdout + p.stderr
        self.assertEqual(p.returncode, code, p.stdout + p.stderr)
        return [json.loads(line) for line in p.stdout.splitlines() if line.startswith("{")]

    def pull(self, *args, **more):
        return self.run_tool(*args[:-1], "pull", args[-1], **more)[-1]

    def add_sana(self, name="org/sana", **more):
        return self.hub.add(Repo(name, sana(self.rng), tags=["license:other"], **more))

    def blobs(self, name="org--sana"):
        return os.path.join(self.cache, "models--" + name, "blobs")

    def bytes_sent(self):
        return sum(r.sent for r in self.hub.log if r.file)

    # ---- plan and pull

    def test_plan_says_what_and_how_much(self):
        repo = self.add_sana()
        plan = self.run_tool("plan", "org/sana")[0]
        self.assertEqual(plan["class"], "SanaPipeline")
        self.assertEqual(plan["licence"], "other")
        self.assertEqual(plan["bytes"], sum(repo.files[p].size for p in plan["wanted"]))
        self.assertLess(plan["bytes"], 0.6 * plan["repo_bytes"])
        self.assertFalse(os.path.exists(self.blobs()))  # a plan writes nothing

    def test_pull_then_nothing_left_to_do(self):
        repo = self.add_sana()
        end = self.pull("org/sana")
        for path in self.run_tool("plan", "org/sana")[0]["wanted"]:
            full = os.path.join(end["snapshot"], path)
            self.assertTrue(os.path.islink(full) and not os.path.isabs(os.readlink(full)))
            with open(full, "rb") as f:
                self.assertEqual(f.read(), repo.files[path].data)
        self.assertLess(end["peak_kib"], 40 << 10)
        self.hub.log.clear()
        self.assertEqual(self.pull("org/sana")["fetched"], 0)
        self.run_tool("deep", "org/sana")

    def test_pages_of_a_long_list(self):
        self.hub.page = 3
        self.add_sana()
        self.pull("org/sana")

    def test_whole_repository_has_huggingface_hubs_listing(self):
        repo = self.add_sana()
        self.run_tool("pull", "org/sana", "", "all")
        with open(os.path.join(self.cache, "models--org--sana", "trees", repo.main + ".json")) as f:
            self.assertEqual(set(json.load(f)["files"]), set(repo.files))

    def test_moved_repository(self):
        self.add_sana("new/sana")
        self.hub.moved["org/sana"] = "new/sana"
        self.pull("org/sana")

    def test_server_without_ranges(self):
        self.add_sana()
        self.hub.no_ranges = True
        self.pull("--connections", "8", "org/sana")

    def test_pause_keeps_what_came(self):
        repo = self.add_sana()
        self.hub.rate = 400_000
        end = self.pull("--pause-ms", "700", "org/sana")
        self.assertEqual(end["state"], "done")
        total = sum(repo.files[p].size for p in self.run_tool("plan", "org/sana")[0]["wanted"])
        self.assertLess(self.bytes_sent(), total + 5 * 16384 + 4 * 65536)

    def test_new_commit(self):
        repo = self.add_sana()
        self.pull("org/sana")
        old = repo.main
        repo.set({**repo.files, "vae/config.json": b'{"latent_channels": 33}'})
        self.hub.log.clear()
        end = self.pull("org/sana")
        self.assertNotEqual(os.path.basename(end["snapshot"]), old)
        self.assertLess(self.bytes_sent(), 1000)
        self.assertEqual(len(self.run_tool("installed")), 2)

    def test_search(self):
        self.add_sana()
        self.hub.add(Repo("org/other", {"model_index.json": b'{"_class_name": "StableDiffusionPipeline"}'}))
        self.hub.add(Repo("org/gated-sana", sana(self.rng, cls="SanaSprintPipeline"), gated="manual"))
        hits = {h["repo"]: h for h in self.run_tool("search", "sana")}
        self.assertEqual(set(hits), {"org/sana", "org/gated-sana"})
        self.assertEqual(hits["org/gated-sana"]["gated"], 1)

    # ---- resume

    def test_kill_nine_costs_at_most_eight_mebibytes(self):
        size, worst = 64 << 20, 0
        path = os.path.join(self.top, "large")
        with open(path, "wb") as f:
            f.write(safetensors(self.rng, size - 4096))
        self.hub.add(Repo("org/large", {"w.safetensors": File(path=path)}))
        self.hub.rate = 50 << 20
        self.cache = os.path.join(self.top, "c")
        for point in range(10):
            shutil.rmtree(self.cache, True)
            self.hub.log.clear()
            p = subprocess.Popen([TOOL, "--endpoint", self.hub.endpoint, "--cache", self.cache, "--keep-free", "0",
                                  "--connections", str([1, 4, 8][point % 3]), "pull", "org/large", "", "all"],
                                 stdout=subprocess.DEVNULL)
            target = self.rng.uniform(0.03, 0.95) * size
            while self.bytes_sent() < target and p.poll() is None:
                time.sleep(0.002)
            p.kill()
            p.wait()
            end = subprocess.run([TOOL, "--endpoint", self.hub.endpoint, "--cache", self.cache, "--keep-free", "0",
                                  "--connections", str([1, 4, 8][point % 3]), "pull", "org/large", "", "all"],
                                 capture_output=True, text=True, timeout=120)
            self.assertEqual(end.returncode, 0, end.stdout)
            # What the second program fetched, and what it need not have: it began with what the first had received.
            self.assertEqual(json.loads(end.stdout.splitlines()[-1])["state"], "done")
            again = self.bytes_sent() - os.path.getsize(path)
            worst = max(worst, again)
        print(f"kill -9 at 10 points of {size >> 20} MiB: at most {worst / (1 << 20):.2f} MiB sent twice", file=sys.stderr)
        self.assertLessEqual(worst, 8 << 20)

    def test_two_programs_at_once(self):
        repo = self.add_sana()
        self.hub.rate = 300_000
        programs = [subprocess.Popen(self.args("pull", "org/sana"), stdout=subprocess.PIPE, text=True) for _ in range(2)]
        for p in programs:
            out, _ = p.communicate(timeout=120)
            self.assertEqual((p.returncode, json.loads(out.splitlines()[-1])["state"]), (0, "done"), out)
        total = sum(repo.files[p].size for p in self.run_tool("plan", "org/sana")[0]["wanted"])
        self.assertLess(self.bytes_sent(), total + 10000)
        self.run_tool("deep", "org/sana")

    def test_part_of_huggingface_hub_is_gone_on_with(self):
        repo = self.add_sana()
        path = "transformer/diffusion_pytorch_model.bf16.safetensors"
        file = repo.files[path]
        os.makedirs(self.blobs())
        with open(os.path.join(self.blobs(), file.etag + ".0123abcd.incomplete"), "wb") as f:
            f.write(file.data[:250_000])
        self.pull("org/sana")
        sent = sum(r.sent for r in self.hub.log if r.file and r.file[1] == path)
        self.assertLess(sent, file.size - 230_000)

    def test_wrong_part_is_found_out(self):
        repo = self.add_sana()
        file = repo.files["transformer/diffusion_pytorch_model.bf16.safetensors"]
        os.makedirs(self.blobs())
        with open(os.path.join(self.blobs(), file.etag + ".incomplete"), "wb") as f:
            f.write(b"\1" * 250_000)
        self.pull("org/sana")
        self.run_tool("deep", "org/sana")

    def test_queue_survives_kill_nine(self):
        repo = self.add_sana()
        other = self.add_sana("org/second")
        self.hub.rate = 400_000
        queue = os.path.join(self.top, "queue.json")
        for name in ("org/second", "org/sana"):  # killed in the middle, one after the other
            p = subprocess.Popen(self.args("--queue", queue, "pull", name), stdout=subprocess.DEVNULL)
            began = len(self.hub.log)
            while sum(r.sent for r in self.hub.log[began:] if r.storage) < 200_000 and p.poll() is None:
                time.sleep(0.005)
            p.kill()
            p.wait()
        with open(queue) as f:
            self.assertEqual([(d["repository"], d["paused"]) for d in json.load(f)["downloads"]],
                             [("org/second", False), ("org/sana", False)])
        self.hub.rate, began = 0, len(self.hub.log)
        rest = self.run_tool("--queue", queue, "queue")
        self.assertEqual([(d["repo"], d["state"]) for d in rest], [("org/second", "done"), ("org/sana", "done")])
        total = sum(repo.files[p].size for p in self.run_tool("plan", "org/sana")[0]["wanted"])
        self.assertLess(sum(d["fetched"] for d in rest), 2 * total - 200_000)
        self.assertEqual(self.run_tool("--queue", queue, "queue"), [])
        # What a program without a queue leaves is found in the cache, paused, with what is there of it.
        self.hub.add(Repo("org/third", {**other.files, "vae/diffusion_pytorch_model.safetensors":
                                        safetensors(self.rng, 900_000)}))
        self.hub.rate = 400_000
        p = subprocess.Popen(self.args("pull", "org/third"), stdout=subprocess.DEVNULL)
        began = len(self.hub.log)
        while sum(r.sent for r in self.hub.log[began:] if r.storage) < 150_000 and p.poll() is None:
            time.sleep(0.005)
        p.kill()
        p.wait()
        left = self.run_tool("--queue", queue, "queue")
        self.assertEqual([(d["repo"], d["state"]) for d in left], [("org/third", "paused")])
        self.assertTrue(0 < left[0]["bytes_done"] < left[0]["bytes_total"], left)
        with open(queue, "w") as f:
            f.write('{"version": 1, "downloads": [{"cache": "/x", "repository": "../../x"}, 5, {"cache": "rel"}]}')
        self.assertEqual(len(self.run_tool("--queue", queue, "queue")), 1)  # nonsense is left out

    def test_the_rest_of_the_queue_goes_on(self):
        self.add_sana()
        self.add_sana("org/gated", gated="auto")
        self.hub.add(Repo("org/text", {"config.json": b"{}"}))
        with open(os.path.join(self.top, "file"), "w"):
            pass
        wishes = [("org/sana", "gone", self.cache), ("org/text", "main", self.cache), ("org/gated", "main", self.cache),
                  ("org/nothing", "main", self.cache), ("org/sana", "main", os.path.join(self.top, "file", "cache")),
                  ("org/sana", "main", self.cache)]
        queue = os.path.join(self.top, "queue.json")
        with open(queue, "w") as f:
            json.dump({"version": 1, "downloads": [{"cache": c, "repository": r, "revision": v} for r, v, c in wishes]}, f)
        ends = self.run_tool("--queue", queue, "queue")
        self.assertEqual([d["state"] for d in ends], ["failed"] * 5 + ["done"])
        with open(queue) as f:  # what failed stays, at rest, to be tried again
            self.assertEqual([d["paused"] for d in json.load(f)["downloads"]], [True] * 5)

    def test_bandwidth_limit(self):
        repo = self.add_sana()
        total = sum(repo.files[p].size for p in self.run_tool("plan", "org/sana")[0]["wanted"])
        for connections in ("1", "4"):
            shutil.rmtree(self.cache, True)
            began = time.monotonic()
            self.pull("--rate", str(total // 2), "--connections", connections, "org/sana")
            self.assertGreater(time.monotonic() - began, 1.2)  # two seconds' worth; the first moment is free

    def test_licence(self):
        self.add_sana()
        got = self.run_tool("licence", "org/sana")[0]
        self.assertEqual((got["name"], got["text"]), ("LICENSE.txt", "terms\n"))
        card = b"---\nlicense: other\n---\n# Model\nwords\n## License\nRead this.\n### Part\nAnd this.\n## Usage\nno\n"
        files = {k: v for k, v in sana(self.rng).items() if k != "LICENSE.txt"}
        self.hub.add(Repo("org/card", {**files, "README.md": card}))
        got = self.run_tool("licence", "org/card")[0]
        self.assertEqual((got["name"], got["text"]), ("README.md", "Read this.\n### Part\nAnd this."))
        self.hub.add(Repo("org/none", {**files, "docs/LICENSE": b"of something else"}))
        self.assertEqual(self.run_tool("licence", "org/none")[0]["text"], None)

    # ---- the cache

    def test_verify_repair(self):
        repo = self.add_sana()
        snapshot = self.pull("org/sana")["snapshot"]
        vae = os.path.join(snapshot, "vae/diffusion_pytorch_model.safetensors")
        with open(vae, "r+b") as f:
            f.seek(5000)
            f.write(b"mosaic")
        os.unlink(os.path.join(snapshot, "transformer/config.json"))
        self.assertEqual([f["path"] for f in self.run_tool("verify", "org/sana", code=1)], ["transformer/config.json"])
        found = {f["path"] for f in self.run_tool("deep", "org/sana", code=1)}
        self.assertEqual(found, {"transformer/config.json", "vae/diffusion_pytorch_model.safetensors"})
        self.hub.log.clear()
        self.run_tool("repair", "org/sana")
        files = {r.file[1] for r in self.hub.log if r.file and r.sent}
        self.assertEqual(files - {"transformer/config.json"}, {"vae/diffusion_pytorch_model.safetensors"})
        self.run_tool("deep", "org/sana")
        # A file cut short and a header that lies are found without reading everything.
        with open(vae, "r+b") as f:
            f.truncate(1000)
        weights = os.path.realpath(os.path.join(snapshot, "transformer/diffusion_pytorch_model.bf16.safetensors"))
        with open(weights, "r+b") as f:
            f.write(b"\xff" * 8)
        self.assertEqual(len(self.run_tool("verify", "org/sana", code=1)), 2)

    def test_repair_asks_for_the_same_weights(self):
        repo = self.add_sana()
        snapshot = self.run_tool("pull", "org/sana", "", "fp32")[-1]["snapshot"]
        self.run_tool("deep", "org/sana")
        with open(os.path.join(snapshot, "vae/diffusion_pytorch_model.safetensors"), "r+b") as f:
            f.truncate(1000)
        os.unlink(os.path.join(snapshot, "transformer/diffusion_pytorch_model-00002-of-00002.safetensors"))
        self.assertEqual(len(self.run_tool("deep", "org/sana", code=1)), 2)
        self.hub.log.clear()
        self.run_tool("repair", "org/sana")
        self.assertEqual({r.file[1] for r in self.hub.log if r.storage and r.sent},
                         {"vae/diffusion_pytorch_model.safetensors"})
        self.assertFalse([p for p in repo.files if "bf16" in p and os.path.exists(os.path.join(snapshot, p))])
        self.run_tool("deep", "org/sana")

    def test_remove_frees_what_nothing_else_uses(self):
        repo = self.add_sana()
        first = os.path.basename(self.pull("org/sana")["snapshot"])
        repo.set({**repo.files, "vae/diffusion_pytorch_model.safetensors": safetensors(self.rng, 50000)})
        second = os.path.basename(self.pull("org/sana")["snapshot"])
        old = repo.commits[first]["vae/diffusion_pytorch_model.safetensors"].size
        self.assertEqual(self.run_tool("remove-dry", "org/sana", first)[0]["freed"], old)
        self.assertEqual(self.run_tool("remove", "org/sana", first)[0]["freed"], old)
        self.run_tool("deep", "org/sana")
        self.assertEqual([s["commit"] for s in self.run_tool("installed")], [second])
        self.run_tool("remove", "org/sana")
        self.assertEqual(self.run_tool("installed"), [])
        self.assertFalse(os.path.exists(self.blobs()))

    def test_same_content_in_two_repositories(self):
        repo = self.add_sana()
        self.hub.add(Repo("org/tuned", {**repo.files, "transformer/config.json": b'{"tuned": 1}'}))
        self.pull("org/sana")
        self.hub.log.clear()
        self.pull("org/tuned")
        self.assertLess(self.bytes_sent(), 5000)
        etag = repo.files["vae/diffusion_pytorch_model.safetensors"].etag
        self.assertTrue(os.path.samefile(os.path.join(self.blobs(), etag), os.path.join(self.blobs("org--tuned"), etag)))
        self.assertLess(self.run_tool("remove-dry", "org/tuned")[0]["freed"], 20000)

    def test_import_by_hash(self):
        repo = self.add_sana()
        folder = os.path.join(self.top, "elsewhere", "deep")
        os.makedirs(folder)
        file = repo.files["transformer/diffusion_pytorch_model.bf16.safetensors"]
        with open(os.path.join(folder, "model.safetensors"), "wb") as f:
            f.write(file.data)
        with open(os.path.join(folder, "same size.safetensors"), "wb") as f:
            f.write(b"\0" * repo.files["vae/diffusion_pytorch_model.safetensors"].size)
        self.pull("--import", os.path.join(self.top, "elsewhere"), "org/sana")
        self.assertNotIn("transformer/diffusion_pytorch_model.bf16.safetensors",
                         {r.file[1] for r in self.hub.log if r.file and r.sent})
        self.assertEqual(os.stat(os.path.join(folder, "model.safetensors")).st_nlink, 2)
        self.run_tool("deep", "org/sana")

    def test_without_links(self):
        repo = self.add_sana()
        snapshot = self.pull("--no-links", "org/sana")["snapshot"]
        for folder, _, names in os.walk(snapshot):
            for name in names:
                self.assertFalse(os.path.islink(os.path.join(folder, name)))
        self.run_tool("deep", "org/sana")
        self.assertEqual(self.pull("--no-links", "org/sana")["fetched"], 0)
        self.assertEqual(os.listdir(self.blobs()), [])
        with open(os.path.join(snapshot, "vae/diffusion_pytorch_model.safetensors"), "r+b") as f:
            f.seek(5000)
            f.write(b"mosaic")
        self.run_tool("deep", "org/sana", code=1)
        self.assertEqual(self.run_tool("--no-links", "repair", "org/sana")[-1]["state"], "done")
        self.run_tool("deep", "org/sana")

    def test_orphans(self):
        self.add_sana()
        self.pull("org/sana")
        for name in ("f" * 64, "e" * 64 + ".incomplete", "d" * 40 + ".easel.incomplete"):
            with open(os.path.join(self.blobs(), name), "wb") as f:
                f.write(b"x" * 5000)
        self.assertEqual(len(self.run_tool("orphans")), 3)
        self.run_tool("orphans-remove")
        self.assertEqual(self.run_tool("orphans"), [])
        self.run_tool("deep", "org/sana")

    # ---- access

    def refused(self, reason, *args, **more):
        end = self.run_tool(*args, code=1, **more)[-1]
        self.assertEqual(end["reason"], reason, end)
        self.assertGreater(len(end["message"]), 30)
        return end["message"]

    def test_three_sentences_about_access(self):
        self.add_sana("org/gated", gated="auto")
        self.add_sana("org/private", private=True)
        self.hub.tokens = {"hf_no-right": (), "hf_good": (), "hf_in": ("org/gated", "org/private")}
        sentences = [self.refused("no-token", "plan", "org/gated"),
                     self.refused("token-right", "--token", "hf_no-right", "plan", "org/gated"),
                     self.refused("terms", "--token", "hf_good", "plan", "org/gated"),
                     self.refused("bad-token", "--token", "hf_old", "plan", "org/gated"),
                     self.refused("no-repository", "plan", "org/private"),
                     self.refused("no-repository", "--token", "hf_good", "plan", "org/private")]
        self.assertEqual(len(set(sentences)), 6)
        self.assertIn(self.hub.endpoint + "/org/gated", sentences[2])  # the page to open
        self.assertFalse([r for r in self.hub.log if r.storage])  # not a byte before access was clear
        for repo in ("org/gated", "org/private"):
            self.assertEqual(self.pull("--token", "hf_in", repo)["state"], "done")

    def test_token_goes_nowhere_else(self):
        self.add_sana("org/gated", gated="auto")
        self.hub.tokens = {TOKEN: ("org/gated",)}
        env = {"G_MESSAGES_DEBUG": "all"}
        self.pull("--token", TOKEN, "org/gated", env=env)
        self.hub.fault = lambda r: "500" if r.storage else None
        shutil.rmtree(self.blobs("org--gated"))
        self.pull("--token", TOKEN, "org/gated", env=env, code=1)
        self.hub.fault = lambda r: "cut" if r.storage else None
        self.pull("--token", TOKEN, "org/gated", env=env, code=1)
        self.assertNotIn(TOKEN, self.output)
        self.assertTrue(any(r.auth for r in self.hub.log if not r.storage))
        for r in self.hub.log:
            self.assertNotIn(TOKEN, r.path)
            if r.storage:
                self.assertNotIn(TOKEN, json.dumps(r.headers))
        for folder, _, names in os.walk(self.top):
            for name in names:
                self.assertNotIn(TOKEN, name)
                if os.path.exists(os.path.join(folder, name)):
                    with open(os.path.join(folder, name), "rb") as f:
                        self.assertNotIn(TOKEN.encode(), f.read())

    def test_token_repeated_by_the_server_is_not_shown(self):
        self.add_sana()
        self.hub.tokens = {TOKEN: ()}
        original = Handler.route
        Handler.route = lambda h: h.error(403, None, f"permission: your token {TOKEN} is of no use here")
        self.addCleanup(setattr, Handler, "route", original)
        self.refused("token-right", "--token", TOKEN, "plan", "org/sana")
        self.assertNotIn(TOKEN, self.output)

    # ---- hostile repositories

    def test_hostile_lists(self):
        entry = {"type": "file", "oid": "a" * 40, "size": 3}
        for bad in ({"path": "../../evil"}, {"path": "/tmp/evil"}, {"path": "a/\u001b[2Jb"}, {"path": "vae"},
                    {"path": "a\\b"}, {"path": "x", "size": -5}, {"path": "x", "size": 1 << 60},
                    {"path": "x", "oid": "../../../evil"}, {"path": "x", "type": "symlink"}, {"path": "README.md"},
                    {"path": "x", "lfs": {"oid": "b" * 64, "size": 4}}, {"path": "y" * 5000}):
            repo = self.add_sana()
            repo.extra_tree = [{**entry, **bad}]
            self.refused("hostile", "pull", "org/sana")
            self.assertFalse(os.path.exists(self.blobs()), bad)
        self.assertEqual(set(os.listdir(self.top)) - {"cache"}, set())

    def test_a_billion_files(self):
        self.add_sana()
        self.hub.endless = 1
        end = self.run_tool("pull", "org/sana", code=1)[-1]
        self.assertEqual(end["reason"], "hostile")
        self.assertLess(end["peak_kib"], 40 << 10)

    def test_lying_sizes(self):
        self.add_sana()
        for fault, reasons in (("lie", {"hostile"}), ("range-lie", {"hostile"}), ("changed", {"changed"})):
            self.hub.fault = lambda r: fault if r.file or "/resolve/" in r.path or r.storage else None
            end = self.run_tool("--connections", "4", "pull", "org/sana", code=1)[-1]
            self.assertIn(end["reason"], reasons, (fault, end))
        self.hub.fault = None
        self.pull("org/sana")

    def test_wrong_bytes_each_time(self):
        self.add_sana()
        self.hub.fault = lambda r: "wrong" if r.storage else None
        end = self.run_tool("pull", "org/sana", code=1)[-1]
        self.assertEqual(end["reason"], "wrong-bytes")
        names = [n for n in os.listdir(self.blobs()) if len(n) == 64]
        self.assertEqual(names, [])

    # ---- bad weather

    def test_not_a_pipeline(self):
        self.hub.add(Repo("org/text", {"config.json": b"{}", "model.safetensors": b"x" * 50000}))
        self.hub.add(Repo("org/sd", {"model_index.json": b'{"_class_name": "StableDiffusionPipeline"}'}))
        self.refused("not-a-pipeline", "plan", "org/text")
        self.assertIn("StableDiffusionPipeline", self.refused("not-a-pipeline", "plan", "org/sd"))

    def test_names_that_are_none(self):
        self.refused("no-repository", "plan", "../../etc")
        self.refused("no-repository", "plan", "org/nothing")
        self.add_sana()
        self.refused("no-revision", "plan", "org/sana", "gone")
        self.refused("no-revision", "plan", "org/sana", "../x")

    def test_no_network(self):
        self.hub.endpoint = "http://127.0.0.1:9"
        self.refused("no-network", "pull", "org/sana")
        self.hub.endpoint = "http://nowhere.invalid"
        self.refused("no-network", "plan", "org/sana")

    def test_offline(self):
        self.add_sana()
        self.refused("offline", "--offline", "plan", "org/sana")
        self.pull("org/sana")
        self.hub.log.clear()
        plan = self.run_tool("--offline", "plan", "org/sana")[0]
        self.assertEqual(plan["fetch"], 0)
        self.assertEqual(self.pull("--offline", "org/sana")["state"], "done")
        self.assertEqual(self.hub.log, [])

    def test_portal(self):
        self.add_sana()
        self.hub.fault = lambda r: "portal"
        self.refused("portal", "plan", "org/sana")

    def test_loops_and_silence(self):
        self.add_sana()
        for fault, reason in (("loop", "server"), ("silence", "no-network"), ("429", "busy"), ("500", "server"),
                              ("truncated", "server")):
            self.hub.fault = lambda r: fault
            self.refused(reason, "--stall-ms", "400" if fault == "silence" else "8000", "plan", "org/sana")
        self.hub.fault = lambda r: "loop" if r.storage else None
        self.refused("server", "pull", "org/sana")

    def test_untrusted_certificate(self):
        if not shutil.which("openssl"):
            self.skipTest("openssl is not installed")
        key, pem = os.path.join(self.top, "key"), os.path.join(self.top, "pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", pem, "-days", "2",
                        "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"], check=True, capture_output=True)
        server = Server(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem, key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.hub, server.storage = self.hub, False
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.add_sana()
        self.hub.endpoint = f"https://localhost:{server.server_port}"
        self.refused("tls", "plan", "org/sana")
        self.run_tool("--ca", pem, "plan", "org/sana")
        # From https to http: refused, the token stays home.
        self.refused("tls", "--ca", pem, "pull", "org/sana")

    def test_proxy(self):
        seen = []

        class Proxy(socketserver.StreamRequestHandler):
            def handle(self):
                seen.append(self.rfile.readline().decode())
                self.wfile.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

        proxy = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Proxy)
        proxy.daemon_threads = True
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        self.addCleanup(proxy.server_close)
        self.addCleanup(proxy.shutdown)
        self.add_sana()
        address = f"http://127.0.0.1:{proxy.server_address[1]}"
        self.refused("server", "--proxy", address, "plan", "org/sana")
        self.assertIn(self.hub.endpoint, seen[0])
        # The environment is for the program to read, not for the library.
        self.run_tool("plan", "org/sana", env={"http_proxy": address, "ALL_PROXY": address})

    def test_cache_that_cannot_be_written(self):
        self.add_sana()
        with open(os.path.join(self.top, "file"), "w"):
            pass
        end = self.run_tool("pull", "org/sana", cache=os.path.join(self.top, "file", "cache"), code=1)[-1]
        self.assertIn(end["reason"], ("disk", "read-only"))
        if os.geteuid() != 0:
            os.makedirs(self.cache)
            os.chmod(self.cache, 0o500)
            self.assertEqual(self.run_tool("pull", "org/sana", code=1)[-1]["reason"], "read-only")

    def test_no_room(self):
        self.add_sana()
        self.refused("disk-full", "--keep-free", str(1 << 60), "pull", "org/sana")
        self.assertFalse([r for r in self.hub.log if r.storage and r.sent])

    def test_full_drive(self):
        probe = subprocess.run(["unshare", "-rm", "true"], capture_output=True)
        if probe.returncode:
            self.skipTest("no user namespaces here")
        self.add_sana()
        os.makedirs(self.cache)
        command = f'mount -t tmpfs -o size=500k none "{self.cache}" && exec "$@"'
        p = subprocess.run(["unshare", "-rm", "sh", "-c", command, "sh", *self.args("pull", "org/sana")],
                           capture_output=True, text=True, timeout=60)
        end = json.loads(p.stdout.splitlines()[-1])
        self.assertEqual(end["reason"], "disk-full", end)
        self.assertIn("free", end["message"])


CLI = os.path.join(os.environ.get("EASEL_BUILD", os.path.join(os.path.dirname(TOOL or "."), "..", "..")), "app", "easel-cli")


@unittest.skipUnless(os.path.exists(CLI), "easel-cli is not built")
class CliTest(unittest.TestCase):
    """The same through `easel-cli models`, as a person types it."""

    def setUp(self):
        self.hub = Hub(5)
        self.repo = self.hub.add(Repo("org/sana", sana(random.Random(5)), tags=["license:other"]))
        self.top = tempfile.mkdtemp(prefix="easel-hub-cli-")
        self.addCleanup(shutil.rmtree, self.top, True)
        self.addCleanup(self.hub.close)
        self.env = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy") and not k.startswith("HF_")}
        self.env |= {"HF_ENDPOINT": self.hub.endpoint, "HF_HOME": os.path.join(self.top, "hf"),
                     "XDG_DATA_HOME": os.path.join(self.top, "data"), "DBUS_SESSION_BUS_ADDRESS": "unix:path=/nonexistent"}

    def cli(self, *args, code=0, **env):
        p = subprocess.run([CLI, "models", *args], capture_output=True, text=True, timeout=120, env={**self.env, **env})
        self.assertEqual(p.returncode, code, p.stdout + p.stderr)
        return p.stdout if code == 0 else p.stderr

    def test_search_plan_pull_verify_repair_remove(self):
        self.assertIn("cogvideox-2b", self.cli("search"))
        self.assertIn("org/sana", self.cli("search", "sana"))
        self.assertIn("to fetch", self.cli("plan", "org/sana"))
        self.assertIn("terms", self.cli("licence", "org/sana"))
        snapshot = self.cli("pull", "org/sana").strip()
        self.assertTrue(snapshot.startswith(os.path.join(self.top, "hf", "hub")))
        self.assertIn("org/sana", self.cli())
        self.assertIn("nothing wrong", self.cli("verify", "--deep"))
        with open(os.path.join(snapshot, "vae/diffusion_pytorch_model.safetensors"), "r+b") as f:
            f.seek(3000)
            f.write(b"mosaic")
        self.cli("verify")
        self.cli("verify", "--deep", code=1)
        self.cli("repair", "org/sana")
        self.assertIn("would be freed", self.cli("remove", "org/sana", "--dry-run"))
        self.cli("remove", "org/sana")
        self.assertFalse(os.path.exists(snapshot))

    def test_environment(self):
        self.assertIn("offline", self.cli("pull", "org/sana", code=1, HF_HUB_OFFLINE="1"))
        cache = os.path.join(self.top, "other")
        self.assertTrue(self.cli("pull", "org/sana", HF_HUB_CACHE=cache).startswith(cache))
        self.hub.add(Repo("org/gated", self.repo.files, gated="auto"))
        self.hub.tokens = {TOKEN: ("org/gated",)}
        self.assertIn("no token", self.cli("pull", "org/gated", code=1))
        self.assertNotIn(TOKEN, self.cli("pull", "org/gated", HF_TOKEN=TOKEN))
        self.cli("remove", "org/gated")
        with open(os.path.join(self.top, "hf", "token"), "w") as f:
            f.write(TOKEN + "\n")
        self.assertIn("no token", self.cli("pull", "org/gated", code=1))  # not without asking
        self.cli("pull", "org/gated", "--use-login")

    def test_interrupted(self):
        self.hub.rate = 100_000
        p = subprocess.Popen([CLI, "models", "pull", "org/sana"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                             env=self.env)
        while not any(r.sent and r.storage for r in self.hub.log) and p.poll() is None:
            time.sleep(0.01)
        p.send_signal(signal.SIGINT)
        _, err = p.communicate(timeout=30)
        self.assertEqual(p.returncode, 130, err)
        self.hub.rate = 0
        self.cli("pull", "org/sana")


if __name__ == "__main__":
    unittest.main(verbosity=2)
