//! Times in YAML.

use jiff::civil::{Date, Time};

/// A time as YAML has it, in RFC 3339: `2026-1-2`, `2026-1-2 3:4:5.6` or `2026-1-2T3:4:5.6+07:00`.
pub(super) fn rfc3339(text: &str) -> Option<String> {
    let mut rest = text;
    let year = digits(&mut rest, 4, 4)?;
    rest = rest.strip_prefix('-')?;
    let month = digits(&mut rest, 1, 2)?;
    rest = rest.strip_prefix('-')?;
    let day = digits(&mut rest, 1, 2)?;
    let date = Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()?;
    let Some(separator) = rest.chars().next() else {
        return Some(format!("{date}T00:00:00Z"));
    };
    rest = rest.strip_prefix([' ', 'T', 't'])?;
    let hour = digits(&mut rest, 1, 2)?;
    rest = rest.strip_prefix(':')?;
    let minute = digits(&mut rest, 1, 2)?;
    rest = rest.strip_prefix(':')?;
    let second = digits(&mut rest, 1, 2)?;
    let [hour, minute, second] = [hour, minute, second].map(|part| i8::try_from(part).ok());
    let time = Time::new(hour?, minute?, second?, 0).ok()?;
    if let Some(fraction) = rest.strip_prefix(['.', ',']) {
        let end = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
        if end.len() == fraction.len() {
            return None;
        }
        rest = end;
    }
    let time = time.strftime("%H:%M:%S");
    if separator == ' ' {
        return rest.is_empty().then(|| format!("{date}T{time}Z"));
    }
    let zone = match rest {
        "Z" => "Z".to_owned(),
        _ => {
            let sign = rest
                .chars()
                .next()
                .filter(|sign| matches!(sign, '+' | '-'))?;
            let mut rest = &rest[1..];
            let hours = digits(&mut rest, 2, 2)?;
            rest = rest.strip_prefix(':')?;
            let minutes = digits(&mut rest, 2, 2)?;
            if !rest.is_empty() || hours > 24 || minutes > 60 {
                return None;
            }
            match (hours, minutes) {
                (0, 0) => "Z".to_owned(),
                _ => format!("{sign}{hours:02}:{minutes:02}"),
            }
        }
    };
    Some(format!("{date}T{time}{zone}"))
}

fn digits(rest: &mut &str, least: usize, most: usize) -> Option<i16> {
    let count = rest
        .bytes()
        .take(most)
        .take_while(u8::is_ascii_digit)
        .count();
    if count < least {
        return None;
    }
    let (number, behind) = rest.split_at(count);
    *rest = behind;
    number.parse().ok()
}
