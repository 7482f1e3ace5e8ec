//! `{{ … }}` in options: the functions of Packer's that a builder can use, with its names for them.
//!
//! ```text
//! action  = command , { "|" , command } ;      the result of one is the last argument of the next
//! command = literal | function , { argument } ;
//! ```
//! Packer's own plugins render every text of a source, in templates of either language, so this one does
//! too. What it does not know is an error: braces that pass through would end up in a guest.

use std::collections::BTreeMap;

use lvhost_engine::go_template::{
    Action, InterpolationError, LITERAL_BRACES, Piece, Room, STATEMENTS, Token, parse,
};
use lvhost_hcl::{legacy_isotime, suggest};
use uuid::Uuid;

use super::request::Request;
use crate::surroundings::Surroundings;

/// What becomes of `{{ .Name }}` and of literals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fields {
    /// They are left for later, when what they stand for is known.
    Kept,
    /// `{{ .SSHPublicKey }}`, the key of the build, is left for later.
    PublicKey,
    /// There is nothing that a field could stand for.
    Refused,
}

/// The functions there are.
const FUNCTIONS: &[&str] = &[
    "build_name",
    "build_type",
    "isotime",
    "lower",
    "packer_version",
    "pwd",
    "replace",
    "replace_all",
    "split",
    "strftime",
    "template_dir",
    "timestamp",
    "upper",
    "user",
    "uuid",
];

/// Functions that Packer has elsewhere.
const ELSEWHERE: &[(&str, &str)] = &[
    ("aws_secretsmanager", VARIABLES_ONLY),
    ("aws_secretsmanager_raw", VARIABLES_ONLY),
    ("build", "nothing is known of the guest before it is built"),
    ("consul_key", VARIABLES_ONLY),
    ("env", VARIABLES_ONLY),
    ("vault", VARIABLES_ONLY),
];

const VARIABLES_ONLY: &str = "it works for the defaults of variables only; use a variable here";

/// What the functions need to know.
#[derive(Debug)]
pub(super) struct Interpolation {
    variables: BTreeMap<String, String>,
    build_name: String,
    build_type: String,
    packer_version: String,
    template_directory: Option<String>,
    working_directory: String,
    now: jiff::Timestamp,
    /// For all texts of the source.
    room: Room,
}

impl Interpolation {
    /// For one source.
    pub(super) fn new(request: &Request, surroundings: &Surroundings) -> Self {
        let directory = request.template_directory.as_ref();
        Self {
            variables: request.user_variables.clone(),
            build_name: request.build_name.clone(),
            build_type: request.builder_type.clone(),
            packer_version: request.packer_version.clone(),
            template_directory: directory.map(|path| path.to_string_lossy().into_owned()),
            working_directory: surroundings
                .working_directory
                .to_string_lossy()
                .into_owned(),
            now: lvhost_hcl::Environment::now(surroundings),
            room: Room::default(),
        }
    }

    /// Replaces the actions in `text`. A text without any comes back as it is.
    ///
    /// # Errors
    /// The first action that can't be replaced.
    pub(super) fn render(&self, text: &str, fields: Fields) -> Result<String, InterpolationError> {
        let mut output = String::with_capacity(text.len());
        for piece in parse(text)? {
            match piece {
                Piece::Text(text) => output.push_str(text),
                Piece::Action(action) if is_for_later(&action, fields) => {
                    output.push_str(action.text);
                }
                Piece::Action(action) => {
                    let text = self.evaluate(&action)?;
                    self.room.take(text.len())?;
                    output.push_str(&text);
                }
            }
        }
        Ok(output)
    }

    fn evaluate(&self, action: &Action<'_>) -> Result<String, InterpolationError> {
        // A comment.
        if action.tokens.is_empty() {
            return Ok(String::new());
        }
        let mut piped = None;
        for command in action.tokens.split(|token| *token == Token::Pipe) {
            piped = Some(self.command(command, piped)?);
        }
        Ok(piped.unwrap_or_default())
    }

