//! Every option that names something of this machine is looked at by `validate`.

use std::collections::BTreeMap;
use std::os::unix::net::UnixListener;

use lvhost_config::{SourceSchemas, block_schemas};

use crate::lvhost::{Lvhost, Said, template};

/// A key of its own, without a passphrase.
const KEY: &str = include_str!("keys/plain");
/// The same with the passphrase `secret`.
const LOCKED: &str = include_str!("keys/locked");

/// What an option that sounds like a path is.
enum Path {
    /// One of this machine: with these lines in its block, the template can't be used.
    Here(&'static str),
    /// None of this machine, for this reason.
    Elsewhere(&'static str),
}
use Path::{Elsewhere, Here};

/// All options that sound like a path, by their block.
const PATHS: &[(&str, &str, Path)] = &[
    (
        "source \"libvirt\"",
        "libvirt_uri",
        Here("libvirt_uri = \"qemu+ssh://host/system?keyfile=/missing/k\""),
    ),
    (
        "source \"libvirt\"",
        "http_directory",
        Here("http_directory = \"missing\""),
    ),
    (
        "source \"libvirt\"",
        "console_log",
        Here("console_log = \"file/missing\""),
    ),
    (
        "source \"libvirt\"",
        "output_directory",
        Here("output_directory = \"file/missing\""),
    ),
    (
        "source \"libvirt\"",
        "http_content",
        Elsewhere("paths of a URL"),
    ),
    (
        "source \"libvirt\"",
        "loader_path",
        Elsewhere("the hypervisor's"),
    ),
    (
        "source \"libvirt\"",
        "nvram_path",
        Elsewhere("the hypervisor's"),
    ),
    (
        "source \"libvirt\"",
        "nvram_template",
        Elsewhere("the hypervisor's"),
    ),
    ("source \"libvirt\"", "firmware", Elsewhere("a kind")),
    ("source \"libvirt\"", "loader_type", Elsewhere("a word")),
    (
        "communicator",
        "ssh_private_key_file",
        Here("ssh_private_key_file = \"missing\""),
    ),
    (
        "communicator",
        "ssh_certificate_file",
        Here("ssh_private_key_file = \"key\"\nssh_certificate_file = \"missing\""),
    ),
    (
        "communicator",
        "ssh_bastion_private_key_file",
        Here(
            "ssh_password = \"x\"\nssh_bastion_host = \"b\"\nssh_bastion_private_key_file = \"missing\"",
        ),
    ),
    (
        "communicator",
        "ssh_bastion_certificate_file",
        Here(
            "ssh_password = \"x\"\nssh_bastion_host = \"b\"\nssh_bastion_private_key_file = \"key\"\n\
             ssh_bastion_certificate_file = \"missing\"",
        ),
    ),
    (
        "communicator",
        "ssh_file_transfer_method",
        Elsewhere("a word"),
    ),
    ("volume", "backing_volumes", Elsewhere("the hypervisor's")),
    ("volume", "attach_as", Elsewhere("a word")),
    (
        "provisioner \"shell\"",
        "script",
        Here("script = \"missing\""),
    ),
    (
        "provisioner \"shell\"",
        "scripts",
        Here("scripts = [\"file\", \"missing\"]"),
    ),
    (
        "provisioner \"shell\"",
        "remote_folder",
        Elsewhere("the guest's"),
    ),
    (
        "provisioner \"shell\"",
        "remote_file",
        Elsewhere("the guest's"),
    ),
    (
        "provisioner \"shell\"",
        "remote_path",
        Elsewhere("the guest's"),
    ),
    (
        "provisioner \"shell\"",
        "use_env_var_file",
        Elsewhere("no path"),
    ),
    (
        "provisioner \"shell\"",
        "env_var_format",
        Elsewhere("no path"),
    ),
    (
        "provisioner \"shell\"",
        "execute_command",
        Elsewhere("a command"),
    ),
    (
        "provisioner \"shell-local\"",
        "script",
        Here("script = \"missing\""),
    ),
    (
        "provisioner \"shell-local\"",
        "scripts",
        Here("scripts = [\"file\", \"missing\"]"),
    ),
    (
        "provisioner \"file\"",
        "source",
        Here("source = \"missing\"\ndestination = \"/tmp/\""),
    ),
    (
        "provisioner \"file\"",
        "sources",
        Here("sources = [\"file\", \"missing\"]\ndestination = \"/tmp/\""),
    ),
    (
        "provisioner \"file\"",
        "destination",
        Here("source = \"/etc/x\"\ndestination = \"file/missing\"\ndirection = \"download\""),
    ),
    (
        "external",
        "urls",
        Here("urls = [\"missing\"]\nchecksum = \"none\""),
    ),
    (
        "external",
        "checksum",
        Here("urls = [\"https://127.0.0.1:1/x\"]\nchecksum = \"file:missing\""),
    ),
    ("files", "files", Here("files = [\"missing\"]")),
    ("files", "contents", Elsewhere("paths on the disc")),
    ("backing-store", "path", Elsewhere("the hypervisor's")),
];

/// Whether an option may name a file or folder.
fn sounds_like_a_path(name: &str, documentation: &str) -> bool {
    let parts = [
        "path",
        "paths",
        "file",
        "files",
        "folder",
        "directory",
        "script",
        "scripts",
    ];
    let names = ["source", "sources", "destination", "urls"];
    let words = [
        "path of",
        "paths of",
        "a folder of this machine",
        "a file of this machine",
    ];
    let documentation = documentation.to_lowercase();
    names.contains(&name)
        || name.split('_').any(|part| parts.contains(&part))
        || words.iter().any(|word| documentation.contains(word))
        || documentation.contains("`file:")
}

/// The template with these lines in one of its blocks.
fn with(block: &str, lines: &str) -> String {
    let plain = template("test:///default", "");
    match block {
        "source \"libvirt\"" if lines.starts_with("libvirt_uri") => {
            plain.replace("libvirt_uri = \"test:///default\"", lines)
        }
        "source \"libvirt\"" => plain.replacen(
            "  network_interface",
            &format!("{lines}\n  network_interface"),
            1,
        ),
        "communicator" => plain.replace("ssh_password = \"packer\"", lines),
        provisioner if provisioner.starts_with("provisioner") => template(
            "test:///default",
            &format!("{provisioner} {{\n{lines}\n}}\n"),
        ),
        kind => plain.replacen(
            "  volume {",
            &format!("  volume {{\nsource {{\ntype = \"{kind}\"\n{lines}\n}}\n}}\n  volume {{"),
            1,
        ),
    }
}

fn validate(block: &str, lines: &str) -> Said {
    let lvhost = Lvhost::new()
        .file("file", "text")
        .file("folder/inner", "text")
        .file("key", KEY)
        .file("locked", LOCKED)
        .file("t.pkr.hcl", &with(block, lines));
    let _socket = UnixListener::bind(lvhost.folder().join("socket")).unwrap();
    lvhost.call(&["validate", "t.pkr.hcl"])
}

#[test]
fn no_option_that_names_a_path_is_forgotten() {
    let table: BTreeMap<_, _> = PATHS
        .iter()
        .map(|(block, option, path)| ((*block, *option), path))
        .collect();
    let mut known = Vec::new();
    for schema in block_schemas() {
        for option in schema.options {
            known.push((
                schema.name.to_owned(),
                option.name.to_owned(),
                option.prose(),
            ));
        }
    }
    let runtime = lvhost_runtime::Runtime::new(lvhost_runtime::Settings::default()).unwrap();
    let loaded = lvhost_sources::all().iter().map(|bundled| {
        let bytes = lvhost_runtime::ComponentBytes::Precompiled(bundled.precompiled);
        let limits = lvhost_runtime::Limits::default();
        runtime.load(bundled.type_name, bytes, limits).unwrap()
    });
    let schemas: SourceSchemas = lvhost_engine::Sources::new(loaded).unwrap().schemas();
    for source in schemas.kinds() {
        for option in &source.options {
            known.push((
                source.type_name.clone(),
                option.name.clone(),
                option.documentation.clone(),
            ));
        }
    }
    for (block, option, documentation) in &known {
        let is_known = table.contains_key(&(block.as_str(), option.as_str()));
        assert!(
            is_known || !sounds_like_a_path(option, documentation),
            "{block}: {option} sounds like a path: have `validate` look at it, and write it down here"
        );
    }
    for ((block, option), path) in table {
        let is_there = known
            .iter()
            .any(|(of, name, _)| of == block && name == option);
        assert!(is_there, "{block} has no option {option}");
        match path {
            Elsewhere(reason) => assert!(!reason.is_empty()),
            Here(lines) => {
                let said = validate(block, lines);
                assert_eq!(said.code, Some(2), "{block}: {option}: {said:?}");
                assert!(
                    said.messages.contains("missing"),
                    "{block}: {option}: {}",
                    said.messages
                );
                assert!(
                    said.messages.contains(option),
                    "{block}: {option}: {}",
                    said.messages
                );
                assert!(
                    said.messages.contains("help: "),
                    "{block}: {option}: {}",
                    said.messages
                );
            }
        }
    }
}

#[test]
fn what_is_there_and_of_another_kind_is_told() {
    for (block, lines, expected) in [
        (
            "communicator",
            "ssh_private_key_file = \"locked\"",
            "it has a passphrase",
        ),
        (
            "communicator",
            "ssh_private_key_file = \"~/locked\"",
            "ssh_agent_auth = true",
        ),
        (
            "communicator",
            "ssh_private_key_file = \"file\"",
            "it is no private key",
        ),
        (
            "communicator",
            "ssh_private_key_file = \"folder\"",
            "it is a folder",
        ),
        (
            "communicator",
            "ssh_private_key_file = \"socket\"",
            "a socket",
        ),
        (
            "communicator",
            "ssh_password = \"x\"\nssh_bastion_host = \"b\"\nssh_bastion_private_key_file = \"locked\"",
            "`ssh_bastion_private_key_file`: can't read",
        ),
        (
            "communicator",
            "ssh_private_key_file = \"key\"\nssh_certificate_file = \"key\"",
            "it is no certificate of OpenSSH",
        ),
        (
            "communicator",
            "ssh_agent_auth = true",
            "SSH_AUTH_SOCK is not set",
        ),
        (
            "source \"libvirt\"",
            "http_directory = \"file\"",
            "it is not a folder",
        ),
        (
            "source \"libvirt\"",
            "libvirt_uri = \"qemu+ssh://host/system?keyfile=/missing/k\"",
            "`libvirt_uri`: can't read its `keyfile`",
        ),
        (
            "source \"libvirt\"",
            "console_log = \"folder\"",
            "it is a folder",
        ),
        (
            "source \"libvirt\"",
            "console_log = \"socket\"",
            "it is a socket, and must be a regular file",
        ),
        (
            "source \"libvirt\"",
            "console_log = \"/dev/zero\"",
            "it is a device",
        ),
        (
            "provisioner \"file\"",
            "source = \"/x\"\ndestination = \"socket\"\ndirection = \"download\"",
            "a socket",
        ),
        (
            "source \"libvirt\"",
            "output_directory = \"file\"",
            "is not a folder",
        ),
        (
            "provisioner \"shell\"",
            "script = \"folder\"",
            "it is a folder",
        ),
        (
            "provisioner \"shell\"",
            "scripts = [\"socket\"]",
            "a socket",
        ),
        (
            "provisioner \"file\"",
            "source = \"socket\"\ndestination = \"/x\"",
            "a socket",
        ),
        ("files", "files = [\"folder/*.inf\"]", "matches no file"),
        (
            "files",
            "files = [\"socket\"]",
            "neither a file nor a folder",
        ),
        (
            "external",
            "urls = [\"folder\"]\nchecksum = \"none\"",
            "it is a folder",
        ),
    ] {
        let said = validate(block, lines);
        assert_eq!(said.code, Some(2), "{lines}: {said:?}");
        assert!(
            said.messages.contains(expected),
            "{lines}: {}",
            said.messages
        );
    }
}

#[test]
fn what_can_be_used_is_valid() {
    for (block, lines) in [
        ("communicator", "ssh_private_key_file = \"key\""),
        ("communicator", "ssh_private_key_file = \"~/key\""),
        // What is not used is not looked at.
        (
            "communicator",
            "communicator = \"none\"\nssh_private_key_file = \"missing\"",
        ),
        ("source \"libvirt\"", "http_directory = \"folder\""),
        ("source \"libvirt\"", "console_log = \"new/folder/log\""),
        ("source \"libvirt\"", "console_log = \"off\""),
        ("source \"libvirt\"", "output_directory = \"new/folder\""),
        (
            "provisioner \"shell\"",
            "scripts = [\"file\", \"./folder/inner\"]",
        ),
        (
            "provisioner \"file\"",
            "sources = [\"folder\", \"folder/\", \"file\"]\ndestination = \"/tmp/\"",
        ),
        (
            "provisioner \"file\"",
            "source = \"missing\"\ngenerated = true\ndestination = \"/tmp/\"",
        ),
        (
            "provisioner \"file\"",
            "source = \"/etc/x\"\ndestination = \"new/folder/\"\ndirection = \"download\"",
        ),
        ("files", "files = [\"folder/*\", \"file\"]"),
        ("external", "urls = [\"file\"]\nchecksum = \"none\""),
    ] {
        let said = match lines.strip_prefix("communicator = \"none\"\n") {
            None => validate(block, lines),
            Some(rest) => {
                let text =
                    with(block, rest).replace("communicator = \"ssh\"", "communicator = \"none\"");
                Lvhost::new()
                    .file("t.pkr.hcl", &text)
                    .call(&["validate", "t.pkr.hcl"])
            }
        };
        assert_eq!(said.code, Some(0), "{lines}: {said:?}");
    }
}

/// Locations are tried in turn.
#[test]
fn a_location_that_others_stand_in_for_is_a_warning() {
    let said = validate(
        "external",
        "urls = [\"missing\", \"file\"]\nchecksum = \"none\"",
    );
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(
        said.messages.contains("warning: can't read"),
        "{}",
        said.messages
    );
    assert!(
        said.messages.contains("the other locations are tried"),
        "{}",
        said.messages
    );
}

/// What the build can't make a location of is no location here either.
#[test]
fn a_url_that_the_build_would_refuse_is_refused() {
    for (url, expected) in [
        ("s3://bucket", "the S3 address"),
        ("s3::https://s3.amazonaws.com/", "the S3 address"),
        ("smb://nas", "the SMB address"),
        ("smb://nas/share", "the SMB address"),
        (
            "https://h/a?archive=xz&archive=gz",
            "`archive=` stands more than once",
        ),
        (
            "https://h/a?filename=a&filename=b",
            "`filename=` stands more than once",
        ),
        ("https://h/a?filename=..", "is not the name of a file"),
        ("http:host", "`http:` is not followed by `//` and a host"),
        ("https://[::1/a", "is not a valid URL"),
    ] {
        let said = validate(
            "external",
            &format!("urls = [\"{url}\"]\nchecksum = \"none\""),
        );
        assert_eq!(said.code, Some(2), "{url}: {said:?}");
        assert!(said.messages.contains(expected), "{url}: {}", said.messages);
    }
}
