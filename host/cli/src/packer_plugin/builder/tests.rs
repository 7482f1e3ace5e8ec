//! What Packer is told of options, in each of the forms in which it sends them.

use lvhost_packer::{Map, Origin, Value};
use serde_json::json;

use super::*;

fn map(value: serde_json::Value) -> Map {
    match Value::from(value) {
        Value::Map(map) => map,
        other => panic!("{other:?}"),
    }
}

/// As `hcl2` of Packer sends them.
fn hcl(options: serde_json::Value) -> Vec<RawConfig> {
    let of_packer = json!({
        "packer_build_name": "example",
        "packer_builder_type": "libvirt",
        "packer_core_version": "1.16.0",
        "packer_debug": "false",
        "packer_force": "false",
        "packer_on_error": "",
    });
    vec![
        RawConfig {
            origin: Origin::Packer,
            values: map(of_packer),
        },
        RawConfig {
            origin: Origin::Hcl,
            values: map(options),
        },
    ]
}

/// As a template in JSON comes.
fn json_template(options: serde_json::Value) -> Vec<RawConfig> {
    let of_packer = json!({
        "packer_build_name": "example",
        "packer_debug": false,
        "packer_user_variables": {"size": "1G"},
    });
    [options, of_packer]
        .map(|values| RawConfig {
            origin: Origin::Packer,
            values: map(values),
        })
        .into()
}

/// A source that is right.
fn good() -> serde_json::Value {
    json!({
        "libvirt_uri": "test:///default",
        "network_address_source": "lease",
        "memory": null,
        "network_interface": [{"type": "managed", "alias": "communicator", "mac": null}],
        "communicator": {"ssh_username": "root", "ssh_password": "hush"},
        "volume": [{"alias": "artifact", "capacity": "1G", "source": null}],
        "graphics": [],
    })
}

fn with(changes: serde_json::Value) -> serde_json::Value {
    let mut options = good();
    for (name, value) in changes.as_object().unwrap() {
        options[name] = value.clone();
    }
    options
}

async fn prepare(configs: Vec<RawConfig>) -> Prepared {
    Plugin::new(Surroundings::of_this_process())
        .prepare(configs)
        .await
}

#[tokio::test]
async fn what_is_right_passes_in_both_languages() {
    for configs in [hcl(good()), json_template(good())] {
        let prepared = prepare(configs).await;
        assert_eq!(prepared.errors, [""; 0]);
        assert_eq!(prepared.warnings, [""; 0]);
        assert_eq!(
            prepared.generated_variables,
            ["SSHAgentAuth", "SSHPrivateKeyFile"]
        );
    }
}

#[tokio::test]
async fn json_is_taken_loosely() {
    let loose = with(json!({
        "MEMORY": 512.0,
        "vcpu": "2",
        "secure_boot": "false",
        "boot_devices": "hd,network",
        "boot_command": "<enter>",
        "network_interface": {"type": "managed", "alias": "communicator"},
        "communicator": [{"ssh_username": "root", "ssh_password": 12345, "ssh_port": "2222"}],
        "volume": {"alias": "artifact", "capacity": "{{user `size`}}"},
    }));
    let prepared = prepare(json_template(loose)).await;
    assert_eq!(prepared.errors, [""; 0]);
}

/// What is wrong with an option tells no value of a variable that Packer calls sensitive, and none of an option
/// that its component does.
#[tokio::test]
async fn what_is_wrong_tells_no_secret() {
    let mut configs = json_template(with(json!({
        "boot_wait": "{{user `token`}}",
        "shutdown_mode": "of swordfish-of-option",
        "volume": [
            {"alias": "artifact", "capacity": "1G"},
            {"source": {"type": "cloud-init", "user_data": "swordfish-of-option"}},
        ],
    })));
    configs[1].values.extend(map(json!({
        "packer_user_variables": {"token": "swordfish-of-variable"},
        "packer_sensitive_variables": ["token"],
    })));
    let prepared = prepare(configs).await;
    let said = prepared.errors.join("\n");
    assert!(!said.contains("swordfish"), "{said}");
    for option in ["boot_wait", "shutdown_mode"] {
        assert!(said.contains(option), "{option}: {said}");
    }
    assert!(said.contains("<sensitive>"), "{said}");
}

#[tokio::test]
async fn what_is_not_known_yet_is_not_judged() {
    let unknown = with(json!({
        "libvirt_uri": "<unknown>",
        "memory": 0,
        "shutdown_timeout": "<unknown>",
        "boot_devices": ["<unknown>"],
        "volume": [{
            "alias": "<unknown>",
            "capacity": "<unknown>",
            "source": {"type": "external", "urls": [], "checksum": "<unknown>"},
        }],
    }));
    let prepared = prepare(hcl(unknown.clone())).await;
    assert_eq!(prepared.errors, [""; 0]);
    // Templates in JSON have no such thing.
    let prepared = prepare(json_template(unknown)).await;
    let said = prepared.errors.join("\n");
    assert!(said.contains("`shutdown_timeout`"), "{said}");
}

