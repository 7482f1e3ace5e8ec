//! Time: always the moment the run began, so two calls agree.

mod layout;
mod parts;

use jiff::fmt::temporal::{Pieces, PiecesOffset};
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp, civil};

use crate::budget::{Budget, Spent};

pub use self::layout::{TIMES_FORMAT, legacy_isotime, legacy_strftime};
use super::{Arguments, Cost, Function, FunctionError, Kind, Outcome, Parameter, parameter};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new(
        "formatdate",
        &[
            parameter("format", Kind::String),
            parameter("timestamp", Kind::String),
        ],
        formatdate,
    ),
    Function::new("legacy_isotime", FORMAT, |a| written(a, legacy_isotime)).optional(1),
    Function::new("legacy_strftime", FORMAT, |a| written(a, legacy_strftime)).optional(1),
    Function::new(
        "rfc3339_parse",
        &[parameter("timestamp", Kind::String)],
        parts::of_rfc3339,
    )
    .costs(Cost::Reads),
    Function::new(
        "timeadd",
        &[
            parameter("timestamp", Kind::String),
            parameter("duration", Kind::String),
        ],
        timeadd,
    ),
    Function::new("timestamp", &[], |a| {
        let now = Moment {
            timestamp: a.context.environment.now(),
            offset: Offset::UTC,
        };
        Ok(now.rfc3339().into())
    }),
    Function::new(
        "unix_timestamp_parse",
        &[parameter("seconds", Kind::Number)],
        parts::of_unix_timestamp,
    )
    .costs(Cost::Reads),
];

const FORMAT: &[Parameter] = &[parameter("format", Kind::String)];

/// The present time, in the format that was given.
fn written(arguments: &Arguments<'_>, write: fn(Timestamp, Option<&str>) -> String) -> Outcome {
    let format = arguments.optional(0).map(|_| arguments.string(0));
    charge_layout(format.unwrap_or_default(), arguments.budget())?;
    Ok(write(arguments.context.environment.now(), format).into())
}

/// A point in time with the offset it was given in.
struct Moment {
    timestamp: Timestamp,
    offset: Offset,
}

impl Moment {
    fn civil(&self) -> civil::DateTime {
        self.offset.to_datetime(self.timestamp)
    }

    fn rfc3339(&self) -> String {
        let time = self.civil();
        format!(
            "{}{}",
            time.strftime("%Y-%m-%dT%H:%M:%S"),
            self.offset_text("Z", ":")
        )
    }

    /// The offset with `separator` between hours and minutes, `utc` for none at all.
    fn offset_text(&self, utc: &str, separator: &str) -> String {
        let seconds = self.offset.seconds();
        if seconds == 0 && !utc.is_empty() {
            return utc.to_owned();
        }
        let sign = if seconds < 0 { '-' } else { '+' };
        let minutes = seconds.unsigned_abs() / 60;
        format!("{sign}{:02}{separator}{:02}", minutes / 60, minutes % 60)
    }
}

fn parse(arguments: &Arguments<'_>, position: usize) -> Result<Moment, FunctionError> {
    let text = arguments.string(position);
    let wrong = || FunctionError::at(position, "a timestamp like 2026-01-31T12:00:00Z is needed");
    if !is_rfc3339(text) {
        return Err(wrong());
    }
    let pieces = Pieces::parse(text).map_err(|_| wrong())?;
    let offset = match pieces.offset() {
        Some(PiecesOffset::Numeric(offset)) => offset.offset(),
        Some(_) => Offset::UTC,
        None => return Err(wrong()),
    };
    let time = pieces.date().to_datetime(pieces.time().ok_or_else(wrong)?);
    let timestamp = offset.to_timestamp(time).map_err(|_| wrong())?;
    Ok(Moment { timestamp, offset })
}

/// Whether a text has the one form that Packer takes, while the library takes many.
fn is_rfc3339(text: &str) -> bool {
    let is_like = |text: &str, form: &str| {
        text.len() == form.len()
            && text
                .bytes()
                .zip(form.bytes())
                .all(|(byte, form)| match form {
                    b'0' => byte.is_ascii_digit(),
                    _ => byte == form,
                })
    };
    let Some((moment, rest)) = text.split_at_checked("0000-00-00T00:00:00".len()) else {
        return false;
    };
    let zone = match rest.strip_prefix(['.', ',']) {
        Some(fraction) => {
            let zone = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
            if zone.len() == fraction.len() {
                return false;
            }
            zone
        }
        None => rest,
    };
    let is_zone = zone == "Z" || is_like(zone, "+00:00") || is_like(zone, "-00:00");
    is_zone && is_like(moment, "0000-00-00T00:00:00")
}

