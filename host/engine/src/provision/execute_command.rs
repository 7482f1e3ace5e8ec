//! An `execute_command` that can be rendered, and by which a script still would not run, or without its variables:
//! the script is not in it, or quotes around `{{ .Vars }}` end where those of a value begin.

use lvhost_config::Origin;
use lvhost_hcl::{Diagnostic, Diagnostics};

use crate::go_template::{Piece, Token, parse};

const OPTION: &str = "execute_command";

/// Whether a template has one of these names, as `.Path`.
pub(super) fn names_one_of(template: &str, names: &[&str]) -> bool {
    parse(template).is_ok_and(|pieces| {
        pieces.iter().any(|piece| match piece {
            Piece::Action(action) => action
                .tokens
                .iter()
                .any(|token| matches!(token, Token::Word(word) if names.contains(word))),
            Piece::Text(_) => false,
        })
    })
}

/// Says that nothing in the command runs the script, `what` being the name that is missed.
pub(super) fn script_is_missing(what: &str, origin: &Origin, report: &mut Diagnostics) {
    report.push(
        Diagnostic::warning(
            origin.span_of(OPTION),
            format!("the script never runs: `{OPTION}` has no `{{{{ {what} }}}}`"),
        )
        .detail("the command ends with success whatever stands in the script")
        .help(format!(
            "write `{{{{ {what} }}}}` where the path of the script belongs"
        )),
    );
}

/// Says that variables of the template reach no script, `what` being the name that is missed.
pub(super) fn variables_are_missing(what: &str, origin: &Origin, report: &mut Diagnostics) {
    report.push(
        Diagnostic::warning(
            origin.span_of(OPTION),
            format!("the script gets no variables: `{OPTION}` has no `{{{{ {what} }}}}`"),
        )
        .help(format!(
            "write `{{{{ {what} }}}}` before the path of the script"
        )),
    );
}

/// The quotes that a place in a command stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quotes {
    None,
    Single,
    Double,
}

impl Quotes {
    /// What a POSIX shell is in after `text`.
    fn after(self, text: &str) -> Self {
        let mut now = self;
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            now = match (now, character) {
                (Self::None | Self::Double, '\\') => {
                    characters.next();
                    now
                }
                (Self::None, '\'') => Self::Single,
                (Self::None, '"') => Self::Double,
                (Self::Single, '\'') | (Self::Double, '"') => Self::None,
                _ => now,
            };
        }
        now
    }

    /// Those that `format` puts the value into.
    fn of_value(format: &str) -> Self {
        let before = format.rsplit_once("%s").map_or("", |(before, _)| before);
        Self::None.after(before)
    }
}

/// Warns of variables whose values the shell takes apart, because the command has quotes around `{{ .Vars }}` and
/// `format` has the same around a value, or none.
pub(super) fn check_quotes<'a>(
    template: &str,
    format: &str,
    variables: impl Iterator<Item = (&'a String, &'a String)>,
    origin: &Origin,
    report: &mut Diagnostics,
) {
    let Some(around) = quotes_around_variables(template) else {
        return;
    };
    let inside = Quotes::of_value(format);
    let broken: Vec<&str> = variables
        .filter(|(_, value)| is_taken_apart(value, around, inside))
        .map(|(name, _)| name.as_str())
        .collect();
    let Some(first) = broken.first() else { return };
    let (option, help) = match around {
        Quotes::None => (
            "env_var_format",
            "write quotes into it: `%s='%s' `".to_owned(),
        ),
        Quotes::Single | Quotes::Double => (
            OPTION,
            "take the quotes around `{{ .Vars }}` away, as in `{{ .Vars }} sudo -E {{ .Path }}`, or set \
             `use_env_var_file = true` and write `. {{ .EnvVarFile }} && {{ .Path }}` instead"
                .to_owned(),
        ),
    };
    report.push(
        Diagnostic::warning(
            origin.span_of(option),
            format!("the script may never run: the quotes around `{first}` are lost"),
        )
        .detail(match around {
            Quotes::None => "the shell takes the value apart, and runs a part of it".to_owned(),
            Quotes::Single | Quotes::Double => format!(
                "those around `{{{{ .Vars }}}}` end where those of the value begin, so that the shell takes \
                 the value of {} apart, and runs a part of it",
                list(&broken)
            ),
        })
        .help(help),
    );
}

