//! Regular expressions as Go has them, written as this program's library has them.
//!
//! Both have much in common: what is left out here means the same. Go's classes are of ASCII, `[` is nothing
//! special in a class, `\Q…\E` is literal, `{` may stand for itself, and there are no flags but `i`, `m`, `s`
//! and `U`.

use std::fmt::Write as _;

/// The most that `{n,m}` may say.
const MAX_REPEAT: u32 = 1000;

/// Classes that are written like `[:alpha:]`.
const CLASSES: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct",
    "space", "upper", "word", "xdigit",
];

const WORD: &str = "0-9A-Za-z_";
const DIGIT: &str = "0-9";
const SPACE: &str = r"\t\n\x0C\r ";

/// The same expression for the library, or what is wrong with it.
pub(super) fn translated(pattern: &str) -> Result<String, String> {
    let mut translation = Translation {
        rest: pattern,
        out: String::with_capacity(pattern.len() * 2),
    };
    translation.run()?;
    Ok(translation.out)
}

struct Translation<'p> {
    rest: &'p str,
    out: String,
}

impl<'p> Translation<'p> {
    fn next(&mut self) -> Option<char> {
        let next = self.rest.chars().next()?;
        self.rest = &self.rest[next.len_utf8()..];
        Some(next)
    }

    fn eat(&mut self, text: &str) -> bool {
        let behind = self.rest.strip_prefix(text);
        self.rest = behind.unwrap_or(self.rest);
        behind.is_some()
    }

    fn literal(&mut self, character: char) {
        // By its number, so that nothing in it can be meant.
        match character.is_ascii_alphanumeric() {
            true => self.out.push(character),
            false => code(character, &mut self.out),
        }
    }

    fn run(&mut self) -> Result<(), String> {
        let mut repeated = false;
        while let Some(next) = self.next() {
            let was_repeated = std::mem::take(&mut repeated);
            match next {
                '\\' => self.escape()?,
                '[' => self.class()?,
                '(' => self.group()?,
                '*' | '+' | '?' => {
                    if was_repeated {
                        return Err(format!("`{next}` behind another repetition"));
                    }
                    self.out.push(next);
                    if self.eat("?") {
                        self.out.push('?');
                    }
                    repeated = true;
                }
                '{' => match self.repetition()? {
                    None => self.literal('{'),
                    Some(_) if was_repeated => {
                        return Err("`{` behind another repetition".to_owned());
                    }
                    Some(repetition) => {
                        let _ = write!(self.out, "{{{repetition}}}");
                        if self.eat("?") {
                            self.out.push('?');
                        }
                        repeated = true;
                    }
                },
                '.' | '^' | '$' | '|' | ')' => self.out.push(next),
                _ => self.literal(next),
            }
        }
        Ok(())
    }

