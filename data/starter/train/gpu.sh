#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# A model on one H200:
#   sh gpu.sh image OUT [MINUTES]     12 minutes: pool, transformer, measure (autoencoder and reader from starter-sana)
#   sh gpu.sh video OUT [MINUTES]     15 minutes: autoencoder first, then pool and transformer
# What stays in OUT is below 16 MiB a file. SCRATCH: a folder for the pool, the states and the assembled model, OUT by
# default. A call that is cut off can be made again with the same SCRATCH and goes on where it was.
# WHEELS: a folder of wheels (diffusers) to use without installing them.
set -eu
kind=$1
mkdir -p "$2"
out=$(cd "$2" && pwd)
min=${3:-}
mkdir -p "${SCRATCH:-$out}"
tmp=$(cd "${SCRATCH:-$out}" && pwd)
if [ -n "${WHEELS:-}" ]; then
  wheels=$(cd "$WHEELS" && pwd)
  PYTHONPATH=$(ls -d "$wheels"/*.whl | tr '\n' ':')${PYTHONPATH:-}
  export PYTHONPATH
fi
cd "$(dirname "$0")"
export HF_HUB_OFFLINE=1 PYTHONUNBUFFERED=1 TOKENIZERS_PARALLELISM=false
part() { awk "BEGIN { print $min * $1 }"; }
case $kind in
image)
  min=${min:-12}
  [ -f "$out/dcae.safetensors" ] || python3 train_image.py take --out "$out"
  [ -f "$tmp/pool.done" ] || python3 train_image.py pool --out "$out" --scratch "$tmp" --minutes "$(part 0.15)"
  : > "$tmp/pool.done"
  python3 train_image.py transformer --out "$out" --scratch "$tmp" --minutes "$(part 0.62)"
  python3 assemble.py image "$out" "$tmp/starter-sana"
  python3 evaluate.py image "$tmp/starter-sana" "$out/eval"
  ;;
video)
  min=${min:-15}
  [ -f "$tmp/vae.done" ] || python3 train_video.py vae --out "$out" --minutes "$(part 0.5)"
  : > "$tmp/vae.done"
  python3 train_video.py transformer --out "$out" --scratch "$tmp" --minutes "$(part 0.4)"
  python3 assemble.py video "$out" "$tmp/starter-cogvideox"
  python3 evaluate.py video "$tmp/starter-cogvideox" "$out/eval" --steps 50
  ;;
esac
