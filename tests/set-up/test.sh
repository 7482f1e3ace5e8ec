#!/usr/bin/env bash
# test.sh [CARGO-TEST-ARGUMENT...]: runs the tests with a libvirt and guest images at hand.
#
# Tells the tests by environment variables what is there; a test that misses one prints a line
# `SKIPPED: name: why` and passes. Such lines are counted at the end, so that a green run never
# hides what it did not try. The exit status is cargo's, or else that of the fuzz targets: without arguments
# each of them runs for 30 s and counts as a test.
#
#   LVHOST_TEST_LIBVIRT_URI   a libvirt the tests may make domains, volumes and networks in
#   LVHOST_TEST_GUEST_SMALL   qcow2 of the tiny guest (tests/guest-image/small)
#   LVHOST_TEST_GUEST_DEBIAN  qcow2 of the Debian guest (tests/guest-image/debian)
#   LVHOST_TEST_TOOLS         the other people's programs the tests may call, separated by spaces
#   LVHOST_TEST_SESSION       the script that runs a command with a private qemu:///session:
#                             $LVHOST_TEST_SESSION session DIRECTORY COMMAND...
#   LVHOST_TEST_DOMAIN_TYPE   kvm or qemu: what works here
#   LVHOST_TEST_PACKER_1_16_0, LVHOST_TEST_PACKER_1_11_2, LVHOST_TEST_GO_PLUGIN_0_5_0,
#   LVHOST_TEST_CONFIG_SPEC   real Packers, the plugin in Go, and a program that asks both plugins for
#                             their options (tests/packer); needs Go
#
# Each can be set beforehand: empty to do without, or to something else to use that. And:
#
#   LVHOST_TEST_REPEAT        run the tests that often, until a run fails (default: 1)
#   LVHOST_TEST_NAMES         run only tests with one of these words in their names (default: all); options of the
#                             test harness, as `--skip WORD`, may stand among them
set -euo pipefail
# shellcheck source=tests/set-up/failure.sh
. "$(dirname "${BASH_SOURCE[0]}")/failure.sh"

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$ROOT"
say() { printf 'test: %s\n' "$*" >&2; }

if [ -z "${LVHOST_TEST_LIBVIRT_URI+set}" ]; then
  tests/set-up/libvirt.sh system
  LVHOST_TEST_LIBVIRT_URI=qemu:///system
fi
if [ -z "${LVHOST_TEST_GUEST_SMALL+set}" ]; then
  LVHOST_TEST_GUEST_SMALL=$(tests/guest-image/build.sh small)
fi
if [ -z "${LVHOST_TEST_GUEST_DEBIAN+set}" ]; then
  LVHOST_TEST_GUEST_DEBIAN=$(tests/guest-image/build.sh debian)
fi
if [ -z "${LVHOST_TEST_DOMAIN_TYPE+set}" ]; then
  LVHOST_TEST_DOMAIN_TYPE=$(tests/set-up/libvirt.sh domain-type)
fi
if [ -z "${LVHOST_TEST_TOOLS+set}" ]; then
  LVHOST_TEST_TOOLS=
  for tool in xorriso isoinfo mtools fsck.fat qemu-img virsh virt-xml-validate passt swtpm smbd; do
    if PATH=$PATH:/usr/sbin:/sbin command -v "$tool" >/dev/null; then
      LVHOST_TEST_TOOLS+="${LVHOST_TEST_TOOLS:+ }$tool"
    fi
  done
fi
# real_packer VARIABLE NAME: without Go, or without a way to its modules, tests skip themselves.
real_packer() {
  [ -z "${!1+set}" ] || return 0
  printf -v "$1" %s "$(tests/packer/build.sh "$2" || true)"
  export "${1?}"
}
real_packer LVHOST_TEST_PACKER_1_16_0 1.16.0
real_packer LVHOST_TEST_PACKER_1_11_2 1.11.2
real_packer LVHOST_TEST_GO_PLUGIN_0_5_0 go-plugin-0.5.0
real_packer LVHOST_TEST_CONFIG_SPEC config-spec
LVHOST_TEST_SESSION=${LVHOST_TEST_SESSION-$ROOT/tests/set-up/libvirt.sh}
export LVHOST_TEST_LIBVIRT_URI LVHOST_TEST_GUEST_SMALL LVHOST_TEST_GUEST_DEBIAN \
  LVHOST_TEST_DOMAIN_TYPE LVHOST_TEST_TOOLS LVHOST_TEST_SESSION
