#!/usr/bin/env bash
# packages.sh: installs the Debian packages that building, the demo and the tests of lvhost need.
#
# Works on Debian 12 and 13. Installs only what is missing, so a second run takes a moment and
# needs no network. Installing needs root: sudo is used where it is there; otherwise the command
# to give to an administrator is printed and the script stops with status 1.
#
# It also checks that a Rust toolchain is there that is new enough. That one is not installed:
# which toolchain manager to use is the developer's choice.
set -euo pipefail

PACKAGES=(
  # to build: libvirt's client library and a C toolchain for the crates that link to it
  gcc g++ make libc6-dev pkg-config libvirt-dev git ca-certificates
  # the hypervisor
  libvirt-daemon-system libvirt-clients qemu-system-x86 qemu-utils ovmf
  swtpm swtpm-tools passt dnsmasq-base iproute2 procps util-linux
  # to make guest images without mounts or loop devices
  mmdebstrap fakeroot uidmap cpio kmod binutils zstd xz-utils e2fsprogs dosfstools mtools parted
  syslinux syslinux-common
  # to read back what lvhost wrote, by other people's programs
  xorriso genisoimage python3-minimal
  # the other end of SSH and HTTP
  openssh-client openssh-server curl
)
# Split off from libvirt-daemon in Debian 13 only; in Debian 12 the package of that name is
# a real one too, but older releases have it inside the daemon's.
OPTIONAL_PACKAGES=(libvirt-daemon-driver-qemu)
RUST_NEEDED=1.95

say() { printf 'set-up: %s\n' "$*" >&2; }
die() { say "error: $*"; exit 1; }

command -v dpkg-query >/dev/null && command -v apt-get >/dev/null ||
  die "this is no Debian host: install the equivalents of: ${PACKAGES[*]}"

installed() {
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

missing=()
for package in "${PACKAGES[@]}" "${OPTIONAL_PACKAGES[@]}"; do
  installed "$package" || missing+=("$package")
done

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# A package that the configured suites do not know by this name cannot be asked for.
drop_unknown_optional() {
  local known=() package optional
  for package in "${missing[@]}"; do
    optional=no
    [[ " ${OPTIONAL_PACKAGES[*]} " == *" $package "* ]] && optional=yes
    if [ "$optional" = yes ] && ! apt-cache show "$package" >/dev/null 2>&1; then continue; fi
    known+=("$package")
  done
  missing=("${known[@]}")
}

# The QEMU packages depend on each other by exact version: where one is already installed from
# backports, the others must come from there as well, and libvirt with them.
target_release() {
  local version
  version=$(dpkg-query -W -f '${Version}' qemu-utils 2>/dev/null || true)
  if [[ $version == *'~bpo'* ]]; then
    # shellcheck disable=SC1091
    printf '%s-backports' "$(. /etc/os-release && printf '%s' "$VERSION_CODENAME")"
  fi
}

if [ ${#missing[@]} -gt 0 ]; then
  options=(-y --no-install-recommends)
  release=$(target_release)
  [ -z "$release" ] || options+=(-t "$release")
  if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
    say "missing Debian packages, and installing needs root. As root, run:"
    printf '  apt-get update && apt-get install %s %s\n' "${options[*]}" "${missing[*]}" >&2
    exit 1
  fi
  say "updating apt's package lists"
  as_root apt-get -qq update >&2 || say "apt-get update failed; trying with the lists at hand"
  drop_unknown_optional
  if [ ${#missing[@]} -gt 0 ]; then
    say "installing from Debian${release:+ ($release)}: ${missing[*]}"
    # No service is to be started by the installation where no init system could look after it;
    # libvirt.sh starts what is needed.
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install "${options[@]}" \
      "${missing[@]}" >&2 ||
      die "apt-get could not install the packages above"
  fi
  for package in "${PACKAGES[@]}"; do
    installed "$package" || die "$package is still not installed"
  done
fi
say "all Debian packages are there"

# Rust: compare the two leading numbers of the version.
PATH="$PATH:${CARGO_HOME:-$HOME/.cargo}/bin"
how="get it from https://rustup.rs, then run: rustup toolchain install stable"
command -v cargo >/dev/null || die "no cargo on PATH; Rust $RUST_NEEDED or newer is needed: $how"
version=$(cargo --version | sed -n 's/^cargo \([0-9]*\.[0-9]*\).*/\1/p')
oldest=$(printf '%s\n' "$RUST_NEEDED" "$version" | sort -V | head -n 1)
[ "$oldest" = "$RUST_NEEDED" ] ||
  die "cargo is version $version; Rust $RUST_NEEDED or newer is needed: $how"
say "cargo $version is new enough (at least $RUST_NEEDED)"
