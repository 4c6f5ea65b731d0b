#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# bench.sh BUILD [RUNS]: speed and memory as ratios measured in one run. Nothing here passes or fails.
# EASEL_PYTHON names a Python with torch and diffusers for the comparison with them (default: python3).
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."
build=$1
runs=${2:-3}
printf '== operations\n'
"$build"/tests/kernels/bench-ops
printf '\n== the starter model, Easel against diffusers\n'
python3 tests/bench/compare.py --build "$build" --python "${EASEL_PYTHON:-python3}" --runs "$runs"
