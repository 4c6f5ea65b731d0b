#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# What cannot be done is refused: a sentence on stderr, an exit status that is not 0, nothing half-written, nothing lost.
. "$(dirname "$0")/common.sh"
g=(generate "${small[@]}" -p x --seed 1)

# The command line.
refuses 2 "did you mean 'generate'" generte
refuses 2 'did you mean --prompt' generate --promt x
refuses 2 'no option --zzzz' generate --zzzz
refuses 2 'takes no option --steps' models --steps 3
refuses 2 'needs a value' generate --prompt
refuses 2 'takes no value' generate --force=yes -p x
refuses 2 'a command comes first' --prompt x
refuses 2 "needs a FILE" inspect
refuses 2 'does not know what to do' inspect one two
refuses 2 "not 'extra'" models extra
for size in 0 -5 0x0 -5x-5 512x 512x512x512 axb 999999 '' ' 64'; do refuses 2 'size' generate -p x --size "$size"; done
for n in 0 -1 1.5 many 99999999999999999999; do refuses 2 'steps.*whole number' generate -p x --steps "$n"; done
for n in nan NaN inf -1 4,5 x ''; do refuses 2 'guidance.*number' generate -p x --guidance "$n"; done
for n in -1 1.5 x 99999999999999999999; do refuses 2 'seed.*whole number' generate -p x --seed "$n"; done
refuses 2 'count' generate -p x --count 0
refuses 2 'quality' generate -p x --quality 101
refuses 2 'threads' generate -p x --threads 0

# What to make.
refuses 1 'say what the picture should show' generate
refuses 1 'prompt once' generate -p x y
refuses 1 "no sampler 'eular'.*did you mean 'euler'" generate -p x --sampler eular
refuses 1 'ddim.*flow model' "${g[@]}" --sampler ddim
refuses 1 'scm.*consistency' "${g[@]}" --sampler scm
refuses 1 'noise' "${g[@]}" --noise gpu
refuses 1 'no model "nowhere".*tiny' generate -p x --model nowhere
refuses 1 'no model' generate -p x --model ./nowhere
refuses 1 'multiple of 32' generate -p x --model tiny --size 33x33 --no-binning
refuses 1 'width' generate -p x --model tiny --size 60000x64 --no-binning
refuses 1 'device|cuda|"tpu"' "${g[@]}" --device tpu
refuses 1 'UTF-8' "${g[@]}" --negative $'\xff\xfe'
head -c 1000000 /dev/zero | tr '\0' a > megabyte.txt
refuses 1 'prompt has 1000000 bytes' "${g[@]:0:1}" "${small[@]}" --prompts megabyte.txt
refuses 1 'no such file|cannot read' generate --prompts nowhere.txt
printf '\n# only this\n' > empty.txt
refuses 1 'no prompt in' generate --prompts empty.txt
head -c 4096 /dev/zero > binary.txt
refuses 1 'not a text file' generate --prompts binary.txt
# refuse_line PATTERN JSON
refuse_line () { printf 'fine\n%s\n' "$2" > lines.jsonl; refuses 1 "lines.jsonl, line 2.*$1" generate --prompts lines.jsonl; }
refuse_line "did you mean 'prompt'" '{"promt": "x"}'
refuse_line 'prompt is missing' '{"seed": 3}'
refuse_line 'steps' '{"prompt": "x", "steps": "many"}'
refuse_line 'guidance' '{"prompt": "x", "guidance": NaN}'
refuse_line 'guidance' '{"prompt": "x", "guidance": -2}'
refuse_line 'seed' '{"prompt": "x", "seed": -2}'
refuse_line 'size' '{"prompt": "x", "size": "0x0"}'
refuse_line 'valid JSON' '{"prompt": "x"'

# Where it goes.
refuses 1 '\.bmp' "${g[@]}" --output x.bmp
refuses 1 'no folder' "${g[@]}" --output nowhere/x.png
refuses 1 '\{nope\}.*\{seed\}' "${g[@]}" --output '{nope}.png'
printf precious > kept.png
refuses 1 'kept.png exists' "${g[@]}" --output kept.png
[ "$(cat kept.png)" = precious ] || fail 'an existing file was lost'
ln -s nowhere dangling.png
refuses 1 'exists' "${g[@]}" --output dangling.png
mkdir folder.png
refuses 1 'ending|is a folder|exists' "${g[@]}" --output folder.png/x
mkdir closed && chmod 500 closed
if [ "$(id -u)" != 0 ]; then
  refuses 1 'cannot write' "${g[@]}" --output closed/x.png
  refuses 1 'cannot write' "${g[@]}" --output closed/
