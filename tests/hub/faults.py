#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Random faults: faults.py HUBTOOL [--runs N] [--seed S] [--verbose]

A run: a repository, an empty cache, up to four tries with faults at random places (in the network, a full disk,
kill -9), then one try without. After each try: no wrong file under a right name, nothing outside the cache, nothing
fetched again that was whole, and the program ended with the right bytes or said in a sentence why not. The last try
must end with the right bytes. Prints a table of what happened; exit status 1 at the first breach, with its seed."""
import argparse
import collections
import hashlib
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from hubserver import API_FAULTS, FILE_FAULTS, Hub, Repo, sana

BASES = {}


class Breach(Exception):
    pass


def repository(rng):
    """Eight different repositories are enough; making random bytes takes longer than serving them."""
    seed = rng.randrange(8)
    if seed not in BASES:
        r = random.Random(seed)
        BASES[seed] = Repo("org/sana", sana(r, scale=r.choice([1, 1, 2]))).files
    return Repo("org/sana", dict(BASES[seed]))


def check_cache(cache, repo):
    """Every name tells the truth. Returns the paths whose content is complete."""
    whole, base = set(), os.path.join(cache, "models--org--sana")
    blobs = os.path.join(base, "blobs")
    for name in os.listdir(blobs) if os.path.isdir(blobs) else []:
        if "." in name:
            continue
        with open(os.path.join(blobs, name), "rb") as f:
            data = f.read()
        right = hashlib.sha256(data) if len(name) == 64 else hashlib.sha1(b"blob %d\0" % len(data) + data)
        if right.hexdigest() != name:
            raise Breach(f"wrong bytes under the name {name}")
        whole.add(name)
    for commit, files in repo.commits.items():
        snapshot = os.path.join(base, "snapshots", commit)
        for folder, _, names in os.walk(snapshot):
            for name in names:
                path = os.path.join(folder, name)
                inner = os.path.relpath(path, snapshot)
                if name.endswith(".tmp"):
                    continue
                if inner not in files:
                    raise Breach(f"{inner} is not in the repository")
                if os.path.basename(os.readlink(path)) != files[inner].etag or not os.path.exists(path):
                    raise Breach(f"{inner} points elsewhere")
        if os.path.exists(os.path.join(snapshot, "model_index.json")):
            for p in wanted(files):
                if not os.path.exists(os.path.join(snapshot, p)):
                    raise Breach(f"model_index.json is there and {p} is not")
    if set(os.listdir(os.path.dirname(cache))) - {"cache"}:
        raise Breach("something outside the cache")
    return whole


def wanted(files):
    drop = ("int4", ".gitattributes", "diffusion_pytorch_model-0", "text_encoder/model-0")
    skip = ("transformer/diffusion_pytorch_model.safetensors.index.json", "text_encoder/model.safetensors.index.json")
    return [p for p in files if p not in skip and not any(d in p for d in drop)]


def one_run(tool, seed, table, verbose):
    rng = random.Random(seed)
    hub = Hub(seed)
    repo = hub.add(repository(rng))
    hub.stall = 1.0
    top = tempfile.mkdtemp(prefix="easel-faults-")
    cache = os.path.join(top, "cache")
    base = [tool, "--endpoint", hub.endpoint, "--cache", cache, "--stall-ms", "250", "--backoff-ms", "2", "--retries", "4",
            "--keep-free", "0", "--block", str(rng.choice([4096, 16384])), "--piece", str(rng.choice([16384, 65536, 1 << 20])),
            "--connections", str(rng.choice([1, 2, 4, 8])), "pull", "org/sana"]
    whole = set()
    try:
        for attempt in range(5):
            last = attempt == 4
            rate = 0 if last else rng.choice([0.05, 0.15, 0.3, 0.5])
            kinds = rng.sample(API_FAULTS, rng.randint(0, 2)) + rng.sample(FILE_FAULTS, rng.randint(1, 4))
            change_at = rng.randrange(40) if not last and rng.random() < 0.15 else None
            count = [0]

            def fault(request):
                count[0] += 1
                if count[0] == change_at:  # a new commit in the middle; sometimes the old one is gone
                    files = dict(repo.files)
                    name = rng.choice(["vae/diffusion_pytorch_model.safetensors", "vae/config.json"])
                    files[name] = b"{}" if name.endswith("json") else files[name].data[:-4] + rng.randbytes(4)
                    old = repo.main
                    repo.set(files)
                    if repo.main != old and rng.random() < 0.5:
                        repo.gone.add(old)
                    table["server: new commit"] += 1
                if last or hub.rng.random() >= rate:
                    return None
                api = request.path.startswith("/api/")
                usable = [k for k in kinds if k in (API_FAULTS if api else FILE_FAULTS)]
                kind = hub.rng.choice(usable) if usable else None
                if kind:
                    table["server: " + kind] += 1
                return kind

            hub.fault, hub.log[:] = fault, []
            limit = rng.choice([0, 20000, 100000, 250000]) if not last and rng.random() < 0.15 else None
            kill = rng.random() * 0.25 if not last and rng.random() < 0.25 else None

            def limits():
                if limit is not None:
                    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
                    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

            # The last try must succeed, so that no slow machine is taken for a silent server.
            patience = ["--stall-ms", "20000"] if last else []
            p = subprocess.Popen([*base, *patience], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=limits,
                                 restore_signals=False)
            if kill is not None:
                try:
                    p.wait(kill)
                except subprocess.TimeoutExpired:
                    p.kill()
            try:
                out, err = p.communicate(timeout=120)
            except subprocess.TimeoutExpired:
                p.kill()
                raise Breach("no end after two minutes")
            again = {repo_file for r in hub.log if r.sent > 0 and r.file for repo_file in [r.file]}
            for _, path in again:
                etags = {files[path].etag for files in repo.commits.values() if path in files}
                if etags and etags <= whole and path != "model_index.json":
                    raise Breach(f"{path} was whole and is fetched again")
            whole = check_cache(cache, repo)
            if p.returncode == -signal.SIGKILL and kill is not None:
                table["end: killed"] += 1
                continue
            if p.returncode not in (0, 1):
                raise Breach(f"ended with {p.returncode}: {err}")
            result = json.loads(out.strip().splitlines()[-1])
            table["end: " + (result["state"] if result["state"] == "done" else result["reason"])] += 1
            if limit is not None:
                table["client: disk full"] += 1
            if verbose:
                print(seed, attempt, result["state"], result["reason"], result["message"])
            if result["state"] == "done":
                files = repo.commits[os.path.basename(result["snapshot"])]
                for path in wanted(files):
                    with open(os.path.join(result["snapshot"], path), "rb") as f:
                        if f.read() != files[path].data:
                            raise Breach(f"{path} is not what the server has")
            elif result["reason"] == "none" or len(result["message"] or "") < 15:
                raise Breach(f"no clear state: {result}")
            elif last:
                raise Breach(f"no fault, and yet: {result}")
            if result["state"] == "done" and count[0] != 0 and rng.random() < 0.8:
                break
    finally:
        hub.close()
        shutil.rmtree(top, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tool")
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--verbose", action="store_true")
    args = parser.parse_args()
    table, began = collections.Counter(), time.monotonic()
    for i in range(args.runs):
        seed = args.seed + i
        try:
            one_run(os.path.abspath(args.tool), seed, table, args.verbose)
        except Breach as breach:
            print(f"seed {seed}: {breach}")
            sys.exit(1)
        if (i + 1) % 100 == 0:
            print(f"{i + 1} runs", flush=True)
    for name, n in sorted(table.items()):
        print(f"{name:28} {n:7}")
    print(f"{args.runs} runs, {time.monotonic() - began:.0f} s, no breach")


main()
