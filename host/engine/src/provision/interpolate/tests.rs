use proptest::prelude::*;

use super::*;
use crate::go_template::BuildFacts;

fn functions() -> Functions {
    Functions::new(BuildFacts {
        build_name: "example".to_owned(),
        build_type: "libvirt".to_owned(),
        now: "2026-01-31T12:34:56Z".parse().unwrap(),
        ..BuildFacts::default()
    })
}

fn rendered(text: &str) -> Result<RenderedText, InterpolationError> {
    let build = Value::object([
        ("Host", Value::string("192.0.2.7")),
        ("Password", Value::string("secret").sensitive()),
        ("ID", Value::UNKNOWN),
    ]);
    let fields = [("Path", "/tmp/s.sh"), ("Vars", "A='{{b}}' ")];
    render(
        text,
        &Names {
            fields: &fields,
            build: &build,
            functions: Some(&functions()),
        },
    )
}

#[test]
fn actions_are_replaced() {
    for (text, expected) in [
        ("", ""),
        ("no braces { } }}", "no braces { } }}"),
        ("{{.Path}}", "/tmp/s.sh"),
        ("{{ .Path }}", "/tmp/s.sh"),
        (
            "chmod +x {{.Path}}; {{.Vars}} {{.Path}}",
            "chmod +x /tmp/s.sh; A='{{b}}'  /tmp/s.sh",
        ),
        ("a {{- .Path -}} \n b", "a/tmp/s.shb"),
        ("a {{.Path -}} b", "a /tmp/s.shb"),
        ("{{build `Host`}}", "192.0.2.7"),
        ("{{ `a` | upper }} {{ isotime \"2006\" }}", "A 2026"),
        ("{{ build \"Host\" }}", "192.0.2.7"),
        ("{{ build_name }}.{{ build_type }}", "example.libvirt"),
        ("{{`{{.Names}}`}}", "{{.Names}}"),
        (r#"{{ "{{" }}.Names{{ "}}" }}"#, "{{.Names}}"),
        (r#"{{ "a\"b\\\n" }}"#, "a\"b\\\n"),
        ("a{{/* a comment }} */}}b", "ab"),
    ] {
        let text_only = RenderedText::Text {
            text: expected.to_string(),
            sensitive: false,
        };
        assert_eq!(rendered(text), Ok(text_only), "{text}");
    }
}

#[test]
fn what_is_secret_or_not_known_stays_so() {
    let secret = RenderedText::Text {
        text: "x secret".to_string(),
        sensitive: true,
    };
    assert_eq!(rendered("x {{build `Password`}}"), Ok(secret));
    assert_eq!(
        rendered("x {{build `ID`}} {{.Path}}"),
        Ok(RenderedText::Unknown)
    );
}

#[test]
fn what_can_not_be_replaced_is_said_with_what_can() {
    for (text, message, help) in [
        (
            "{{.Pth}}",
            "it can use: {{ .Path }}, {{ .Vars }}",
            "did you mean {{ .Path }}?",
        ),
        ("{{.Names}}", "there is no `.Names` here", "{{`{{ … }}`}}"),
        ("{{.Path.Base}}", "there is no `.Path.Base` here", ""),
        (
            "{{build `Hst`}}",
            "there are: Host, ID, Password",
            "did you mean `Host`?",
        ),
        ("{{build}}", "`build` takes one name", ""),
        ("{{build `Host` `ID`}}", "`build` takes one name", ""),
        ("{{user `name`}}", "template in JSON", "${var.name}"),
        ("{{env `HOME`}}", "can't be used here", "variable"),
        (
            "{{buld `Host`}}",
            "no function `buld`",
            "did you mean `build`?",
        ),
        (
            "{{if .Path}}x{{end}}",
            "{{ if … }} is not supported",
            "%{ if … }",
        ),
        ("{{ `a` upper }}", "nothing behind the text", ""),
        ("{{ .Path", "has no }}", ""),
        ("{{ \"a", "has no }}", ""),
        ("{{ `a }}", "has no }}", ""),
        ("{{", "has no }}", ""),
        (r#"{{ "\q" }}"#, "can be escaped", "backquotes"),
        ("{{ a } }}", "no function `a`", ""),
    ] {
        let error = rendered(text).unwrap_err();
        assert!(error.message.contains(message), "{text}: {error:?}");
        assert!(
            error.help.unwrap_or_default().contains(help),
            "{text}: no {help:?}"
        );
    }
}

proptest! {
    #[test]
    fn any_text_is_rendered_or_refused(text in r#"([ -~]|\{\{|\}\}|\{\{-? ?|[`"\\.é\n])*"#) {
        let _ = rendered(&text);
    }

    #[test]
    fn a_text_without_actions_comes_back_as_it_is(text in "\\PC*") {
        prop_assume!(!text.contains("{{"));
        prop_assert_eq!(rendered(&text), Ok(RenderedText::Text { text, sensitive: false }));
    }

    #[test]
    fn a_literal_comes_back_as_it_is(text in "[^`]*") {
        let action = format!("{{{{`{text}`}}}}");
        prop_assert_eq!(rendered(&action), Ok(RenderedText::Text { text, sensitive: false }));
    }
}

#[test]
fn what_fields_make_is_bounded() {
    let large = "x".repeat(1 << 20);
    let names = Names {
        fields: &[("Vars", &large)],
        build: &Value::UNKNOWN,
        functions: None,
    };
    let error = render(&"{{ .Vars }}".repeat(10_000), &names).unwrap_err();
    assert!(error.message.contains("get too long"), "{error}");
    assert!(render(&"{{ .Vars }}".repeat(10), &names).is_ok());
}
