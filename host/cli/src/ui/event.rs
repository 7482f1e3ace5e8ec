//! What a run tells, as data. `lvhost run --json` writes it as it stands here, one event a line; the
//! text for people is made from the same events. The names are documented in `docs/json.md` and stay.

use lvhost_engine::{Artifact, Step, Stream};
use serde::Serialize;

use crate::findings::Finding;

/// Something that happened in a run. `build` is the name of one of its builds.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub(crate) enum Event<'a> {
    /// The run begins.
    RunStarted {
        /// lvhost's.
        version: &'static str,
        /// The names of what will be built.
        builds: &'a [String],
    },
    /// What is wrong with the template, or odd.
    Diagnostics {
        /// The build, if it only shows there.
        #[serde(skip_serializing_if = "Option::is_none")]
        build: Option<&'a str>,
        /// All that was found.
        diagnostics: Vec<Finding>,
        /// The same as text.
        #[serde(skip)]
        text: String,
    },
    /// A build begins.
    BuildStarted {
        build: &'a str,
        /// Unique; the domain's metadata has it too.
        build_id: String,
        /// The hypervisor, without a password.
        uri: &'a str,
    },
    /// A sentence for the user.
    Message {
        build: &'a str,
        level: Level,
        text: &'a str,
    },
    /// A line that a command printed, in the guest or here.
    Output {
        build: &'a str,
        stream: &'static str,
        line: &'a str,
    },
    /// A step is over, whether it worked or not.
    StepFinished {
        build: &'a str,
        #[serde(flatten)]
        step: &'a StepTime,
    },
    /// Bytes begin to move.
    TransferStarted {
        build: &'a str,
        /// Tells the transfers of a run apart.
        transfer: u64,
        name: &'a str,
        /// Bytes, once that is known.
        total: Option<u64>,
    },
    /// Bytes have moved.
    TransferProgress {
        build: &'a str,
        transfer: u64,
        position: u64,
        total: Option<u64>,
    },
    /// Bytes move no longer.
    TransferFinished {
        build: &'a str,
        transfer: u64,
        position: u64,
        seconds: f64,
        /// Whether all of them are there.
        complete: bool,
    },
    /// Something could not be removed.
    Leftover {
        build: &'a str,
        uri: &'a str,
        what: String,
        reason: String,
        /// What removes it.
        command: String,
    },
    /// Something of a failed build stays, because `--on-error` says so.
    Kept {
        build: &'a str,
        uri: &'a str,
        what: String,
        /// What removes it.
        command: String,
    },
    /// A build is over.
    BuildFinished {
        build: &'a str,
        result: BuildResult,
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<String>,
        seconds: f64,
        steps: &'a [StepTime],
        #[serde(skip_serializing_if = "Option::is_none")]
        artifact: Option<ArtifactFacts>,
    },
    /// The user wants the run to end; the builds clean up.
    Cancelling {
        /// What is said of it.
        #[serde(skip)]
        text: &'static str,
    },
    /// The run is over; nothing follows.
    RunFinished {
        /// What the process ends with.
        exit_code: u8,
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
}

/// How a message is meant.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    Info,
    Warning,
    Error,
}

/// How a build ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum BuildResult {
    Succeeded,
    Failed,
    Cancelled,
}

/// How long a step took.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct StepTime {
    /// Its name.
    #[serde(rename = "step", serialize_with = "with_dashes")]
    pub(crate) name: &'static str,
    /// Its length.
    pub(crate) seconds: f64,
    /// Whether the time is the guest's own.
    pub(crate) is_guests_own: bool,
}

impl StepTime {
    /// Of a step of the engine.
    pub(crate) fn of(step: Step, time: std::time::Duration) -> Self {
        Self {
            name: step.as_str(),
            seconds: time.as_secs_f64(),
            is_guests_own: step.is_guests_own(),
        }
    }

    /// The time until libvirt answers, which is before the engine begins.
    pub(crate) fn of_connecting(time: std::time::Duration) -> Self {
        Self {
            name: "connect to libvirt",
            seconds: time.as_secs_f64(),
            is_guests_own: false,
        }
    }
}

fn with_dashes<S: serde::Serializer>(name: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&name.replace(' ', "-"))
}

/// Where an artifact is and how big.
#[derive(Debug, Serialize)]
pub(crate) struct ArtifactFacts {
    pub(crate) pool: String,
    pub(crate) volume: String,
    pub(crate) path: String,
    /// Bytes a guest sees.
    pub(crate) capacity: u64,
    /// Bytes it takes up.
    pub(crate) allocation: u64,
    pub(crate) format: String,
}

impl ArtifactFacts {
    /// Those of `artifact`, each text as `masked` lets it be shown.
    pub(crate) fn new(artifact: &Artifact, masked: impl Fn(&str) -> String) -> Self {
        Self {
            pool: masked(&artifact.volume.pool),
            volume: masked(&artifact.volume.name),
            path: masked(&artifact.facts.path),
            capacity: artifact.facts.capacity,
            allocation: artifact.facts.allocation,
            format: artifact.format.clone(),
        }
    }
}

impl<'a> Event<'a> {
    /// Of a line that a command printed.
    pub(crate) fn output(build: &'a str, stream: Stream, line: &'a str) -> Self {
        Self::Output {
            build,
            stream: match stream {
                Stream::Stdout => "stdout",
                Stream::Stderr => "stderr",
            },
            line,
        }
    }
}
