//! What is no component, or one of another kind.

use super::{Stranger, WORKS, around, importing};
use crate::made::{Made, smallest};

/// What is no component, or one of another kind.
pub(super) const SHAPES: &[Stranger] = &[
    (
        "is a module",
        || wat::parse_str(Made::default().module()).expect("a module"),
        "is a WebAssembly module, and a volume source is a component",
    ),
    (
        "is cut off",
        || {
            let wasm = smallest();
            wasm[..wasm.len() - 5].to_vec()
        },
        "is not a WebAssembly component that lvhost can run",
    ),
    (
        "imports the same name twice",
        || around(r#"(component (import "a" (func)) (import "a" (func)))"#),
        "conflicts with previous name",
    ),
    (
        "asks a module for what has escapes in its name",
        || {
            around(
                r#"(component
                    (core module $m (import "\1b[31mred" "\u{202e}" (func)))
                    (core instance (instantiate $m)))"#,
            )
        },
        "missing module instantiation argument named `\u{fffd}[31mred`",
    ),
    (
        "asks a module for what has a long name",
        || {
            around(&format!(
                r#"(component
                    (core module $m (import "{}" "" (func)))
                    (core instance (instantiate $m)))"#,
                "long".repeat(20_000)
            ))
        },
        "missing module instantiation argument named `longlong",
    ),
    (
        "imports a version that is yet to come",
        || importing("wasi:io/streams@0.2.99"),
        WORKS,
    ),
    (
        "imports a version after that",
        || importing("wasi:io/streams@0.3.0"),
        "asks for wasi:io/streams@0.3.0",
    ),
    (
        "imports a version that is a number too big",
        || importing("lvhost:source/blobs@0.1.99999999999999999999999"),
        "is not a WebAssembly component that lvhost can run",
    ),
    (
        "imports the contract's draft",
        || importing("lvhost:source/blobs@0.1.0-rc.1"),
        "was made for lvhost:source/blobs@0.1.0-rc.1",
    ),
    (
        "imports by a URL",
        || importing("url=<https://example.com/blobs>"),
        "asks for url=<https://example.com/blobs>",
    ),
    (
        "takes a function for a resource",
        || importing_as("blobs", r#"(export "blob" (func))"#),
        "does not fit the contract",
    ),
    (
        "takes a resource for a function",
        || importing_as("report", r#"(export "log" (type (sub resource)))"#),
        "does not fit the contract",
    ),
    (
        "takes a component for a resource",
        || importing_as("blobs", r#"(export "blob" (component))"#),
        "does not fit the contract",
    ),
    (
        "takes a module for a function",
        || importing_as("report", r#"(export "log" (core module))"#),
        "does not fit the contract",
    ),
    (
        "takes an instance for a function",
        || importing_as("report", r#"(export "log" (instance))"#),
        "does not fit the contract",
    ),
    (
        "takes one resource for another",
        || {
            importing_as(
                "blobs",
                r#"(export "blob" (type $blob (sub resource)))
                (export "reader" (type (sub resource)))
                (export "[method]reader.read" (func (param "self" (borrow $blob))))"#,
            )
        },
        "is not valid",
    ),
    (
        "takes two resources for the same",
        || {
            importing_as(
                "blobs",
                r#"(export "blob" (type $blob (sub resource)))
                (export "reader" (type (eq $blob)))"#,
            )
        },
        "does not fit the contract",
    ),
    (
        "takes the host's answer for another type",
        || {
            importing_as(
                "report",
                r#"(export "is-cancelled" (func (result string)))"#,
            )
        },
        "does not fit the contract",
    ),
    (
        "exports a contract of functions only",
        || {
            wat::parse_str(
                r#"(component
                    (core module $m (func (export "f")))
                    (core instance $i (instantiate $m))
                    (func $f (canon lift (core func $i "f")))
                    (instance $s (export "describe" (func $f)) (export "configure" (func $f))
                        (export "prepare" (func $f)))
                    (export "lvhost:source/source@0.1.0" (instance $s)))"#,
            )
            .expect("a component")
        },
        "expected 1-tuple",
    ),
    (
        "exports a function by the contract's name",
        || {
            wat::parse_str(
                r#"(component
                    (core module $m (func (export "f")))
                    (core instance $i (instantiate $m))
                    (func $f (canon lift (core func $i "f")))
                    (export "lvhost:source/source@0.1.0" (func $f)))"#,
            )
            .expect("a component")
        },
        "does not fit the contract",
    ),
];

/// A source that takes an interface of the contract for something else. It exports nothing that could be
/// called.
fn importing_as(interface: &str, exports: &str) -> Vec<u8> {
    let text = format!(
        r#"(component
            (import "lvhost:source/{interface}@0.1.0" (instance {exports}))
            (instance $source)
            (export "lvhost:source/source@0.1.0" (instance $source)))"#
    );
    wat::parse_str(text).expect("a component")
}
