//! Checks a source by everything that needs no hypervisor: the same rules and components as
//! `lvhost validate`.

use std::sync::Arc;

use lvhost_config::{LibvirtSource, decode_source, source_shape};
use lvhost_engine::{Configured, Sources, configure, domain_name};
use lvhost_hcl::{Diagnostics, RenderStyle, SourceMap, render};

use super::messages::Messages;
use super::options::{self, Reading};
use super::request::Request;
use crate::allowed_uris::AllowedUris;
use crate::components::{Components, Notice};
use crate::interpolation::interpolated;
use crate::local_paths;
use crate::surroundings::Surroundings;

/// The volume sources that there are, and what is wrong with those that there should be.
#[derive(Clone)]
pub(super) struct PluginSources {
    /// Those that can be used, or asked what options they have.
    pub(super) sources: Arc<Sources>,
    /// What is wrong with `lvhost.hcl`, or why nothing can be loaded. There is no build then.
    pub(super) problem: Option<String>,
}

/// A source that was looked at.
pub(super) struct ExaminedSource {
    /// Its options.
    pub(super) libvirt: LibvirtSource,
    /// What the components say of its volumes.
    pub(super) configured: Configured,
    /// What is wrong with it.
    pub(super) messages: Messages,
}

/// Decodes and checks `request`.
pub(super) async fn examine(
    request: &Request,
    reading: Reading,
    sources: &PluginSources,
    surroundings: &Surroundings,
) -> ExaminedSource {
    let PluginSources { sources, problem } = sources;
    let schemas = sources.schemas();
    let shape = source_shape(&schemas);
    let mut report = Diagnostics::default();
    let (body, paths) = options::body(request, reading, &shape, &mut report);
    // The places are paths of options, which are in no file.
    let files = SourceMap::default();
    let functions = request.functions(surroundings);
    let mut body = interpolated(&body, &functions, &files, &mut report);
    options::split_texts(&mut body, &shape);
    let secrets = &surroundings.secrets;
    secrets.add(request.secrets());
    secrets.add_body(&body);
    let libvirt = decode_source(&body, &schemas, &mut report);
    secrets.add_sources(&libvirt);
    AllowedUris::of_environment(surroundings).check(&libvirt, &mut report);
    let domain = domain_name(&libvirt, &request.identity);
    let configured = configure(&libvirt, sources, &domain, &mut report).await;
    local_paths::check(&libvirt, &configured, sources, surroundings, &mut report);
    let report = secrets.mask_diagnostics(report);
    let mut messages = Messages::new(&report, &paths);
    messages.errors.splice(0..0, problem.clone());
    ExaminedSource {
        libvirt,
        configured,
        messages,
    }
}

/// The volume sources: those that ship with lvhost, and what `lvhost.hcl` in the working directory names.
/// Packer does not tell where a template in HCL lies.
pub(super) fn sources(surroundings: &Arc<Surroundings>) -> PluginSources {
    // Packer shows it to who has asked for its log.
    let notice: Notice = Arc::new(|line| tracing::info!("{line}"));
    let components = match Components::new(surroundings, notice) {
        Ok(components) => components,
        Err(failure) => {
            let mut none = Sources::default();
            none.excuse_all();
            return PluginSources {
                sources: Arc::new(none),
                problem: Some(lvhost_engine::with_causes(&failure)),
            };
        }
    };
    let (mut files, mut report) = (SourceMap::default(), Diagnostics::default());
    let folder = &surroundings.working_directory;
    let sources = components.of_project(folder, None, &mut files, &mut report);
    let is_wrong = report.has_errors();
    PluginSources {
        sources: Arc::new(sources),
        problem: is_wrong.then(|| render(&files, &report, RenderStyle::default())),
    }
}
