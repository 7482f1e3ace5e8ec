//! From the files of a template to builds that can be run, and everything that is wrong with it.
//!
//! ```text
//!  files ─► evaluate ─► the components it uses, by lvhost.hcl
//!                  ├──► each source of each build: decode ─► ask the components ─┐
//!                  └──► each provisioner: check ─────────────────────────────────┴─► jobs, diagnostics
//! ```
//! Errors of the language don't hide those of options: what can't be evaluated is unknown, and the
//! check goes on with the rest. So it is with what can't be read, and with what is wrong in `lvhost.hcl`.

use std::path::Path;
use std::sync::Arc;

use lvhost_config::{LibvirtSource, decode_source};
use lvhost_engine::go_template::{BuildFacts, Functions};
use lvhost_engine::{
    Configured, Identity, Sources, TemplateProvisioners, check_secrets, configure, domain_name,
};
use lvhost_hcl::{
    Build, DataSources, Diagnostic, Diagnostics, Document, Environment, Inputs, Provisioner,
    Severity, Source, SourceMap, load,
};

use crate::allowed_uris::AllowedUris;
use crate::arguments::Template;
use crate::components::Components;
use crate::exit_code::Failure;
use crate::findings::{Finding, findings};
use crate::input::{self, GivenFiles, InputError};
use crate::interpolation::interpolated;
use crate::local_paths;
use crate::plan::Subject;
use crate::printer::Printer;
use crate::selection::Selection;
use crate::surroundings::Surroundings;
use crate::unlisted;

/// The one builder there is.
const BUILDER: &str = "libvirt";

/// Plugins whose work lvhost does itself. They are accepted in `required_plugins`; whatever version a
/// template asks for, it gets lvhost's.
const BUILT_IN_PLUGINS: [&str; 2] = ["libvirt", "sshkey"];

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

impl Job {
    /// What its plan is made of.
    pub(crate) fn subject(&self) -> Subject<'_> {
        Subject {
            name: &self.name,
            libvirt: &self.libvirt,
            configured: &self.configured,
            identity: &self.identity,
        }
    }
}

/// What a template comes to.
pub(crate) struct ExaminedTemplate {
    /// The files, for what only shows in the build.
    pub(crate) files: Arc<SourceMap>,
    /// What makes its volumes.
    pub(crate) sources: Arc<Sources>,
    /// What is wrong with it, or odd.
    pub(crate) diagnostics: Diagnostics,
    /// What to build, in the order of the template; or that there are errors, or nothing to build.
    pub(crate) jobs: Result<Vec<Job>, Failure>,
}

impl ExaminedTemplate {
    /// The diagnostics as text; `None` if there are none.
    pub(crate) fn text(&self, printer: &Printer) -> Option<String> {
        (!self.diagnostics.is_empty()).then(|| printer.drawn(&self.files, &self.diagnostics))
    }

    /// The diagnostics as data.
    pub(crate) fn findings(&self) -> Vec<Finding> {
        findings(&self.files, &self.diagnostics)
    }

    /// How many diagnostics are of that severity.
    pub(crate) fn count(&self, severity: Severity) -> usize {
        count(&self.diagnostics, severity)
    }
}

fn count(diagnostics: &Diagnostics, severity: Severity) -> usize {
    let is = |diagnostic: &&Diagnostic| diagnostic.severity == severity;
    diagnostics.iter().filter(is).count()
}

fn full_name(build_name: &str, source: &Source) -> String {
    match build_name {
        "" => source.address(),
        name => format!("{name}.{}", source.address()),
    }
}

/// A template that was read, and what is needed to look into it.
pub(crate) struct Examiner<'a> {
    inputs: Inputs,
    links: Vec<String>,
    selection: Selection,
    allowed_uris: AllowedUris,
    components: &'a Components,
    surroundings: Arc<Surroundings>,
}

