use std::collections::BTreeMap;
use std::sync::Arc;

use lvhost_engine::go_template::{BuildFacts, JsonFacts};
use uuid::Uuid;

use super::*;
use crate::surroundings::Surroundings;

fn facts() -> BuildFacts {
    BuildFacts {
        build_name: "example-one".to_owned(),
        build_type: "libvirt".to_owned(),
        packer_version: "1.16.0".to_owned(),
        working_directory: "/work".to_owned(),
        now: "2026-01-31T12:34:56Z".parse().unwrap(),
        json: None,
    }
}

/// Of a template in JSON with these variables.
fn with_variables<const N: usize>(variables: [(&str, String); N]) -> Functions {
    let variables = variables.map(|(name, value)| (name.to_owned(), value));
    Functions::new(BuildFacts {
        json: Some(JsonFacts {
            variables: BTreeMap::from(variables),
            directory: Some("/templates".to_owned()),
        }),
        ..facts()
    })
}

fn of_json(text: &str, fields: Fields) -> Result<String, InterpolationError> {
    render(text, &with_variables([("name", "Web".to_owned())]), fields)
}

#[test]
fn functions_have_packers_meaning() {
    for (text, expected) in [
        ("no braces } {", "no braces } {"),
        ("{{user `name`}}-{{ user \"missing\" }}", "Web-"),
        ("{{ build_name }} {{build_type}}", "example-one libvirt"),
        (
            "{{packer_version}} {{pwd}} {{template_dir}}",
            "1.16.0 /work /templates",
        ),
        ("{{timestamp}}", "1769862896"),
        ("{{isotime}}", "2026-01-31T12:34:56Z"),
        ("{{isotime \"20060102-150405\"}}", "20260131-123456"),
        ("{{strftime \"%Y/%m\"}}", "2026/01"),
        ("{{ upper `a` }}{{ `B` | lower }}", "Ab"),
        ("{{ user `name` | lower | upper }}", "WEB"),
        ("{{ split build_name `-` 1 }}", "one"),
        ("{{ replace `e` `E` 1 build_name }}", "Example-one"),
        ("{{ build_name | replace `e` `E` -1 }}", "ExamplE-onE"),
        ("{{ replace_all `e` `` build_name }}", "xampl-on"),
        ("{{`{{ ds.meta_data }}`}}", "{{ ds.meta_data }}"),
        ("a {{- /* nothing */ -}} b", "ab"),
    ] {
        let rendered = of_json(text, Fields::Refused);
        assert_eq!(rendered.as_deref(), Ok(expected), "{text}");
    }
    let uuid = of_json("{{uuid}}", Fields::Refused).unwrap();
    assert!(uuid.parse::<Uuid>().is_ok(), "{uuid}");
}

#[test]
fn what_actions_make_is_bounded_in_sum() {
    let stage = " | replace_all `x` `xxxxxxxxxxxxxxxx`";
    let grown = format!("{{{{ `x`{} }}}}", stage.repeat(40));
    let nothing = format!(
        "{{{{ `{}`{} }}}}",
        "y".repeat(1000),
        " | replace `` `yyyyyyyy` -1".repeat(40)
    );
    let repeated = "{{ user `large` }}".repeat(100_000);
    let large = || with_variables([("large", "z".repeat(1 << 20))]);
    for text in [grown, nothing, repeated] {
        let error = render(&text, &large(), Fields::Refused).unwrap_err();
        assert!(error.message.contains("get too long"), "{error}");
    }
    // In sum, over the texts of a source.
    let (large, once) = (large(), "{{ user `large` }}".repeat(20));
    assert!(render(&once, &large, Fields::Refused).is_ok());
    assert!((0..5).any(|_| render(&once, &large, Fields::Refused).is_err()));
}

#[test]
fn fields_are_left_for_those_who_know_them() {
    let text = "<tab> http://{{ .HTTPIP }}:{{.HTTPPort}}/{{user `name`}} {{`{{`}}";
    let rendered = of_json(text, Fields::Kept);
    assert_eq!(
        rendered.as_deref(),
        Ok("<tab> http://{{ .HTTPIP }}:{{.HTTPPort}}/Web {{`{{`}}")
    );
    let text = "{{ .SSHPublicKey }} {{.SSHPublicKey | urlquery}} {{`{{`}} {{user `name`}}";
    let rendered = of_json(text, Fields::PublicKey);
    let expected = "{{ .SSHPublicKey }} {{.SSHPublicKey | urlquery}} {{ Web";
    assert_eq!(rendered.as_deref(), Ok(expected));
}

