//! The only way out of the engine: what the user gets to see, and the questions it asks.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

/// A part of a build that is timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// Names, pools, networks and volumes are looked at; what is in the way is removed if that was asked for.
    Check,
    /// The domain is defined, and the volumes get their bytes.
    Volumes,
    /// The HTTP server begins to listen; the domain gets its disks and is started.
    Start,
    /// The `boot_command` is typed.
    BootCommand,
    /// The guest boots: until its address is known and it lets us in.
    Connect,
    /// The provisioners run.
    Provision,
    /// The guest shuts down.
    ShutDown,
    /// The artifact is copied to this machine.
    Download,
    /// What the build made, except the artifact, is removed.
    CleanUp,
}

impl Step {
    /// What the summary of a build calls it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::Volumes => "volumes",
            Self::Start => "start",
            Self::BootCommand => "boot command",
            Self::Connect => "boot and connect",
            Self::Provision => "provision",
            Self::ShutDown => "shut down",
            Self::Download => "download",
            Self::CleanUp => "clean up",
        }
    }

    /// Whether the time is the guest's own and not the engine's.
    pub fn is_guests_own(self) -> bool {
        matches!(
            self,
            Self::BootCommand | Self::Connect | Self::Provision | Self::ShutDown
        )
    }
}

impl fmt::Display for Step {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Where a line of output comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output of a command.
    Stdout,
    /// Standard error of a command.
    Stderr,
}

/// Shows a build. All text is without a line break at its end and without secrets.
#[async_trait]
pub trait Ui: Send + Sync {
    /// Something begins or has happened: `Starting the domain`.
    fn say(&self, message: &str);

    /// Something that is right but surprising.
    fn warn(&self, message: &str);

    /// Something went wrong although the build goes on or is over.
    fn error(&self, message: &str);

    /// A line that a command printed, in the guest or here.
    fn output(&self, stream: Stream, line: &str);

    /// A step is over, whether it worked or not.
    fn step_finished(&self, step: Step, time: Duration);

    /// Bytes begin to move. What is returned is told how far they are and is dropped at the end.
    fn transfer(&self, name: &str, total: Option<u64>) -> Box<dyn Transfer>;

    /// Shows `note` and waits until the user says to go on.
    ///
    /// # Errors
    /// The reason why nobody can be asked, such as that there is no terminal.
    async fn wait_for_user(&self, note: &str) -> Result<(), String>;

    /// Shows `question` and waits until the user has taken one of `choices`: its index.
    ///
    /// # Errors
    /// The reason why nobody can be asked, such as that there is no terminal.
    async fn ask(&self, question: &str, choices: &[&str]) -> Result<usize, String>;
}

/// Bytes on their way.
pub trait Transfer: Send + Sync {
    /// How many there are in all, once that is known.
    fn set_total(&self, total: Option<u64>);
    /// How many have gone, those from earlier attempts included.
    fn set_position(&self, bytes: u64);
    /// So many more have gone.
    fn advance(&self, bytes: u64);
    /// All of them are there. One that is dropped before has failed.
    fn finish(&self);
}
