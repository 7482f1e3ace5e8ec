//! From a `provisioner` block to options that can be run: evaluated, overridden for the source,
//! interpolated, decoded and checked.

use std::path::Path;
use std::time::Duration;

use lvhost_config::{PROVISIONER_TYPES, Setting};
use lvhost_hcl::{Attribute, Body, Diagnostic, Diagnostics, Provisioner, Source, Value, ValueKind};
use secrecy::SecretString;

use super::interpolate::{Names, RenderedText, render};
use super::{environment, file, script, shell, shell_local};
use crate::error::ProvisionError;
use crate::go_template::{Functions, has_braces};
use crate::secrets::secrets_in;

/// Options whose `{{ … }}` are for later, when the script's path is known.
const INTERPOLATED_LATER: &[&str] = &["execute_command"];

/// A provisioner that is ready to run.
pub(super) struct Prepared {
    pub(super) options: lvhost_config::Provisioner,
    pub(super) pause_before: Duration,
    pub(super) timeout: Option<Duration>,
    pub(super) max_retries: u32,
    /// What is marked as sensitive in the options.
    pub(super) secrets: Vec<SecretString>,
}

/// Makes a provisioner ready for `source`. `None` when there is no telling what it is to do; the
/// options may be wrong in other ways as well when there are errors in `report`.
pub(super) fn prepare(
    block: &Provisioner,
    source: &Source,
    functions: &Functions,
    build: &Value,
    folder: &Path,
    report: &mut Diagnostics,
) -> Option<Prepared> {
    let pause_before = common("pause_before", block.pause_before.as_ref(), report);
    let timeout: Option<Duration> = common("timeout", block.timeout.as_ref(), report);
    let max_retries = common("max_retries", block.max_retries.as_ref(), report);
    continues_on_error(block, report);
    let mut body = match block.evaluate(build, &source.to_value()) {
        Ok(body) => body,
        Err(errors) => {
            report.extend(errors);
            return None;
        }
    };
    if let Some(overrides) = &block.overrides {
        apply(overrides, source, &mut body, report);
    }
    let secrets = body
        .attributes
        .values()
        .flat_map(|option| secrets_in(&option.value))
        .collect();
    // What other provisioners do with braces is theirs; that they are not supported is said below.
    if PROVISIONER_TYPES.contains(&block.type_name.as_str()) {
        interpolate(&mut body, functions, build, report);
    }
    let options = lvhost_config::Provisioner::decode(&block.type_name, &body, report)?;
    let names = |fields| Names {
        fields,
        build,
        functions: Some(functions),
    };
    match &options {
        lvhost_config::Provisioner::Shell(shell) => {
            let (pairs, named) = (&shell.environment_vars, &shell.env);
            let format = shell.env_var_format.as_deref();
            environment::check(pairs, named, format, &shell.origin, report);
            script::check(
                shell.script.as_ref(),
                &shell.scripts,
                folder,
                &shell.origin,
                report,
            );
            shell::check(shell, names(shell::EXAMPLE), report);
        }
        lvhost_config::Provisioner::ShellLocal(shell) => {
            let (pairs, named) = (&shell.environment_vars, &shell.env);
            environment::check(pairs, named, None, &shell.origin, report);
            script::check(
                shell.script.as_ref(),
                &shell.scripts,
                folder,
                &shell.origin,
                report,
            );
            shell_local::check(shell, names(shell_local::EXAMPLE), report);
        }
        lvhost_config::Provisioner::File(file) => file::check(file, folder, report),
        lvhost_config::Provisioner::Breakpoint(_) => {}
    }
    Some(Prepared {
        options,
        pause_before: pause_before.unwrap_or_default(),
        timeout: timeout.filter(|timeout| !timeout.is_zero()),
        max_retries: max_retries.unwrap_or_default(),
        secrets,
    })
}

/// Whether the build goes on when this provisioner has failed.
pub(super) fn continues_on_error(block: &Provisioner, report: &mut Diagnostics) -> bool {
    common(
        "continue_on_error",
        block.continue_on_error.as_ref(),
        report,
    )
    .unwrap_or_default()
}

/// Decodes an option that every provisioner has.
fn common<T: Setting>(
    name: &str,
    attribute: Option<&Attribute>,
    report: &mut Diagnostics,
) -> Option<T> {
    let attribute = attribute.filter(|attribute| attribute.value.is_wholly_known())?;
    T::decode(&attribute.value)
        .map_err(|mismatch| {
            report.push(Diagnostic::error(
                attribute.element_span(&mismatch.path),
                format!("`{name}{}`: {}", mismatch.path, mismatch.message),
            ));
        })
        .ok()
}

