//! The environment variables a provisioner gives to its scripts.

use std::collections::BTreeMap;

use lvhost_hcl::{Diagnostic, Diagnostics, Source, Value};

/// How a variable is put before a command.
pub(super) const ASSIGNMENT: &str = "%s='%s' ";

/// How a variable is written into a file that is sourced.
const EXPORT: &str = "export %s='%s'\n";

/// What the object behind `build.` knows, by the names that Packer gives it for scripts. What there is not has no
/// variable.
const OF_BUILD: [(&str, &str); 3] = [
    ("PACKER_HTTP_ADDR", "PackerHTTPAddr"),
    ("PACKER_HTTP_IP", "PackerHTTPIP"),
    ("PACKER_HTTP_PORT", "PackerHTTPPort"),
];

/// What scripts on this machine have beside that: with Packer it is in the environment that they inherit.
const OF_BUILD_HERE: [(&str, &str); 1] = [("PACKER_RUN_UUID", "PackerRunUUID")];

/// Variables by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Environment(BTreeMap<String, String>);

impl Environment {
    /// What Packer tells every script, and what the template adds: `pairs` are `NAME=value`.
    pub(super) fn new(
        source: &Source,
        build: &Value,
        pairs: &[String],
        named: &BTreeMap<String, String>,
    ) -> Self {
        let mut variables = BTreeMap::from([
            ("PACKER_BUILD_NAME".to_string(), source.name.clone()),
            ("PACKER_BUILDER_TYPE".to_string(), source.type_name.clone()),
        ]);
        variables.extend(known(build, &OF_BUILD));
        variables.extend(written(pairs, named));
        Self(variables)
    }

    /// The same for a script on this machine.
    pub(super) fn here(
        source: &Source,
        build: &Value,
        pairs: &[String],
        named: &BTreeMap<String, String>,
    ) -> Self {
        let Self(all) = Self::new(source, build, pairs, named);
        let mut variables: BTreeMap<_, _> = known(build, &OF_BUILD_HERE).collect();
        variables.extend(all);
        Self(variables)
    }

    /// What the template adds, and nothing else.
    pub(super) fn of_template(pairs: &[String], named: &BTreeMap<String, String>) -> Self {
        Self(written(pairs, named).collect())
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// By name.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&String, &String)> {
        self.0.iter()
    }

    /// `NAME='value' ` for each, to stand before a command.
    pub(super) fn assignments(&self, format: Option<&str>) -> String {
        self.written(format.unwrap_or(ASSIGNMENT))
    }

    /// A script that exports each.
    pub(super) fn exports(&self, format: Option<&str>) -> String {
        self.written(format.unwrap_or(EXPORT))
    }

    fn written(&self, format: &str) -> String {
        self.0
            .iter()
            .map(|(name, value)| write(format, name, &inside_quotes(value)))
            .collect()
    }
}

/// Of these variables, those that the object behind `build.` has something for.
fn known<'a>(
    build: &'a Value,
    names: &'a [(&str, &str)],
) -> impl Iterator<Item = (String, String)> + 'a {
    let attributes = build.as_object();
    names.iter().filter_map(move |(variable, attribute)| {
        let text = attributes?.get(*attribute)?.to_text()?;
        (!text.is_empty()).then(|| ((*variable).to_owned(), text))
    })
}

/// The template's variables; those by name come last and win.
fn written<'a>(
    pairs: &'a [String],
    named: &'a BTreeMap<String, String>,
) -> impl Iterator<Item = (String, String)> + 'a {
    let pairs = pairs.iter().filter_map(|pair| pair.split_once('='));
    let named = named
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    pairs
        .chain(named)
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
}

/// `value` as it has to stand between single quotes.
fn inside_quotes(value: &str) -> String {
    value.replace('\'', r#"'"'"'"#)
}

/// `text` as one word of a POSIX shell; as it is where nothing in it needs quoting.
pub(super) fn word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_string()
    } else {
        format!("'{}'", inside_quotes(text))
    }
}

