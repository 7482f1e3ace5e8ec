//! The one place where what went wrong becomes text for the user and an exit code for scripts.

use std::error::Error;
use std::process::ExitCode;

use crate::input::InputError;
use crate::printer::Printer;

/// The exit codes, for `--help`.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0    success
  1    a build failed, or something lvhost needs does not work
  2    the command line or the template can't be used; no build was started
  130  cancelled by Ctrl-C or SIGTERM";

const FAILED: u8 = 1;
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
    /// Builds failed. Why has been shown already.
    #[error("{failed} of {total} builds failed")]
    Builds {
        /// How many failed.
        failed: usize,
        /// How many there were.
        total: usize,
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

    fn code(&self) -> u8 {
        match self {
            Self::Input(_) | Self::Template { .. } => NOT_USABLE,
            Self::Builds { .. } | Self::Unable { .. } => FAILED,
            Self::Cancelled => CANCELLED,
        }
    }
}

/// Shows why, and gives the exit code.
pub(crate) fn report(failure: &Failure, printer: &Printer) -> ExitCode {
    // Of a single build there is nothing left to say: it has just been said.
    if !matches!(failure, Failure::Builds { total: 1, .. }) {
        printer.error(&with_causes(failure));
    }
    ExitCode::from(failure.code())
}

/// Shows what clap has to say: an error, or the help or version that was asked for.
pub(crate) fn report_arguments(answer: &clap::Error) -> ExitCode {
    // A reader that has gone away does not make the command line wrong.
    let _ = answer.print();
    if answer.use_stderr() {
        ExitCode::from(NOT_USABLE)
    } else {
        ExitCode::SUCCESS
    }
}

/// An error with everything behind it: `what failed: why: why that`.
pub(crate) fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        // Transparent errors repeat what they wrap.
        if !text.ends_with(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = error.source();
    }
    text
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
            Failure::Builds {
                failed: 1,
                total: 2,
            },
            Failure::Cancelled,
            Failure::unable("the clock can't be read", "it is broken"),
        ];
        for failure in failures {
            let row = format!("\n  {:<5}", failure.code());
            assert!(EXIT_CODES.contains(&row), "{failure}");
        }
    }

    #[test]
    fn causes_are_told_once() {
        let inner = std::io::Error::other("no space");
        let failure = Failure::unable("the file can't be written", inner);
        assert_eq!(with_causes(&failure), "the file can't be written: no space");
    }
}
