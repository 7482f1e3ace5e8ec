//! Components that no honest compiler makes, from the bytes on: what the engine is not meant for, what
//! grows when it is read, and what breaks the rules of the border between component and host. Each is
//! an error that names it, or does no harm.

use std::error::Error;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lvhost_runtime::{ComponentBytes, Limits, Runtime};
use wasm_encoder::{
    CodeSection, Component, ComponentImportSection, ComponentSection, ComponentTypeRef,
    ComponentTypeSection, DataSection, Encode, Function, FunctionSection, InstanceType,
    Instruction, Module, ModuleSection, PrimitiveValType, TypeSection,
};
use wit_component::StringEncoding;

use crate::made::{Made, containing, containing_bytes, nested, smallest, types_of, with_custom};
use crate::support::{FakeServices, runtime, volume};

/// A component, and what comes of it: a part of the error with its causes, or [`WORKS`].
pub(crate) type Stranger = (&'static str, fn() -> Vec<u8>, &'static str);

/// It is loaded and called, and nothing comes of it.
pub(crate) const WORKS: &str = "works";

/// What WebAssembly has, and a component may not use.
const FEATURES: &[Stranger] = &[
    (
        "has two memories",
        || around("(component (core module (memory 1) (memory 1)))"),
        "multiple memories",
    ),
    (
        "has a memory beside an imported one",
        || around(r#"(component (core module (import "" "" (memory 1)) (memory 1)))"#),
        "multiple memories",
    ),
    (
        "describes a module of two memories",
        || {
            around(
                r#"(component (core type (module
                    (import "" "a" (memory 1)) (import "" "b" (memory 1)))))"#,
            )
        },
        "multiple memories",
    ),
    (
        "has a memory of 64 bits",
        || around("(component (core module (memory i64 1)))"),
        "memory64 must be enabled for 64-bit memories",
    ),
    (
        "has a table of 64 bits",
        || around("(component (core module (table i64 1 funcref)))"),
        "memory64",
    ),
    (
        "shares a memory between threads",
        || around("(component (core module (memory 1 1 shared)))"),
        "threads",
    ),
    (
        "uses atomic instructions",
        || {
            around(
                "(component (core module (memory 1)
                    (func i32.const 0 i32.const 1 i32.atomic.store)))",
            )
        },
        "threads",
    ),
    (
        "has pages of one byte",
        || around("(component (core module (memory 1 (pagesize 1))))"),
        "custom page sizes",
    ),
    (
        "throws exceptions",
        || around("(component (core module (tag $e) (func throw $e)))"),
        "exceptions",
    ),
    (
        "catches exceptions in the old way",
        || around("(component (core module (func try catch_all end)))"),
        "legacy",
    ),
    (
        "wants garbage collected",
        || around("(component (core module (type (struct (field i32)))))"),
        "gc",
    ),
    (
        "refers to the host's objects",
        || around("(component (core module (func (param externref))))"),
        "gc types are disallowed",
    ),
    (
        "refers to typed functions",
        || around("(component (core module (type $t (func)) (func (param (ref null $t)))))"),
        "function references",
    ),
    (
        "describes a module by typed functions",
        || {
            around(
                r#"(component (core type (module
                    (type $t (func)) (import "" "" (func (param (ref null $t)))))))"#,
            )
        },
        "function references",
    ),
    (
        "switches stacks",
        || around("(component (core module (type $f (func)) (type (cont $f))))"),
        "stack switching",
    ),
    (
        "multiplies in 128 bits",
        || {
            around(
                "(component (core module (func (param i64 i64) (result i64 i64)
                    local.get 0 local.get 1 i64.mul_wide_u)))",
            )
        },
        "wide arithmetic",
    ),
    (
        "computes as the processor likes",
        || {
            around(
                "(component (core module (func (param v128) (result v128)
                    local.get 0 local.get 0 i8x16.relaxed_swizzle)))",
            )
        },
        "relaxed",
    ),
    (
        "lifts asynchronously",
        || {
            around(
                r#"(component
                    (core module $m (func (export "f")))
                    (core instance $i (instantiate $m))
                    (func (export "f") async (canon lift (core func $i "f") async)))"#,
            )
        },
        "no asynchronous functions and no threads: have it made for WASI 0.2",
    ),
    (
        "has a stream",
        || around("(component (type (stream u8)))"),
        "async",
    ),
    (
        "has a future",
        || around("(component (type (future)))"),
        "async",
    ),
    (
        "has contexts of errors",
        || around("(component (core func (canon error-context.drop)))"),
        "error-context",
    ),
    (
        "starts threads",
        || around("(component (core func (canon thread.available_parallelism)))"),
        "thread",
    ),
    (
        "has a list of fixed length",
        || around("(component (type (list u8 1000000000)))"),
        "fixed",
    ),
    (
        "has a map",
        || around("(component (type (map string u32)))"),
        "map",
    ),
];

