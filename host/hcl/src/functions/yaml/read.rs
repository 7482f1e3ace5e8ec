//! YAML to values, as Packer's library takes it: words like `yes` are bools, times become those of RFC 3339, and of
//! two entries with the same key the later one counts.

use std::collections::{BTreeMap, HashMap};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use granit_parser::{Event, Parser, ScalarStyle, StrInput, Tag};

use super::super::json::pay;
use super::times::rfc3339;
use crate::budget::Budget;
use crate::number::Number;
use crate::value::{Value, ValueKind};

/// How deep lists and mappings may be nested.
const MAX_DEPTH: usize = 127;

/// The value of the one document.
pub(super) fn decode(text: &str, budget: &Budget) -> Result<Value, String> {
    let mut reader = Reader {
        parser: Parser::new_from_str(text),
        budget,
        anchors: HashMap::new(),
    };
    let value = loop {
        match reader.next()? {
            Event::StreamStart | Event::DocumentStart(..) => {}
            Event::StreamEnd => return Err("there is no value".to_owned()),
            event => break reader.value(event, 0)?,
        }
    };
    loop {
        match reader.next()? {
            Event::DocumentEnd => {}
            Event::StreamEnd => return Ok(value),
            _ => return Err("there is more than one document".to_owned()),
        }
    }
}

struct Reader<'t> {
    parser: Parser<'t, StrInput<'t>>,
    budget: &'t Budget,
    anchors: HashMap<usize, Value>,
}

/// What a scalar stands for.
enum Scalar {
    Value(Value),
    /// `<<`, which takes in another mapping.
    Merge,
}

impl<'t> Reader<'t> {
    fn next(&mut self) -> Result<Event<'t>, String> {
        loop {
            match self.parser.next() {
                Some(Ok((Event::Comment(..), _))) => {}
                Some(Ok((event, _))) => return Ok(event),
                Some(Err(error)) => return Err(error.to_string()),
                None => return Ok(Event::StreamEnd),
            }
        }
    }

    fn value(&mut self, event: Event<'t>, depth: usize) -> Result<Value, String> {
        if depth > MAX_DEPTH {
            return Err("it is nested too deeply".to_owned());
        }
        let (anchor, value) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                pay(self.budget, text.len())?;
                let value = match scalar(tag.as_deref(), &text, style)? {
                    Scalar::Value(value) => value,
                    Scalar::Merge => "<<".into(),
                };
                (anchor, value)
            }
            Event::Alias(anchor) => {
                pay(self.budget, 0)?;
                let value = self.anchors.get(&anchor).cloned();
                return value.ok_or_else(|| "an alias is in what it stands for".to_owned());
            }
            Event::SequenceStart(_, anchor, tag) => {
                pay(self.budget, 0)?;
                is_of_kind(tag.as_deref(), "seq")?;
                (anchor, self.sequence(depth)?)
            }
            Event::MappingStart(_, anchor, tag) => {
                pay(self.budget, 0)?;
                is_of_kind(tag.as_deref(), "map")?;
                (anchor, self.mapping(depth)?)
            }
            _ => return Err("a value is missing".to_owned()),
        };
        if anchor > 0 {
            self.anchors.insert(anchor, value.clone());
        }
        Ok(value)
    }

    fn sequence(&mut self, depth: usize) -> Result<Value, String> {
        let mut elements = Vec::new();
        loop {
            match self.next()? {
                Event::SequenceEnd => return Ok(Value::list(elements)),
                event => elements.push(self.value(event, depth + 1)?),
            }
        }
    }

    fn mapping(&mut self, depth: usize) -> Result<Value, String> {
        let mut entries = BTreeMap::new();
        loop {
            let (text, style, tag) = match self.next()? {
                Event::MappingEnd => return Ok(Value::object(entries)),
                Event::Scalar(text, style, _, tag) => (text, style, tag),
                _ => return Err("a key must be a string".to_owned()),
            };
            pay(self.budget, text.len())?;
            let key = scalar(tag.as_deref(), &text, style)?;
            let event = self.next()?;
            let value = self.value(event, depth + 1)?;
            match key {
                Scalar::Merge => {
                    let ValueKind::Object(merged) = value.kind() else {
                        return Err("only a mapping can be merged by `<<`".to_owned());
                    };
                    for (key, value) in merged.iter() {
                        pay(self.budget, key.len())?;
                        entries.insert(key.clone(), value.clone());
                    }
                }
                Scalar::Value(key) => {
                    let key = key.to_text().ok_or("a key must be a string")?;
                    entries.insert(key, value);
                }
            }
        }
    }
}

