#!/usr/bin/env bash
# wasm-target.sh: makes `cargo build --target wasm32-wasip2` work. Idempotent.
#
#   wasm-target.sh [TARGET...]          default TARGET: wasm32-wasip2
#                                       also: wasm32-wasip1 wasm32-unknown-unknown
# Environment:
#   WASM_TARGET_SOURCE=auto|rustup|debian   auto = rustup first, then Debian (default)
#   RUSTC, CARGO            which toolchain to serve (default: rustc, cargo on PATH)
#   WASM_TARGET_CACHE=DIR   keep the fetched .deb files there (default: $XDG_CACHE_HOME/lvhost/wasm-target)
#   WASM_TARGET_SUITES      Debian suites to search (default below)
#   WASM_TARGET_FORCE=1     rebuild even if the target already works
#
# Undo: rm -r "$(rustc --print sysroot)/lib/rustlib/TARGET" (do so before a later `rustup target add`).
#
# Route 1 is what an ordinary developer has: `rustup target add`.
# Route 2 compiles the standard library from Debian's rust-src of exactly this compiler's version,
# adds Debian's wasi-libc (libc.a + crt1 objects), and puts the result into the compiler's own
# sysroot, so that afterwards plain stable cargo needs no flag, no config and no -Zbuild-std.
set -euo pipefail
# shellcheck source=tests/set-up/failure.sh
. "$(dirname "${BASH_SOURCE[0]}")/failure.sh"
# shellcheck source=tests/set-up/apt.sh
. "$(dirname "${BASH_SOURCE[0]}")/apt.sh"

