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
    (
        "asks for folders, a network, sockets and a name, and gets none",
        || {
            wasi(
                "(call $directories (i32.const 2048))
                (if (i32.load (i32.const 2052)) (then unreachable))
                (call $tcp (i32.const 0) (i32.const 2048))
                (if (i32.ne (i32.load8_u (i32.const 2048)) (i32.const 1)) (then unreachable))
                (if (i32.ne (i32.load8_u (i32.const 2052)) (i32.const 1)) (then unreachable))
                (call $tcp (i32.const 1) (i32.const 2048))
                (if (i32.ne (i32.load8_u (i32.const 2048)) (i32.const 1)) (then unreachable))
                (call $udp (i32.const 0) (i32.const 2048))
                (if (i32.ne (i32.load8_u (i32.const 2048)) (i32.const 1)) (then unreachable))
                (call $name (call $network) (i32.const 16) (i32.const 4) (i32.const 2048))
                (if (i32.ne (i32.load8_u (i32.const 2048)) (i32.const 1)) (then unreachable))",
            )
        },
        WORKS,
    ),
    (
        "uses a file that it was never given",
        || wasi("(call $sync (i32.const 3) (i32.const 2048))"),
        "unknown handle",
    ),
    (
        "uses a network as a file",
        || wasi("(call $sync (call $network) (i32.const 2048))"),
        "handle index 1 used with the wrong type",
    ),
    (
        "asks for ten thousand networks",
        || {
            wasi(
                "(local $count i32)
                (loop
                    (drop (call $network))
                    (local.set $count (i32.add (local.get $count) (i32.const 1)))
                    (br_if 0 (i32.lt_u (local.get $count) (i32.const 10000))))",
            )
        },
        "store handle limit exceeded",
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
            package wasi:filesystem@0.2.6 {
                interface types {
                    enum error-code { access, would-block }
                    resource descriptor { sync: func() -> result<_, error-code>; }
                }
                interface preopens {
                    use types.{descriptor};
                    get-directories: func() -> list<tuple<descriptor, string>>;
                }
            }
            package wasi:sockets@0.2.6 {
                interface network {
                    enum error-code { unknown, access-denied, not-supported }
                    enum ip-address-family { ipv4, ipv6 }
                    resource network;
                }
                interface instance-network {
                    use network.{network};
                    instance-network: func() -> network;
                }
                interface tcp { resource tcp-socket { is-listening: func() -> bool; } }
                interface tcp-create-socket {
                    use network.{error-code, ip-address-family};
                    use tcp.{tcp-socket};
                    create-tcp-socket: func(family: ip-address-family) -> result<tcp-socket, error-code>;
                }
                interface udp { resource udp-socket { subscribe: func(); } }
                interface udp-create-socket {
                    use network.{error-code, ip-address-family};
                    use udp.{udp-socket};
                    create-udp-socket: func(family: ip-address-family) -> result<udp-socket, error-code>;
                }
                interface ip-name-lookup {
                    use network.{error-code, network};
                    resource resolve-address-stream { subscribe: func(); }
                    resolve-addresses: func(network: borrow<network>, name: string)
                        -> result<resolve-address-stream, error-code>;
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
            import wasi:filesystem/preopens@0.2.6;
            import wasi:sockets/instance-network@0.2.6;
            import wasi:sockets/tcp-create-socket@0.2.6;
            import wasi:sockets/udp-create-socket@0.2.6;
            import wasi:sockets/ip-name-lookup@0.2.6;
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
            import(
                "filesystem/types",
                "[method]descriptor.sync",
                "$sync (param i32 i32)",
            ),
            import(
                "filesystem/preopens",
                "get-directories",
                "$directories (param i32)",
            ),
            import(
                "sockets/instance-network",
                "instance-network",
                "$network (result i32)",
            ),
            import(
                "sockets/tcp-create-socket",
                "create-tcp-socket",
                "$tcp (param i32 i32)",
            ),
            import(
                "sockets/udp-create-socket",
                "create-udp-socket",
                "$udp (param i32 i32)",
            ),
            import(
                "sockets/ip-name-lookup",
                "resolve-addresses",
                "$name (param i32 i32 i32 i32)",
            ),
            format!("(func $act {act})"),
        ]
        .concat();
        it.prepare = "(call $act) i32.const 1024";
    })
}
