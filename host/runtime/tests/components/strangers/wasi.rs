//! What a language's runtime does with WASI, done wrong.

use super::{Stranger, WORKS, made};

/// What a language's runtime does with WASI, done wrong.
pub(super) const WASI: &[Stranger] = &[
    (
        "waits for nothing at all",
        || wasi("(call $poll (i32.const 0) (i32.const 0) (i32.const 2048))"),
        "empty poll list",
    ),
    (
        "waits for the same thing ten thousand times",
        || {
            wasi(
                "(local $pollable i32) (local $at i32)
                (local.set $pollable (call $subscribe (call $stdout)))
                (loop
                    (i32.store (i32.add (local.get $at) (i32.const 8192)) (local.get $pollable))
                    (local.set $at (i32.add (local.get $at) (i32.const 4)))
                    (br_if 0 (i32.lt_u (local.get $at) (i32.const 40000))))
                (call $poll (i32.const 8192) (i32.const 10000) (i32.const 2048))",
            )
        },
        "store handle limit exceeded",
    ),
    (
        "waits for a stream that it has closed",
        || {
            wasi(
                "(local $stream i32) (local $pollable i32)
                (local.set $stream (call $stdout))
                (local.set $pollable (call $subscribe (local.get $stream)))
                (call $close (local.get $stream))
                (call $block (local.get $pollable))",
            )
        },
        "resource has children",
    ),
    (
        "writes all zeros there are",
        || wasi("(call $zeroes (call $stdout) (i64.const -1) (i32.const 2048))"),
        "cannot write more zeroes",
    ),
    (
        "reads all of an empty standard input",
        || wasi("(call $read (call $stdin) (i64.const -1) (i32.const 2048))"),
        WORKS,
    ),
    (
        "asks for all random numbers there are",
        || wasi("(call $random (i64.const -1) (i32.const 2048))"),
        "exceeds limit",
    ),
    (
        "waits until the end of time, and then some",
        || {
            wasi(
                "(call $block (call $until (i64.const -1)))
                (call $block (call $until (i64.const 0)))
                (call $block (call $for (i64.const -1)))",
            )
        },
        WORKS,
    ),
    (
        "ends with a status that is none",
        || wasi("(call $exit (i32.const 2))"),
        "discriminant",
    ),
];

/// A source that does something with WASI in `prepare`.
fn wasi(act: &str) -> Vec<u8> {
    made(|it| {
        it.packages = "
            package wasi:io@0.2.6 {
                interface error { resource error; }
                interface poll {
                    resource pollable { block: func(); }
                    poll: func(in: list<borrow<pollable>>) -> list<u32>;
                }
                interface streams {
                    use error.{error};
                    use poll.{pollable};
                    variant stream-error { last-operation-failed(error), closed }
                    resource input-stream {
                        read: func(len: u64) -> result<list<u8>, stream-error>;
                    }
                    resource output-stream {
                        write-zeroes: func(len: u64) -> result<_, stream-error>;
                        subscribe: func() -> pollable;
                    }
                }
            }
            package wasi:cli@0.2.6 {
                interface stdin {
                    use wasi:io/streams@0.2.6.{input-stream};
                    get-stdin: func() -> input-stream;
                }
                interface stdout {
                    use wasi:io/streams@0.2.6.{output-stream};
                    get-stdout: func() -> output-stream;
                }
                interface exit { exit: func(status: result); }
            }
            package wasi:clocks@0.2.6 {
                interface monotonic-clock {
                    use wasi:io/poll@0.2.6.{pollable};
                    subscribe-instant: func(when: u64) -> pollable;
                    subscribe-duration: func(when: u64) -> pollable;
                }
            }
            package wasi:random@0.2.6 {
                interface random { get-random-bytes: func(len: u64) -> list<u8>; }
            }";
        it.world = "
            import wasi:cli/stdin@0.2.6;
            import wasi:cli/stdout@0.2.6;
            import wasi:cli/exit@0.2.6;
            import wasi:clocks/monotonic-clock@0.2.6;
            import wasi:random/random@0.2.6;";
        let import = |interface: &str, name: &str, function: &str| {
            format!(r#"(import "wasi:{interface}@0.2.6" "{name}" (func {function}))"#)
        };
        it.items = [
            import("io/poll", "poll", "$poll (param i32 i32 i32)"),
            import("io/poll", "[method]pollable.block", "$block (param i32)"),
            import(
                "io/streams",
                "[resource-drop]output-stream",
                "$close (param i32)",
            ),
            import(
                "io/streams",
                "[method]output-stream.subscribe",
                "$subscribe (param i32) (result i32)",
            ),
            import(
                "io/streams",
                "[method]output-stream.write-zeroes",
                "$zeroes (param i32 i64 i32)",
            ),
            import(
                "io/streams",
                "[method]input-stream.read",
                "$read (param i32 i64 i32)",
            ),
            import("cli/stdin", "get-stdin", "$stdin (result i32)"),
            import("cli/stdout", "get-stdout", "$stdout (result i32)"),
            import("cli/exit", "exit", "$exit (param i32)"),
            import(
                "clocks/monotonic-clock",
                "subscribe-instant",
                "$until (param i64) (result i32)",
            ),
            import(
                "clocks/monotonic-clock",
                "subscribe-duration",
                "$for (param i64) (result i32)",
            ),
            import(
                "random/random",
                "get-random-bytes",
                "$random (param i64 i32)",
            ),
            format!("(func $act {act})"),
        ]
        .concat();
        it.prepare = "(call $act) i32.const 1024";
    })
}
