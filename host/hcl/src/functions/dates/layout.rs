//! The present time as Go writes it: in a layout that shows a certain moment, or by the letters of `strftime`.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

/// How a piece of a layout is written.
enum Piece {
    /// By this directive.
    Directive(&'static str),
    /// The number of the day in its year, in three columns.
    DayOfYear,
    /// As it stands here: time is UTC.
    Text(&'static str),
}

use Piece::{DayOfYear, Directive, Text};

/// What each piece of a layout stands for, in the order in which they are looked for.
const LAYOUT: &[(&str, Piece)] = &[
    ("January", Directive("%B")),
    ("Jan", Directive("%b")),
    ("Monday", Directive("%A")),
    ("Mon", Directive("%a")),
    ("MST", Text("UTC")),
    ("01", Directive("%m")),
    ("02", Directive("%d")),
    ("03", Directive("%I")),
    ("04", Directive("%M")),
    ("05", Directive("%S")),
    ("06", Directive("%y")),
    ("002", Directive("%j")),
    ("15", Directive("%H")),
    ("1", Directive("%-m")),
    ("2006", Directive("%Y")),
    ("2", Directive("%-d")),
    ("_2006", Directive("_%Y")),
    ("_2", Directive("%e")),
    ("__2", DayOfYear),
    ("3", Directive("%-I")),
    ("4", Directive("%-M")),
    ("5", Directive("%-S")),
    ("PM", Directive("%p")),
    ("pm", Directive("%P")),
    ("-070000", Text("+000000")),
    ("-07:00:00", Text("+00:00:00")),
    ("-0700", Text("+0000")),
    ("-07:00", Text("+00:00")),
    ("-07", Text("+00")),
    ("Z070000", Text("Z")),
    ("Z07:00:00", Text("Z")),
    ("Z0700", Text("Z")),
    ("Z07:00", Text("Z")),
    ("Z07", Text("Z")),
];

/// Pieces that are none where a small letter follows, as in `Month`.
const WORDS: [&str; 2] = ["Jan", "Mon"];

const RFC3339: &str = "2006-01-02T15:04:05Z07:00";

/// What Packer's letters of `strftime` stand for, in layouts. There are no others.
const LETTERS: &[(char, &str)] = &[
    ('A', "Monday"),
    ('B', "January"),
    ('H', "15"),
    ('I', "03"),
    ('L', ".000"),
    ('M', "04"),
    ('S', "05"),
    ('Y', "2006"),
    ('Z', "MST"),
    ('a', "Mon"),
    ('b', "Jan"),
    ('d', "02"),
    ('m', "01"),
    ('p', "PM"),
    ('y', "06"),
    ('z', "-0700"),
];

/// How much longer than its format a time can be: `%B` may be `September`.
pub const TIMES_FORMAT: usize = 5;

/// What Packer's function of that name gives at `now`: the time in UTC, in a layout of Go's (written as the
/// moment 2006-01-02 15:04:05 would be) or as RFC 3339 has it.
pub fn legacy_isotime(now: Timestamp, layout: Option<&str>) -> String {
    let time = Offset::UTC.to_datetime(now);
    let mut out = String::new();
    let mut rest = layout.unwrap_or(RFC3339);
    while let Some(first) = rest.chars().next() {
        let piece = LAYOUT.iter().find_map(|(text, piece)| {
            let after = rest.strip_prefix(text)?;
            let is_longer =
                WORDS.contains(text) && after.starts_with(|c: char| c.is_ascii_lowercase());
            (!is_longer).then_some((piece, after))
        });
        if let Some((piece, after)) = piece {
            match piece {
                Directive(directive) => out.push_str(&time.strftime(directive).to_string()),
                DayOfYear => out.push_str(&format!("{:>3}", time.date().day_of_year())),
                Text(text) => out.push_str(text),
            }
            rest = after;
        } else if let Some((fraction, after)) = fraction(rest, &time) {
            out.push_str(&fraction);
            rest = after;
        } else {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    out
}

/// The part of a second that a layout such as `.000` begins with: so many digits, without the last zeros if
/// it is `.999`; and what follows.
fn fraction<'a>(layout: &'a str, time: &DateTime) -> Option<(String, &'a str)> {
    /// There are no more in a nanosecond.
    const DIGITS: usize = 9;
    let digits = layout.strip_prefix(['.', ','])?;
    let digit = digits
        .chars()
        .next()
        .filter(|digit| matches!(digit, '0' | '9'))?;
    let after = digits.trim_start_matches(digit);
    if after.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let wanted = digits.len() - after.len();
    let nanoseconds = format!("{:09}", time.subsec_nanosecond());
    let shown = &nanoseconds[..wanted.min(DIGITS)];
    let shown = match digit {
        '9' => shown.trim_end_matches('0'),
        _ => shown,
    };
    let text = match shown {
        "" => String::new(),
        shown => format!("{}{shown}", &layout[..1]),
    };
    Some((text, after))
}

/// What Packer's function of that name gives at `now`: the time in UTC, as `format` says by letters behind `%`, or
/// as RFC 3339 has it. What follows another `%` stays as it is.
pub fn legacy_strftime(now: Timestamp, format: Option<&str>) -> String {
    let Some(format) = format else {
        return legacy_isotime(now, None);
    };
    let mut out = String::new();
    let mut rest = format;
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
        let Some(letter) = after.chars().next() else {
            out.push('%');
            return out;
        };
        match LETTERS.iter().find(|(known, _)| *known == letter) {
            Some((_, layout)) => out.push_str(&legacy_isotime(now, Some(layout))),
            None if letter == '%' => out.push('%'),
            None => {
                out.push('%');
                out.push(letter);
            }
        }
        rest = &after[letter.len_utf8()..];
    }
    out.push_str(rest);
    out
}
