//! The encodings against bytes that Go has decoded, and against an independent decoder of gob.

use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::*;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn attributes(type_: Type, names: &str) -> impl Iterator<Item = (String, Entry)> {
    names
        .split_whitespace()
        .map(move |name| (name.to_owned(), Entry::attribute(type_.clone())))
}

/// The options of the plugin for libvirt 0.5.0, all 116 of them. Go programs have decoded both
/// encodings of it and found them equal to that plugin's own, entry by entry.
fn libvirt() -> Spec {
    let source: Spec = attributes(
        Type::String,
        "type checksum meta_data user_data network_config pool volume path label",
    )
    .chain(attributes(Type::list(Type::String), "urls files"))
    .chain(attributes(Type::map(Type::String), "contents"))
    .collect();
    let volume = attributes(
        Type::String,
        "pool name size capacity target_dev bus alias format device",
    )
    .chain(attributes(Type::Bool, "readonly"))
    .collect::<Spec>()
    .with("source", Entry::block(source));
    let graphics = attributes(Type::String, "type display")
        .chain(attributes(Type::Number, "port"))
        .collect();
    let network_interface =
        attributes(Type::String, "type mac alias model bridge network").collect();
    let communicator = attributes(
        Type::String,
        "communicator pause_before_connecting ssh_host ssh_username ssh_password ssh_keypair_name \
         temporary_key_pair_name temporary_key_pair_type ssh_private_key_file ssh_certificate_file \
         ssh_timeout ssh_wait_timeout ssh_bastion_host ssh_bastion_username ssh_bastion_password \
         ssh_bastion_private_key_file ssh_bastion_certificate_file ssh_file_transfer_method \
         ssh_proxy_host ssh_proxy_username ssh_proxy_password ssh_keep_alive_interval \
         ssh_read_write_timeout winrm_username winrm_password winrm_host winrm_timeout",
    )
    .chain(attributes(
        Type::Number,
        "ssh_port temporary_key_pair_bits ssh_handshake_attempts ssh_bastion_port ssh_proxy_port \
         winrm_port",
    ))
    .chain(attributes(
        Type::Bool,
        "ssh_clear_authorized_keys ssh_pty ssh_agent_auth ssh_disable_agent_forwarding \
         ssh_bastion_agent_auth ssh_bastion_interactive winrm_no_proxy winrm_use_ssl \
         winrm_insecure winrm_use_ntlm",
    ))
    .chain(attributes(
        Type::list(Type::String),
        "ssh_ciphers ssh_key_exchange_algorithms ssh_remote_tunnels ssh_local_tunnels",
    ))
    .chain(attributes(
        Type::list(Type::Number),
        "ssh_public_key ssh_private_key",
    ))
    .collect();
    attributes(
        Type::String,
        "packer_build_name packer_builder_type packer_core_version packer_on_error \
         boot_keygroup_interval boot_wait key_hold_time domain_name cpu_mode communicator_interface \
         artifact_volume_alias network_address_source libvirt_uri shutdown_mode shutdown_timeout \
         domain_type arch chipset loader_path loader_type nvram_path nvram_template",
    )
    .chain(attributes(Type::Bool, "packer_debug packer_force secure_boot"))
    .chain(attributes(Type::Number, "memory vcpu"))
    .chain(attributes(
        Type::list(Type::String),
        "packer_sensitive_variables boot_command boot_devices",
    ))
    .chain(attributes(Type::map(Type::String), "packer_user_variables"))
    .collect::<Spec>()
    .with("communicator", Entry::block(communicator))
    .with("network_interface", Entry::block_list(network_interface))
    .with("volume", Entry::block_list(volume))
    .with("graphics", Entry::block_list(graphics))
}

#[test]
fn the_options_of_a_real_builder_have_the_bytes_that_go_has_read() {
    let cases = [
        (
            SpecEncoding::Protobuf,
            6006,
            "d763b09e9fa154acdab7ae233a8248829f58ee044da57485c126e3c354991fd1",
        ),
        (
            SpecEncoding::Gob,
            23781,
            "d3db21b89c7c9faf53bf8ad345a93ce6c66705dce103a3fd01485a6ff0d3a9f7",
        ),
    ];
    for (encoding, length, hash) in cases {
        let bytes = libvirt().encode(encoding);
        assert_eq!(bytes.len(), length, "{encoding:?}");
        assert_eq!(hex(&Sha256::digest(&bytes)), hash, "{encoding:?}");
    }
}

#[test]
fn one_option_in_protobuf() {
    let spec = Spec::new().with("a", Entry::attribute(Type::String));
    let expected = "0a1c0a1a0a016112151213\
                    0a0161120e0a0c0a0a6374792e537472696e67";
    assert_eq!(hex(&spec.encode(SpecEncoding::Protobuf)), expected);
}

#[test]
fn what_is_required_is_said_in_protobuf() {
    let attribute = Spec::new().with(
        "a",
        Entry::Attribute {
            type_: Type::String,
            required: true,
        },
    );
    let bytes = attribute.encode(SpecEncoding::Protobuf);
    assert!(bytes.ends_with(b"cty.String\x18\x01"), "{}", hex(&bytes));
    let block = Spec::new().with(
        "a",
        Entry::Block {
            spec: Spec::new(),
            required: true,
        },
    );
    let bytes = block.encode(SpecEncoding::Protobuf);
    assert!(
        bytes.ends_with(&[0x0a, 1, b'a', 0x10, 1, 0x1a, 2, 0x0a, 0]),
        "{}",
        hex(&bytes)
    );
}

