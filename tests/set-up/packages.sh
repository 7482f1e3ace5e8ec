#!/usr/bin/env bash
# packages.sh: installs the Debian packages that building, the demo and the tests of lvhost need.
#
# Works on Debian 12 and 13. Installs only what is missing, so a second run takes a moment and
# needs no network. Installing needs root: sudo is used where it is there and lets this user in;
# otherwise the commands to hand to an administrator are printed, in lines without a prefix, and
# the script stops with status 1. After these commands a second run has nothing left to install.
#
# It also checks that a Rust toolchain is there that is new enough. That one is not installed:
# which toolchain manager to use is the developer's choice.
set -euo pipefail
# shellcheck source=tests/set-up/failure.sh
. "$(dirname "${BASH_SOURCE[0]}")/failure.sh"
# shellcheck source=tests/set-up/apt.sh
. "$(dirname "${BASH_SOURCE[0]}")/apt.sh"

# All that has to be of one release: libvirt and QEMU.
HYPERVISOR=(
  libvirt-dev libvirt-clients libvirt-daemon-system libvirt-daemon-driver-qemu
  libvirt-daemon-config-network qemu-system-x86 qemu-utils ovmf
)
OTHERS=(
  # to build: a C toolchain for the crates that link to libvirt
  gcc g++ make libc6-dev pkg-config git ca-certificates
  # what the hypervisor calls
  swtpm swtpm-tools passt dnsmasq-base iproute2 iptables procps util-linux
  # to make guest images without mounts or loop devices
  mmdebstrap fakeroot uidmap cpio kmod binutils xz-utils e2fsprogs dosfstools mtools parted
  syslinux syslinux-common
  # to read back what lvhost wrote, by other people's programs
  xorriso genisoimage python3
  # the other end of SSH and HTTP
  openssh-client openssh-server dropbear-bin openssl curl
)
# The other end of SMB; where systemd runs, the package would begin to share files of this host.
[ -d /run/systemd/system ] || OTHERS+=(samba)
# Older ones refuse `<backend type='passt'/>`, without which a build needs privileges.
LIBVIRT_NEEDED=10
RUST_NEEDED=1.95

say() { printf 'set-up: %s\n' "$*" >&2; }
die() { say "error: $*"; exit 1; }

command -v apt-get >/dev/null ||
  die "this is no Debian host: install the equivalents of: ${HYPERVISOR[*]} ${OTHERS[*]}"
# shellcheck source=/dev/null
CODENAME=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}")

# version_of PACKAGE: its version, or nothing. dpkg-query fails for a package it has never heard of.
version_of() {
  { dpkg-query -W -f '${db:Status-Status} ${Version}\n' "$1" 2>/dev/null || true; } |
    sed -n 's/^installed //p'
}

