#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Both models on one H200 in two calls of some ten minutes each, or one of thirty:
#   sh gpu.sh image OUT [MINUTES]     12 minutes: pool, transformer, measure (DC-AE and reader taken from starter-sana)
#   sh gpu.sh video OUT [MINUTES]     15 minutes: autoencoder first, then pool and transformer
# Checkpoints in OUT stay under 16 MiB each; a call that is cut off can be made again and goes on from them, but for
# state*.pt, which stay behind where OUT is copied off the machine. WHEELS: a folder of wheels put on the path first.
set -eu
cd "$(dirname "$0")"
kind=$1 out=$2 min=${3:-}
[ -n "${WHEELS:-}" ] && PYTHONPATH=$(ls -d "$WHEELS"/*.whl | tr '\n' ':')${PYTHONPATH:-} && export PYTHONPATH
export HF_HUB_OFFLINE=1 PYTHONUNBUFFERED=1 TOKENIZERS_PARALLELISM=false
part() { awk "BEGIN { print ${min} * $1 }"; }
mkdir -p "$out"
if [ "$kind" = image ]; then
  min=${min:-12}
  python3 train_image.py take --out "$out"
  [ -d "$out/pool" ] || python3 train_image.py pool --out "$out" --minutes "$(part 0.15)"
  python3 train_image.py transformer --out "$out" --minutes "$(part 0.62)"
  python3 assemble.py image "$out" "$out/starter-sana"
  python3 evaluate.py image "$out/starter-sana" "$out/eval"
else
  min=${min:-15}
  [ -f "$out/video.safetensors" ] || python3 train_video.py vae --out "$out" --minutes "$(part 0.5)"
  python3 train_video.py transformer --out "$out" --minutes "$(part 0.4)"
  python3 assemble.py video "$out" "$out/starter-cogvideox"
  python3 evaluate.py video "$out/starter-cogvideox" "$out/eval" --steps 50
fi
