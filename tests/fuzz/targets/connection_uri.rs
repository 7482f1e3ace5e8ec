//! Fuzz target: the URI of a hypervisor, which a template may name.
#![cfg_attr(fuzzing, no_main)]
#![forbid(unsafe_code)]

lvhost_fuzz::target!(|data| {
    lvhost_fuzz::text(data, lvhost_libvirt::fuzzing::connection_uri);
});
