//! `lvhost sources`.

use serde_json::Value;

use crate::lvhost::Lvhost;

const BUILT_IN: [&str; 5] = [
    "backing-store",
    "cloning",
    "cloud-init",
    "external",
    "files",
];

#[test]
fn all_kinds_are_listed_with_a_line_each() {
    let said = Lvhost::new().call(&["sources"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    for kind in BUILT_IN {
        let line = said.results.lines().find(|line| line.starts_with(kind));
        let line = line.unwrap_or_else(|| panic!("{kind}: {}", said.results));
        assert!(line.len() > kind.len() + 10, "{line}");
    }
    let said = Lvhost::new().call(&["sources", "--json"]);
    let kinds: Value = serde_json::from_str(&said.results).unwrap();
    let kinds = kinds.as_array().unwrap();
    for kind in BUILT_IN {
        assert!(kinds.iter().any(|known| known["type"] == kind), "{kind}");
    }
}

#[test]
fn the_options_of_a_kind_are_shown_with_types_and_documentation() {
    let said = Lvhost::new().call(&["sources", "external"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    for expected in [
        "external\n",
        "urls  list of strings, required\n",
        "checksum  string",
    ] {
        assert!(
            said.results.contains(expected),
            "{expected}: {}",
            said.results
        );
    }
    let said = Lvhost::new().call(&["sources", "external", "--json"]);
    let kind: Value = serde_json::from_str(&said.results).unwrap();
    assert_eq!(kind["type"], "external");
    let options = kind["options"].as_array().unwrap();
    let urls = options
        .iter()
        .find(|option| option["name"] == "urls")
        .unwrap();
    assert_eq!(urls["required"], true);
    assert!(!urls["documentation"].as_str().unwrap().is_empty());
}

#[test]
fn settings_that_are_wrong_are_shown_in_their_place() {
    let settings = "source_plugin \"mine\" {\n  file   = \"mine.wasm\"\n  sha256 = \"00\"\n}\n";
    let said = Lvhost::new()
        .file("lvhost.hcl", settings)
        .call(&["sources"]);
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(said.messages.contains("lvhost.hcl:"), "{}", said.messages);
    assert_eq!(said.results, "");
}

#[test]
fn one_that_is_not_there_is_refused_with_those_that_are() {
    let said = Lvhost::new().call(&["sources", "extrenal"]);
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(
        said.messages
            .contains("there is no source `extrenal`, did you mean `external`?; there are "),
        "{}",
        said.messages
    );
}
