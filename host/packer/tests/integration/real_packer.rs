//! Unmodified Packers drive the example plugin.
//!
//! `tests/packer/build.sh VERSION` builds them. Where `LVHOST_TEST_PACKER_1_16_0` and
//! `LVHOST_TEST_PACKER_1_11_2` don't name them, these tests are skipped, and the one with another
//! plugin where `LVHOST_TEST_GO_PLUGIN_0_5_0` does not name that.

mod installation;

use std::io::Read;
use std::process::Command;
use std::sync::mpsc;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use self::installation::{Echo, with_each};
use crate::packer::{Finished, Installation, PATIENCE, Started};

/// The commands that provisioners run in the folder.
fn shell(installation: &Installation, lines: &str) -> String {
    format!(
        "provisioner \"shell\" {{\n  remote_folder = \"{}\"\n  inline = [{lines}]\n}}\n",
        installation.guest()
    )
}

#[test]
fn a_template_is_validated_and_built() {
    with_each("a_template_is_validated_and_built", |packer| {
        std::fs::create_dir_all(packer.path("folder/sub")).unwrap();
        std::fs::write(packer.path("folder/sub/file"), "in a folder").unwrap();
        let source = r#"
            message = "hello ${upper("world")}"
            lines   = ["one", "two"]
            tags    = { a = "b" }
            header { text = "title" }
            note { text = "first" }
            note {
              text  = "second"
              times = 3
            }
        "#;
        let build = [
            shell(
                packer,
                r#""echo on stdout", "echo on stderr >&2", "pwd", "cat""#,
            ),
            format!(
                r#"
                provisioner "file" {{
                  content     = "content"
                  destination = "up"
                }}
                provisioner "file" {{
                  direction   = "download"
                  source      = "up"
                  destination = "{0}/down"
                }}
                provisioner "file" {{
                  source      = "{0}/folder"
                  destination = "folders"
                }}
                provisioner "shell-local" {{
                  inline = ["echo ${{build.Host}} ${{build.Port}} ${{build.Greeting}}"]
                }}
                post-processor "manifest" {{
                  output = "{0}/manifest"
                }}
                post-processor "shell-local" {{
                  inline = ["echo after ${{build.Host}}"]
                }}
                "#,
                packer.directory.path().display()
            ),
        ];
        let template = packer.template(source, &build.concat());
        let validated = packer.command("validate", &template);
        assert_eq!(validated.code, Some(0), "{}", validated.output);

        let built = packer.command("build", &template);
        assert_eq!(
            built.code,
            Some(0),
            "{}: {}",
            packer.mode.name,
            built.output
        );
        let guest = packer.guest();
        for line in [
            "hello WORLD",
            "line: one",
            "line: two",
            "note: first",
            "note: second",
            "on stdout",
            "on stderr",
            &guest,
            "localhost 5985 hello WORLD",
            "cleaned up",
            "after localhost",
        ] {
            let line = format!("echo.a: {line}\n");
            let line = if line.contains("after") {
                line.replace("echo.a: ", "")
            } else {
                line
            };
            assert!(
                built.output.contains(&line),
                "{}: no {line:?} in\n{}",
                packer.mode.name,
                built.output
            );
        }
        assert!(
            built
                .output
                .contains("--> echo.a: It was said: hello WORLD"),
            "{}",
            built.output
        );
        assert_eq!(packer.read("down"), "content");
        assert_eq!(packer.read("guest/folders/folder/sub/file"), "in a folder");
        let manifest = packer.read("manifest");
        assert!(
            manifest.contains(r#""artifact_id": "hello WORLD""#),
            "{manifest}"
        );
        assert!(manifest.contains("/cleaned-up"), "{manifest}");

        // That the mode is the one it is meant to be.
        let log = packer.read("log");
        match packer.mode.name {
            "1.16.0" => assert!(log.contains("as protobuf") && !log.contains("as gob")),
            "1.16.0 with gob" => assert!(log.contains("as gob") && !log.contains("as protobuf")),
            _ => assert!(!log.contains("protobuf")),
        }
    });
}

#[test]
fn what_is_wrong_with_a_template_is_shown() {
    with_each("what_is_wrong_with_a_template_is_shown", |packer| {
        let cases = [
            (
                "",
                1,
                "Error: `message` is missing: there is nothing to say",
            ),
            (
                "message = \"a\"\nmesage = 1",
                1,
                "An argument named \"mesage\" is not expected here",
            ),
            (
                "message = [\"a\"]",
                1,
                "Inappropriate value for attribute \"message\"",
            ),
            (
                "message = \"a\"\nheader {}\nheader {}",
                1,
                "Only one block of type \"header\" is allowed",
            ),
            ("message = \"a\"\ndirectory = null", 1, ""),
        ];
        for (source, code, expected) in cases {
            let template = packer.template(source, "");
            let validated = packer.command("validate", &template);
            assert_eq!(validated.code, Some(code), "{source}: {}", validated.output);
            assert!(
                validated.output.contains(expected),
                "{source}: {}",
                validated.output
            );
        }
    });
}

#[test]
fn a_json_template_is_built() {
    with_each("a_json_template_is_built", |packer| {
        let template = packer.path("template.json");
        let text = format!(
            r#"{{"builders": [{{"type": "echo", "name": "j", "message": "from JSON", "directory": "{}"}}]}}"#,
            packer.guest()
        );
        std::fs::write(&template, text).unwrap();
        let built = packer.command("build", &template);
        assert_eq!(built.code, Some(0), "{}", built.output);
        assert!(built.output.contains("j: from JSON\n"), "{}", built.output);

        std::fs::write(
            &template,
            r#"{"builders": [{"type": "echo", "message": "no folder"}]}"#,
        )
        .unwrap();
        let validated = packer.command("validate", &template);
        let warning = "without `directory` provisioners can't run";
        assert!(validated.output.contains(warning), "{}", validated.output);
    });
}

#[test]
fn two_sources_are_built_side_by_side() {
    with_each("two_sources_are_built_side_by_side", |packer| {
        let template = packer.template(r#"message = "one""#, &shell(packer, r#""echo done""#));
        let text = std::fs::read_to_string(&template).unwrap();
        let text = text.replace(
            r#"sources = ["source.echo.a"]"#,
            &format!(
                "source \"echo.a\" {{ name = \"b\" }}\nsource \"echo.a\" {{\n name = \"c\"\n lines = [\"{}\"]\n}}",
                packer.mode.name
            ),
        );
        std::fs::write(&template, text).unwrap();
        let built = packer.command("build", &template);
        assert_eq!(built.code, Some(0), "{}", built.output);
        for line in [
            "echo.b: one",
            "echo.c: one",
            "echo.b: done",
            "echo.c: done",
            "echo.c: line: ",
        ] {
            assert!(built.output.contains(line), "{line}: {}", built.output);
        }
    });
}

#[test]
fn a_failed_build_runs_the_cleanup_provisioner() {
    with_each("a_failed_build_runs_the_cleanup_provisioner", |packer| {
        let cleanup = shell(packer, r#""echo after the failure""#).replace(
            "provisioner \"shell\"",
            "error-cleanup-provisioner \"shell\"",
        );
        let cases = [
            (
                "",
                r#""exit 3""#,
                "Script exited with non-zero exit status: 3",
            ),
            (
                "fail = true",
                r#""true""#,
                "the template wants this build to fail",
            ),
        ];
        for (option, command, error) in cases {
            let source = format!("message = \"a\"\n{option}");
            let template = packer.template(&source, &(shell(packer, command) + &cleanup));
            let built = packer.command("build", &template);
            assert_eq!(built.code, Some(1), "{}", built.output);
            for text in ["after the failure", "cleaned up", error] {
                assert!(built.output.contains(text), "{text}: {}", built.output);
            }
        }
    });
}

/// A build whose provisioner runs a command without end, and what tells when that command has ended.
struct Endless {
    started: Started,
    /// Hangs up when the command, and all that it has started, is gone.
    gone: mpsc::Receiver<()>,
}

impl Endless {
    fn start(packer: &Installation) -> Self {
        let fifo = packer.path("fifo");
        let made = Command::new("mkfifo").arg(&fifo).status().unwrap();
        assert!(made.success());
        let commands = format!(
            r#""exec 9> {}", "echo it runs", "sleep 1000""#,
            fifo.display()
        );
        let template = packer.template(r#"message = "a""#, &shell(packer, &commands));
        let mut started = packer.start(&["build", template.to_str().unwrap()]);
        let (sender, gone) = mpsc::channel();
        std::thread::spawn(move || {
            // Opens when the command opens it, and ends when the last of its processes has.
            let ended =
                std::fs::File::open(fifo).and_then(|mut fifo| fifo.read_to_end(&mut vec![]));
            let _ = ended.map(|_| sender.send(()));
        });
        started.until("it runs");
        Self { started, gone }
    }

    fn finish(self) -> Finished {
        let finished = self.started.finish();
        assert_eq!(
            self.gone.recv_timeout(PATIENCE),
            Ok(()),
            "the command runs on"
        );
        finished
    }
}

/// As a user has it who tries this plugin beside an older one.
#[test]
fn another_plugin_that_knows_gob_only_makes_packer_speak_it_to_all() {
    let name = "another_plugin_that_knows_gob_only_makes_packer_speak_it_to_all";
    with_each(name, |packer| {
        if packer.mode.name != "1.16.0" {
            return;
        }
        let variable = "LVHOST_TEST_GO_PLUGIN_0_5_0";
        let Some(other) = std::env::var(variable).ok().filter(|path| !path.is_empty()) else {
            println!("SKIPPED: {name}: {variable} is not set (tests/packer/build.sh builds it)");
            return;
        };
        packer.install(&other, "github.com/other/golibvirt");
        let template = packer.template(r#"message = "a""#, &shell(packer, r#""echo done""#));
        let built = packer.command("build", &template);
        assert_eq!(built.code, Some(0), "{}", built.output);
        assert!(built.output.contains("echo.a: done"), "{}", built.output);
        let log = packer.read("log");
        assert!(log.contains("as gob") && !log.contains("as protobuf"));
    });
}

#[test]
fn ctrl_c_ends_the_command_cleans_up_and_then_packer() {
    with_each(
        "ctrl_c_ends_the_command_cleans_up_and_then_packer",
        |packer| {
            let endless = Endless::start(packer);
            kill_process_group(endless.started.id(), Signal::INT).unwrap();
            let finished = endless.finish();
            assert_eq!(finished.code, Some(1), "{}", finished.output);
            for text in [
                "cleaned up",
                "the build was cancelled",
                "Cleanly cancelled builds",
            ] {
                assert!(
                    finished.output.contains(text),
                    "{text}: {}",
                    finished.output
                );
            }
            assert!(packer.path("guest/cleaned-up").exists());
        },
    );
}

#[test]
fn a_build_whose_packer_is_killed_cleans_up() {
    with_each("a_build_whose_packer_is_killed_cleans_up", |packer| {
        let endless = Endless::start(packer);
        // The one that was started only watches over the real one.
        let threads = format!("/proc/{}/task", endless.started.child.id());
        let inner = std::fs::read_dir(threads)
            .unwrap()
            .flatten()
            .find_map(|thread| {
                let children = std::fs::read_to_string(thread.path().join("children")).ok()?;
                children.split_whitespace().next()?.parse().ok()
            });
        let inner = inner
            .and_then(Pid::from_raw)
            .expect("Packer has no process of its own");
        kill_process(inner, Signal::KILL).unwrap();
        endless.finish();
        assert!(packer.path("guest/cleaned-up").exists());
    });
}
