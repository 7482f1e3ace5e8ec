//! Whole templates.

use lvhost_hcl::{Body, Inputs, Selection, Source, Value};

use super::world::{World, file, inputs, load_inputs, load_template};

const SIMPLE: &str = include_str!("../../../../tests/templates/documentation/simple.pkr.hcl");
const VOLUMES: &str = include_str!("../cases/volumes.pkr.hcl");
const EVERYTHING: &str = include_str!("../cases/everything.pkr.hcl");

fn text<'a>(body: &'a Body, name: &str) -> &'a str {
    body.value(name)
        .and_then(Value::as_str)
        .unwrap_or_else(|| panic!("`{name}` is a string"))
}

fn strings(value: &Value) -> Vec<&str> {
    let elements = value.as_list().expect("a list");
    elements
        .iter()
        .map(|element| element.as_str().expect("a string"))
        .collect()
}

#[test]
fn the_simple_example_of_the_documentation_loads() {
    let document = load_template(SIMPLE).document();
    let plugins: Vec<&str> = document
        .required_plugins
        .iter()
        .map(|p| p.name.as_str())
        .collect();
    assert_eq!(plugins, ["sshkey", "libvirt"]);
    assert_eq!(
        document.required_plugins[1].version.as_ref().unwrap().text,
        ">= 0.5.0"
    );

    let [build] = &document.builds[..] else {
        panic!("one build")
    };
    let [source] = &build.sources[..] else {
        panic!("one source")
    };
    assert_eq!(source.address(), "libvirt.example");
    assert_eq!(source.body.value("vcpu"), Some(&Value::from(1i64)));
    let communicator = source.body.blocks("communicator").next().unwrap();
    assert_eq!(
        text(&communicator.body, "ssh_private_key_file"),
        "/tmp/install"
    );
    let volumes: Vec<_> = source.body.blocks("volume").collect();
    assert_eq!(volumes.len(), 2);
    let cloud_init = volumes[1].body.blocks("source").next().unwrap();
    assert_eq!(
        text(&cloud_init.body, "user_data"),
        "#cloud-config\n{\"ssh_authorized_keys\":[\"ssh-ed25519 AAAA\"]}"
    );

    let [shell, breakpoint] = &build.provisioners[..] else {
        panic!("two provisioners")
    };
    assert_eq!(
        (&*shell.type_name, &*breakpoint.type_name),
        ("shell", "breakpoint")
    );
    let body = shell
        .evaluate(&Value::object([("Host", "h".into())]), &source.to_value())
        .unwrap();
    assert!(strings(body.value("inline").unwrap())[3].ends_with("key: /tmp/install"));
}

#[test]
fn the_other_examples_of_the_documentation_load() {
    let document = load_template(VOLUMES).document();
    let body = &document.sources[0].body;
    assert_eq!(body.blocks("volume").count(), 6);
    assert_eq!(body.blocks("network_interface").count(), 2);
    let files = body
        .blocks("volume")
        .nth(4)
        .unwrap()
        .body
        .blocks("source")
        .next()
        .unwrap();
    let contents = files.body.value("contents").unwrap().as_object().unwrap();
    assert_eq!(
        contents["Unattend.xml"].as_str(),
        Some("<ComputerName>MyMachine</ComputerName>")
    );
}

