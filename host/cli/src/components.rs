//! The volume sources of a run: those that ship with lvhost, and what a template uses beside them.
//!
//! ```text
//!  built in ───────────────────────────────┐
//!  types in the template ─┬─ in lvhost.hcl? ┼─► pinned, compiled, allowed ──► Sources
//!                         ├─ a file there?  └─► compiled; asked what it needs, then refused
//!                         └─ neither ─────────► what to do about it
//! ```
//!
//! What is not built in is compiled when a template uses it for the first time; what is made of it is kept,
//! under a seal. See `docs/sources.md`.
//!
//! What is wrong with `lvhost.hcl` hides nothing of what is wrong with the template: a component whose entry is
//! wrong, or that can't be had, is one of which the template is told nothing more.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use lvhost_config::{PROJECT_FILE, Project, is_type_name};
use lvhost_engine::{Allowed, Permission, SourceKind, Sources, UserSecrets};
use lvhost_hcl::{Diagnostic, Diagnostics, Document, Severity, SourceMap, Span};
use lvhost_runtime::{Budget, Compilation, Limits, LoadError, Runtime, Settings, Source};

use crate::exit_code::Failure;
use crate::input::InputError;
use crate::project::{self, Entry};
use crate::surroundings::Surroundings;
use crate::third_party::{ComponentFile, Places};
use crate::unlisted::UnlistedComponent;

/// The time that components see, for reproducible images:
/// <https://reproducible-builds.org/specs/source-date-epoch>.
const SOURCE_DATE_EPOCH: &str = "SOURCE_DATE_EPOCH";

/// Components that nobody has allowed and that are asked all the same what they would need, those that
/// can't be loaded included: to read and to refuse one takes time as well. Each is a process for as long
/// as the command runs; a template has one or two.
const NOT_ALLOWED: usize = 8;

/// Components with an entry that a command loads. Each is a process for as long as the command runs; a
/// project has a handful.
const WITH_ENTRY: usize = 64;

/// What runs components, and those that ship with lvhost.
pub(crate) struct Components {
    runtime: Runtime,
    built_in: Sources,
    surroundings: Arc<Surroundings>,
    /// What has been compiled, by digest and name: a template may be looked at more than once.
    compiled: Mutex<BTreeMap<(String, String), Source>>,
    /// What all strangers' components have together.
    all: Budget,
    /// What those of them have together that nobody has allowed.
    not_allowed: Budget,
    /// Told what takes its time.
    notice: Notice,
}

/// Takes a line for the user.
pub(crate) type Notice = Arc<dyn Fn(&str) + Send + Sync>;

/// Bytes of a component that takes more than a moment to compile.
const LARGE: usize = 1 << 20;

/// A component in a file that a user has named.
pub(crate) struct FileSource {
    pub(crate) source: Source,
    pub(crate) sha256: String,
}

/// The sources of one template.
pub(crate) struct TemplateSources {
    pub(crate) sources: Arc<Sources>,
    /// Those it uses although nobody has allowed them.
    pub(crate) unlisted: Vec<UnlistedComponent>,
}

impl Components {
    /// Makes what ships with lvhost ready; each is loaded when it is first called. `notice` is told when a component
    /// is compiled that takes its time.
    ///
    /// # Errors
    /// When WebAssembly can't be run here, or `SOURCE_DATE_EPOCH` is not a number.
    pub(crate) fn new(surroundings: &Arc<Surroundings>, notice: Notice) -> Result<Self, Failure> {
        let settings = Settings {
            source_date_epoch: source_date_epoch(surroundings)?,
            compiled: surroundings.compiled_places(),
            ..Settings::default()
        };
        let runtime = Runtime::new(settings).map_err(unable)?;
        let built_in = lvhost_sources::all().iter().map(|bundled| {
            let limits = Limits::built_in();
            let description = bundled.description();
            runtime.embedded(bundled.type_name, bundled.precompiled, description, limits)
        });
        let all = Budget::new(Limits::of_command());
        Ok(Self {
            built_in: Sources::new(built_in).map_err(unable)?,
            runtime,
            surroundings: Arc::clone(surroundings),
            compiled: Mutex::default(),
            not_allowed: all.part(Limits::not_allowed()),
            all,
            notice,
        })
    }

