//! Why a child did not do what it was started for, as errors of loading and of calling a component.

use std::io;

use super::frame::Refusal;
use crate::contract;
use crate::error::{Fault, LoadError};
use crate::limits;
use crate::untrusted;

/// Why a child did not do what it was started for.
pub(crate) enum Failure {
    NoProcess(io::Error),
    Refused(Refusal),
    Fault(Fault),
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl Failure {
    /// As an error of loading the component called `name`.
    pub(crate) fn in_load(self, name: &str) -> LoadError {
        let component = name.to_owned();
        match self {
            Self::NoProcess(source) => LoadError::NoProcess { component, source },
            Self::Fault(fault) => LoadError::NotCompiled {
                component,
                reason: match fault {
                    Fault::TimedOut { limit } => format!(
                        "that takes more than {} s of processor time, which is too much for what \
                         has to be compiled",
                        limit.as_secs_f64()
                    ),
                    Fault::ProcessEnded(how) => how,
                    fault => format!("it {fault}"),
                },
            },
            Self::Refused(refusal) => {
                // A child's words are the component's.
                let text = |text: String| untrusted::text(&text, limits::SUMMARY);
                match refusal {
                    Refusal::Invalid(source) => LoadError::Invalid {
                        component,
                        source: source.cleaned(),
                    },
                    Refusal::TooMuch(reason) => LoadError::NotCompiled {
                        component,
                        reason: text(reason),
                    },
                    Refusal::ForbiddenImport(import) => LoadError::ForbiddenImport {
                        component,
                        import: text(import),
                    },
                    Refusal::Version(found) => LoadError::Version {
                        component,
                        found: text(found),
                        offered: contract::OFFERED,
                    },
                    Refusal::MissingExport { export, is_command } => LoadError::MissingExport {
                        component,
                        export: text(export),
                        is_command,
                    },
                    Refusal::CoreModule(module) => LoadError::CoreModule { component, module },
                    Refusal::Mismatch(source) => LoadError::Mismatch {
                        component,
                        offered: contract::OFFERED,
                        source: source.cleaned(),
                    },
                }
            }
        }
    }

    /// As a fault of a call.
    pub(crate) fn in_call(self) -> Fault {
        match self {
            Self::NoProcess(error) => {
                Fault::NotLoaded(format!("a process for it can't be started: {error}"))
            }
            Self::Refused(_) => {
                Fault::NotLoaded("a second process refused what the first had taken".to_owned())
            }
            Self::Fault(fault) => fault,
        }
    }
}