# fsck.fat, mkfs.fat and others are not on an ordinary user's path.
export PATH=$PATH:/usr/sbin:/sbin
env | grep '^LVHOST_TEST_' | sort >&2

REPEAT=${LVHOST_TEST_REPEAT:-1}
[[ $REPEAT =~ ^[1-9][0-9]*$ ]] || { say "error: $REPEAT is no number of runs"; exit 2; }
read -ra NAMES <<<"${LVHOST_TEST_NAMES:-}"
LOG=$(mktemp "${TMPDIR:-/tmp}/lvhost-test.XXXXXX")
TIMES=$(mktemp "${TMPDIR:-/tmp}/lvhost-test.XXXXXX")
trap 'rm -f "$LOG" "$TIMES"' EXIT

# took NAME STARTED: what ends now has begun when the clock showed STARTED.
took() { printf '%6d s  %s\n' $((SECONDS - $2)) "$1" >>"$TIMES"; }

# clock: passes on what cargo says, and notes how long each test binary and each crate's documentation took.
clock() {
  local line name= started=0
  while IFS= read -r line || [ -n "$line" ]; do
    if [[ $line =~ ^\ +(Running|Doc-tests)\ (.*)$ ]]; then
      [ -z "$name" ] || took "$name" "$started"
      name=${BASH_REMATCH[2]} started=$SECONDS
      [ "${BASH_REMATCH[1]}" = Running ] || name="documentation of $name"
    fi
    printf '%s\n' "$line"
  done
  [ -z "$name" ] || took "$name" "$started"
}

# run_all CARGO-TEST-ARGUMENT...: one run of all tests, into $LOG. One crate's failure must not hide another's.
# The harness shows what a test prints only if it fails, unless told otherwise; SKIPPED lines are for everybody
# to see.
run_all() {
  : >"$TIMES"
  "${CARGO:-cargo}" test --workspace --locked --no-fail-fast "$@" -- --show-output "${NAMES[@]}" 2>&1 |
    clock | tee "$LOG"
}

STARTED=$SECONDS
status=0
# Examples in documentation have no such names, and finding that out takes a compilation of each crate in each run.
# Without them, cargo would not make the programs in examples/ either, which tests start.
chosen=("$@")
if [ $# = 0 ] && [ ${#NAMES[@]} != 0 ]; then
  "${CARGO:-cargo}" test --workspace --locked --no-run
  chosen=(--tests)
fi
for ((run = 1; run <= REPEAT; run++)); do
  [ "$REPEAT" = 1 ] || say "run $run of $REPEAT, after $((SECONDS - STARTED)) s"
  run_all "${chosen[@]}" || { status=$?; say "cargo test ended with status $status"; }
  # Who wants some of the tests does not want these.
  if [ $# = 0 ] && [ ${#NAMES[@]} = 0 ]; then
    fuzz_started=$SECONDS
    tests/fuzz/run.sh --seconds 30 2>&1 | tee -a "$LOG" || status=$?
    took "tests/fuzz/run.sh" "$fuzz_started"
  fi
  [ "$status" = 0 ] || break
done

# Each test binary and each crate's documentation closes with a line of its own.
total() {
  sed -n "s/^test result: .* \([0-9]*\) $1;.*/\1/p" "$LOG" | awk '{ sum += $1 } END { print sum + 0 }'
}
skipped=$(grep -c '^SKIPPED:' "$LOG" || true)
echo
if [ "$skipped" -gt 0 ]; then
  say "these were skipped:"
  grep '^SKIPPED:' "$LOG" | sort | uniq -c | sort -rn >&2
fi
passed=$(total passed)
failed=$(total failed)
say "these took longest:"
sort -rn "$TIMES" | sed -n 1,10p >&2
say "took $((SECONDS - STARTED)) s"
if [ "$REPEAT" != 1 ]; then
  if [ "$status" = 0 ]; then say "passed $REPEAT times; figures are of the last run"; else say "run $run of $REPEAT failed"; fi
fi
# A test that skips itself passes in the eyes of its harness.
passed=$((passed > skipped ? passed - skipped : 0))
echo "tests: $passed passed, $failed failed, $skipped skipped"
# The names of what failed, and what each said when it gave up: its whole output may be thousands of lines above.
if [ "$status" != 0 ]; then
  awk '/^failures:$/ { inside = 1 } /^test result:/ { inside = 0 } inside && /^    [^ ]+$/' "$LOG" | sort -u >&2
  grep -a -A 6 "^thread '.*' .*panicked at " "$LOG" | cut -c 1-300 | tail -n 80 >&2 || true
fi
exit "$status"