fn timeadd(arguments: &Arguments<'_>) -> Outcome {
    let moment = parse(arguments, 0)?;
    let duration = go_duration(arguments.string(1))
        .ok_or_else(|| FunctionError::at(1, "a duration like 90s, 10m, 1h30m or -24h is needed"))?;
    let timestamp = moment
        .timestamp
        .checked_add(duration)
        .map_err(|_| "the result is out of range")?;
    Ok(Moment {
        timestamp,
        ..moment
    }
    .rfc3339()
    .into())
}

/// A duration as Go writes it: numbers with a unit each, perhaps with a fraction and a sign.
fn go_duration(text: &str) -> Option<SignedDuration> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(SignedDuration::ZERO);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total = SignedDuration::ZERO;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..end].parse().ok()?;
        rest = &rest[end..];
        let end = rest
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(rest.len());
        let seconds = match &rest[..end] {
            "ns" => 1e-9,
            "us" | "µs" | "μs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        rest = &rest[end..];
        let part = SignedDuration::try_from_secs_f64(number * seconds).ok()?;
        total = total.checked_add(part)?;
    }
    if negative {
        total.checked_neg()
    } else {
        Some(total)
    }
}

/// Work of finding out what a byte of a layout begins, and of writing that part of a time.
const LAYOUT: u64 = 100;

/// Pays for writing a time by a layout. A part of a time, such as the name of a month, may be several times
/// as long as what stands for it.
fn charge_layout(layout: &str, budget: &Budget) -> Result<(), Spent> {
    let length = layout.len() as u64;
    budget.charge(
        length.saturating_mul(LAYOUT),
        length.saturating_mul(TIMES_FORMAT as u64),
    )
}

/// The runs of letters a format can have; what is in single quotes is itself.
fn formatdate(arguments: &Arguments<'_>) -> Outcome {
    let moment = parse(arguments, 1)?;
    charge_layout(arguments.string(0), arguments.budget())?;
    let time = moment.civil();
    let mut out = String::new();
    let mut rest = arguments.string(0);
    while let Some(first) = rest.chars().next() {
        if first == '\'' {
            rest = quoted(&rest[1..], &mut out)?;
            continue;
        }
        let length = rest.len() - rest.trim_start_matches(first).len();
        let run = &rest[..length];
        rest = &rest[length..];
        if !first.is_ascii_alphabetic() {
            out.push_str(run);
            continue;
        }
        let hour12 = match time.hour() % 12 {
            0 => 12,
            hour => hour,
        };
        let piece = match run {
            "YYYY" => format!("{:04}", time.year()),
            "YY" => format!("{:02}", time.year().rem_euclid(100)),
            "MMMM" => time.strftime("%B").to_string(),
            "MMM" => time.strftime("%b").to_string(),
            "MM" => format!("{:02}", time.month()),
            "M" => time.month().to_string(),
            "DD" => format!("{:02}", time.day()),
            "D" => time.day().to_string(),
            "EEEE" => time.strftime("%A").to_string(),
            "EEE" => time.strftime("%a").to_string(),
            "hh" => format!("{:02}", time.hour()),
            "h" => time.hour().to_string(),
            "HH" => format!("{hour12:02}"),
            "H" => hour12.to_string(),
            "AA" => time.strftime("%p").to_string().to_uppercase(),
            "aa" => time.strftime("%p").to_string().to_lowercase(),
            "mm" => format!("{:02}", time.minute()),
            "m" => time.minute().to_string(),
            "ss" => format!("{:02}", time.second()),
            "s" => time.second().to_string(),
            "ZZZZZ" => moment.offset_text("", ":"),
            "ZZZZ" => moment.offset_text("", ""),
            "ZZZ" => moment.offset_text("UTC", ""),
            "Z" => moment.offset_text("Z", ":"),
            _ => {
                let message = format!("`{run}` means nothing here; quote text like 'at'");
                return Err(FunctionError::at(0, message));
            }
        };
        out.push_str(&piece);
    }
    Ok(out.into())
}

/// Copies quoted text up to its end, where `''` is one quote; gives what follows.
fn quoted<'a>(text: &'a str, out: &mut String) -> Result<&'a str, FunctionError> {
    let mut rest = text;
    loop {
        let Some((inside, after)) = rest.split_once('\'') else {
            return Err(FunctionError::at(0, "a quote is not closed"));
        };
        out.push_str(inside);
        match after.strip_prefix('\'') {
            Some(after) => {
                out.push('\'');
                rest = after;
            }
            None => return Ok(after),
        }
    }
}
