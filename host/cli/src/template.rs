//! From the files of a template to builds that can be run, or to everything that is wrong with it.
//!
//! ```text
//!  files ─► evaluate ─► each source of each build: decode ─► ask the components ─┐
//!                  └──► each provisioner: check ─────────────────────────────────┴─► jobs, or errors
//! ```

use std::sync::Arc;

use lvhost_config::{LibvirtSource, decode_source};
use lvhost_engine::{Configured, Identity, Sources, TemplateProvisioners, configure, domain_name};
use lvhost_hcl::{
    Build, DataSources, Diagnostic, Diagnostics, Document, Environment, Provisioner, Severity,
    Source, SourceMap, load, render,
};
use secrecy::SecretString;

use crate::arguments::Template;
use crate::exit_code::Failure;
use crate::input::{self, InputError};
use crate::printer::Printer;
use crate::selection::Selection;
use crate::surroundings::Surroundings;

/// The one builder there is.
const BUILDER: &str = "libvirt";

/// Plugins whose work lvhost does itself. They are accepted in `required_plugins`; whatever version a
/// template asks for, it gets lvhost's.
const BUILT_IN_PLUGINS: [&str; 2] = ["libvirt", "sshkey"];

/// A template that can be built from.
pub(crate) struct Checked {
    /// The files, for what only shows in the build.
    pub(crate) files: Arc<SourceMap>,
    /// What to build, in the order of the template.
    pub(crate) jobs: Vec<Job>,
}

/// One source of one build.
pub(crate) struct Job {
    /// `libvirt.example`, or `web.libvirt.example` in a build that has a name.
    pub(crate) name: String,
    /// The source's options.
    pub(crate) libvirt: LibvirtSource,
    /// What the components say of its volumes.
    pub(crate) configured: Configured,
    /// What is done in the guest.
    pub(crate) provision: Arc<TemplateProvisioners>,
    /// Where the names of this build come from.
    pub(crate) identity: Identity,
}

fn full_name(build_name: &str, source: &Source) -> String {
    match build_name {
        "" => source.address(),
        name => format!("{name}.{}", source.address()),
    }
}

/// A template whose expressions are evaluated.
pub(crate) struct Loaded {
    document: Document,
    files: SourceMap,
    diagnostics: Diagnostics,
    selection: Selection,
    surroundings: Arc<Surroundings>,
}

impl Loaded {
    /// Reads and evaluates the template that `arguments` name.
    ///
    /// # Errors
    /// What can't be read; errors in the template, which are shown.
    pub(crate) fn read(
        arguments: &Template,
        surroundings: &Arc<Surroundings>,
        data_sources: &dyn DataSources,
        printer: &Printer,
    ) -> Result<Self, Failure> {
        let selection = Selection::new(arguments)?;
        let inputs = input::read(arguments)?;
        let surroundings = Arc::clone(surroundings);
        let environment = Arc::clone(&surroundings) as Arc<dyn Environment>;
        let (document, files, diagnostics) = load(&inputs, environment, data_sources);
        let Some(document) = document else {
            return Err(show(&files, &diagnostics, printer));
        };
        Ok(Self {
            document,
            files,
            diagnostics,
            selection,
            surroundings,
        })
    }

    /// Checks everything that needs no hypervisor.
    ///
    /// # Errors
    /// A selection that leaves nothing; errors in the template, which are shown.
    pub(crate) async fn check(
        self,
        sources: &Sources,
        printer: &Printer,
    ) -> Result<Checked, Failure> {
        let Self {
            document,
            files,
            mut diagnostics,
            selection,
            surroundings,
        } = self;
        check_plugins(&document, &mut diagnostics);
        let existing: Vec<String> = document.builds.iter().flat_map(names).collect();
        let check = Check {
            selection,
            sources,
            secrets: TemplateProvisioners::template_secrets(&document),
            surroundings,
        };
        let mut jobs = Vec::new();
        for build in document.builds {
            jobs.extend(check.build(build, &mut diagnostics).await);
        }
        if existing.is_empty() {
            diagnostics.push(
                Diagnostic::error(None, "the template builds nothing")
                    .help("add `build { sources = [\"source.libvirt.NAME\"] }`"),
            );
        }
        let failure = show(&files, &diagnostics, printer);
        if diagnostics.has_errors() {
            return Err(failure);
        }
        if jobs.is_empty() {
            return Err(InputError::NothingSelected { existing }.into());
        }
        Ok(Checked {
            files: Arc::new(files),
            jobs,
        })
    }
}

