//! Scripts in the guest.

use super::*;

fn shell(options: &str) -> String {
    format!("provisioner \"shell\" {{\n{options}\n}}")
}

/// A shell provisioner with fixed paths.
fn at_s(options: &str) -> String {
    shell(&format!("remote_path = \"/s\"\n{options}"))
}

const VARS: &str = "PACKER_BUILDER_TYPE='libvirt' PACKER_BUILD_NAME='example' ";

#[tokio::test]
async fn inline_commands_become_one_script_that_is_run_and_removed() {
    let guest = Guest::default();
    run(
        &guest,
        &User::default(),
        &at_s(r#"inline = ["one", "two"]"#),
    )
    .await
    .unwrap();
    assert_eq!(
        guest.log(),
        [
            r##"upload /s 755 "#!/bin/sh -e\none\ntwo\n""##.to_string(),
            format!("run chmod +x /s; env {VARS} /s"),
            "run rm -f /s".to_string(),
        ]
    );
}

#[tokio::test]
async fn the_first_line_of_an_inline_script_is_the_users() {
    let guest = Guest::default();
    let options = at_s("inline = [\"one\"]\ninline_shebang = \"/bin/bash -eux\"");
    run(&guest, &User::default(), &options).await.unwrap();
    assert_eq!(
        guest.log()[0],
        r##"upload /s 755 "#!/bin/bash -eux\none\n""##
    );
}

#[tokio::test]
async fn every_script_is_uploaded_run_and_removed_in_turn() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.sh"), "a\r\nb\n").unwrap();
    std::fs::write(folder.path().join("b.sh"), "c\rd").unwrap();
    for (options, first) in [("", "a\nb\n"), ("binary = true", "a\r\nb\n")] {
        let guest = Guest::default();
        let options = format!(
            "scripts = [\"a.sh\", \"b.sh\"]\nexecute_command = \"sudo {{{{.Path}}}}\"\n{options}"
        );
        run_in(&guest, &User::default(), &at_s(&options), folder.path())
            .await
            .unwrap();
        let expected = [
            &format!("upload /s 755 {first:?}"),
            "run sudo /s",
            "run rm -f /s",
            "upload /s 755 \"c\\rd\"",
            "run sudo /s",
            "run rm -f /s",
        ];
        assert_eq!(guest.log(), expected);
    }
}

#[tokio::test]
async fn a_script_goes_into_the_remote_folder_under_a_name_of_its_own() {
    let guest = Guest::default();
    let blocks = [
        shell("inline = [\"true\"]\nremote_folder = \"/var/tmp/\""),
        shell("inline = [\"true\"]\nremote_file = \"mine.sh\""),
    ];
    run(
        &guest,
        &User::default(),
        &blocks.concat().replace("}provisioner", "}\nprovisioner"),
    )
    .await
    .unwrap();
    let log = guest.log();
    assert!(log[0].starts_with("upload /var/tmp/script_"), "{log:?}");
    assert!(log[3].starts_with("upload /tmp/mine.sh "), "{log:?}");
}

/// Runs a script with `variables` through a real shell and gives what it saw.
async fn printed(options: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let guest = Guest {
        login_shell: Some("/bin/sh".into()),
        ..Guest::default()
    };
    let user = User::default();
    let options = format!(
        r#"
        remote_folder = "{}"
        inline        = ["printf '<%s>\\n' \"$ODD\"; echo $PACKER_BUILD_NAME"]
        {options}
        "#,
        folder.path().display()
    );
    run(&guest, &user, &shell(&options)).await.unwrap();
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        0,
        "something was left"
    );
    assert_eq!(user.of("err"), Vec::<String>::new());
    user.of("out")
}

