//! `lvhost sources`.

use serde_json::Value;

use crate::lvhost::Lvhost;
use crate::third_party::put;

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
    assert!(
        said.messages.contains("the volume sources have "),
        "{}",
        said.messages
    );
}

/// One broken entry hides nothing: not what ships with lvhost, and not the other entries.
#[test]
fn what_there_is_is_listed_beside_what_is_broken() {
    let lvhost = Lvhost::new();
    let digest = put(&lvhost, "good.wasm");
    let settings = format!(
        "source_plugin \"good\" {{\n  file   = \"good.wasm\"\n  sha256 = \"{digest}\"\n}}\n\
         source_plugin \"broken\" {{\n  file   = \"none.wasm\"\n  sha256 = \"{digest}\"\n}}\n"
    );
    let lvhost = lvhost.file("lvhost.hcl", &settings);
    let said = lvhost.call(&["sources"]);
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(said.messages.contains("none.wasm"), "{}", said.messages);
    for name in ["external", "cloud-init", "good"] {
        assert!(
            said.results.lines().any(|line| line.starts_with(name)),
            "{name}: {said:?}"
        );
    }
    // Who asks for one is not told of the others.
    for name in ["good", "external"] {
        let said = lvhost.call(&["sources", name]);
        assert_eq!((said.code, &*said.messages), (Some(0), ""), "{name}");
    }
}

#[test]
fn the_options_of_a_file_are_shown_without_an_entry() {
    let lvhost = Lvhost::new();
    let digest = put(&lvhost, "mine/stranger.wasm");
    let said = lvhost.call(&["sources", "mine/stranger.wasm"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    for part in ["stranger\n", &digest, "urls", ", required"] {
        assert!(said.results.contains(part), "{part}: {}", said.results);
    }
    let said = lvhost.call(&["sources", "--json", "./mine/stranger.wasm"]);
    let kind: Value = serde_json::from_str(&said.results).unwrap();
    assert_eq!(kind["type"], "stranger");
    assert_eq!(kind["sha256"], digest.as_str());
    assert_eq!(kind["is_built_in"], false);

    let said = lvhost.call(&["sources", "mine/none.wasm"]);
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(
        said.messages.contains("can't read mine/none.wasm"),
        "{}",
        said.messages
    );
    let lvhost = lvhost.file("text.wasm", "no component");
    let said = lvhost.call(&["sources", "./text.wasm"]);
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(
        said.messages.contains("is not a WebAssembly component"),
        "{}",
        said.messages
    );
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
