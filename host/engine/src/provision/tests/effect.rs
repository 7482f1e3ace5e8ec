//! What makes a script run as the template means it: its first line, its command, and what it is told.

use lvhost_hcl::Severity;

use super::*;

/// What the check says of a provisioner of this type with these options: how bad it is, the text and the help.
fn said(kind: &str, options: &str) -> Vec<(Severity, String)> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("here.sh"), "true").unwrap();
    let block = format!("provisioner \"{kind}\" {{\n{options}\n}}");
    provisioners(&block, folder.path())
        .check()
        .iter()
        .map(|said| {
            let help = said.help.as_deref().unwrap_or_default();
            (said.severity, format!("{} {help}", said.summary))
        })
        .collect()
}

/// The first script that is uploaded.
async fn uploaded(options: &str) -> String {
    let guest = Guest::default();
    let block = format!("provisioner \"shell\" {{\nremote_path = \"/s\"\n{options}\n}}");
    run(&guest, &User::default(), &block).await.unwrap();
    guest.log()[0].clone()
}

#[tokio::test]
async fn commands_that_begin_with_a_shebang_keep_it() {
    for (options, expected) in [
        (
            "inline = [\"#!/bin/bash\", \"a=(1)\"]",
            "#!/bin/bash\\na=(1)\\n",
        ),
        (
            "inline = [\"#!/usr/bin/env python3\\nprint(1)\"]",
            "#!/usr/bin/env python3\\nprint(1)\\n",
        ),
        // Any other place is none for it.
        (
            "inline = [\" #!/bin/bash\", \"true\"]",
            "#!/bin/sh -e\\n #!/bin/bash\\ntrue\\n",
        ),
        (
            "inline = [\"true\", \"#!/bin/bash\"]",
            "#!/bin/sh -e\\ntrue\\n#!/bin/bash\\n",
        ),
        // As Packer has it, one that is asked for comes first.
        (
            "inline = [\"#!/bin/bash\", \"true\"]\ninline_shebang = \"/bin/dash\"",
            "#!/bin/dash\\n#!/bin/bash\\ntrue\\n",
        ),
        (
            "inline = [\"#!/bin/bash\", \"true\"]\ninline_shebang = \"\"",
            "#!/bin/bash\\ntrue\\n",
        ),
    ] {
        assert_eq!(
            uploaded(options).await,
            format!("upload /s 755 \"{expected}\""),
            "{options}"
        );
    }
}

#[test]
fn a_first_line_that_shell_local_does_not_heed_is_told_of() {
    for options in [
        "inline = [\"#!/bin/bash\", \"true\"]",
        "command = \"#!/bin/bash\\ntrue\"",
    ] {
        let said = said("shell-local", options);
        assert!(
            matches!(said.as_slice(), [(Severity::Warning, text)]
                if text.contains("has no effect") && text.contains("`inline_shebang`")),
            "{said:?}"
        );
    }
    let other = "inline = [\"#!/bin/bash\", \"true\"]\ninline_shebang = \"/bin/bash -e\"";
    assert_eq!(said("shell-local", other), []);
}

/// As under Packer, where an empty text is one that was left out and nothing to copy is no fault.
#[tokio::test]
async fn a_file_that_is_not_made_is_told_of() {
    for (options, warning) in [
        ("content = \"\"", "no file is made: an empty `content`"),
        (
            "content = \"\"\nsource = \"\"",
            "no file is made: an empty `content`",
        ),
        ("source = \"\"", "nothing is copied: `source` is empty"),
        ("", "nothing is copied: there is neither"),
        ("content = null", "nothing is copied: there is neither"),
        ("sources = []", ""),
        ("source = \"\"\nsources = []", ""),
    ] {
        let options = format!("destination = \"/etc/motd\"\n{options}");
        let said = said("file", &options);
        match said.as_slice() {
            [] => assert_eq!(warning, "", "{options}"),
            [(Severity::Warning, text)] => assert!(
                !warning.is_empty() && text.starts_with(warning),
                "{options}: {text}"
            ),
            _ => panic!("{options}: {said:?}"),
        }
        let (guest, user) = (Guest::default(), User::default());
        let block = format!("provisioner \"file\" {{\n{options}\n}}");
        run(&guest, &user, &block).await.unwrap();
        assert_eq!(guest.log(), [""; 0], "{options}");
        assert_eq!(
            user.of("say").last().unwrap(),
            "Nothing to copy to /etc/motd"
        );
    }
    // What is left out beside a source is in nobody's way.
    let beside = "destination = \"/etc/motd\"\nsource = \"here.sh\"\ncontent = \"\"";
    assert_eq!(said("file", beside), []);
    let both = said(
        "file",
        "destination = \"/d/\"\nsources = [\"here.sh\"]\ncontent = \"x\"",
    );
    assert!(
        both.iter()
            .any(|(severity, text)| *severity == Severity::Error
                && text.contains("`content` can't stand beside")),
        "{both:?}"
    );
}

