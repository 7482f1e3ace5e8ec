//! The options of the built-in volume sources, and where they stand.

use std::collections::BTreeSet;

use lvhost_config::SourceValue;
use secrecy::{ExposeSecret, SecretString};

use super::{NO_COMMUNICATOR, URI, source_with};
use crate::world::{built_in_sources, decode};

/// The value of an option as a component gets it.
fn exposed(value: &SourceValue) -> String {
    let plain = SecretString::expose_secret;
    match value {
        SourceValue::Text(text) => format!("{:?}", plain(text)),
        SourceValue::Integer(number) => number.to_string(),
        SourceValue::Boolean(value) => value.to_string(),
        SourceValue::TextList(texts) => {
            format!("{:?}", texts.iter().map(plain).collect::<Vec<_>>())
        }
        SourceValue::TextMap(entries) => {
            let entries = entries.iter().map(|(key, text)| (key, plain(text)));
            format!("{:?}", entries.collect::<Vec<_>>())
        }
    }
}

#[test]
fn options_of_volume_sources() {
    let text = |text: &str| format!("{text:?}");
    let list = |texts: &[&str]| format!("{texts:?}");
    let rows = [
        (
            "external",
            "urls",
            r#"["https://a/b", "/c"]"#,
            list(&["https://a/b", "/c"]),
        ),
        (
            "external",
            "urls",
            r#""https://a/b""#,
            list(&["https://a/b"]),
        ),
        ("external", "checksum", r#""sha256:ab""#, text("sha256:ab")),
        ("cloning", "pool", r#""base""#, text("base")),
        ("clone", "volume", r#""debian""#, text("debian")),
        ("backing-store", "pool", r#""base""#, text("base")),
        ("backingstore", "volume", r#""debian""#, text("debian")),
        ("backing-store", "path", r#""/a.qcow2""#, text("/a.qcow2")),
        ("cloud-init", "meta_data", r#""{}""#, text("{}")),
        (
            "cloudinit",
            "user_data",
            r##""#cloud-config""##,
            text("#cloud-config"),
        ),
        (
            "cloud-init",
            "vendor_data",
            r##""#cloud-config""##,
            text("#cloud-config"),
        ),
        ("cloud-init", "network_config", r#""{}""#, text("{}")),
        (
            "files",
            "files",
            r#"["./drivers/*"]"#,
            list(&["./drivers/*"]),
        ),
        (
            "files",
            "contents",
            r#"{ "a.txt" = 1, "b/c" = "d" }"#,
            format!("{:?}", [("a.txt", "1"), ("b/c", "d")]),
        ),
        ("files", "label", r#""OEMDRV""#, text("OEMDRV")),
    ];
    let sources = built_in_sources();
    let mut seen = BTreeSet::new();
    for (type_name, option, written, expected) in rows {
        let required = match (type_name, option) {
            ("external", "urls") | ("cloning" | "clone", "volume") => "",
            ("external", _) => "urls = [\"/x\"]",
            ("cloning", _) => "volume = \"x\"",
            _ => "",
        };
        let source = source_with(&format!(
            "volume {{\nsource {{\ntype = \"{type_name}\"\n{required}\n{option} = {written}\n}}\n}}\n"
        ));
        let block = source.volume[1].source.as_ref().unwrap();
        let schema = sources.find(type_name).unwrap();
        assert_eq!(block.type_name, schema.type_name, "{type_name}");
        assert!(block.is_known());
        let setting = block
            .settings
            .iter()
            .find(|setting| setting.name == option)
            .unwrap();
        let value = exposed(setting.value.as_ref().unwrap());
        assert_eq!(value, expected, "{type_name}: {option}");
        seen.insert((schema.type_name.clone(), option.to_string()));
    }
    let declared: BTreeSet<_> = sources
        .kinds()
        .iter()
        .flat_map(|schema| {
            let options = schema.options.iter();
            options.map(|option| (schema.type_name.clone(), option.name.clone()))
        })
        .collect();
    assert_eq!(seen, declared, "every option of every source has its row");
}

/// Components name an option by its path; the user sees the place.
#[test]
fn paths_of_components_lead_to_places() {
    let text = format!(
        "source \"libvirt\" \"x\" {{\n{URI}{NO_COMMUNICATOR}volume {{\nalias = \"artifact\"\n\
         source {{\ntype = \"files\"\nfiles = [\"a\", \"b\"]\n\
         contents = {{ \"c.d\" = \"e\" }}\n}}\n}}\n}}\n"
    );
    let decoded = decode("places.pkr.hcl", &text);
    let source = decoded.sources[0].volume[0].source.as_ref().unwrap();
    for (path, place) in [
        ("files", r#"["a", "b"]"#),
        ("files[1]", r#""b""#),
        ("files[7]", r#"["a", "b"]"#),
        (r#"contents["c.d"]"#, r#""e""#),
    ] {
        assert_eq!(decoded.files.slice(source.span_of(path)), place, "{path}");
    }
    for path in ["", "label", "no such option"] {
        assert_eq!(source.span_of(path), source.origin.span(), "{path}");
    }
}
