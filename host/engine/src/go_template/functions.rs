//! The functions of Packer's that texts of a template can call: `` {{ isotime "2006" }} ``.
//!
//! ```text
//! action  = command , { "|" , command } ;      the result of one is the last argument of the next
//! command = literal | function , { argument } ;
//! ```
//! They mean the same in the options of a source and in those of provisioners, whoever has read the
//! template. What is not known is an error: braces that pass through would end up in a guest.

use std::collections::BTreeMap;
use std::fmt;

use lvhost_hcl::{TIMES_FORMAT, legacy_isotime, legacy_strftime, lower, suggest, upper};
use uuid::Uuid;

use super::{Action, InterpolationError, LITERAL_BRACES, Room, STATEMENTS, Token};

/// The functions there are.
pub(crate) const FUNCTIONS: &[&str] = &[
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
    ("clean_resource_name", "write ${regex_replace(…)}"),
    ("consul_key", VARIABLES_ONLY),
    ("env", VARIABLES_ONLY),
    ("sed", "use `replace` or `replace_all`"),
    ("vault", VARIABLES_ONLY),
];

const VARIABLES_ONLY: &str = "it works for the defaults of variables only; use a variable here";

/// What the functions tell of a build.
#[derive(Clone, Default)]
pub struct BuildFacts {
    /// The name of the source.
    pub build_name: String,
    /// What the template calls the builder.
    pub build_type: String,
    /// The version of Packer, or the one to be taken for.
    pub packer_version: String,
    /// The folder that the program was called in.
    pub working_directory: String,
    /// When the program was started.
    pub now: jiff::Timestamp,
    /// What only a template in JSON has.
    pub json: Option<JsonFacts>,
}

/// What only templates in JSON have; those in HCL have expressions for it.
#[derive(Clone, Default)]
pub struct JsonFacts {
    /// The variables of the template.
    pub variables: BTreeMap<String, String>,
    /// The folder of the template.
    pub directory: Option<String>,
}

/// The functions, for the texts of one source.
pub struct Functions {
    facts: BuildFacts,
    /// For all texts of the source.
    room: Room,
}

impl fmt::Debug for Functions {
    /// Without variables, which may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Functions")
            .field("build_name", &self.facts.build_name)
            .finish_non_exhaustive()
    }
}

impl Functions {
    /// Of a build.
    pub fn new(facts: BuildFacts) -> Self {
        Self {
            facts,
            room: Room::default(),
        }
    }

    /// What stands in the place of an action.
    ///
    /// # Errors
    /// It can't be evaluated, or the texts of the source get too long.
    pub fn evaluate(&self, action: &Action<'_>) -> Result<String, InterpolationError> {
        // A comment.
        if action.tokens.is_empty() {
            return Ok(String::new());
        }
        let mut piped = None;
        for command in action.tokens.split(|token| *token == Token::Pipe) {
            piped = Some(self.command(command, piped)?);
        }
        let text = piped.unwrap_or_default();
        self.room.take(text.len())?;
        Ok(text)
    }

    fn command(
        &self,
        tokens: &[Token<'_>],
        piped: Option<String>,
    ) -> Result<String, InterpolationError> {
        let (name, arguments) = match tokens {
            [Token::Literal(text)] if piped.is_none() => return Ok(text.clone()),
            [Token::Literal(_), ..] => {
                return Err(InterpolationError::new(
                    "there may be nothing behind the text in {{ }} but `|` and a function",
                ));
            }
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
        let facts = &self.facts;
        self.room.take(made(name, &texts))?;
        Ok(match (name, texts.as_slice()) {
            ("user", [variable]) => match &facts.json {
                // A variable that nobody has declared is empty, as Packer has it.
                Some(json) => json.variables.get(*variable).cloned().unwrap_or_default(),
                None => {
                    let error = "`user` reads the variables of a template in JSON";
                    let help = format!("write ${{var.{variable}}}");
                    return Err(InterpolationError::new(error).help(help));
                }
            },
            ("build_name", []) => facts.build_name.clone(),
            ("build_type", []) => facts.build_type.clone(),
            ("packer_version", []) => facts.packer_version.clone(),
            ("pwd", []) => facts.working_directory.clone(),
            ("template_dir", []) => {
                match facts.json.as_ref().and_then(|json| json.directory.clone()) {
                    Some(directory) => directory,
                    None => {
                        let error = "`template_dir` is the folder of a template in JSON";
                        return Err(InterpolationError::new(error).help("write ${path.root}"));
                    }
                }
            }
            ("timestamp", []) => facts.now.as_second().to_string(),
            ("isotime", []) => legacy_isotime(facts.now, None),
            ("isotime", [layout]) => legacy_isotime(facts.now, Some(layout)),
            ("strftime", [format]) => legacy_strftime(facts.now, Some(format)),
            ("uuid", []) => Uuid::new_v4().to_string(),
            ("lower", [text]) => lower(text),
            ("upper", [text]) => upper(text),
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
        ("isotime" | "strftime", [format]) => return format.len().saturating_mul(TIMES_FORMAT),
        // No letter is longer than three times its other case.
        ("lower" | "upper", [text]) => return text.len().saturating_mul(3),
        _ => return arguments.iter().map(|text| text.len()).sum(),
    };
    let count = text.matches(old).take(most).count();
    let added = new.len().saturating_sub(old.len());
    text.len().saturating_add(count.saturating_mul(added))
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

/// Why there is nothing called `name`, or not with such arguments.
pub(crate) fn refusal(name: &str) -> InterpolationError {
    if FUNCTIONS.contains(&name) {
        return takes(name);
    }
    if name.starts_with('.') {
        let error = format!("there is nothing that {{{{ {name} }}}} could stand for here");
        return InterpolationError::new(error).help(LITERAL_BRACES);
    }
    if STATEMENTS.contains(&name) {
        let help =
            format!("use the template language: %{{ if … }} and %{{ for … }}; {LITERAL_BRACES}");
        return InterpolationError::new(format!("{{{{ {name} … }}}} is not supported")).help(help);
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

    #[test]
    fn no_date_is_longer_than_what_was_paid_for_it() {
        // On a Wednesday in September.
        let functions = Functions::new(BuildFacts {
            now: "2026-09-30T12:34:56.123456789Z".parse().unwrap(),
            ..BuildFacts::default()
        });
        let letters = ('A'..='Z').chain('a'..='z');
        let formats = letters.map(|letter| ("strftime", format!("%{letter}")));
        let pieces = "January Jan Monday Mon MST 01 002 15 1 2006 2 _2 __2 3 PM -07 Z07:00 .0 ,99";
        let layouts = pieces.split(' ').map(|piece| ("isotime", piece.to_owned()));
        for (name, format) in formats.chain(layouts) {
            let format = format.repeat(10);
            let text = functions.call(name, std::slice::from_ref(&format)).unwrap();
            let paid = made(name, &[&format]);
            assert!(text.len() <= paid, "{name} {format}: {text}");
        }
    }
}
