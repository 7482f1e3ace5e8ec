//! Files that a log-in needs: whether they are there shows before the guest is built.

use std::path::{Path, PathBuf};

use lvhost_config::Communicator;
use lvhost_hcl::{Diagnostic, Diagnostics};

use crate::surroundings::Surroundings;

/// Reports the key files and certificates that can't be read.
pub(super) fn check(
    communicator: &Communicator,
    surroundings: &Surroundings,
    report: &mut Diagnostics,
) {
    let files = [
        ("ssh_private_key_file", &communicator.ssh_private_key_file),
        ("ssh_certificate_file", &communicator.ssh_certificate_file),
        (
            "ssh_bastion_private_key_file",
            &communicator.ssh_bastion_private_key_file,
        ),
        (
            "ssh_bastion_certificate_file",
            &communicator.ssh_bastion_certificate_file,
        ),
    ];
    let origin = &communicator.origin;
    for (name, file) in files {
        let Some(file) = file.as_ref().filter(|_| origin.is_set(name)) else {
            continue;
        };
        let path = path(file, surroundings);
        if !origin.is_unknown(name)
            && let Err(error) = lvhost_regular_file::open(&path)
        {
            let summary = format!("`{name}`: can't read {}: {error}", path.display());
            report.push(Diagnostic::error(origin.span_of(name), summary));
        }
    }
}

fn path(file: &str, surroundings: &Surroundings) -> PathBuf {
    match (file.strip_prefix("~/"), surroundings.home()) {
        (Some(below), Some(home)) => home.join(below),
        _ => surroundings.working_directory.join(Path::new(file)),
    }
}
