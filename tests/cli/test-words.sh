#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# --help, the manual page and the completions speak of the same commands and options.
. "$(dirname "$0")/common.sh"
data=$here/../../data
commands='generate models plan inspect reproduce gallery samplers'

runs 0 --version
holds out '^easel-cli [0-9]'
runs 0 --help
cp out help
runs 0 help
same out help
runs 2
same out help
for c in $commands; do
  grep -q "^  $c " help || fail "--help does not list $c"
  runs 0 help "$c"
  cp out "help-$c"
  runs 0 "$c" --help
  same out "help-$c"
  holds out '^usage: easel-cli'
  grep -q '^Examples' out || fail "no examples in the help of $c"
  LC_ALL=C.UTF-8 grep -nE '^.{101}' out && fail "lines too long in the help of $c"
done

options=$(grep -ohE '^ {2}(-[a-zA-Z], | {4})--[a-z-]+' help-* | grep -oE -- '--[a-z-]+' | sort -u)
[ "$(echo "$options" | wc -l)" -gt 20 ] || fail "found only these options: $options"
sed 's/\\-/-/g' "$data/easel-cli.1" > manual
for o in $options; do
  grep -qE -- "^\.BR .*$o( |\$)" manual || fail "the manual page does not explain $o"
  grep -qE -- "$o\b" "$data/completions/easel-cli.bash" || fail "bash does not complete $o"
  grep -qE -- "$o(['[]|\b)" "$data/completions/_easel-cli" || fail "zsh does not complete $o"
  grep -qE -- " -l ${o#--}( |\$)" "$data/completions/easel-cli.fish" || fail "fish does not complete $o"
done
for c in $commands; do
  for f in manual "$data/completions/easel-cli.bash" "$data/completions/_easel-cli" "$data/completions/easel-cli.fish"; do
    grep -q "$c" "$f" || fail "$f does not know $c"
  done
done
# And the other way round: nothing is explained that is not there.
for o in $(grep -oE '^\.BR .*--[a-z-]+' manual | grep -oE -- '--[a-z-]+' | sort -u); do
  echo "$options" | grep -qx -- "$o" || fail "the manual page explains $o, which is not there"
done

bash -n "$data/completions/easel-cli.bash" || fail 'bash completion'
if command -v man > /dev/null && man -l --warnings "$data/easel-cli.1" > /dev/null 2> warnings; then
  [ -s warnings ] && fail "man warns: $(cat warnings)"
fi
finish
