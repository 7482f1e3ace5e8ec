//! `lvhost.hcl`, the settings of a project.

use std::sync::Arc;
use std::time::Duration;

use lvhost_config::{
    Allow, BlockSchema, Declared, Project, SecretBlock, Size, SourceLimits, SourcePlugin,
    decode_project, is_type_name,
};
use lvhost_hcl::{Diagnostics, InputFile, RenderStyle, SourceMap, load_settings, render};

use super::world::Nowhere;

/// What is decoded, and what is said of what is wrong.
fn decode(text: &str) -> (Project, String) {
    let (mut files, mut report) = (SourceMap::default(), Diagnostics::default());
    let input = InputFile {
        name: "lvhost.hcl".to_owned(),
        text: text.to_owned(),
    };
    let Some(body) = load_settings(&input, Arc::new(Nowhere), &mut files, &mut report) else {
        panic!("{text} can't be read");
    };
    let project = decode_project(&body, &mut report);
    (project, render(&files, &report, RenderStyle::default()))
}

#[test]
fn an_entry_with_everything_in_it() {
    let (project, messages) = decode(
        r#"
source_plugin "newest-image" {
  file   = "components/newest.wasm"
  sha256 = "00ff"
  allow {
    urls             = ["https://example.org/images/"]
    hosts            = ["*.example.org"]
    files            = ["drivers/"]
    volumes          = ["default/base"]
    hypervisor_paths = ["/images/"]
    aws_credentials  = true
    posts            = ["https://example.org/token"]
    secrets          = ["registry"]
  }
  limits {
    memory = "128MiB"
    time   = "1m30s"
  }
}
source_plugin "empty" {}
secret "registry" {
  env       = "TOKEN"
  addresses = ["registry.example.org"]
}
secret "in_a-file" {
  file = "token"
}
"#,
    );
    assert_eq!(messages, "");
    let [full, empty] = &project.source_plugins[..] else {
        panic!("two entries");
    };
    assert_eq!(full.name, "newest-image");
    assert_eq!(full.plugin.file.as_deref(), Some("components/newest.wasm"));
    assert_eq!(full.plugin.sha256.as_deref(), Some("00ff"));
    let allow = full.plugin.allow.as_ref().unwrap();
    assert_eq!(allow.urls, ["https://example.org/images/"]);
    assert_eq!(allow.hosts, ["*.example.org"]);
    assert_eq!(allow.files, ["drivers/"]);
    assert_eq!(allow.volumes, ["default/base"]);
    assert_eq!(allow.hypervisor_paths, ["/images/"]);
    assert!(allow.aws_credentials);
    assert_eq!(allow.posts, ["https://example.org/token"]);
    assert_eq!(allow.secrets, ["registry"]);
    let [registry, in_a_file] = &project.secrets[..] else {
        panic!("two secrets");
    };
    assert_eq!(registry.name, "registry");
    assert_eq!(registry.secret.env.as_deref(), Some("TOKEN"));
    assert_eq!(registry.secret.addresses, ["registry.example.org"]);
    assert_eq!(in_a_file.secret.file.as_deref(), Some("token"));
    let limits = full.plugin.limits.as_ref().unwrap();
    assert_eq!(limits.memory, Some(Size(128 << 20)));
    assert_eq!(limits.time, Some(Duration::from_secs(90)));
    assert!(empty.plugin.allow.is_none() && empty.plugin.limits.is_none());
    assert!(empty.plugin.file.is_none() && empty.plugin.sha256.is_none());
}

#[test]
fn what_is_wrong_is_shown_with_its_place() {
    let cases: [(&str, &[&str]); 12] = [
        (
            "sha256 = \"a\"\n",
            &["lvhost.hcl:1:1", "no option called `sha256`"],
        ),
        (
            "source_plugins \"a\" {}\n",
            &["lvhost.hcl:1:1", "did you mean `source_plugin`?"],
        ),
        ("source_plugin \"a\" \"b\" {}\n", &["takes one label"]),
        (
            "source_plugin \"A\" {}\n",
            &["lvhost.hcl:1:15", "can't be called `A`"],
        ),
        (
            "source_plugin \"a\" {}\nsource_plugin \"a\" {}\n",
            &[
                "lvhost.hcl:2:15",
                "there are two `source_plugin` blocks for `a`",
            ],
        ),
        (
            "secrets \"a\" {}\n",
            &["lvhost.hcl:1:1", "did you mean `secret`?"],
        ),
        ("secret {}\n", &["lvhost.hcl:1:1", "takes one label"]),
        (
            "secret \"A\" {}\n",
            &["lvhost.hcl:1:8", "a secret can't be called `A`"],
        ),
        (
            "secret \"a\" {}\nsecret \"a\" {}\n",
            &["lvhost.hcl:2:8", "there are two `secret` blocks for `a`"],
        ),
        (
            "source_plugin \"a\" {\n  alow {}\n}\n",
            &["lvhost.hcl:2:3", "did you mean `allow`?"],
        ),
        (
            "source_plugin \"a\" {\n  limits {\n    memory = \"much\"\n  }\n}\n",
            &["lvhost.hcl:3:14", "`much`"],
        ),
        (
            "source_plugin \"a\" {\n  allow {\n    url = []\n  }\n}\n",
            &["lvhost.hcl:3:5", "did you mean `urls`?"],
        ),
    ];
    for (text, parts) in cases {
        let (_, messages) = decode(text);
        for part in parts {
            assert!(messages.contains(part), "{part}:\n{messages}");
        }
    }
}

#[test]
fn names_of_sources_are_words() {
    for name in ["a", "newest-image", "x9"] {
        assert!(is_type_name(name), "{name}");
    }
    let long = "a".repeat(65);
    for name in ["", "A", "9p", "-a", "a_b", "a/b", "..", "a b", &long] {
        assert!(!is_type_name(name), "{name}");
    }
}

/// The options are described by hand there, and none may be forgotten.
#[test]
fn every_option_is_in_the_documentation() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/sources.md");
    let documentation = std::fs::read_to_string(path).unwrap();
    let schemas: [&BlockSchema; 4] = [
        SourcePlugin::SCHEMA,
        Allow::SCHEMA,
        SecretBlock::SCHEMA,
        SourceLimits::SCHEMA,
    ];
    for schema in schemas {
        let heading = format!("### `{}", schema.name);
        let (_, section) = documentation.split_once(&heading).unwrap();
        let section = section.split("\n##").next().unwrap();
        for option in schema.options {
            let row = format!("\n| `{}` |", option.name);
            assert!(section.contains(&row), "{heading}: {row}");
        }
    }
}