/// `path`, one of the guest's, as one word of its POSIX shell: `~` at its beginning stands for a home, as it does when
/// the file is uploaded, and neither is it taken for an option nor looked for on `PATH`.
pub(super) fn path_word(path: &str) -> String {
    let is_user = |name: &str| {
        name.chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    };
    let home = path
        .split_once('/')
        .filter(|(home, _)| home.strip_prefix('~').is_some_and(is_user));
    match home {
        Some((home, "")) => format!("{home}/"),
        Some((home, rest)) => format!("{home}/{}", word(rest)),
        None if path.starts_with('-') || !path.contains('/') => word(&format!("./{path}")),
        None => word(path),
    }
}

/// Puts `name` and `value` where `format` has its first and second `%s`.
fn write(format: &str, name: &str, value: &str) -> String {
    let mut values = [name, value].into_iter();
    let mut output = String::with_capacity(format.len() + name.len() + value.len());
    let mut rest = format;
    while let Some((before, after)) = rest.split_once('%') {
        output.push_str(before);
        match after.strip_prefix('s') {
            Some(after) => {
                output.push_str(values.next().unwrap_or_default());
                rest = after;
            }
            None => {
                output.push('%');
                rest = after.strip_prefix('%').unwrap_or(after);
            }
        }
    }
    output.push_str(rest);
    output
}

/// Reports names that no shell accepts and a format that doesn't hold both name and value.
pub(super) fn check(
    pairs: &[String],
    named: &BTreeMap<String, String>,
    format: Option<&str>,
    origin: &lvhost_config::Origin,
    report: &mut Diagnostics,
) {
    let pairs = pairs.iter().filter_map(|pair| pair.split_once('='));
    let names = pairs
        .map(|(name, _)| ("environment_vars", name))
        .chain(named.keys().map(|name| ("env", name.as_str())));
    for (option, name) in names {
        if !is_name(name) {
            report.push(
                Diagnostic::error(
                    origin.span_of(option),
                    format!("`{option}`: `{name}` can't be the name of an environment variable"),
                )
                .help(
                    "a name has letters, digits and underscores, and does not begin with a digit",
                ),
            );
        }
    }
    if let Some(format) = format {
        let unescaped = format.replace("%%", "");
        if unescaped.matches("%s").count() != 2 || unescaped.matches('%').count() != 2 {
            report.push(
                Diagnostic::error(
                    origin.span_of("env_var_format"),
                    "`env_var_format` needs `%s` twice: for the name and for the value",
                )
                .help("such as \"export %s='%s'\\n\"; a per cent sign is `%%`"),
            );
        }
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_filled_in() {
        for (format, expected) in [
            (ASSIGNMENT, "A='b' "),
            (EXPORT, "export A='b'\n"),
            ("set %s=%s\n", "set A=b\n"),
            ("100%% %s %s", "100% A b"),
        ] {
            assert_eq!(write(format, "A", "b"), expected, "{format}");
        }
    }

    #[test]
    fn words_are_quoted_where_they_must_be() {
        for (text, expected) in [
            ("/tmp/script_1.sh", "/tmp/script_1.sh"),
            ("", "''"),
            ("a b", "'a b'"),
            ("it's", r#"'it'"'"'s'"#),
            ("$(reboot)", "'$(reboot)'"),
        ] {
            assert_eq!(word(text), expected);
        }
    }

    #[test]
    fn paths_are_words_that_lead_where_the_upload_went() {
        for (path, expected) in [
            ("/tmp/script_1.sh", "/tmp/script_1.sh"),
            ("/tmp/a b/s", "'/tmp/a b/s'"),
            ("~/s", "~/s"),
            ("~/a b/s", "~/'a b/s'"),
            ("~demo/s", "~demo/s"),
            ("~$x/s", "'~$x/s'"),
            ("s", "./s"),
            ("~", "'./~'"),
            ("a b", "'./a b'"),
            ("-x/s", "./-x/s"),
            ("a/s", "a/s"),
        ] {
            assert_eq!(path_word(path), expected);
        }
    }

    #[test]
    fn names_are_those_a_shell_accepts() {
        for (name, good) in [
            ("A", true),
            ("_a1", true),
            ("", false),
            ("1A", false),
            ("A-B", false),
            ("A B", false),
        ] {
            assert_eq!(is_name(name), good, "{name}");
        }
    }
}
