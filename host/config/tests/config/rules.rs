//! Rules between options, with what is said of a source that breaks them. What this version can't do at
//! all is left out: the rules hold the same.

#[path = "rules/communicator.rs"]
mod communicator;
#[path = "rules/domain.rs"]
mod domain;

use super::world::decode;

/// The first lines of what is said of a source with these lines in it, but for what its volume and its
/// communicator need.
fn said(lines: &str) -> Vec<String> {
    let text = format!(
        "source \"libvirt\" \"x\" {{\n{lines}\n\
         volume {{\nalias = \"artifact\"\ncapacity = \"1G\"\n}}\n}}\n"
    );
    let messages = decode("rules.pkr.hcl", &text).messages;
    messages
        .lines()
        .filter(|line| line.starts_with("error: ") || line.starts_with("warning: "))
        .filter(|line| !line.ends_with("is not supported by this version of lvhost"))
        .map(str::to_string)
        .collect()
}

const LOCAL: &str = "libvirt_uri = \"qemu:///system\"\n";
const NONE: &str = "communicator = \"none\"\n";
const SSH: &str = "ssh_host = \"h\"\nssh_username = \"u\"\nssh_password = \"p\"\n";
const WINRM: &str = "communicator = \"winrm\"\n";
const MANAGED: &str = "network_interface {\ntype = \"managed\"\nalias = \"communicator\"\n}\n";

fn check(before: &str, rows: &[(&str, &[&str])]) {
    for (lines, expected) in rows {
        assert_eq!(said(&format!("{before}{lines}")), *expected, "{lines}");
    }
}
