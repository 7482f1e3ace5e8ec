//! Unix time to a date and a time of day, in UTC.
