//! The shape of a source has all that the Go plugin 0.5.0 has, with the same types: what its `ConfigSpec`
//! answers, but for the `packer_…` options, which are the protocol's.

use lvhost_config::{Shape, ValueType, source_shape};

use super::world::built_in_sources;

/// Each block's options by type: `T`ext, `N`umber, `B`oolean, `LT` and `LN` for lists, `MT` for a map.
const GO_PLUGIN: &[(&str, &str, &str)] = &[
    (
        "",
        "T",
        "boot_keygroup_interval boot_wait key_hold_time domain_name cpu_mode communicator_interface \
         artifact_volume_alias network_address_source libvirt_uri shutdown_mode shutdown_timeout \
         domain_type arch chipset loader_path loader_type nvram_path nvram_template",
    ),
    ("", "N", "memory vcpu"),
    ("", "B", "secure_boot"),
    ("", "LT", "boot_command boot_devices"),
    (
        "communicator",
        "T",
        "communicator pause_before_connecting ssh_host ssh_username ssh_password ssh_keypair_name \
         temporary_key_pair_name temporary_key_pair_type ssh_private_key_file ssh_certificate_file \
         ssh_timeout ssh_wait_timeout ssh_bastion_host ssh_bastion_username ssh_bastion_password \
         ssh_bastion_private_key_file ssh_bastion_certificate_file ssh_file_transfer_method \
         ssh_proxy_host ssh_proxy_username ssh_proxy_password ssh_keep_alive_interval \
         ssh_read_write_timeout winrm_username winrm_password winrm_host winrm_timeout",
    ),
    (
        "communicator",
        "N",
        "ssh_port temporary_key_pair_bits ssh_handshake_attempts ssh_bastion_port ssh_proxy_port \
         winrm_port",
    ),
    (
        "communicator",
        "B",
        "ssh_clear_authorized_keys ssh_pty ssh_agent_auth ssh_disable_agent_forwarding \
         ssh_bastion_agent_auth ssh_bastion_interactive winrm_no_proxy winrm_use_ssl winrm_insecure \
         winrm_use_ntlm",
    ),
    (
        "communicator",
        "LT",
        "ssh_ciphers ssh_key_exchange_algorithms ssh_remote_tunnels ssh_local_tunnels",
    ),
    ("communicator", "LN", "ssh_public_key ssh_private_key"),
    ("graphics", "T", "type display"),
    ("graphics", "N", "port"),
    (
        "network_interface",
        "T",
        "type mac alias model bridge network",
    ),
    (
        "volume",
        "T",
        "pool name size capacity target_dev bus alias format device",
    ),
    ("volume", "B", "readonly"),
    (
        "volume.source",
        "T",
        "type checksum meta_data user_data network_config pool volume path label",
    ),
    ("volume.source", "LT", "urls files"),
    ("volume.source", "MT", "contents"),
];

fn inner<'a>(shape: &'a Shape, path: &str) -> &'a Shape {
    path.split('.')
        .filter(|name| !name.is_empty())
        .fold(shape, |shape, name| &shape.blocks[name].shape)
}

#[test]
fn the_go_plugins_options_are_there_with_their_types() {
    let shape = source_shape(&built_in_sources());
    let mut options = 0;
    for (block, value_type, names) in GO_PLUGIN {
        let value_type = match *value_type {
            "T" => ValueType::Text,
            "N" => ValueType::Number,
            "B" => ValueType::Boolean,
            "LT" => ValueType::TextList,
            "LN" => ValueType::NumberList,
            "MT" => ValueType::TextMap,
            other => panic!("{other}"),
        };
        for name in names.split_whitespace() {
            let attribute = inner(&shape, block).attributes.get(name);
            let found = attribute.map(|attribute| attribute.value_type);
            assert_eq!(found, Some(value_type), "{block}: {name}");
            options += 1;
        }
    }
    // 116 entries, less 8 of the protocol and 5 blocks.
    assert_eq!(options, 103);
    for (name, repeated) in [
        ("communicator", false),
        ("graphics", true),
        ("network_interface", true),
        ("volume", true),
    ] {
        assert_eq!(shape.blocks[name].repeated, repeated, "{name}");
    }
    assert!(!inner(&shape, "volume").blocks["source"].repeated);
}

/// With Packer, the options of all kinds of sources are one set.
#[test]
fn no_option_of_a_kind_of_source_is_required() {
    let shape = source_shape(&built_in_sources());
    let attributes = &inner(&shape, "volume.source").attributes;
    let required: Vec<_> = attributes
        .iter()
        .filter(|(_, attribute)| attribute.required)
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(required, ["type"]);
}