#[tokio::test]
async fn variables_reach_a_script_as_they_are_whatever_is_in_them() {
    for value in [
        "plain",
        "it's",
        "'",
        "''\\''",
        "a b  c",
        "$HOME `id` $(id) \\",
        "\\\"quoted\\\"",
        "*",
        "a=b=c",
        "caf\u{e9}",
    ] {
        let value = value.replace('\\', "\\\\").replace("\\\\\"", "\\\"");
        let expected = value.replace("\\\\", "\\").replace("\\\"", "\"");
        for options in [
            format!("env = {{ ODD = \"{value}\" }}"),
            format!("environment_vars = [\"ODD={value}\"]"),
            format!("env = {{ ODD = \"{value}\" }}\nuse_env_var_file = true"),
        ] {
            let out = printed(&options).await;
            assert_eq!(
                out,
                [format!("<{expected}>"), "example".to_string()],
                "{options}"
            );
        }
    }
}

#[tokio::test]
async fn variables_can_be_handed_over_in_a_file_of_any_format() {
    let guest = Guest::default();
    let options = r#"
        inline           = ["true"]
        env              = { A = "1" }
        use_env_var_file = true
        env_var_format   = "set -x %s '%s'\n"
    "#;
    run(&guest, &User::default(), &at_s(options)).await.unwrap();
    let log = guest.log();
    assert!(log[1].starts_with("upload /tmp/varfile_"), "{log:?}");
    assert!(
        log[1].contains(" 600 \"set -x A '1'\\nset -x PACKER_"),
        "{log:?}"
    );
    let file = log[1].split(' ').nth(1).unwrap();
    assert_eq!(log[2], format!("run chmod +x /s; . {file} && /s"));
    assert_eq!(log[3], format!("run rm -f /s {file}"));
}

#[tokio::test]
async fn the_status_decides_and_the_script_is_removed_all_the_same() {
    let code = ExitStatus::Code;
    let failed = |error: &ProvisionError, end: &str| {
        matches!(error, ProvisionError::Status { what, status }
            if what == "the inline script" && status == end)
    };
    for (end, options, expected) in [
        (code(0), "", None),
        (code(3), "", Some("exit code 3")),
        (code(126), "valid_exit_codes = [126]", None),
        (code(3), "valid_exit_codes = [0, 3]", None),
        (code(0), "valid_exit_codes = [3]", Some("exit code 0")),
        (ExitStatus::Signal("KILL".into()), "", Some("signal KILL")),
    ] {
        let guest = Guest::ending([end.clone()]);
        let options = format!("inline = [\"true\"]\n{options}");
        let result = run(&guest, &User::default(), &at_s(&options)).await;
        match expected {
            None => result.unwrap(),
            Some(status) => assert!(failed(&cause(result), status), "{end:?}"),
        }
        assert_eq!(guest.log().last().unwrap(), "run rm -f /s", "{end:?}");
    }
}

#[tokio::test]
async fn exit_codes_of_shells_are_explained() {
    for (code, words) in [
        (126, "`noexec`"),
        (127, "does not find"),
        (125, "exit code 125"),
    ] {
        let guest = Guest::ending([ExitStatus::Code(code)]);
        let ran = run(&guest, &User::default(), &at_s("inline = [\"true\"]")).await;
        let told = cause(ran).to_string();
        let has = told.contains(&format!("exit code {code}")) && told.contains(words);
        assert!(has, "{told}");
        assert_eq!(told.contains("which a shell gives"), code != 125, "{told}");
    }
}

/// Wherever scripts go, they run, and nothing of them stays.
#[tokio::test]
async fn scripts_run_from_a_folder_of_any_name() {
    let folder = tempfile::tempdir().unwrap();
    for name in [
        "plain",
        "with space",
        "it's",
        "$(reboot)",
        "a;b",
        "-x",
        "\u{fc}",
    ] {
        let place = folder.path().join(name);
        std::fs::create_dir(&place).unwrap();
        for more in ["", "use_env_var_file = true\n", "remote_file = \"a b\"\n"] {
            let options = format!(
                "{more}inline = [\"echo \\\"$ODD\\\"\"]\nenv = {{ ODD = \"odd\" }}\nremote_folder = {:?}",
                place.to_str().unwrap()
            );
            let guest = Guest {
                login_shell: Some("/bin/sh".into()),
                ..Guest::default()
            };
            let user = User::default();
            run(&guest, &user, &shell(&options)).await.unwrap();
            assert_eq!(user.of("out"), ["odd"], "{options}");
            let left: Vec<_> = std::fs::read_dir(&place).unwrap().collect();
            assert!(left.is_empty(), "{options}: {left:?}");
        }
    }
}

