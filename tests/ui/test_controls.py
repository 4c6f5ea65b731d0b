#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every control of the Create page: changed, read back from the finished file, brought back to its default; tokens that
the model will not see; presets saved, loaded and shared; prompts used before."""
import json

from driver import *

app = App()
generate = app.find("push button", "Generate")
app.wait(lambda: app.again(generate).has(SENSITIVE), 60, "Generate to be ready")

# Tokens, counted by the model's own tokenizer.
app.write("text", "Prompt", "a red circle")
app.find("label", lambda name: name.endswith("tokens that the model reads") and not name.startswith("0 "))
app.write("text", "Prompt", "a red circle and " * 30)
app.find("label", lambda name: "does not see the grey part" in name)
app.shot("tokens")
app.write("text", "Prompt", "a blue square")

# Size: a named shape, then typed, with the rule in words; one click back.
app.click(app.find("", "Wide"))
width, height = (app.find("spin button", name) for name in ("Width", "Height"))
app.wait(lambda: app.value_of(width) > app.value_of(height), 30, "a wide picture")
app.find("label", lambda name: name.startswith("A shape it was trained for"))
app.write("spin button", "Width", "200")
app.key("Tab")
app.write("spin button", "Height", "120")
app.key("Tab")
app.find("label", lambda name: name.startswith("Made at ") and "200" in name)
app.press("push button", "Default for Size")
app.wait(lambda: app.value_of(width) == app.value_of(height) == 512, 30, "the model's own size")
check(True, "size: named, typed, explained, back to the default")
app.write("spin button", "Width", "128")
app.key("Tab")
app.write("spin button", "Height", "96")
app.key("Tab")

app.write("text", "Leave Out", "green")
app.click(app.find("list item", "Advanced"))
steps = app.find("slider", "Steps")
app.set_value(steps, 7)
app.find("push button", "Default for Steps")
app.press("push button", "Default for Steps")
app.wait(lambda: app.value_of(steps) == 20, 30, "the default steps")
app.tab_to(app.find("spin button", "Steps"), most=100, key="Tab")
app.key("ctrl+a")
app.type("5")
app.key("Return")
app.wait(lambda: app.value_of(steps) == 5, 30, "typed steps")
app.key("Up")
app.wait(lambda: app.value_of(steps) == 6, 30, "steps by an arrow key")
app.set_value(app.find("slider", "Guidance"), 3.5)
value = app.value_of(steps)
app.wheel(steps, 2)
check(app.value_of(steps) == value, "the wheel over a slider scrolls the page, not the number")

sampler = app.find("combo box", "Sampler")
app.scroll_to(sampler)
app.click(sampler)
lines = app.wait(lambda: [n for n in app.all("label") if "order" in n.name or "Euler" in n.name], 30, "samplers with a line")
app.shot("samplers")
check(len(lines) > 2, f"{len(lines)} samplers say what they are like")
app.key("Down", "Return")
app.find("push button", "Default for Sampler")

app.write("text", "Seed", "42")
lock = app.find("push button", "Keep This Seed")
app.press(lock, "Keep This Seed")
# GTK shows a button pressed for a quarter of a second before it is.
app.wait(lambda: app.again(lock).has(PRESSED) or app.again(lock).has(CHECKED), 30, "the seed to be kept")
app.find("label", lambda name: "of memory" in name and "on disk" in name)
app.shot("changed")

app.key("ctrl+Return")
app.wait(lambda: pictures(), 180, "a picture")
made = json.loads(sh(os.path.join(BUILD, "app", "easel-cli"), "inspect", "--json", pictures()[-1]))
request = made.get("request", made)
wanted = {"prompt": "a blue square", "negative": "green", "width": 128, "height": 96, "steps": 6, "guidance": 3.5, "seed": 42}
got = {key: request.get(key) for key in wanted}
check(got == wanted, f"the file was made with what the controls said: {got}")
check(request["sampler"] != "flow-dpm++", f"and the chosen sampler: {request['sampler']}")


def another():
    """The seed of one more picture."""
    n = len(pictures())
    app.key("ctrl+Return")
    app.wait(lambda: len(pictures()) > n, 180, "one more picture")
    return json.loads(sh(os.path.join(BUILD, "app", "easel-cli"), "inspect", "--json", pictures()[-1])).get("request")["seed"]


check(another() == 42, "a locked seed stays")
app.click(app.find("push button", "Roll a New Seed"))
check(another() != 42, "the dice give another")
last = another()
app.click(app.find("push button", "Use the Last Seed Again"))
check(another() == last, "the last one can be used again")
app.find("label", lambda name: name.startswith("about ") and "of memory" in name)
check(True, "the time is said, learnt from the picture before")

check(app.quit() == 0, "quits cleanly")

# Presets: saved under a name, loaded, a file that others can open. From the next start on, which has the last settings.
app = App()
app.wait(lambda: app.find("push button", "Generate").has(SENSITIVE), 60, "Generate to be ready")
app.click(app.find("list item", "Advanced"))
steps = app.find("slider", "Steps")
app.wait(lambda: app.value_of(steps) == 6, 30, "the last settings after a start")
app.press("push button", "Presets")
app.find("label", "Settings you save appear here.")
for _ in range(8):  # a popover is a window of its own here, and says nothing of its focus: walk until a letter arrives
    app.type("S")
    if app.wait(lambda: app.find("push button", "Save").has(SENSITIVE), 2, must=False):
        break
    app.key("Tab")
app.type("mall/quick")
app.key("Return")
preset = home(".local", "share", "easel", "presets", "Small-quick.yaml")
app.wait(lambda: os.path.exists(preset), 30, "the preset's file")
check("steps: 6" in open(preset, encoding="utf-8").read(), "it is a recipe")
app.set_value(steps, 30)
app.press("push button", "Presets")
app.find("list item", "Small-quick")
app.wait(lambda: (app.key("Return"), app.wait(lambda: app.value_of(steps) == 6, 3, must=False))[1], 60,
         "the preset's steps")
check(True, "a preset is loaded")

# Prompts used before: by keyboard.
app.write("text", "Prompt", "something else")
app.key("alt+Up")
prompt = app.find("text", "Prompt")
app.wait(lambda: app.text_of(prompt) == "a blue square", 30, "the prompt before")
app.key("alt+Down")
app.wait(lambda: app.text_of(prompt) == "something else", 30, "one's own words again")
check(app.quit() == 0, "quits cleanly")
