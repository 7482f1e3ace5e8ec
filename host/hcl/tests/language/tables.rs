//! Tables of expressions: `expression ==> value` or `expression ==> error: part of the message`, if not any. In an expression
//! `↵` is the end of a line.

use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;

use super::world::load_template;

/// The value of an expression, as the option of a source, or what is said about it.
fn evaluate(prelude: &str, expression: &str) -> Result<lvhost_hcl::Value, String> {
    let template = format!("{prelude}\nsource \"t\" \"t\" {{\n  value = {expression}\n}}\n");
    let loaded = load_template(&template);
    if loaded.diagnostics.has_errors() {
        return Err(loaded.messages());
    }
    let document = loaded.document.expect("a document, as there are no errors");
    Ok(document.sources[0]
        .body
        .value("value")
        .expect("the option")
        .clone())
}

fn check(name: &str, table: &str) {
    let prelude = "
        variable \"secret\" {
          default   = \"hunter2\"
          sensitive = true
        }
        locals {
          list   = [\"a\", \"b\", \"c\"]
          object = { name = \"x\", ports = [22, 80] }
          people = [{ name = \"Ann\", age = 30 }, { name = \"Bob\", age = 40 }]
          none   = null
        }
        data \"later\" \"x\" {}
    ";
    let mut cases = 0;
    let mut failures = String::new();
    for (number, line) in table.lines().enumerate() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        cases += 1;
        let (expression, expected) = line
            .split_once(" ==> ")
            .unwrap_or_else(|| panic!("{name}:{}: no ==>", number + 1));
        let (expression, expected) = (expression.trim(), expected.trim());
        let actual = evaluate(prelude, &expression.replace('↵', "\n"));
        let failure = match (expected.strip_prefix("error:"), actual) {
            (Some(part), Err(messages)) if messages.contains(part.trim_start()) => continue,
            (Some(_), Err(messages)) => messages,
            (Some(_), Ok(value)) => format!("{value:?}"),
            (None, Err(messages)) => messages,
            (None, Ok(value)) if expected == format!("{value:?}") => continue,
            (None, Ok(value)) => match evaluate("", expected) {
                Ok(expected) if expected == value => continue,
                _ => format!("{value:?}"),
            },
        };
        failures.push_str(&format!("{name}:{}: {line}\n  got {failure}\n", number + 1));
    }
    assert!(cases > 10, "{name} is a table");
    assert!(failures.is_empty(), "\n{failures}");
}

#[test]
fn expressions() {
    check("expressions.txt", include_str!("../cases/expressions.txt"));
}

#[test]
fn functions_of_numbers_and_strings() {
    check("strings.txt", include_str!("../cases/strings.txt"));
}

#[test]
fn functions_of_collections() {
    check("collections.txt", include_str!("../cases/collections.txt"));
}

#[test]
fn functions_of_formats_files_and_networks() {
    check("encodings.txt", include_str!("../cases/encodings.txt"));
}

#[test]
fn texts_of_templates() {
    check("templates.txt", include_str!("../cases/templates.txt"));
}

#[test]
fn what_packer_has_answered() {
    check("answers.txt", include_str!("../cases/answers.txt"));
}

#[test]
fn functions_that_packer_has_got_of_late() {
    check("packer.txt", include_str!("../cases/packer.txt"));
}

/// Packer's compresses otherwise; what comes out of both is the same.
#[test]
fn base64gzip_is_unpacked_to_what_packers_is() {
    let long = "lvhost ".repeat(1000);
    // What Packer 1.16.0 said.
    let packers = [
        ("", "H4sIAAAAAAAA/wAAAP//AQAA//8AAAAAAAAAAA=="),
        ("hello", "H4sIAAAAAAAA/8pIzcnJBwAAAP//AQAA//+GphA2BQAAAA=="),
        (
            long.as_str(),
            "H4sIAAAAAAAA/+zFMQ0AMAgAMCuTt4OEA4J+HKCgV2N+Vj8AAAAAAAAAAAAABwsAAP//AQAA//9+jcZ9WBsAAA==",
        ),
    ];
    for (text, packers) in packers {
        let expression = format!("base64gzip({text:?})");
        let ours = evaluate("", &expression).unwrap();
        assert_eq!(
            ours,
            evaluate("", &expression).unwrap(),
            "the same each time"
        );
        assert_eq!(unpacked(ours.as_str().unwrap()), text);
        assert_eq!(unpacked(packers), text);
    }
}

fn unpacked(text: &str) -> String {
    let bytes = STANDARD.decode(text).expect("Base64");
    let mut unpacked = String::new();
    GzDecoder::new(&*bytes)
        .read_to_string(&mut unpacked)
        .expect("gzip");
    unpacked
}
