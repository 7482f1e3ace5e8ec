//! Fuzz target: the XML that libvirt sends.
#![cfg_attr(fuzzing, no_main)]
#![forbid(unsafe_code)]

lvhost_fuzz::target!(|data| {
    lvhost_fuzz::text(data, lvhost_libvirt::fuzzing::read_xml);
});