#[tokio::test]
async fn a_script_in_the_home_is_run_and_removed_there() {
    for (place, run_as) in [
        ("remote_path = \"~/s\"", "~/s"),
        ("remote_path = \"~/a b/s\"", "~/'a b/s'"),
        ("remote_path = \"s\"", "./s"),
        ("remote_folder = \"~/\"\nremote_file = \"s\"", "~/s"),
    ] {
        let guest = Guest::default();
        let options = format!("inline = [\"true\"]\n{place}");
        run(&guest, &User::default(), &shell(&options))
            .await
            .unwrap();
        let log = guest.log();
        assert!(
            log[1].starts_with(&format!("run chmod +x {run_as};")),
            "{log:?}"
        );
        assert!(log[1].ends_with(&format!(" {run_as}")), "{log:?}");
        assert_eq!(log[2], format!("run rm -f {run_as}"));
    }
    // A command of the template's own gets the path as it stands there.
    let guest = Guest::default();
    let options =
        "inline = [\"true\"]\nremote_path = \"/a b\"\nexecute_command = \"sh '{{ .Path }}'\"";
    run(&guest, &User::default(), &shell(options))
        .await
        .unwrap();
    assert_eq!(guest.log()[1], "run sh '/a b'");
}

#[tokio::test]
async fn skip_clean_leaves_the_script() {
    for end in [0, 1] {
        let guest = Guest::ending([ExitStatus::Code(end)]);
        let options = "inline = [\"true\"]\nskip_clean = true";
        let _ = run(&guest, &User::default(), &at_s(options)).await;
        assert_eq!(guest.log().len(), 2, "{:?}", guest.log());
    }
}

#[tokio::test]
async fn a_lost_connection_is_an_error_unless_it_is_expected() {
    let guest = Guest::ending([ExitStatus::Missing]);
    let error = cause(run(&guest, &User::default(), &at_s("inline = [\"reboot\"]")).await);
    assert!(
        matches!(error, ProvisionError::Disconnected { .. }),
        "{error:?}"
    );
    let guest = Guest::ending([ExitStatus::Missing]);
    let options = "inline = [\"reboot\"]\nexpect_disconnect = true";
    run(&guest, &User::default(), &at_s(options)).await.unwrap();
    assert_eq!(guest.log().last().unwrap(), "run rm -f /s");
}

#[tokio::test(start_paused = true)]
async fn a_script_is_uploaded_again_until_the_guest_is_back() {
    let guest = Guest {
        away: Arc::new(Mutex::new(3)),
        ..Guest::default()
    };
    run(&guest, &User::default(), &at_s("inline = [\"true\"]"))
        .await
        .unwrap();
    let uploads = guest
        .log()
        .iter()
        .filter(|call| call.starts_with("upload"))
        .count();
    let runs = guest
        .log()
        .iter()
        .filter(|call| call.starts_with("run chmod"))
        .count();
    assert_eq!((uploads, runs), (4, 1));
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_stays_away_is_given_up() {
    let guest = Guest {
        away: Arc::new(Mutex::new(usize::MAX)),
        ..Guest::default()
    };
    let begun = tokio::time::Instant::now();
    let options = "inline = [\"true\"]\nstart_retry_timeout = \"30s\"";
    let error = cause(run(&guest, &User::default(), &at_s(options)).await);
    assert!(matches!(&error, ProvisionError::Communicator(error) if error.is_connection()));
    assert!((30..32).contains(&begun.elapsed().as_secs()));
}

#[tokio::test(start_paused = true)]
async fn a_script_may_turn_the_guest_off_for_good() {
    let guest = Guest::ending([ExitStatus::Missing]);
    let user = User::default();
    let options = "inline = [\"poweroff\"]\nexpect_disconnect = true\nskip_clean = true\n\
                   pause_after = \"90s\"";
    let begun = tokio::time::Instant::now();
    run(&guest, &user, &at_s(options)).await.unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(90));
    assert_eq!(guest.log().len(), 2);
}
