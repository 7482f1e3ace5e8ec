//! All doors by which a text leaves lvhost, and all kinds of secrets: no door lets one out.

use std::fmt::Write as _;

use crate::guest_component::guest_component;
use crate::hypervisor::need;
use crate::local_guest::LocalGuest;
use crate::lvhost::{Lvhost, said};
use crate::real_guests::sha256;

/// A sensitive variable, whose value stands in a file of variables.
const VARIABLE: &str = "swordfish/of+variable";
/// A sensitive local, in the template itself.
const LOCAL: &str = "swordfish/of+local";
/// An option that the component calls sensitive.
const OPTION: &str = "swordfish-of-option";
/// An option that only the template calls sensitive: it comes from the variable.
const PLAIN: &str = "${var.token}";
/// The password of the log-in.
const PASSWORD: &str = "swordfish-of-login";

/// What every secret has in common, and nothing else: as it is, and as base64 has it in the commands below.
const COMMON: [&str; 2] = ["swordfish", "c3dvcmRmaXNo"];

const MASK: &str = "<sensitive>";

/// A project whose volume's component behaves in this `way`, with these lines in its build.
fn project(guest: &LocalGuest, way: &str, options: &str, build: &str) -> Lvhost {
    let lvhost = Lvhost::new();
    let volume = format!(
        "capacity = \"1M\"\nsource {{\n type = \"leaking\"\n secret = \"{OPTION}\"\n plain = \"{PLAIN}\"\n \
         way = \"{way}\"\n}}\n"
    );
    let password = format!("ssh_password = \"{PASSWORD}\"\nssh_timeout");
    let mut text = guest
        .template(&["example"], build)
        .replace("capacity = \"1M\"\n", &volume)
        .replace("ssh_timeout", &password)
        .replace("memory = 64\n", &format!("memory = 64\n{options}\n"));
    // Only what is written down by the user is in the template's own files.
    let _ = write!(
        text,
        "variable \"token\" {{\n sensitive = true\n}}\nlocal \"word\" {{\n expression = \"{LOCAL}\"\n \
         sensitive = true\n}}\n"
    );
    lvhost.write("t.pkr.hcl", &text);
    lvhost.write("secret.pkrvars.hcl", &format!("token = \"{VARIABLE}\"\n"));
    std::fs::copy(guest_component("leaking"), lvhost.path("leaking.wasm")).unwrap();
    let digest = sha256(&lvhost.path("leaking.wasm"));
    lvhost.write(
        "lvhost.hcl",
        &format!(
            "source_plugin \"leaking\" {{\n  sha256 = \"{digest}\"\n  allow {{\n    files = [\"granted/\"]\n  }}\n}}\n"
        ),
    );
    lvhost
}

/// Calls the command, which must say `expected` and no secret.
fn call(lvhost: &Lvhost, arguments: &[&str], expected: &[&str]) -> String {
    let mut all = arguments.to_vec();
    all.extend(["-var-file", "secret.pkrvars.hcl", "t.pkr.hcl"]);
    let output = lvhost.run(&all);
    let text = said(&output);
    for secret in COMMON {
        let line = text.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{arguments:?}:\n{text}");
    }
    for part in expected.iter().chain([&MASK]) {
        assert!(text.contains(part), "{arguments:?}: {part}:\n{text}");
    }
    text
}

