//! Fuzz target: the head of a disk image.
#![cfg_attr(fuzzing, no_main)]
#![forbid(unsafe_code)]

lvhost_fuzz::target!(|data| {
    if let Ok(Some(header)) = lvhost_image::qcow2::Header::parse(data) {
        assert!(header.cluster_bits <= 21, "a cluster size that was checked");
    }
});
