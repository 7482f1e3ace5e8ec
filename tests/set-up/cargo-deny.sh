#!/usr/bin/env bash
# cargo-deny.sh: checks the licences, the bans and the origins of all dependencies by the rules of deny.toml, of
# the workspace and of those that stand by themselves.
#
# cargo-deny is taken from the registry of crates, in one version, and kept in
# ${XDG_CACHE_HOME:-~/.cache}/lvhost/cargo-deny-VERSION; compiling it takes minutes, once. Known security holes
# (`cargo deny check advisories`) are not looked for: that needs a database from elsewhere, and would make a
# change fail for what happened outside of it.
set -euo pipefail
# shellcheck source=tests/set-up/failure.sh
. "$(dirname "${BASH_SOURCE[0]}")/failure.sh"

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
VERSION=0.20.2
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/lvhost
DIRECTORY=$CACHE/cargo-deny-$VERSION
CARGO=${CARGO:-cargo}

say() { printf 'cargo-deny: %s\n' "$*" >&2; }

mkdir -p "$CACHE"
exec 9>"$CACHE/cargo-deny.lock"
flock -n 9 || { say "another run is compiling it: waiting"; flock 9; }
if [ ! -x "$DIRECTORY/bin/cargo-deny" ]; then
  say "compiling cargo-deny $VERSION, which takes minutes"
  STARTED=$SECONDS
  BUILD=$(mktemp -d "${TMPDIR:-/var/tmp}/lvhost-cargo-deny.XXXXXX")
  trap 'rm -rf "$BUILD"' EXIT
  # Its speed is of no matter here: the least that has to be compiled.
  CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
    "$CARGO" install --quiet --locked --no-default-features --version "$VERSION" \
    --root "$BUILD/root" --target-dir "$BUILD/target" cargo-deny >&2
  rm -rf "$DIRECTORY"
  mv "$BUILD/root" "$DIRECTORY"
  say "compiled it in $((SECONDS - STARTED)) s"
fi
exec 9>&-

for workspace in . tests/smith examples/sources/newest-image; do
  say "checking $workspace"
  (cd "$ROOT/$workspace" &&
    "$DIRECTORY/bin/cargo-deny" --locked --config "$ROOT/deny.toml" check licenses bans sources)
done
echo "SKIPPED: advisories: they need a database from elsewhere; run \`cargo deny check advisories\`" >&2
