#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""crash.py WORKER CLI MODELS [ROUNDS]: kill -9 at random moments while pictures are saved, generated, edited, trashed,
and the index is migrated or made anew. Afterwards the index must be sound and everything that was said to be saved must
be there. Rounds are spread over the modes; 500 is the figure, a few run with every test."""
import hashlib
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

worker, cli, models = sys.argv[1:4]
rounds = int(sys.argv[4]) if len(sys.argv) > 4 else 24
seed = int(os.environ.get("EASEL_CRASH_SEED", time.time()))
chance = random.Random(seed)
modes = ["saving", "editing", "trashing", "migrating", "rebuilding", "generating"]
print(f"seed {seed} (EASEL_CRASH_SEED repeats it), {rounds} rounds", flush=True)
top = tempfile.mkdtemp(prefix="easel-crash-")
env = {**os.environ, "XDG_DATA_HOME": os.path.join(top, "data"), "XDG_CACHE_HOME": os.path.join(top, "cache"),
       "HOME": top}


class Lost(Exception):
    pass


def need(condition, what):
    if not condition:
        raise Lost(what)


def run(mode, home, number, delay):
    """What the worker said until it was killed after `delay` seconds from its first line; and whether it was."""
    process = subprocess.Popen([worker, mode, home, str(number), models], stdout=subprocess.PIPE, env=env)
    if mode in ("migrating", "rebuilding"):
        time.sleep(delay)
    else:
        first = process.stdout.readline()
        need(first == b"open\n", f"the worker begins: {first}")
        time.sleep(delay)
    killed = process.poll() is None
    process.send_signal(signal.SIGKILL)
    lines = process.stdout.read().decode().splitlines()
    process.wait()
    for line in lines:
        need(not line.startswith("error "), line)
    return lines, killed


def index(home):
    return os.path.join(home, "index", "gallery.sqlite")


def rows(home):
    """As the next start finds it: SQLite replays its log, the gallery opens and finishes what was interrupted."""
    out = subprocess.run([cli, "gallery", "list", "--json", "--folder", os.path.join(home, "pictures")], check=False,
                         capture_output=True, env={**env, "XDG_DATA_HOME": os.path.join(home, "xdg")})
    need(out.returncode == 0, f"the gallery opens: {out.stderr.decode()}")
    check = subprocess.run([cli, "gallery", "check", "--json", "--folder", os.path.join(home, "pictures")],
                           capture_output=True, check=False,
                           env={**env, "XDG_DATA_HOME": os.path.join(home, "xdg")})
    need(json.loads(check.stdout)["sound"], f"the index is sound: {check.stdout.decode()}")
    return {row["number"]: row for row in json.loads(out.stdout)}


def new_home():
    home = tempfile.mkdtemp(dir=top)
    os.makedirs(os.path.join(home, "index"))
    os.makedirs(os.path.join(home, "xdg"))
    os.symlink(os.path.join(home, "index"), os.path.join(home, "xdg", "easel"))  # where easel-cli looks
    return home


def fill(home, n):
    """n pictures in the index."""
    process = subprocess.Popen([worker, "saving", home, "1", models], stdout=subprocess.PIPE, env=env)
    for _ in range(n + 1):
        process.stdout.readline()
    process.kill()
    process.wait()


def make_old(home):
    """Turns the index into one of version 1 with stars, as an earlier release left it."""
    db = sqlite3.connect(index(home))
    marks = {}
    for number, path in db.execute("SELECT id, path FROM item").fetchall():
        stars = chance.randint(1, 5)
        marks[path] = stars
        db.execute("UPDATE item SET stars = ? WHERE id = ?", (stars, number))
    db.executescript("""
        DROP TRIGGER item_added; DROP TRIGGER item_removed; DROP TRIGGER item_edited;
        PRAGMA writable_schema = ON; DELETE FROM sqlite_master WHERE name = 'words'; PRAGMA writable_schema = OFF;
        """)
    db.commit()
    db.close()
    db = sqlite3.connect(index(home))
    db.executescript("""
        DROP TABLE words_data; DROP TABLE words_idx; DROP TABLE words_docsize; DROP TABLE words_config;
        DROP INDEX item_shown; DROP INDEX item_starred; DROP INDEX item_named; DROP INDEX item_model;
        DROP TABLE salvaged; DROP TABLE place; ALTER TABLE item DROP COLUMN seconds;
        CREATE INDEX item_newest ON item (state, created DESC, id DESC);
        CREATE VIRTUAL TABLE words USING fts5 (prompt, negative, model, tags, path, content='item', content_rowid='id',
          prefix='1 2 3', tokenize='unicode61 remove_diacritics 2');
        INSERT INTO words (words) VALUES ('rebuild');
        CREATE TRIGGER item_added AFTER INSERT ON item BEGIN
          INSERT INTO words (rowid, prompt, negative, model, tags, path)
          VALUES (new.id, new.prompt, new.negative, new.model, new.tags, new.path); END;
        CREATE TRIGGER item_removed AFTER DELETE ON item BEGIN
          INSERT INTO words (words, rowid, prompt, negative, model, tags, path)
          VALUES ('delete', old.id, old.prompt, old.negative, old.model, old.tags, old.path); END;
        CREATE TRIGGER item_edited AFTER UPDATE OF prompt, negative, model, tags, path ON item BEGIN
          INSERT INTO words (words, rowid, prompt, negative, model, tags, path)
          VALUES ('delete', old.id, old.prompt, old.negative, old.model, old.tags, old.path);
          INSERT INTO words (rowid, prompt, negative, model, tags, path)
          VALUES (new.id, new.prompt, new.negative, new.model, new.tags, new.path); END;
        PRAGMA user_version = 1;
        """)
    db.close()
    return marks


def same_stars(home, marks):
    found = {os.path.basename(row["file"]): row["stars"] for row in rows(home).values()}
    # One more may be there: written, but not in the index yet when the first worker was ended.
    wrong = {name: (found.get(name), stars) for name, stars in marks.items() if found.get(name) != stars}
    need(not wrong and len(found) <= len(marks) + 1, f"stars as they are and as they were set: {wrong}")


def one_round(mode, number):
    home = new_home()
    if mode == "saving":
        lines, _ = run(mode, home, number, chance.uniform(0, 0.4))
        found = rows(home)
        for line in lines:
            _, item, digest, path = line.split(" ", 3)
            need(int(item) in found and found[int(item)]["file"] == path, f"in the index: {line}")
            with open(path, "rb") as file:
                need(hashlib.md5(file.read()).hexdigest() == digest, f"the bytes of {path}")
        left = [n for n in os.listdir(os.path.join(home, "pictures")) if not n.endswith(".png")]
        need(not [n for n in left if not n.startswith(".")], f"nothing half-made is visible: {left}")
    elif mode in ("editing", "trashing"):
        fill(home, 6)
        lines, _ = run(mode, home, number, chance.uniform(0, 0.4))
        last = {}
        for line in lines:
            what, item, *rest = line.split(" ", 2)
            last[(what if what in ("stars", "tags") else "place", int(item))] = (what, rest)
        found = rows(home)
        # One change may have been saved and not yet said when the end came; not two.
        other = []
        for (kind, item), (what, rest) in last.items():
            if kind == "place":
                right = (item in found) == (what == "back")
            elif kind == "stars":
                right = str(found[item]["stars"]) == rest[0]
            else:
                right = ",".join(found[item]["tags"]) == rest[0]
            if not right:
                other.append(f"{what} {item} {rest}")
        need(len(other) <= 1, f"not as it was said: {other}")
        need(all_there(home), "no picture is lost")
    elif mode in ("migrating", "rebuilding"):
        fill(home, 12)
        marks = make_old(home)
        run(mode, home, number, chance.uniform(0.002, 0.12))
        same_stars(home, marks)
    else:
        lines, _ = run(mode, home, number, chance.uniform(0, 1.2))
        found = rows(home)
        queued = {line.split()[1] for line in lines if line.startswith("queued ")}
        for line in lines:
            if line.startswith("made "):
                _, item, path = line.split(" ", 2)
                need(int(item) in found and os.path.getsize(path) > 100, f"made and kept: {line}")
        db = sqlite3.connect(os.path.join(home, "queue.sqlite"))
        need(db.execute("PRAGMA integrity_check").fetchone()[0] == "ok", "the queue's file is sound")
        text = " ".join(str(row) for row in db.execute("SELECT * FROM item" if db.execute(
            "SELECT 1 FROM sqlite_master WHERE name = 'item'").fetchone() else "SELECT * FROM queue").fetchall())
        db.close()
        done = {str(row["request"]["seed"]) for row in found.values()}
        for number_queued in queued:
            need(f"number {number_queued}" in text or number_queued in done, f"queued {number_queued}: waits or is made")
    shutil.rmtree(home)


def all_there(home):
    """Every picture is in the folder or in the trash."""
    there = len(os.listdir(os.path.join(home, "pictures")))
    trash = os.path.join(top, "data", "Trash", "files")
    trashed = len(os.listdir(trash)) if os.path.isdir(trash) else 0
    shutil.rmtree(os.path.join(top, "data", "Trash"), ignore_errors=True)
    return there + trashed >= 6


lost = 0
counts = {}
for n in range(rounds):
    mode = modes[n % len(modes)]
    try:
        one_round(mode, n)
        counts[mode] = counts.get(mode, 0) + 1
    except Lost as why:
        lost += 1
        print(f"FAIL round {n} ({mode}): {why}", flush=True)
    if (n + 1) % 50 == 0:
        print(f"{n + 1} rounds, {lost} failed", flush=True)
shutil.rmtree(top, ignore_errors=True)
print(f"{rounds} kills ({', '.join(f'{k} {v}' for k, v in counts.items())}): {lost} lost something")
sys.exit(1 if lost else 0)