/// What is big, deep or many.
const BOMBS: &[Stranger] = &[
    (
        "is components within each other a thousand times",
        || containing_bytes(&smallest(), &nested(1000)),
        "components are within each other",
    ),
    (
        "doubles its instances twenty times",
        || around(&doubling(20)),
        "instances",
    ),
    (
        "doubles its instances through components from outside",
        || around(&doubling_outside(20)),
        "instances",
    ),
    (
        "passes components on like values",
        || {
            around(
                r#"(component
                    (component $a)
                    (component $b (import "c" (component $c)) (instance (instantiate $c)))
                    (instance (instantiate $b (with "c" (component $a)))))"#,
            )
        },
        "passes components on",
    ),
    (
        "has components that share a hundred memories",
        || around(&sharing(100)),
        "instances of modules",
    ),
    (
        "has a name of a megabyte",
        || {
            around(&format!(
                r#"(component (import "{}" (func)))"#,
                "a".repeat(1 << 20)
            ))
        },
        "string size out of bounds",
    ),
    (
        "imports a hundred thousand functions",
        || {
            let mut types = ComponentTypeSection::new();
            types
                .function()
                .params([("a", PrimitiveValType::U8)])
                .result(None);
            let mut imports = ComponentImportSection::new();
            for number in 0..100_000 {
                imports.import(format!("f{number}").as_str(), ComponentTypeRef::Func(0));
            }
            let mut inner = Component::new();
            inner.section(&types).section(&imports);
            containing_bytes(&smallest(), &inner.finish())
        },
        "missing import",
    ),
    (
        "has a hundred thousand types",
        || {
            let types = "(type (list u8))".repeat(100_000);
            around(&format!("(component {types})"))
        },
        WORKS,
    ),
    (
        "nests a type a thousand times",
        || around(&nested_type(1000)),
        "type nesting is too deep",
    ),
    (
        "doubles a type forty times",
        || around(&doubling_type(40)),
        "type size",
    ),
    (
        "renames its exports a hundred thousand times",
        || {
            let mut aliases = String::new();
            for _ in 0..100_000 {
                aliases += r#"(alias core export $i "f" (core func))"#;
            }
            around(&format!(
                r#"(component
                    (core module $m (func (export "f")))
                    (core instance $i (instantiate $m))
                    {aliases})"#
            ))
        },
        WORKS,
    ),
    (
        "has a custom section of 30 MB",
        || with_custom(&smallest(), "bulk", &vec![b'x'; 30 << 20]),
        WORKS,
    ),
    (
        "is as big as an interpreter",
        || {
            let mut inner = Component::new();
            for (megabytes, bulk) in [(20, b'x'), (4, b'y')] {
                let mut data = DataSection::new();
                data.passive(vec![bulk; megabytes << 20]);
                inner.section(&ModuleSection(Module::new().section(&data)));
            }
            containing_bytes(&smallest(), &inner.finish())
        },
        WORKS,
    ),
    (
        "is as big as an interpreter, and asks for files",
        || interpreter("wasi:filesystem/preopens@0.2.6"),
        "asks for wasi:filesystem/preopens@0.2.6",
    ),
    (
        "has names to be unmangled for ever",
        || {
            // Each `B_` goes back to the beginning of what it is a part of.
            let name = format!("_RNv{}C1a1b", "NvB_".repeat(10_000));
            let mut data = vec![1];
            let mut names = vec![1, 0];
            leb128(&mut names, name.len());
            names.extend_from_slice(name.as_bytes());
            leb128(&mut data, names.len());
            data.extend_from_slice(&names);
            let module = with_custom(
                &wat::parse_str("(module (func))").expect("a module"),
                "name",
                &data,
            );
            let mut inner = b"\0asm\x0d\0\x01\0\x01".to_vec();
            leb128(&mut inner, module.len());
            inner.extend_from_slice(&module);
            containing_bytes(&smallest(), &inner)
        },
        WORKS,
    ),
];

