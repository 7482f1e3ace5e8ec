//! The ways a build can go and end, with this machine in the place of the guest.

use std::process::Command;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::with_each;
use crate::hypervisor::need;
use crate::local_guest::LocalGuest;
use crate::packer::{Finished, Installation, Started};
use crate::strangers_words::{OddServer, assert_tame};

/// Builds a template with these arguments before its name.
fn build(packer: &Installation, arguments: &[&str], text: &str) -> Finished {
    let path = packer.path("template.pkr.hcl");
    std::fs::write(&path, text).unwrap();
    let mut all = vec!["build"];
    all.extend(arguments);
    all.push(path.to_str().unwrap());
    let finished = packer.run(&all);
    println!("{arguments:?}:\n{}", finished.output);
    finished
}

fn assert_said(output: &str, expected: &[&str]) {
    for text in expected {
        assert!(output.contains(text), "no `{text}` in:\n{output}");
    }
}

#[test]
fn what_becomes_of_a_failed_build_is_the_users_choice() {
    let guest = need!(LocalGuest::new());
    let name = "what_becomes_of_a_failed_build_is_the_users_choice";
    with_each(name, |packer| {
        let text = guest.template(
            &["a"],
            &(guest.shell("provisioner", &["exit 3"])
                + &guest.shell("error-cleanup-provisioner", &["echo after the failure"])),
        );
        for (policy, is_kept, is_cleaned) in [
            ("cleanup", false, true),
            ("abort", true, false),
            // There is nobody to ask.
            ("ask", false, true),
            ("run-cleanup-provisioner", true, true),
        ] {
            let built = build(packer, &[&format!("-on-error={policy}")], &text);
            let output = &built.output;
            assert_eq!(built.code, Some(1), "{output}");
            assert_said(output, &["Script exited with non-zero exit status: 3"]);
            let is_said = output.contains("libvirt.a: after the failure");
            assert_eq!(is_said, is_cleaned, "{policy}:\n{output}");
            let domain = guest.domain("a");
            if is_kept {
                assert_eq!(guest.hypervisor.domains(&domain), [domain.as_str()]);
                assert_eq!(guest.hypervisor.volumes(), [domain.as_str()]);
                assert_said(
                    output,
                    &["is left for you to look at", " destroy ", "virsh -c "],
                );
                // The next one replaces what is in the way.
                let again = build(packer, &[], &text);
                assert_said(&again.output, &["replace it with `-force`"]);
                let forced = build(packer, &["-force"], &text);
                assert_said(&forced.output, &["after the failure"]);
            }
            guest.assert_clean(output);
        }
    });
}

#[test]
fn several_sources_are_built_side_by_side() {
    let guest = need!(LocalGuest::new());
    with_each("several_sources_are_built_side_by_side", |packer| {
        let commands = ["echo built $PACKER_BUILD_NAME"];
        let text = guest.template(&["a", "b"], &guest.shell("provisioner", &commands));
        let built = build(packer, &[], &text);
        assert_eq!(built.code, Some(0), "{}", built.output);
        assert_said(&built.output, &["libvirt.a: built a", "libvirt.b: built b"]);
        let domains = ["a", "b"].map(|name| guest.domain(name));
        assert_eq!(guest.hypervisor.volumes(), domains);
        let pool = &guest.hypervisor.pool;
        for volume in &domains {
            let made = format!("Libvirt volume {pool}/{volume} in raw format was generated");
            assert_said(&built.output, &[&made]);
            guest
                .hypervisor
                .virsh(&["vol-delete", "--pool", pool, volume]);
        }
        guest.assert_clean(&built.output);
    });
}