    /// What is in `{n}`, `{n,}` or `{n,m}`, behind its `{`; nothing if it is something else.
    fn repetition(&mut self) -> Result<Option<&'p str>, String> {
        let Some(end) = self.rest.find('}') else {
            return Ok(None);
        };
        let inside = &self.rest[..end];
        let (least, most) = inside.split_once(',').unwrap_or((inside, inside));
        let is_number = |text: &str| {
            let plain = !text.starts_with('0') || text == "0";
            !text.is_empty() && plain && text.bytes().all(|byte| byte.is_ascii_digit())
        };
        if !is_number(least) || !(most.is_empty() || is_number(most)) {
            return Ok(None);
        }
        let limit = |text: &str| text.parse().ok().filter(|count: &u32| *count <= MAX_REPEAT);
        let (Some(from), Some(to)) = (
            limit(least),
            limit(if most.is_empty() { least } else { most }),
        ) else {
            return Err(format!("a repetition of more than {MAX_REPEAT}"));
        };
        if to < from {
            return Err("a repetition whose end is before its start".to_owned());
        }
        self.rest = &self.rest[end + 1..];
        Ok(Some(inside))
    }

    /// What follows a `(`.
    fn group(&mut self) -> Result<(), String> {
        self.out.push('(');
        if !self.rest.starts_with('?') {
            return Ok(());
        }
        if self.rest.starts_with("?P<") || self.rest.starts_with("?<") {
            let end = self
                .rest
                .find('>')
                .ok_or("the name of a group is not closed")?;
            let (name, behind) = self.rest.split_at(end + 1);
            let text = name.split_once('<').map_or("", |(_, name)| name);
            let text = text.trim_end_matches('>');
            if text.is_empty() || !text.chars().all(|c| c == '_' || c.is_ascii_alphanumeric()) {
                return Err(format!("`{text}` is no name of a group"));
            }
            self.out.push_str(name);
            self.rest = behind;
            return Ok(());
        }
        self.out.push('?');
        self.rest = &self.rest[1..];
        while let Some(flag) = self.next() {
            self.out.push(flag);
            match flag {
                'i' | 'm' | 's' | 'U' | '-' => {}
                ':' | ')' => return Ok(()),
                _ => return Err(format!("there is no `(?{flag}`")),
            }
        }
        Err("a group is not closed".to_owned())
    }

    /// What follows a `\` outside of a class.
    fn escape(&mut self) -> Result<(), String> {
        match self.rest.chars().next() {
            Some('Q') => {
                let inside = &self.rest[1..];
                let (quoted, behind) = inside.split_once("\\E").unwrap_or((inside, ""));
                self.rest = behind;
                quoted.chars().for_each(|character| self.literal(character));
            }
            Some('E') => {
                self.next();
            }
            Some(letter @ ('A' | 'z')) => {
                self.next();
                self.out.push('\\');
                self.out.push(letter);
            }
            Some(letter @ ('b' | 'B')) => {
                self.next();
                let _ = write!(self.out, "(?-u:\\{letter})");
            }
            _ => match self.shorthand()? {
                Some(class) => {
                    let _ = write!(self.out, "[{class}]");
                }
                None => {
                    let character = self.character()?;
                    self.literal(character);
                }
            },
        }
        Ok(())
    }

    /// What follows a `\` and stands for many characters, as it is written in a class.
    fn shorthand(&mut self) -> Result<Option<String>, String> {
        let Some(letter) = self.rest.chars().next() else {
            return Err("a `\\` at the end".to_owned());
        };
        let members = match letter {
            'd' | 'D' => DIGIT,
            's' | 'S' => SPACE,
            'w' | 'W' => WORD,
            'p' | 'P' => {
                self.next();
                return self.property(letter).map(Some);
            }
            _ => return Ok(None),
        };
        self.next();
        Ok(Some(match letter.is_ascii_uppercase() {
            true => format!("[^{members}]"),
            false => members.to_owned(),
        }))
    }

    /// `\pL` or `\p{Greek}`, behind its letter.
    fn property(&mut self, letter: char) -> Result<String, String> {
        let name = match self.next() {
            Some('{') => {
                let end = self.rest.find('}').ok_or("a `\\p{` is not closed")?;
                let (name, behind) = self.rest.split_at(end);
                self.rest = &behind[1..];
                name.to_owned()
            }
            Some(name) => name.to_string(),
            None => return Err("a `\\p` without a name".to_owned()),
        };
        let plain = name.strip_prefix('^').unwrap_or(&name);
        if plain.is_empty() || !plain.chars().all(|c| c == '_' || c.is_ascii_alphanumeric()) {
            return Err(format!("there is no class `{name}`"));
        }
        // The library has one sign for what is not of a class.
        let negated = (letter == 'P') != name.starts_with('^');
        let letter = if negated { 'P' } else { 'p' };
        Ok(format!("\\{letter}{{{plain}}}"))
    }

    /// What follows a `\` and stands for one character.
    fn character(&mut self) -> Result<char, String> {
        let next = self.next().ok_or("a `\\` at the end")?;
        Ok(match next {
            'a' => '\u{7}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{b}',
            '0'..='7' => {
                let is_octal = |c: char| ('0'..='7').contains(&c);
                if next != '0' && !self.rest.starts_with(is_octal) {
                    return Err(format!("there is no `\\{next}`"));
                }
                let mut code = next.to_digit(8).unwrap_or_default();
                for _ in 0..2 {
                    if let Some(digit) = self.rest.chars().next().and_then(|c| c.to_digit(8)) {
                        self.next();
                        code = code * 8 + digit;
                    }
                }
                char::from_u32(code).ok_or("no such character")?
            }
            'x' => {
                let digits = match self.eat("{") {
                    true => {
                        let end = self.rest.find('}').ok_or("a `\\x{` is not closed")?;
                        let (digits, behind) = self.rest.split_at(end);
                        self.rest = &behind[1..];
                        digits
                    }
                    false => {
                        let digits = self.rest.get(..2).ok_or("`\\x` needs two digits")?;
                        self.rest = &self.rest[2..];
                        digits
                    }
                };
                let code = match digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                    true => u32::from_str_radix(digits, 16).ok(),
                    false => None,
                };
                code.and_then(char::from_u32)
                    .ok_or_else(|| format!("`\\x` with `{digits}`"))?
            }
            _ if next.is_ascii() && !next.is_ascii_alphanumeric() => next,
            _ => return Err(format!("there is no `\\{next}`")),
        })
    }

    /// A class, behind its `[`.
    fn class(&mut self) -> Result<(), String> {
        self.out.push('[');
        if self.eat("^") {
            self.out.push('^');
        }
        let mut first = true;
        loop {
            if !std::mem::take(&mut first) && self.eat("]") {
                self.out.push(']');
                return Ok(());
            }
            if let Some((name, behind)) = self
                .rest
                .strip_prefix("[:")
                .and_then(|rest| rest.split_once(":]"))
            {
                let plain = name.strip_prefix('^').unwrap_or(name);
                if !CLASSES.contains(&plain) {
                    return Err(format!("there is no class `[:{name}:]`"));
                }
                let _ = write!(self.out, "[:{name}:]");
                self.rest = behind;
                continue;
            }
            if self.rest.starts_with('\\') {
                let before = self.rest;
                self.next();
                if let Some(class) = self.shorthand()? {
                    self.out.push_str(&class);
                    continue;
                }
                self.rest = before;
            }
            let low = self.member()?;
            let mut high = low;
            if self.rest.starts_with('-') && !self.rest.starts_with("-]") && self.rest.len() > 1 {
                self.next();
                high = self.member()?;
                if high < low {
                    return Err(format!("the range `{low}-{high}`"));
                }
            }
            code(low, &mut self.out);
            if high != low {
                self.out.push('-');
                code(high, &mut self.out);
            }
        }
    }

    /// One character of a class.
    fn member(&mut self) -> Result<char, String> {
        match self.next() {
            Some('\\') => self.character(),
            Some(character) => Ok(character),
            None => Err("a `[` is not closed".to_owned()),
        }
    }
}

fn code(character: char, out: &mut String) {
    // A text takes whatever is written to it.
    let _ = write!(out, "\\x{{{:X}}}", u32::from(character));
}