fi
runs 0 "${g[@]}" --output fine.png
# A disk that is full: a limit on the size of files, and a real one where mounting is allowed.
(ulimit -f 1; "$cli" "${g[@]}" --output full.png > out 2> err) && fail 'a picture on a full disk'
holds err '^easel-cli: .*full\.png.*(too large|No space)'
[ -e full.png ] && fail 'half a picture was left'
mkdir disk
if [ "$(id -u)" = 0 ] && mount -t tmpfs -o size=8k none disk 2>/dev/null; then
  mounted=$scratch/disk
  refuses 1 'no space left' "${g[@]}" --output disk/x.png
  [ -z "$(ls -A disk)" ] || fail "left on the full disk: $(ls -A disk)"
  umount disk && mounted=
  kept=$(sed -n 's/.*kept as \(.*\), because:.*/\1/p' err)
  [ -s "$kept" ] || fail "the picture was lost with the full disk: $(cat err)"
  runs 0 reproduce "$kept"
fi
if [ -e /dev/full ]; then
  "$cli" models > /dev/full 2> err && fail 'models to a full output'
  holds err 'standard output'
fi

# Models that are damaged. Each starts from a good copy. with_model PATTERN COMMAND…
with_model () {
  local pattern=$1
  shift
  rm -rf broken && cp -r models/tiny broken && (cd broken && eval "$*") || fail "cannot break the model: $*"
  refuses 1 "$pattern" generate "${small[@]}" -p x --seed 1 --model ./broken --output broken.png
}
with_model 'model_index' rm model_index.json
with_model 'model_index' 'echo "{" > model_index.json'
with_model 'FluxPipeline' 'sed -i s/SanaPipeline/FluxPipeline/ model_index.json'
with_model 'vae' rm -r vae
with_model 'diffusion_pytorch_model|transformer' rm transformer/diffusion_pytorch_model.safetensors
with_model 'transformer/diffusion_pytorch_model.safetensors' 'truncate -s 100000 transformer/diffusion_pytorch_model.safetensors'
with_model 'vae/diffusion_pytorch_model.safetensors' 'truncate -s 4 vae/diffusion_pytorch_model.safetensors'
with_model 'text_encoder' ': > text_encoder/model.safetensors'
with_model 'num_layers|transformer_blocks' "sed -i 's/\"num_layers\": *[0-9]*/\"num_layers\": 9/' transformer/config.json"
with_model 'shape|\[' "sed -i 's/\"caption_channels\": *[0-9]*/\"caption_channels\": 64/' transformer/config.json"
with_model 'NewThing' "sed -i 's/AutoencoderDC/NewThing/' vae/config.json model_index.json"
with_model 'tokenizer' 'head -c 100 /dev/urandom > tokenizer/tokenizer.model'
with_model 'scheduler' 'echo nonsense > scheduler/scheduler_config.json'
with_model 'NewScheduler' 'sed -i s/DPMSolverMultistepScheduler/NewScheduler/ scheduler/scheduler_config.json model_index.json'
runs 0 models --models . # a broken folder among the good ones does not keep the list away

# Pictures that cannot be made again or looked into.
head -c 60 fine.png > short.png
printf 'GIF89a........' > gif.png
: > nothing.png
for f in short.png gif.png nothing.png; do
  refuses 1 "$f" inspect $f
  refuses 2 "$f" reproduce $f
done
refuses 1 'nowhere.png' inspect nowhere.png
refuses 2 'nowhere.png' reproduce nowhere.png
runs 0 "${g[@]}" --output bare.png --no-metadata
refuses 1 'does not say' inspect bare.png
refuses 2 'does not say' reproduce bare.png
refuses 2 'no model' reproduce fine.png --model nowhere
refuses 1 'nowhere' inspect nowhere.safetensors
finish
