//! Files and paths. A leading `~` is the user's home. As in Packer, `file`, `fileexists`, `fileset` and
//! `templatefile` start from the template's folder, `abspath` and `filebase64` from the working directory.

use std::path::{Component, Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use globset::GlobBuilder;

use super::{Arguments, Function, FunctionError, Kind, Outcome, Parameter, parameter, strings};
use crate::budget::{Spent, VALUE};
use crate::environment::Environment;
use crate::evaluate::Context;
use crate::value::Value;

/// Work of opening a file, whatever is in it.
const FILE_ACCESS: u64 = 2_000;

/// Work for each file of a folder that is listed.
const LISTED_FILE: u64 = 200;

const PATH: &[Parameter] = &[parameter("path", Kind::String)];

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("abspath", PATH, |a| {
        let path = a.context.environment.working_directory().join(a.string(0));
        Ok(clean(&path).to_string_lossy().into_owned().into())
    }),
    Function::new("basename", PATH, |a| Ok(basename(a.string(0)).into())),
    Function::new("dirname", PATH, |a| Ok(dirname(a.string(0)).into())),
    Function::new("env", &[parameter("name", Kind::String)], |a| {
        if !a.context.env_allowed {
            return Err("it can only be used in the `default` of a variable".into());
        }
        // One that isn't set is empty.
        Ok(a.context
            .environment
            .variable(a.string(0))
            .unwrap_or_default()
            .into())
    }),
    Function::new("file", PATH, |a| {
        match read_text(a.context, Path::new(a.string(0))) {
            Ok(text) => Ok(text.into()),
            Err(problem) => Err(FunctionError::at(0, problem)),
        }
    }),
    Function::new("filebase64", PATH, filebase64),
    Function::new("fileexists", PATH, |a| {
        a.budget().charge(FILE_ACCESS, 0)?;
        let path = located(a.context, Path::new(a.string(0)))?;
        a.context
            .environment
            .file_exists(&path)
            .map(Value::from)
            .map_err(|error| FunctionError::at(0, format!("{}: {error}", path.display())))
    }),
    Function::new(
        "fileset",
        &[
            parameter("path", Kind::String),
            parameter("pattern", Kind::String),
        ],
        fileset,
    ),
    Function::new("pathexpand", PATH, |a| {
        let path = expanded(&*a.context.environment, Path::new(a.string(0)));
        Ok(path.to_string_lossy().into_owned().into())
    }),
];

/// Unlike the other functions, Packer's takes a `~` for the name of a file.
fn filebase64(arguments: &Arguments<'_>) -> Outcome {
    arguments.budget().charge(FILE_ACCESS, 0)?;
    let path = Path::new(arguments.string(0));
    let wrong = |problem| FunctionError::at(0, problem);
    if path.starts_with("~") {
        return Err(wrong(
            "write filebase64(pathexpand(\"~/…\")): it does not know `~`".to_owned(),
        ));
    }
    let bytes = arguments
        .context
        .environment
        .read_file(path)
        .map_err(|error| wrong(format!("can't read {}: {error}", path.display())))?;
    // Its size shows now; what is read in one go has a bound of its own.
    arguments.budget().charge_new_text(bytes.len() * 3)?;
    Ok(STANDARD.encode(bytes).into())
}

/// Content of a text file, for `file` and `templatefile`; the error names the file.
pub(crate) fn read_text(context: &Context, path: &Path) -> Result<String, String> {
    let spent = |Spent| "it takes too much".to_owned();
    let budget = &context.budget;
    budget.charge(FILE_ACCESS, 0).map_err(spent)?;
    // It is copied, taken apart, and put into what is said of it.
    let length = path.as_os_str().len();
    budget.charge_new_text(length * 8).map_err(spent)?;
    let path = located(context, path).map_err(spent)?;
    let bytes = context
        .environment
        .read_file(&path)
        .map_err(|error| format!("can't read {}: {error}", path.display()))?;
    // Its size shows now; what is read in one go has a bound of its own.
    budget.charge_new_text(bytes.len() * 2).map_err(spent)?;
    String::from_utf8(bytes)
        .map_err(|_| format!("{} is not a text file: it is not UTF-8", path.display()))
}

