//! The settings of a project: `lvhost.hcl` in the template's folder.
//!
//! That is the folder a template file lies in, or the folder that was given as template. There is no
//! search in the folders above: which components may run is said where they are used.

use std::io;
use std::path::Path;
use std::sync::Arc;

use lvhost_config::{PROJECT_FILE, Project, SourceLimits, SourcePlugin, decode_project};
use lvhost_engine::Permission;
use lvhost_hcl::{Diagnostic, Diagnostics, Environment, InputFile, SourceMap, Span, load_settings};
use lvhost_runtime::Limits;

use crate::input::is_link;
use crate::surroundings::{Surroundings, read_file};

/// An entry of the settings, checked.
pub(crate) struct Entry<'a> {
    /// What templates call it.
    pub(crate) name: &'a str,
    pub(crate) name_span: Span,
    pub(crate) plugin: &'a SourcePlugin,
    pub(crate) limits: Limits,
    /// What it allows; missing if the entry is wrong.
    pub(crate) permission: Permission,
}

/// Reads the settings in `folder`; there need not be any.
pub(crate) fn read(
    folder: &Path,
    surroundings: &Arc<Surroundings>,
    files: &mut SourceMap,
    report: &mut Diagnostics,
) -> Project {
    let path = folder.join(PROJECT_FILE);
    let bytes = match read_file(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Project::default(),
        Err(error) => {
            let summary = format!("can't read {}: {error}", path.display());
            report.push(Diagnostic::error(None, summary));
            return Project::default();
        }
    };
    let Ok(text) = String::from_utf8(bytes) else {
        let summary = format!("{} is not text in UTF-8", path.display());
        report.push(Diagnostic::error(None, summary));
        return Project::default();
    };
    let input = InputFile {
        name: path.to_string_lossy().into_owned(),
        text,
    };
    let environment = Arc::clone(surroundings) as Arc<dyn Environment>;
    let body = load_settings(&input, environment, files, report);
    if is_link(&path) {
        files.hide(&input.name);
    }
    body.map(|body| decode_project(&body, report))
        .unwrap_or_default()
}

/// The limits of an entry, which have to be within those that lvhost has itself.
pub(crate) fn limits(written: Option<&SourceLimits>, report: &mut Diagnostics) -> Limits {
    let mut limits = Limits::default();
    let Some(written) = written else {
        return limits;
    };
    if let Some(memory) = written.memory {
        let bounds = Limits::LEAST_MEMORY..=Limits::MOST_MEMORY;
        match usize::try_from(memory.0) {
            Ok(memory) if bounds.contains(&memory) => limits.memory = memory,
            _ => report.push(
                Diagnostic::error(
                    written.origin.span_of("memory"),
                    "a component can't have that much memory, or that little",
                )
                .help(format!(
                    "give it from {} to {} MiB",
                    Limits::LEAST_MEMORY >> 20,
                    Limits::MOST_MEMORY >> 20
                )),
            ),
        }
    }
    if let Some(time) = written.time {
        if (Limits::LEAST_TIME..=Limits::MOST_TIME).contains(&time) {
            limits.prepare_time = time;
            limits.configure_time = limits.configure_time.min(time);
        } else {
            report.push(
                Diagnostic::error(
                    written.origin.span_of("time"),
                    "a component can't compute for that long, or that short",
                )
                .help(format!(
                    "give it from {} to {} seconds; waiting for downloads does not count",
                    Limits::LEAST_TIME.as_secs(),
                    Limits::MOST_TIME.as_secs()
                )),
            );
        }
    }
    limits
}
