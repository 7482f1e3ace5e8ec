# lvhost: set-up, demo, tests, benchmarks. `make help` lists the targets.
# Each target installs what it needs by itself and says what it does.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

CARGO ?= cargo
# For install-packer-plugin: Packer, and where templates have the plugin from.
PACKER ?= packer
PLUGIN_SOURCE ?= github.com/thomasklein94/libvirt

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
build: wasm-target ## build lvhost and the plugin for Packer, optimised, into target/release
	$(CARGO) build --release --locked -p lvhost-cli

.PHONY: install-packer-plugin
install-packer-plugin: build ## install the plugin for Packer, in the place of the one in Go
	$(PACKER) plugins install --path target/release/packer-plugin-libvirt $(PLUGIN_SOURCE)

.PHONY: dist
dist: build ## make the files of a release that `packer init` takes, in dist/
	@.ci/dist target/release/packer-plugin-libvirt dist

.PHONY: demo
demo: build ## build an image from examples/demo/demo.pkr.hcl, unprivileged
	@examples/demo/run.sh

.PHONY: test
test: wasm-target ## run all tests, also those on a real libvirt with real guests
	@tests/set-up/test.sh

.PHONY: check
check: wasm-target ## check the format, the lints and the dependencies
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	cd tests/smith && $(CARGO) fmt --check && $(CARGO) clippy --locked --target-dir ../../target/smith -- -D warnings
	@if $(CARGO) deny --version >/dev/null 2>&1; then $(CARGO) deny --locked check; \
	  else echo 'SKIPPED: cargo deny is not installed (cargo install --locked cargo-deny)'; fi

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
