#!/usr/bin/env bash
# run.sh: measures target/release/lvhost (or $LVHOST) beside its yardsticks and prints a table, as
# Markdown, on standard output; progress goes to standard error. Called by `make bench`, which has
# built lvhost and made sure that qemu:///system answers.
#
#   LVHOST_BENCH_DIRECTORY   where to work: a folder on the file system to measure, not in memory
#                            (default: /var/tmp). 9 GiB have to be free there.
#   LVHOST_BENCH_ROUNDS      how often each transfer and each of its yardsticks is run (default: 5)
#   LVHOST_BENCH_ONLY        measure only what has this in its name: validate, upload, upload of a dense
#                            image, download, whole builds, under Packer (default: all)
#
# It is a benchmark and no test: a figure that misses its mark is said so, and the exit status is
# still 0. It is 1 if something could not be measured.
set -euo pipefail
# shellcheck source=tests/set-up/failure.sh
. "$(dirname "${BASH_SOURCE[0]}")/../set-up/failure.sh"

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
LVHOST=${LVHOST:-$("$ROOT/tests/set-up/target-directory.sh")/release/lvhost}
PARENT=${LVHOST_BENCH_DIRECTORY:-/var/tmp}
ROUNDS=${LVHOST_BENCH_ROUNDS:-5}
URI=qemu:///system
# 2 GiB and 1 GiB of data files, and at the worst time 2 GiB each of a download, of the copy that
# its yardstick made and of a volume.
NEEDED_GIB=9
export LC_ALL=C

say() { printf 'bench: %s\n' "$*" >&2; }
die() { say "error: $*"; exit 1; }

# Of Python more than Debian's minimal one.
python3 -c 'import socket, subprocess, threading, typing' 2>/dev/null ||
  die "python3 with its standard library is missing: apt-get install python3"
for tool in curl:curl virsh:libvirt-clients qemu-img:qemu-utils; do
  command -v "${tool%%:*}" >/dev/null ||
    die "${tool%%:*} is missing: apt-get install ${tool#*:}"
done
[ -x "$LVHOST" ] || die "$LVHOST is missing: run make build"
[[ $ROUNDS =~ ^[1-9][0-9]*$ ]] || die "LVHOST_BENCH_ROUNDS is no number of rounds: $ROUNDS"
virsh -q -c "$URI" uri >/dev/null || die "$URI does not answer: run tests/set-up/libvirt.sh system"
case $(stat -f -c %T "$PARENT") in
  tmpfs | ramfs) die "$PARENT is in memory: name a folder on a disk in LVHOST_BENCH_DIRECTORY" ;;
esac
free=$(($(stat -f -c '%a * %S' "$PARENT") >> 30))
[ "$free" -ge "$NEEDED_GIB" ] ||
  die "$PARENT has $free GiB left of $NEEDED_GIB: name another folder in LVHOST_BENCH_DIRECTORY"

IMAGE=$("$ROOT/tests/guest-image/build.sh" small)
TYPE=$("$ROOT/tests/set-up/libvirt.sh" domain-type)
[ "$TYPE" = kvm ] || say "KVM does not work here: the guest is emulated"

# Empty without Go: then nothing is measured under Packer.
PACKER=$("$ROOT/tests/packer/build.sh" 1.16.0 || true)
GO_PLUGIN=$("$ROOT/tests/packer/build.sh" go-plugin-0.5.0 || true)
DEBIAN=
[ -z "$GO_PLUGIN" ] || DEBIAN=$("$ROOT/tests/guest-image/build.sh" debian)

POOL=lvhost-bench-$$
DIRECTORY=$(mktemp -d "$PARENT/lvhost-bench.XXXXXX")
clean_up() {
  local domain
  # lvhost cleans up itself; this is for the time when it can't, because it was killed.
  for domain in $(virsh -q -c "$URI" list --all --name); do
    [[ $domain == "$POOL"-* ]] || continue
    virsh -q -c "$URI" destroy "$domain" >/dev/null 2>&1 || true
    virsh -q -c "$URI" undefine --nvram "$domain" >/dev/null 2>&1 || true
  done
  virsh -q -c "$URI" pool-destroy "$POOL" >/dev/null 2>&1 || true
  rm -rf "$DIRECTORY"
}
trap clean_up EXIT
# The hypervisor's own user has to get at the pool.
mkdir "$DIRECTORY/pool"
chmod 711 "$DIRECTORY" "$DIRECTORY/pool"
virsh -q -c "$URI" pool-create-as "$POOL" dir --target "$DIRECTORY/pool" >&2

python3 -B "$ROOT/tests/bench/benchmark.py" \
  "$LVHOST" "$URI" "$POOL" "$DIRECTORY" "$IMAGE" "$TYPE" "$ROUNDS" \
  "$PACKER" "$(dirname "$LVHOST")/packer-plugin-libvirt" "$GO_PLUGIN" "$DEBIAN" "${LVHOST_BENCH_ONLY:-}"
