//! Fuzz target: where downloads and connections lead: locations, checksums, libvirt URIs.
#![cfg_attr(fuzzing, no_main)]
#![forbid(unsafe_code)]

lvhost_fuzz::target!(|data| {
    lvhost_fuzz::text(data, |text| {
        lvhost_fetch::fuzzing::location(text);
        lvhost_libvirt::fuzzing::connection_uri(text);
    });
});