#[test]
fn a_template_in_json_is_built() {
    let guest = need!(LocalGuest::new());
    with_each("a_template_in_json_is_built", |packer| {
        let mut options = guest.options("j");
        options["type"] = "libvirt".into();
        options["memory"] = "64".into();
        options["volume"][0]["capacity"] = "{{user `size`}}".into();
        let template = serde_json::json!({
            "variables": {"size": "2M"},
            "builders": [options],
            "provisioners": [{
                "type": "shell",
                "remote_folder": guest.home(),
                "inline": ["echo over {{build `ConnType`}} to {{build `Host`}}"],
            }],
        });
        let path = packer.path("template.json");
        std::fs::write(&path, template.to_string()).unwrap();
        let built = packer.command("build", &path);
        assert_eq!(built.code, Some(0), "{}", built.output);
        assert_said(&built.output, &["libvirt: over ssh to 127.0.0.1"]);
        let (pool, volume) = (&guest.hypervisor.pool, guest.domain("j"));
        let facts = guest
            .hypervisor
            .virsh(&["vol-info", "--bytes", "--pool", pool, &volume]);
        assert!(facts.contains("2097152 bytes"), "{facts}");
        guest
            .hypervisor
            .virsh(&["vol-delete", "--pool", pool, &volume]);
    });
}

/// A post-processor that keeps no input has Packer destroy the artifact.
#[test]
fn what_a_post_processor_does_away_with_is_gone() {
    let guest = need!(LocalGuest::new());
    with_each("what_a_post_processor_does_away_with_is_gone", |packer| {
        let build = "post-processor \"compress\" { output = \"packed.tar.gz\" }";
        let text = guest.template(&["a"], build);
        let text = text.replacen("{\n", "{\noutput_directory = \"output\"\n", 1);
        let built = self::build(packer, &[], &text);
        assert_eq!(built.code, Some(0), "{}", built.output);
        guest.assert_clean(&built.output);
        let volume = guest.domain("a");
        assert!(!packer.path("output").join(&volume).exists());
        let listed = Command::new("tar")
            .arg("-tf")
            .arg(packer.path("packed.tar.gz"))
            .output()
            .unwrap();
        let listed = String::from_utf8(listed.stdout).unwrap();
        assert!(listed.contains(&volume), "{listed}");
    });
}

/// Packer has the artifact destroyed after the last post-processor of a chain. While an earlier one ran, somebody
/// has put a volume and a file of their own in its place.
#[test]
fn what_took_the_place_of_an_artifact_is_not_destroyed() {
    let guest = need!(LocalGuest::new());
    let name = "what_took_the_place_of_an_artifact_is_not_destroyed";
    with_each(name, |packer| {
        let (volume, hypervisor) = (guest.domain("a"), &guest.hypervisor);
        let virsh = format!("virsh -q -c {} ", hypervisor.uri);
        let commands = [
            format!("{virsh} vol-delete --pool {} {volume}", hypervisor.pool),
            format!(
                "{virsh} vol-create-as {} {volume} 1M --format raw",
                hypervisor.pool
            ),
            format!("echo mine >output/mine; mv output/mine output/{volume}"),
        ];
        let build = format!(
            "post-processors {{\n  post-processor \"shell-local\" {{ inline = {commands:?} }}\n  \
             post-processor \"compress\" {{ output = \"packed.tar.gz\" }}\n}}"
        );
        let text = guest.template(&["a"], &build);
        let text = text.replacen("{\n", "{\noutput_directory = \"output\"\n", 1);
        let built = self::build(packer, &[], &text);
        // Of what comes by another post-processor Packer can't read the reason.
        assert_said(&built.output, &["Failed cleaning up prior artifact"]);
        assert_eq!(built.code, Some(1), "{}", built.output);
        let pool = &hypervisor.pool;
        assert_eq!(hypervisor.volumes(), [volume.as_str()], "{}", built.output);
        let copy = packer.path("output").join(&volume);
        assert_eq!(std::fs::read_to_string(copy).unwrap(), "mine\n");
        hypervisor.virsh(&["vol-delete", "--pool", pool, &volume]);
    });
}

