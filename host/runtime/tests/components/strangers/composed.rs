//! What composed components do: the engine puts adapters between them.

use std::fmt::Write as _;

use super::{Stranger, WORKS, around};

/// What composed components do, which the engine has to put adapters between.
pub(super) const COMPOSED: &[Stranger] = &[
    (
        "passes a string between two of its parts",
        || around(PASSING_A_STRING),
        WORKS,
    ),
    (
        "passes strings between parts that write them in different ways",
        || around(&passing_strings()),
        WORKS,
    ),
    (
        "lends and gives things between two of its parts",
        || around(PASSING_RESOURCES),
        WORKS,
    ),
    (
        "crashes where it takes a thing back",
        || {
            let dropping = r#"(func (export "drop") (param i32)"#;
            around(&PASSING_RESOURCES.replacen(dropping, &format!("{dropping} unreachable"), 1))
        },
        "crashed",
    ),
    (
        "gives away a thing while it lends it",
        || {
            around(
                &PASSING_RESOURCES
                    .replace(
                        r#"(borrow $thing))"#,
                        r#"(borrow $thing)) (param "given" (own $thing))"#,
                    )
                    .replace(r#""look") (param i32)"#, r#""look") (param i32 i32)"#)
                    .replace("$look (param i32)", "$look (param i32 i32)")
                    .replace("(call $look", "(call $look (local.get $thing)"),
            )
        },
        "cannot remove owned resource while borrowed",
    ),
    (
        "lends a thing that it has given away",
        || {
            let drop = "(call $drop (local.get $thing))";
            around(&PASSING_RESOURCES.replacen("(call $look", &format!("{drop} (call $look"), 1))
        },
        "unknown handle index",
    ),
    (
        "passes a string into a part that allocates nowhere",
        || around(&PASSING_A_STRING.replace("i32.const 8192", "i32.const 0x7fffffff")),
        "crashed",
    ),
    (
        "passes a string that lies beyond a part's memory",
        || {
            around(&PASSING_A_STRING.replace(
                "(i32.const 16) (i32.const 5)",
                "(i32.const -1) (i32.const -1)",
            ))
        },
        "crashed",
    ),
    (
        "passes ten thousand strings at once",
        || around(&passing(&format!("(tuple{})", " string".repeat(10_000)))),
        "overflowed its stack",
    ),
    (
        "passes a hundred thousand values, in twos of twos",
        || around(&passing(&twos(16))),
        WORKS,
    ),
    (
        "has a part that calls itself through the border",
        || around(CALLING_ITSELF),
        "crashed",
    ),
];

/// Two components: one passes a string to the other when it starts.
const PASSING_A_STRING: &str = r#"(component
    (component $taking
        (core module $m
            (memory (export "memory") 1)
            (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 8192)
            (func (export "take") (param i32 i32)))
        (core instance $i (instantiate $m))
        (func (export "take") (param "text" string)
            (canon lift (core func $i "take") (memory (core memory $i "memory")) (realloc (core func $i "realloc")))))
    (component $passing
        (import "take" (func $take (param "text" string)))
        (core module $memory (memory (export "memory") 1) (data (i32.const 16) "hello"))
        (core instance $memory (instantiate $memory))
        (core func $take (canon lower (func $take) (memory (core memory $memory "memory"))))
        (core module $m
            (import "" "take" (func $take (param i32 i32)))
            (func $start (call $take (i32.const 16) (i32.const 5)))
            (start $start))
        (core instance (instantiate $m (with "" (instance (export "take" (func $take)))))))
    (instance $taking (instantiate $taking))
    (instance (instantiate $passing (with "take" (func $taking "take")))))"#;

/// [`PASSING_A_STRING`], with something instead that lies in memory.
fn passing(what: &str) -> String {
    PASSING_A_STRING
        .replace(" string)", &format!(" {what})"))
        .replace(
            "(memory (export \"memory\") 1)",
            "(memory (export \"memory\") 2)",
        )
        .replace("(param i32 i32))", "(param i32))")
        .replace("(i32.const 16) (i32.const 5)", "(i32.const 1024)")
}

