//! Paths of this machine that a source names: whether a build can use them shows before it begins.

use std::path::Path;

use lvhost_config::LibvirtSource;
use lvhost_engine::{Configured, LocalPaths, Sources};
use lvhost_hcl::Diagnostics;

use crate::surroundings::Surroundings;

/// Reports every path in `source` that a build would fail at.
pub(crate) fn check(
    source: &LibvirtSource,
    configured: &Configured,
    sources: &Sources,
    surroundings: &Surroundings,
    report: &mut Diagnostics,
) {
    let home = surroundings.home();
    let paths = LocalPaths {
        working_directory: &surroundings.working_directory,
        home_directory: home.as_deref(),
        agent_socket: surroundings.set("SSH_AUTH_SOCK").map(Path::new),
    };
    paths.check(source, configured, sources, report);
}
