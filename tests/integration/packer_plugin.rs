//! The plugin, loaded by real Packers.
//!
//! `tests/packer/build.sh` builds them. Where `LVHOST_TEST_PACKER_1_16_0` and `LVHOST_TEST_PACKER_1_11_2`
//! don't name them, these tests are skipped.

mod builds;
mod documentation;
mod domains;
mod endings;
mod functions;
mod side_by_side;
mod terminal;
mod two_ways;
mod validation;

use std::path::PathBuf;

use crate::packer::{Installation, packers};

/// Where templates have the plugin from.
const SOURCE: &str = "github.com/thomasklein94/libvirt";

/// Runs `test` with every Packer there is, with the plugin installed.
fn with_each(name: &str, test: impl Fn(&Installation)) {
    with(packers(name), test);
}

/// Runs `test` with the newest Packer, for what has nothing to do with its version.
fn with_newest(name: &str, test: impl Fn(&Installation)) {
    with(packers(name).into_iter().take(1), test);
}

fn with(packers: impl IntoIterator<Item = Installation>, test: impl Fn(&Installation)) {
    for packer in packers {
        packer.install(plugin().to_str().unwrap(), SOURCE);
        println!("with Packer {}", packer.mode.name);
        test(&packer);
    }
}

/// The plugin beside this test's own binary.
fn plugin() -> PathBuf {
    let lvhost = crate::lvhost::command();
    let plugin = lvhost.with_file_name("packer-plugin-libvirt");
    assert!(plugin.exists(), "{}: not built", plugin.display());
    plugin
}
