//! Has the linker pack the program's relocations: as a table of their own they are two of the forty
//! megabytes that a build may take.

use std::process::Command;

/// The first glibc whose loader reads them (its NEWS of 2.36).
const GLIBC_NEEDED: (u32, u32) = (2, 36);

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if glibc().is_some_and(|version| version >= GLIBC_NEEDED) {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}

/// The version of glibc that is built for, where that is this host's.
fn glibc() -> Option<(u32, u32)> {
    let variable = |name: &str| std::env::var(name).ok();
    if variable("CARGO_CFG_TARGET_ENV")? != "gnu" || variable("HOST") != variable("TARGET") {
        return None;
    }
    let output = Command::new("getconf")
        .arg("GNU_LIBC_VERSION")
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let (major, minor) = text.trim().strip_prefix("glibc ")?.split_once('.')?;
    Some((major.parse().ok()?, minor.split('.').next()?.parse().ok()?))
}
