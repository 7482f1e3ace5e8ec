#!/usr/bin/env bash
# build.sh: builds a real Packer, the Go plugin, or what asks plugins in Packer's place, from published
# modules, or finds the one built before.
#
#   build.sh 1.16.0            the newest Packer: protobuf, and gob with PACKER_FORCE_GOB=1
#   build.sh 1.11.2            the last one that knows gob only
#   build.sh go-plugin-0.5.0   the plugin in Go that ours takes the place of
#   build.sh config-spec       a program that prints which options a plugin tells Packer of
#
# Prints the binary's path on standard output and everything else on standard error. Binaries are kept
# in ${XDG_CACHE_HOME:-~/.cache}/lvhost/packer/, in a folder named after a hash of the module's files. Two
# runs at the same time are safe: the second waits for the first.
#
# Exit status 77 and a line "SKIPPED: why" on standard error where there is no Go, or one that is too old
# and may not fetch a newer one. The first build takes minutes and needs the Go module proxy.
set -euo pipefail
# shellcheck source=tests/set-up/failure.sh
. "$(dirname "${BASH_SOURCE[0]}")/../set-up/failure.sh"

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/lvhost/packer
SKIPPED=77

say() { printf 'packer: %s\n' "$*" >&2; }
die() { say "error: $*"; exit 1; }
skip() { printf 'SKIPPED: %s\n' "$*" >&2; exit "$SKIPPED"; }

NAME=${1:-}
MODULE=$HERE/$NAME
if [ $# != 1 ] || [ -z "$NAME" ] || [ ! -f "$MODULE/go.mod" ]; then
  die "usage: $0 $(cd "$HERE" && printf '%s|' */ | sed 's,/|,|,g; s,|$,,')"
fi

# What is built: the one tool that the module names.
TOOL=$(sed -n 's/^tool //p' "$MODULE/go.mod")
HASH=$(shopt -s nullglob && cd "$MODULE" && sha256sum go.mod go.sum ./*.go | sha256sum | cut -c 1-16)
DIRECTORY=$CACHE/$NAME-$HASH
BINARY=$DIRECTORY/$(basename "$TOOL")
mkdir -p "$CACHE"
exec 9>"$CACHE/$NAME.lock"
flock -n 9 || { say "another run is building $NAME: waiting for it"; flock 9; }
if [ -x "$BINARY" ]; then
  printf '%s\n' "$BINARY"
  exit
fi

command -v go >/dev/null || skip "there is no Go to build $NAME with"
# With GOTOOLCHAIN=auto an older Go fetches the one that the module names.
version=$(cd "$MODULE" && go version 2>&1) ||
  skip "this Go is too old to build $NAME: $(tail -n 1 <<<"$version")"

say "building $NAME with $version; this takes minutes"
STARTED=$SECONDS
trap 'rm -rf "$DIRECTORY.new"' EXIT
rm -rf "$DIRECTORY.new"
mkdir "$DIRECTORY.new"
(cd "$MODULE" && go build -mod=readonly -trimpath -o "$DIRECTORY.new/$(basename "$TOOL")" "$TOOL") >&2 ||
  die "go could not build $NAME"
rm -rf "$DIRECTORY"
mv "$DIRECTORY.new" "$DIRECTORY"
say "built $NAME in $((SECONDS - STARTED)) s"
printf '%s\n' "$BINARY"
