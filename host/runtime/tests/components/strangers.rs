//! Components that no honest compiler makes, from the bytes on: what the engine is not meant for, what
//! grows when it is read, and what breaks the rules of the border between component and host. Each is
//! an error that names it, or does no harm.

mod bombs;
mod border;
mod composed;
mod features;
mod shapes;
mod wasi;

use std::error::Error;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lvhost_runtime::{ComponentBytes, Limits, Runtime};
use wasm_encoder::{
    ComponentImportSection, ComponentSection, ComponentTypeRef, ComponentTypeSection, InstanceType,
};

use self::bombs::BOMBS;
pub(crate) use self::bombs::interpreter;
use self::border::BORDER;
use self::composed::COMPOSED;
use self::features::FEATURES;
use self::shapes::SHAPES;
use self::wasi::WASI;
use crate::made::{Made, containing, smallest, types_of};
use crate::support::{FakeServices, runtime, volume};

/// A component, and what comes of it: a part of the error with its causes, or [`WORKS`].
pub(crate) type Stranger = (&'static str, fn() -> Vec<u8>, &'static str);

/// It is loaded and called, and nothing comes of it.
pub(crate) const WORKS: &str = "works";

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

/// Each of them, for those who count.
pub(crate) fn all() -> impl Iterator<Item = &'static Stranger> {
    [FEATURES, BOMBS, SHAPES, BORDER, WASI, COMPOSED]
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

pub(crate) fn causes(error: &dyn Error) -> String {
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