#[test]
fn everything_comes_together() {
    let document = load_template(EVERYTHING).document();
    assert_eq!(document.required_version.unwrap().text, ">= 1.9.0");
    assert_eq!(
        document.required_plugins[0].version.as_ref().unwrap().text,
        ">= 0.5.0"
    );
    assert_eq!(document.variables["image-name"].value, Value::from("22"));
    assert_eq!(
        format!("{:?}", document.variables["password"].value),
        "(sensitive)"
    );
    assert_eq!(document.variables["password"].value.as_str(), Some("hi"));

    let build = &document.builds[0];
    assert_eq!(build.name.as_deref(), Some("images"));
    assert_eq!(build.description.as_deref(), Some("22-20260203"));
    let addresses: Vec<String> = build
        .sources
        .iter()
        .map(|source| source.address())
        .collect();
    assert_eq!(
        addresses,
        [
            "libvirt.base",
            "libvirt.filled",
            "libvirt.jammy",
            "libvirt.noble"
        ]
    );
    let base = &build.sources[0].body;
    assert_eq!(base.value("memory"), Some(&Value::from(1024i64)));
    let aliases: Vec<&str> = base
        .blocks("volume")
        .map(|volume| text(&volume.body, "alias"))
        .collect();
    assert_eq!(aliases, ["artifact", "seed"]);
    let seed = base.blocks("volume").nth(1).unwrap();
    let user_data = text(&seed.body.blocks[0].body, "user_data");
    assert!(
        user_data.contains("[\"qemu-guest-agent\",\"pkg-noble\"]"),
        "{user_data}"
    );
    assert_eq!(
        text(&build.sources[1].body, "libvirt_uri"),
        "test:///default"
    );
    assert_eq!(
        build.sources[3].body.value("memory"),
        Some(&Value::from(1024i64))
    );

    let shell = &build.provisioners[0];
    assert_eq!(
        shell.selection,
        Selection {
            only: vec!["libvirt.base".into()],
            except: vec![]
        }
    );
    assert!(
        shell.selection.includes("libvirt.base") && !shell.selection.includes("libvirt.filled")
    );
    assert_eq!(
        shell.pause_before.as_ref().unwrap().value,
        Value::from("10s")
    );
    assert_eq!(shell.max_retries.as_ref().unwrap().value, Value::from(3i64));
    assert!(shell.timeout.is_some() && shell.overrides.is_some());
    assert!(shell.continue_on_error.is_some());
    let machine = Value::object([("Host", "192.0.2.1".into()), ("Port", Value::from(22i64))]);
    let body = shell
        .evaluate(&machine, &build.sources[0].to_value())
        .unwrap();
    assert_eq!(
        strings(body.value("inline").unwrap()),
        ["echo 192.0.2.1:22", "echo base of libvirt"]
    );
    assert!(body.attribute("only").is_none() && body.attribute("timeout").is_none());
    assert_eq!(
        format!("{:?}", body.value("env").unwrap()),
        "{\"TOKEN\": (sensitive)}"
    );
    let files: Vec<String> = build.provisioners[1..]
        .iter()
        .map(|file| {
            let body = file
                .evaluate(&machine, &build.sources[0].to_value())
                .unwrap();
            text(&body, "source").to_owned()
        })
        .collect();
    assert_eq!(files, ["a.txt", "b.txt"]);

    assert_eq!(
        build.error_cleanup_provisioner.as_ref().unwrap().type_name,
        "shell-local"
    );
    let chains: Vec<Vec<&str>> = build
        .post_processors
        .iter()
        .map(|chain| chain.iter().map(|step| step.type_name.as_str()).collect())
        .collect();
    assert_eq!(chains, [vec!["manifest"], vec!["shell-local", "manifest"]]);
    assert!(build.post_processors[1][0].keep_input_artifact.is_some());
    assert!(
        !build.post_processors[1][1]
            .selection
            .includes("libvirt.base")
    );
}

#[test]
fn heredocs_are_what_they_look_like() {
    let template = "source \"t\" \"t\" {\n  flush = <<EOT\n  a ${1 + 1}\n$${x} {{ y }}\nEOT\n  \
                    dedented = <<-EOT\n    a\n      b\n    EOT\n  script = local.script\n}\n";
    let everything = load_template(&format!("{EVERYTHING}\n{template}")).document();
    let body = &everything.sources.last().unwrap().body;
    assert_eq!(text(body, "flush"), "  a 2\n${x} {{ y }}\n");
    assert_eq!(text(body, "dedented"), "a\n  b\n");
    assert_eq!(
        text(body, "script"),
        // As Packer 1.16 has it: behind the `~` the next line is no start of one.
        "    #!/bin/sh\n\n    apt-get install -y qemu-guest-agent\n\n    apt-get install -y pkg-noble\n\n    \
         echo \"{{ user `x` }}\" ${HOME}\n"
    );
}

#[test]
fn byte_order_marks_and_windows_line_ends_are_taken() {
    let template = format!("\u{feff}{}", SIMPLE.replace('\n', "\r\n"));
    let document = load_template(&template).document();
    assert_eq!(document.builds[0].provisioners.len(), 2);
    // Spans count from behind the mark, like the text of the source map.
    assert_eq!(
        document.required_plugins[0].span.start,
        SIMPLE.replace('\n', "\r\n").find("sshkey").unwrap()
    );
}