/// Whether a tag, if there is one, says what stands there.
fn is_of_kind(tag: Option<&Tag>, kind: &str) -> Result<(), String> {
    match tag.map(name) {
        None => Ok(()),
        Some(tag) if tag == kind => Ok(()),
        Some(tag) => Err(format!("the tag `{tag}` can't be here")),
    }
}

/// The name of a tag: of YAML's own ones what is behind `!!`, all of others.
fn name(tag: &Tag) -> String {
    let whole = tag.to_string();
    whole
        .strip_prefix("tag:yaml.org,2002:")
        .or_else(|| whole.strip_prefix("!!"))
        .unwrap_or(&whole)
        .to_owned()
}

fn scalar(tag: Option<&Tag>, text: &str, style: ScalarStyle) -> Result<Scalar, String> {
    let tag = tag.map(name);
    let tag = tag.as_deref().unwrap_or_default();
    if ![
        "",
        "str",
        "bool",
        "int",
        "float",
        "null",
        "timestamp",
        "binary",
    ]
    .contains(&tag)
    {
        return Err(format!("there is no tag `{tag}`"));
    }
    let value = |value: Value| Ok(Scalar::Value(value));
    let number = |text: &str| text.parse::<Number>().ok().map(Value::from);
    let without = || text.replace('_', "");
    let first = text.bytes().next();
    let hint = first.is_none_or(|first| b"+-0123456789yYnNtTfFoO~.".contains(&first));
    let is_quoted = matches!(style, ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted);
    let mut tag = tag;
    if hint && !matches!(tag, "str" | "binary") {
        if is_quoted {
            return value(text.into());
        }
        if let Some(word) = word(text)? {
            return value(word);
        }
        match first {
            Some(b'.') => {
                if let Some(number) = number(text) {
                    return value(number);
                }
            }
            Some(b'+' | b'-' | b'0'..=b'9') => {
                if let Some(time) = rfc3339(text).filter(|_| matches!(tag, "" | "timestamp")) {
                    return value(time.into());
                }
                let plain = without();
                if let Some(number) = number(&plain) {
                    return value(number);
                }
                if matches!(plain.get(1..), Some("inf" | "Inf")) {
                    return Err("there are no infinite numbers".to_owned());
                }
                if plain.starts_with("0b") || plain.starts_with("-0b") {
                    tag = "int";
                }
            }
            _ => {}
        }
    }
    if tag.is_empty() && text == "<<" {
        return Ok(Scalar::Merge);
    }
    let wrong = || Err(format!("`{text:.40}` is no `{tag}`"));
    match tag {
        "binary" if STANDARD.decode(text.replace(['\r', '\n'], "")).is_err() => wrong(),
        "bool" => match word(text)? {
            Some(word) if word.as_bool().is_some() => value(word),
            _ => wrong(),
        },
        "int" | "float" => {
            let plain = without();
            match number(&plain).or_else(|| integer(&plain).map(|n| Number::from(n).into())) {
                Some(number) => value(number),
                None => wrong(),
            }
        }
        "timestamp" => match rfc3339(text) {
            Some(time) => value(time.into()),
            None => wrong(),
        },
        "null" => value(Value::NULL),
        _ => value(text.into()),
    }
}

/// What stands for something else than its text.
fn word(text: &str) -> Result<Option<Value>, String> {
    Ok(Some(match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            true.into()
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            false.into()
        }
        "" | "~" | "null" | "Null" | "NULL" => Value::NULL,
        ".nan" | ".NaN" | ".NAN" => return Err("there is no number `.nan`".to_owned()),
        _ if text
            .trim_start_matches(['+', '-'])
            .eq_ignore_ascii_case(".inf") =>
        {
            return Err("there are no infinite numbers".to_owned());
        }
        _ => return Ok(None),
    }))
}

/// A whole number with a sign and a prefix for its base.
fn integer(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (base, digits) = match digits.get(..2)? {
        "0x" | "0X" => (16, &digits[2..]),
        "0o" | "0O" => (8, &digits[2..]),
        "0b" | "0B" => (2, &digits[2..]),
        _ => return None,
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let size = i64::from_str_radix(digits, base).ok()?;
    Some(if negative { -size } else { size })
}
