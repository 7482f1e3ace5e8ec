//! The plugin `packer-plugin-libvirt`, which Packer starts.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    lvhost_cli::packer_plugin()
}