RUSTC=${RUSTC:-rustc}; CARGO=${CARGO:-cargo}
SOURCE=${WASM_TARGET_SOURCE:-auto}
SUITES=${WASM_TARGET_SUITES:-"trixie-backports trixie forky sid"}
CACHE=${WASM_TARGET_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/lvhost/wasm-target}
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
TARGETS=("$@"); [ ${#TARGETS[@]} -gt 0 ] || TARGETS=(wasm32-wasip2)

say() { printf 'wasm-target: %s\n' "$*" >&2; }
die() { say "error: $*"; exit 1; }

VV=$($RUSTC -vV)
VERSION=$(sed -n 's/^release: //p' <<<"$VV")
HASH=$(sed -n 's/^commit-hash: //p' <<<"$VV")
HOST=$(sed -n 's/^host: //p' <<<"$VV")
SYSROOT=$($RUSTC --print sysroot)
MARK=".wasm-target-built-from-source"

TMP=$(mktemp -d "${TMPDIR:-/tmp}/wasm-target.XXXXXX"); trap 'rm -rf "$TMP"' EXIT

libdir() { $RUSTC --print target-libdir --target "$1"; }

# The real question: does a crate that uses std link, with no special flag, now?
works() {
  local t=$1 d; d=$(mktemp -d "$TMP/check.XXXXXX")
  printf '%s\n' '#[unsafe(no_mangle)] pub extern "C" fn t(n: u32) -> usize { std::hint::black_box(vec![0u8; n as usize]).len() + std::env::args().count() }' >"$d/lib.rs"
  # RUSTFLAGS are cargo's, so plain rustc here shows what an unconfigured build would see.
  ( cd "$d" && $RUSTC --edition 2024 --crate-type cdylib --target "$t" -O -o out.wasm lib.rs ) >"$d/log" 2>&1
}

via_rustup() {
  command -v rustup >/dev/null || { say "no rustup on PATH"; return 1; }
  local tc; tc=$(rustup which --toolchain "$(basename "$SYSROOT")" rustc 2>/dev/null) || { say "the compiler in use is not rustup's"; return 1; }
  [ "$(readlink -f "$tc")" = "$(readlink -f "$SYSROOT/bin/rustc")" ] || { say "the compiler in use is not rustup's"; return 1; }
  timeout 120 rustup target add --toolchain "$(basename "$SYSROOT")" "$1" >&2
}

# A private apt, one Debian suite at a time: its own lists, cache and sources. The machine's apt
# configuration is not touched; packages are verified with Debian's archive keys as usual.
apt_suite() {
  local suite=$1 tool=$2 d=$TMP/apt/$1; shift 2
  "$tool" -o Dir::State="$d/state" -o Dir::State::status=/dev/null -o Dir::Cache="$d/cache" \
    -o Dir::Etc::SourceList="$d/sources.list" -o Dir::Etc::SourceParts=/dev/null \
    -o Dir::Etc::Preferences=/dev/null -o Dir::Etc::PreferencesParts=/dev/null \
    -o APT::Architecture=amd64 -o APT::Sandbox::User=root -o Acquire::Languages=none -o Acquire::Retries=3 "$@"
}

# fetch_deb PACKAGE VERSION-REGEX -> path of the .deb, from the first suite that has one; kept in $CACHE
fetch_deb() {
  local pkg=$1 re=$2 f v suite d mirror; mkdir -p "$CACHE"
  for f in "$CACHE/${pkg}_"*_all.deb; do
    [ -e "$f" ] || continue
    v=$(dpkg-deb -f "$f" Version 2>/dev/null) || { rm -f "$f"; continue; }
    [[ $v =~ $re ]] && { echo "$f"; return; }
  done
  command -v apt-get >/dev/null || { say "no apt-get here"; return 1; }
  # The Debian mirror this host already uses, as its own apt configuration names it.
  mirror=${WASM_TARGET_MIRROR:-$(debian_mirror "$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}")")}
  [ -n "$mirror" ] || { say "apt is configured for no Debian mirror (set WASM_TARGET_MIRROR)"; return 1; }
  for suite in $SUITES; do
    d=$TMP/apt/$suite
    if [ ! -d "$d" ]; then
      mkdir -p "$d/state/lists/partial" "$d/cache/archives/partial"
      echo "deb [signed-by=$KEYRING] $mirror $suite main" >"$d/sources.list"
      apt_suite "$suite" apt-get -qq update >&2 || { rm -rf "$d"; continue; }
    fi
    v=$(apt_suite "$suite" apt-cache madison "$pkg" | awk -F'|' '{gsub(/ /,"",$2); print $2}' | grep -E "$re" | sort -Vu | tail -1) || true
    [ -n "$v" ] || continue
    ( cd "$TMP" && apt_suite "$suite" apt-get -qq download "$pkg=$v" >&2 ) || continue
    f=$(find "$TMP" -maxdepth 1 -name "${pkg}_*.deb" | tail -n 1); mv "$f" "$CACHE/"; echo "$CACHE/$(basename "$f")"; return
  done
  return 1
}

LIBRARY=
prepare_source() {
  [ -n "$LIBRARY" ] && return
  local deb v=${VERSION//./\\.}
  deb=$(fetch_deb rust-src "^${v}\\+") || die "Debian has no rust-src $VERSION in: $SUITES"
  say "source of std: $(basename "$deb")"
  mkdir -p "$TMP/src"
  dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$TMP/src" --strip-components=5 "./usr/src/rustc-$VERSION/library"
  LIBRARY=$TMP/src
}

build_std() {
  local t=$1 profile=dist out=$TMP/target flags
  grep -q '^\[profile\.dist\]' "$LIBRARY/Cargo.toml" || profile=release
  # What rustc's own build passes: mark everything but std's public crates unstable, keep bitcode for LTO,
  # and put no path of this machine into panic messages.
  flags="-Zforce-unstable-if-unmarked -Cembed-bitcode=yes --remap-path-prefix=$LIBRARY=/rustc/$HASH/library --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo"
  # RUSTC_BOOTSTRAP for this one build only: std uses the compiler's unstable features.
  # std's own dependencies come from the registry as its Cargo.lock pins them.
  ( cd "$LIBRARY"
    unset CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_TARGET CARGO_BUILD_RUSTFLAGS CARGO_TARGET_DIR RUSTC_WRAPPER RUSTC_WORKSPACE_WRAPPER
    export RUSTC_BOOTSTRAP=1 RUSTC="$SYSROOT/bin/rustc" RUSTFLAGS="$flags" __CARGO_DEFAULT_LIB_METADATA=wasmtarget
    "$CARGO" build --locked --manifest-path sysroot/Cargo.toml --profile "$profile" \
      --target "$t" --features panic-unwind,backtrace --target-dir "$out" >&2 ) || return 1
  BUILT=$out/$t/$profile/deps
}

install_target() {
  local t=$1 dir new; dir=$(libdir "$t"); new=$(dirname "$dir").new.$$
  rm -rf "$new"; mkdir -p "$new/lib/self-contained"
  cp "$BUILT"/*.rlib "$new/lib/"
  case $t in
    wasm32-wasip*)
      local deb w=$TMP/wasi-libc src
      deb=$(fetch_deb wasi-libc '.') || die "no wasi-libc in: $SUITES"
      say "wasi-libc: $(basename "$deb")"
      [ -d "$w" ] || { mkdir -p "$w"; dpkg-deb -x "$deb" "$w"; }
      src=$w/usr/lib/$t; [ -d "$src/" ] || die "wasi-libc has no $t"
      cp -L "$src/libc.a" "$src/crt1-command.o" "$src/crt1-reactor.o" "$new/lib/self-contained/" ;;
  esac
  { echo "std of rustc $VERSION ($HASH), built by wasm-target.sh"; ls "$CACHE"; } >"$new/$MARK"
  rm -rf "$(dirname "$dir")"; mv "$new" "$(dirname "$dir")"
}

for t in "${TARGETS[@]}"; do
  dir=$(libdir "$t")
  if [ -z "${WASM_TARGET_FORCE:-}" ] && works "$t"; then say "$t: already works ($dir)"; continue; fi
  if [ -d "$dir" ] && [ ! -e "$(dirname "$dir")/$MARK" ]; then die "$dir exists, is not ours and does not work: look at it first"; fi
  case $SOURCE in auto|rustup)
    if via_rustup "$t" && works "$t"; then say "$t: installed by rustup"; continue; fi
    [ "$SOURCE" = auto ] || die "rustup could not add $t"
    say "$t: rustup could not add it; building from Debian's rust-src" ;;
  esac
  [ -w "$SYSROOT/lib/rustlib" ] ||
    die "$(id -un) may not write to $SYSROOT/lib/rustlib, where $t has to be added: let $(stat -c %U "$SYSROOT/lib/rustlib") run \"rustup target add $t\" or $0, or install Rust for yourself from https://rustup.rs"
  case $t in wasm32-wasip2) [ -x "$SYSROOT/lib/rustlib/$HOST/bin/wasm-component-ld" ] ||
    command -v wasm-component-ld >/dev/null || "$CARGO" install --locked wasm-component-ld >&2 ;; esac
  prepare_source; build_std "$t" || die "building std for $t failed"
  install_target "$t"
  works "$t" || { cat "$TMP"/check.*/log >&2; die "$t still does not link"; }
  say "$t: installed ($(du -sh "$dir" | cut -f1) in $dir)"
done
