#!/usr/bin/env bash
# target-directory.sh: prints the folder that cargo builds into. It is `target` in the checkout, unless the user has
# moved it: by CARGO_TARGET_DIR, or in a configuration file of cargo. Only cargo knows.
set -euo pipefail
# shellcheck source=tests/set-up/failure.sh
. "$(dirname "${BASH_SOURCE[0]}")/failure.sh"

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
"${CARGO:-cargo}" metadata --locked --offline --no-deps --format-version 1 |
  sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p'
