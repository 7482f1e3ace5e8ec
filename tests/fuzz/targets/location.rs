//! Fuzz target: where downloads lead: locations, and their checksums.
#![cfg_attr(fuzzing, no_main)]
#![forbid(unsafe_code)]

lvhost_fuzz::target!(|data| {
    lvhost_fuzz::text(data, lvhost_fetch::fuzzing::location);
});
