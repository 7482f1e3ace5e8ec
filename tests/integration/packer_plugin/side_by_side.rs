//! This plugin and the one in Go 0.5.0, with the same templates under the same Packer. Where they don't agree,
//! `docs/migration.md` says so, and why.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use super::{plugin, with_newest};
use crate::hypervisor::{need, variable};
use crate::packer::Installation;

const GO_PLUGIN: &str = "LVHOST_TEST_GO_PLUGIN_0_5_0";

/// What this plugin makes of a template that the one in Go takes or refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// Both take it.
    Right,
    /// Both refuse it.
    Wrong,
    /// The one in Go refuses what works here.
    OnlyHere,
    /// The one in Go takes what would fail in the build, or crash there.
    OnlyInGo,
}

use Verdict::{OnlyHere, OnlyInGo, Right, Wrong};

const URI: &str = "libvirt_uri = \"qemu:///system\"";
const SOURCE: &str = "network_address_source = \"lease\"";
const INTERFACE: &str = "network_interface {\n alias = \"communicator\"\n type = \"managed\"\n}";
const COMMUNICATOR: &str = "communicator {\n ssh_username = \"root\"\n ssh_password = \"hush\"\n}";
const VOLUME: &str = "volume {\n alias = \"artifact\"\n capacity = \"1G\"\n}";

/// A source that is right, each part of which may be replaced by another.
const PARTS: [&str; 5] = [URI, SOURCE, INTERFACE, COMMUNICATOR, VOLUME];

/// What is put in the place of a part, or behind the last one.
const CASES: &[(Verdict, &str, &str)] = &[
    (Right, "", ""),
    (Right, SOURCE, ""),
    (
        Right,
        INTERFACE,
        "network_interface {\n type = \"managed\"\n}",
    ),
    (Right, VOLUME, "volume {\n capacity = \"1G\"\n}"),
    (
        Right,
        VOLUME,
        "volume {\n alias = \"artifact\"\n capacity = \"1048576\"\n}",
    ),
    (
        Right,
        COMMUNICATOR,
        "communicator {\n communicator = \"none\"\n}",
    ),
    (Right, "", "shutdown_mode = \"auto\""),
    (Right, "", "boot_wait = \"-1s\""),
    (Right, "", "graphics {\n type = \"vnc\"\n}"),
    (
        Right,
        VOLUME,
        "volume {\n alias = \"artifact\"\n source {\n type = \"backing-store\"\n path = \"/x\"\n }\n}",
    ),
    (
        Right,
        "",
        "volume {\n source {\n type = \"cloud-init\"\n user_data = \"#cloud-config\\n# {{`{{ x }}`}}\"\n }\n}",
    ),
    (Wrong, VOLUME, ""),
    (
        Wrong,
        VOLUME,
        "volume {\n capacity = \"1G\"\n}\nvolume {\n capacity = \"1G\"\n}",
    ),
    (Wrong, VOLUME, "volume {\n alias = \"artifact\"\n}"),
    (Wrong, COMMUNICATOR, ""),
    (
        Wrong,
        COMMUNICATOR,
        "communicator {\n ssh_password = \"hush\"\n}",
    ),
    (
        Wrong,
        COMMUNICATOR,
        "communicator {\n communicator = \"telnet\"\n}",
    ),
    (Wrong, "", "boot_devices = [\"tape\"]"),
    (
        Wrong,
        INTERFACE,
        "network_interface {\n alias = \"communicator\"\n type = \"foo\"\n}",
    ),
    (
        Wrong,
        INTERFACE,
        "network_interface {\n alias = \"communicator\"\n type = \"bridge\"\n}",
    ),
    (Wrong, SOURCE, "network_address_source = \"guess\""),
    (Wrong, "", "shutdown_mode = \"foo\""),
    (Wrong, "", "boot_wait = \"zz\""),
    (
        Wrong,
        VOLUME,
        "volume {\n alias = \"artifact\"\n source {\n type = \"external\"\n }\n}",
    ),
    (
        Wrong,
        VOLUME,
        "volume {\n alias = \"artifact\"\n source {\n type = \"cloning\"\n }\n}",
    ),
    (
        Wrong,
        VOLUME,
        "volume {\n alias = \"artifact\"\n source {\n type = \"hologram\"\n }\n}",
    ),
    (
        Wrong,
        "",
        "volume {\n source {\n type = \"cloud-init\"\n user_data = \"{{ ds.x }}\"\n }\n}",
    ),
    (Wrong, "", "communicator_interface = \"lan\""),
    (
        Wrong,
        COMMUNICATOR,
        "communicator {\n ssh_username = \"root\"\n ssh_private_key_file = \"/nowhere\"\n}",
    ),
    (
        Wrong,
        COMMUNICATOR,
        "communicator {\n ssh_username = \"root\"\n ssh_password = \"hush\"\n ssh_bastion_host = \"x\"\n}",
    ),
    (
        Wrong,
        COMMUNICATOR,
        "communicator {\n ssh_username = \"root\"\n ssh_password = \"hush\"\n \
         ssh_file_transfer_method = \"ftp\"\n}",
    ),
    (
        Wrong,
        COMMUNICATOR,
        "communicator {\n ssh_username = \"root\"\n ssh_password = \"hush\"\n \
         ssh_local_tunnels = [\"x\"]\n}",
    ),
    (Wrong, "", "artifact_volume_alias = \"other\""),
    (OnlyHere, "", "boot_devices = [\"fd\"]"),
    (OnlyInGo, URI, ""),
    (OnlyInGo, INTERFACE, ""),
    (
        OnlyInGo,
        VOLUME,
        "volume {\n alias = \"artifact\"\n capacity = \"10 parsecs\"\n}",
    ),
    (OnlyInGo, "", "graphics {\n type = \"hologram\"\n}"),
    (OnlyInGo, "", "loader_type = \"floppy\""),
    (OnlyInGo, "", "domain_name = \"{{ .HTTPIP }}\""),
];