fn twos(depth: usize) -> String {
    let mut text = "u8".to_owned();
    for _ in 0..depth {
        text = format!("(tuple {text} {text})");
    }
    text
}

/// All ways of writing strings, each passed to each.
fn passing_strings() -> String {
    let ways = ["utf8", "utf16", "latin1+utf16"];
    let mut text = "(component".to_owned();
    for from in ways {
        for to in ways {
            let pair = PASSING_A_STRING
                .replace(
                    "(canon lift (core func $i \"take\")",
                    &format!("(canon lift (core func $i \"take\") string-encoding={to}"),
                )
                .replace(
                    "(canon lower (func $take)",
                    &format!("(canon lower (func $take) string-encoding={from}"),
                );
            let _ = write!(
                text,
                "(component $c{}{} {}",
                from.len(),
                to.len(),
                &pair["(component".len()..]
            );
            let _ = write!(
                text,
                "(instance (instantiate $c{}{}))",
                from.len(),
                to.len()
            );
        }
    }
    text + ")"
}

/// A component with a resource, and one that is given things of it, lends them and drops them.
const PASSING_RESOURCES: &str = r#"(component
    (component $owning
        (core module $m
            (func (export "look") (param i32))
            (func (export "drop") (param i32)))
        (core instance $i (instantiate $m))
        (type $thing' (resource (rep i32) (dtor (core func $i "drop"))))
        (export $thing "thing" (type $thing'))
        (core func $new (canon resource.new $thing))
        (core module $making
            (import "" "new" (func $new (param i32) (result i32)))
            (func (export "make") (result i32) (call $new (i32.const 77))))
        (core instance $making (instantiate $making
            (with "" (instance (export "new" (func $new))))))
        (func (export "make") (result (own $thing)) (canon lift (core func $making "make")))
        (func (export "look") (param "at" (borrow $thing)) (canon lift (core func $i "look"))))
    (component $using
        (import "thing" (type $thing (sub resource)))
        (import "make" (func $make (result (own $thing))))
        (import "look" (func $look (param "at" (borrow $thing))))
        (core func $make (canon lower (func $make)))
        (core func $look (canon lower (func $look)))
        (core func $drop (canon resource.drop $thing))
        (core module $m
            (import "" "make" (func $make (result i32)))
            (import "" "look" (func $look (param i32)))
            (import "" "drop" (func $drop (param i32)))
            (func $start (local $thing i32)
                (local.set $thing (call $make))
                (call $look (local.get $thing))
                (call $drop (local.get $thing)))
            (start $start))
        (core instance (instantiate $m (with "" (instance
            (export "make" (func $make))
            (export "look" (func $look))
            (export "drop" (func $drop)))))))
    (instance $owning (instantiate $owning))
    (alias export $owning "thing" (type $thing))
    (instance (instantiate $using
        (with "thing" (type $thing))
        (with "make" (func $owning "make"))
        (with "look" (func $owning "look")))))"#;

/// A component whose function calls the same function again, as if from outside.
const CALLING_ITSELF: &str = r#"(component
    (core module $table (table (export "t") 1 funcref)
        (func (export "f") (call_indirect (i32.const 0))))
    (core instance $table (instantiate $table))
    (func $f (canon lift (core func $table "f")))
    (core func $g (canon lower (func $f)))
    (core module $m
        (import "" "t" (table 1 funcref))
        (import "" "g" (func $g))
        (elem (i32.const 0) func $g)
        (func $start (call $g))
        (start $start))
    (core instance (instantiate $m (with "" (instance
        (export "t" (table $table "t"))
        (export "g" (func $g)))))))"#;

/// Components that each pass a string to the same one.
pub(super) fn sharing(parts: usize) -> String {
    let passing = "(instance (instantiate $passing (with \"take\" (func $taking \"take\"))))";
    PASSING_A_STRING.replacen(passing, &passing.repeat(parts), 1)
}
