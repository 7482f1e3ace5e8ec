//! Where the values of variables come from.

use lvhost_hcl::{Severity, Value};

use super::world::{World, file, inputs, load_inputs};

const TEMPLATE: &str = "
variable \"a\" { default = \"default\" }
variable \"b\" { default = \"default\" }
variable \"c\" { default = \"default\" }
variable \"d\" { default = \"default\" }
variable \"e\" { default = \"default\" }
";

#[test]
fn the_nearer_source_wins() {
    let mut inputs = inputs(TEMPLATE);
    let mut world = World::new();
    for name in ["b", "c", "d", "e"] {
        world
            .variables
            .insert(format!("PKR_VAR_{name}"), "environment".to_owned());
    }
    inputs.auto_variable_files = vec![file(
        "x.auto.pkrvars.hcl",
        "c = \"auto\"\nd = \"auto\"\ne = \"auto\"\n",
    )];
    inputs.variable_files = vec![
        file("one.pkrvars.hcl", "d = \"one\"\ne = \"one\"\n"),
        file("two.pkrvars.json", "{\"d\": \"two\", \"e\": \"two\"}"),
    ];
    inputs.variables = vec![("e".into(), "first".into()), ("e".into(), "last".into())];
    let document = load_inputs(&inputs, world).document();
    let values: Vec<&str> = document
        .variables
        .values()
        .map(|variable| variable.value.as_str().unwrap())
        .collect();
    assert_eq!(values, ["default", "environment", "auto", "two", "last"]);
}

#[test]
fn text_becomes_the_type_of_the_variable() {
    let cases = [
        ("type = string", "1", "\"1\""),
        ("type = number", "12", "12"),
        ("type = bool", "true", "true"),
        ("type = list(string)", "[\"a\", 1]", "[\"a\", \"1\"]"),
        ("type = map(number)", "{ a = \"1\" }", "{\"a\": 1}"),
        ("type = any", "[1]", "[1]"),
        ("type = any", "plain words", "\"plain words\""),
        ("type = any", "word", "\"word\""),
        ("default = 4", "5", "5"),
        ("default = true", "false", "false"),
        ("default = [\"a\"]", "[\"b\", \"c\"]", "[\"b\", \"c\"]"),
        (
            "default = { a = 1 }",
            "{ b = \"x\", c = [1] }",
            "{\"b\": \"x\", \"c\": [1]}",
        ),
        ("default = null", "[1]", "\"[1]\""),
        ("sensitive = true", "hidden", "(sensitive)"),
    ];
    for (declaration, text, expected) in cases {
        let mut inputs = inputs(&format!("variable \"x\" {{\n  {declaration}\n}}\n"));
        inputs.variables = vec![("x".to_owned(), text.to_owned())];
        let document = load_inputs(&inputs, World::new()).document();
        assert_eq!(
            format!("{:?}", document.variables["x"].value),
            expected,
            "{declaration} {text}"
        );
    }
}

#[test]
fn values_that_do_not_fit_are_refused_where_they_come_from() {
    let cases = [
        ("type = number", "x", "-var x=…: a number is needed"),
        ("type = list(string)", "[", "its type is list(string)"),
        (
            "type = list(string)",
            "{}",
            "a list(string) is needed, this is an object",
        ),
        ("default = 4", "x", "a number is needed"),
    ];
    for (declaration, text, expected) in cases {
        let mut inputs = inputs(&format!("variable \"x\" {{\n  {declaration}\n}}\n"));
        inputs.variables = vec![("x".to_owned(), text.to_owned())];
        let messages = load_inputs(&inputs, World::new()).messages();
        assert!(
            messages.contains(expected),
            "{declaration} {text}: {messages}"
        );
    }
}

#[test]
fn a_variable_file_may_know_more_than_the_template() {
    let mut inputs = inputs("variable \"memory\" { default = 1 }");
    inputs.variable_files = vec![file(
        "shared.pkrvars.hcl",
        "memory = 2\nmemroy = 3\nother = 4\n",
    )];
    let loaded = load_inputs(&inputs, World::new());
    assert!(
        loaded
            .diagnostics
            .iter()
            .all(|d| d.severity == Severity::Warning)
    );
    assert_eq!(loaded.diagnostics.len(), 2);
    assert!(loaded.messages().contains("did you mean `memory`?"));
    assert_eq!(
        loaded.document().variables["memory"].value,
        Value::from(2i64)
    );
}

#[test]
fn a_misspelt_environment_variable_is_noticed_and_others_are_left_alone() {
    let mut world = World::new();
    world.variables.insert("PKR_VAR_memroy".into(), "2".into());
    world
        .variables
        .insert("PKR_VAR_elsewhere".into(), "2".into());
    let loaded = load_inputs(&inputs("variable \"memory\" { default = 1 }"), world);
    assert_eq!(loaded.diagnostics.len(), 1);
    assert!(loaded.messages().contains("did you mean `PKR_VAR_memory`?"));
}

#[test]
fn secrets_do_not_show_in_messages() {
    let template = "variable \"p\" {\n  sensitive = true\n  type = number\n  validation {\n    \
                    condition = var.p > 5\n    error_message = \"bad ${var.p}\"\n  }\n}\n\
                    variable \"l\" {\n  sensitive = true\n  type = list(number)\n}\n\
                    locals {\n  x = jsondecode(\"x${var.p}\")\n}\n";
    let mut inputs = inputs(template);
    inputs.variables = vec![("p".into(), "3".into()), ("l".into(), "[hunter2]".into())];
    let loaded = load_inputs(&inputs, World::new());
    let messages = loaded.messages();
    assert!(messages.contains("is not valid") && messages.contains("`jsondecode` failed"));
    assert!(
        !messages.contains("bad 3") && !messages.contains("hunter2"),
        "{messages}"
    );
}
