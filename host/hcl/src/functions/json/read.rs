//! JSON to values. Numbers keep all their digits, and of two entries with the same key the later one counts.

use super::super::json::pay;
use crate::budget::Budget;
use crate::number::Number;
use crate::source_map::line_and_column;
use crate::value::Value;

/// How deep lists and objects may be nested.
const MAX_DEPTH: usize = 127;

/// The value a JSON text stands for.
pub(crate) fn decode(text: &str, budget: &Budget) -> Result<Value, String> {
    let mut reader = Reader {
        text,
        at: 0,
        budget,
    };
    let value = reader.value(0).and_then(|value| {
        reader.blanks();
        match reader.peek() {
            None => Ok(value),
            Some(_) => Err("something follows the value".to_owned()),
        }
    });
    value.map_err(|problem| {
        let (line, column) = line_and_column(text, reader.at);
        format!("not JSON: {problem} at line {line} column {column}")
    })
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    budget: &'t Budget,
}

impl<'t> Reader<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn value(&mut self, depth: usize) -> Result<Value, String> {
        if depth > MAX_DEPTH {
            return Err("it is nested too deeply".to_owned());
        }
        self.blanks();
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.list(depth),
            Some(b'"') => Ok(self.string()?.into()),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => {
                pay(self.budget, 0)?;
                for (word, value) in [
                    ("true", Value::from(true)),
                    ("false", Value::from(false)),
                    ("null", Value::NULL),
                ] {
                    if self.rest().starts_with(word) {
                        self.at += word.len();
                        return Ok(value);
                    }
                }
                Err("a value is expected".to_owned())
            }
        }
    }

    fn list(&mut self, depth: usize) -> Result<Value, String> {
        pay(self.budget, 0)?;
        self.at += 1;
        let mut elements = Vec::new();
        self.blanks();
        if !self.eat(b']') {
            loop {
                elements.push(self.value(depth + 1)?);
                self.blanks();
                if self.eat(b']') {
                    break;
                }
                if !self.eat(b',') {
                    return Err("`,` or `]` is expected".to_owned());
                }
            }
        }
        Ok(Value::list(elements))
    }

    fn object(&mut self, depth: usize) -> Result<Value, String> {
        pay(self.budget, 0)?;
        self.at += 1;
        let mut entries = Vec::new();
        self.blanks();
        if !self.eat(b'}') {
            loop {
                self.blanks();
                if self.peek() != Some(b'"') {
                    return Err("a key is expected".to_owned());
                }
                let key = self.string()?;
                self.blanks();
                if !self.eat(b':') {
                    return Err("`:` is expected".to_owned());
                }
                entries.push((key, self.value(depth + 1)?));
                self.blanks();
                if self.eat(b'}') {
                    break;
                }
                if !self.eat(b',') {
                    return Err("`,` or `}` is expected".to_owned());
                }
            }
        }
        Ok(Value::object(entries))
    }

    fn digits(&mut self) -> Result<(), String> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        match self.at == start {
            true => Err("a digit is expected".to_owned()),
            false => Ok(()),
        }
    }

    fn number(&mut self) -> Result<Value, String> {
        let start = self.at;
        self.eat(b'-');
        if !self.eat(b'0') {
            self.digits()?;
        }
        if self.eat(b'.') {
            self.digits()?;
        }
        if self.eat(b'e') || self.eat(b'E') {
            if !self.eat(b'-') {
                self.eat(b'+');
            }
            self.digits()?;
        }
        let text = self.text.get(start..self.at).unwrap_or_default();
        pay(self.budget, text.len())?;
        match text.parse::<Number>() {
            Ok(number) => Ok(number.into()),
            Err(_) => Err("the number is out of range".to_owned()),
        }
    }

    fn string(&mut self) -> Result<String, String> {
        self.at += 1;
        let mut text = String::new();
        loop {
            let rest = self.rest();
            let end = rest
                .find(|c: char| c == '"' || c == '\\' || c < ' ')
                .unwrap_or(rest.len());
            text.push_str(&rest[..end]);
            self.at += end;
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    pay(self.budget, text.len())?;
                    return Ok(text);
                }
                Some(b'\\') => {
                    self.at += 1;
                    text.push(self.escape()?);
                }
                Some(_) => return Err("a control character stands in a string".to_owned()),
                None => return Err("a string is not closed".to_owned()),
            }
        }
    }

    fn escape(&mut self) -> Result<char, String> {
        let letter = self.peek();
        self.at += 1;
        Ok(match letter {
            Some(letter @ (b'"' | b'\\' | b'/')) => char::from(letter),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                let first = self.unit()?;
                if let Some(character) = char::from_u32(first) {
                    return Ok(character);
                }
                // Half a pair: the other half, or nothing that has a meaning.
                let before = self.at;
                if (0xD800..0xDC00).contains(&first) && self.eat(b'\\') && self.eat(b'u') {
                    let second = self.unit()?;
                    if (0xDC00..0xE000).contains(&second) {
                        let code = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
                        return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
                    }
                }
                self.at = before;
                char::REPLACEMENT_CHARACTER
            }
            _ => {
                self.at -= 1;
                return Err("there is no such escape".to_owned());
            }
        })
    }

    /// Four hexadecimal digits.
    fn unit(&mut self) -> Result<u32, String> {
        let digits = self.rest().get(..4).unwrap_or_default();
        let plain = digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let unit = match plain {
            true => u32::from_str_radix(digits, 16).ok(),
            false => None,
        };
        self.at += if plain { 4 } else { 0 };
        unit.ok_or_else(|| "four hexadecimal digits are expected".to_owned())
    }
}
