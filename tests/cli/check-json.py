#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""check-json.py FILE events NAME…   every line is an object; the events, repeats folded, are these
check-json.py FILE list KEY VALUE     an array in which an object has KEY: VALUE
check-json.py FILE object KEY VALUE   an object with KEY: VALUE
check-json.py FILE verdict KEY VALUE  lines of objects, the last with KEY: VALUE"""
import json
import sys


def refuse_constant(name):
    raise ValueError(name + " is no JSON")


path, what, *rest = sys.argv[1:]
with open(path, encoding="utf-8") as file:
    lines = [json.loads(line, parse_constant=refuse_constant) for line in file]

if what == "events":
    names = [line["event"] for line in lines]
    folded = [n for i, n in enumerate(names) if i == 0 or names[i - 1] != n]
    assert folded == rest, folded
    for line in lines:
        if line["event"] == "progress":
            assert 0 <= line["progress"] <= 1, line
elif what == "list":
    assert any(str(item[rest[0]]) == rest[1] for item in lines[0]), lines
elif what == "object":
    assert str(lines[0][rest[0]]) == rest[1], lines[0]
else:
    assert str(lines[-1][rest[0]]) == rest[1], lines[-1]
