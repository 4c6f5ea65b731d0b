#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of the desktop program: ./dev bench --desktop. Measured inside the program (EASEL_MEASURE) where asking over a
bus would be measured too. No figure is a test: machines differ, and may be busy; the load is printed with them."""
import json
import signal
import statistics
import tempfile

from driver import *


def lines(path):
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def start(path):
    return App(env={"EASEL_MEASURE": path, "EASEL_MEASURE_FROM": str(time.monotonic_ns() // 1000)})


def stalls(app, path):
    """What the meter has counted since it was asked the last time."""
    n = len(lines(path))
    app.process.send_signal(signal.SIGUSR1)
    app.wait(lambda: len(lines(path)) > n, 30, "the meter")
    return lines(path)[-1]


def threads(pid):
    ticks = switches = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{task}/stat", encoding="utf-8") as file:
                fields = file.read().rsplit(")", 1)[1].split()
            ticks += int(fields[11]) + int(fields[12])
            with open(f"/proc/{pid}/task/{task}/status", encoding="utf-8") as file:
                switches += sum(int(line.split()[1]) for line in file if "ctxt_switches" in line)
        except OSError:
            pass
    return ticks, switches


def memory(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="utf-8") as file:
        values = {line.split(":")[0]: int(line.split()[1]) for line in file if "kB" in line}
    return (values["Private_Dirty"] + values["Private_Clean"]) / 1024, values["Rss"] / 1024, values["Pss"] / 1024


def show(what, value, target):
    print(f"{what:58} {value:>16}   target {target}", flush=True)


folder = tempfile.mkdtemp()
print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
times = []
for i in range(5):
    path = os.path.join(folder, f"start{i}")
    app = start(path)
    app.wait(lambda: any("usable_ms" in line for line in lines(path)), 60, "a usable window")
    times.append(next(line["usable_ms"] for line in lines(path) if "usable_ms" in line))
    if i < 4:
        app.quit()
show("process start to usable window, warm (median of 4)", f"{statistics.median(times[1:]):.0f} ms", "<= 400 ms")

time.sleep(3)
before = threads(app.process.pid)
time.sleep(10)
after = threads(app.process.pid)
private, rss, pss = memory(app.process.pid)
show("idle, 10 s: processor time", f"{(after[0] - before[0]) * 10} ms", "0")
show("idle, 10 s: wakeups (context switches of all threads)", f"{after[1] - before[1]}", "0")
show("idle: memory, proportional (resident)", f"{pss:.0f} ({rss:.0f}) MiB", "<= 120 MiB")

example = app.find("push button", "a red balloon in the sky")
stalls(app, path)
begin = time.monotonic()
app.press(example, None)
while not pictures():
    time.sleep(0.01)
first = time.monotonic() - begin
counted = stalls(app, path)
show("click to first picture saved, starter model, 512 x 512", f"{first:.2f} s", "<= 5 s")
show("longest stall of the main loop during it", f"{counted['longest_ms']:.1f} ms", "<= 16 ms")
show("stalls over 16 ms (of iterations)", f"{counted['over_16_ms']} ({counted['iterations']})", "0")
longest = []
for i in range(3):
    app.wait(lambda: app.find("push button", "Generate").has(SENSITIVE), 30)
    time.sleep(2)
    n = len(pictures())
    stalls(app, path)
    app.key("ctrl+Return")
    while len(pictures()) == n:
        time.sleep(0.05)
    counted = stalls(app, path)
    longest.append((counted["longest_ms"], counted["over_16_ms"], counted["iterations"]))
longest.sort()
show("the same, three more pictures: longest (over 16 ms)", ", ".join(f"{a:.0f} ({b})" for a, b, _ in longest),
     "<= 16 ms")
time.sleep(3)
private, rss, pss = memory(app.process.pid)
show("idle after pictures: memory, proportional (resident)", f"{pss:.0f} ({rss:.0f}) MiB", "")
app.quit()
