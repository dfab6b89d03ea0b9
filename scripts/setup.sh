#!/bin/sh
# Installs what is missing before `npm start` (and, with --test, before `npm test`); quick when nothing is.
# Plain sh: it runs before anything of ours is there.
set -eu
cd "$(dirname "$0")/.."

say() { printf '%s\n' "$*" >&2; }

# Running needs production packages, testing all of them. A folder that has them all keeps them: leaving out is only for
# one that is new, so `npm start` never takes a developer's tools away.
omit="--omit=dev"
[ "${1:-}" = "--test" ] && omit=""
[ -d node_modules/vitest ] && omit=""

due=no
# npm writes node_modules/.package-lock.json last, so it is older than the lock file exactly when an install is due.
[ -f node_modules/.package-lock.json ] || due=yes
[ package-lock.json -nt node_modules/.package-lock.json ] && due=yes
[ "${1:-}" = "--test" ] && [ ! -d node_modules/vitest ] && due=yes
if [ "$due" = yes ]; then
  say "Installing npm packages (once, about a minute) ..."
  # Not `npm ci`: it refuses a lock file that lacks packages of other platforms, which not every registry has.
  npm install --no-save --no-audit --no-fund --loglevel=error $omit
  touch node_modules/.package-lock.json
fi

missing=""
need() { # executable, or the setting that names it; Debian package
  command -v "$1" >/dev/null 2>&1 || missing="$missing $2"
}
need "${GAKUEN_FFMPEG:-ffmpeg}" ffmpeg
need "${GAKUEN_FFPROBE:-ffprobe}" ffmpeg
if [ "${1:-}" = "--test" ]; then
  need "${GAKUEN_CHROMIUM:-chromium}" chromium
  need xmllint libxml2-utils
  need redis-server redis-server
  "${GAKUEN_PYTHON:-/usr/bin/python3}" -c 'import psycopg' >/dev/null 2>&1 || missing="$missing python3-psycopg"
  if [ "$(uname -s)" = Linux ] && [ "$(id -u)" = 0 ]; then
    # Hosts of their own, wrong clocks, and a real S3 server.
    need tc iproute2
    need iptables iptables
    need faketime faketime
    need debootstrap debootstrap
  fi
fi
[ -z "$missing" ] && exit 0
packages=$(printf '%s\n' $missing | sort -u | tr '\n' ' ' | sed 's/ $//')

if command -v apt-get >/dev/null 2>&1; then
  as_root=""
  if [ "$(id -u)" != 0 ]; then
    if command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then as_root="sudo -n"; else as_root="no"; fi
  fi
  if [ "$as_root" = no ]; then
    say "Gakuen needs: $packages. Install with:"
    if command -v sudo >/dev/null 2>&1; then say "  sudo apt-get update && sudo apt-get install -y $packages"
    else say "  su -c 'apt-get update && apt-get install -y $packages'"; fi
    exit 69
  fi
  say "Installing $packages ..."
  $as_root apt-get update -qq
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages >/dev/null
elif command -v brew >/dev/null 2>&1; then
  say "Installing ffmpeg ..."
  brew install --quiet ffmpeg
else
  say "Gakuen needs: $packages. Install them with your system's package manager and run this again."
  exit 69
fi
