#!/usr/bin/env bash
# run.sh: from nothing to an image. Installs what is missing, builds lvhost (or takes $LVHOST), makes a guest's
# image, builds another one from it by demo.pkr.hcl, unprivileged, and says where that is and how long each
# phase took. `make demo` is this.
#
# lvhost is built as the tests build it, so that they find it built: see docs/performance.md.
set -euo pipefail
# shellcheck source=tests/set-up/failure.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../tests/set-up/failure.sh"
# shellcheck source=tests/set-up/phases.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../tests/set-up/phases.sh"

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# Where the private hypervisor keeps its state and its pool. Short, since it holds unix sockets,
# and not in root's home, since a root who calls this lends the work to an unprivileged user.
DIRECTORY=${LVHOST_DEMO_DIRECTORY:-/var/tmp/lvhost-demo-$(id -u)}
NAME=lvhost-demo

say() { printf 'demo: %s\n' "$*" >&2; }

phase "Debian packages and the Rust toolchain"
"$ROOT/tests/set-up/packages.sh"
# rustup puts it there, and the shell that called this may be older than that.
PATH=$PATH:${CARGO_HOME:-$HOME/.cargo}/bin

if [ -z "${LVHOST:-}" ]; then
  phase "WebAssembly target"
  "$ROOT/tests/set-up/wasm-target.sh"
  phase "compiling lvhost"
  # Of all packages, since choosing one would choose other features of what it depends on, and compile that anew.
  (cd "$ROOT" && "${CARGO:-cargo}" build --workspace --locked --bin lvhost) >&2
  LVHOST=$("$ROOT/tests/set-up/target-directory.sh")/debug/lvhost
fi

phase "the guest's image"
IMAGE=$("$ROOT/tests/guest-image/build.sh" small)
phase "building an image from it"
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
"$ROOT/tests/set-up/libvirt.sh" session "$DIRECTORY" \
  "$DIRECTORY/input/lvhost" run \
  -var "image=$DIRECTORY/input/small.qcow2" -var "image_checksum=sha256:$SUM" \
  -var "domain_type=$TYPE" -var "name=$NAME" \
  "$DIRECTORY/input/demo.pkr.hcl"

ARTIFACT=$DIRECTORY/pool/$NAME
[ -f "$ARTIFACT" ] || { say "error: there is no artifact at $ARTIFACT"; exit 1; }
say "the artifact is $ARTIFACT:"
qemu-img info "$ARTIFACT" >&2
