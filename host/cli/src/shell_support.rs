//! What makes the command at home in a shell: completions and manual pages, both made from the very
//! definition of the command line.

use std::fs;
use std::path::Path;

use clap::CommandFactory;
use clap_complete::aot::{self, Generator};
use clap_mangen::Man;

use crate::arguments::{Arguments, Shell};
use crate::exit_code::Failure;
use crate::printer::Printer;

/// Prints the script that completes commands and options in `shell`.
///
/// # Errors
/// When the script can't be made.
pub(crate) fn completions(shell: Shell, printer: &Printer) -> Result<(), Failure> {
    let script = match shell {
        Shell::Bash => script(aot::Bash),
        Shell::Fish => script(aot::Fish),
        Shell::Zsh => script(aot::Zsh),
    };
    let script = script.map_err(|error| Failure::unable("the script can't be made", error))?;
    printer.own(script.trim_end());
    Ok(())
}

fn script(generator: impl Generator) -> std::io::Result<String> {
    let mut command = Arguments::command();
    command.set_bin_name("lvhost");
    command.build();
    let mut script = Vec::new();
    generator.try_generate(&command, &mut script)?;
    Ok(String::from_utf8_lossy(&script).into_owned())
}

/// Prints the manual page, or writes those of all commands into `folder`.
///
/// # Errors
/// When a page can't be written.
pub(crate) fn man(folder: Option<&Path>, printer: &Printer) -> Result<(), Failure> {
    let unable = |error| Failure::unable("the manual can't be written", error);
    match folder {
        Some(folder) => {
            fs::create_dir_all(folder).map_err(unable)?;
            clap_mangen::generate_to(Arguments::command(), folder).map_err(unable)?;
            printer.result(&format!("The manual is in {}.", folder.display()));
        }
        None => {
            let mut command = Arguments::command();
            command.build();
            let mut page = Vec::new();
            Man::new(command).render(&mut page).map_err(unable)?;
            printer.own(String::from_utf8_lossy(&page).trim_end());
        }
    }
    Ok(())
}
