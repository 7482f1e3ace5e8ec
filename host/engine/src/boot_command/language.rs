//! Reads the notation of boot commands into strokes: which key does what, one after the other.
//!
//! ```text
//! text    = { wait | toggle | special | character } ;                      the first that fits
//! wait    = "<wait" , [ duration | seconds ] , ">" ;                       lower case only
//! toggle  = "<" , character , ( "on" | "off" ) , ">" ;
//! special = "<" , key name , [ "on" | "off" ] , ">" ;
//! duration = number , unit , { number , unit } ;   number = [ "-" ] , integer , [ "." , digits ] ;
//! seconds = integer ;   integer = "0" | nonzero digit , { digit } ;   unit = ns us µs ms s m h
//! ```
//!
//! This is Packer's grammar. Since the last alternative of `text` takes any character, a text never
//! fails to be read by it: `<entr>` is six characters. That is hardly ever meant, so it is a
//! warning where a key's name is close; what can't be done at all is an error: a character that is
//! on no key of the US layout, and a wait that isn't longer than nothing.

use std::time::Duration;

use lvhost_hcl::suggest;

use super::keys::{self, Key};

/// The longest wait. Nobody waits for a keyboard longer, and sums of waits have to stay in range.
const LONGEST_WAIT: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The longest text in angle brackets that is looked at as a slip in a key's name.
const MAX_NAME_LENGTH: usize = 24;

/// A place in the texts of a boot command, after `{{ … }}` has been replaced. Both count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Which text.
    pub text: usize,
    /// Which character of it.
    pub character: usize,
}

impl std::fmt::Display for Position {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "text {}, character {}",
            self.text, self.character
        )
    }
}

/// Why a boot command can't be typed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`boot_command`, {position}: {message}")]
pub struct BootCommandError {
    /// Where.
    pub position: Position,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: Option<&'static str>,
}

/// Something in a boot command that is right but most likely not meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootWarning {
    /// Where.
    pub position: Position,
    /// What happens.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
}

/// What a key does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stroke {
    /// It goes down and up.
    Tap(Key),
    /// It goes down and stays there.
    On(Key),
    /// It goes up.
    Off(Key),
    /// No key does anything for a while.
    Wait(Duration),
}

/// A stroke and where it stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Placed {
    pub(super) stroke: Stroke,
    pub(super) position: Position,
}

/// All strokes of a boot command.
pub(super) struct Reading {
    pub(super) strokes: Vec<Placed>,
    pub(super) warnings: Vec<BootWarning>,
}

/// Reads the texts as if they were one.
pub(super) fn read<S: AsRef<str>>(texts: &[S]) -> Result<Reading, BootCommandError> {
    let whole: String = texts.iter().map(AsRef::as_ref).collect();
    let mut places = Places::new(texts);
    let mut reading = Reading {
        strokes: Vec::new(),
        warnings: Vec::new(),
    };
    let mut rest = whole.as_str();
    while let Some(character) = rest.chars().next() {
        let position = places.of(whole.len() - rest.len());
        let error = |message: String, help| BootCommandError {
            position,
            message,
            help,
        };
        let (stroke, length) = match bracketed(rest) {
            Some(Bracketed::Wait(Err(what), _)) => {
                return Err(error(what.to_string(), Some(WAITS)));
            }
            Some(Bracketed::Wait(Ok(wait), length)) => (Stroke::Wait(wait), length),
            Some(Bracketed::Toggle(character, on, length)) => {
                let key = keys::typing(character).ok_or_else(|| untypable(character, position))?;
                (toggled(key, on), length)
            }
            Some(Bracketed::Special(key, None, length)) => (Stroke::Tap(key), length),
            Some(Bracketed::Special(key, Some(on), length)) => (toggled(key, on), length),
            None => {
                reading.warnings.extend(slip(rest, position));
                match keys::typing(character) {
                    Some(key) => (Stroke::Tap(key), character.len_utf8()),
                    None if character.is_ascii_control() => {
                        rest = &rest[character.len_utf8()..];
                        reading.warnings.push(control(character, position));
                        continue;
                    }
                    None => return Err(untypable(character, position)),
                }
            }
        };
        reading.strokes.push(Placed { stroke, position });
        rest = &rest[length..];
    }
    Ok(reading)
}

const WAITS: &str = "waits are written <wait>, <wait5>, <wait10s> or <wait1m20s>";

fn toggled(key: Key, on: bool) -> Stroke {
    if on {
        Stroke::On(key)
    } else {
        Stroke::Off(key)
    }
}

/// Turns places in the whole into places in the single texts. Asked in ascending order.
struct Places<'a> {
    /// What is left, from the text that was found last on.
    texts: Vec<&'a str>,
    text: usize,
    /// Where that text begins in the whole.
    begin: usize,
    /// The place found last, in bytes and in characters from `begin`.
    known: (usize, usize),
}

impl<'a> Places<'a> {
    fn new<S: AsRef<str>>(texts: &'a [S]) -> Self {
        Self {
            texts: texts.iter().map(AsRef::as_ref).collect(),
            text: 0,
            begin: 0,
            known: (0, 0),
        }
    }

    fn of(&mut self, offset: usize) -> Position {
        while let Some(text) = self.texts.get(self.text)
            && offset >= self.begin + text.len()
        {
            self.begin += text.len();
            self.text += 1;
            self.known = (0, 0);
        }
        let (bytes, characters) = self.known;
        let between = self
            .texts
            .get(self.text)
            .and_then(|text| text.get(bytes..offset - self.begin));
        let characters = characters + between.map_or(0, |text| text.chars().count());
        self.known = (offset - self.begin, characters);
        Position {
            text: self.text + 1,
            character: characters + 1,
        }
    }
}