    /// Those that ship with lvhost.
    pub(crate) fn built_in(&self) -> &Sources {
        &self.built_in
    }

    /// Those of a template that lies in `folder`. What is wrong with the project's settings goes to
    /// `report`, and their text becomes one of `files`.
    pub(crate) fn of_template(
        &self,
        document: &Document,
        folder: &Path,
        files: &mut SourceMap,
        report: &mut Diagnostics,
    ) -> TemplateSources {
        let mut own = Diagnostics::default();
        let project = project::read(folder, &self.surroundings, files, &mut own);
        let sources = self.gather(document, folder, &project, &mut own);
        report.extend(own);
        sources
    }

    /// The one in a file, allowed or not, called like the file: it is compiled and asked what it is, which
    /// reaches nothing. What is wrong with it goes to `report`.
    pub(crate) fn of_file(&self, path: &Path, report: &mut Diagnostics) -> Option<FileSource> {
        let file = match ComponentFile::named(path) {
            Ok(file) => file,
            Err(problem) => {
                report.push(problem);
                return None;
            }
        };
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        let name = stem
            .filter(|stem| is_type_name(stem))
            .unwrap_or("component");
        match self.compile(name, &file, &self.all.part(Limits::default())) {
            Ok(source) => Some(FileSource {
                source,
                sha256: file.sha256,
            }),
            Err(error) => {
                report.push(not_loadable(None, &file, &error));
                None
            }
        }
    }

    /// Those that ship with lvhost and what the settings in `folder` name, used or not: all of it, or `wanted`
    /// alone. What is wrong with the settings goes to `report`, and their text becomes one of `files`.
    pub(crate) fn of_project(
        &self,
        folder: &Path,
        wanted: Option<&str>,
        files: &mut SourceMap,
        report: &mut Diagnostics,
    ) -> Sources {
        let project = project::read(folder, &self.surroundings, files, report);
        let places = Places::new(folder, &self.surroundings);
        let mut sources = self.known_of(&project, report);
        let entries = self.entries(&project, folder, report);
        let is_wanted = |entry: &&Entry<'_>| wanted.is_none_or(|wanted| wanted == entry.name);
        for (number, entry) in entries.iter().filter(is_wanted).enumerate() {
            if number >= WITH_ENTRY {
                report.push(too_many_entries(entry));
                sources.excuse_all();
                break;
            }
            match self.listed(entry, &places, report) {
                // Names of entries are not those of others: `entries` has looked.
                Some(kind) => drop(sources.add(kind)),
                None => sources.excuse(entry.name),
            }
        }
        sources
    }

    /// Those that ship with lvhost, and what the settings leave to say of others: nothing, if there may be entries
    /// in what is wrong with them.
    fn known_of(&self, project: &Project, of_settings: &Diagnostics) -> Sources {
        let mut sources = self.built_in.clone();
        let is_in_an_entry = |problem: &Diagnostic| {
            let mut plugins = project.source_plugins.iter();
            plugins.any(|named| is_in(problem, named.plugin.origin.span()))
        };
        let mut problems = of_settings.iter().filter(|it| is_error(it));
        if problems.any(|problem| !is_in_an_entry(problem)) {
            sources.excuse_all();
        }
        sources
    }

    fn gather(
        &self,
        document: &Document,
        folder: &Path,
        project: &Project,
        report: &mut Diagnostics,
    ) -> TemplateSources {
        let mut sources = self.known_of(project, report);
        let entries = self.entries(project, folder, report);
        let places = Places::new(folder, &self.surroundings);
        let mut gathered = TemplateSources {
            sources: Arc::default(),
            unlisted: Vec::new(),
        };
        let (mut with_entry, mut not_allowed) = (0, 0);
        for (name, span) in types(document) {
            if sources.kind(&name).is_some() {
                continue;
            }
            if let Some(entry) = entries.iter().find(|entry| entry.name == name) {
                with_entry += 1;
                if with_entry > WITH_ENTRY {
                    report.push(too_many_entries(entry));
                    sources.excuse_all();
                    break;
                }
                // No two have the same name, here and below: that was asked first.
                match self.listed(entry, &places, report) {
                    Some(kind) => drop(sources.add(kind)),
                    None => sources.excuse(name),
                }
            } else if is_type_name(&name) && !sources.is_excused(&name) {
                if not_allowed >= NOT_ALLOWED && places.has(&name) {
                    report.push(one_too_many(&name, span));
                    sources.excuse(name);
                    continue;
                }
                match places.find(&name) {
                    Some(file) => {
                        not_allowed += 1;
                        match self.unlisted(&name, file, span, report) {
                            Some((kind, unlisted)) => {
                                sources.add(kind).ok();
                                gathered.unlisted.push(unlisted);
                            }
                            None => sources.excuse(name),
                        }
                    }
                    None => sources.advise(&name, places.advice(&name)),
                }
            }
        }
        gathered.sources = Arc::new(sources);
        gathered
    }

