//! Which provisioners run, in which order, how often and with which options.

use super::*;

#[tokio::test]
async fn provisioners_run_in_order_for_the_sources_they_are_meant_for() {
    let guest = Guest::default();
    let blocks = r#"
        provisioner "file" {
          content     = "1"
          destination = "/one"
        }
        provisioner "file" {
          only        = ["libvirt.other"]
          content     = "2"
          destination = "/two"
        }
        provisioner "file" {
          except      = ["libvirt.example"]
          content     = "3"
          destination = "/three"
        }
        provisioner "file" {
          only        = ["source.libvirt.example"]
          content     = "4"
          destination = "/four"
        }
    "#;
    run(&guest, &User::default(), blocks).await.unwrap();
    assert_eq!(guest.log(), [r#"upload /one "1""#, r#"upload /four "4""#]);
}

#[tokio::test]
async fn the_first_failure_ends_it_and_names_the_provisioner() {
    let guest = Guest::ending([ExitStatus::Code(3)]);
    let blocks = r#"
        provisioner "shell" {
          name      = "broken"
          inline    = ["false"]
        }
        provisioner "file" {
          content     = "1"
          destination = "/one"
        }
    "#;
    let error = run(&guest, &User::default(), blocks).await.unwrap_err();
    assert_eq!(error.to_string(), "the provisioner `shell (broken)` failed");
    assert!(guest.log().iter().all(|call| !call.contains("/one")));
}

#[tokio::test]
async fn options_see_the_build_and_the_source() {
    let guest = Guest::default();
    let blocks = r#"
        provisioner "file" {
          content     = "${build.name} ${source.name} ${source.type} ${build.Host} {{ build `ID` }}"
          destination = "/tmp/{{build_name}}"
        }
    "#;
    run(&guest, &User::default(), blocks).await.unwrap();
    assert_eq!(
        guest.log(),
        [r#"upload /tmp/example "demo example libvirt 192.0.2.7 the-id""#]
    );
}

#[tokio::test]
async fn a_later_provisioner_reads_what_an_earlier_one_has_made() {
    let guest = Guest::default();
    let blocks = r#"
        provisioner "shell-local" {
          inline = ["printf made > generated.txt"]
        }
        provisioner "file" {
          source      = "generated.txt"
          generated   = true
          destination = "/there"
        }
    "#;
    run(&guest, &User::default(), blocks).await.unwrap();
    assert!(guest.log()[0].ends_with(r#""made""#), "{:?}", guest.log());
}

#[tokio::test]
async fn override_replaces_options_for_its_source_only() {
    for (name, expected) in [("example", "special"), ("other", "usual")] {
        let guest = Guest::default();
        let blocks = format!(
            r#"
            provisioner "file" {{
              content     = "usual"
              destination = "/file"
              override    = {{ {name} = {{ content = "special" }} }}
            }}
            "#
        );
        run(&guest, &User::default(), &blocks).await.unwrap();
        assert_eq!(
            guest.log(),
            [format!("upload /file {expected:?}")],
            "{name}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn max_retries_repeats_what_failed_and_pauses_before_each() {
    let end = |ends: &[u32]| Guest::ending(ends.iter().copied().map(ExitStatus::Code));
    let blocks = r#"
        provisioner "shell" {
          inline       = ["true"]
          remote_path  = "/s"
          skip_clean   = true
          pause_before = "10s"
          max_retries  = 2
        }
    "#;
    // The number of codes is that of the runs: the guest is to have none left.
    for (codes, good) in [
        (vec![0], true),
        (vec![1, 1, 0], true),
        (vec![1, 1, 1], false),
    ] {
        let (guest, user, begun) = (end(&codes), User::default(), tokio::time::Instant::now());
        assert_eq!(run(&guest, &user, blocks).await.is_ok(), good, "{codes:?}");
        assert!(guest.ends.lock().unwrap().is_empty(), "{codes:?}");
        assert_eq!(user.of("warn").len(), codes.len() - 1, "{codes:?}");
        let tens = u32::try_from(codes.len()).unwrap();
        assert!(
            begun.elapsed() >= Duration::from_secs(10) * tens,
            "{codes:?}"
        );
    }
}

#[tokio::test]
async fn a_timeout_ends_a_provisioner() {
    let blocks = r#"
        provisioner "shell-local" {
          inline  = ["exec sleep 1000"]
          timeout = "50ms"
        }
    "#;
    let error = cause(run(&Guest::default(), &User::default(), blocks).await);
    assert!(
        matches!(error, ProvisionError::Timeout(time) if time == Duration::from_millis(50)),
        "{error:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn continue_on_error_goes_on_once_all_retries_have_failed() {
    let guest = Guest::ending([ExitStatus::Code(3), ExitStatus::Code(4)]);
    let (user, begun) = (User::default(), tokio::time::Instant::now());
    let blocks = r#"
        provisioner "shell" {
          name              = "shaky"
          inline            = ["false"]
          remote_path       = "/s"
          skip_clean        = true
          pause_before      = "10s"
          max_retries       = 1
          continue_on_error = "true"
        }
        provisioner "file" {
          content     = "1"
          destination = "/one"
        }
    "#;
    run(&guest, &user, blocks).await.unwrap();
    assert!(guest.ends.lock().unwrap().is_empty());
    assert_eq!(guest.log().last().unwrap(), r#"upload /one "1""#);
    let [retry, end] = <[String; 2]>::try_from(user.of("warn")).unwrap();
    assert!(retry.ends_with("exit code 3; retry 1 of 1"), "{retry}");
    assert!(
        end.starts_with("shell (shaky) failed: ")
            && end.contains("exit code 4; the build goes on, since `continue_on_error` is set"),
        "{end}"
    );
    assert!(begun.elapsed() >= Duration::from_secs(20));
}

#[tokio::test]
async fn whatever_way_a_provisioner_fails_continue_on_error_goes_on() {
    let cases = [
        (
            "provisioner \"shell-local\" {\n inline = [\"exec sleep 1000\"]\n timeout = \"50ms\"",
            "it took longer than its `timeout`",
        ),
        (
            "provisioner \"file\" {\n source = \"nowhere\"\n destination = \"/x\"",
            "its options can't be used: ",
        ),
        (
            "provisioner \"shell-local\" {\n inline = [\"exit ${build.Port}\"]",
            "exit code 22",
        ),
        (
            "provisioner \"shell\" {\n inline = [\"true\"]",
            "the connection to guest:22 was lost",
        ),
    ];
    for (block, expected) in cases {
        let guest = Guest::default();
        *guest.away.lock().unwrap() = usize::from(block.contains("\"shell\""));
        let user = User::default();
        let blocks = format!(
            "{block}\n start\n continue_on_error = true\n}}\nprovisioner \"file\" {{\n content = \"1\"\n \
             destination = \"/one\"\n}}"
        );
        let retry = match block.contains("\"shell\"") {
            true => "start_retry_timeout = \"0s\"",
            false => "",
        };
        run(
            &guest,
            &user,
            &blocks.replace("start\n", &format!("{retry}\n")),
        )
        .await
        .unwrap_or_else(|error| panic!("{block}: {error:?}"));
        let warnings = user.of("warn");
        assert_eq!(warnings.len(), 1, "{block}: {warnings:?}");
        assert!(warnings[0].contains(expected), "{block}: {warnings:?}");
        assert_eq!(guest.log().last().unwrap(), r#"upload /one "1""#, "{block}");
    }
}

#[tokio::test]
async fn continue_on_error_false_ends_it_and_override_knows_no_such_option() {
    let block =
        |more: &str| format!("provisioner \"shell-local\" {{\n inline = [\"exit 3\"]\n {more}\n}}");
    for more in ["continue_on_error = false", "continue_on_error = null"] {
        let result = run(&Guest::default(), &User::default(), &block(more)).await;
        let error = cause(result);
        assert!(
            matches!(error, ProvisionError::Status { .. }),
            "{more}: {error:?}"
        );
    }
    let folder = tempfile::tempdir().unwrap();
    for more in [
        "continue_on_error = \"perhaps\"",
        "override = { example = { continue_on_error = true } }",
    ] {
        let report = provisioners(&block(more), folder.path()).check();
        let errors: Vec<_> = report.iter().map(|error| error.summary.as_str()).collect();
        assert_eq!(errors.len(), 1, "{more}: {errors:?}");
        assert!(
            errors[0].contains("continue_on_error"),
            "{more}: {errors:?}"
        );
    }
}

#[tokio::test]
async fn a_warning_of_what_failed_shows_no_secret() {
    let user = User::default();
    let blocks = r#"
        provisioner "file" {
          source            = "no/${var.secret}/here"
          destination       = "/one"
          continue_on_error = true
        }
    "#;
    run(&Guest::default(), &user, blocks).await.unwrap();
    let warnings = user.of("warn");
    let [warning] = &warnings[..] else {
        panic!("{warnings:?}");
    };
    assert!(
        warning.contains("`no/<sensitive>/here`") && !warning.contains("hunter2"),
        "{warning}"
    );
}

#[tokio::test]
async fn a_cancelled_build_does_not_go_on() {
    let (guest, user, build) = (Guest::default(), User::default(), build());
    let cancel = CancellationToken::new();
    let context = ProvisionContext {
        communicator: Some(&guest.communicator()),
        build: &build,
        ui: &user.masked(),
        cancel: &cancel,
    };
    let blocks = r#"
        provisioner "shell-local" {
          inline            = ["echo begun; exec sleep 1000"]
          continue_on_error = true
        }
        provisioner "file" {
          content     = "1"
          destination = "/one"
        }
    "#;
    let folder = tempfile::tempdir().unwrap();
    let provisioners = provisioners(blocks, folder.path());
    let cancelled = async {
        user.printed.notified().await;
        cancel.cancel();
    };
    let (result, ()) = tokio::join!(provisioners.provision(&context), cancelled);
    assert!(matches!(result, Err(Error::Cancelled)), "{result:?}");
    assert!(guest.log().is_empty(), "{:?}", guest.log());
}

#[tokio::test]
async fn a_cancelled_build_begins_nothing() {
    let (guest, user, build) = (Guest::default(), User::default(), build());
    let cancel = CancellationToken::new();
    cancel.cancel();
    let context = ProvisionContext {
        communicator: Some(&guest.communicator()),
        build: &build,
        ui: &user.masked(),
        cancel: &cancel,
    };
    let blocks = "provisioner \"shell\" {\n inline = [\"true\"]\n}";
    let folder = tempfile::tempdir().unwrap();
    let result = provisioners(blocks, folder.path())
        .provision(&context)
        .await;
    assert!(matches!(result, Err(Error::Cancelled)));
    assert!(guest.log().is_empty());
}

#[tokio::test]
async fn secrets_are_not_shown() {
    let guest = Guest {
        prints: b"swordfish and hunter2-and-more and token-1234\n".to_vec(),
        ..Guest::default()
    };
    let user = User::default();
    let blocks = r#"
        provisioner "shell" {
          inline = ["echo ${var.secret}"]
        }
    "#;
    run(&guest, &user, blocks).await.unwrap();
    let out = user.of("out");
    assert_eq!(out[0], "<sensitive> and <sensitive> and token-1234");
}

#[tokio::test]
async fn a_breakpoint_asks_the_user_and_says_how_to_get_in() {
    let user = User::default();
    let blocks = r#"
        provisioner "breakpoint" {
          note = "look at /etc"
        }
        provisioner "breakpoint" {
          disable = true
          note    = "not now"
        }
    "#;
    run(&Guest::default(), &user, blocks).await.unwrap();
    let asked = user.of("ask");
    assert_eq!(asked.len(), 1);
    assert!(asked[0].contains("look at /etc") && asked[0].contains("ssh -p 22 debian@192.0.2.7"));
    assert!(
        user.of("say")
            .iter()
            .any(|said| said.ends_with("disabled: not now"))
    );
}
