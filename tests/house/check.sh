#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The house rules that a command can check. No allow-list. Prints each breach; exit status 1 when there is one.
set -u
cd "$(dirname "$(readlink -f "$0")")/../.."
bad=0
breach () { [ -z "$2" ] || { printf '%s\n%s\n' "$1" "$2"; bad=1; }; }
list () { if [ -e .git ] && command -v git >/dev/null; then git ls-files -co --exclude-standard -- "$@"; else find app ui engine kernels tests -type f \( -name '*.c' -o -name '*.h' -o -name '*.cu' -o -name '*.cuh' -o -name '*.cc' \); fi | sort -u; }
sources=$(list '*.c' '*.h' '*.cu' '*.cuh' '*.cc' | grep -E '^(app|ui|engine|kernels|tests)/')
under () { printf '%s\n' "$sources" | grep -E "^($1)/"; }

breach 'files over 800 lines:' "$(printf '%s\n' "$sources" | xargs wc -l | awk '$2 != "total" && $1 > 800')"
breach 'lines over 120 columns:' "$(printf '%s\n' "$sources" | LC_ALL=C.UTF-8 xargs grep -nE '^.{121}' | cut -c1-100 | head -20)"
breach 'exit, abort, getenv, g_error below app/ and ui/:' "$(under 'engine|kernels' | xargs grep -nE '\b(exit|_exit|abort|g_error|g_assert_not_reached|(g_)?getenv|g_environ_getenv)[[:space:]]*\(' | head)"
breach 'kernels must not know engine, ui or GLib:' "$(under kernels | xargs grep -nE '#include ["<](engine|ui|app|glib|gio)' | head)"
breach 'engine must not know ui, app or GTK:' "$(under engine | xargs grep -nE '#include ["<](ui|app|gtk|gdk/|adwaita)' | head)"
breach 'ui must not know kernels:' "$(under ui | xargs -r grep -nE '#include ["<](kernels/|cuda)' | head)"
breach 'fast-math:' "$(grep -rnE '[f]fast-math|[u]se_fast_math|[O]fast' --include=meson.build --include='*.c' --include='*.cu' --include='*.h' . --exclude-dir='build*' | head)"
breach 'comparisons that let NaN pass:' "$(under tests | xargs grep -nE 'if \((fabsf? ?\(|err|diff|rel)[^)]*\)? *> *(tol|bound|eps)' | head)"
breach 'markers left behind:' "$(printf '%s\n' "$sources" | xargs grep -nE '\b(TODO|FIXME|XXX|HACK)\b' | head)"
breach 'paths of somebody'"'"'s machine:' "$(git grep -nIE '/work/|/root/|/home/[a-z]+/' -- ':!tests/house' 2>/dev/null | head)"
# Functions: from a line that is only "{" at the margin to the "}" at the margin.
breach 'functions over 100 lines (pipelines and kernels: 150):' "$(printf '%s\n' "$sources" | grep -E '\.(c|cu|cc)$' | while read -r f; do
  limit=100; case $f in kernels/* | */pipeline*.c) limit=150 ;; esac
  awk -v f="$f" -v limit=$limit '/^\{/ { start = NR } /^\}/ { if (start && NR - start + 1 > limit) print f ":" start ": " NR - start + 1; start = 0 }' "$f"; done)"
breach 'files with no licence line:' "$(printf '%s\n' "$sources" | xargs grep -L 'SPDX-License-Identifier' | head)"
[ $bad = 0 ] && echo 'the house is in order'
exit $bad