/// What is no component, or one of another kind.
const SHAPES: &[Stranger] = &[
    (
        "is a module",
        || wat::parse_str(Made::default().module()).expect("a module"),
        "it is a module; a component has to be made of it",
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

/// What breaks the rules of the border, in a component with all the right types.
const BORDER: &[Stranger] = &[
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
    (
        "waits for nothing at all",
        || {
            made(|it| {
                it.packages = "package wasi:io@0.2.6 { interface poll { resource pollable;
                    poll: func(in: list<borrow<pollable>>) -> list<u32>; } }";
                it.world = "import wasi:io/poll@0.2.6;";
                it.items = r#"(import "wasi:io/poll@0.2.6" "poll"
                    (func $poll (param i32 i32 i32)))"#
                    .into();
                it.prepare =
                    "(call $poll (i32.const 0) (i32.const 0) (i32.const 2048)) i32.const 1024";
            })
        },
        "empty poll list",
    ),
    (
        "asks for all random numbers there are",
        || {
            made(|it| {
                it.packages = "package wasi:random@0.2.6 { interface random {
                    get-random-bytes: func(len: u64) -> list<u8>; } }";
                it.world = "import wasi:random/random@0.2.6;";
                it.items = r#"(import "wasi:random/random@0.2.6" "get-random-bytes"
                    (func $random (param i64 i32)))"#
                    .into();
                it.prepare = "(call $random (i64.const -1) (i32.const 2048)) i32.const 1024";
            })
        },
        "random",
    ),
];

/// What composed components do, which the engine has to put adapters between.
const COMPOSED: &[Stranger] = &[
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

/// The smallest source with a component in it.
fn around(component: &str) -> Vec<u8> {
    containing(&smallest(), component)
}

/// The smallest source with changes.
fn made(change: impl FnOnce(&mut Made)) -> Vec<u8> {
    let mut made = Made::default();
    change(&mut made);
    made.component()
}

/// The smallest source with an import more, of an instance with nothing in it.
fn importing(name: &str) -> Vec<u8> {
    let mut wasm = smallest();
    let mut types = ComponentTypeSection::new();
    types.instance(&InstanceType::new());
    let mut imports = ComponentImportSection::new();
    let number = types_of(&wasm);
    imports.import(name, ComponentTypeRef::Instance(number));
    types.append_to_component(&mut wasm);
    imports.append_to_component(&mut wasm);
    wasm
}

/// A source of 20 MB of functions that imports `name`.
fn interpreter(name: &str) -> Vec<u8> {
    let mut types = TypeSection::new();
    types.ty().function([], []);
    let mut functions = FunctionSection::new();
    let mut code = CodeSection::new();
    let mut function = Function::new([]);
    for _ in 0..200_000 {
        function.instruction(&Instruction::I32Const(0x0fff_ffff));
        function.instruction(&Instruction::Drop);
    }
    function.instruction(&Instruction::End);
    for _ in 0..15 {
        functions.function(0);
        code.function(&function);
    }
    let mut module = Module::new();
    module.section(&types).section(&functions).section(&code);
    let mut inner = Component::new();
    inner.section(&ModuleSection(&module));
    let wasm = containing_bytes(&importing(name), &inner.finish());
    assert!(wasm.len() > 20 << 20, "{}", wasm.len());
    wasm
}

/// `(component $c0 …) (component $c1 (instance (instantiate $c0)) (instance (instantiate $c0))) …`,
/// each within the next one.
fn doubling(times: usize) -> String {
    let mut text = "(component)".to_owned();
    for _ in 0..times {
        text = format!(
            "(component (component $c {}
                (instance (instantiate $c)) (instance (instantiate $c)))",
            &text["(component".len()..]
        );
    }
    text
}

