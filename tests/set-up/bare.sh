#!/usr/bin/env bash
# bare.sh: tries the set-up where nothing was ever set up: in bare roots of Debian 12 and 13.
#
#   bare.sh packages [SUITE...]   `make packages`, in all states that a new machine may be in
#   bare.sh demo [SUITE...]       `make demo` from nothing, as root, with its times; then as a user without rights,
#                                 who finds lvhost compiled. Nothing is kept from one run to the next.
#
# SUITE: bookworm, trixie; without a word both, at the same time. Each case has a copy of the checkout, and a root
# made by mmdebstrap (minbase, and make) with devices, processes and mounts of its own: see bare-root.sh.
# Roots and downloaded packages are kept in ${XDG_CACHE_HOME:-~/.cache}/lvhost/bare, the roots in folders named
# after a hash of their recipe. Debian's mirror is the one that this host's apt has.
#
# Needs root, for devices and mounts; without it, it prints a line `SKIPPED: why`. Ends with status 1 if a case
# failed, and shows that case's last lines then.
set -euo pipefail
# shellcheck source=tests/set-up/failure.sh
. "$(dirname "${BASH_SOURCE[0]}")/failure.sh"
# shellcheck source=tests/set-up/apt.sh
. "$(dirname "${BASH_SOURCE[0]}")/apt.sh"

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(cd "$HERE/../.." && pwd)
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/lvhost/bare
PATH=$PATH:/usr/sbin:/sbin
export LC_ALL=C

say() { printf 'bare: %s\n' "$*" >&2; }
die() { say "error: $*"; exit 1; }

MODE=${1:-}
case $MODE in
  packages | demo) shift ;;
  *) die "usage: $0 packages|demo [SUITE...]" ;;