fn names(build: &Build) -> Vec<String> {
    let build_name = build.name.as_deref().unwrap_or_default();
    build
        .sources
        .iter()
        .map(|source| full_name(build_name, source))
        .collect()
}

fn check_plugins(document: &Document, report: &mut Diagnostics) {
    for plugin in &document.required_plugins {
        if !BUILT_IN_PLUGINS.contains(&plugin.name.as_str()) {
            report.push(
                Diagnostic::warning(
                    plugin.span,
                    format!(
                        "the plugin `{}` is not used: lvhost runs no plugins",
                        plugin.name
                    ),
                )
                .help(format!(
                    "what lvhost does itself: {}",
                    BUILT_IN_PLUGINS.join(", ")
                )),
            );
        }
    }
}

/// What the check of every build needs.
struct Check<'a> {
    selection: Selection,
    sources: &'a Sources,
    secrets: Vec<SecretString>,
    surroundings: Arc<Surroundings>,
}

impl Check<'_> {
    async fn build(&self, build: Build, report: &mut Diagnostics) -> Vec<Job> {
        not_supported(&build, report);
        let build_name = build.name.unwrap_or_default();
        let provisioners: Arc<[Provisioner]> = build.provisioners.into();
        let mut jobs = Vec::new();
        for source in build.sources {
            let name = full_name(&build_name, &source);
            if !self.selection.includes(&name) {
                continue;
            }
            if source.type_name != BUILDER {
                report.push(unknown_builder(&source));
                continue;
            }
            let identity = Identity::random();
            let libvirt = decode_source(&source.body, &self.sources.schemas(), report);
            let domain = domain_name(&libvirt, &identity);
            let configured = configure(&libvirt, self.sources, &domain, report).await;
            let provision = TemplateProvisioners {
                provisioners: Arc::clone(&provisioners),
                source,
                build_name: build_name.clone(),
                working_directory: self.surroundings.working_directory.clone(),
                secrets: self.secrets.clone(),
            };
            report.extend(provision.check());
            let provision = Arc::new(provision);
            jobs.push(Job {
                name,
                libvirt,
                configured,
                provision,
                identity,
            });
        }
        jobs
    }
}

/// Reports what of a build can't be done yet.
fn not_supported(build: &Build, report: &mut Diagnostics) {
    for processor in build.post_processors.iter().flatten() {
        report.push(
            Diagnostic::error(
                processor.span,
                format!(
                    "the post-processor `{}` is not supported by lvhost",
                    processor.type_name
                ),
            )
            .detail("there are no post-processors yet")
            .help("remove it, and do what it does after `lvhost run` has ended"),
        );
    }
    if let Some(provisioner) = &build.error_cleanup_provisioner {
        report.push(Diagnostic::error(
            provisioner.span,
            "`error-cleanup-provisioner` is not supported by lvhost",
        ));
    }
}

fn unknown_builder(source: &Source) -> Diagnostic {
    Diagnostic::error(
        source.span,
        format!("there is no builder called `{}`", source.type_name),
    )
    .detail(format!("there is: {BUILDER}"))
    .suggest(&source.type_name, [BUILDER])
}

/// Shows all of `diagnostics`; the failure counts the errors among them.
fn show(files: &SourceMap, diagnostics: &Diagnostics, printer: &Printer) -> Failure {
    if !diagnostics.is_empty() {
        printer.message(&render(files, diagnostics, printer.render_style()));
    }
    let is_error = |diagnostic: &&Diagnostic| diagnostic.severity == Severity::Error;
    Failure::Template {
        errors: diagnostics.iter().filter(is_error).count(),
    }
}
