#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# compare-diffusers.sh SAMPLER_TABLE SCRIPT: skips visibly (77) where no Python has diffusers.
set -u
python=${EASEL_PYTHON:-python3}
command -v "$python" >/dev/null || { echo "SKIP: no $python"; exit 77; }
exec "$python" "$2" "$1"