/// The same, with the components beside each other.
fn doubling_outside(times: usize) -> String {
    let mut text = "(component (component $c0)".to_owned();
    for number in 1..=times {
        let before = number - 1;
        let _ = write!(
            text,
            "(component $c{number}
                (alias outer 1 $c{before} (component $c))
                (instance (instantiate $c)) (instance (instantiate $c)))"
        );
    }
    text + &format!("(instance (instantiate $c{times})))")
}

/// Components that each pass a string to the same one.
fn sharing(parts: usize) -> String {
    let passing = "(instance (instantiate $passing (with \"take\" (func $taking \"take\"))))";
    PASSING_A_STRING.replacen(passing, &passing.repeat(parts), 1)
}

fn nested_type(depth: usize) -> String {
    let mut text = "(component (type $t0 (list u8))".to_owned();
    for number in 1..depth {
        let _ = write!(text, "(type $t{number} (list $t{}))", number - 1);
    }
    text + ")"
}

fn doubling_type(times: usize) -> String {
    let mut text = "(component (type $t0 (tuple u8 u8))".to_owned();
    for number in 1..times {
        let before = number - 1;
        let _ = write!(text, "(type $t{number} (tuple $t{before} $t{before}))");
    }
    text + ")"
}

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

fn leb128(bytes: &mut Vec<u8>, number: usize) {
    number.encode(bytes);
}

/// Each of them, for those who count.
pub(crate) fn all() -> impl Iterator<Item = &'static Stranger> {
    [FEATURES, BOMBS, SHAPES, BORDER, COMPOSED]
        .into_iter()
        .flatten()
}

/// What comes of a component: the error with its causes, or [`WORKS`].
pub(crate) async fn outcome(runtime: &Runtime, name: &str, wasm: Vec<u8>) -> String {
    let limits = Limits {
        configure_time: Duration::from_millis(500),
        prepare_time: Duration::from_millis(500),
        ..Limits::default()
    };
    let source = match runtime.load(name, ComponentBytes::Wasm(wasm), limits) {
        Ok(source) => source,
        Err(error) => return causes(&error),
    };
    if let Err(error) = source.configure(&volume(), &[]).await {
        return causes(&error);
    }
    let services = Arc::new(FakeServices::default());
    match source.prepare(&volume(), &[], services).await {
        Ok(_) => WORKS.to_owned(),
        Err(error) => causes(&error),
    }
}

fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_stranger_is_an_error_that_names_it_or_does_no_harm() {
    let runtime = runtime();
    let mut wrong = Vec::new();
    for (name, make, expected) in all() {
        let wasm = make();
        let began = Instant::now();
        let outcome = outcome(&runtime, name, wasm).await;
        println!("{:>6} ms  {name}: {outcome}", began.elapsed().as_millis());
        let is_named = *expected == WORKS || outcome.contains(&format!("source \"{name}\""));
        let is_clean = outcome.len() < 6000 && !outcome.contains(['\u{1b}', '\u{202e}']);
        if !is_named || !is_clean || !outcome.contains(expected) {
            wrong.push(format!("{name}: {outcome}, instead of {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