    /// The entries of `lvhost.hcl`, all of them checked.
    fn entries<'a>(
        &self,
        project: &'a Project,
        folder: &Path,
        report: &mut Diagnostics,
    ) -> Vec<Entry<'a>> {
        let user_secrets = self.user_secrets(project, folder, report);
        let mut entries = Vec::new();
        for named in &project.source_plugins {
            if let Some(kind) = self.built_in.kind(&named.name) {
                report.push(
                    Diagnostic::error(
                        named.name_span,
                        format!("`{}` is built in and can't be replaced", named.name),
                    )
                    .detail(format!("a name of the source `{}`", kind.type_name))
                    .help("give the component another name, and use that as `type`"),
                );
                continue;
            }
            let working_directory = &self.surroundings.working_directory;
            let allow = named.plugin.allow.as_ref();
            let allowed = Allowed::read(allow, &user_secrets, working_directory, report);
            // Without one, it is not loaded at all.
            let sha256 = named.plugin.sha256.as_deref().unwrap_or_default();
            let limits = project::limits(named.plugin.limits.as_ref(), report);
            let whole = named.plugin.origin.span();
            let is_wrong = report.iter().any(|it| is_error(it) && is_in(it, whole));
            entries.push(Entry {
                name: &named.name,
                name_span: named.name_span,
                plugin: &named.plugin,
                limits,
                // What it allows is not known then, and what else it should allow is not told.
                permission: match is_wrong {
                    true => Permission::Missing,
                    false => Permission::Entry(Arc::new(allowed.for_component(sha256))),
                },
            });
        }
        entries
    }

    fn user_secrets(
        &self,
        project: &Project,
        folder: &Path,
        report: &mut Diagnostics,
    ) -> UserSecrets {
        let variable = |name: &str| self.surroundings.secret_variable(name);
        UserSecrets::read(&project.secrets, folder, variable, report)
    }

    /// A component that has an entry.
    fn listed(
        &self,
        entry: &Entry<'_>,
        places: &Places,
        report: &mut Diagnostics,
    ) -> Option<SourceKind> {
        let file = match places.of_entry(entry) {
            Ok(file) => file,
            Err(problem) => {
                report.push(problem);
                return None;
            }
        };
        if let Err(problem) = file.is_pinned_by(entry) {
            report.push(problem);
            return None;
        }
        let budget = self.all.part(entry.limits.clone());
        match self.compile(entry.name, &file, &budget) {
            Ok(source) => Some(SourceKind::third_party(source, entry.permission.clone())),
            Err(error) => {
                let span = entry.plugin.origin.span_of("file");
                report.push(not_loadable(span, &file, &error));
                None
            }
        }
    }

    /// A component that lies where it would be looked for, and that nobody has allowed: it is compiled
    /// to ask it what it would need, which reaches nothing.
    fn unlisted(
        &self,
        name: &str,
        found: Result<ComponentFile, Diagnostic>,
        span: Span,
        report: &mut Diagnostics,
    ) -> Option<(SourceKind, UnlistedComponent)> {
        let mut file = match found {
            Ok(file) => file,
            Err(problem) => {
                report.push(problem);
                return None;
            }
        };
        let compiled = self.compile(name, &file, &self.not_allowed);
        // Where it is and its digest is all that is told of it from here on.
        file.bytes = Vec::new();
        match compiled {
            Ok(source) => {
                let kind = SourceKind::third_party(source, Permission::Missing);
                let name = name.to_owned();
                Some((kind, UnlistedComponent { span, file, name }))
            }
            Err(error @ LoadError::NotCompiled { .. }) => {
                let entry = UnlistedComponent {
                    span,
                    file,
                    name: name.to_owned(),
                }
                .entry(&[]);
                report.push(Diagnostic::error(span, error.to_string()).help(format!(
                    "a component that nobody has allowed gets little time; if you trust this \
                         one, allow it in {PROJECT_FILE}, and it gets more:\n\n{entry}"
                )));
                None
            }
            Err(error) => {
                report.push(not_loadable(span, &file, &error));
                None
            }
        }
    }

    fn compile(
        &self,
        name: &str,
        file: &ComponentFile,
        budget: &Budget,
    ) -> Result<Source, LoadError> {
        let key = (file.sha256.clone(), name.to_owned());
        let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(source) = compiled.get(&key) {
            return Ok(source.clone());
        }
        let watch = |compilation| self.watch(name, file.bytes.len(), compilation);
        let source = self
            .runtime
            .load_stranger(name, &file.bytes, budget, &watch)?;
        compiled.insert(key, source.clone());
        Ok(source)
    }

    /// Says what takes its time, and how long it took.
    fn watch(&self, name: &str, size: usize, compilation: Compilation) {
        match compilation {
            Compilation::Begun if size >= LARGE => (self.notice)(&format!(
                "compiling the source \"{name}\", {} MiB: this is done once and may take a minute",
                size >> 20
            )),
            Compilation::Ended { took } if size >= LARGE => (self.notice)(&format!(
                "compiled the source \"{name}\" in {:.1} s",
                took.as_secs_f64()
            )),
            _ => {}
        }
    }
}