impl<'a> Examiner<'a> {
    /// Reads the files that `arguments` name.
    ///
    /// # Errors
    /// What can't be read.
    pub(crate) fn new(
        arguments: &Template,
        components: &'a Components,
        surroundings: &Arc<Surroundings>,
    ) -> Result<Self, InputError> {
        let GivenFiles { inputs, links } = input::read(arguments)?;
        Ok(Self {
            selection: Selection::new(arguments)?,
            allowed_uris: AllowedUris::new(arguments, surroundings),
            inputs,
            links,
            components,
            surroundings: Arc::clone(surroundings),
        })
    }

    /// Evaluates the template and checks everything that needs no hypervisor. Can be done again, with
    /// other data sources.
    pub(crate) async fn examine(&self, data_sources: &dyn DataSources) -> ExaminedTemplate {
        let environment = Arc::clone(&self.surroundings) as Arc<dyn Environment>;
        let (document, mut files, mut diagnostics) = load(&self.inputs, environment, data_sources);
        for link in &self.links {
            files.hide(link);
        }
        let folder = Path::new(&self.inputs.root);
        let mut sources = Arc::default();
        let mut jobs = Ok(Vec::new());
        let secrets = &self.surroundings.secrets;
        if let Some(document) = &document {
            secrets.add_document(document);
        }
        if let Some(document) = document {
            let of_template =
                self.components
                    .of_template(&document, folder, &mut files, &mut diagnostics);
            sources = of_template.sources;
            jobs = self
                .check(document, &sources, &files, &mut diagnostics)
                .await;
            let asked = jobs.iter().flatten();
            let asked = asked.map(|job| (&job.libvirt, &job.configured));
            unlisted::report(&of_template.unlisted, folder, asked, &mut diagnostics);
        }
        let mut diagnostics = secrets.mask_diagnostics(diagnostics);
        files.cover(|text| secrets.places_in(text));
        diagnostics.sort_by_place();
        let errors = count(&diagnostics, Severity::Error);
        let jobs = if errors > 0 {
            Err(Failure::Template { errors })
        } else {
            jobs.map_err(Failure::Input)
        };
        ExaminedTemplate {
            files: Arc::new(files),
            sources,
            diagnostics,
            jobs,
        }
    }

    async fn check(
        &self,
        document: Document,
        sources: &Sources,
        files: &SourceMap,
        report: &mut Diagnostics,
    ) -> Result<Vec<Job>, InputError> {
        check_plugins(&document, report);
        let existing: Vec<String> = document.builds.iter().flat_map(names).collect();
        if document.builds.is_empty() && !document.unread.builds() {
            report.push(
                Diagnostic::error(None, "the template builds nothing")
                    .help("add `build { sources = [\"source.libvirt.NAME\"] }`"),
            );
        }
        check_secrets(&document, report);
        let mut jobs = Vec::new();
        for build in document.builds {
            let made = self.build(build, sources, files, report).await;
            jobs.extend(made);
        }
        if jobs.is_empty() {
            return Err(InputError::NothingSelected { existing });
        }
        Ok(jobs)
    }

    async fn build(
        &self,
        build: Build,
        sources: &Sources,
        files: &SourceMap,
        report: &mut Diagnostics,
    ) -> Vec<Job> {
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
            let functions = self.functions(&source);
            let body = interpolated(&source.body, &functions, files, report);
            let secrets = &self.surroundings.secrets;
            secrets.add_body(&body);
            let libvirt = decode_source(&body, &sources.schemas(), report);
            secrets.add_sources(&libvirt);
            self.allowed_uris.check(&libvirt, report);
            let domain = domain_name(&libvirt, &identity);
            let configured = configure(&libvirt, sources, &domain, report).await;
            local_paths::check(&libvirt, &configured, sources, &self.surroundings, report);
            let provision = TemplateProvisioners {
                provisioners: Arc::clone(&provisioners),
                source,
                functions,
                build_name: build_name.clone(),
                working_directory: self.surroundings.working_directory.clone(),
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

impl Examiner<'_> {
    /// Packer's functions, for the texts of `source` and of its provisioners.
    fn functions(&self, source: &Source) -> Functions {
        Functions::new(BuildFacts {
            build_name: source.name.clone(),
            build_type: source.type_name.clone(),
            packer_version: self.inputs.packer_version.clone(),
            ..self.surroundings.build_facts()
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
