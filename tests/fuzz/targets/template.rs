//! Fuzz target: templates, read and evaluated.
#![cfg_attr(fuzzing, no_main)]
#![forbid(unsafe_code)]

lvhost_fuzz::target!(|data| {
    lvhost_fuzz::text(data, lvhost_fuzz::world::load_template);
});
