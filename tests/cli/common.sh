# SPDX-License-Identifier: GPL-3.0-or-later
#
# What the tests of easel-cli share. Sourced; $1 of the test is the program. Each test runs in a folder of its own with a
# tiny model in models/tiny and goes on after a failure; `finish` says how many there were.
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cli=$(realpath "$1")
scratch=$(mktemp -d)
mounted=
trap 'cleanup' EXIT
cleanup () { [ -z "$mounted" ] || umount "$mounted"; chmod -R u+w "$scratch"; rm -rf "$scratch"; }
failed=0
passed=0

cd "$scratch" || exit 1
mkdir models
"$here/make-model.sh" models/tiny || exit 1
export EASEL_MODELS=$scratch/models XDG_DATA_HOME=$scratch/none LC_ALL=C.UTF-8
# The smallest picture the tiny model makes: 2 x 2 latents, 32 tokens.
small=(--model tiny --size 64x64 --no-binning --no-instruction --max-tokens 32 --steps 2)

ok () { passed=$((passed + 1)); }
fail () { failed=$((failed + 1)); printf 'FAILED: %s\n' "$*"; }

# runs STATUS ARGUMENTS…: runs the program; its outputs land in out and err.
runs () {
  local want=$1 got=0
  shift
  "$cli" "$@" > out 2> err < /dev/null || got=$?
  if [ "$got" = "$want" ]; then ok; else
    fail "easel-cli $* (exit $got, wanted $want)"
    head -c 2000 err
  fi
}

# refuses STATUS PATTERN ARGUMENTS…: one sentence on stderr that says PATTERN, and no new file here (the person's data
# folder, none/, keeps what was made and could not be written).
refuses () {
  local want=$1 pattern=$2 before after
  shift 2
  before=$(find . -not -name out -not -name err -not -path './none*' | sort)
  runs "$want" "$1" --quiet "${@:2}"
  after=$(find . -not -name out -not -name err -not -path './none*' | sort)
  [ "$before" = "$after" ] || fail "easel-cli $*: left behind: $(diff <(echo "$before") <(echo "$after"))"
  [ "$(wc -l < err)" = 1 ] || fail "easel-cli $*: not one line on stderr: $(head -c 1000 err)"
  grep -q '^easel-cli: .*[.?!]$' err || fail "easel-cli $*: not a sentence: $(cat err)"
  grep -qiE -- "$pattern" err || fail "easel-cli $*: does not say '$pattern': $(cat err)"
}

holds () { if grep -qE -- "$2" "$1"; then ok; else fail "$1 does not hold '$2': $(head -c 1000 "$1")"; fi; }
same () { if cmp -s "$1" "$2"; then ok; else fail "$1 and $2 differ"; fi; }
differ () { if cmp -s "$1" "$2"; then fail "$1 and $2 are the same"; else ok; fi; }
exists () { for f in "$@"; do if [ -s "$f" ]; then ok; else fail "there is no $f"; fi; done; }

finish () {
  printf '%d passed, %d failed\n' "$passed" "$failed"
  [ "$failed" = 0 ]
}
