//! A child process as its parent has it: started, connected, watched, and ended when nobody holds it any
//! more.
//!
//! ```text
//!   start ─► Running ──kill, or by itself──► Ended(how) ─► reaped
//! ```
//! One thread for each child starts it and waits for it: the kernel ends a child together with the
//! *thread* that has started it, so that must be one which stays.

use std::env;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use tokio::sync::watch;

use super::serve::NAME;

/// What is started as a child: this very program, unless a test says otherwise.
#[derive(Debug, Clone)]
pub(crate) struct Program(PathBuf);

impl Program {
    pub(crate) fn new(other: Option<PathBuf>) -> Self {
        Self(other.unwrap_or_else(|| PathBuf::from("/proc/self/exe")))
    }
}

/// A child process. Dropping it ends it.
pub(crate) struct Process {
    pid: Pid,
    /// Held while the process is signalled, so that its number is not another's by then.
    is_reaped: Arc<Mutex<bool>>,
    ended: watch::Receiver<Option<ExitStatus>>,
}

impl Process {
    /// Starts a child, and gives its connection. It has no environment, no arguments, no streams and
    /// no folder.
    pub(crate) fn start(program: &Program) -> io::Result<(Self, UnixStream)> {
        // A program that was started for a component and does not know what to do about it would start
        // others, without end.
        if env::args_os().next().is_some_and(|name| name == NAME) {
            let message = "this process was itself started for a component";
            return Err(io::Error::other(message));
        }
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let mut command = Command::new(&program.0);
        command
            .arg0(NAME)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let is_reaped = Arc::new(Mutex::new(false));
        let (tell_end, ended) = watch::channel(None);
        let (tell_start, started) = std::sync::mpsc::sync_channel(1);
        thread::Builder::new().name("component".into()).spawn({
            let is_reaped = Arc::clone(&is_reaped);
            move || keep(command, &tell_start, &is_reaped, &tell_end)
        })?;
        let pid = started
            .recv()
            .map_err(|_| io::Error::other("its thread has ended"))??;
        let process = Self {
            pid,
            is_reaped,
            ended,
        };
        Ok((process, ours))
    }

    pub(crate) fn id(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// Ends it, if it has not ended.
    pub(crate) fn kill(&self) {
        let is_reaped = self
            .is_reaped
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if !*is_reaped {
            // It may have ended without having been reaped.
            let _ = kill_process(self.pid, Signal::KILL);
        }
    }

    /// How it ended, when it has.
    pub(crate) async fn ended(&self) -> Option<ExitStatus> {
        let mut ended = self.ended.clone();
        let status = ended.wait_for(Option::is_some).await.ok()?;
        *status
    }

    /// Processor time that all its threads have used; none when it is gone.
    pub(crate) fn processor_time(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid.as_raw_nonzero()));
        stat.ok()
            .and_then(|stat| parse_processor_time(&stat, rustix::param::clock_ticks_per_second()))
            .unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Starts the child and waits until it has ended.
fn keep(
    mut command: Command,
    tell_start: &std::sync::mpsc::SyncSender<io::Result<Pid>>,
    is_reaped: &Mutex<bool>,
    tell_end: &watch::Sender<Option<ExitStatus>>,
) {
    let spawned = command.spawn();
    // Our end of the connection is the only one then: the child's end shows as an end.
    drop(command);
    let mut child = match spawned {
        Ok(child) => child,
        Err(error) => {
            // Whoever asked is waiting.
            let _ = tell_start.send(Err(error));
            return;
        }
    };
    let pid = Pid::from_child(&child);
    let _ = tell_start.send(Ok(pid));
    // Ended, but not reaped: its number is still its own.
    while let Err(error) = waitid(
        WaitId::Pid(pid),
        WaitIdOptions::EXITED | WaitIdOptions::NOWAIT,
    ) {
        if error != rustix::io::Errno::INTR {
            break;
        }
    }
    let mut is_reaped = is_reaped.lock().unwrap_or_else(PoisonError::into_inner);
    let status = child.wait().ok();
    *is_reaped = true;
    drop(is_reaped);
    // Nobody may want to know.
    let _ = tell_end.send(Some(status.unwrap_or_default()));
}

/// User and system time of a line of `/proc/PID/stat`. The second field is a name in parentheses, with
/// anything in it.
fn parse_processor_time(stat: &str, ticks_per_second: u64) -> Option<Duration> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ').skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    let milliseconds = (user + system).checked_mul(1000)? / ticks_per_second.max(1);
    Some(Duration::from_millis(milliseconds))
}

/// How a child ended that should not have, in words.
pub(crate) fn in_words(status: ExitStatus, memory: u64) -> String {
    let memory = memory >> 20;
    match (status.code(), status.signal()) {
        (_, Some(signal)) if signal == Signal::ABORT.as_raw() => {
            format!("it gave up, most likely for want of memory; the process may have {memory} MiB")
        }
        (_, Some(signal)) if signal == Signal::XCPU.as_raw() => {
            "it used up the processor time that the process may have".to_owned()
        }
        (_, Some(signal)) if signal == Signal::KILL.as_raw() => format!(
            "it was killed from outside or by the kernel, for want of memory perhaps; the process \
             may have {memory} MiB"
        ),
        (_, Some(signal)) => format!("it was ended by signal {signal}"),
        (Some(code), None) => format!("it ended with exit status {code}"),
        (None, None) => "it is not known how".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_read_behind_any_name() {
        let line = |name: &str| {
            format!("7 ({name}) S 1 7 7 0 -1 4194560 1 0 0 0 150 50 0 0 20 0 1 0 9 9 9")
        };
        for name in ["lvhost", "a b", ") S 9", "(("] {
            let time = parse_processor_time(&line(name), 100);
            assert_eq!(time, Some(Duration::from_secs(2)), "{name}");
        }
        for line in ["", "7 (x) S", "7 (x) S 1 7 7 0 -1 4 1 0 0 0 x 50 0"] {
            assert_eq!(parse_processor_time(line, 100), None, "{line}");
        }
        let time = parse_processor_time(&line("x"), 0);
        assert_eq!(time, Some(Duration::from_secs(200)));
    }
}
