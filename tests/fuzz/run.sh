#!/usr/bin/env bash
# run.sh [--seconds N] [TARGET...]: fuzzes what strangers' bytes reach first, each target for N seconds (30
# without a word), all of them or those named. Ends with a line as of cargo's tests, in which each target is
# one test, and with status 1 if one of them found something.
#
# A target is a program in targets/. It starts from corpus/TARGET, which is in the repository: examples, and
# everything that has once broken something. Inputs that reach new code are kept outside of the checkout, in
# ${XDG_CACHE_HOME:-~/.cache}/lvhost/fuzz, and are where the next run goes on. What breaks a target is left
# in target/fuzz/TARGET and shown with the command that repeats it: make it smaller, turn it into a test of
# the crate that it breaks, mend that, and add it to the corpus.
set -euo pipefail
# shellcheck source=tests/set-up/failure.sh
. "$(dirname "${BASH_SOURCE[0]}")/../set-up/failure.sh"

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$ROOT"
say() { printf 'fuzz: %s\n' "$*" >&2; }

SECONDS_EACH=30
TARGETS=()
while [ $# -gt 0 ]; do
  case $1 in
    --seconds) SECONDS_EACH=$2; shift ;;
    -*) say "error: usage: $0 [--seconds N] [TARGET...]"; exit 2 ;;
    *) TARGETS+=("$1") ;;
  esac
  shift
done
if [ ${#TARGETS[@]} = 0 ]; then
  for file in tests/fuzz/targets/*.rs; do TARGETS+=("$(basename "$file" .rs)"); done
fi

# More than any input needs, except for decoders, whose windows may be large.
MEMORY_MIB=1024
# An input that takes longer than that is a finding by itself.
INPUT_SECONDS=10
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/lvhost/fuzz
TOGETHER=$(nproc)

# All of them, since choosing packages would also choose other features of what they depend on, and build that
# once more.
BINARIES=()
for file in tests/fuzz/targets/*.rs; do
  name=$(basename "$file" .rs)
  BINARIES+=(--bin "fuzz-${name//_/-}")
done
say "compiling the targets"
RUSTC_WORKSPACE_WRAPPER=$ROOT/tests/fuzz/instrument.sh \
  "${CARGO:-cargo}" build --locked --quiet --workspace "${BINARIES[@]}"

BUILT=$(tests/set-up/target-directory.sh)/debug

# one TARGET: runs it and leaves its last lines in target/fuzz/TARGET/log.
one() {
  local target=$1 out=$ROOT/target/fuzz/$1 dictionary=()
  local found=$CACHE/$target
  mkdir -p "$out" "$found"
  [ ! -f "tests/fuzz/dictionaries/$target" ] || dictionary=(-dict="tests/fuzz/dictionaries/$target")
  "$BUILT/fuzz-${target//_/-}" "$found" "tests/fuzz/corpus/$target" \
    -max_total_time="$SECONDS_EACH" -timeout="$INPUT_SECONDS" -rss_limit_mb="$MEMORY_MIB" \
    -max_len=65536 -artifact_prefix="$out/" -print_final_stats=1 "${dictionary[@]}" \
    >"$out/log" 2>&1
}

say "running ${#TARGETS[@]} targets for $SECONDS_EACH s each, $TOGETHER at a time"
running=() passed=0 failed=()
# found TARGET: the inputs that broke it, each with the command that repeats it. Where only the log is left,
# a small one can be made again from what base64 says.
found() {
  local input
  find "target/fuzz/$1" -type f ! -name log | while read -r input; do
    echo "fuzz: again by: $BUILT/fuzz-${1//_/-} $input"
    [ "$(stat -c %s "$input")" -gt 4096 ] || echo "fuzz: in base64: $(base64 -w 0 "$input")"
  done
}
# settle: waits for the target that has run longest, and tells what came of it.
settle() {
  local pid=${running[0]%%:*} target=${running[0]#*:}
  running=("${running[@]:1}")
  if wait "$pid"; then
    passed=$((passed + 1))
    say "$target: $(sed -n 's/^stat::number_of_executed_units: *//p' "target/fuzz/$target/log") inputs, nothing found"
  else
    failed+=("$target")
    say "$target: FOUND SOMETHING"
    tail -n 40 "target/fuzz/$target/log" >&2
    found "$target" >&2
  fi
}
for target in "${TARGETS[@]}"; do
  [ -x "$BUILT/fuzz-${target//_/-}" ] || { say "error: there is no target $target"; exit 2; }
  rm -rf "target/fuzz/$target"
  one "$target" &
  running+=("$!:$target")
  [ ${#running[@]} -lt "$TOGETHER" ] || settle
done
while [ ${#running[@]} -gt 0 ]; do settle; done
word=ok
if [ ${#failed[@]} != 0 ]; then
  word=FAILED
  printf '\nfailures:\n'
  printf '    fuzz::%s\n' "${failed[@]}"
fi
printf '\ntest result: %s. %d passed; %d failed; finished in %d s\n' "$word" "$passed" "${#failed[@]}" "$SECONDS"
[ "$word" = ok ] || exit 1
