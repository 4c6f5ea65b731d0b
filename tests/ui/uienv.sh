#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# uienv.sh CMD…: runs CMD with a display, a session bus, an accessibility bus and a home of its own; all of it is gone
# afterwards. Exit status 77 where something that it needs is not installed.
set -u
for tool in Xvfb dbus-run-session xdotool import; do
  command -v $tool >/dev/null || { echo "SKIP: $tool is not installed"; exit 77; }
done
/usr/bin/python3 -c 'import pyatspi' 2>/dev/null || { echo 'SKIP: python3-pyatspi is not installed'; exit 77; }
top=$(mktemp -d "${TMPDIR:-/tmp}/easel-ui.XXXXXX")
export XDG_RUNTIME_DIR=$top/run HOME=$top/home
mkdir -p -m 700 "$XDG_RUNTIME_DIR" "$HOME"
export EASEL_UI_PRIVATE=1
export XDG_CONFIG_HOME=$HOME/.config XDG_DATA_HOME=$HOME/.local/share XDG_CACHE_HOME=$HOME/.cache XDG_STATE_HOME=$HOME/.local/state
mkdir -p "$XDG_CONFIG_HOME/gtk-4.0" "$HOME/Pictures"
printf '[Settings]\ngtk-font-name=Cantarell 11\ngtk-enable-animations=%s\n' "${UI_ANIMATIONS:-false}" \
  >"$XDG_CONFIG_HOME/gtk-4.0/settings.ini"
printf 'XDG_PICTURES_DIR="$HOME/Pictures"\n' >"$XDG_CONFIG_HOME/user-dirs.dirs"
unset WAYLAND_DISPLAY DBUS_SESSION_BUS_ADDRESS AT_SPI_BUS_ADDRESS GTK_THEME
# -noreset: without it a first client that leaves resets the server, and the next one can fail.
Xvfb -displayfd 3 -screen 0 "${UI_SCREEN:-1280x800x24}" -nolisten tcp -noreset 3>"$top/display" 2>"$top/xvfb.log" &
server=$!
for _ in $(seq 200); do [ -s "$top/display" ] && break; sleep .05; done
export DISPLAY=:$(cat "$top/display")
export GDK_BACKEND=x11 GSK_RENDERER=${GSK_RENDERER:-cairo} GTK_A11Y=atspi NO_AT_BRIDGE=0
export GSETTINGS_BACKEND=${UI_SETTINGS:-keyfile} LC_ALL=${UI_LOCALE:-C.UTF-8}
dbus-run-session -- "$@" 2>"$top/errors.log"
status=$?
grep -vE 'dbus-daemon|SpiRegistry|X connection' "$top/errors.log" >&2
kill $server 2>/dev/null
wait $server 2>/dev/null
rm -rf "$top"
exit $status