/// Something in angle brackets that means something, with its length in bytes.
enum Bracketed {
    Wait(Result<Duration, &'static str>, usize),
    Toggle(char, bool, usize),
    Special(Key, Option<bool>, usize),
}

fn bracketed(text: &str) -> Option<Bracketed> {
    let inside = text.strip_prefix('<')?;
    if let Some(Some(end)) = inside.starts_with("wait").then(|| inside.find('>'))
        && let Some(wait) = wait(&inside["wait".len()..end])
    {
        return Some(Bracketed::Wait(wait, end + 2));
    }
    let character = inside.chars().next()?;
    let behind = &inside[character.len_utf8()..];
    for (word, on) in [("on>", true), ("off>", false)] {
        let found = behind.get(..word.len());
        if found.is_some_and(|found| found.eq_ignore_ascii_case(word)) {
            let length = 1 + character.len_utf8() + word.len();
            return Some(Bracketed::Toggle(character, on, length));
        }
    }
    let name = &inside[..inside.find('>')?];
    let (key, on) = special(name)?;
    Some(Bracketed::Special(key, on, name.len() + 2))
}

fn special(name: &str) -> Option<(Key, Option<bool>)> {
    let (bare, on) = bare(name);
    match keys::named(name) {
        Some(key) => Some((key, None)),
        None => Some((keys::named(bare)?, on)),
    }
}

/// A key's name without `on` or `off` at its end.
fn bare(name: &str) -> (&str, Option<bool>) {
    for (word, on) in [("on", true), ("off", false)] {
        if let Some((bare, end)) = name
            .len()
            .checked_sub(word.len())
            .and_then(|at| name.split_at_checked(at))
            && end.eq_ignore_ascii_case(word)
        {
            return (bare, Some(on));
        }
    }
    (name, None)
}

/// What stands behind `<wait`. `None` if it is none.
fn wait(text: &str) -> Option<Result<Duration, &'static str>> {
    if text.is_empty() {
        return Some(Ok(Duration::from_secs(1)));
    }
    let nanoseconds = match integer(text) {
        Some((seconds, "")) => seconds * 1e9,
        _ => duration(text)?,
    };
    let wait = Duration::from_secs_f64(nanoseconds.clamp(0.0, 1e9 * 1e9) / 1e9);
    Some(if wait.is_zero() || nanoseconds < 0.0 {
        Err("a wait must be longer than nothing")
    } else if wait > LONGEST_WAIT {
        Err("a wait can't be longer than a week")
    } else {
        Ok(wait)
    })
}

/// Nanoseconds of a duration as Go writes it.
fn duration(mut text: &str) -> Option<f64> {
    let mut sum = 0.0;
    let mut negative = false;
    while !text.is_empty() {
        let unsigned = text.strip_prefix('-');
        negative |= unsigned.is_some();
        let (mut number, mut rest) = integer(unsigned.unwrap_or(text))?;
        if let Some(fraction) = rest.strip_prefix('.') {
            let end = fraction.find(|c: char| !c.is_ascii_digit())?;
            number += format!("0.{}", &fraction[..end]).parse::<f64>().ok()?;
            rest = &fraction[end..];
        }
        let (unit, nanoseconds) = UNITS.iter().find(|(unit, _)| rest.starts_with(unit))?;
        sum += number * nanoseconds;
        text = &rest[unit.len()..];
    }
    Some(if negative { -sum } else { sum })
}

/// The units and their nanoseconds; none is the beginning of a later one.
const UNITS: &[(&str, f64)] = &[
    ("ns", 1.0),
    ("us", 1e3),
    ("µs", 1e3),
    ("ms", 1e6),
    ("s", 1e9),
    ("m", 60e9),
    ("h", 3600e9),
];

/// A number without a leading zero, and what follows.
fn integer(text: &str) -> Option<(f64, &str)> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    // `05` is a zero that something follows.
    let end = if text.starts_with('0') { 1 } else { end };
    let (number, rest) = text.split_at(end);
    Some((number.parse().ok()?, rest))
}

fn untypable(character: char, position: Position) -> BootCommandError {
    BootCommandError {
        position,
        message: format!(
            "`{}` (U+{:04X}) is on no key of a keyboard with the US layout",
            character.escape_debug(),
            u32::from(character)
        ),
        help: Some("only ASCII can be typed; a file from the HTTP server can hold anything"),
    }
}

fn control(character: char, position: Position) -> BootWarning {
    let (what, help) = match character {
        '\n' => ("a line break", Some("write <enter>")),
        '\r' => ("a carriage return", Some("write <enter>")),
        '\t' => ("a tab", Some("write <tab>")),
        _ => ("a control character", None),
    };
    BootWarning {
        position,
        message: format!("{what} in a boot command is not typed"),
        help: help.map(str::to_string),
    }
}

/// A warning if `text` begins with what was most likely meant as a key or a wait.
fn slip(text: &str, position: Position) -> Option<BootWarning> {
    let inside = text.strip_prefix('<')?;
    let name = &inside[..inside.find('>')?];
    let is_word = name
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-'));
    if !is_word || name.len() > MAX_NAME_LENGTH {
        return None;
    }
    let help = if name.to_ascii_lowercase().starts_with("wait") {
        WAITS.to_string()
    } else {
        let (bare, on) = bare(name);
        let suffix = match on {
            Some(true) => "On",
            Some(false) => "Off",
            None => "",
        };
        match suggest(bare, keys::names()) {
            Some(close) => format!("did you mean <{close}{suffix}>?"),
            None => format!("did you mean <{}>?", suggest(name, keys::names())?),
        }
    };
    Some(BootWarning {
        position,
        message: format!("<{name}> is no key and is typed as it stands"),
        help: Some(help),
    })
}

#[cfg(test)]
mod tests;