fn list(names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

fn quotes_around_variables(template: &str) -> Option<Quotes> {
    let mut quotes = Quotes::None;
    for piece in parse(template).ok()? {
        match piece {
            Piece::Text(text) => quotes = quotes.after(text),
            Piece::Action(action) if action.tokens == [Token::Word(".Vars")] => {
                return Some(quotes);
            }
            // Paths and names have no quotes.
            Piece::Action(_) => {}
        }
    }
    None
}

/// Whether a value does not come out as it is, between these quotes within those.
fn is_taken_apart(value: &str, around: Quotes, inside: Quotes) -> bool {
    let is_plain = |c: char| c.is_alphanumeric() || "-_./:=@%+,".contains(c);
    match (around, inside) {
        // Quoted once, by whoever wrote the value.
        (Quotes::None, Quotes::Single) => false,
        (Quotes::None, Quotes::Double) => value.contains(['"', '$', '`', '\\']),
        (Quotes::Double, Quotes::Single) => value.contains(['"', '$', '`', '\\', '\'']),
        (Quotes::Single, Quotes::Double) => value.contains(['"', '$', '`', '\\', '\'']),
        (_, Quotes::None) | (Quotes::Single, Quotes::Single) | (Quotes::Double, Quotes::Double) => {
            !value.chars().all(is_plain)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a POSIX shell makes of a command whose script prints a variable.
    fn printed(template: &str, format: &str, value: &str) -> Option<String> {
        let quoted = value.replace('\'', r#"'"'"'"#);
        let assignment = format.replacen("%s", "P", 1).replacen("%s", &quoted, 1);
        let command = template.replace("{{ .Vars }}", &assignment);
        let folder = tempfile::tempdir().ok()?;
        let script = folder.path().join("script.sh");
        std::fs::write(&script, "printf %s \"$P\"\n").ok()?;
        let path = format!("sh {}", script.display());
        let output = std::process::Command::new("sh")
            .args(["-c", &command.replace("{{ .Path }}", &path)])
            .env_remove("P")
            .output()
            .ok()?;
        String::from_utf8(output.stdout).ok()
    }

    #[test]
    fn whatever_a_shell_takes_apart_is_warned_of() {
        let templates = [
            "{{ .Vars }} {{ .Path }}",
            "sh -c '{{ .Vars }} {{ .Path }}'",
            "sh -c \"{{ .Vars }} {{ .Path }}\"",
            "true '{' \\' && sh -c '{{ .Vars }} {{ .Path }}'",
        ];
        let values = [
            "plain-1.0/x",
            "two words",
            "a;b",
            "a$HOME",
            "it's",
            "a`true`b",
            "say \"x\"",
            "a\\b",
            "*",
            "a&b",
        ];
        for template in templates {
            for format in ["%s='%s' ", "%s=\"%s\" ", "%s=%s "] {
                for value in values {
                    let around = quotes_around_variables(template).unwrap();
                    let broken = is_taken_apart(value, around, Quotes::of_value(format));
                    let came = printed(template, format, value);
                    // A quote in a value is written for single quotes, whatever the format is.
                    if came.as_deref() != Some(value) {
                        let excused = value == "it's" && around == Quotes::None;
                        assert!(broken || excused, "{template} {format} {value}: {came:?}");
                    }
                }
            }
        }
        // What comes through is not complained about.
        for (template, value) in [
            (templates[0], "two words"),
            (templates[1], "plain-1.0/x"),
            (templates[2], "two words"),
        ] {
            let around = quotes_around_variables(template).unwrap();
            assert!(!is_taken_apart(value, around, Quotes::Single), "{template}");
            assert_eq!(printed(template, "%s='%s' ", value).as_deref(), Some(value));
        }
    }

    #[test]
    fn names_are_found_where_they_stand() {
        for (template, expected) in [
            ("{{.Path}}", true),
            ("sudo {{- .Path -}} x", true),
            ("{{ .Vars }}", false),
            ("{{`{{ .Path }}`}}", false),
            ("/tmp/.Path", false),
        ] {
            assert_eq!(names_one_of(template, &[".Path"]), expected, "{template}");
        }
    }
}
