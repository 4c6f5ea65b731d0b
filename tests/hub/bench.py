#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""How fast, against curl alone for the same bytes: bench.py HUBTOOL [--gib 2] [--rounds 3] [--dir /dev/shm]

A repository of --gib GiB in --files files is fetched over the loopback by curl, which
hashes nothing, and by us, hashing included, in turn; one connection and eight. Server, source and targets are on a
memory drive, so that no disk is measured. Prints wall and processor seconds, the ratio (curl / ours: more than 1 is
faster than curl; best of each, since the rest is other programs' noise) and our peak memory. On a machine that is busy
with other things the clock measures those; the processor seconds of the busiest thread (curl's only one, our network
thread; the hash has its own) say what the clock would on a machine with a processor for each. Asserts nothing."""
import argparse
import json
import os
import resource
import shutil
import struct
import subprocess
import sys
import tempfile
import time

from hubserver import File, Hub, Repo

parser = argparse.ArgumentParser()
parser.add_argument("tool")
parser.add_argument("--gib", type=float, default=2)
parser.add_argument("--files", type=int, default=2)
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--dir", default="/dev/shm")
parser.add_argument("--serve", help=argparse.SUPPRESS)
args = parser.parse_args()


def children():
    r = resource.getrusage(resource.RUSAGE_CHILDREN)
    return r.ru_utime + r.ru_stime


if args.serve:  # a process of its own, as a server is
    hub = Hub()
    hub.add(Repo("org/big", {n: File(path=os.path.join(args.serve, n)) for n in sorted(os.listdir(args.serve))}))
    print(hub.endpoint, flush=True)
    sys.stdin.read()
    sys.exit()

top = tempfile.mkdtemp(prefix="easel-bench-", dir=args.dir)
try:
    source = os.path.join(top, "source")
    os.mkdir(source)
    block = os.urandom(32 << 20)
    size = int(args.gib * (1 << 30)) // args.files
    for i in range(args.files):
        with open(os.path.join(source, f"w{i}.safetensors"), "wb") as f:
            for at in range(0, size, len(block)):
                f.write((struct.pack("<QQ", i, at) + block[16:])[:size - at])
    server = subprocess.Popen([sys.executable, os.path.abspath(__file__), args.tool, "--serve", source],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    endpoint = server.stdout.readline().strip()

    def run(command, target):
        shutil.rmtree(target, True)
        os.mkdir(target)
        cpu, began = children(), time.monotonic()
        out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        wall, cpu = time.monotonic() - began, children() - cpu
        shutil.rmtree(target)
        return wall, cpu, out

    def curl(connections):
        target = os.path.join(top, "curl")
        command = ["curl", "-sSL"] + (["-Z", "--parallel-max", str(connections)] if connections > 1 else [])
        for i in range(args.files):
            command += [f"{endpoint}/org/big/resolve/main/w{i}.safetensors", "-o", os.path.join(target, str(i))]
        return run(command, target)

    def ours(connections):
        target = os.path.join(top, "ours")
        return run([args.tool, "--endpoint", endpoint, "--cache", target, "--keep-free", "0", "--no-sync",
                    "--connections", str(connections), "pull", "org/big", "", "all"], target)

    for connections in (1, 8):
        theirs, mine, network, peak = [], [], [], 0
        for _ in range(args.rounds):
            theirs.append(curl(connections)[:2])
            wall, cpu, out = ours(connections)
            mine.append((wall, cpu))
            end = json.loads(out.splitlines()[-1])
            peak = max(peak, end["peak_kib"])
            network.append(end["network_cpu_s"])
        a, b = min(t[0] for t in theirs), min(t[0] for t in mine)
        print(f"{connections} connection{'s' * (connections > 1)}: curl {a:.2f} s ({args.gib * 1.0737 / a:.2f} GB/s, "
              f"{min(t[1] for t in theirs):.2f} cpu s), ours {b:.2f} s ({args.gib * 1.0737 / b:.2f} GB/s, "
              f"{min(t[1] for t in mine):.2f} cpu s, {min(network):.2f} of them the network thread's), ratio {a / b:.2f} by the "
              f"clock, {min(t[1] for t in theirs) / min(network):.2f} by the busiest thread, "
              f"peak {peak / 1024:.1f} MiB", flush=True)
    server.stdin.close()
    server.wait()
finally:
    shutil.rmtree(top, ignore_errors=True)
