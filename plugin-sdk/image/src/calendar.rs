//! Unix time to a date and a time of day in UTC: the one piece of a calendar that is needed here.
//!
//! A date library would bring time zones into every component for these few lines; the tests hold
//! them against one.

/// A moment in UTC, on the Gregorian calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DateTime {
    pub(crate) year: u16,
    pub(crate) month: u8,
    pub(crate) day: u8,
    pub(crate) hour: u8,
    pub(crate) minute: u8,
    pub(crate) second: u8,
}

const SECONDS_PER_DAY: u64 = 24 * 60 * 60;

impl DateTime {
    /// The moment `seconds` after the beginning of 1970, brought into `earliest..=latest` first
    /// (the same unit), since no format here can write every time.
    pub(crate) fn within(seconds: u64, earliest: u64, latest: u64) -> Self {
        let seconds = seconds.clamp(earliest, latest);
        let (days, second_of_day) = (seconds / SECONDS_PER_DAY, seconds % SECONDS_PER_DAY);
        let (year, month, day) = civil_from_days(days);
        Self {
            year: year as u16,
            month: month as u8,
            day: day as u8,
            hour: (second_of_day / 3600) as u8,
            minute: (second_of_day / 60 % 60) as u8,
            second: (second_of_day % 60) as u8,
        }
    }
}

/// Year, month and day of a day counted from 1 January 1970.
///
/// After Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms": years are taken to begin in
/// March, so that the leap day is a year's last, and are counted in eras of 400, which all have the
/// same number of days.
fn civil_from_days(days: u64) -> (u64, u64, u64) {
    const DAYS_PER_ERA: u64 = 146_097;
    const FROM_MARCH_OF_YEAR_0: u64 = 719_468;
    let days = days + FROM_MARCH_OF_YEAR_0;
    let (era, day_of_era) = (days / DAYS_PER_ERA, days % DAYS_PER_ERA);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The end of the year 2155, the last that any format here can write.
    const LATEST: u64 = 5_869_583_999;

    proptest! {
        #[test]
        fn agrees_with_a_date_library(seconds in 0..=LATEST) {
            let ours = DateTime::within(seconds, 0, LATEST);
            let theirs = jiff::Timestamp::from_second(seconds as i64)
                .unwrap()
                .to_zoned(jiff::tz::TimeZone::UTC);
            prop_assert_eq!(
                (i64::from(ours.year), ours.month, ours.day, ours.hour, ours.minute, ours.second),
                (
                    i64::from(theirs.year()),
                    theirs.month() as u8,
                    theirs.day() as u8,
                    theirs.hour() as u8,
                    theirs.minute() as u8,
                    theirs.second() as u8,
                )
            );
        }
    }

    #[test]
    fn times_a_format_cannot_write_become_the_nearest() {
        let year = |seconds| DateTime::within(seconds, 315_532_800, LATEST).year;
        assert_eq!(
            [year(0), year(1_000_000_000), year(u64::MAX)],
            [1980, 2001, 2155]
        );
    }
}
