#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# easel-cli gallery on pictures that easel-cli made: list, search, export, check, files that come and go, damage.
. "$(dirname "$0")/common.sh"
export XDG_DATA_HOME=$scratch/data XDG_CACHE_HOME=$scratch/cache HOME=$scratch
index=$scratch/data/easel/gallery.sqlite
gallery=(gallery --folder drive/pictures)

runs 0 generate "${small[@]}" --seed 1 --output drive/pictures/ "a red balloon"
runs 0 generate "${small[@]}" --seed 2 --output drive/pictures/ "一只蓝色的帆船"
runs 0 "${gallery[@]}"
holds out 'a red balloon'
[ "$(wc -l < out)" = 2 ] || fail "two lines: $(cat out)"
runs 0 gallery search ball
holds out 'a-red-balloon-1.png'
runs 0 gallery search 帆船 --json
holds out '"seed":2'
holds out '"missing":false'
runs 0 gallery search '"nothing* ('
[ -s out ] && fail "found something: $(cat out)"
runs 0 gallery list --since 2020-01-01 --sort name --kind picture --count 1
[ "$(wc -l < out)" = 1 ] || fail "one line: $(cat out)"
refuses 2 'takes a day' gallery list --since yesterday
refuses 2 'newest, oldest' gallery list --sort size
refuses 2 'list, search' gallery destroy
refuses 1 'neither a file nor a number' gallery export nothing

# As it is: the same bytes. In another format and without the settings: the picture alone.
runs 0 gallery export drive/pictures/a-red-balloon-1.png --output same.png
cmp -s same.png drive/pictures/a-red-balloon-1.png && ok || fail 'an export as it is has the same bytes'
runs 0 gallery export 1 2 --format webp --no-metadata --output there/
[ "$(ls there | wc -l)" = 2 ] || fail "two files: $(ls there)"
runs 1 inspect there/a-red-balloon-1.webp
runs 1 gallery export 1 --output same.png # is there already
runs 0 gallery export 1 --output same.png --force

runs 0 gallery check
holds out 'sound'
rm drive/pictures/a-red-balloon-1.png
runs 0 gallery list
holds out '(gone)'
runs 1 gallery check
holds out 'not there any more'

# An index of rubbish, and one of a newer version: the way forward loses no picture.
printf '%65536s' x > "$index"
runs 0 "${gallery[@]}"
holds err 'damaged'
holds out '帆船'
python3 -c 'import sqlite3, sys; d = sqlite3.connect(sys.argv[1]); d.execute("PRAGMA user_version = 99"); d.commit()' "$index"
runs 1 gallery list
holds err 'newer version'
runs 0 gallery check --new-index
runs 0 gallery list
holds out '帆船'
[ -e "$index.old-1" ] || fail 'the newer index is kept'
mv drive away
runs 0 gallery list
holds err 'Plug in'
holds out '帆船'
finish