/// The path with the template's folder before it, if it is relative. One that begins with this folder,
/// because `${path.root}` stands in it, is left: Packer finds that only in templates that are named by an
/// absolute path, or from their own folder.
fn located(context: &Context, path: &Path) -> Result<PathBuf, Spent> {
    let path = expanded(&*context.environment, path);
    if path.is_absolute() || context.root.as_os_str() == "." {
        return Ok(path);
    }
    let length = context.root.as_os_str().len() + path.as_os_str().len();
    context.budget.charge_new_text(length * 2)?;
    let from_root = context.root.join(&path);
    if context.root.as_os_str().is_empty() || !path.starts_with(&context.root) {
        return Ok(from_root);
    }
    context.budget.charge(FILE_ACCESS, 0)?;
    // What is something else than a file, such as a folder, is an error.
    let is_there = context.environment.file_exists(&from_root).unwrap_or(true);
    Ok(if is_there { from_root } else { path })
}

/// The path with a leading `~` replaced.
fn expanded(environment: &dyn Environment, path: &Path) -> PathBuf {
    match (path.strip_prefix("~"), environment.home_directory()) {
        (Ok(rest), Some(home)) if rest.as_os_str().is_empty() => home,
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path.to_owned(),
    }
}

/// The path without `.`, `..` and doubled slashes, by its text alone.
fn clean(path: &Path) -> PathBuf {
    let mut cleaned = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => match cleaned.components().next_back() {
                Some(Component::Normal(_)) => {
                    cleaned.pop();
                }
                Some(Component::RootDir | Component::Prefix(_)) => {}
                _ => cleaned.push(".."),
            },
            component => cleaned.push(component),
        }
    }
    if cleaned.as_os_str().is_empty() {
        PathBuf::from(".")
    } else {
        cleaned
    }
}

fn basename(path: &str) -> String {
    if path.is_empty() {
        return ".".to_owned();
    }
    let trimmed = path.trim_end_matches('/');
    if trimmed.is_empty() {
        return "/".to_owned();
    }
    trimmed.rsplit('/').next().unwrap_or_default().to_owned()
}

fn dirname(path: &str) -> String {
    let folder = match path.rfind('/') {
        Some(slash) => &path[..=slash],
        None => "",
    };
    clean(Path::new(folder)).to_string_lossy().into_owned()
}

/// The longest pattern of names of files: as long as a path may be.
const MAX_FILE_PATTERN: usize = 4096;

/// Work of compiling a byte of one.
const FILE_PATTERN: u64 = 50;

fn fileset(arguments: &Arguments<'_>) -> Outcome {
    let environment = &*arguments.context.environment;
    let pattern = arguments.string(1);
    if pattern.len() > MAX_FILE_PATTERN {
        let message = format!("the pattern has more than {MAX_FILE_PATTERN} bytes");
        return Err(FunctionError::at(1, message));
    }
    arguments
        .budget()
        .charge(pattern.len() as u64 * FILE_PATTERN, 0)?;
    let matcher = GlobBuilder::new(pattern)
        .literal_separator(true)
        .build()
        .map_err(|error| FunctionError::at(1, format!("not a pattern: {}", error.kind())))?
        .compile_matcher();
    let folder = located(arguments.context, Path::new(arguments.string(0)))?;
    arguments.budget().charge(FILE_ACCESS, 0)?;
    let files = environment
        .list_files(&folder)
        .map_err(|error| FunctionError::at(0, format!("{}: {error}", folder.display())))?;
    let count = files.len() as u64;
    let names = files.iter().map(|name| name.len() as u64).sum::<u64>();
    arguments.budget().charge(
        count * LISTED_FILE + names * pattern.len() as u64 / 16,
        names + count * VALUE,
    )?;
    let mut matching: Vec<String> = files
        .into_iter()
        .filter(|file| matcher.is_match(file))
        .collect();
    matching.sort_unstable();
    matching.dedup();
    Ok(strings(matching))
}