/// The types that a template's volumes have, each with its first place.
fn types(document: &Document) -> Vec<(String, Span)> {
    let mut types: Vec<(String, Span)> = Vec::new();
    let sources = document.builds.iter().flat_map(|build| &build.sources);
    let volumes = sources.flat_map(|source| source.body.blocks("volume"));
    for block in volumes.flat_map(|volume| volume.body.blocks("source")) {
        let Some(attribute) = block.body.attribute("type") else {
            continue;
        };
        if let Some(name) = attribute.value.as_str()
            && !types.iter().any(|(known, _)| known == name)
        {
            types.push((name.to_owned(), attribute.value_span));
        }
    }
    types
}

fn is_error(problem: &Diagnostic) -> bool {
    problem.severity == Severity::Error
}

/// Whether the place of `problem` is in `whole`.
fn is_in(problem: &Diagnostic, whole: Span) -> bool {
    problem.span.is_some_and(|span| whole.contains(span))
}

fn too_many_entries(entry: &Entry<'_>) -> Diagnostic {
    Diagnostic::error(
        entry.name_span,
        format!("`{}` is one component too many", entry.name),
    )
    .help(format!(
        "no more than {WITH_ENTRY} components that are not built in are loaded by one command"
    ))
}

fn one_too_many(name: &str, span: Span) -> Diagnostic {
    Diagnostic::error(
        span,
        format!("the source `{name}` has no entry in {PROJECT_FILE}, like {NOT_ALLOWED} others"),
    )
    .help(format!(
        "no more than {NOT_ALLOWED} that are not allowed are asked what they need; allow those first"
    ))
}

fn not_loadable(
    span: impl Into<Option<Span>>,
    file: &ComponentFile,
    error: &LoadError,
) -> Diagnostic {
    let mut causes = Vec::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        causes.push(error.to_string());
        cause = error.source();
    }
    let mut help = Vec::new();
    if !causes.is_empty() {
        help.push(format!("the reason: {}", causes.join(": ")));
    }
    help.extend(error.advice());
    let diagnostic = Diagnostic::error(span, error.to_string()).detail(file.shown());
    if help.is_empty() {
        diagnostic
    } else {
        diagnostic.help(help.join("; "))
    }
}

fn unable(error: impl Error + Send + Sync + 'static) -> Failure {
    Failure::unable("the volume sources can't be loaded", error)
}

fn source_date_epoch(surroundings: &Surroundings) -> Result<u64, InputError> {
    let Some(value) = surroundings.set(SOURCE_DATE_EPOCH) else {
        return Ok(0);
    };
    value.parse().map_err(|_| InputError::Variable {
        name: SOURCE_DATE_EPOCH.to_owned(),
        reason: format!("`{value}` is not a number of seconds since 1970"),
    })
}
