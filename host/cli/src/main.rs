//! The `lvhost` command: builds virtual machine images on libvirt from Packer's templates.
//!
//! ```text
//!  arguments ─► template (read, evaluate, check) ─► validate: the verdict
//!                       │                        └► run: connect, build, sum up, one after another
//!      surroundings ────┘                                 │
//!                                          ui ◄───────────┘   (bars or plain lines)
//! ```
//! What goes wrong is turned into text and an exit code in one place, [`exit_code`].

#![forbid(unsafe_code)]

mod arguments;
mod components;
mod data_sources;
mod exit_code;
mod input;
mod logging;
mod printer;
mod run;
mod selection;
mod signals;
mod ssh_key;
mod summary;
mod surroundings;
mod template;
mod ui;
mod validate;

use std::process::ExitCode;

use crate::arguments::Command;
use crate::exit_code::Failure;
use crate::printer::Printer;
use crate::surroundings::Surroundings;

fn main() -> ExitCode {
    let arguments = match arguments::parse(std::env::args_os()) {
        Ok(arguments) => arguments,
        Err(answer) => return exit_code::report_arguments(&answer),
    };
    let surroundings = Surroundings::of_this_process();
    let printer = Printer::standard(arguments.color, &surroundings);
    let is_logging = logging::is_wanted(arguments.verbose, &surroundings);
    if is_logging {
        logging::start(arguments.verbose, &surroundings);
    }
    match execute(&arguments.command, is_logging, surroundings, &printer) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => exit_code::report(&failure, &printer),
    }
}

fn execute(
    command: &Command,
    is_logging: bool,
    surroundings: Surroundings,
    printer: &Printer,
) -> Result<(), Failure> {
    match command {
        Command::Run(template) => run::run(template, is_logging, surroundings, printer),
        Command::Validate(template) => validate::validate(template, surroundings, printer),
        Command::Version => {
            printer.result(concat!("lvhost ", env!("CARGO_PKG_VERSION")));
            Ok(())
        }
    }
}
