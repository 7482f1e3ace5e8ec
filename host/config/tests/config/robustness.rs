//! Whatever a template holds, decoding it ends in a result.

use std::sync::LazyLock;

use lvhost_config::{
    BlockSchema, Communicator, Declared, Graphics, LibvirtSource, NetworkInterface,
    PROVISIONER_TYPES, PortForward, Provisioner, Shell, SourceSchemas, Volume, decode_source,
};
use lvhost_hcl::{Attribute, Block, Body, Diagnostics, SourceMap, Span, Value};
use proptest::prelude::*;

use super::world::built_in_sources;

static SOURCES: LazyLock<SourceSchemas> = LazyLock::new(built_in_sources);

/// A place in the one file there is.
static SPAN: LazyLock<Span> =
    LazyLock::new(|| Span::new(SourceMap::default().add("any.pkr.hcl", "source"), 0..6));

/// Names that mean something somewhere, so that most bodies get past the first check.
static NAMES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let schemas: [&BlockSchema; 7] = [
        LibvirtSource::SCHEMA,
        Communicator::SCHEMA,
        NetworkInterface::SCHEMA,
        PortForward::SCHEMA,
        Volume::SCHEMA,
        Graphics::SCHEMA,
        Shell::SCHEMA,
    ];
    let mut names: Vec<String> = Vec::new();
    for schema in schemas {
        names.extend(schema.options.iter().map(|option| option.name.to_string()));
        names.extend(schema.blocks.iter().map(|block| block.name.to_string()));
    }
    for source in SOURCES.kinds() {
        names.extend(source.options.iter().map(|option| option.name.clone()));
    }
    names.extend(["nonsense".to_string(), "ssh_bastion_host".to_string()]);
    names
});

fn value() -> impl Strategy<Value = Value> {
    const WORDS: &[&str] = &[
        "",
        "1",
        "-1",
        "0",
        "true",
        "4G",
        "1.5",
        "5m",
        "/",
        "ua-",
        "ua-artifact",
        "artifact",
        "managed",
        "user",
        "bridge",
        "vnc",
        "spice",
        "efi",
        "2.0",
        "direct",
        "winrm",
        "qemu+ssh://h/system",
        "8080:localhost:80",
        "-1s",
        "ssh",
        "none",
        "external",
        "cloudinit",
        "files",
        "sata",
        "cdrom",
        "52:54:00:12:34:56",
        "a=b",
        "=",
        "99999999999999999999999999",
    ];
    let leaf = prop_oneof![
        Just(Value::NULL),
        Just(Value::UNKNOWN),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        proptest::sample::select(WORDS).prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::list),
            proptest::collection::btree_map("[a-z.\\]\"]{0,4}", inner, 0..4)
                .prop_map(Value::object),
        ]
    })
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        9 => proptest::sample::select(NAMES.as_slice()),
        1 => "[a-z_]{0,8}",
    ]
}

fn body() -> impl Strategy<Value = Body> {
    let attributes = || proptest::collection::vec((name(), value()), 0..12);
    let leaf = attributes().prop_map(|attributes| with(attributes, Vec::new()));
    leaf.prop_recursive(3, 24, 6, move |inner| {
        let blocks = proptest::collection::vec((name(), inner), 0..6);
        (attributes(), blocks).prop_map(|(attributes, blocks)| with(attributes, blocks))
    })
}

fn with(attributes: Vec<(String, Value)>, blocks: Vec<(String, Body)>) -> Body {
    let mut body = Body::empty(*SPAN);
    for (name, value) in attributes {
        body.attributes
            .insert(name, Attribute::new(*SPAN, value, *SPAN));
    }
    body.blocks
        .extend(blocks.into_iter().map(|(name, body)| Block {
            name,
            name_span: *SPAN,
            labels: Vec::new(),
            body,
            span: *SPAN,
        }));
    body
}

proptest! {
    #[test]
    fn any_source_is_decoded_or_refused(body in body()) {
        let mut report = Diagnostics::default();
        let source = decode_source(&body, &SOURCES, &mut report);
        // What has no errors can be built from: these are what the engine relies on.
        if !report.has_errors() {
            prop_assert!(source.communicator.is_some());
            prop_assert!(!source.volume.is_empty());
            prop_assert!(!source.libvirt_uri.is_empty() || source.origin.is_unknown("libvirt_uri"));
        }
    }

    #[test]
    fn any_provisioner_is_decoded_or_refused(
        type_name in proptest::sample::select(PROVISIONER_TYPES),
        body in body(),
    ) {
        let mut report = Diagnostics::default();
        prop_assert!(Provisioner::decode(type_name, &body, &mut report).is_some());
    }
}