#[test]
fn a_script_that_would_never_run_is_told_of() {
    for (kind, options) in [
        ("shell", "execute_command = \"sudo sh -c '{{ .Vars }}'\""),
        ("shell", "execute_command = \"true\""),
        ("shell", "execute_command = \"sh {{`{{ .Path }}`}}\""),
        (
            "shell",
            "execute_command = \". {{ .EnvVarFile }}\"\nuse_env_var_file = true",
        ),
        (
            "shell-local",
            "execute_command = [\"/bin/sh\", \"-c\", \"{{ .Vars }}\"]",
        ),
        ("shell-local", "execute_command = [\"true\"]"),
    ] {
        let options = format!("inline = [\"true\"]\n{options}");
        let said = said(kind, &options);
        let runs = if kind == "shell" {
            "`{{ .Path }}`"
        } else {
            "`{{ .Script }}`"
        };
        let [(Severity::Warning, text)] = said.as_slice() else {
            panic!("{options}: {said:?}");
        };
        assert!(text.contains("the script never runs"), "{text}");
        assert!(text.contains(&format!("write {runs}")), "{text}");
    }
}

#[test]
fn variables_that_a_script_would_not_get_are_told_of() {
    for (options, expected) in [
        (
            "environment_vars = [\"P=one two\"]\nexecute_command = \"sh -c '{{ .Vars }} {{ .Path }}'\"",
            "the quotes around `P` are lost",
        ),
        (
            "env = { P = \"a;b\" }\nexecute_command = \"sudo -n bash -c '{{ .Vars }} {{ .Path }}'\"",
            "the quotes around `P` are lost",
        ),
        (
            "env = { A = \"a\", P = \"$HOME\" }\nexecute_command = \"sh -c \\\"{{ .Vars }} {{ .Path }}\\\"\"",
            "the quotes around `P` are lost",
        ),
        (
            "env = { P = \"one two\" }\nenv_var_format = \"%s=%s \"",
            "the quotes around `P` are lost",
        ),
        (
            "environment_vars = [\"P=x\"]\nexecute_command = \"sudo {{ .Path }}\"",
            "the script gets no variables",
        ),
        (
            "env = { P = \"x\" }\nuse_env_var_file = true\nexecute_command = \"sudo {{ .Vars }} {{ .Path }}\"",
            "the script gets no variables",
        ),
    ] {
        let options = format!("inline = [\"true\"]\n{options}");
        let said = said("shell", &options);
        assert!(
            matches!(said.as_slice(), [(Severity::Warning, text)] if text.contains(expected)),
            "{options}: {said:?}"
        );
    }
    let local = "inline = [\"true\"]\nenv = { P = \"one two\" }\n\
                 execute_command = \"exec sh -c '{{ .Vars }} {{ .Script }}'\"";
    let said = said("shell-local", local);
    assert!(
        said.iter()
            .any(|(_, text)| text.contains("the quotes around `P` are lost")),
        "{said:?}"
    );
}