# missing PACKAGE...: those that are not installed, one a line.
missing() {
  local package
  for package in "$@"; do
    [ -n "$(version_of "$package")" ] || printf '%s\n' "$package"
  done
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# may_install: whether as_root works. sudo may be there and refuse this user.
may_install() {
  [ "$(id -u)" != 0 ] || return 0
  command -v sudo >/dev/null || return 1
  say "installing needs root: asking sudo, which may ask for your password"
  sudo true
}

# libvirt_too_old: whether there is a libvirt, and it is too old.
libvirt_too_old() {
  local libvirt
  libvirt=$(version_of libvirt0)
  [ -n "$libvirt" ] && dpkg --compare-versions "$libvirt" lt "$LIBVIRT_NEEDED"
}

say "looking at which Debian packages are there"
mapfile -t others < <(missing "${OTHERS[@]}")
mapfile -t hypervisor < <(missing "${HYPERVISOR[@]}")
if libvirt_too_old; then
  say "libvirt $(version_of libvirt0) is too old for unprivileged builds (at least $LIBVIRT_NEEDED is needed)"
  hypervisor=("${HYPERVISOR[@]}")
fi

# libvirt and QEMU come from backports on Debian 12, whose own are too old, and wherever QEMU's
# packages, which need each other in one exact version, are from there already.
release=
if [ "$CODENAME" = bookworm ] || [[ $(version_of qemu-utils) == *'~bpo'* ]]; then
  release=$CODENAME-backports
fi

BACKPORTS_FILE=/etc/apt/sources.list.d/$CODENAME-backports.sources
# backports_source MIRROR: what has to stand in that file.
backports_source() {
  printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: %s\n' "$1" "$release" \
    /usr/share/keyrings/debian-archive-keyring.gpg
}

# Configuration files that somebody changed stay as they are: there is nobody to ask.
APT_INSTALL=(apt-get -y --no-install-recommends
  -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold)

# install_packages [-t RELEASE] PACKAGE...
install_packages() {
  say "installing, which takes a minute or two: $*"
  as_root env DEBIAN_FRONTEND=noninteractive "${APT_INSTALL[@]}" -qq install "$@" >&2 ||
    die "apt-get could not install: $*"
}

# hand_out_commands MIRROR: what an administrator has to run; MIRROR is empty where apt knows the backports.
hand_out_commands() {
  say "Debian packages are missing, and installing them needs root. Hand these commands to an administrator:"
  {
    [ -z "$1" ] || printf "cat >%s <<'END'\n%s\nEND\n" "$BACKPORTS_FILE" "$(backports_source "$1")"
    printf 'export DEBIAN_FRONTEND=noninteractive\n'
    printf 'apt-get update\n'
    [ ${#others[@]} = 0 ] || printf '%s install %s\n' "${APT_INSTALL[*]}" "${others[*]}"
    [ ${#hypervisor[@]} = 0 ] ||
      printf '%s install %s%s\n' "${APT_INSTALL[*]}" "${release:+-t $release }" "${hypervisor[*]}"
  } >&2
  say "then run this again"
}

if [ $((${#others[@]} + ${#hypervisor[@]})) -gt 0 ]; then
  # Empty where nothing has to be added to apt's sources.
  mirror=
  if [ ${#hypervisor[@]} -gt 0 ] && [ -n "$release" ]; then
    suites=$(configured_suites)
    if ! grep -q " $release\$" <<<"$suites"; then
      mirror=$(debian_mirror "$CODENAME")
      [ -n "$mirror" ] || die "apt is configured for no Debian mirror, which is where $release has to come from"
    fi
  fi
  if ! may_install; then
    hand_out_commands "$mirror"
    exit 1
  fi
  if [ -n "$mirror" ]; then
    say "adding Debian's backports to apt's sources: $BACKPORTS_FILE"
    backports_source "$mirror" | as_root tee "$BACKPORTS_FILE" >/dev/null
  fi
  say "updating apt's package lists"
  as_root apt-get -qq update >&2 || say "apt-get update failed; trying with the lists at hand"
  [ ${#others[@]} = 0 ] || install_packages "${others[@]}"
  [ ${#hypervisor[@]} = 0 ] || install_packages ${release:+-t "$release"} "${hypervisor[@]}"
  mapfile -t left < <(missing "${HYPERVISOR[@]}" "${OTHERS[@]}")
  [ ${#left[@]} = 0 ] || die "still not installed: ${left[*]}"
  ! libvirt_too_old || die "this release of Debian has only libvirt $(version_of libvirt0)"
fi
say "all Debian packages are there (libvirt $(version_of libvirt0), QEMU $(version_of qemu-utils))"

# Rust: compare the two leading numbers of the version.
PATH="$PATH:${CARGO_HOME:-$HOME/.cargo}/bin"
how="get it from https://rustup.rs, then run: rustup toolchain install stable"
command -v cargo >/dev/null || die "no cargo on PATH; Rust $RUST_NEEDED or newer is needed: $how"
version=$(cargo --version | sed -n 's/^cargo \([0-9]*\.[0-9]*\).*/\1/p')
oldest=$(printf '%s\n' "$RUST_NEEDED" "$version" | sort -V | head -n 1)
[ "$oldest" = "$RUST_NEEDED" ] ||
  die "cargo is version $version; Rust $RUST_NEEDED or newer is needed: $how"
say "cargo $version is new enough (at least $RUST_NEEDED)"
