//! What is big, deep or many.

use std::fmt::Write as _;

use wasm_encoder::{
    BlockType, CodeSection, Component, ComponentImportSection, ComponentTypeRef,
    ComponentTypeSection, DataSection, Encode, Function, FunctionSection, Instruction, Module,
    ModuleSection, PrimitiveValType, TypeSection, ValType,
};

use super::composed::sharing;
use super::{Stranger, WORKS, around, importing};
use crate::made::{containing_bytes, nested, smallest, with_custom};

/// What is big, deep or many.
pub(super) const BOMBS: &[Stranger] = &[
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
        "has two thousand types of a resource, nine hundred times",
        || around(&types_of_a_resource(2000, 900)),
        "MiB of types",
    ),
    (
        "has a thousand of them, thirty times",
        || around(&types_of_a_resource(1000, 30)),
        WORKS,
    ),
    (
        "has a megabyte of types in a component that is used by turns",
        || {
            let types = "(type (tuple u8 u16 u32 u64))".repeat(150_000);
            let used = "(instance (instantiate $c))".repeat(10);
            around(&format!("(component (component $c {types}) {used})"))
        },
        "MiB of types",
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
        "is as big as an interpreter, and asks for the network",
        || interpreter("wasi:http/outgoing-handler@0.2.6"),
        "asks for wasi:http/outgoing-handler@0.2.6",
    ),
    (
        "has a function of 49,000 locals and 300,000 blocks",
        || containing_module(&functions(&[blocks(49_000, 300_000)])),
        "49001 locals in 300001 blocks",
    ),
    (
        "has fifty functions of 4,900 locals and 4,000 blocks",
        || {
            let function = blocks(4_900, 4_000);
            containing_module(&functions(&vec![function; 50]))
        },
        "the locals of its functions times their blocks",
    ),
    (
        "has 20,000 loops within each other",
        || containing_module(&functions(&[loops(20_000)])),
        "it has 1001 loops within each other in one of its functions",
    ),
    (
        "has a thousand loops within each other",
        || containing_module(&functions(&[loops(1000)])),
        WORKS,
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

/// A source of 20 MB of functions that imports `name`.
pub(crate) fn interpreter(name: &str) -> Vec<u8> {
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

/// The smallest source with a module in it that nothing instantiates, but that is compiled.
fn containing_module(module: &Module) -> Vec<u8> {
    let mut inner = Component::new();
    inner.section(&ModuleSection(module));
    containing_bytes(&smallest(), &inner.finish())
}

/// A module of these functions, without parameters and results.
fn functions(bodies: &[Function]) -> Module {
    let mut types = TypeSection::new();
    types.ty().function([], []);
    let mut functions = FunctionSection::new();
    let mut code = CodeSection::new();
    for body in bodies {
        functions.function(0);
        code.function(body);
    }
    let mut module = Module::new();
    module.section(&types).section(&functions).section(&code);
    module
}

/// A function with so many locals and blocks.
fn blocks(locals: u32, blocks: u32) -> Function {
    let mut function = Function::new([(locals, ValType::I32)]);
    for _ in 0..blocks {
        function.instruction(&Instruction::Block(BlockType::Empty));
        function.instruction(&Instruction::End);
    }
    function.instruction(&Instruction::End);
    function
}

/// A function of loops within each other, each of which may go on: seven bytes for each.
fn loops(depth: u32) -> Function {
    let mut function = Function::new([(1, ValType::I32)]);
    for _ in 0..depth {
        function.instruction(&Instruction::Loop(BlockType::Empty));
    }
    for _ in 0..depth {
        function.instruction(&Instruction::LocalGet(0));
        function.instruction(&Instruction::BrIf(0));
        function.instruction(&Instruction::End);
    }
    function.instruction(&Instruction::End);
    function
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

/// A component with types that name a resource, which all are different ones for each resource.
fn types_of_a_resource(types: usize, instances: usize) -> String {
    let mut text = r#"(component (component $c (import "r" (type $r (sub resource)))"#.to_owned();
    for number in 0..types {
        let _ = write!(
            text,
            r#"(type $t{number} (tuple (own $r) (option (own $r))))
            (export "e{number}" (type $t{number}))"#
        );
    }
    text += ") (type $thing (resource (rep i32)))";
    text += &r#"(instance (instantiate $c (with "r" (type $thing))))"#.repeat(instances);
    text + ")"
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

fn leb128(bytes: &mut Vec<u8>, number: usize) {
    number.encode(bytes);
}
