#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# easel-cli as people use it, with a tiny model: pictures, names, prompts from files, JSON, reproducing, stopping.
. "$(dirname "$0")/common.sh"
json=$here/check-json.py

# The same seed twice: the same bytes; another seed: other bytes.
runs 0 generate "${small[@]}" --prompt "a red circle" --seed 7 --output a.png
holds out '^a\.png$'
runs 0 generate "${small[@]}" --prompt "a red circle" --seed 7 --output b.png --quiet
[ -s err ] && fail "--quiet is not quiet: $(cat err)"
same a.png b.png
runs 0 generate "${small[@]}" --prompt "a red circle" --seed 8 --output c.png
differ a.png c.png
runs 0 generate "${small[@]}" --prompt "a red circle" --seed 7 --output t1.png --threads 1
same a.png t1.png

# Formats, by their first bytes.
runs 0 generate "${small[@]}" -p x --seed 1 --output f.jpg
[ "$(head -c 3 f.jpg | od -An -tx1 | tr -d ' ')" = ffd8ff ] || fail 'f.jpg is no JPEG'
runs 0 generate "${small[@]}" -p x --seed 1 --output f.webp --quality 100
[ "$(head -c 12 f.webp | tail -c 4)" = WEBP ] || fail 'f.webp is no WebP'

# Reproduce: identical where the format is lossless, close where it is not.
runs 0 reproduce a.png --quiet
holds out 'identical'
runs 0 reproduce f.webp --quiet
holds out 'identical'
runs 1 reproduce f.jpg --quiet
holds out 'close'
runs 0 reproduce a.png --json --output again.png
python3 "$json" out verdict verdict identical || fail 'reproduce --json'
same a.png again.png
# Another model of that name: half of its text encoder is zero.
cp -r models other
dd if=/dev/zero of=other/tiny/text_encoder/model.safetensors bs=1024 seek=300 count=300 conv=notrunc 2>/dev/null
"$cli" reproduce a.png --models other --quiet > out 2> err && fail "another model makes an identical picture: $(cat out)"
holds out 'differ'
runs 0 inspect a.png
holds out 'Seed: 7,'
holds out '^a red circle$'

# Names: derived ones step aside, placeholders are filled, a folder is made, a plain name gets numbers.
runs 0 generate "${small[@]}" A Red, Circle! --seed 3
runs 0 generate "${small[@]}" A Red, Circle! --seed 3
exists a-red-circle-3.png a-red-circle-3-2.png
runs 0 generate "${small[@]}" -p fox --seed 5 --count 2 --output 'made/' && exists made/fox-5.png made/fox-6.png
runs 0 generate "${small[@]}" -p fox --seed 5 --count 2 --output 'p-{seed}-{n}-{prompt}.png'
exists p-5-1-fox.png p-6-2-fox.png
runs 0 generate "${small[@]}" -p fox --seed 5 --count 2 --output q.png
exists q-1.png q-2.png
same q-1.png made/fox-5.png
runs 0 generate "${small[@]}" -p fox --count 1 --output drawn.png # a seed is drawn and kept
runs 0 reproduce drawn.png --quiet

# Prompts from a file, from standard input, as JSON lines.
printf '# a comment\nfirst prompt\n\nsecond prompt, 富士山 🦊\n' > prompts.txt
runs 0 generate "${small[@]}" --prompts prompts.txt --seed 1 --output 'file-{n}.png'
exists file-1.png file-2.png
[ -e file-3.png ] && fail 'a comment became a picture'
runs 0 inspect file-2.png
holds out '富士山 🦊'
printf '{"prompt": "one", "seed": 4, "steps": 1}\r\n{"prompt": "two\\nlines", "size": "64x96", "output": "own.png"}\n' > prompts.jsonl
runs 0 generate "${small[@]}" --prompts prompts.jsonl --output 'json-{n}.png'
exists json-1.png own.png
runs 0 inspect json-1.png
holds out 'Steps: 1, .*Seed: 4,'
runs 0 inspect own.png
holds out 'Size: 64x96'
"$cli" generate "${small[@]}" --prompts - --seed 2 --output stdin.png < prompts.txt > out 2> err || fail 'prompts from stdin'
exists stdin-1.png stdin-2.png

# JSON: every line parses, the events come in order.
runs 0 generate "${small[@]}" -p x --seed 1 --count 2 --output j.png --json
python3 "$json" out events start progress picture progress picture end || fail 'the events of generate --json'
runs 1 generate "${small[@]}" -p x --model nowhere --json
python3 "$json" out events start progress error end || fail 'the events of a failure'
runs 0 models --json && python3 "$json" out list name tiny || fail 'models --json'
runs 0 samplers --json --model tiny && python3 "$json" out list name flow-euler || fail 'samplers --json'
runs 0 plan --json --model tiny && python3 "$json" out object steps 20 || fail 'plan --json'
runs 0 inspect --json a.png && python3 "$json" out object source easel || fail 'inspect --json of a picture'
runs 0 inspect --json models/tiny && python3 "$json" out object class SanaPipeline || fail 'inspect --json of a model'
runs 0 inspect --json models/tiny/vae/diffusion_pytorch_model.safetensors &&
  python3 "$json" out object file models/tiny/vae/diffusion_pytorch_model.safetensors || fail 'inspect --json of weights'
runs 0 models
holds out '^tiny +SanaPipeline .* bf16 .* cc0-1\.0 '
runs 0 plan "${small[@]}"
holds out 'peak memory'
runs 0 inspect models/tiny
holds out '^transformer +SanaTransformer2DModel'

# Preview, and nothing inside when nothing shall be.
runs 0 generate "${small[@]}" -p unmistakable --seed 1 --output bare.png --no-metadata
grep -qa -e unmistakable -e Easel -e tiny bare.png && fail 'something is left in bare.png'
grep -qa "$scratch" a.png && fail 'a path of this machine is in a.png'

# Ctrl+C: 130, the finished pictures stay, nothing half-written.
mkdir stop
set -m # else the shell starts it with SIGINT ignored, as it does for what runs in the background
"$cli" generate "${small[@]}" -p x --seed 1 --count 500 --output stop/ > out 2> err & pid=$!
set +m
for _ in $(seq 300); do [ -s out ] && break; sleep 0.1; done
kill -INT $pid
wait $pid
status=$?
[ $status = 130 ] || fail "SIGINT: exit $status: $(tail -3 err)"
[ "$(find stop -type f | wc -l)" = "$(wc -l < out)" ] || fail "SIGINT: $(ls -A stop) but said $(cat out)"
[ "$(wc -l < out)" -lt 500 ] || fail 'SIGINT came too late to test anything'
for f in stop/*.png; do runs 0 inspect "$f"; done
finish
