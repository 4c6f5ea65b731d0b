#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# A model on one card (an H100 was used), MINUTES in all:
#   sh gpu.sh image OUT [11]         pool, transformer, measure; autoencoder and reader from ../starter-sana
#   sh gpu.sh video OUT [11]         reader, autoencoder, pool, transformer, measure
#   sh gpu.sh further OUT [8] [1]    the clip transformer on from OUT's weights (those of ../starter-cogvideox where
#                                    there are none), on that many cards together
# SCRATCH: a folder for the pool, the states and the assembled model, OUT by default; memory is a good place (/dev/shm).
set -eu
kind=$1
mkdir -p "$2" "${SCRATCH:-$2}"
out=$(cd "$2" && pwd)
tmp=$(cd "${SCRATCH:-$2}" && pwd)
cd "$(dirname "$0")"
export HF_HUB_OFFLINE=1 PYTHONUNBUFFERED=1 TOKENIZERS_PARALLELISM=false OMP_NUM_THREADS=4
export TORCHINDUCTOR_CACHE_DIR="$tmp/inductor" TRITON_CACHE_DIR="$tmp/triton"
ends() { awk -v now="$(date +%s)" -v m="$1" 'BEGIN { printf "%d", now + 60 * m }'; }
finish() {
  python3 assemble.py "$1" "$out" "$tmp/$2"
  python3 evaluate.py "$1" "$tmp/$2" "$out/eval"
}
case $kind in
image)
  min=${3:-11}
  [ -f "$out/dcae.safetensors" ] || python3 train_image.py take --out "$out"
  python3 train_image.py pool --out "$out" --scratch "$tmp" --minutes 1
  python3 train_image.py transformer --out "$out" --scratch "$tmp" --ends "$(ends "$(awk "BEGIN { print $min - 2 }")")"
  finish image starter-sana
  ;;
video)
  min=${3:-11}
  python3 train_video.py text --out "$out" --minutes 0.6
  python3 train_video.py vae --out "$out" --scratch "$tmp" --minutes "$(awk "BEGIN { print 0.48 * $min }")"
  python3 train_video.py transformer --out "$out" --scratch "$tmp" --minutes "$(awk "BEGIN { print 0.4 * $min }")"
  finish video starter-cogvideox
  ;;
further)
  moment=$(ends "${3:-8}")
  rm -f "$tmp/state-video.pt"
  [ -f "$out/video.safetensors" ] || python3 train_video.py take --out "$out"
  WORLD_SIZE=${4:-1}
  export WORLD_SIZE
  for card in $(seq 0 $((WORLD_SIZE - 1))); do
    RANK=$card CUDA_VISIBLE_DEVICES=$card python3 train_video.py transformer --out "$out" --scratch "$tmp" \
      --ends "$moment" --batch 512 --seed 11 --pool 75 --aux 0 --peak 0.8 --hold 0.4 &
  done
  wait
  WORLD_SIZE=1 finish video starter-cogvideox
  ;;
*)
  sed -n '3,8p' "$0"
  exit 2
  ;;
esac
