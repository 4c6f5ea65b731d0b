#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Translations: POTFILES names every file with words for people, every language compiles, and none has fallen behind by
# more than a twentieth.
set -u
cd "$(dirname "$(readlink -f "$0")")/../.."
for tool in xgettext msgfmt msgmerge msgattrib; do
  command -v $tool >/dev/null || { echo "SKIP: $tool is not installed"; exit 77; }
done
bad=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
grep -rlE '\b(_|N_|C_|NC_) ?\("|\bngettext ?\(|translatable="(yes|true)"' app ui --include='*.c' --include='*.ui' | sort >"$work/have"
grep -vE '^(#|$)' po/POTFILES | sort >"$work/listed"
while read -r file; do echo "po/POTFILES lacks $file"; bad=1; done < <(comm -23 "$work/have" "$work/listed")
while read -r file; do [ -e "$file" ] || { echo "po/POTFILES names $file, which is not there"; bad=1; }; done <"$work/listed"
xgettext --files-from=po/POTFILES --directory=. --from-code=UTF-8 --keyword=_ --keyword=N_ --keyword=C_:1c,2 \
  --keyword=NC_:1c,2 --keyword=ngettext:1,2 -o "$work/easel.pot" 2>"$work/log" || { cat "$work/log"; exit 1; }
all=$(msgattrib "$work/easel.pot" 2>/dev/null | grep -c '^msgid ')
for language in $(cat po/LINGUAS); do
  msgfmt --check -o /dev/null "po/$language.po" || bad=1
  msgmerge --quiet --no-fuzzy-matching -o "$work/$language.po" "po/$language.po" "$work/easel.pot"
  done_=$(msgattrib --translated --no-fuzzy --no-obsolete "$work/$language.po" | grep -c '^msgid ')
  echo "$language: $done_ of $all"
  [ $((done_ * 20)) -ge $((all * 19)) ] || { echo "po/$language.po has fallen behind"; bad=1; }
done
exit $bad
