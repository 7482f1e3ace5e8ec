//! How a script is started by the login shell of the guest's user, whatever that is.

use super::*;

const VARS: &str = "PACKER_BUILDER_TYPE='libvirt' PACKER_BUILD_NAME='example' ";

/// A shell provisioner with these options.
fn shell(options: &str) -> String {
    format!("provisioner \"shell\" {{\n{options}\n}}")
}

/// A script that does not say what runs it is run by the shell that starts it: it has to be the user's own.
#[tokio::test]
async fn a_script_that_says_what_runs_it_is_started_by_any_shell() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("said.sh"), "#!/bin/sh\ntrue\n").unwrap();
    std::fs::write(folder.path().join("bare.sh"), "true\n").unwrap();
    let script = |name: &str, more: &str| {
        shell(&format!(
            "remote_path = \"/s\"\nscript = \"{name}\"\n{more}"
        ))
    };
    for (options, expected) in [
        (script("said.sh", ""), format!("chmod +x /s; env {VARS} /s")),
        (
            script("said.sh", "binary = true"),
            format!("chmod +x /s; env {VARS} /s"),
        ),
        (script("bare.sh", ""), format!("chmod +x /s; {VARS} /s")),
        (
            script("bare.sh", "binary = true"),
            format!("chmod +x /s; {VARS} /s"),
        ),
        (
            script("said.sh", "env_var_format = \"%s='%s' \""),
            format!("chmod +x /s; {VARS} /s"),
        ),
    ] {
        let guest = Guest::default();
        run_in(&guest, &User::default(), &options, folder.path())
            .await
            .unwrap();
        assert_eq!(guest.log()[1], format!("run {expected}"), "{options}");
    }
    for (name, expected) in [
        ("said.sh", "sh -c '. \"$0\" && \"$1\"' FILE /s"),
        ("bare.sh", ". FILE && /s"),
    ] {
        let guest = Guest::default();
        let options = script(name, "use_env_var_file = true");
        run_in(&guest, &User::default(), &options, folder.path())
            .await
            .unwrap();
        let log = guest.log();
        let file = log[1].split(' ').nth(1).unwrap();
        let expected = expected.replace("FILE", file);
        assert_eq!(log[2], format!("run chmod +x /s; {expected}"));
    }
}

/// Shells that a user may log in with, as far as this machine has them.
fn login_shells() -> Vec<PathBuf> {
    let folders = std::env::var_os("PATH").unwrap();
    let folders: Vec<PathBuf> = std::env::split_paths(&folders).collect();
    let find = |name| {
        folders
            .iter()
            .map(|folder| folder.join(name))
            .find(|path| path.is_file())
    };
    ["sh", "bash", "ksh", "zsh", "fish", "tcsh"]
        .into_iter()
        .filter_map(find)
        .collect()
}

#[tokio::test]
async fn every_login_shell_starts_a_script_with_its_variables() {
    for shell in login_shells() {
        for (with_file, value) in [
            (false, "it's \"one\" $HOME `id` a|b;c"),
            (true, "two\nlines!x $y"),
        ] {
            let folder = tempfile::Builder::new().prefix("a b").tempdir().unwrap();
            let guest = Guest {
                login_shell: Some(shell.clone()),
                ..Guest::default()
            };
            let user = User::default();
            let options = format!(
                "inline = [\"printf '%s\\n' \\\"$ODD\\\"\"]\nremote_folder = {:?}\nuse_env_var_file = {with_file}\n\
                 env = {{ ODD = {value:?} }}",
                folder.path()
            );
            run(&guest, &user, &self::shell(&options)).await.unwrap();
            assert_eq!(
                user.of("out").join("\n"),
                value,
                "{shell:?} {:?}",
                user.of("err")
            );
            assert_eq!(
                std::fs::read_dir(folder.path()).unwrap().count(),
                0,
                "{shell:?}"
            );
        }
    }
}
