//! Every bound on what a component may take, with its reason.
//!
//! [`Limits`] are those that a user's permissions may change for one component; the constants hold
//! for all.

use std::time::Duration;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// What one component may take. The defaults are several times what the five built-in sources need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of linear memory. 64 MiB: a source holds at most a file system's directory and buffers
    /// of 1 MiB; bulk bytes stay in the host.
    pub memory: usize,
    /// Computing time of `describe` and of `configure`. 5 s: they only look at strings, and a
    /// validation of many volumes must stay quick even with a component that spins.
    pub configure_time: Duration,
    /// Computing time of `prepare`. 60 s: at the slowest measured rate (SHA-256 in a guest,
    /// 0.4 GiB/s) that is 24 GiB of bytes looked at. Waiting for the host is not counted.
    pub prepare_time: Duration,
    /// Lines of log and of standard output in one call. 1000: more is nothing a user reads.
    pub log_lines: usize,
    /// Bytes of log and of standard output in one call.
    pub log_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: 64 * MIB,
            configure_time: Duration::from_secs(5),
            prepare_time: Duration::from_secs(60),
            log_lines: 1000,
            log_bytes: 256 * KIB,
        }
    }
}
