//! XML from libvirt, which may be another machine's and holds what others wrote into it, for a fuzz target.

use crate::{ConnectionUri, XmlOverlay, xml};

/// Any text, taken for each kind of XML that is read.
pub fn read_xml(text: &str) {
    let _ = xml::pool_facts(text, true);
    let _ = xml::network_facts(text, true);
    let _ = xml::volume_facts(text);
    let _ = xml::capabilities(text);
    let _ = xml::domain_capabilities(text);
    if let Ok(record) = xml::build_record(text) {
        let written = xml::build_record_xml(&record);
        let again = xml::build_record(&written);
        assert_eq!(
            again.ok().as_ref(),
            Some(&record),
            "a record that was read can be written"
        );
    }
    let _ = XmlOverlay::parse(text);
}

/// A connection URI.
pub fn connection_uri(text: &str) {
    let uri = ConnectionUri::new(text);
    let _ = uri.host();
    let _ = uri.bastion();
    let _ = uri.to_string();
    let _ = crate::is_local(text);
    let is_harmless = uri.risk().is_none();
    let (before, query) = text.split_once('?').unwrap_or((text, ""));
    if before.starts_with("qemu+ext:") {
        assert!(!is_harmless, "{text:?} runs a program");
    }
    if before.starts_with("qemu+ssh://") {
        let query = query.split('#').next().unwrap_or_default();
        let names = query.split('&').filter_map(|it| it.split_once('='));
        let runs = names.filter(|(name, _)| ["command", "netcat"].contains(name));
        assert!(runs.count() == 0 || !is_harmless, "{text:?} runs a program");
    }
}
