//! What is wrong with `lvhost.hcl` hides nothing of what is wrong with the template, and is said once.

use crate::lvhost::{Lvhost, Said};
use crate::third_party::{put, template};

/// A template with a mistake of its own, in an option of the domain.
fn with_mistake(options: &str) -> String {
    template(options).replace("  libvirt_uri", "  memory = \"huge\"\n  libvirt_uri")
}

/// All that is wrong, in its order: where, and what.
fn findings(said: &Said) -> Vec<(String, String)> {
    let verdict: serde_json::Value = serde_json::from_str(&said.results).unwrap();
    let text = |finding: &serde_json::Value, key: &str| finding[key].to_string();
    let of = |finding: &serde_json::Value| {
        let place = match finding.get("file") {
            Some(_) => format!(
                "{}:{}",
                finding["file"].as_str().unwrap(),
                text(finding, "line")
            ),
            None => String::new(),
        };
        (place, finding["summary"].as_str().unwrap().to_owned())
    };
    let all = verdict["diagnostics"].as_array().unwrap().iter();
    let errors = all.filter(|finding| finding["severity"] == "error");
    errors.map(of).collect()
}

/// The options of the source, the entry in `lvhost.hcl`, and what is found where.
type Case<'a> = (&'a str, String, &'a [(&'a str, &'a str)]);

#[test]
fn what_is_wrong_in_both_is_told_in_one_run() {
    let entry = |more: &str| format!("source_plugin \"stranger\" {{\n{more}}}\n");
    let url = "      urls = [\"https://example.org/disk.qcow2\"]\n      checksum = \"none\"";
    let memory = (
        "t.pkr.hcl:17",
        "`memory`: a whole number is needed here, not a string",
    );
    let cases: [Case<'_>; 9] = [
        // It can't be read: whether the source has an entry is not known.
        (
            url,
            "source_plugin \"stranger\" {".to_owned(),
            &[memory, ("lvhost.hcl:1", "is not closed")],
        ),
        (
            url,
            "source_plugin {\n}\n".to_owned(),
            &[memory, ("lvhost.hcl:1", "takes one label")],
        ),
        (
            url,
            "sourceplugin \"stranger\" {\n}\n".to_owned(),
            &[memory, ("lvhost.hcl:1", "no block called `sourceplugin`")],
        ),
        // The component can't be had.
        (
            url,
            entry("  file = \"nothing.wasm\"\n"),
            &[memory, ("lvhost.hcl:2", "can't read")],
        ),
        (
            url,
            entry("  sha256 = \"abc\"\n"),
            &[
                memory,
                ("lvhost.hcl:2", "a SHA-256 has 64 hexadecimal digits"),
            ],
        ),
        // It is there, and its entry is wrong: its options are checked, and what it may reach is not known.
        (
            url,
            entry("  sha256 = \"DIGEST\"\n  fiel = \"x\"\n"),
            &[memory, ("lvhost.hcl:3", "no option called `fiel`")],
        ),
        (
            "      ulrs = []\n      checksum = \"none\"",
            entry("  sha256 = \"DIGEST\"\n  allow {\n    hosts = [\"https://example.org\"]\n  }\n"),
            &[
                ("t.pkr.hcl:13", "no option called `ulrs`"),
                memory,
                ("lvhost.hcl:4", "`https://example.org` is no host"),
            ],
        ),
        (
            "      urls = [\"https://example.org/disk.qcow2\"]\n      checksum = \"sha256:abc\"",
            entry("  sha256 = \"DIGEST\"\n  limits {\n    time = \"2h\"\n  }\n"),
            &[
                ("t.pkr.hcl:14", "has 3 digits and should have 64"),
                ("t.pkr.hcl:17", memory.1),
                ("lvhost.hcl:4", "can't compute for that long"),
            ],
        ),
        // Another entry is wrong: what this one does not allow is told.
        (
            url,
            "source_plugin \"other\" {\n  fiel = 1\n}\n".to_owned()
                + &entry("  sha256 = \"DIGEST\"\n"),
            &[
                ("t.pkr.hcl:13", "example.org/disk.qcow2"),
                ("t.pkr.hcl:17", memory.1),
                ("lvhost.hcl:2", "no option called `fiel`"),
            ],
        ),
    ];
    let mut lvhost = Lvhost::new();
    let digest = put(&lvhost, "stranger.wasm");
    for (options, settings, expected) in cases {
        let settings = settings.replace("DIGEST", &digest);
        lvhost = lvhost
            .file("t.pkr.hcl", &with_mistake(options))
            .file("lvhost.hcl", &settings);
        let said = lvhost.call(&["validate", "--json", "t.pkr.hcl"]);
        assert_eq!(said.code, Some(2), "{settings}\n{}", said.messages);
        let found = findings(&said);
        assert_eq!(found.len(), expected.len(), "{settings}\n{found:#?}");
        for ((place, summary), (expected_place, part)) in found.iter().zip(expected) {
            assert!(place.ends_with(expected_place), "{settings}\n{found:#?}");
            assert!(summary.contains(part), "{settings}\n{found:#?}");
        }
    }
}