fn template(plugin: &str, part: &str, instead: &str) -> String {
    let mut parts = PARTS
        .map(|known| if known == part { instead } else { known })
        .to_vec();
    if part.is_empty() {
        parts.push(instead);
    }
    format!(
        "source \"{plugin}\" \"a\" {{\n{}\n}}\nbuild {{ sources = [\"{plugin}.a\"] }}\n",
        parts.join("\n")
    )
}

fn is_valid(packer: &Installation, plugin: &str, part: &str, instead: &str) -> (bool, String) {
    let path = packer.path(&format!("{plugin}.pkr.hcl"));
    std::fs::write(&path, template(plugin, part, instead)).unwrap();
    let validated = packer.command("validate", &path);
    (validated.code == Some(0), validated.output)
}

#[test]
fn templates_are_judged_as_by_the_plugin_in_go_but_for_what_is_said() {
    let name = "templates_are_judged_as_by_the_plugin_in_go_but_for_what_is_said";
    let go = need!(variable(GO_PLUGIN));
    with_newest(name, |packer| {
        packer.install(&go, "github.com/other/golibvirt");
        let mut unexpected = String::new();
        for (verdict, part, instead) in CASES {
            let (here, said_here) = is_valid(packer, "libvirt", part, instead);
            let (in_go, said_in_go) = is_valid(packer, "golibvirt", part, instead);
            let found = match (here, in_go) {
                (true, true) => Right,
                (false, false) => Wrong,
                (true, false) => OnlyHere,
                (false, true) => OnlyInGo,
            };
            if found != *verdict {
                unexpected += &format!(
                    "{found:?}, not {verdict:?}: {instead:?} for {part:?}:\n{said_here}\n{said_in_go}\n"
                );
            }
        }
        assert!(unexpected.is_empty(), "{unexpected}");
    });
}

/// What a plugin tells Packer of its options, a line for each.
fn options(encoding: &[&str], plugin: &Path) -> Result<BTreeSet<String>, String> {
    let asked = Command::new(variable("LVHOST_TEST_CONFIG_SPEC")?)
        .args(encoding)
        .arg(plugin)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&asked.stderr);
    assert!(asked.status.success(), "{said}");
    let lines = String::from_utf8(asked.stdout).unwrap();
    Ok(lines.lines().map(str::to_owned).collect())
}

#[test]
fn packer_is_told_of_all_options_of_the_plugin_in_go_and_of_the_same_types() {
    let go = need!(variable(GO_PLUGIN));
    let theirs = need!(options(&[], Path::new(&go)));
    let ours = need!(options(&[], &plugin()));
    assert!(theirs.len() > 100, "{theirs:#?}");
    let missing: Vec<_> = theirs.difference(&ours).collect();
    assert!(missing.is_empty(), "{missing:#?}");
    assert_eq!(need!(options(&["--protobuf"], &plugin())), ours);
}
