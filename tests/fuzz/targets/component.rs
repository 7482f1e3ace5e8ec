//! Fuzz target: what a stranger's component says, by the mouth of its process.
#![cfg_attr(fuzzing, no_main)]
#![forbid(unsafe_code)]

lvhost_fuzz::target!(|data| {
    lvhost_runtime::fuzzing::child_says(data);
});