#[test]
fn all_ways_to_name_a_source_are_the_same() {
    for name in ["libvirt.x", "source.libvirt.x", "sources.libvirt.x"] {
        let template = format!(
            "source \"libvirt\" \"x\" {{\n  volume {{\n    alias = \"outer\"\n  }}\n}}\n\
             build {{\n  source \"{name}\" {{\n    volume {{\n      alias = \"inner\"\n    }}\n  }}\n}}\n\
             build {{\n  sources = [\"{name}\"]\n}}\n"
        );
        let document = load_template(&template).document();
        let aliases: Vec<&str> = document.builds[0].sources[0]
            .body
            .blocks("volume")
            .map(|volume| text(&volume.body, "alias"))
            .collect();
        assert_eq!(aliases, ["outer", "inner"], "{name}");
        assert_eq!(document.builds[1].sources[0].body.blocks.len(), 1, "{name}");
        assert_eq!(
            document.sources[0].body.blocks.len(),
            1,
            "the source itself stays as it is"
        );
    }
}

#[test]
fn several_files_are_one_template() {
    let mut inputs = inputs("build {\n  sources = [\"libvirt.x\"]\n}\n");
    inputs.templates.push(file(
        "source.pkr.hcl",
        "source \"libvirt\" \"x\" {\n  a = var.a\n}\n",
    ));
    inputs.templates.push(file(
        "variables.pkr.hcl",
        "variable \"a\" {\n  default = 1\n}\n",
    ));
    let document = load_inputs(&inputs, World::new()).document();
    assert_eq!(
        document.builds[0].sources[0].body.value("a"),
        Some(&Value::from(1i64))
    );
}

#[test]
fn data_sources_know_locals_and_the_other_way_round() {
    let template = "
locals {
  whole = data.echo.second
  name  = \"n-${data.echo.first.name}\"
}
data \"echo\" \"first\" {
  name = \"one\"
}
data \"echo\" \"second\" {
  name = local.name
}
source \"t\" \"t\" {
  name = local.whole.name
}
";
    let document = load_template(template).document();
    assert_eq!(text(&document.sources[0].body, "name"), "n-one");
}

#[test]
fn elements_of_values_have_places() {
    let template = "source \"t\" \"t\" {\n  urls = [\"a\", \"b\"]\n  contents = {\n    \"x.txt\" = \
                    [1, 2]\n    key = (3)\n  }\n  other = local.l\n}\nlocals {\n  l = [1]\n}\n";
    let loaded = load_template(template);
    let document = loaded.document.as_ref().unwrap();
    let body = &document.sources[0].body;
    for (name, path, expected) in [
        ("urls", "[1]", "\"b\""),
        ("urls", "", "[\"a\", \"b\"]"),
        ("urls", "[7]", "[\"a\", \"b\"]"),
        ("contents", "key", "(3)"),
        ("contents", ".key", "(3)"),
        ("contents", "[\"x.txt\"][1]", "2"),
        (
            "contents",
            "nothing[",
            "{\n    \"x.txt\" = [1, 2]\n    key = (3)\n  }",
        ),
        ("other", "[0]", "local.l"),
    ] {
        let span = body.attribute(name).unwrap().element_span(path);
        assert_eq!(loaded.files.slice(span), expected, "{name} {path}");
    }
}

#[test]
fn what_is_wrong_does_not_keep_the_rest_from_being_looked_at() {
    let template = "source \"t\" \"t\" {\n  wrong = uper(\"x\")\n  right = \"y\"\n}\n\
                    build {\n  sources = [\"t.t\", \"t.other\"]\n}\n";
    let loaded = load_template(template);
    assert!(loaded.diagnostics.has_errors());
    let document = loaded.document.as_ref().unwrap();
    let sources = &document.builds[0].sources;
    assert_eq!(sources.len(), 1);
    assert!(sources[0].body.value("wrong").unwrap().is_unknown());
    assert_eq!(text(&sources[0].body, "right"), "y");
}

#[test]
fn what_cannot_be_read_is_left_out_and_told_of() {
    let template = "source \"t\" \"a\" {\n  x = 'x'\n}\nsource \"t\" \"b\" {}\nbuild {\n  sources = [\"t.a\", \"t.b\"]\n}\n";
    let loaded = load_template(template);
    let document = loaded.document.as_ref().unwrap();
    let read: Vec<_> = document.builds[0]
        .sources
        .iter()
        .map(Source::address)
        .collect();
    assert_eq!(read, ["t.b"]);
    assert!(document.unread.sources() && !document.unread.variables());
    assert_eq!(loaded.diagnostics.len(), 1, "{}", loaded.messages());
}

#[test]
fn a_file_without_anything_that_can_be_read_leaves_no_document() {
    for text in ["/* ", "x = <<A\n", "{", "\"", "\u{0}"] {
        let loaded = load_template(text);
        let unread = loaded.document.as_ref().map(|document| &document.unread);
        let all = unread.is_none_or(|unread| {
            unread.sources()
                && unread.builds()
                && unread.variables()
                && unread.locals()
                && unread.data()
        });
        assert!(
            all && loaded.diagnostics.has_errors(),
            "{text}: {}",
            loaded.messages()
        );
    }
}

