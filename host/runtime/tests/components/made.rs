//! Components that no compiler would make, put together part by part: a smallest volume source whose
//! module and whose surroundings can be anything.

use std::sync::LazyLock;

use wasm_encoder::{
    Component, ComponentInstanceSection, ComponentSection, ComponentSectionId, CustomSection,
    RawSection,
};
use wasmparser::{ComponentExternalKind, Parser, Payload};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{PackageId, Resolve};

/// A module in WebAssembly's text, that wit-component makes a volume source of. Without changes it is
/// one: of the type `made`, content with everything, and always for an empty volume.
#[derive(Clone)]
pub(crate) struct Made {
    /// The memory.
    pub(crate) memory: &'static str,
    /// More of the module.
    pub(crate) items: String,
    /// What `describe` does. At 32 lies an answer.
    pub(crate) describe: &'static str,
    /// What `configure` does with its parameter `$asked`. At 1024 lies an answer.
    pub(crate) configure: &'static str,
    /// What `prepare` does with its parameter `$asked`. At 1024 lies an answer.
    pub(crate) prepare: &'static str,
    /// What the host asks for memory: `$old`, `$old_size`, `$align` and `$size`.
    pub(crate) realloc: &'static str,
    /// How it writes strings.
    pub(crate) strings: StringEncoding,
    /// More of what it imports, in WIT: packages, and lines of the world.
    pub(crate) packages: &'static str,
    pub(crate) world: &'static str,
}

impl Default for Made {
    fn default() -> Self {
        Self {
            memory: r#"(memory (export "memory") 1)"#,
            items: String::new(),
            describe: "i32.const 32",
            configure: "i32.const 1024",
            prepare: "i32.const 1024",
            // Aligned, and beginning anew when a page is full.
            realloc: "
                (local $at i32)
                (local.set $at (i32.and
                    (i32.add (global.get $free) (i32.sub (local.get $align) (i32.const 1)))
                    (i32.sub (i32.const 0) (local.get $align))))
                (global.set $free (i32.add (local.get $at) (local.get $size)))
                local.get $at",
            strings: StringEncoding::UTF8,
            packages: "",
            world: "",
        }
    }
}

/// The answer of `describe`: a type and a summary, no other names and no options.
const DESCRIPTION: &str = r#"
    (data (i32.const 16) "made")
    (data (i32.const 32) "\10\00\00\00\04\00\00\00\00\00\00\00\00\00\00\00")
    (data (i32.const 48) "\10\00\00\00\04\00\00\00\00\00\00\00\00\00\00\00")"#;

impl Made {
    pub(crate) fn module(&self) -> String {
        let Self {
            memory,
            items,
            describe,
            configure,
            prepare,
            realloc,
            ..
        } = self;
        format!(
            r#"(module
                {items}
                {memory}
                {DESCRIPTION}
                (global $free (mut i32) (i32.const 4096))
                (func $realloc (export "cabi_realloc")
                    (param $old i32) (param $old_size i32) (param $align i32) (param $size i32)
                    (result i32)
                    {realloc})
                (func $describe (export "lvhost:source/source@0.1.0#describe") (result i32)
                    {describe})
                (func $configure (export "lvhost:source/source@0.1.0#configure")
                    (param $asked i32) (result i32)
                    {configure})
                (func $prepare (export "lvhost:source/source@0.1.0#prepare")
                    (param $asked i32) (result i32)
                    {prepare}))"#
        )
    }

    pub(crate) fn component(&self) -> Vec<u8> {
        let mut module = wat::parse_str(self.module()).expect("a module's text");
        static CONTRACT: LazyLock<(Resolve, PackageId)> = LazyLock::new(|| {
            let mut resolve = Resolve::default();
            let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../wit/v0.1");
            let (package, _) = resolve.push_dir(folder).expect("the contract");
            (resolve, package)
        });
        let (mut resolve, package) = CONTRACT.clone();
        let text = format!(
            "package made:made;\n{}\nworld made {{ include lvhost:source/volume-source@0.1.0; {} }}",
            self.packages, self.world
        );
        let made = resolve.push_str("made.wit", &text).expect("a world");
        let world = resolve
            .select_world(&[package, made], Some("made:made/made"))
            .expect("the world");
        embed_component_metadata(&mut module, &resolve, world, self.strings).expect("embedded");
        // Whether it is valid is for lvhost to say.
        let encoder = ComponentEncoder::default().validate(false);
        let mut encoder = encoder.module(&module).expect("a module for the world");
        encoder.encode().expect("a component")
    }
}

/// The smallest volume source.
pub(crate) fn smallest() -> Vec<u8> {
    static SMALLEST: LazyLock<Vec<u8>> = LazyLock::new(|| Made::default().component());
    SMALLEST.clone()
}

/// `around`, with a component in it, given as text, that is instantiated with it.
pub(crate) fn containing(around: &[u8], component: &str) -> Vec<u8> {
    let inner = wat::parse_str(component).expect("a component's text");
    containing_bytes(around, &inner)
}

/// `around`, with a component in it that is instantiated with it.
pub(crate) fn containing_bytes(around: &[u8], inner: &[u8]) -> Vec<u8> {
    let mut instances = ComponentInstanceSection::new();
    let none: [(&str, wasm_encoder::ComponentExportKind, u32); 0] = [];
    instances.instantiate(components_of(around), none);
    let mut made = holding_bytes(around, inner);
    instances.append_to_component(&mut made);
    made
}

/// `around`, with a component in it that nobody instantiates.
pub(crate) fn holding_bytes(around: &[u8], inner: &[u8]) -> Vec<u8> {
    let mut made = around.to_vec();
    // Sections follow each other: what is added at the end is a part like those before.
    RawSection {
        id: ComponentSectionId::Component.into(),
        data: inner,
    }
    .append_to_component(&mut made);
    made
}

/// `around`, and a custom section.
pub(crate) fn with_custom(around: &[u8], name: &str, data: &[u8]) -> Vec<u8> {
    let mut made = around.to_vec();
    CustomSection {
        name: name.into(),
        data: data.into(),
    }
    .append_to_component(&mut made);
    made
}

/// How many components of its own a component can name.
fn components_of(wasm: &[u8]) -> u32 {
    let mut depth = 0;
    let mut count = 0;
    for payload in Parser::new(0).parse_all(wasm) {
        match payload.expect("a component") {
            Payload::ComponentSection { .. } => {
                count += u32::from(depth == 1);
            }
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            Payload::ComponentExportSection(exports) if depth == 1 => {
                for export in exports {
                    let kind = export.expect("an export").kind;
                    count += u32::from(kind == ComponentExternalKind::Component);
                }
            }
            _ => {}
        }
    }
    count
}

/// A component of nothing but `inner`, within each other `depth` times.
pub(crate) fn nested(depth: usize) -> Vec<u8> {
    let mut wasm = Component::new().finish();
    for _ in 0..depth {
        let mut around = Component::new();
        around.section(&RawSection {
            id: ComponentSectionId::Component.into(),
            data: &wasm,
        });
        wasm = around.finish();
    }
    wasm
}

/// How many types of its own a component can name.
pub(crate) fn types_of(wasm: &[u8]) -> u32 {
    let mut validator = wasmparser::Validator::new();
    let types = validator.validate_all(wasm).expect("a component");
    types.as_ref().component_type_count()
}
