//! Fuzz target: lists such as `SHA256SUMS`.
#![cfg_attr(fuzzing, no_main)]
#![forbid(unsafe_code)]

lvhost_fuzz::target!(|data| {
    lvhost_fuzz::text(data, lvhost_fetch::fuzzing::checksum_list);
});
