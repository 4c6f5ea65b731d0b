#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# parity.sh PARITY DIR [ARGS]: runs the comparison where DIR is there, skips visibly (77) where it is not.
set -u
parity=$1 dir=$2
shift 2
[ -d "$dir/cases" ] || { echo "SKIP: no reference cases in $dir"; exit 77; }
exec "$parity" "$@" "$dir"