/// Puts the options that `overrides` has for `source` over those of the block.
fn apply(overrides: &Attribute, source: &Source, body: &mut Body, report: &mut Diagnostics) {
    if overrides.value.is_unknown() {
        return;
    }
    let Some(by_source) = overrides.value.as_object() else {
        report.push(
            Diagnostic::error(overrides.value_span, "`override` must be an object")
                .help("write `override = { source_name = { option = … } }`"),
        );
        return;
    };
    let address = source.address();
    let names = [source.name.as_str(), address.as_str()];
    let found = names
        .into_iter()
        .find_map(|name| by_source.get_key_value(name));
    let Some((name, value)) = found.filter(|(_, value)| !value.is_null() && !value.is_unknown())
    else {
        return;
    };
    let Some(options) = value.as_object() else {
        report.push(Diagnostic::error(
            overrides.element_span(&format!(".{name}")),
            format!("`override.{name}` must be an object of options"),
        ));
        return;
    };
    for (option, value) in options {
        let span = overrides.element_span(&format!(".{name}.{option}"));
        body.attributes
            .insert(option.clone(), Attribute::new(span, value.clone(), span));
    }
}

/// Replaces `{{ … }}` in every option.
fn interpolate(body: &mut Body, functions: &Functions, build: &Value, report: &mut Diagnostics) {
    let names = Names {
        fields: &[],
        build,
        functions: Some(functions),
    };
    for (name, attribute) in &mut body.attributes {
        if INTERPOLATED_LATER.contains(&name.as_str()) || !has_braces(&attribute.value) {
            continue;
        }
        let mut walk = Walk {
            name,
            attribute,
            names,
            report: &mut *report,
        };
        let value = walk.value(&attribute.value, String::new());
        attribute.value = value;
    }
}

/// The way through one option's value.
struct Walk<'a> {
    name: &'a str,
    attribute: &'a Attribute,
    names: Names<'a>,
    report: &'a mut Diagnostics,
}

impl Walk<'_> {
    fn value(&mut self, value: &Value, path: String) -> Value {
        let new = match value.kind() {
            ValueKind::String(text) => match render(text, &self.names) {
                Ok(RenderedText::Text {
                    text,
                    sensitive: true,
                }) => Value::string(text).sensitive(),
                Ok(RenderedText::Text {
                    text,
                    sensitive: false,
                }) => Value::string(text),
                Ok(RenderedText::Unknown) => Value::UNKNOWN,
                Err(error) => {
                    let span = self.attribute.element_span(&path);
                    let option = format!("`{}{path}`", self.name);
                    let diagnostic = Diagnostic::error(span, format!("{option}: {error}"));
                    self.report.push(match error.help {
                        Some(help) => diagnostic.help(help),
                        None => diagnostic,
                    });
                    Value::UNKNOWN
                }
            },
            ValueKind::List(elements) => Value::list(
                elements
                    .iter()
                    .enumerate()
                    .map(|(index, element)| self.value(element, format!("{path}[{index}]")))
                    .collect::<Vec<_>>(),
            ),
            ValueKind::Object(entries) => Value::object(
                entries
                    .iter()
                    .map(|(key, entry)| (key, self.value(entry, format!("{path}.{key}"))))
                    .collect::<Vec<_>>(),
            ),
            _ => return value.clone(),
        };
        if value.is_marked() {
            new.sensitive()
        } else {
            new
        }
    }
}

/// Reports what is wrong with a template that is rendered later, with `names` as they will be.
pub(super) fn check_later(
    option: &'static str,
    template: &str,
    names: &Names<'_>,
    origin: &lvhost_config::Origin,
    report: &mut Diagnostics,
) {
    if origin.is_unknown(option) {
        return;
    }
    if let Err(error) = render(template, names) {
        let diagnostic = Diagnostic::error(origin.span_of(option), format!("`{option}`: {error}"));
        report.push(match error.help {
            Some(help) => diagnostic.help(help),
            None => diagnostic,
        });
    }
}

/// Renders such a template.
pub(super) fn render_later(
    option: &'static str,
    template: &str,
    names: &Names<'_>,
) -> Result<String, ProvisionError> {
    let refuse = |message| ProvisionError::Interpolation { option, message };
    match render(template, names) {
        Ok(RenderedText::Text { text, .. }) => Ok(text),
        Ok(RenderedText::Unknown) => {
            Err(refuse("it depends on something that is not known".into()))
        }
        Err(error) => Err(refuse(error.message)),
    }
}
