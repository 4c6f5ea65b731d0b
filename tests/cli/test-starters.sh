#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The models that come along: listed by name, taken without a folder being named, and each makes what it is for.
. "$(dirname "$0")/common.sh"
json=$here/check-json.py

# Listed, and the two together as small as promised: 16 MiB.
runs 0 models
holds out '^starter-sana +SanaPipeline .* f16 .* cc0-1\.0 '
holds out '^starter-cogvideox +CogVideoXPipeline .* f16 .* cc0-1\.0 '
"$cli" models --json > out
starters=$(python3 -c 'import json; print(*(m["path"] for m in json.load(open("out")) if m["name"].startswith("starter-")))')
# shellcheck disable=SC2086 # two folders
bytes=$(find $starters -type f -printf '%s\n' | awk '{ n += $1 } END { print n }')
[ "$bytes" -le $((16 * 1024 * 1024)) ] || fail "the starter models take $bytes bytes"

# A picture, without --model, twice the same.
runs 0 generate "a red circle" --seed 1 --steps 1 --size 256x256 --no-binning --output circle.png --quiet
exists circle.png
runs 0 reproduce circle.png --quiet
holds out 'identical'

# A clip: its own length, size and rate, as numbered pictures and as a file, and the same again.
clip=(--model starter-cogvideox -p "a green heart growing" --seed 3 --steps 2 --quiet)
runs 0 generate "${clip[@]}" --output heart.png
exists heart-0001.png heart-0017.png
[ -e heart-0018.png ] && fail 'a clip of more than 17 frames'
runs 0 inspect heart-0001.png
holds out '^a green heart growing$'
runs 0 generate "${clip[@]}" --output again.png
same heart-0017.png again-0017.png
differ heart-0001.png heart-0017.png
runs 0 plan --json --model starter-cogvideox && python3 "$json" out object frames 17 || fail 'plan --json of a clip'
finish