esac
SUITES=("$@")
[ ${#SUITES[@]} -gt 0 ] || SUITES=(bookworm trixie)
if [ "$(id -u)" != 0 ]; then
  echo "SKIPPED: bare roots: they have devices and mounts of their own, which needs root" >&2
  exit
fi
command -v mmdebstrap >/dev/null || die "mmdebstrap is missing: run make packages"
# shellcheck source=/dev/null
MIRROR=$(debian_mirror "$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}")")
[ -n "$MIRROR" ] || die "apt is configured for no Debian mirror"
RUST=$(rustc --print sysroot) || die "there is no Rust toolchain to lend"

# Services of a root must not start; nobody needs what is written to survive a crash; a user without rights.
RECIPE=(--mode=root --variant=minbase --include=make
  --dpkgopt=force-unsafe-io
  --customize-hook='printf "#!/bin/sh\nexit 101\n" >"$1/usr/sbin/policy-rc.d"'
  --customize-hook='chmod 755 "$1/usr/sbin/policy-rc.d"'
  --customize-hook='chroot "$1" useradd --create-home --shell /bin/bash builder'
  --customize-hook='mkdir "$1/checkout"')

# bare_root SUITE: the folder of its root, made if it is not there.
bare_root() {
  local suite=$1 directory
  directory=$CACHE/$suite-$(printf '%s\n' "$suite" "$MIRROR" "${RECIPE[@]}" | sha256sum | cut -c 1-16)
  mkdir -p "$CACHE/$suite-archives/partial"
  exec 9>"$CACHE/$suite.lock"
  flock 9
  if [ ! -d "$directory" ]; then
    say "$suite: making a bare root"
    rm -rf "$directory.new"
    mmdebstrap --quiet "${RECIPE[@]}" "$suite" "$directory.new" \
      "deb $MIRROR $suite main" "deb $MIRROR $suite-updates main" >&2
    mv "$directory.new" "$directory"
  fi
  exec 9>&-
  printf '%s\n' "$directory"
}

# new_case NAME LAYERS: a root over LAYERS with a copy of the checkout; `enter` runs things in it.
new_case() {
  CASE=$WORK/$1 CASE_LAYERS=$2
  mkdir -p "$CASE/upper/checkout"
  (cd "$ROOT" && git ls-files -z --cached --others --exclude-standard) |
    tar -C "$ROOT" --null --files-from=- -c | tar -x -C "$CASE/upper/checkout"
  chown -R "$(stat -c %u:%g "$BASE/home/builder")" "$CASE/upper/checkout"
  # What this host trusts beside Debian's own list, for instance where a company looks into all traffic.
  if [ -d /usr/local/share/ca-certificates ]; then
    mkdir -p "$CASE/upper/usr/local/share"
    cp -R /usr/local/share/ca-certificates "$CASE/upper/usr/local/share/"
  fi
}

# enter [--offline] USER COMMAND...: in the case's root. What it says is in $CASE/said as well.
enter() {
  local network=()
  if [ "$1" = --offline ]; then network=(--net); shift; fi
  printf '\n$ (%s%s) %s\n' "$1" "${network:+, no network}" "${*:2}"
  env BARE_ARCHIVES="$ARCHIVES" BARE_RUST="$RUST" \
    unshare --mount --pid --ipc --uts "${network[@]}" --fork --kill-child --propagation private \
    "$HERE/bare-root.sh" "$CASE_LAYERS" "$CASE" "$@" 2>&1 | tee "$CASE/said"
}

# Each of these ends the case that it is called in.
unexpected() { printf 'NOT AS IT SHOULD BE: %s\n' "$*"; exit 1; }
must_say() { grep -q -e "$1" "$CASE/said" || unexpected "it does not say: $1"; }
must_not_say() { ! grep -q -e "$1" "$CASE/said" || unexpected "it says: $1"; }
fails() { ! "$@" || unexpected "it succeeded: $*"; }

# Nothing left to do, and no network to do it with.
again() {
  enter --offline "$1" make packages
  must_say '^set-up: all Debian packages are there (libvirt 1[0-9]'
  must_not_say '^set-up: .*\(installing\|updating\|adding\)'
}

# handed_out FILE: what the user is given to hand on: all that has no prefix.
handed_out() {
  fails enter builder make packages
  must_say '^set-up: Debian packages are missing'
  grep -v -e '^set-up: ' -e '^make: ' -e '^sudo: ' "$CASE/said" >"$1"
}

root_installs() {
  # With neither packages, nor lists, nor a network: it has to say what it could not do.
  fails enter --offline root make packages
  must_say '^set-up: error: apt-get could not install'
  enter root make packages
  again root
  again builder
}

root_upgrades() {
  enter root make packages
  must_say '^set-up: libvirt .* is too old'
  again root
  again builder
}

user_hands_on() {
  handed_out "$CASE/commands"
  # With lists, the same is asked for.
  enter root apt-get -qq update
  handed_out "$CASE/commands-with-lists"
  diff "$CASE/commands" "$CASE/commands-with-lists" || unexpected "with lists, other commands are handed out"
  enter root sh -e -c "$(<"$CASE/commands")"
  again builder
  again root
}

# A user whom sudo refuses, and lets in. One package is taken away, which is as good as all of them.
user_has_sudo() {
  enter root apt-get -qq -y --no-install-recommends install sudo
  enter root dpkg --remove --force-depends mtools
  handed_out "$CASE/commands"
  must_say '^set-up: .*sudo'
  grep -q ' install mtools$' "$CASE/commands" || unexpected "mtools is not in: $(<"$CASE/commands")"
  enter root sh -c 'echo "builder ALL=(ALL) NOPASSWD: ALL" >/etc/sudoers.d/builder'
  enter builder make packages
  must_say '^set-up: installing.*mtools'
  again builder
}

# Debian 12's own, older libvirt and QEMU, with parts that other packages bring along.
OLDER=(libvirt-daemon-system libvirt-clients libvirt-daemon-driver-lxc libvirt-daemon-driver-vbox
  libvirt-daemon-driver-xen libvirt-daemon-driver-storage-gluster libvirt-dev qemu-system-x86 qemu-utils
  qemu-block-extra qemu-system-gui ovmf)
older_installed() {
  enter root apt-get -qq update
  enter root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install "${OLDER[@]}"
}

# Where everything has to be downloaded and compiled; and as a user without rights, with what root compiled.
demo() {
  enter root make demo
  must_say '^demo: the artifact is'
  cp "$CASE/said" "$CASE/phases"
  enter builder env LVHOST=/checkout/target/debug/lvhost make demo
  must_say '^demo: the artifact is'
}

# run_case NAME LAYERS STEP...: runs the steps in a case of their own and tells how it went. What they print is
# kept for when one fails.
run_case() {
  local name=$1 layers=$2 started=$SECONDS status=0
  shift 2
  # In the background, since a command that fails ends nothing within `(…) || …`.
  (
    new_case "$name" "$layers"
    for step in "$@"; do "$step"; done
  ) >"$WORK/$name.log" 2>&1 &
  wait "$!" || status=$?
  if [ "$status" = 0 ]; then
    say "$SUITE: $name: $((SECONDS - started)) s"
  else
    say "error: $SUITE: $name failed after $((SECONDS - started)) s:"
    tail -n 60 "$WORK/$name.log" | sed 's/^/    /' >&2
    FAILED=$((FAILED + 1))
  fi
}

# run_suite SUITE: runs all of its cases and ends this shell with the number of those that failed.
run_suite() {
  SUITE=$1 WORK=$WORK/$1 FAILED=0
  mkdir "$WORK"
  BASE=$(bare_root "$SUITE")
  ARCHIVES=$CACHE/$SUITE-archives
  if [ "$MODE" = demo ]; then
    ARCHIVES=
    RUST=copy:$RUST
    run_case demo "$BASE" demo
    [ "$FAILED" != 0 ] || sed -n '/^ *time *processor/,/in all/p' "$WORK/demo/phases" >&2
  else
    run_case root "$BASE" root_installs user_has_sudo
    run_case user "$BASE" user_hands_on
    if [ "$SUITE" = bookworm ]; then
      run_case older "$BASE" older_installed
      run_case older-root "$WORK/older/upper:$BASE" root_upgrades
      run_case older-user "$WORK/older/upper:$BASE" user_hands_on
    fi
  fi
  exit "$FAILED"
}

# devices: the host's own devices, with owners and modes. No case may have changed them.
devices() { find /dev -xdev \( -type c -o -type b \) ! -path '/dev/tty*' -printf '%p %U:%G %m\n' | sort; }

WORK=$(mktemp -d /var/tmp/lvhost-bare.XXXXXX)
chmod 755 "$WORK"
trap 'rm -rf "$WORK"' EXIT
devices >"$WORK/devices"
running=() status=0
for suite in "${SUITES[@]}"; do
  run_suite "$suite" &
  running+=("$!")
done
for pid in "${running[@]}"; do wait "$pid" || status=1; done
devices | diff "$WORK/devices" - >&2 || { say "error: devices of this host have changed"; status=1; }
! grep -q " $WORK" /proc/mounts || { say "error: something is still mounted below $WORK"; status=1; }
say "took $SECONDS s"
exit "$status"
