//! Scripts on this machine.

use super::*;

fn local(options: &str) -> String {
    format!("provisioner \"shell-local\" {{\n{options}\n}}")
}

/// What a script printed on standard output.
async fn printed(options: &str, folder: &Path) -> Vec<String> {
    let (guest, user) = (Guest::default(), User::default());
    run_in(&guest, &user, &local(options), folder)
        .await
        .unwrap();
    assert!(guest.log().is_empty());
    user.of("out")
}

#[tokio::test]
async fn commands_and_scripts_run_in_the_working_directory_with_their_variables() {
    let folder = tempfile::Builder::new()
        .prefix("with a space")
        .tempdir()
        .unwrap();
    let script = folder.path().join("my script.sh");
    write_program(&script, b"#!/bin/sh\necho \"script $ODD\"\n", 0o755);
    let odd = r#"env = { ODD = "it's $HOME" }"#;
    for (options, expected) in [
        (
            r#"inline = ["x=1", "echo $x; ls"]"#,
            &["1", "my script.sh"][..],
        ),
        (
            r#"command = "echo $PACKER_BUILD_NAME $PACKER_BUILDER_TYPE""#,
            &["example libvirt"],
        ),
        (r#"script = "my script.sh""#, &["script it's $HOME"]),
        (
            r#"scripts = ["my script.sh", "my script.sh"]"#,
            &["script it's $HOME"; 2],
        ),
        (
            "inline = [\"echo $ODD\"]\nexecute_command = [\"/bin/sh\", \"{{.Script}}\"]",
            &["it's $HOME"],
        ),
        (
            "inline = [\"echo $ODD\"]\nexecute_command = \"{{.Vars}} sh {{.Script}}\"",
            &["it's $HOME"],
        ),
    ] {
        assert_eq!(
            printed(&format!("{options}\n{odd}"), folder.path()).await,
            expected,
            "{options}"
        );
    }
}

#[tokio::test]
async fn standard_input_is_empty_and_standard_error_is_shown() {
    let user = User::default();
    run(
        &Guest::default(),
        &user,
        &local(r#"inline = ["cat; echo oops >&2"]"#),
    )
    .await
    .unwrap();
    assert_eq!(user.of("err"), ["oops"]);
}

#[tokio::test]
async fn the_status_decides() {
    for (options, expected) in [
        ("inline = [\"exit 3\"]", Some("exit code 3")),
        ("inline = [\"exit 3\"]\nvalid_exit_codes = [3]", None),
        ("inline = [\"kill -9 $$\"]", Some("signal 9")),
        // A shell of its own dies instead of the one around it.
        ("inline = [\"false\", \"true\"]", Some("exit code 1")),
    ] {
        let result = run(&Guest::default(), &User::default(), &local(options)).await;
        match expected {
            None => result.unwrap(),
            Some(end) => match cause(result) {
                ProvisionError::Status { status, .. } => {
                    // The shell around the script tells a signal as 128 more than its number.
                    let status = status.replace("exit code 137", "signal 9");
                    assert_eq!(status, end, "{options}");
                }
                other => panic!("{other:?}"),
            },
        }
    }
}

#[tokio::test]
async fn a_script_for_other_systems_is_skipped() {
    let user = User::default();
    let options = "inline = [\"exit 1\"]\nonly_on = [\"windows\", \"plan9\"]";
    run(&Guest::default(), &user, &local(options))
        .await
        .unwrap();
    assert!(
        user.of("say")
            .iter()
            .any(|said| said.contains("windows, plan9"))
    );
    let options = "inline = [\"echo here\"]\nonly_on = [\"linux\"]";
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(printed(options, folder.path()).await, ["here"]);
}

#[tokio::test]
async fn cancelling_kills_everything_the_script_has_started() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    assert!(
        std::process::Command::new("mkfifo")
            .arg(&fifo)
            .status()
            .unwrap()
            .success()
    );
    // A grandchild, in the background, holds the pipe open for writing; it ends when all are dead.
    let options = r#"inline = ["(exec 3>fifo; exec sleep 1000) & echo started; wait"]"#;
    let reader = tokio::task::spawn_blocking(move || std::fs::read(fifo).unwrap());
    let (guest, user, build) = (Guest::default(), User::default(), build());
    let cancel = CancellationToken::new();
    let context = ProvisionContext {
        communicator: Some(&guest.communicator()),
        build: &build,
        ui: &user.masked(),
        cancel: &cancel,
    };
    let all = provisioners(&local(options), folder.path());
    let stop = async {
        user.printed.notified().await;
        cancel.cancel();
    };
    let (result, ()) = tokio::join!(all.provision(&context), stop);
    assert!(matches!(result, Err(Error::Cancelled)));
    // If the grandchild was killed before it opened the pipe, nobody has: let the reader through.
    let fifo = folder.path().join("fifo");
    let open = tokio::task::spawn_blocking(move || {
        std::fs::OpenOptions::new()
            .read(true)
            .write(true)
            .open(fifo)
            .unwrap()
    });
    drop(open.await.unwrap());
    let end = tokio::time::timeout(Duration::from_secs(60), reader).await;
    assert_eq!(end.expect("the grandchild is alive").unwrap(), b"");
}

#[tokio::test]
async fn variables_are_in_no_command_line() {
    let folder = tempfile::tempdir().unwrap();
    // Every command line there is while the script runs, and that the variable arrived.
    let script = "test $TOKEN = correct-horse-battery && echo arrived; \
                  for process in /proc/[0-9]*; do \
                  xargs -0 echo < $process/cmdline || true; done 2>/dev/null; true";
    for command in [
        "",
        "execute_command = [\"/bin/sh\", \"-c\", \"{{.Vars}} {{.Script}}\"]",
        "execute_command = [\"bash\", \"-ec\", \"{{ .Vars }} {{ .Script }}\"]",
        "execute_command = \"{{.Vars}} {{.Script}}\"",
        "execute_command = [\" {{ .Vars}}exec sh {{.Script}}\"]",
        "execute_command = [\"/bin/sh\", \"{{.Script}}\"]",
    ] {
        for variables in [
            "environment_vars = [\"TOKEN=correct-horse-battery\"]",
            "env = { TOKEN = \"correct-horse-battery\" }",
        ] {
            let options = format!("inline = [\"{script}\"]\n{command}\n{variables}");
            let lines = printed(&options, folder.path()).await;
            assert_eq!(
                lines.first().map(String::as_str),
                Some("arrived"),
                "{command}"
            );
            assert!(
                lines
                    .iter()
                    .any(|line| line.contains("lvhost-shell-local-"))
            );
            let shown = lines.iter().find(|line| line.contains("correct-horse"));
            assert_eq!(shown, None, "{command}");
        }
    }
}
