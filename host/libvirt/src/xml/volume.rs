//! A volume's XML: <https://libvirt.org/formatstorage.html#storage-volume-xml>.
use super::element::Element;
use crate::VolumeSpec;

/// What libvirt is given to make a volume.
pub fn volume_xml(spec: &VolumeSpec) -> String {
    // Empty without a format: libvirt's schema wants the element all the same.
    let target = Element::new("target").children(spec.format.as_deref().map(format_element));
    let backing = spec.backing.as_ref().map(|backing| {
        Element::new("backingStore")
            .child(Element::with_text("path", &backing.path))
            .children(backing.format.as_deref().map(format_element))
    });
    Element::new("volume")
        .child(Element::with_text("name", &spec.id.name))
        .child(Element::with_text("capacity", spec.capacity).attribute("unit", "bytes"))
        .children(spec.allocation.map(|allocation| {
            Element::with_text("allocation", allocation).attribute("unit", "bytes")
        }))
        .child(target)
        .children(backing)
        .to_xml()
}

fn format_element(format: &str) -> Element {
    Element::new("format").attribute("type", format)
}
