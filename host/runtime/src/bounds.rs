//! How big a component's parts may be, looked at before anything of it is compiled. The compiler's time
//! and memory grow faster than the component in some of them: a function's locals times its blocks, for
//! one.

use wasmparser::{Operator, Parser, Payload};

/// Functions with a body. An interpreter of Python has some 20,000.
const FUNCTIONS: usize = 100_000;

/// Bytes of a function's body. The biggest of the interpreters of JavaScript and Python have 0.2 MiB.
const BODY: usize = 2 << 20;

/// Locals times blocks of a function: the compiler keeps track of each local in each block. The main
/// loop of an interpreter has some hundreds of locals in some thousands of blocks.
const LOCALS_IN_BLOCKS: u64 = 20_000_000;

/// Loops within each other in a function. The compiler looks at each loop's blocks once for each loop
/// around it: 20,000 keep it busy for minutes. No program comes near a hundred.
const NESTED_LOOPS: usize = 1000;

/// Locals times blocks, for all functions of a component.
const ALL_LOCALS_IN_BLOCKS: u64 = 400_000_000;

/// Modules, and components within each other. One for each language's runtime and adapter, and for each
/// part of a composed component.
const MODULES: usize = 200;

/// Types, imports, exports, aliases, instances and such, of all modules and components.
const ITEMS: u64 = 500_000;

/// Memories, tables, globals and segments of data or elements.
const SEGMENTS: u64 = 200_000;

/// Why a component is not compiled.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Error {
    /// It is none.
    Invalid(String),
    /// There is too much of something in it.
    TooMuch(String),
}

impl From<wasmparser::BinaryReaderError> for Error {
    fn from(error: wasmparser::BinaryReaderError) -> Self {
        Self::Invalid(error.to_string())
    }
}

#[derive(Default)]
struct Counted {
    functions: usize,
    modules: usize,
    locals_in_blocks: u64,
    items: u64,
    segments: u64,
}

/// Where in a function's blocks an operator stands.
#[derive(Default)]
struct Nesting {
    /// Of each block around it, whether it is a loop.
    around: Vec<bool>,
    /// How many of them are.
    loops: usize,
}

impl Nesting {
    fn enter(&mut self, operator: &Operator<'_>) {
        match operator {
            Operator::Loop { .. } => {
                self.around.push(true);
                self.loops += 1;
            }
            Operator::Block { .. } | Operator::If { .. } | Operator::TryTable { .. } => {
                self.around.push(false);
            }
            // The last one ends the function.
            Operator::End => self.loops -= usize::from(self.around.pop() == Some(true)),
            _ => {}
        }
    }
}

fn too_much(what: &str, count: impl std::fmt::Display, most: impl std::fmt::Display) -> Error {
    Error::TooMuch(format!("it has {count} {what}; at most {most} are allowed"))
}

/// Counts what is in a component.
pub(crate) fn check(wasm: &[u8]) -> Result<(), Error> {
    let mut counted = Counted::default();
    for payload in Parser::new(0).parse_all(wasm) {
        counted.count(&payload?)?;
    }
    Ok(())
}

impl Counted {
    fn count(&mut self, payload: &Payload<'_>) -> Result<(), Error> {
        match payload {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => {
                self.modules += 1;
                if self.modules > MODULES {
                    return Err(too_much("modules and components", self.modules, MODULES));
                }
            }
            Payload::CodeSectionEntry(body) => self.function(body)?,
            Payload::MemorySection(section) => self.segments(section.count())?,
            Payload::TableSection(section) => self.segments(section.count())?,
            Payload::GlobalSection(section) => self.segments(section.count())?,
            Payload::DataSection(section) => self.segments(section.count())?,
            Payload::ElementSection(section) => self.segments(section.count())?,
            Payload::TypeSection(section) => self.items(section.count())?,
            Payload::ImportSection(section) => self.items(section.count())?,
            Payload::ExportSection(section) => self.items(section.count())?,
            Payload::InstanceSection(section) => self.items(section.count())?,
            Payload::CoreTypeSection(section) => self.items(section.count())?,
            Payload::ComponentInstanceSection(section) => self.items(section.count())?,
            Payload::ComponentAliasSection(section) => self.items(section.count())?,
            Payload::ComponentTypeSection(section) => self.items(section.count())?,
            Payload::ComponentCanonicalSection(section) => self.items(section.count())?,
            Payload::ComponentImportSection(section) => self.items(section.count())?,
            Payload::ComponentExportSection(section) => self.items(section.count())?,
            _ => {}
        }
        Ok(())
    }

    fn items(&mut self, count: u32) -> Result<(), Error> {
        self.items += u64::from(count);
        if self.items > ITEMS {
            return Err(too_much("types, imports and exports", self.items, ITEMS));
        }
        Ok(())
    }

    fn segments(&mut self, count: u32) -> Result<(), Error> {
        self.segments += u64::from(count);
        if self.segments > SEGMENTS {
            let what = "memories, tables, globals and segments";
            return Err(too_much(what, self.segments, SEGMENTS));
        }
        Ok(())
    }

    fn function(&mut self, body: &wasmparser::FunctionBody<'_>) -> Result<(), Error> {
        self.functions += 1;
        if self.functions > FUNCTIONS {
            return Err(too_much("functions", self.functions, FUNCTIONS));
        }
        let bytes = body.range().len();
        if bytes > BODY {
            let what = "bytes in one of its functions";
            return Err(too_much(what, bytes, BODY));
        }
        let mut locals: u64 = 1;
        for group in body.get_locals_reader()? {
            locals = locals.saturating_add(u64::from(group?.0));
        }
        let mut blocks: u64 = 1;
        let mut nesting = Nesting::default();
        let mut operators = body.get_operators_reader()?;
        while !operators.eof() {
            let operator = operators.read()?;
            nesting.enter(&operator);
            if nesting.loops > NESTED_LOOPS {
                let what = "loops within each other in one of its functions";
                return Err(too_much(what, nesting.loops, NESTED_LOOPS));
            }
            blocks += match operator {
                Operator::Block { .. }
                | Operator::Loop { .. }
                | Operator::If { .. }
                | Operator::Else
                | Operator::Br { .. }
                | Operator::BrIf { .. }
                | Operator::Return
                | Operator::Unreachable => 1,
                Operator::BrTable { targets } => 1 + u64::from(targets.len()),
                _ => 0,
            };
        }
        let product = locals.saturating_mul(blocks);
        if product > LOCALS_IN_BLOCKS {
            return Err(Error::TooMuch(format!(
                "one of its functions has {locals} locals in {blocks} blocks, and their product may \
                 be {LOCALS_IN_BLOCKS} at most"
            )));
        }
        self.locals_in_blocks = self.locals_in_blocks.saturating_add(product);
        if self.locals_in_blocks > ALL_LOCALS_IN_BLOCKS {
            return Err(Error::TooMuch(format!(
                "the locals of its functions times their blocks are {} in all; at most \
                 {ALL_LOCALS_IN_BLOCKS} are allowed",
                self.locals_in_blocks
            )));
        }
        Ok(())
    }
}
