//! What the check of a source has come to, in Packer's log. With the plan: what `lvhost plan --json` prints, for
//! those who have no such command.

use lvhost_engine::Sources;
use tracing::{Level, debug};

use super::build::cache_directory;
use super::examine::ExaminedSource;
use super::request::Request;
use crate::downloads::held_only;
use crate::plan::{Look, PlannedBuild, Subject};
use crate::surroundings::Surroundings;

/// Logs what the build of `request` would make, if anybody wants to know and nothing is wrong with it.
pub(super) fn log(
    request: &Request,
    examined: &ExaminedSource,
    sources: &Sources,
    surroundings: &Surroundings,
) {
    if !tracing::enabled!(Level::DEBUG) {
        return;
    }
    debug!("checked the source {:?}", request.build_name);
    for warning in &examined.messages.warnings {
        debug!("the source has a warning: {warning}");
    }
    for error in &examined.messages.errors {
        debug!("the source has an error: {error}");
    }
    if !examined.messages.errors.is_empty() {
        return;
    }
    let name = format!("{}.{}", request.builder_type, request.build_name);
    let subject = Subject {
        name: &name,
        libvirt: &examined.libvirt,
        configured: &examined.configured,
        identity: &request.identity,
    };
    let downloads = cache_directory(surroundings);
    let downloads = downloads.and_then(|cache| held_only(surroundings, &cache).ok());
    let look = Look {
        sources,
        downloads: downloads.as_ref(),
        working_directory: &surroundings.working_directory,
        secrets: &surroundings.secrets,
    };
    let planned = PlannedBuild::of(subject, &look);
    match planned.and_then(|planned| planned.shown(&surroundings.secrets)) {
        Ok(json) => debug!("the plan: {json}"),
        Err(failure) => debug!("no plan: {}", lvhost_engine::with_causes(&failure)),
    }
}