fn types() -> impl Strategy<Value = Type> {
    let primitive = prop_oneof![Just(Type::String), Just(Type::Number), Just(Type::Bool)];
    primitive.prop_recursive(3, 8, 1, |inner| {
        prop_oneof![
            inner.clone().prop_map(Type::list),
            inner.prop_map(Type::map)
        ]
    })
}

fn specs() -> impl Strategy<Value = Spec> {
    let attribute =
        (types(), any::<bool>()).prop_map(|(type_, required)| Entry::Attribute { type_, required });
    let entry = attribute.prop_recursive(3, 40, 6, |inner| {
        let spec = prop::collection::btree_map("[a-z_]{1,12}", inner, 0..6).prop_map(Spec);
        prop_oneof![
            (spec.clone(), any::<bool>())
                .prop_map(|(spec, required)| Entry::Block { spec, required }),
            spec.prop_map(|spec| Entry::BlockList { spec }),
        ]
    });
    prop::collection::btree_map("[a-z_]{1,200}", entry, 0..8).prop_map(Spec)
}

proptest! {
    #[test]
    fn an_independent_decoder_reads_the_same_spec_from_gob(spec in specs()) {
        let bytes = spec.encode(SpecEncoding::Gob);
        prop_assert_eq!(gobwire_peer::spec(&bytes), spec);
    }
}

/// Reads a spec from gob by crate `gobwire`.
mod gobwire_peer {
    use std::collections::BTreeMap;

    use gobwire::{
        Decoder, Dynamic, Interface, Progress, Type as GobType, Value, parse_length_prefix,
    };

    use crate::spec::{Entry, Spec, Type};

    fn decode(mut bytes: &[u8]) -> Dynamic {
        let mut decoder = Decoder::new();
        loop {
            let (width, length) = parse_length_prefix(bytes).unwrap().unwrap();
            let (message, rest) = bytes[width..].split_at(length);
            bytes = rest;
            if decoder.push_message(message).unwrap() == Progress::Ready {
                assert!(bytes.is_empty(), "bytes follow the value");
                let mut value = Dynamic::default();
                decoder.decode_into(&mut value).unwrap();
                return value;
            }
        }
    }

    pub(super) fn spec(bytes: &[u8]) -> Spec {
        object(&decode(bytes).value)
    }

    fn object(value: &Value) -> Spec {
        let Value::Map(entries) = value else {
            panic!("{value:?} is no map")
        };
        entries
            .iter()
            .map(|(name, entry)| {
                let name = text(name);
                let entry = self::entry(&name, interface(entry));
                (name, entry)
            })
            .collect()
    }

    fn entry(key: &str, entry: &Interface) -> Entry {
        let fields = fields(&entry.ty, &entry.value);
        let name = |field: &str| assert_eq!(text(&fields[field]), key);
        let required = fields.get("Required") == Some(&Value::Bool(true));
        let nested = || {
            let nested = interface(&fields["Nested"]);
            assert_eq!(nested.name, "github.com/hashicorp/hcl/v2/hcldec.ObjectSpec");
            object(&nested.value)
        };
        match entry.name.as_str() {
            "*hcldec.AttrSpec" => {
                name("Name");
                Entry::Attribute {
                    type_: type_(&fields["Type"]),
                    required,
                }
            }
            "*hcldec.BlockSpec" => {
                name("TypeName");
                Entry::Block {
                    spec: nested(),
                    required,
                }
            }
            "*hcldec.BlockListSpec" => {
                name("TypeName");
                Entry::BlockList { spec: nested() }
            }
            other => panic!("{other} is not registered in Go"),
        }
    }

    fn type_(value: &Value) -> Type {
        let Value::Marshaled(bytes) = value else {
            panic!("{value:?} is not opaque")
        };
        let described = decode(bytes);
        let described = fields(&described.ty, &described.value);
        let implementation = interface(&described["Impl"]);
        let fields = fields(&implementation.ty, &implementation.value);
        match implementation
            .name
            .strip_prefix("github.com/zclconf/go-cty/cty.")
        {
            Some("primitiveType") => match fields["Kind"] {
                Value::Uint(83) => Type::String,
                Value::Uint(78) => Type::Number,
                Value::Uint(66) => Type::Bool,
                ref other => panic!("{other:?} is no type"),
            },
            Some("typeList") => Type::list(type_(&fields["ElementTypeT"])),
            Some("typeMap") => Type::map(type_(&fields["ElementTypeT"])),
            _ => panic!("{} is not registered in Go", implementation.name),
        }
    }

    /// The fields that are there, by name.
    fn fields(type_: &GobType, value: &Value) -> BTreeMap<String, Value> {
        let (GobType::Struct(type_), Value::Struct(values)) = (type_, value) else {
            panic!("{value:?} is no struct")
        };
        let names = type_.fields.iter().map(|(name, _)| name.clone());
        names
            .zip(values)
            .filter_map(|(name, value)| Some((name, value.clone()?)))
            .collect()
    }

    fn interface(value: &Value) -> &Interface {
        let Value::Interface(Some(interface)) = value else {
            panic!("{value:?} is no interface")
        };
        interface
    }

    fn text(value: &Value) -> String {
        let Value::String(text) = value else {
            panic!("{value:?} is no text")
        };
        text.clone()
    }
}
