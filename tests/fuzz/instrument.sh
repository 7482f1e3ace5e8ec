#!/bin/sh
# instrument.sh RUSTC ARGUMENT...: what cargo calls in the compiler's place for the crates of this workspace
# (RUSTC_WORKSPACE_WRAPPER), so that libFuzzer sees which of their branches an input takes. Their
# dependencies are compiled as for any other build, and once for all of them. These are the flags that
# cargo-fuzz gives without a sanitizer; all of them work on a stable compiler.
exec "$@" --cfg fuzzing -Cpasses=sancov-module \
  -Cllvm-args=-sanitizer-coverage-level=4 \
  -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
  -Cllvm-args=-sanitizer-coverage-pc-table \
  -Cllvm-args=-sanitizer-coverage-trace-compares
