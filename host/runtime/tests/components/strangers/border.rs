//! What breaks the rules of the border between component and host, with all the right types.

use wit_component::StringEncoding;

use super::{Stranger, WORKS, made};
use crate::made::Made;

/// What breaks the rules of the border, in a component with all the right types.
pub(super) const BORDER: &[Stranger] = &[
    (
        "crashes when it starts",
        || made(|it| it.items = "(func $start unreachable) (start $start)".into()),
        "crashed",
    ),
    (
        "spins when it starts",
        || made(|it| it.items = "(func $start (loop br 0)) (start $start)".into()),
        "computed for more than",
    ),
    (
        "spins by calls that leave nothing on the stack",
        || made(|it| it.describe = "return_call $describe"),
        "computed for more than",
    ),
    (
        "calls itself through a table",
        || {
            made(|it| {
                it.items = "(type $t (func (result i32))) (table funcref (elem $describe))".into();
                it.describe = "(call_indirect (type $t) (i32.const 0)) (i32.add (i32.const 1))";
            })
        },
        "overflowed its stack",
    ),
    (
        "grows its memory until it is refused",
        || {
            made(|it| {
                it.prepare = "(loop
                    (br_if 0 (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
                    i32.const 1024";
            })
        },
        "used up its memory",
    ),
    (
        "has more memory than it may from the beginning",
        || made(|it| it.memory = r#"(memory (export "memory") 65536)"#),
        "used up its memory",
    ),
    (
        "grows its table until it is refused",
        || {
            made(|it| {
                it.items = "(table $t 1 funcref)".into();
                it.prepare = "(loop (br_if 0 (i32.ne
                    (table.grow $t (ref.null func) (i32.const 1000)) (i32.const -1))))
                    i32.const 1024";
            })
        },
        "a table of",
    ),
    (
        "has a table of millions from the beginning",
        || made(|it| it.items = "(table 9000000 funcref)".into()),
        "a table of",
    ),
    (
        "allocates beyond its memory",
        || made(|it| it.realloc = "i32.const 0x7fffffff"),
        "realloc",
    ),
    (
        "allocates where it is not aligned",
        || made(|it| it.realloc = "i32.const 4097"),
        "realloc",
    ),
    (
        "allocates everything at one place",
        || made(|it| it.realloc = "i32.const 4096"),
        WORKS,
    ),
    (
        "allocates where its answer lies",
        || made(|it| it.realloc = "i32.const 1024"),
        "out of bounds",
    ),
    (
        "crashes in a function that has a name",
        || {
            made(|it| {
                it.items =
                    "(func $fall_apart unreachable) (func $step (call $fall_apart))".to_owned();
                it.prepare = "(call $step) i32.const 1024";
            })
        },
        "crashed in fall_apart: wasm",
    ),
    (
        "crashes in a function whose name is a forgery",
        || {
            made(|it| {
                it.items = r#"(func $"a\nerror: b\u{1b}[31m\u{202e}c" unreachable)"#.to_owned();
                it.prepare = r#"(call $"a\nerror: b\u{1b}[31m\u{202e}c") i32.const 1024"#;
            })
        },
        "crashed in a error: b\u{fffd}[31m\u{fffd}c: wasm",
    ),
    (
        "crashes when it allocates",
        || made(|it| it.realloc = "unreachable"),
        "crashed",
    ),
    (
        "calls the host while it allocates",
        || {
            made(|it| {
                it.items = r#"(import "lvhost:source/report@0.1.0" "is-cancelled"
                    (func $cancelled (result i32)))"#
                    .into();
                it.realloc = "(drop (call $cancelled)) i32.const 4096";
            })
        },
        "cannot leave component instance",
    ),
    (
        "crashes after it has answered",
        || {
            made(|it| {
                it.items = r#"(func (export "cabi_post_lvhost:source/source@0.1.0#describe")
                    (param i32) unreachable)"#
                    .into();
            })
        },
        "crashed",
    ),
    (
        "answers from beyond its memory",
        || made(|it| it.describe = "i32.const -4"),
        "out of bounds",
    ),
    (
        "answers from where it is not aligned",
        || made(|it| it.describe = "i32.const 33"),
        "not aligned",
    ),
    (
        "answers with a list of four thousand million",
        || {
            made(|it| {
                it.describe = "(i32.store (i32.const 60) (i32.const -1)) i32.const 32";
            })
        },
        "out of bounds",
    ),
    (
        "answers with a string that ends beyond its memory",
        || {
            made(|it| {
                it.describe = "(i32.store (i32.const 32) (i32.const 65535)) i32.const 32";
            })
        },
        "out of bounds",
    ),
    (
        "answers with bytes that are no UTF-8",
        || {
            made(|it| {
                it.describe = "(i32.store (i32.const 16) (i32.const 0xfffefdfc)) i32.const 32";
            })
        },
        "utf-8",
    ),
    (
        "answers with half a character of UTF-16",
        || {
            made(|it| {
                it.strings = StringEncoding::UTF16;
                it.describe =
                    "(i64.store (i32.const 16) (i64.const 0xd800d800d800d800)) i32.const 32";
            })
        },
        "unpaired surrogate",
    ),
    (
        "answers with strings at odd places in UTF-16",
        || {
            made(|it| {
                it.strings = StringEncoding::UTF16;
                it.describe = "(i32.store (i32.const 32) (i32.const 17)) i32.const 32";
            })
        },
        "not aligned",
    ),
    (
        "answers with a string of both Latin 1 and UTF-16",
        || {
            made(|it| {
                it.strings = StringEncoding::CompactUTF16;
                // The highest bit of the length says UTF-16.
                it.describe = "(i32.store (i32.const 36) (i32.const 0xffffffff)) i32.const 32";
            })
        },
        "out of bounds",
    ),
    (
        "answers with a case that does not exist",
        || {
            made(|it| {
                it.configure = "(i32.store8 (i32.const 1032) (i32.const 77)) i32.const 1024";
            })
        },
        "discriminant",
    ),
    (
        "drops what it does not hold",
        || {
            made(|it| {
                it.items = r#"(import "lvhost:source/blobs@0.1.0" "[resource-drop]blob"
                    (func $drop (param i32)))"#
                    .into();
                it.prepare = "(call $drop (i32.const 7)) i32.const 1024";
            })
        },
        "unknown handle index",
    ),
    (
        "uses a handle of another kind",
        || {
            made(|it| {
                handles(
                    it,
                    "(call $read (local.get $handle) (i32.const 1) (i32.const 2048))",
                )
            })
        },
        "handle",
    ),
    (
        "drops a handle twice",
        || {
            made(|it| {
                handles(
                    it,
                    "(call $drop (local.get $handle)) (call $drop (local.get $handle))",
                )
            })
        },
        "unknown handle index",
    ),
    (
        "uses a handle after it has dropped it",
        || {
            made(|it| {
                handles(
                    it,
                    "(call $drop (local.get $handle)) (drop (call $size (local.get $handle)))",
                );
            })
        },
        "unknown handle index",
    ),
    (
        "asks the host for memory that is not there",
        || {
            made(|it| {
                it.items = r#"(import "lvhost:source/report@0.1.0" "log"
                    (func $log (param i32 i32 i32)))"#
                    .into();
                it.prepare =
                    "(call $log (i32.const 0) (i32.const -1) (i32.const -1)) i32.const 1024";
            })
        },
        "out of bounds",
    ),
    (
        "logs at a level that does not exist",
        || {
            made(|it| {
                it.items = r#"(import "lvhost:source/report@0.1.0" "log"
                    (func $log (param i32 i32 i32)))"#
                    .into();
                it.prepare =
                    "(call $log (i32.const 99) (i32.const 0) (i32.const 0)) i32.const 1024";
            })
        },
        "discriminant",
    ),
];

/// Gets a blob in `prepare`, as `$handle`, and does `then`.
fn handles(made: &mut Made, then: &'static str) {
    made.items = format!(
        r#"(import "lvhost:source/files@0.1.0" "open"
            (func $open (param i32 i32 i32 i32 i32)))
        (import "lvhost:source/blobs@0.1.0" "[resource-drop]blob" (func $drop (param i32)))
        (import "lvhost:source/blobs@0.1.0" "[method]blob.size" (func $size (param i32) (result i64)))
        (import "lvhost:source/blobs@0.1.0" "[method]reader.read" (func $read (param i32 i32 i32)))
        (data (i32.const 2000) "granted/*file")
        (func $with_handle (local $handle i32)
            (call $open (i32.const 2000) (i32.const 9) (i32.const 2009) (i32.const 4) (i32.const 2048))
            (local.set $handle (i32.load (i32.const 2052)))
            {then})"#
    );
    made.prepare = "(call $with_handle) i32.const 1024";
}
