#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# test-old-driver.sh EASEL-CLI FOLDER: the real CUDA module meets a driver of long ago (FOLDER/libcuda.so.1): a sentence
# with both versions and the way on, and the CPU where the choice is Easel's.
set -u
cli=$1 folder=$2
[ -e "$EASEL_BUILD/kernels/cuda/libeasel-cuda.so" ] || { echo 'SKIP: the CUDA module was not built (no nvcc)'; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
fail () { printf 'FAILED: %s\n' "$*"; failed=1; }
picture () {
  LD_LIBRARY_PATH=$folder "$cli" generate --quiet --models "$EASEL_SOURCE/data/starter" --size 64x64 --no-binning --steps 1 \
    "$@" 'a red ball' > "$work/out" 2>&1
}
picture --device cuda --output "$work/a.png" && fail 'a card was used'
grep -q 'driver is too old: it knows CUDA 11.0, and [0-9.]* is needed. Install a newer driver.' "$work/out" ||
  fail "$(cat "$work/out")"
grep -q 'choose the device "cpu"' "$work/out" || fail 'the CPU is not offered'
[ ! -e "$work/a.png" ] || fail 'there is a picture'
picture --output "$work/b.png" || fail "$(cat "$work/out")"
[ -s "$work/b.png" ] || fail 'there is no picture from the CPU'
exit $failed
