//! Two programs that drive the same engine: the command `lvhost`, which builds virtual machine images on
//! libvirt from Packer's templates, and [`packer_plugin`], which does it for Packer itself.
//!
//! ```text
//!  arguments ─► template: read, evaluate, check ─┬► validate: the verdict
//!                       │                        ├► plan:     what a build would do
//!      surroundings ────┘                        └► run ─► build, one for each source ─► ui
//!                                                                    (bars, lines or JSON)
//!  hypervisor alone ─► doctor: can it build?   clean: what dead builds left
//! ```
//! What goes wrong with the command is turned into text and an exit code in one place, [`exit_code`].

#![forbid(unsafe_code)]

mod allowed_uris;
mod arguments;
mod async_runtime;
mod build;
mod cache;
mod clean;
mod components;
mod data_sources;
mod doctor;
mod downloads;
mod exit_code;
mod findings;
mod input;
mod interpolation;
mod local_paths;
mod logging;
mod logs;
mod packer_plugin;
mod plan;
mod printer;
mod project;
mod run;
mod selection;
mod shell_support;
mod shown;
mod signals;
mod sources;
mod ssh_key;
mod surroundings;
mod template;
mod third_party;
mod ui;
mod unlisted;
mod validate;
mod watched_console;

use std::process::ExitCode;

use crate::arguments::Command;
use crate::exit_code::Failure;
use crate::printer::Printer;
use crate::surroundings::Surroundings;

pub use crate::packer_plugin::packer_plugin;

/// The command `lvhost`, with the arguments, the environment and the streams of this process. Returns only
/// where no command was begun, and ends the process else.
pub fn lvhost() -> ExitCode {
    if let Some(ended) = lvhost_runtime::child::serve_if_asked() {
        return ended;
    }
    let arguments = match arguments::parse(std::env::args_os()) {
        Ok(arguments) => arguments,
        Err(answer) => return exit_code::report_arguments(&answer, std::env::args_os()),
    };
    let surroundings = Surroundings::of_this_process();
    let printer = Printer::standard(arguments.color, &surroundings);
    let is_logging = logging::is_wanted(arguments.verbose, &surroundings);
    if is_logging {
        logging::start(arguments.verbose, &surroundings);
    }
    let secrets = surroundings.secrets.clone();
    let code = match execute(&arguments.command, is_logging, surroundings, &printer) {
        Ok(()) => exit_code::SUCCESS,
        Err(failure) => {
            let audience = arguments.command.audience();
            exit_code::report(&failure, audience, &printer, &secrets)
        }
    };
    lvhost_libvirt::end_process(code)
}

fn execute(
    command: &Command,
    is_logging: bool,
    surroundings: Surroundings,
    printer: &Printer,
) -> Result<(), Failure> {
    match command {
        Command::Run(run) => run::run(run, is_logging, surroundings, printer),
        Command::Validate(validate) => validate::validate(validate, surroundings, printer),
        Command::Plan(plan) => plan::plan(plan, surroundings, printer),
        Command::Doctor(doctor) => doctor::doctor(doctor, printer),
        Command::Clean(clean) => clean::clean(clean, printer),
        Command::Sources(sources) => sources::sources(sources, surroundings, printer),
        Command::Cache(command) => cache::cache(command, &surroundings, printer),
        Command::Completions { shell } => shell_support::completions(*shell, printer),
        Command::Man { output } => shell_support::man(output.as_deref(), printer),
        Command::Version => {
            printer.result(concat!("lvhost ", env!("CARGO_PKG_VERSION")));
            Ok(())
        }
    }
}