#[test]
fn commands_that_run_scripts_are_not_complained_about() {
    for (kind, options) in [
        ("shell", "env = { P = \"one two\" }"),
        ("shell", "execute_command = \"sudo -E sh '{{ .Path }}'\""),
        ("shell", "execute_command = \"sh /s\"\nremote_path = \"/s\""),
        (
            "shell",
            "env = { P = \"plain\" }\nexecute_command = \"sudo sh -c '{{ .Vars }} {{ .Path }}'\"",
        ),
        (
            "shell",
            "env = { P = \"one two\" }\nexecute_command = \"sh -c \\\"{{ .Vars }} {{ .Path }}\\\"\"",
        ),
        (
            "shell",
            "env = { P = \"one two\" }\nuse_env_var_file = true\n\
             execute_command = \"sh -c '. {{ .EnvVarFile }} && {{ .Path }}'\"",
        ),
        // Only the build tells what it is.
        (
            "shell",
            "env = { P = build.Host }\nexecute_command = \"sh -c '{{ .Vars }} {{ .Path }}'\"",
        ),
        (
            "shell-local",
            "env = { P = \"one two\" }\nexecute_command = [\"/bin/sh\", \"-c\", \"{{.Vars}} {{.Script}}\"]",
        ),
        (
            "shell-local",
            "execute_command = [\"sh\", \"{{ .Command }}\"]",
        ),
    ] {
        assert_eq!(
            said(kind, &format!("inline = [\"true\"]\n{options}")),
            [],
            "{options}"
        );
    }
    let named = "script = \"here.sh\"\nexecute_command = [\"sh\", \"here.sh\"]";
    assert_eq!(said("shell-local", named), []);
}

/// Runs a provisioner in a build with these attributes, and gives what its script printed.
async fn printed(kind: &str, attributes: &[(&'static str, &str)], options: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let guest = Guest {
        login_shell: Some("/bin/sh".into()),
        ..Guest::default()
    };
    let user = User::default();
    let mut known = build().as_object().cloned().unwrap();
    for (name, value) in attributes {
        known.insert((*name).to_owned(), Value::string(*value));
    }
    let (build, cancel) = (Value::object(known), CancellationToken::new());
    let context = ProvisionContext {
        communicator: Some(&guest.communicator()),
        build: &build,
        ui: &user.masked(),
        cancel: &cancel,
    };
    let folder_option = match kind {
        "shell" => format!("remote_folder = \"{}\"", folder.path().display()),
        _ => String::new(),
    };
    let block = format!("provisioner \"{kind}\" {{\n{folder_option}\n{options}\n}}");
    provisioners(&block, folder.path())
        .provision(&context)
        .await
        .unwrap();
    user.of("out")
}

const SHOW: &str = "inline = [\"env | grep ^PACKER_ | LC_ALL=C sort\"]";

#[tokio::test]
async fn scripts_are_told_what_the_build_knows() {
    let server = [
        ("PackerHTTPAddr", "192.0.2.1:8123"),
        ("PackerHTTPIP", "192.0.2.1"),
        ("PackerHTTPPort", "8123"),
        ("PackerRunUUID", "the-run"),
    ];
    let everywhere = [
        "PACKER_BUILDER_TYPE=libvirt",
        "PACKER_BUILD_NAME=example",
        "PACKER_HTTP_ADDR=192.0.2.1:8123",
        "PACKER_HTTP_IP=192.0.2.1",
        "PACKER_HTTP_PORT=8123",
    ];
    assert_eq!(printed("shell", &server, SHOW).await, everywhere);
    let file = format!("{SHOW}\nuse_env_var_file = true");
    assert_eq!(printed("shell", &server, &file).await, everywhere);
    let here = [&everywhere[..], &["PACKER_RUN_UUID=the-run"]].concat();
    assert_eq!(printed("shell-local", &server, SHOW).await, here);
    // The template's own come last.
    let own = format!("{SHOW}\nenv = {{ PACKER_HTTP_PORT = \"80\" }}");
    assert!(
        printed("shell", &server, &own)
            .await
            .contains(&"PACKER_HTTP_PORT=80".to_owned())
    );
}

#[tokio::test]
async fn what_there_is_not_has_no_variable() {
    let nothing = [
        ("PackerHTTPAddr", ""),
        ("PackerHTTPIP", ""),
        ("PackerHTTPPort", ""),
    ];
    for kind in ["shell", "shell-local"] {
        assert_eq!(
            printed(kind, &nothing, SHOW).await,
            ["PACKER_BUILDER_TYPE=libvirt", "PACKER_BUILD_NAME=example"],
            "{kind}"
        );
    }
}
