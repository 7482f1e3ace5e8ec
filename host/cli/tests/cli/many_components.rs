//! Components without number beside a template: each is within its bounds, and all together cost little.

use std::fmt::Write as _;
use std::fs::File;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::bombs::measure;
use crate::lvhost::Lvhost;

/// Types of sources that a template has.
const TYPES: usize = 300;

/// Computing time where nothing is optimised. To read 300 files of 32 MiB alone takes longer.
const TIME: Duration = Duration::from_secs(10);

const MEMORY: u64 = 200 << 20;

/// A component without anything in it.
const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

fn template() -> String {
    let mut volumes = String::new();
    for number in 0..TYPES {
        let _ = write!(
            volumes,
            "  volume {{\n    source {{\n      type = \"e{number}\"\n    }}\n  }}\n"
        );
    }
    format!(
        "source \"libvirt\" \"example\" {{
  libvirt_uri = \"qemu:///system\"
  communicator {{
    communicator = \"none\"
  }}
{volumes}
}}

build {{
  sources = [\"source.libvirt.example\"]
}}
"
    )
}

/// All of these types are the same file.
fn linked(content: impl FnOnce(&Path)) -> Lvhost {
    let lvhost = Lvhost::new().file("t.pkr.hcl", &template());
    content(&lvhost.folder().join("one"));
    for number in 0..TYPES {
        symlink("one", lvhost.folder().join(format!("e{number}.wasm"))).unwrap();
    }
    lvhost
}

fn assert_ends_soon(command: &mut Command, refused: &str, one_too_many: &str) {
    let measured = measure(command);
    let messages = &measured.said.messages;
    assert_eq!(measured.said.code, Some(2), "{messages}");
    assert!(messages.contains(refused), "{messages}");
    assert!(messages.contains(one_too_many), "{messages}");
    assert!(measured.time < TIME, "{:?}", measured.time);
    assert!(measured.memory < MEMORY, "{}", measured.memory);
}

#[test]
fn files_that_nobody_has_allowed_are_a_few_whatever_they_are() {
    let sparse = |path: &Path| File::create(path).unwrap().set_len(32 << 20).unwrap();
    let empty = |path: &Path| std::fs::write(path, EMPTY).unwrap();
    for lvhost in [linked(sparse), linked(empty)] {
        assert_ends_soon(
            &mut lvhost.command(&["validate", "t.pkr.hcl"]),
            "e0.wasm",
            "the source `e8` has no entry in lvhost.hcl, like 8 others",
        );
    }
}

#[test]
fn entries_are_not_without_number() {
    let lvhost = linked(|path| std::fs::write(path, EMPTY).unwrap());
    // By coreutils: printf '\0asm\x0d\0\x01\0' | sha256sum
    let sha256 = "24eaf3439a60c96764c4f2c92a0a81b52bd4fe5d5b91f090184a0f6486b1bf29";
    let mut entries = String::new();
    for number in 0..TYPES {
        let _ = write!(
            entries,
            "source_plugin \"e{number}\" {{\n  sha256 = \"{sha256}\"\n}}\n"
        );
    }
    let lvhost = lvhost.file("lvhost.hcl", &entries);
    for arguments in [&["validate", "t.pkr.hcl"][..], &["sources"]] {
        assert_ends_soon(
            &mut lvhost.command(arguments),
            "\"e0\" is not a volume source",
            "`e64` is one component too many",
        );
    }
}
