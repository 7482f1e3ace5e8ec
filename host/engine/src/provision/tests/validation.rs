//! What is found before there is a guest.

use super::*;

/// What the check says, one line each.
fn check(blocks: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("here.sh"), "true").unwrap();
    provisioners(blocks, folder.path())
        .check()
        .iter()
        .map(|said| said.summary.clone())
        .collect()
}

#[test]
fn what_is_right_is_not_complained_about() {
    let blocks = r#"
        provisioner "shell" {
          scripts          = ["here.sh"]
          env              = { HOST = build.Host }
          execute_command  = "echo '${build.Password}' | sudo -S sh -c '{{ .Vars }} {{ .Path }}'"
          pause_before     = "10s"
          timeout          = "1h"
          max_retries      = 3
        }
        provisioner "shell" {
          inline = ["echo {{ build `Host` }} {{`{{.Names}}`}}"]
        }
        provisioner "shell-local" {
          command = "echo ${build.ID}"
        }
        provisioner "file" {
          source      = "/tmp/${build.ID}.txt"
          destination = "/tmp/"
        }
        provisioner "file" {
          source      = "not-there-yet"
          generated   = true
          destination = "/tmp/"
        }
        provisioner "breakpoint" {}
        provisioner "ansible" {
          only = ["amazon-ebs.other"]
          playbook_file = "play.yml"
        }
    "#;
    assert_eq!(check(blocks), Vec::<String>::new());
}

#[test]
fn what_is_wrong_is_found_before_a_build() {
    for (block, expected) in [
        (
            r#""shel" { inline = ["true"] }"#,
            "no provisioner called `shel`",
        ),
        (
            r#""ansible" { playbook_file = "{{ x }}" }"#,
            "`ansible` is not supported",
        ),
        (
            r#""shell" { inlin = ["true"] }"#,
            "no option called `inlin`",
        ),
        (
            r#""shell" { script = "gone.sh" }"#,
            "can't read the script `gone.sh`",
        ),
        (
            r#""shell-local" { scripts = ["here.sh", "gone.sh"] }"#,
            "the script `gone.sh`",
        ),
        (
            r#""file" { source = "gone" DESTINATION }"#,
            "can't read the source `gone`",
        ),
        (
            r#""file" { content = "x" destination = "/tmp/" }"#,
            "`destination` is a folder",
        ),
        (
            r#""file" { sources = ["here.sh", "here.sh"] destination = "/x" }"#,
            "must be a folder",
        ),
        (
            r#""shell" { inline = ["{{ .Path }}"] }"#,
            "`inline[0]`: there is no `.Path`",
        ),
        (
            r#""shell" { inline = ["{{ user `x` }}"] }"#,
            "`user` reads the variables of a template in JSON",
        ),
        (
            r#""shell" { inline = ["{{ build `Hots` }}"] }"#,
            "`build` has no `Hots`",
        ),
        (
            r#""shell" { inline = [""] execute_command = "{{.Pth}}" }"#,
            "no `.Pth` here",
        ),
        (
            r#""shell" { inline = [""] env = { "A-B" = "" } }"#,
            "`A-B` can't be the name",
        ),
        (
            r#""shell" { inline = [""] env_var_format = "%s" }"#,
            "needs `%s` twice",
        ),
        (
            r#""shell" { inline = [""] pause_before = "5" }"#,
            "`pause_before`: a duration",
        ),
        (
            r#""shell" { inline = [""] max_retries = -1 }"#,
            "`max_retries`: a whole number",
        ),
        (
            r#""shell" { inline = [""] override = { example = "x" } }"#,
            "`override.example` must",
        ),
        (
            r#""shell" { inline = [""] override = { example = { x = 1 } } }"#,
            "no option called `x`",
        ),
    ] {
        // One option a line, as the language wants it.
        let block = block
            .replace("DESTINATION", "destination = \"/tmp/\"")
            .replacen("{ ", "{\n", 1)
            .replace(" destination =", "\ndestination =")
            .replace(" execute_command =", "\nexecute_command =")
            .replace(" env", "\nenv")
            .replace(" pause_before", "\npause_before")
            .replace(" max_retries", "\nmax_retries")
            .replace(" override", "\noverride");
        let block = format!("{}\n}}", block.strip_suffix('}').unwrap());
        let said = check(&format!("provisioner {block}"));
        assert!(
            said.iter().any(|said| said.contains(expected)),
            "{block}: {said:?}"
        );
    }
}

#[tokio::test]
async fn wrong_options_stop_a_build_before_anything_is_run() {
    let guest = Guest::default();
    let blocks = "provisioner \"shell\" {\n inlin = [\"true\"]\n}";
    let error = cause(run(&guest, &User::default(), blocks).await);
    assert!(matches!(error, ProvisionError::Options(report) if report.has_errors()));
    assert!(guest.log().is_empty());
}
