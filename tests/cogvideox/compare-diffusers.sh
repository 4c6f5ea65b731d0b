#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# usage: compare-diffusers.sh EASEL_CLI compare_starter.py FOLDER
# 77 when there is no starter model for clips, or no Python with diffusers (EASEL_PYTHON, python3).
set -u
python=${EASEL_PYTHON:-python3}
[ -d "$3" ] || { echo "SKIP: there is no $3"; exit 77; }
"$python" -c 'import diffusers, torch, PIL' 2>/dev/null || { echo "SKIP: $python has no diffusers"; exit 77; }
HF_HUB_OFFLINE=1 exec "$python" "$2" "$1" "$3"
