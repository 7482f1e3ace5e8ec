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

use super::confine::Bounds;
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
    /// Held while the process is signalled or looked at, so that its number is not another's by then.
    reaped: Arc<Mutex<Option<Ended>>>,
    ended: watch::Receiver<Option<Ended>>,
}

/// How a process ended, and what it had used of the processor by then.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ended {
    status: ExitStatus,
    processor_time: Duration,
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
        let reaped = Arc::new(Mutex::new(None));
        let (tell_end, ended) = watch::channel(None);
        let (tell_start, started) = std::sync::mpsc::sync_channel(1);
        thread::Builder::new().name("component".into()).spawn({
            let reaped = Arc::clone(&reaped);
            move || keep(command, &tell_start, &reaped, &tell_end)
        })?;
        let pid = started
            .recv()
            .map_err(|_| io::Error::other("its thread has ended"))??;
        let process = Self { pid, reaped, ended };
        Ok((process, ours))
    }

    pub(crate) fn id(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// Ends it, if it has not ended.
    pub(crate) fn kill(&self) {
        let reaped = self.reaped.lock().unwrap_or_else(PoisonError::into_inner);
        if reaped.is_none() {
            // It may have ended without having been reaped.
            let _ = kill_process(self.pid, Signal::KILL);
        }
    }

    /// How it ended, when it has.
    pub(crate) async fn ended(&self) -> Option<Ended> {
        let mut ended = self.ended.clone();
        let ended = ended.wait_for(Option::is_some).await.ok()?;
        *ended
    }

    /// Processor time that all its threads have used, also when it is gone: what ends it must not be a
    /// way to have used nothing.
    pub(crate) fn processor_time(&self) -> Duration {
        let reaped = self.reaped.lock().unwrap_or_else(PoisonError::into_inner);
        match &*reaped {
            Some(ended) => ended.processor_time,
            None => processor_time(self.pid),
        }
    }
}

/// Processor time of a process that has not been reaped.
fn processor_time(pid: Pid) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
    stat.ok()
        .and_then(|stat| parse_processor_time(&stat, rustix::param::clock_ticks_per_second()))
        .unwrap_or_default()
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
    reaped: &Mutex<Option<Ended>>,
    tell_end: &watch::Sender<Option<Ended>>,
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
    let mut reaped = reaped.lock().unwrap_or_else(PoisonError::into_inner);
    let processor_time = processor_time(pid);
    let ended = Some(Ended {
        status: child.wait().unwrap_or_default(),
        processor_time,
    });
    *reaped = ended;
    drop(reaped);
    // Nobody may want to know.
    let _ = tell_end.send(ended);
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

/// How a child with these bounds ended that should not have, in words.
pub(crate) fn in_words(ended: Ended, bounds: Bounds) -> String {
    let memory = bounds.memory >> 20;
    // The kernel counts it more finely than it tells it.
    let used = ended.processor_time.saturating_add(Duration::from_secs(1));
    let has_no_time_left = used >= Duration::from_secs(bounds.processor_seconds);
    match (ended.status.code(), ended.status.signal()) {
        (_, Some(signal)) if signal == Signal::ABORT.as_raw() => {
            format!("it gave up, most likely for want of memory; the process may have {memory} MiB")
        }
        (_, Some(signal))
            if signal == Signal::XCPU.as_raw()
                || (signal == Signal::KILL.as_raw() && has_no_time_left) =>
        {
            format!(
                "it used up the {} s of processor time that the process may have",
                bounds.processor_seconds
            )
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

    /// What becomes of a process that stands in a child's place: `sh` with this script.
    async fn run(script: &str, bounds: Bounds) -> (Duration, String) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("program");
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("a script");
        let all = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        std::fs::set_permissions(&path, all).expect("a program");
        let (process, _connection) = Process::start(&Program::new(Some(path))).expect("a process");
        let ended = process.ended().await.expect("an end");
        (process.processor_time(), in_words(ended, bounds))
    }

    #[tokio::test]
    async fn an_end_is_told_for_what_it_was_and_costs_what_it_cost() {
        let bounds = |processor_seconds| Bounds {
            memory: 64 << 20,
            processor_seconds,
        };
        for (script, seconds, expected) in [
            (
                "kill -KILL $$",
                100,
                "for want of memory perhaps; the process may have 64 MiB",
            ),
            ("kill -XCPU $$", 100, "used up the 100 s of processor time"),
            ("kill -ABRT $$", 1, "most likely for want of memory"),
            ("exit 3", 1, "exit status 3"),
        ] {
            let (_, words) = run(script, bounds(seconds)).await;
            assert!(words.contains(expected), "{script}: {words}");
        }
        let spin = "while :; do :; done";
        for (limit, expected) in [
            // One for both: the kernel kills without a warning.
            ("ulimit -t 1", "used up the 1 s of processor time"),
            ("ulimit -S -t 1", "used up the 1 s of processor time"),
        ] {
            let (used, words) = run(&format!("{limit}; {spin}"), bounds(1)).await;
            assert!(words.contains(expected), "{limit}: {words}");
            assert!(used >= Duration::from_millis(900), "{limit}: {used:?}");
        }
    }

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
