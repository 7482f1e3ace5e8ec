//! The command `lvhost`.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    lvhost_cli::lvhost()
}
