//! What the user reads when something is wrong: every `cases/wrong-*.pkr.hcl` beside the text
//! that is shown for it.

use lvhost_hcl::{RenderStyle, render};

use super::world::{World, inputs, load_inputs, load_template};

fn messages(template: &str) -> String {
    let loaded = load_template(template);
    assert!(
        loaded.diagnostics.has_errors(),
        "there is something wrong in it"
    );
    loaded.messages()
}

macro_rules! wrong {
    ($($name:ident: $file:literal,)*) => {$(
        #[test]
        fn $name() {
            insta::with_settings!({
                snapshot_path => "../cases",
                prepend_module_to_snapshot => false,
                omit_expression => true,
            }, {
                insta::assert_snapshot!(
                    $file,
                    messages(include_str!(concat!("../cases/", $file, ".pkr.hcl")))
                );
            });
        }
    )*};
}

wrong! {
    misspelt_names: "wrong-names",
    misplaced_blocks_and_attributes: "wrong-blocks",
    cycles_and_twins: "wrong-graph",
    variables_that_do_not_fit: "wrong-variables",
    broken_syntax: "wrong-syntax",
}

#[test]
fn colours_are_only_there_when_asked_for() {
    let loaded = load_template("foo {}\n");
    let styled = RenderStyle {
        color: true,
        width: 80,
    };
    assert!(!loaded.messages().contains('\u{1b}'));
    assert!(render(&loaded.files, &loaded.diagnostics, styled).contains('\u{1b}'));
}

#[test]
fn what_is_in_no_file_is_said_without_one() {
    let mut inputs = inputs("variable \"memory\" { default = 1 }");
    inputs.variables = vec![("memroy".into(), "2".into())];
    let messages = load_inputs(&inputs, World::new()).messages();
    assert!(
        messages.contains("there is no variable `memroy`"),
        "{messages}"
    );
    assert!(messages.contains("did you mean `memory`?"), "{messages}");
    let nothing = load_inputs(&lvhost_hcl::Inputs::default(), World::new()).messages();
    assert!(
        nothing.contains("there is no template to load"),
        "{nothing}"
    );
}

#[test]
fn templates_in_json_are_refused_by_name() {
    let mut inputs = inputs("");
    inputs.templates[0].name = "old.pkr.json".to_owned();
    inputs.templates[0].text = "{}".to_owned();
    let messages = load_inputs(&inputs, World::new()).messages();
    assert!(
        messages.contains("templates in JSON are not supported"),
        "{messages}"
    );
}