/// What a component says when it is asked, what is wrong with a template and the lines of it that are shown,
/// plans, and the log.
#[test]
fn before_a_build_no_door_lets_a_secret_out() {
    let guest = need!(LocalGuest::new());
    let plain = project(&guest, "fine", "", "");
    for json in [&[][..], &["--json"]] {
        let arguments = |command: &'static str| [&[command][..], json].concat();
        call(
            &plain,
            &arguments("validate"),
            &[
                "found <sensitive> and <sensitive>",
                "another one than <sensitive>",
            ],
        );
        call(&plain, &arguments("plan"), &["granted/<sensitive>"]);
        let logged = call(&plain, &[&["validate", "-vvv"][..], json].concat(), &[]);
        for line in [
            "configure has <sensitive>",
            "printed: configure has <sensitive>",
        ] {
            assert!(logged.contains(line), "{logged}");
        }
    }
    let wrong = project(&guest, "error", "", "");
    call(
        &wrong,
        &["validate"],
        &["found <sensitive> and <sensitive>"],
    );
    let named = project(&guest, "name", "", "");
    // Without a name of its own, so that the component's word for it counts.
    let text = std::fs::read_to_string(named.path("t.pkr.hcl")).unwrap();
    let name = format!("name = \"{}\"\n", guest.domain("example"));
    let own = text.rfind(&name).unwrap();
    let text = format!("{}{}", &text[..own], &text[own + name.len()..]);
    named.write("t.pkr.hcl", &text);
    call(
        &named,
        &["validate"],
        &["value of a sensitive option into the name"],
    );

    // What the language, the options and the provisioners find wrong with a value, and its line.
    for (options, expected) in [
        ("memory_backing = var.token", "memory_backing"),
        ("shutdown_mode = local.word", "shutdown_mode"),
        ("vcpu = \"${local.word}\"", "vcpu"),
        (
            "http_content = { \"/a\" = \"{{ nothing }} ${local.word}\" }",
            "{{",
        ),
        ("boot_wait = \"x ${var.token} y\"", "boot_wait"),
    ] {
        let project = project(&guest, "fine", options, "");
        call(&project, &["validate"], &[expected]);
        call(&project, &["validate", "--json"], &[expected]);
    }
    // Names that are made of one are told of in plans.
    let options = format!(
        "domain_xml_overlay = [\"<domain><title>for ${{var.token}}</title><description>{LOCAL}</description></domain>\"]"
    );
    let described = project(&guest, "fine", &options, "");
    let plan = call(&described, &["plan"], &[]);
    assert!(plan.contains("for <sensitive>"), "{plan}");

    // A value of another type than its variable's: the line that it stands in is not shown either.
    let typed = project(&guest, "fine", "", "");
    let text = std::fs::read_to_string(typed.path("t.pkr.hcl")).unwrap();
    let text = text.replace(
        "variable \"token\" {\n",
        "variable \"token\" {\n type = number\n",
    );
    typed.write("t.pkr.hcl", &text);
    let arguments = ["validate", "-var-file", "secret.pkrvars.hcl", "t.pkr.hcl"];
    let text = said(&typed.run(&arguments));
    assert!(text.contains("sensitive and not shown"), "{text}");
    assert!(!text.contains("of+variable"), "{text}");
}

/// What components, commands in the guest and here, errors and questions say in a build.
#[test]
fn in_a_build_no_door_lets_a_secret_out() {
    let guest = need!(LocalGuest::new());
    let prints = "printf '%s\\n' \"$T\" \"$L\" \"$P\"; printf '%s' \"$T\" | base64 -w0; echo; printf '%s' \"x$L\" \
                  | base64 -w0 >&2; echo \"$P: failed\" >&2; exit 3";
    let provisioner = |kind: &str| {
        let folder = match kind {
            "shell" => format!("remote_folder = {:?}", guest.home()),
            _ => String::new(),
        };
        format!(
            "provisioner \"{kind}\" {{\n {folder}\n env = {{ T = var.token, L = local.word, P = build.Password }}\n \
             inline = [{prints:?}]\n valid_exit_codes = [3]\n}}\n"
        )
    };
    let fails = format!(
        "provisioner \"file\" {{\n source = \"t.pkr.hcl\"\n destination = \"/no/such/{LOCAL}/${{var.token}}\"\n}}\n"
    );
    let build = [provisioner("shell"), provisioner("shell-local"), fails].concat();
    let works = project(&guest, "fine", "", &build);
    for arguments in [
        &["run", "-vvv"][..],
        &["run", "--json"],
        &["run", "-on-error=ask"],
    ] {
        let text = call(
            &works,
            arguments,
            &["prepare has <sensitive>", "<sensitive>: failed"],
        );
        assert!(text.contains("cannot create <sensitive>"), "{text}");
        guest.assert_clean(&text);
    }
    for (way, expected) in [
        ("fail", "can't use <sensitive> and <sensitive>"),
        ("panic", "<sensitive> is too much"),
    ] {
        let fails = project(&guest, way, "", "");
        for arguments in [&["run"][..], &["run", "--json"]] {
            let text = call(&fails, arguments, &[expected]);
            guest.assert_clean(&text);
        }
    }
}