#[test]
fn a_file_of_broken_blocks_tells_of_some_and_ends() {
    let template = "locals {\n  x = 'x'\n}\n".repeat(2000);
    let loaded = load_template(&template);
    assert_eq!(loaded.diagnostics.len(), 20);
}

#[test]
fn what_is_wrong_in_a_provisioner_is_found_when_it_runs_too() {
    let template = "source \"t\" \"t\" {}\nbuild {\n  sources = [\"t.t\"]\n  provisioner \"p\" {\n    \
                    x = build.Port + 1\n  }\n}\n";
    let document = load_template(template).document();
    let provisioner = &document.builds[0].provisioners[0];
    let source = document.builds[0].sources[0].to_value();
    let right = Value::object([("Port", Value::from(22i64))]);
    let body = provisioner.evaluate(&right, &source).unwrap();
    assert_eq!(body.value("x"), Some(&Value::from(23i64)));
    let wrong = Value::object([("Port", Value::from("none"))]);
    let diagnostics = provisioner.evaluate(&wrong, &source).unwrap_err();
    assert_eq!(
        diagnostics.iter().next().unwrap().summary,
        "a number is needed"
    );
}

#[test]
fn a_selection_that_nearly_names_a_source_is_warned_about() {
    let template = "source \"t\" \"ubuntu\" {}\nbuild {\n  sources = [\"t.ubuntu\"]\n  \
                    provisioner \"p\" {\n    only = [\"t.ubunut\", \"t.other\"]\n  }\n}\n";
    let loaded = load_template(template);
    assert!(!loaded.diagnostics.has_errors());
    let messages = loaded.messages();
    assert!(messages.contains("did you mean `t.ubuntu`?"), "{messages}");
    assert!(!messages.contains("`t.other`"), "{messages}");
}

#[test]
fn a_document_can_be_shared_between_threads() {
    fn shared<T: Send + Sync>(value: T) -> T {
        value
    }
    let document = shared(load_template(SIMPLE).document());
    let body = std::thread::scope(|scope| {
        let evaluation = scope.spawn(|| {
            let build = &document.builds[0];
            build.provisioners[1].evaluate(&Value::UNKNOWN, &build.sources[0].to_value())
        });
        evaluation.join().unwrap().unwrap()
    });
    assert!(text(&body, "note").starts_with("You can examine"));
}

/// What Packer 1.16 says of the same files, for a folder and for a file as argument, but for the last two
/// where it fails.
#[test]
fn paths_start_from_the_folder_that_packer_has_them_start_from() {
    let mut world = World::new();
    for (path, text) in [
        ("/project/f.txt", "working directory"),
        ("/project/images/f.txt", "root"),
        ("/project/images/t.tmpl", "T ${file(\"f.txt\")}"),
    ] {
        world.files.insert(path.into(), text.into());
    }
    let template = r#"
        source "t" "t" {
          read       = file("f.txt")
          rendered   = templatefile("t.tmpl", {})
          exists     = [fileexists("f.txt"), fileexists("hello.txt"), fileexists("../hello.txt")]
          listed     = fileset(".", "*")
          listed_up  = fileset("..", "f*")
          encoded    = filebase64("f.txt")
          absolute   = abspath("f.txt")
          by_cwd     = file("${path.cwd}/f.txt")
          by_root    = file("${path.root}/f.txt")
          list_root  = fileset(path.root, "*.tmpl")
        }
    "#;
    for root in ["images", "/project/images", "../project/images"] {
        let inputs = Inputs {
            root: root.to_owned(),
            ..inputs(template)
        };
        let document = load_inputs(&inputs, world.clone()).document();
        let body = &document.sources[0].body;
        for (name, expected) in [
            ("read", r#""root""#),
            ("rendered", r#""T root""#),
            ("exists", "[true, false, true]"),
            ("listed", r#"["f.txt", "t.tmpl"]"#),
            ("listed_up", r#"["f.txt"]"#),
            ("encoded", r#""d29ya2luZyBkaXJlY3Rvcnk=""#),
            ("absolute", r#""/project/f.txt""#),
            ("by_cwd", r#""working directory""#),
            ("by_root", r#""root""#),
            ("list_root", r#"["t.tmpl"]"#),
        ] {
            let value = body.value(name).unwrap();
            assert_eq!(format!("{value:?}"), expected, "{name} from {root}");
        }
    }
}