#[tokio::test]
async fn what_is_wrong_has_its_path_and_no_values() {
    let cases = [
        (
            json!({"volume": [{"alias": "artifact", "capacity": "huge"}]}),
            "volume[0]: `capacity`: ",
        ),
        (
            json!({"volume": [{"alias": "artifact", "source": {"type": "files"}}]}),
            "volume[0].source",
        ),
        (
            json!({"communicator": {"ssh_username": "root", "ssh_timeout": "soon"}}),
            "communicator: `ssh_timeout`: ",
        ),
        (
            json!({"communicator": {"ssh_username": "root", "ssh_private_key_file": "/nowhere"}}),
            "communicator: `ssh_private_key_file`: can't read /nowhere: ",
        ),
        (
            json!({"memroy": 1}),
            "has no option called `memroy`; did you mean `memory`?",
        ),
        (json!({"volume": "large"}), "`volume` is a block"),
        (
            json!({"domain_name": "{{ .HTTPIP }}"}),
            "domain_name: there is nothing that {{ .HTTPIP }} could stand for here",
        ),
        (json!({"vcpu": 1.5}), "`vcpu`: "),
        (json!({"libvirt_uri": null}), "`libvirt_uri` is missing"),
        (
            json!({"libvirt_uri": "qemu+ext:///system?command=/bin/false"}),
            "libvirt_uri: a template may not have this URI, which may do more than name a hypervisor: \
             it has the transport `ext`",
        ),
    ];
    for (changes, expected) in cases {
        let prepared = prepare(json_template(with(changes))).await;
        let said = prepared.errors.join("\n");
        assert!(said.contains(expected), "no {expected:?} in {said}");
        assert!(!said.contains("hush"), "{said}");
    }
}

#[tokio::test]
async fn fields_of_a_boot_command_are_for_the_build() {
    let typed = with(json!({
        "http_content": {"/a": "b"},
        "boot_command": ["{{user `size`}} http://{{ .HTTPIP }}:{{ .HTTPPort }}/a<enter>"],
    }));
    let prepared = prepare(json_template(typed)).await;
    assert_eq!(prepared.errors, [""; 0]);
    let wrong = with(json!({"boot_command": ["{{ .HTTPPrt }}"]}));
    let prepared = prepare(json_template(wrong)).await;
    let said = prepared.errors.join("\n");
    assert!(said.contains("`.HTTPPrt`"), "{said}");
}

/// A plugin that was started where this `lvhost.hcl` lies, and where it lies.
fn beside(settings: &str) -> (Plugin, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("lvhost.hcl"), settings).unwrap();
    let mut surroundings = Surroundings::of_this_process();
    surroundings.working_directory = folder.path().to_owned();
    (Plugin::new(surroundings), folder)
}

#[tokio::test]
async fn what_is_wrong_with_the_settings_hides_no_option() {
    for (settings, expected) in [
        ("source_plugin \"stranger\" {", "is not closed"),
        (
            "source_plugin \"stranger\" {\n  file = \"a.wasm\"\n}\n",
            "can't read",
        ),
    ] {
        let (plugin, _folder) = beside(settings);
        let wrong = with(json!({
            "memroy": 1,
            "volume": [
                {"alias": "artifact", "capacity": "1G"},
                {"source": {"type": "stranger"}},
            ],
        }));
        let prepared = plugin.prepare(json_template(wrong)).await;
        let [of_settings, of_option] = prepared.errors.as_slice() else {
            panic!("{:#?}", prepared.errors)
        };
        assert!(of_settings.contains(expected), "{of_settings}");
        assert!(of_option.contains("`memroy`"), "{of_option}");
        // Packer refuses options that are not in it, before it asks the plugin.
        let names = names_of(&plugin.config_spec());
        assert!(names.iter().any(|name| name == "urls"), "{names:?}");

        let (plugin, _folder) = beside(settings);
        let prepared = plugin.prepare(hcl(good())).await;
        assert_eq!(prepared.errors.len(), 1, "{:#?}", prepared.errors);
    }
}

#[test]
fn the_specification_requires_nothing_and_has_packers_own() {
    let specification = Plugin::new(Surroundings::of_this_process()).config_spec();
    let names = names_of(&specification);
    for name in [
        "packer_debug",
        "packer_user_variables",
        "urls",
        "ssh_username",
    ] {
        assert!(names.iter().any(|known| known == name), "{name}");
    }
}

/// All names in it. None is required.
fn names_of(specification: &Spec) -> Vec<String> {
    use lvhost_packer::Entry;
    let mut blocks = vec![specification];
    let mut names = Vec::new();
    while let Some(block) = blocks.pop() {
        for (name, entry) in block.iter() {
            names.push(name.to_owned());
            match entry {
                Entry::Attribute { required, .. } => assert!(!required, "{name}"),
                Entry::Block { spec, required } => {
                    assert!(!required, "{name}");
                    blocks.push(spec);
                }
                Entry::BlockList { spec } => blocks.push(spec),
            }
        }
    }
    names
}
