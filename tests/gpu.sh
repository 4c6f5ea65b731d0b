#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# gpu.sh BUILD: everything that is tested on a card, in one go; the log stays in BUILD/gpu-test.log. Exit status 77 where
# there is no card, with the reason. compute-sanitizer runs where it is installed.
set -uo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."
build=$(readlink -f "$1")
log=$build/gpu-test.log
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
exec > >(tee "$log") 2>&1

step () { # step NAME COMMAND…: prints its last lines, and counts a failure
  local name=$1 status=0
  shift
  printf '\n== %s\n' "$name"
  "$@" > "$work/out" 2>&1 || status=$?
  grep -E 'FAIL|ERROR' "$work/out" | head -40
  tail -3 "$work/out"
  [ $status = 0 ] || { printf '%s: exit status %s\n' "$name" "$status"; failed=$((failed + 1)); }
}

"$build"/tests/kernels/test-kernels-cuda --only cast > "$work/out" 2>&1
[ $? != 77 ] || { cat "$work/out"; exit 77; }
command -v nvidia-smi > /dev/null && nvidia-smi --query-gpu=name,driver_version,memory.total,memory.used --format=csv
git log -1 --format='commit %h %s' 2> /dev/null

step 'operations against the CPU' "$build"/tests/kernels/test-kernels-cuda
step 'the same, portable kernels' "$build"/tests/kernels/test-kernels-cuda --portable
for precision in fp32 bf16 fp16 fp8 int8; do
  for cases in tests/reference ../shared/golden; do
    [ -d "$cases/cases" ] && step "reference tensors in $precision: $cases" \
      "$build"/tests/parity --quiet --torch tests/reference/torch-errors.json --device "cuda:$precision" "$cases"
  done
done

# The same request twice is the same file; the CPU's picture is made again on the card.
cli () { "$build"/app/easel-cli "$@"; }
picture () { cli generate --quiet --force --models data/starter --prompt 'a tree next to a house' --seed 1 "$@"; }
step 'a picture on the CPU' picture --device cpu --output "$work/cpu.png"
for i in 1 2; do
  step "a picture on the card, $i" picture --device cuda --output "$work/card-$i.png"
  step "a picture on the card in fp32, $i" picture --device cuda --precision fp32 --output "$work/card-fp32-$i.png"
done
step 'the same bytes' cmp "$work/card-1.png" "$work/card-2.png"
step 'the same bytes in fp32' cmp "$work/card-fp32-1.png" "$work/card-fp32-2.png"
# In 8 bits: the first converts the weights, the second reads what was kept of them.
export XDG_CACHE_HOME=$work/cache
for precision in fp8 int8; do
  for i in 1 2; do
    step "a picture on the card in $precision, $i" picture --device cuda --precision $precision \
      --output "$work/card-$precision-$i.png"
  done
  step "the same bytes in $precision" cmp "$work/card-$precision-1.png" "$work/card-$precision-2.png"
done
# With less memory blocks of the model take turns on the card: the same bytes.
step 'a picture in little memory' picture --device cuda --vram-limit 160M --output "$work/card-little.png"
step 'the same bytes in little memory' cmp "$work/card-1.png" "$work/card-little.png"
step "the CPU's picture again on the card" cli reproduce --models data/starter --device cuda "$work/cpu.png"

if command -v compute-sanitizer > /dev/null; then
  for tool in memcheck racecheck; do
    step "compute-sanitizer $tool: operations" compute-sanitizer --tool $tool --error-exitcode 9 \
      "$build"/tests/kernels/test-kernels-cuda --dtype bf16
    # e2e-*: whole runs, with steps that are recorded and replayed
    for cases in 'sana-*' 'e2e-*'; do
      step "compute-sanitizer $tool: models, $cases" compute-sanitizer --tool $tool --error-exitcode 9 \
        "$build"/tests/parity --quiet --device cuda:bf16 --case "$cases" tests/reference
    done
  done
  # initcheck does not see what cuBLASLt's kernels for Hopper store, and reports every read of it: where a program that
  # does nothing else is reported too, what it says of the models is told and not counted.
  init=(compute-sanitizer --tool initcheck --print-limit 3 --error-exitcode 9)
  models=("$build"/tests/parity --quiet --device cuda:bf16 --case 'sana-*' tests/reference)
  blind=0
  command -v nvcc > /dev/null && nvcc -o "$work/unseen" tests/kernels/unseen-stores.cu -lcublasLt > /dev/null 2>&1 &&
    { timeout 120 "${init[@]}" "$work/unseen" > /dev/null 2>&1; [ $? = 9 ]; } && blind=1
  if [ $blind = 1 ]; then
    printf '\n== compute-sanitizer initcheck: models; not counted, it reports any read of a product of cuBLASLt\n'
    "${init[@]}" "${models[@]}" 2>&1 | tail -3
  else
    step 'compute-sanitizer initcheck: models' "${init[@]}" "${models[@]}"
  fi
else
  printf '\ncompute-sanitizer is not installed: left out\n'
fi
printf '\n%s steps failed; the log is %s\n' "$failed" "$log"
[ $failed = 0 ]
