//! A moment taken apart: year, month, week and whatever else Packer tells of it.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, date};
use jiff::tz::Offset;

use crate::functions::{Arguments, FunctionError, Outcome};
use crate::value::Value;

/// Seconds after which all dates come again, weeks included: 400 years.
const CYCLE: i64 = 146_097 * 86_400;

const YEARS_OF_CYCLE: i64 = 400;

/// Longest name of a month or a weekday, and other texts: what an object of parts takes at most.
pub(super) const SIZE: u64 = 4_000;

/// `unix_timestamp_parse(seconds)`.
pub(super) fn of_unix_timestamp(arguments: &Arguments<'_>) -> Outcome {
    arguments.budget().charge(SIZE / 16, SIZE)?;
    let seconds = arguments.number(0).to_i64().ok_or_else(|| {
        FunctionError::at(
            0,
            "a whole number of seconds since 1970 is needed, of 64 bits",
        )
    })?;
    let cycles = seconds.div_euclid(CYCLE);
    let moment =
        Timestamp::from_second(seconds.rem_euclid(CYCLE)).map_err(|error| error.to_string())?;
    let time = Offset::UTC.to_datetime(moment);
    let added = cycles * YEARS_OF_CYCLE;
    let year = i64::from(time.year()) + added;
    let sign = if year < 0 { "-" } else { "" };
    let text = format!(
        "{sign}{:04}{}Z",
        year.unsigned_abs(),
        time.strftime("-%m-%dT%H:%M:%S")
    );
    Ok(parts(&time, added, ("rfc3339", text.into())))
}

/// `rfc3339_parse(timestamp)`.
pub(super) fn of_rfc3339(arguments: &Arguments<'_>) -> Outcome {
    arguments.budget().charge(SIZE / 16, SIZE)?;
    let text = arguments.string(0);
    let (time, offset) = parse(text)
        .ok_or_else(|| FunctionError::at(0, "a timestamp like 2026-01-31T12:00:00Z is needed"))?;
    let since = time.duration_since(date(1970, 1, 1).to_datetime(jiff::civil::Time::midnight()));
    let unix = since.as_secs() - offset;
    Ok(parts(&time, 0, ("unix", unix.into())))
}

/// The parts of `time`, which is so many years later, and `other`.
fn parts(time: &DateTime, years: i64, other: (&'static str, Value)) -> Value {
    let week = time.date().iso_week_date();
    let number = |number: i8| Value::from(i64::from(number));
    let name = |directive| Value::from(time.strftime(directive).to_string());
    Value::object([
        ("year", Value::from(i64::from(time.year()) + years)),
        (
            "year_day",
            Value::from(i64::from(time.date().day_of_year())),
        ),
        ("day", number(time.day())),
        ("month", number(time.month())),
        ("month_name", name("%B")),
        (
            "weekday",
            number(time.date().weekday().to_sunday_zero_offset()),
        ),
        ("weekday_name", name("%A")),
        ("hour", number(time.hour())),
        ("minute", number(time.minute())),
        ("second", number(time.second())),
        ("iso_year", Value::from(i64::from(week.year()) + years)),
        ("iso_week", number(week.week())),
        other,
    ])
}

/// A timestamp as RFC 3339 has it, with what Go allows besides: spaces for the `T`, hours of one digit and
/// a comma in seconds. The time where it was, and the seconds that clocks there are ahead of UTC.
fn parse(text: &str) -> Option<(DateTime, i64)> {
    let mut rest = Rest(text);
    let year = rest.number(4)?;
    rest.skip("-")?;
    let month = rest.number(2)?;
    rest.skip("-")?;
    let day = rest.number(2)?;
    match rest.skip(" ") {
        Some(()) => rest.0 = rest.0.trim_start_matches(' '),
        None => rest.skip("T")?,
    }
    let hour = rest.number(2).or_else(|| rest.number(1))?;
    rest.skip(":")?;
    let minute = rest.number(2)?;
    rest.skip(":")?;
    let second = rest.number(2)?;
    if let Some(digits) = rest.0.strip_prefix(['.', ',']) {
        rest.0 = digits.trim_start_matches(|c: char| c.is_ascii_digit());
        if rest.0.len() == digits.len() {
            return None;
        }
    }
    let offset = rest.offset()?;
    let small = |number: i16| i8::try_from(number).ok();
    let day = Date::new(year, small(month)?, small(day)?).ok()?;
    let time = jiff::civil::Time::new(small(hour)?, small(minute)?, small(second)?, 0).ok()?;
    rest.0.is_empty().then_some((day.to_datetime(time), offset))
}

/// What is left of a text.
struct Rest<'a>(&'a str);

impl Rest<'_> {
    fn skip(&mut self, text: &str) -> Option<()> {
        self.0 = self.0.strip_prefix(text)?;
        Some(())
    }

    /// A number of so many digits.
    fn number(&mut self, digits: usize) -> Option<i16> {
        let number = self.0.get(..digits)?;
        if !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        self.0 = &self.0[digits..];
        number.parse().ok()
    }

    /// `Z`, or hours and minutes, where 24 and 60 are let through as Go does.
    fn offset(&mut self) -> Option<i64> {
        if self.skip("Z").is_some() {
            return Some(0);
        }
        let sign = match self.skip("-") {
            Some(()) => -1,
            None => {
                self.skip("+")?;
                1
            }
        };
        let hours = self.number(2).filter(|hours| *hours <= 24)?;
        self.skip(":")?;
        let minutes = self.number(2).filter(|minutes| *minutes <= 60)?;
        Some(sign * (i64::from(hours) * 3600 + i64::from(minutes) * 60))
    }
}
