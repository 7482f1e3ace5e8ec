#!/usr/bin/env bash
# run.sh: runs the demo with target/release/lvhost (or $LVHOST), unprivileged, and says where the
# artifact is. Called by `make demo`, which has built everything before.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
LVHOST=${LVHOST:-$ROOT/target/release/lvhost}
# Where the private hypervisor keeps its state and its pool. Short, since it holds unix sockets,
# and not in root's home, since a root who calls this lends the work to an unprivileged user.
DIRECTORY=${LVHOST_DEMO_DIRECTORY:-/var/tmp/lvhost-demo-$(id -u)}
NAME=lvhost-demo

say() { printf 'demo: %s\n' "$*" >&2; }

IMAGE=$("$ROOT/tests/guest-image/build.sh" small)
TYPE=$("$ROOT/tests/set-up/libvirt.sh" domain-type)
[ "$TYPE" = kvm ] || say "KVM does not work here for this user: using emulation (domain_type = \"qemu\")"

# A folder that somebody else prepared could hold links to elsewhere.
if [ -e "$DIRECTORY" ] && [ ! -O "$DIRECTORY" ] && [ "$(id -u)" != 0 ]; then
  say "error: $DIRECTORY belongs to somebody else; name another in LVHOST_DEMO_DIRECTORY"
  exit 1
fi
# The last run's artifact is in the way of this one's.
rm -rf "$DIRECTORY"
mkdir -p "$DIRECTORY/input"
cp "$LVHOST" "$DIRECTORY/input/lvhost"
cp "$IMAGE" "$DIRECTORY/input/small.qcow2"
cp "$ROOT/examples/demo/demo.pkr.hcl" "$DIRECTORY/input/"
chmod -R a+rX "$DIRECTORY/input"
SUM=$(sha256sum "$IMAGE" | cut -d ' ' -f 1)

say "lvhost run examples/demo/demo.pkr.hcl"
STARTED=$SECONDS
"$ROOT/tests/set-up/libvirt.sh" session "$DIRECTORY" \
  "$DIRECTORY/input/lvhost" run \
  -var "image=$DIRECTORY/input/small.qcow2" -var "image_checksum=sha256:$SUM" \
  -var "domain_type=$TYPE" -var "name=$NAME" \
  "$DIRECTORY/input/demo.pkr.hcl"
say "the whole run took $((SECONDS - STARTED)) s"

ARTIFACT=$DIRECTORY/pool/$NAME
[ -f "$ARTIFACT" ] || { say "error: there is no artifact at $ARTIFACT"; exit 1; }
say "the artifact is $ARTIFACT:"
qemu-img info "$ARTIFACT" >&2
