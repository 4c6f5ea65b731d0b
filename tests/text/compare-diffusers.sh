#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# usage: compare-diffusers.sh PARITY make_prompt_cases.py REFERENCE
# 77 when no Python with diffusers and transformers is there (EASEL_PYTHON, python3)
set -u
python=${EASEL_PYTHON:-python3}
"$python" -c 'import diffusers, safetensors, torch, transformers' 2>/dev/null ||
  { echo "SKIP: $python has no diffusers"; exit 77; }
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
HF_HUB_OFFLINE=1 "$python" "$2" "$dir" "$3" || exit 1
"$1" "$dir"