#[test]
fn what_is_not_known_is_refused_with_advice() {
    for (text, message, help) in [
        ("{{ .HTTPIP }}", "nothing that {{ .HTTPIP }}", "literal"),
        (
            "{{ ds.meta_data }}",
            "no function `ds.meta_data`",
            "literal",
        ),
        ("{{ isotme }}", "no function `isotme`", "`isotime`"),
        ("{{ env `HOME` }}", "`env`", "variable"),
        ("{{ build `ID` }}", "`build`", "guest"),
        ("{{ if true }}x{{ end }}", "{{ if … }}", "literal"),
        ("{{ user }}", "takes the name", ""),
        ("{{ split `a-b` `-` 7 }}", "no part 7", ""),
        ("{{ template_dir }}", "folder", "path.root"),
        ("{{ user `a` }}", "in JSON", "${var.a}"),
        ("{{ sed `a` `b` }}", "`sed`", "replace_all"),
        (
            "{{ clean_resource_name `a` }}",
            "can't be used",
            "regex_replace",
        ),
        ("{{ `a` `b` }}", "nothing behind", ""),
        ("{{ user `a`", "no }}", "literal"),
        ("{{ | upper }}", "function is missing", ""),
    ] {
        let error = render(text, &Functions::new(facts()), Fields::Refused).unwrap_err();
        assert!(error.message.contains(message), "{text}: {error}");
        let advice = error.help.unwrap_or_default();
        assert!(advice.contains(help), "{text}: {advice}");
    }
}

#[test]
fn every_text_of_a_body_is_rendered_and_what_is_wrong_has_its_place() {
    let template = r#"
source "libvirt" "a" {
  domain_name  = "{{ build_name }}"
  libvirt_uri  = "x {{ nonsense }} y"
  boot_command = ["{{ .HTTPIP }} {{ build_type }}", "{{ .Later }}"]
  "odd key"    = 1
  volume {
    name = upper("{{ isotime \"2006\" 1 2 }}")
    source {
      contents = {
        a = "{{ .SSHPublicKey }} {{ packer_version }}"
        b = "{{ .HTTPIP }}"
      }
      list = ["fine", "{{ sed \"a\" \"b\" }}"]
    }
  }
}
"#
    .replace("  \"odd key\"    = 1\n", "");
    let file = lvhost_hcl::InputFile {
        name: "t.pkr.hcl".to_owned(),
        text: template,
    };
    let (mut files, mut report) = (SourceMap::default(), Diagnostics::default());
    let here = Arc::new(Surroundings::of_this_process());
    let body = lvhost_hcl::load_settings(&file, here, &mut files, &mut report);
    assert!(!report.has_errors());
    let source = body.unwrap().blocks.remove(0);
    let new = interpolated(&source.body, &Functions::new(facts()), &files, &mut report);
    assert_eq!(
        new.value("domain_name"),
        Some(&Value::string("example-one"))
    );
    assert_eq!(new.value("libvirt_uri"), Some(&Value::UNKNOWN));
    let typed = ["{{ .HTTPIP }} libvirt", "{{ .Later }}"].map(Value::string);
    assert_eq!(new.value("boot_command"), Some(&Value::list(typed)));
    let contents = new.blocks[0].body.blocks[0].body.value("contents").unwrap();
    let contents = contents.as_object().unwrap();
    assert_eq!(contents["a"], Value::string("{{ .SSHPublicKey }} 1.16.0"));
    let places: Vec<_> = report
        .iter()
        .map(|it| {
            (
                files.line_and_column(it.span.unwrap()),
                files.slice(it.span.unwrap()),
            )
        })
        .collect();
    assert_eq!(
        places,
        [
            ((4, 21), "{{ nonsense }}"),
            ((7, 12), "upper(\"{{ isotime \\\"2006\\\" 1 2 }}\")"),
            ((11, 14), "{{ .HTTPIP }}"),
            ((13, 24), "{{ sed \\\"a\\\" \\\"b\\\" }}"),
        ]
    );
}

#[test]
fn what_is_secret_stays_so() {
    let file = SourceMap::default().add("", "");
    let place = Span::new(file, 0..0);
    let mut body = Body::empty(place);
    for (name, text) in [
        ("good", "{{ upper `hush` }}"),
        ("bad", "{{ split `hush` `-` 7 }}"),
    ] {
        let attribute = Attribute::new(place, Value::string(text).sensitive(), place);
        body.attributes.insert(name.to_owned(), attribute);
    }
    let mut report = Diagnostics::default();
    let functions = Functions::new(facts());
    let new = interpolated(&body, &functions, &SourceMap::default(), &mut report);
    assert_eq!(new.value("good"), Some(&Value::string("HUSH").sensitive()));
    assert!(new.value("bad").unwrap().is_sensitive());
    assert_eq!(report.len(), 1);
    assert!(!format!("{report:?}").contains("hush"));
}
