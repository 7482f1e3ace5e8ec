//! Fuzz target: zip and tar archives, compressed or not.
#![cfg_attr(fuzzing, no_main)]
#![forbid(unsafe_code)]

lvhost_fuzz::target!(|data| {
    lvhost_fetch::fuzzing::unpack_archive(data, &std::env::temp_dir().join("lvhost-fuzz"));
});
