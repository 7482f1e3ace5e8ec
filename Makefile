# lvhost: set-up, demo, tests, benchmarks. `make help` lists the targets.
# Each target installs what it needs by itself and says what it does.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# rustup puts cargo there, and the shell that calls make may be older than that.
export PATH := $(PATH):$(or $(CARGO_HOME),$(HOME)/.cargo)/bin

CARGO ?= cargo
# For install-packer-plugin: Packer, and where templates have the plugin from.
PACKER ?= packer
PLUGIN_SOURCE ?= github.com/thomasklein94/libvirt
# How often the tests are run, one run after the other until one fails.
REPEAT ?= 1
export LVHOST_TEST_REPEAT = $(REPEAT)

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-22s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: packages
packages: ## install the Debian packages and check the Rust toolchain
	@tests/set-up/packages.sh

.PHONY: wasm-target
wasm-target: packages ## make cargo build for wasm32-wasip2
	@tests/set-up/wasm-target.sh

.PHONY: build
build: wasm-target ## build lvhost and the plugin for Packer, optimised, into target/release (or where cargo is told to)
	$(CARGO) build --release --locked -p lvhost-cli

# Before the long build, not after it.
.PHONY: packer-is-there
packer-is-there:
	@command -v "$(PACKER)" >/dev/null || { \
	  echo "error: there is no $(PACKER) here: install Packer 1.11 or newer (https://developer.hashicorp.com/packer/install)," \
	    "or say where it is: make install-packer-plugin PACKER=/path/to/packer" >&2; exit 1; }

.PHONY: install-packer-plugin
install-packer-plugin: packer-is-there build ## install the plugin for Packer, in the place of the one in Go
	@built=$$(tests/set-up/target-directory.sh)/release; set -x; \
	"$(PACKER)" plugins install --path "$$built/packer-plugin-libvirt" $(PLUGIN_SOURCE)

.PHONY: dist
dist: build ## make the files of a release that `packer init` takes, in dist/
	@built=$$(tests/set-up/target-directory.sh)/release; .ci/dist "$$built/packer-plugin-libvirt" dist

.PHONY: demo
demo: ## from nothing to an image, by examples/demo/demo.pkr.hcl, unprivileged; says how long each phase took
	@examples/demo/run.sh

.PHONY: test
test: wasm-target ## run all tests, also those on a real libvirt with real guests; REPEAT=5: five times
	@tests/set-up/test.sh

# By their names: builds and transfers that are killed or cut off, and things done at the same time. What is about
# ten thousand of something computes for long and races with nobody.
.PHONY: test-racing
test-racing: REPEAT = 50
test-racing: wasm-target ## run the tests that kill and race, fifty times or REPEAT=N times
	@LVHOST_TEST_NAMES='killed clean at_once at_the_same_time cut_off interrupted race --skip ten_thousand' tests/set-up/test.sh

.PHONY: test-bare
test-bare: packages ## try the set-up in bare roots of Debian 12 and 13; needs root
	@tests/set-up/bare.sh packages

.PHONY: check
check: wasm-target ## check the format, the lints, and the licences and origins of dependencies
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	cd tests/smith && $(CARGO) fmt --check && $(CARGO) clippy --locked --target-dir ../../target/smith -- -D warnings
	@tests/set-up/cargo-deny.sh

.PHONY: fuzz
fuzz: wasm-target ## fuzz what strangers' bytes reach first, each target for ten minutes
	@tests/fuzz/run.sh --seconds 600

.PHONY: bench
bench: build ## measure against yardsticks in the same run
	@tests/set-up/libvirt.sh system
	@tests/bench/run.sh

.PHONY: guests
guests: packages ## make the guest images that the tests boot
	@tests/guest-image/build.sh small
	@tests/guest-image/build.sh debian
