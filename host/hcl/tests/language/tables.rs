//! Tables of expressions: `expression ==> value` or `expression ==> error: part of the message`.

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
        let actual = evaluate(prelude, expression);
        let failure = match (expected.strip_prefix("error: "), actual) {
            (Some(part), Err(messages)) if messages.contains(part) => continue,
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
