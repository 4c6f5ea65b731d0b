#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Clips from the command line, with the starter model: every kind of file says its request again, a killed run goes on to
# the same bytes, the faster mode is said, and what cannot be done is refused before any work.
. "$(dirname "$0")/common.sh"

model=$EASEL_SOURCE/data/starter/starter-cogvideox
[ -d "$model" ] || { echo "SKIP: there is no $model"; exit 77; }
clip=(--model "$model" --prompt "a red ball moves to the right" --seed 3 --frames 9 --device cpu)

# every ending, and the settings in it; a missing encoder is a sentence
runs 0 generate --quiet "${clip[@]}" --steps 4 --output whole.apng --fps 6
for ending in webm mp4 gif webp apng; do
  if "$cli" generate --quiet "${clip[@]}" --steps 4 --fps 6 --output "clip.$ending" > out 2> err; then
    runs 0 inspect "clip.$ending"
    holds out 'Frames: 9'
    holds out 'FPS: 6'
    holds out 'Seed: 3'
    runs 0 inspect --json "clip.$ending"
    holds out '"source": ?"easel"'
    "$cli" reproduce --quiet "clip.$ending" > out 2> err
    status=$?
    case $ending in
    apng) [ $status = 0 ] || fail "reproduce clip.$ending: $status, $(cat out err)" ;;
    *) [ $status = 1 ] || [ $status = 0 ] || fail "reproduce clip.$ending: $status, $(cat out err)" ;;
    esac
  else
    grep -q 'gstreamer1.0-' err || fail "clip.$ending: $(cat err)"
  fi
done
# numbered pictures; another seed is told apart; a name that nobody gave is a film's
runs 0 generate --quiet "${clip[@]}" --steps 4 --fps 6 --output numbered.png
runs 0 reproduce --quiet numbered-0001.png
holds out identical
rm numbered-0004.png
runs 2 reproduce --quiet numbered-0001.png
holds err numbered-0004.png
mkdir derived
runs 0 generate --quiet "${clip[@]}" --steps 1 --output derived/
ls derived | grep -qE '^a-red-ball-moves-to-the-right-3\.(mp4|webm|webp)$' || fail "derived names: $(ls derived)"
runs 0 plan "${clip[@]}"
holds out '^> .*all'
holds out '128x64'
same whole.apng clip.apng

# killed in the middle: the next run goes on and gives what an undisturbed one gives
runs 0 generate --quiet "${clip[@]}" --steps 24 --output straight.apng
"$cli" generate --quiet "${clip[@]}" --steps 24 --output killed.apng --checkpoint kept > out 2> err &
pid=$!
for _ in $(seq 6000); do [ -s kept ] && break; sleep 0.01; done
kill -9 $pid
wait $pid 2> err
[ ! -e killed.apng ] || fail "it was done before it could be killed"
exists kept
runs 0 generate "${clip[@]}" --steps 24 --output killed.apng --checkpoint kept
same killed.apng straight.apng
[ ! -e kept ] || fail "the checkpoint is still there"

# the faster mode says what it did; the loss too
runs 0 generate "${clip[@]}" --steps 24 --output fast.apng --reuse 0.3 --measure-loss
holds err 'used the work of others'
holds err 'PSNR [0-9.]+ dB'
runs 0 inspect --json fast.apng
holds out '"reused": ?[0-9]'
holds out '"psnr": ?[0-9]'

# refused before any work
refuses 1 'multiple of 8' generate "${clip[@]}" --frames 10 --output x.webp
refuses 1 'loops|how often' generate "${clip[@]}" --output x.mp4 --loops 2
refuses 1 'bit rate' generate "${clip[@]}" --output x.gif --bitrate 100000
refuses 1 'holds' generate "${clip[@]}" --output x.webm --codec h264
printf 'this is no film' > broken.webm
refuses 1 'broken.webm' generate "${clip[@]}" --steps 4 --video broken.webm --output x.webp
refuses 1 'is no file|cannot' generate "${clip[@]}" --steps 4 --video nowhere.mp4 --output x.webp
finish
