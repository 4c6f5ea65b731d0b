#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# cuda.sh BUILD [STAGE…]: the models at their real sizes on this machine's card; see tests/bench/easel-bench.c.
# With EASEL_ANCHOR, a script that times diffusers at the same sizes and leaves anchor.json in $OUT, both run and the
# ratios are printed (EASEL_PYTHON: a Python with torch and diffusers; default python3).
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."
build=$1
shift
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
status=0
"$build"/tests/easel-bench --csv "$out/easel.csv" "$@" || status=$?
[ "$status" != 77 ] || exit 77
if [ -n "${EASEL_ANCHOR:-}" ]; then
  OUT=$out "${EASEL_PYTHON:-python3}" "$EASEL_ANCHOR" gemm sana vae k4 e2e gemma cog cogvae t5 >"$out/log" 2>&1 || tail -20 "$out/log"
  python3 tests/bench/ratios.py "$out/easel.csv" "$out/anchor.json"
fi
exit "$status"