    fn command(
        &self,
        tokens: &[Token<'_>],
        piped: Option<String>,
    ) -> Result<String, InterpolationError> {
        let (name, arguments) = match tokens {
            [Token::Literal(text)] if piped.is_none() => return Ok(text.clone()),
            [Token::Word(name), arguments @ ..] => (*name, arguments),
            _ => return Err(InterpolationError::new("a function is missing in {{ }}")),
        };
        // Rather than what is wrong with its arguments.
        if !FUNCTIONS.contains(&name) {
            return Err(refusal(name));
        }
        let mut texts = Vec::with_capacity(arguments.len() + 1);
        for argument in arguments {
            texts.push(match argument {
                Token::Literal(text) => text.clone(),
                Token::Word(word) if is_number(word) => (*word).to_owned(),
                // A function without arguments may be one itself.
                Token::Word(word) => self.call(word, &[])?,
                Token::Pipe => continue,
            });
        }
        texts.extend(piped);
        self.call(name, &texts)
    }

    fn call(&self, name: &str, arguments: &[String]) -> Result<String, InterpolationError> {
        let texts: Vec<&str> = arguments.iter().map(String::as_str).collect();
        self.room.take(made(name, &texts))?;
        Ok(match (name, texts.as_slice()) {
            // A variable that nobody has declared is empty, as Packer has it.
            ("user", [variable]) => self.variables.get(*variable).cloned().unwrap_or_default(),
            ("build_name", []) => self.build_name.clone(),
            ("build_type", []) => self.build_type.clone(),
            ("packer_version", []) => self.packer_version.clone(),
            ("pwd", []) => self.working_directory.clone(),
            ("template_dir", []) => match &self.template_directory {
                Some(directory) => directory.clone(),
                None => {
                    let error = "Packer does not tell the folder of a template in HCL";
                    return Err(InterpolationError::new(error).help("write ${path.root}"));
                }
            },
            ("timestamp", []) => self.now.as_second().to_string(),
            ("isotime", []) => legacy_isotime(self.now, None),
            ("isotime", [layout]) => legacy_isotime(self.now, Some(layout)),
            ("strftime", [format]) => {
                let now = self.now.to_zoned(jiff::tz::TimeZone::UTC);
                jiff::fmt::strtime::format(format, &now)
                    .map_err(|error| InterpolationError::new(format!("`strftime`: {error}")))?
            }
            ("uuid", []) => Uuid::new_v4().to_string(),
            ("lower", [text]) => text.to_lowercase(),
            ("upper", [text]) => text.to_uppercase(),
            ("replace_all", [old, new, text]) => text.replace(old, new),
            ("replace", [old, new, count, text]) => match count.parse::<i64>() {
                // Below zero: all of them, as in Go.
                Ok(count) => match usize::try_from(count) {
                    Ok(count) => text.replacen(old, new, count),
                    Err(_) => text.replace(old, new),
                },
                Err(_) => return Err(takes(name)),
            },
            ("split", [text, separator, index]) => {
                let part = index
                    .parse()
                    .ok()
                    .and_then(|index| text.split(separator).nth(index));
                match part {
                    Some(part) => part.to_owned(),
                    None => {
                        return Err(InterpolationError::new(format!(
                            "`split` finds no part {index} of `{text}` between `{separator}`"
                        )));
                    }
                }
            }
            _ => return Err(refusal(name)),
        })
    }
}

/// Bytes that a function makes at most of these arguments.
fn made(name: &str, arguments: &[&str]) -> usize {
    let (old, new, most, text) = match (name, arguments) {
        ("replace_all", [old, new, text]) => (old, new, usize::MAX, text),
        ("replace", [old, new, count, text]) => {
            (old, new, count.parse().unwrap_or(usize::MAX), text)
        }
        // No letter is longer than three times its other case.
        ("lower" | "upper", [text]) => return text.len().saturating_mul(3),
        _ => return arguments.iter().map(|text| text.len()).sum(),
    };
    let count = text.matches(old).take(most).count();
    let added = new.len().saturating_sub(old.len());
    text.len().saturating_add(count.saturating_mul(added))
}

/// Whether the build replaces the action. Where it reads a text once more, that goes for literals too.
fn is_for_later(action: &Action<'_>, fields: Fields) -> bool {
    match (fields, action.tokens.as_slice()) {
        (Fields::Refused, _) => false,
        (Fields::PublicKey, tokens) => tokens.first() == Some(&Token::Word(".SSHPublicKey")),
        (Fields::Kept, [Token::Literal(_)]) => true,
        (Fields::Kept, [Token::Word(word), ..]) => word.starts_with('.'),
        (Fields::Kept, _) => false,
    }
}

fn is_number(word: &str) -> bool {
    word.parse::<i64>().is_ok()
}

fn takes(name: &str) -> InterpolationError {
    let arguments = match name {
        "replace" => {
            "`replace` takes what to replace, by what, how often (-1: always), and the text"
        }
        "replace_all" => "`replace_all` takes what to replace, by what, and the text",
        "split" => "`split` takes a text, what separates its parts, and the number of the part",
        "isotime" => "`isotime` takes one layout in quotes, or none",
        "strftime" => "`strftime` takes one format in quotes",
        "user" => "`user` takes the name of one variable in quotes",
        "lower" | "upper" => "`lower` and `upper` take one text",
        _ => "it takes no arguments",
    };
    InterpolationError::new(format!("`{name}` in {{{{ }}}}: {arguments}"))
}

fn refusal(name: &str) -> InterpolationError {
    if FUNCTIONS.contains(&name) {
        return takes(name);
    }
    if name.starts_with('.') {
        let error = format!("there is nothing that {{{{ {name} }}}} could stand for here");
        return InterpolationError::new(error).help(LITERAL_BRACES);
    }
    if STATEMENTS.contains(&name) {
        return InterpolationError::new(format!("{{{{ {name} … }}}} is not supported"))
            .help(LITERAL_BRACES);
    }
    if let Some((_, why)) = ELSEWHERE.iter().find(|(other, _)| *other == name) {
        let error = format!("the function `{name}` of {{{{ }}}} can't be used here");
        return InterpolationError::new(error).help(*why);
    }
    let error = InterpolationError::new(format!(
        "there is no function `{name}` in {{{{ }}}}; there are: {}",
        FUNCTIONS.join(", ")
    ));
    match suggest(name, FUNCTIONS.iter().copied()) {
        Some(close) => error.help(format!("did you mean `{close}`?")),
        None => error.help(LITERAL_BRACES),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interpolation() -> Interpolation {
        Interpolation {
            variables: BTreeMap::from([("name".to_owned(), "Web".to_owned())]),
            build_name: "example-one".to_owned(),
            build_type: "libvirt".to_owned(),
            packer_version: "1.16.0".to_owned(),
            template_directory: None,
            working_directory: "/work".to_owned(),
            now: "2026-01-31T12:34:56Z".parse().unwrap(),
            room: Room::default(),
        }
    }

    #[test]
    fn functions_have_packers_meaning() {
        for (text, expected) in [
            ("no braces } {", "no braces } {"),
            ("{{user `name`}}-{{ user \"missing\" }}", "Web-"),
            ("{{ build_name }} {{build_type}}", "example-one libvirt"),
            ("{{packer_version}} {{pwd}}", "1.16.0 /work"),
            ("{{timestamp}}", "1769862896"),
            ("{{isotime}}", "2026-01-31T12:34:56Z"),
            ("{{isotime \"20060102-150405\"}}", "20260131-123456"),
            ("{{strftime \"%Y/%m\"}}", "2026/01"),
            ("{{ upper `a` }}{{ `B` | lower }}", "Ab"),
            ("{{ user `name` | lower | upper }}", "WEB"),
            ("{{ split build_name `-` 1 }}", "one"),
            ("{{ replace `e` `E` 1 build_name }}", "Example-one"),
            ("{{ build_name | replace `e` `E` -1 }}", "ExamplE-onE"),
            ("{{ replace_all `e` `` build_name }}", "xampl-on"),
            ("{{`{{ ds.meta_data }}`}}", "{{ ds.meta_data }}"),
            ("a {{- /* nothing */ -}} b", "ab"),
        ] {
            let rendered = interpolation().render(text, Fields::Refused);
            assert_eq!(rendered.as_deref(), Ok(expected), "{text}");
        }
        let uuid = interpolation().render("{{uuid}}", Fields::Refused).unwrap();
        assert!(uuid.parse::<Uuid>().is_ok(), "{uuid}");
    }

    #[test]
    fn what_actions_make_is_bounded_in_sum() {
        let stage = " | replace_all `x` `xxxxxxxxxxxxxxxx`";
        let grown = format!("{{{{ `x`{} }}}}", stage.repeat(40));
        let nothing = format!(
            "{{{{ `{}`{} }}}}",
            "y".repeat(1000),
            " | replace `` `yyyyyyyy` -1".repeat(40)
        );
        let mut large = interpolation();
        large.variables.insert("large".into(), "z".repeat(1 << 20));
        let repeated = "{{ user `large` }}".repeat(100_000);
        for text in [grown, nothing, repeated] {
            let error = large.render(&text, Fields::Refused).unwrap_err();
            assert!(error.message.contains("get too long"), "{error}");
            large.room = Room::default();
        }
        // In sum, over the texts of a source.
        let once = "{{ user `large` }}".repeat(20);
        assert!(large.render(&once, Fields::Refused).is_ok());
        assert!((0..5).any(|_| large.render(&once, Fields::Refused).is_err()));
    }

    #[test]
    fn fields_are_left_for_those_who_know_them() {
        let text = "<tab> http://{{ .HTTPIP }}:{{.HTTPPort}}/{{user `name`}} {{`{{`}}";
        let rendered = interpolation().render(text, Fields::Kept);
        assert_eq!(
            rendered.as_deref(),
            Ok("<tab> http://{{ .HTTPIP }}:{{.HTTPPort}}/Web {{`{{`}}")
        );
        let text = "{{ .SSHPublicKey }} {{.SSHPublicKey | urlquery}} {{`{{`}} {{user `name`}}";
        let rendered = interpolation().render(text, Fields::PublicKey);
        let expected = "{{ .SSHPublicKey }} {{.SSHPublicKey | urlquery}} {{ Web";
        assert_eq!(rendered.as_deref(), Ok(expected));
    }

    #[test]
    fn what_is_not_known_is_refused_with_advice() {
        for (text, message, help) in [
            ("{{ .HTTPIP }}", "nothing that {{ .HTTPIP }}", "literal"),
            (
                "{{ ds.meta_data }}",
                "no function `ds.meta_data`",
                "literal",
            ),
            ("{{ isotme }}", "no function `isotme`", "`isotime`"),
            ("{{ env `HOME` }}", "`env`", "variable"),
            ("{{ build `ID` }}", "`build`", "guest"),
            ("{{ if true }}x{{ end }}", "{{ if … }}", "literal"),
            ("{{ user }}", "takes the name", ""),
            ("{{ split `a-b` `-` 7 }}", "no part 7", ""),
            ("{{ template_dir }}", "folder", "path.root"),
            ("{{ user `a`", "no }}", "literal"),
            ("{{ | upper }}", "function is missing", ""),
        ] {
            let error = interpolation().render(text, Fields::Refused).unwrap_err();
            assert!(error.message.contains(message), "{text}: {error}");
            let advice = error.help.unwrap_or_default();
            assert!(advice.contains(help), "{text}: {advice}");
        }
    }
}
