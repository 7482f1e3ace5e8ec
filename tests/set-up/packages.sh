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
  openssh-client openssh-server curl
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

mapfile -t others < <(missing "${OTHERS[@]}")
mapfile -t hypervisor < <(missing "${HYPERVISOR[@]}")
libvirt=$(version_of libvirt0)
if [ -n "$libvirt" ] && dpkg --compare-versions "$libvirt" lt "$LIBVIRT_NEEDED"; then
  say "libvirt $libvirt is too old for unprivileged builds (at least $LIBVIRT_NEEDED is needed)"
  hypervisor=("${HYPERVISOR[@]}")
fi

# libvirt and QEMU come from backports on Debian 12, whose own are too old, and wherever QEMU's
# packages, which need each other in one exact version, are from there already.
release=
if [ "$CODENAME" = bookworm ] || [[ $(version_of qemu-utils) == *'~bpo'* ]]; then
  release=$CODENAME-backports
fi

# backports_known: whether apt is configured for them.
backports_known() {
  # shellcheck disable=SC2016 # apt's to expand
  apt-get indextargets --format '$(RELEASE)' 'Created-By: Packages' 2>/dev/null |
    grep -qx "$release"
}

BACKPORTS_FILE=/etc/apt/sources.list.d/$CODENAME-backports.sources
# The mirror that this host's apt is configured for.
backports_source() {
  local mirror
  # shellcheck disable=SC2016 # apt's to expand
  mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' |
    grep -E '/debian/?$' | head -n 1)
  [ -n "$mirror" ] || die "apt is configured for no Debian mirror"
  printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: %s\n' "$mirror" "$release" \
    /usr/share/keyrings/debian-archive-keyring.gpg
}

# Configuration files that somebody changed stay as they are: there is nobody to ask.
install_packages() {
  say "installing: $*"
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends \
    -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold install "$@" >&2 ||
    die "apt-get could not install: $*"
}

if [ $((${#others[@]} + ${#hypervisor[@]})) -gt 0 ]; then
  add_backports=no
  if [ ${#hypervisor[@]} -gt 0 ] && [ -n "$release" ] && ! backports_known; then
    add_backports=yes
  fi
  if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
    say "Debian packages are missing, and installing them needs root. As root, run:"
    {
      [ "$add_backports" = no ] ||
        printf 'cat >%s <<END\n%s\nEND\n' "$BACKPORTS_FILE" "$(backports_source)"
      printf 'apt-get update\n'
      [ ${#others[@]} = 0 ] || printf 'apt-get install --no-install-recommends %s\n' "${others[*]}"
      [ ${#hypervisor[@]} = 0 ] ||
        printf 'apt-get install --no-install-recommends %s%s\n' "${release:+-t $release }" "${hypervisor[*]}"
    } >&2
    exit 1
  fi
  if [ "$add_backports" = yes ]; then
    say "adding Debian's backports to apt's sources: $BACKPORTS_FILE"
    backports_source | as_root tee "$BACKPORTS_FILE" >/dev/null
  fi
  say "updating apt's package lists"
  as_root apt-get -qq update >&2 || say "apt-get update failed; trying with the lists at hand"
  [ ${#others[@]} = 0 ] || install_packages "${others[@]}"
  [ ${#hypervisor[@]} = 0 ] || install_packages ${release:+-t "$release"} "${hypervisor[@]}"
  mapfile -t left < <(missing "${HYPERVISOR[@]}" "${OTHERS[@]}")
  [ ${#left[@]} = 0 ] || die "still not installed: ${left[*]}"
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
