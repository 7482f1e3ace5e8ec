//! The options of the provisioners.

use lvhost_config::{Breakpoint, File, Provisioner, Shell, ShellLocal};

use super::{Row, check, provisioner};

#[test]
fn options_of_the_provisioner_shell() {
    let rows: &[Row<Shell>] = rows![
        inline: r#"["echo 1", "echo 2"]"# => r#"["echo 1", "echo 2"]"#, "[]";
        inline: r#""true""# => r#"["true"]"#, "[]";
        inline_shebang: r#""/bin/bash -eux""# => r#""/bin/bash -eux""#, r#""/bin/sh -e""#;
        script: r#""a.sh""# => r#"Some("a.sh")"#, "None";
        scripts: r#"["a.sh", "b.sh"]"# => r#"["a.sh", "b.sh"]"#, "[]";
        environment_vars: r#"["A=1", "B="]"# => r#"["A=1", "B="]"#, "[]";
        env: "{ A = 1, B = true }" => r#"{"A": "1", "B": "true"}"#;
        use_env_var_file: "true" => "true", "false";
        env_var_format: r#""export %s='%s'""# => r#"Some("export %s='%s'")"#, "None";
        execute_command: r#""sudo {{ .Path }}""# => r#"Some("sudo {{ .Path }}")"#, "None";
        binary: "true" => "true", "false";
        remote_folder: r#""/root""# => r#""/root""#, r#""/tmp""#;
        remote_file: r#""x.sh""# => r#"Some("x.sh")"#, "None";
        remote_path: r#""/x.sh""# => r#"Some("/x.sh")"#, "None";
        skip_clean: "true" => "true", "false";
        expect_disconnect: "true" => "true", "false";
        start_retry_timeout: r#""10m""# => "600s", "300s";
        pause_after: r#""30s""# => "30s", "0ns";
        valid_exit_codes: r#"["0", "1", 2]"# => "[0, 1, 2]", "[]";
    ];
    check(rows, &[], |lines| match provisioner("shell", lines) {
        Provisioner::Shell(shell) => shell,
        other => panic!("{other:?}"),
    });
}

#[test]
fn options_of_the_provisioner_shell_local() {
    let rows: &[Row<ShellLocal>] = rows![
        inline: r#"["echo 1"]"# => r#"["echo 1"]"#, "[]";
        inline_shebang: r#""/bin/bash""# => r#""/bin/bash""#, r#""/bin/sh -e""#;
        command: r#""make""# => r#"Some("make")"#, "None";
        script: r#""a.sh""# => r#"Some("a.sh")"#, "None";
        scripts: r#"["a.sh"]"# => r#"["a.sh"]"#, "[]";
        environment_vars: r#"["A=1"]"# => r#"["A=1"]"#, "[]";
        env: r#"{ A = "1" }"# => r#"{"A": "1"}"#;
        execute_command: r#"["sh", "{{ .Script }}"]"# => r#"["sh", "{{ .Script }}"]"#, "[]";
        only_on: r#"["linux"]"# => r#"["linux"]"#, "[]";
        valid_exit_codes: "[0, 3]" => "[0, 3]", "[]";
    ];
    check(rows, &[], |lines| match provisioner("shell-local", lines) {
        Provisioner::ShellLocal(shell) => shell,
        other => panic!("{other:?}"),
    });
}

#[test]
fn options_of_the_provisioner_file() {
    let rows: &[Row<File>] = rows![
        source: r#""app/""# => r#"Some("app/")"#, "None";
        sources: r#"["a", "b"]"# => r#"["a", "b"]"#, "[]";
        content: r#""hello""# => r#"Some("hello")"#, "None";
        destination: r#""/etc/motd""# => r#""/etc/motd""#;
        direction: r#""upload""# => "Upload", "Upload";
        direction: r#""download""# => "Download", "Upload";
        generated: "true" => "true", "false";
    ];
    check(
        rows,
        &[("destination", r#""/tmp/x""#)],
        |lines| match provisioner("file", lines) {
            Provisioner::File(file) => file,
            other => panic!("{other:?}"),
        },
    );
}

#[test]
fn options_of_the_provisioner_breakpoint() {
    let rows: &[Row<Breakpoint>] = rows![
        note: r#""look""# => r#"Some("look")"#, "None";
        disable: "true" => "true", "false";
    ];
    check(rows, &[], |lines| match provisioner("breakpoint", lines) {
        Provisioner::Breakpoint(breakpoint) => breakpoint,
        other => panic!("{other:?}"),
    });
}
