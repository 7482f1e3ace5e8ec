//! `lvhost validate`.

use std::sync::Arc;

use crate::arguments::Template;
use crate::components;
use crate::data_sources::BuiltIn;
use crate::exit_code::Failure;
use crate::printer::Printer;
use crate::surroundings::Surroundings;
use crate::template::Loaded;

/// Checks a template as far as that is possible without touching anything, and says so.
///
/// # Errors
/// See [`Failure`].
pub(crate) fn validate(
    arguments: &Template,
    surroundings: Surroundings,
    printer: &Printer,
) -> Result<(), Failure> {
    let surroundings = Arc::new(surroundings);
    let loaded = Loaded::read(arguments, &surroundings, &BuiltIn::CheckOnly, printer)?;
    let sources = components::load(&surroundings)?;
    // One thread is enough to ask components, and quicker to start than several.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .map_err(|error| Failure::unable("the asynchronous runtime can't be started", error))?;
    runtime.block_on(loaded.check(&sources, printer))?;
    printer.result("The configuration is valid.");
    Ok(())
}
