//! Files of settings beside a template.

use std::sync::Arc;

use lvhost_hcl::{Body, Diagnostics, RenderStyle, SourceMap, Value, load_settings as load, render};

use super::world::{World, file};

fn load_settings(text: &str) -> (Option<Body>, String) {
    let (mut files, mut diagnostics) = (SourceMap::default(), Diagnostics::default());
    let input = file("lvhost.hcl", text);
    let body = load(&input, Arc::new(World::new()), &mut files, &mut diagnostics);
    (body, render(&files, &diagnostics, RenderStyle::default()))
}

#[test]
fn blocks_and_functions_are_evaluated_without_variables() {
    let (body, messages) = load_settings("thing \"a\" {\n  name = upper(\"x\")\n}\n");
    assert_eq!(messages, "");
    let body = body.unwrap();
    let thing = body.blocks("thing").next().unwrap();
    assert_eq!(thing.labels[0].text, "a");
    assert_eq!(thing.body.value("name"), Some(&Value::string("X")));

    let (_, messages) = load_settings("name = var.x\n");
    assert!(messages.contains("lvhost.hcl:1:8"), "{messages}");
}

#[test]
fn what_is_no_syntax_is_shown_with_its_place() {
    let (body, messages) = load_settings("thing {\n  name = 'x'\n}\n");
    assert!(body.is_none());
    for expected in ["single quotes", "lvhost.hcl:2:10", "double quotes"] {
        assert!(messages.contains(expected), "{expected}: {messages}");
    }
}
