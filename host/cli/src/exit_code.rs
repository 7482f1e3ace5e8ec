//! The one place where what went wrong becomes text for the user and an exit code for scripts.

use std::error::Error;
use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use lvhost_engine::{Secrets, with_causes};
use lvhost_hcl::is_unseen;
use serde::Serialize;

use crate::arguments::Audience;
use crate::input::InputError;
use crate::printer::Printer;
use crate::shown::continued;

/// The exit codes, for `--help`.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0    success
  1    a build or a check failed, or something lvhost needs does not work
  2    the command line or the template can't be used; no build was started
  130  cancelled by Ctrl-C or SIGTERM";

pub(crate) const SUCCESS: u8 = 0;
pub(crate) const FAILED: u8 = 1;
const NOT_USABLE: u8 = 2;
/// What a shell reports of a command that SIGINT has ended.
pub(crate) const CANCELLED: u8 = 130;

/// Why a command has not succeeded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// Something that was named on the command line or in the environment can't be used.
    #[error(transparent)]
    Input(#[from] InputError),
    /// There are errors in the template. They have been shown already.
    #[error("the template has {errors} error{}", if *errors == 1 { "" } else { "s" })]
    Template {
        /// How many.
        errors: usize,
    },
    /// There are sources that can't be used. Why has been shown already.
    #[error("the volume sources have {errors} error{}", if *errors == 1 { "" } else { "s" })]
    Sources {
        /// How many errors.
        errors: usize,
    },
    /// Builds failed. Why has been shown already.
    #[error("{failed} of {total} builds failed")]
    Builds {
        /// How many failed.
        failed: usize,
        /// How many there were.
        total: usize,
    },
    /// `lvhost doctor` has found what keeps builds from working. It has been shown already.
    #[error("{failed} of {total} checks failed")]
    Checks {
        /// How many failed.
        failed: usize,
        /// How many there were.
        total: usize,
    },
    /// The plan can't be carried out as things are. Why has been shown already.
    #[error("the plan can't be carried out: {problems} problem{}", if *problems == 1 { "" } else { "s" })]
    Plan {
        /// How many reasons there are.
        problems: usize,
    },
    /// Things of dead builds could not be removed. Why has been shown already.
    #[error("{left} thing{} could not be removed", if *left == 1 { "" } else { "s" })]
    NotClean {
        /// How many there are.
        left: usize,
    },
    /// The user stopped it.
    #[error("cancelled")]
    Cancelled,
    /// Something that lvhost itself needs does not work.
    #[error("{what}")]
    Unable {
        /// What: `the volume sources can't be loaded`.
        what: &'static str,
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

impl Failure {
    /// Something lvhost needs does not work.
    pub(crate) fn unable(
        what: &'static str,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self::Unable {
            what,
            source: source.into(),
        }
    }

    /// What the process ends with.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Input(_) | Self::Template { .. } | Self::Sources { .. } => NOT_USABLE,
            Self::Builds { .. }
            | Self::Checks { .. }
            | Self::Plan { .. }
            | Self::NotClean { .. }
            | Self::Unable { .. } => FAILED,
            Self::Cancelled => CANCELLED,
        }
    }

    /// Whether the command itself has shown why.
    fn is_told(&self) -> bool {
        !matches!(self, Self::Input(_) | Self::Unable { .. } | Self::Cancelled)
    }
}

/// A failure as the whole output of a command.
#[derive(Serialize)]
struct Problem {
    error: String,
    exit_code: u8,
}

/// Shows why, without `secrets`, and gives the exit code.
pub(crate) fn report(
    failure: &Failure,
    audience: Audience,
    printer: &Printer,
    secrets: &Secrets,
) -> u8 {
    let error = || secrets.mask(&with_causes(failure)).into_owned();
    match audience {
        // Of a single build there is nothing left to say: it has just been said.
        Audience::People if matches!(failure, Failure::Builds { total: 1, .. }) => {}
        Audience::People => printer.error(&error()),
        Audience::ReaderOfDocuments if failure.is_told() => {}
        Audience::ReaderOfDocuments => printer.json(&Problem {
            error: error(),
            exit_code: failure.code(),
        }),
        // The last event has said it.
        Audience::ReaderOfEvents => {}
    }
    failure.code()
}

/// Shows what clap has to say of the arguments: an error, or the help or version that was asked for.
pub(crate) fn report_arguments(
    answer: &clap::Error,
    arguments: impl Iterator<Item = OsString>,
) -> ExitCode {
    let is_error = answer.use_stderr();
    // Errors repeat arguments, and a shell's pattern makes arguments out of names of files.
    let mut arguments = arguments.map(|argument| argument.to_string_lossy().into_owned());
    let is_odd = is_error && arguments.any(|argument| argument.contains(is_unseen));
    // A reader that has gone away does not make the command line wrong.
    let _ = match is_odd {
        true => writeln!(
            std::io::stderr(),
            "{}",
            continued(&answer.render().to_string())
        ),
        false => answer.print(),
    };
    match is_error {
        true => ExitCode::from(NOT_USABLE),
        false => ExitCode::SUCCESS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_in_the_table() {
        let input = InputError::NoTemplates { folder: "x".into() };
        let failures = [
            Failure::Input(input),
            Failure::Template { errors: 1 },
            Failure::Sources { errors: 1 },
            Failure::Builds {
                failed: 1,
                total: 2,
            },
            Failure::Checks {
                failed: 1,
                total: 2,
            },
            Failure::Plan { problems: 1 },
            Failure::NotClean { left: 1 },
            Failure::Cancelled,
            Failure::unable("the clock can't be read", "it is broken"),
        ];
        for failure in failures {
            let row = format!("\n  {:<5}", failure.code());
            assert!(EXIT_CODES.contains(&row), "{failure}");
        }
    }

    #[test]
    fn programs_are_told_what_they_were_not_told_yet() {
        let cases = [
            (Failure::Cancelled, Audience::ReaderOfDocuments, {
                "{\"error\":\"cancelled\",\"exit_code\":130}\n"
            }),
            (
                Failure::Template { errors: 1 },
                Audience::ReaderOfDocuments,
                "",
            ),
            (Failure::Cancelled, Audience::ReaderOfEvents, ""),
            (Failure::Cancelled, Audience::People, ""),
        ];
        for (failure, audience, expected) in cases {
            let (printer, recorded) = Printer::for_test();
            report(&failure, audience, &printer, &Secrets::default());
            assert_eq!(recorded.results(), expected, "{failure}, {audience:?}");
        }
        let secrets = Secrets::default();
        secrets.add(["swordfish".into()]);
        for (audience, expected) in [
            (Audience::People, "error: it is broken: got <sensitive>\n"),
            (
                Audience::ReaderOfDocuments,
                "{\"error\":\"it is broken: got <sensitive>\",\"exit_code\":1}\n",
            ),
        ] {
            let failure = Failure::unable("it is broken", "got swordfish");
            let (printer, recorded) = Printer::for_test();
            report(&failure, audience, &printer, &secrets);
            assert_eq!(recorded.messages() + &recorded.results(), expected);
        }
    }
}
