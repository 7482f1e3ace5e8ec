#!/usr/bin/env bash
# build.sh: makes a guest image from Debian packages, or finds the one made before.
#
#   build.sh small     a tiny Linux with SSH, up in seconds even without KVM
#   build.sh debian    a real Debian with real cloud-init, sshd and qemu-guest-agent
#
# Prints the image's path (qcow2) on standard output and everything else on standard error. Beside
# the small guest's lies small.iso, a disc that boots it and waits for what to set up; beside the
# Debian guest's lies debian-cloud.qcow2, which boots the same system with the kernel for clouds.
# Images are kept in ${XDG_CACHE_HOME:-~/.cache}/lvhost/guests/, in a folder named after a hash of
# the recipe, so a changed recipe makes a new image and an unchanged one is reused. Two runs at
# the same time are safe: the second waits for the first.
#
# Works as root and as an ordinary user. Uses no mounts and no loop devices.
set -euo pipefail
# shellcheck source=tests/set-up/failure.sh
. "$(dirname "${BASH_SOURCE[0]}")/../set-up/failure.sh"
# shellcheck source=tests/set-up/apt.sh
. "$(dirname "${BASH_SOURCE[0]}")/../set-up/apt.sh"

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/lvhost/guests
PATH=$PATH:/usr/sbin:/sbin
export LC_ALL=C
# For what the recipes run in shells of their own.
export FAILURE=$HERE/../set-up/failure.sh

say() { printf 'guest-image: %s\n' "$*" >&2; }
die() { say "error: $*"; exit 1; }

KIND=${1:-}
if [ $# != 1 ] || [ ! -f "$HERE/$KIND/recipe.sh" ]; then
  die "usage: $0 small|debian"
fi
[ "$(uname -m)" = x86_64 ] || die "guest images are made for x86_64 only, and on it"
# shellcheck source=/dev/null
CODENAME=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}")
[ -n "$CODENAME" ] || die "/etc/os-release names no release to take packages from"

# Everything that decides what is in the image: the recipe and the release it draws from.
recipe_hash() {
  (
    cd "$HERE"
    printf '%s\n' "$CODENAME"
    find build.sh disk.sh "$KIND" -type f -print | sort | while read -r file; do
      sha256sum "$file"
      stat -c '%A' "$file"
    done
  ) | sha256sum | cut -c 1-16
}

DIRECTORY=$CACHE/$KIND-$(recipe_hash)
IMAGE=$DIRECTORY/$KIND.qcow2
mkdir -p "$CACHE"
exec 9>"$CACHE/$KIND.lock"
flock -n 9 || { say "another run is making the $KIND guest: waiting for it"; flock 9; }
if [ -f "$IMAGE" ]; then
  printf '%s\n' "$IMAGE"
  exit
fi

say "making the $KIND guest from Debian $CODENAME packages"
STARTED=$SECONDS
WORK=$(mktemp -d "${TMPDIR:-/var/tmp}/lvhost-guest.XXXXXX")
# mmdebstrap drops its rights to a user of its own where it runs as a user namespace's root.
chmod 755 "$WORK"
trap 'rm -rf "$WORK" "$DIRECTORY.new"' EXIT
rm -rf "$DIRECTORY.new"
mkdir "$DIRECTORY.new"

# Other kernels that the disk can boot; each has a $KIND/syslinux-NAME.cfg.
KERNELS=()
# shellcheck source=/dev/null
. "$HERE/disk.sh"
# shellcheck source=/dev/null
. "$HERE/$KIND/recipe.sh"
# The recipe leaves $WORK/disk.raw, and $WORK/disc.iso if there is a disc.
build_guest >&2
say "compressing the image"
# as_image NAME: the disk as it is now.
as_image() {
  qemu-img convert -f raw -O qcow2 "${QCOW2_OPTIONS[@]}" "$WORK/disk.raw" "$DIRECTORY.new/$1.qcow2"
}
as_image "$KIND"
for kernel in "${KERNELS[@]}"; do
  boot_by "$HERE/$KIND/syslinux-$kernel.cfg"
  as_image "$KIND-$kernel"
done
if [ -f "$WORK/disc.iso" ]; then mv "$WORK/disc.iso" "$DIRECTORY.new/$KIND.iso"; fi
rm -rf "$DIRECTORY"
mv -T "$DIRECTORY.new" "$DIRECTORY"
say "made $IMAGE ($(du -h "$IMAGE" | cut -f 1)) in $((SECONDS - STARTED)) s"
printf '%s\n' "$IMAGE"
