#!/usr/bin/env bash
# bare-root.sh LAYERS CASE USER COMMAND [ARGUMENT...]: runs COMMAND as USER in a root file system of its own.
# Called by bare.sh as root, as the first process of a new process and mount namespace: nothing stays mounted,
# and no process goes on, once it has ended.
#
#   LAYERS   folders below the root, the uppermost first, separated by `:`; nothing is written to them
#   CASE     a folder: CASE/upper gets what is written
#
#   BARE_ARCHIVES   a folder for the packages that apt downloads (default: in the root)
#   BARE_RUST       the Rust toolchain, read-only there; with `copy:` before it, one to write to that has no other
#                   targets yet
#
# The root has devices of its own, since scripts of packages change the owners of those that they find. What
# they could change of the running kernel is read-only to them.
set -euo pipefail
# shellcheck source=tests/set-up/failure.sh
. "$(dirname "${BASH_SOURCE[0]}")/failure.sh"

LAYERS=$1 CASE=$2 RUN_AS=$3
shift 3
ROOT=$CASE/root
mkdir -p "$CASE/upper" "$CASE/work" "$ROOT"
mount -t overlay overlay -o "lowerdir=$LAYERS,upperdir=$CASE/upper,workdir=$CASE/work" "$ROOT"

mount -t proc proc "$ROOT/proc"
for path in sys sysrq-trigger; do
  [ -e "$ROOT/proc/$path" ] || continue
  mount --bind "$ROOT/proc/$path" "$ROOT/proc/$path"
  mount -o remount,bind,ro "$ROOT/proc/$path"
done
mount -t sysfs -o ro sysfs "$ROOT/sys"

mount -t tmpfs -o mode=755,nosuid tmpfs "$ROOT/dev"
while read -r name major minor; do
  mknod -m 666 "$ROOT/dev/$name" c "$major" "$minor"
done <<'DEVICES'
null 1 3
zero 1 5
full 1 7
random 1 8
urandom 1 9
tty 5 0
DEVICES
mkdir -m 755 "$ROOT/dev/pts"
mkdir -m 1777 "$ROOT/dev/shm"
mount -t devpts -o newinstance,ptmxmode=666,mode=620,gid=5 devpts "$ROOT/dev/pts"
ln -s pts/ptmx "$ROOT/dev/ptmx"
ln -s /proc/self/fd "$ROOT/dev/fd"
for number in 0:stdin 1:stdout 2:stderr; do
  ln -s "/proc/self/fd/${number%%:*}" "$ROOT/dev/${number#*:}"
done

mount -t tmpfs -o mode=755,nosuid tmpfs "$ROOT/run"
mkdir -m 1777 "$ROOT/run/lock"
rm -f "$ROOT/etc/resolv.conf"
cp /etc/resolv.conf "$ROOT/etc/resolv.conf"
if [ -n "${BARE_ARCHIVES:-}" ]; then
  mount --bind "$BARE_ARCHIVES" "$ROOT/var/cache/apt/archives"
fi
mkdir -p "$ROOT/opt/rust"
case ${BARE_RUST:-} in
  '') ;;
  copy:*)
    mkdir -p "$CASE/rust" "$CASE/rust-work"
    mount -t overlay overlay \
      -o "lowerdir=${BARE_RUST#copy:},upperdir=$CASE/rust,workdir=$CASE/rust-work" "$ROOT/opt/rust"
    # As it comes from those who publish it.
    rm -rf "$ROOT"/opt/rust/lib/rustlib/wasm32-*
    ;;
  *)
    mount --bind "$BARE_RUST" "$ROOT/opt/rust"
    mount -o remount,bind,ro "$ROOT/opt/rust"
    ;;
esac

# Not by chroot alone: a process in a chroot may make no user namespace, which passt and mmdebstrap need.
mkdir "$ROOT/run/host"
cd "$ROOT"
pivot_root . run/host
cd /
umount -l /run/host
rmdir /run/host

# Where rustup puts its programs, which is on no PATH until the next login.
home=$(getent passwd "$RUN_AS" | cut -d : -f 6)
if [ -n "${BARE_RUST:-}" ] && [ ! -e "$home/.cargo" ]; then
  mkdir "$home/.cargo"
  ln -s /opt/rust/bin "$home/.cargo/bin"
  chown -R "$RUN_AS:" "$home/.cargo"
fi
become=()
if [ "$RUN_AS" != root ]; then
  become=(setpriv --reuid "$RUN_AS" --regid "$RUN_AS" --init-groups --)
fi
cd /checkout
# Not by `exec`: this shell stays the first process and collects what daemons leave behind.
status=0
"${become[@]}" env -i HOME="$home" USER="$RUN_AS" TERM=dumb LC_ALL=C.UTF-8 CARGO_TERM_COLOR=never \
  PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
  "$@" </dev/null || status=$?
exit "$status"
