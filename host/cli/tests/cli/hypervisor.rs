//! `lvhost doctor` and `lvhost clean` at libvirt's test driver: a hypervisor in the memory of the
//! process which connects to it. What they do with real guests is in the workspace's own tests.

use serde_json::Value;

use crate::lvhost::Lvhost;

/// Nobody listens there.
const NOWHERE: &str = "qemu+unix:///system?socket=/nonexistent/libvirt-sock";

#[test]
fn a_hypervisor_that_cannot_be_reached_is_the_first_thing_to_see_to() {
    let said = Lvhost::new().call(&["doctor", NOWHERE]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(
        said.results
            .starts_with("fail  connection: cannot connect to the hypervisor at qemu+unix"),
        "{}",
        said.results
    );
    assert!(
        said.results.contains("sudo adduser $USER libvirt"),
        "{}",
        said.results
    );
    assert_eq!(said.messages, "error: 1 of 2 checks failed\n");
}

#[test]
fn every_check_has_a_name_a_verdict_and_a_finding() {
    let said = Lvhost::new().call(&["doctor", "--json", "test:///default"]);
    let report: Value = serde_json::from_str(&said.results).unwrap();
    assert_eq!(report["uri"], "test:///default");
    let checks = report["checks"].as_array().unwrap();
    let failed = checks
        .iter()
        .filter(|check| check["verdict"] == "fail")
        .count();
    assert_eq!(report["healthy"], failed == 0);
    assert_eq!(said.code, Some(i32::from(failed > 0)), "{said:?}");
    for name in [
        "connection",
        "pool",
        "network",
        "leftovers",
        "processes for components",
    ] {
        let check = checks.iter().find(|check| check["name"] == name);
        let check = check.unwrap_or_else(|| panic!("{name}: {report}"));
        assert!(!check["finding"].as_str().unwrap().is_empty(), "{check}");
        // What is not right comes with what to do.
        assert_eq!(
            check["verdict"] == "ok",
            check.get("advice").is_none(),
            "{check}"
        );
    }
    assert_eq!(said.messages, "");
}

#[test]
fn where_no_build_has_been_there_is_nothing_to_clean() {
    let said = Lvhost::new().call(&["clean", "test:///default"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert_eq!(
        said.results,
        "No build has left anything at test:///default.\n"
    );
    let said = Lvhost::new().call(&["clean", "--json", "--yes", "test:///default"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let report: Value = serde_json::from_str(&said.results).unwrap();
    assert_eq!(report["builds"], serde_json::json!([]));
}

#[test]
fn a_hypervisor_that_cannot_be_reached_cannot_be_cleaned() {
    let said = Lvhost::new().call(&["clean", NOWHERE]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(
        said.messages
            .starts_with("error: there is nothing to clean: cannot connect"),
        "{}",
        said.messages
    );
    let said = Lvhost::new().call(&["clean", "-json", NOWHERE]);
    assert_eq!(said.code, Some(1), "{said:?}");
    let problem: Value = serde_json::from_str(&said.results).unwrap();
    assert_eq!(problem["exit_code"], 1);
    assert!(
        problem["error"]
            .as_str()
            .unwrap()
            .contains("cannot connect")
    );
}
