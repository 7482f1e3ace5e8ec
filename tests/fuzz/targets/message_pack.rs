//! Fuzz target: what the other end of Packer's wire sends.
#![cfg_attr(fuzzing, no_main)]
#![forbid(unsafe_code)]

lvhost_fuzz::target!(|data| {
    lvhost_packer::fuzzing::message(data);
});