/// What Packer is told it shows as it is: the plugin's own words, an error of a provisioner, that of the build.
#[test]
fn what_packer_is_told_steers_no_terminal() {
    let server = need!(OddServer::new());
    let odd = "x\\u009b2J\\u202e\\n==> libvirt.example: Finished in 1.0 s";
    with_each("what_packer_is_told_steers_no_terminal", |packer| {
        let built = build(packer, &[], &server.template);
        assert_eq!(built.code, Some(1), "{}", built.output);
        assert_said(&built.output, &["turned"]);
        assert_tame(&built.output);
        server.guest.assert_clean(&built.output);
        // Names that the template gives: an error at once, and one in the build.
        for option in ["domain_type", "libvirt_uri"] {
            let text = server.template.lines().map(|line| {
                match line.trim_start().starts_with(&format!("{option} =")) {
                    true => format!("{option} = \"{odd}\""),
                    false => line.to_owned(),
                }
            });
            let text: Vec<_> = text.collect();
            let built = build(packer, &[], &text.join("\n"));
            assert_eq!(built.code, Some(1), "{option}: {}", built.output);
            assert_tame(&built.output);
        }
    });
}

/// Without a terminal nobody can be waited for, and the build goes on.
#[test]
fn debug_pauses_after_each_step() {
    let guest = need!(LocalGuest::new());
    with_each("debug_pauses_after_each_step", |packer| {
        let text = guest.template(&["a"], &guest.shell("provisioner", &["true"]));
        let built = build(packer, &["-debug"], &text);
        assert_eq!(built.code, Some(0), "{}", built.output);
        assert_said(&built.output, &["nobody can be waited for"]);
        let volume = guest.domain("a");
        guest
            .hypervisor
            .virsh(&["vol-delete", "--pool", &guest.hypervisor.pool, &volume]);
    });
}

/// Starts a build whose provisioner runs a command without end, and waits for that.
fn start_endless(packer: &Installation, guest: &LocalGuest) -> Started {
    let pid = guest.home().join("pid");
    let commands = [
        format!("echo $$ > {}", pid.display()),
        "echo it runs".to_owned(),
        "exec sleep 1000".to_owned(),
    ];
    let commands = commands.each_ref().map(String::as_str);
    let text = guest.template(&["a"], &guest.shell("provisioner", &commands));
    let path = packer.path("template.pkr.hcl");
    std::fs::write(&path, text).unwrap();
    let mut started = packer.start(&["build", path.to_str().unwrap()]);
    started.until("it runs");
    assert_eq!(guest.hypervisor.volumes(), [guest.domain("a")]);
    started
}

/// A guest's commands end with the guest. This one is not gone, so what it runs is ended by hand.
fn end_command(guest: &LocalGuest) {
    let pid = std::fs::read_to_string(guest.home().join("pid")).unwrap();
    let pid = pid.trim().parse().ok().and_then(Pid::from_raw).unwrap();
    let _ = kill_process(pid, Signal::KILL);
}

#[test]
fn ctrl_c_cleans_up_before_packer_ends() {
    let guest = need!(LocalGuest::new());
    with_each("ctrl_c_cleans_up_before_packer_ends", |packer| {
        let started = start_endless(packer, &guest);
        kill_process_group(started.id(), Signal::INT).unwrap();
        let finished = started.finish();
        assert_eq!(finished.code, Some(1), "{}", finished.output);
        assert_said(
            &finished.output,
            &["the build was cancelled", "Cleanly cancelled builds"],
        );
        guest.assert_clean(&finished.output);
        end_command(&guest);
    });
}

#[test]
fn a_build_whose_packer_is_killed_cleans_up() {
    let guest = need!(LocalGuest::new());
    with_each("a_build_whose_packer_is_killed_cleans_up", |packer| {
        let started = start_endless(packer, &guest);
        // The one that was started only watches over the real one.
        let outer = started.id().as_raw_nonzero().to_string();
        let inner = Command::new("pgrep").args(["-P", &outer]).output().unwrap();
        let inner = String::from_utf8(inner.stdout).unwrap();
        let inner = inner.trim().parse().ok().and_then(Pid::from_raw);
        kill_process(
            inner.expect("Packer has a process of its own"),
            Signal::KILL,
        )
        .unwrap();
        // Ends when the plugin has.
        let finished = started.finish();
        guest.assert_clean(&finished.output);
        end_command(&guest);
    });
}
