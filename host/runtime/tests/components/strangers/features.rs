//! What WebAssembly has, and a component may not use.

use super::{Stranger, around};

/// What WebAssembly has, and a component may not use.
pub(super) const FEATURES: &[Stranger] = &[
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
