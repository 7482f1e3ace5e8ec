//! The direction of dependencies between the packages of this repository, as ARCHITECTURE.md has it.

use std::collections::BTreeMap;

use cargo_metadata::{DependencyKind, MetadataCommand};

/// For each package, the packages it may use. An edge that is not listed is not allowed.
const ALLOWED: &[(&str, &[&str])] = &[
    (
        "lvhost-cli",
        &[
            "lvhost-communicator",
            "lvhost-config",
            "lvhost-engine",
            "lvhost-fetch",
            "lvhost-hcl",
            "lvhost-libvirt",
            "lvhost-packer",
            "lvhost-regular-file",
            "lvhost-runtime",
            "lvhost-sources",
        ],
    ),
    (
        "lvhost-engine",
        &[
            "lvhost-communicator",
            "lvhost-config",
            "lvhost-fetch",
            "lvhost-hcl",
            "lvhost-image",
            "lvhost-libvirt",
            "lvhost-regular-file",
            "lvhost-runtime",
        ],
    ),
    ("lvhost-communicator", &["lvhost-regular-file"]),
    ("lvhost-config", &["lvhost-hcl"]),
    // Compiled components are kept in folders of the user's own.
    ("lvhost-runtime", &["lvhost-image", "lvhost-regular-file"]),
    (
        "lvhost-fetch",
        &["lvhost-image", "lvhost-location", "lvhost-regular-file"],
    ),
    // Formats of compression are part of what a location may say.
    ("lvhost-location", &["lvhost-image"]),
    // The fake hypervisor guesses formats, as a real one does.
    ("lvhost-libvirt", &["lvhost-image"]),
    // Each target reaches one door of one crate.
    (
        "lvhost-fuzz",
        &[
            "lvhost-communicator",
            "lvhost-fetch",
            "lvhost-hcl",
            "lvhost-image",
            "lvhost-libvirt",
            "lvhost-packer",
            "lvhost-runtime",
        ],
    ),
    // Image layouts are part of what authors of sources are given.
    ("lvhost-plugin-sdk", &["lvhost-image"]),
    // Its build script compiles the components and asks them what they are; the library keeps the answers.
    ("lvhost-sources", &["lvhost-runtime"]),
    ("lvhost-source-backing-store", &["lvhost-plugin-sdk"]),
    ("lvhost-source-cloning", &["lvhost-plugin-sdk"]),
    (
        "lvhost-source-cloud-init",
        &["lvhost-image", "lvhost-plugin-sdk"],
    ),
    (
        "lvhost-source-external",
        &["lvhost-image", "lvhost-location", "lvhost-plugin-sdk"],
    ),
    (
        "lvhost-source-files",
        &["lvhost-image", "lvhost-plugin-sdk"],
    ),
];

/// Crates that only one package may use, since hiding them is its purpose.
const HIDDEN: &[(&str, &[&str])] = &[
    ("hcl-rs", &["lvhost-hcl"]),
    ("hcl-edit", &["lvhost-hcl"]),
    ("reqwest", &["lvhost-fetch"]),
    // The server half, as the guest whose answers are fuzzed.
    ("russh", &["lvhost-communicator", "lvhost-fuzz"]),
    ("smb2", &["lvhost-fetch"]),
    ("virt", &["lvhost-libvirt"]),
    ("virt-sys", &["lvhost-libvirt"]),
    ("wasmtime", &["lvhost-runtime"]),
    ("wasmtime-wasi", &["lvhost-runtime"]),
];

#[test]
fn packages_depend_on_each_other_in_one_direction_only() {
    let metadata = MetadataCommand::new().no_deps().exec().unwrap();
    let allowed: BTreeMap<_, _> = ALLOWED.iter().copied().collect();
    let mut wrong = Vec::new();
    for package in &metadata.packages {
        let name = package.name.as_str();
        for dependency in &package.dependencies {
            if dependency.kind == DependencyKind::Development {
                continue;
            }
            let on = dependency.name.as_str();
            let known = allowed.get(name).copied().unwrap_or(&[]);
            if on.starts_with("lvhost-") && !known.contains(&on) {
                wrong.push(format!("{name} → {on}"));
            }
            let hidden = HIDDEN.iter().find(|(hidden, _)| *hidden == on);
            if hidden.is_some_and(|(_, users)| !users.contains(&name)) {
                wrong.push(format!("{name} → {on}"));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "not in ARCHITECTURE.md: {}",
        wrong.join(", ")
    );
}
