//! Fuzz target: files compressed by gzip, bzip2, xz and zstd.
#![cfg_attr(fuzzing, no_main)]
#![forbid(unsafe_code)]

lvhost_fuzz::target!(|data| {
    lvhost_fetch::fuzzing::decompress(data);
});
