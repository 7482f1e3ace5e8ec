//! The part of WASI 0.2 that a language's standard library needs to start: with nothing in it.
//!
//! No variables and arguments; files and sockets are [`nothing`]; standard input is at its end, the other
//! streams go to the log. What differs from run to run elsewhere is the same in each run here, so that the same
//! inputs make the same bytes: the wall clock stands still, the monotonic one moves by a microsecond
//! whenever it is looked at, and random numbers follow from what the call is about. Whoever needs
//! secret random numbers must not take them from a component.
//!
//! Nobody waits: a component that sleeps is told at once that the time is over, and its clock has
//! moved on by as much. So there is no sleep to be bounded, and a loop of sleeps is computing.

mod nothing;

use std::time::Duration;

use bytes::Bytes;
use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;
use sha2::{Digest, Sha256};
use tokio::io::AsyncWrite;
use wasmtime::component::{HasData, HasSelf, Linker, Resource, ResourceTable};
use wasmtime_wasi::cli::{IsTerminal, StdoutStream, WasiCli, WasiCliView};
use wasmtime_wasi::clocks::{WasiClocks, WasiClocksView};
use wasmtime_wasi::p2::bindings::{cli, clocks, io, random};
use wasmtime_wasi::p2::{DynPollable, OutputStream, Pollable, StreamResult, subscribe};
use wasmtime_wasi::random::WasiRandom;
use wasmtime_wasi::{HostWallClock, WasiCtx, WasiView, async_trait};

use crate::limits;
use crate::log::{SharedLog, Stream};
use crate::state::State;

/// Links the interfaces of [`contract`](crate::contract)'s list, and no others.
pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    io::error::add_to_linker::<State, Table>(linker, |state| &mut state.table)?;
    io::poll::add_to_linker::<State, Table>(linker, |state| &mut state.table)?;
    io::streams::add_to_linker::<State, Table>(linker, |state| &mut state.table)?;
    clocks::wall_clock::add_to_linker::<State, WasiClocks>(linker, State::clocks)?;
    clocks::monotonic_clock::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
    random::random::add_to_linker::<State, WasiRandom>(linker, |s| s.ctx().ctx.random())?;
    random::insecure::add_to_linker::<State, WasiRandom>(linker, |s| s.ctx().ctx.random())?;
    random::insecure_seed::add_to_linker::<State, WasiRandom>(linker, |s| s.ctx().ctx.random())?;
    cli::environment::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::exit::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::stdin::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::stdout::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::stderr::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::terminal_input::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::terminal_output::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::terminal_stdin::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::terminal_stdout::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::terminal_stderr::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    nothing::link(linker)
}

struct Table;

impl HasData for Table {
    type Data<'a> = &'a mut ResourceTable;
}

/// The empty surroundings of one call. `seed` is what the call is about: the random numbers follow
/// from it.
pub(crate) fn context(log: &SharedLog, source_date_epoch: u64, seed: &[&str]) -> WasiCtx {
    let mut hash = Sha256::new();
    for part in seed {
        // The length keeps ("a", "bc") and ("ab", "c") apart.
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    let seed: [u8; 32] = hash.finalize().into();
    let (mut first, mut second) = ([0; 16], [0; 16]);
    first.copy_from_slice(&seed[..16]);
    second.copy_from_slice(&seed[16..]);
    WasiCtx::builder()
        .stdout(LogStream {
            log: log.clone(),
            stream: Stream::Output,
        })
        .stderr(LogStream {
            log: log.clone(),
            stream: Stream::Error,
        })
        .wall_clock(StandingClock(Duration::from_secs(source_date_epoch)))
        .secure_random(ChaCha12Rng::from_seed(seed))
        .insecure_random(ChaCha12Rng::from_seed(seed))
        .insecure_random_seed(u128::from_le_bytes(first) ^ u128::from_le_bytes(second))
        .max_random_size(limits::RANDOM)
        .allow_tcp(false)
        .allow_udp(false)
        .build()
}

struct StandingClock(Duration);

impl HostWallClock for StandingClock {
    fn resolution(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn now(&self) -> Duration {
        self.0
    }
}

/// How far the monotonic clock moves at each look, so that a loop which waits for it comes to an end.
const CLOCK_STEP: u64 = 1000;

/// A moment that has come.
struct Now;

#[async_trait]
impl Pollable for Now {
    async fn ready(&mut self) {}
}

impl clocks::monotonic_clock::Host for State {
    fn now(&mut self) -> wasmtime::Result<u64> {
        self.monotonic = self.monotonic.saturating_add(CLOCK_STEP);
        Ok(self.monotonic)
    }

    fn resolution(&mut self) -> wasmtime::Result<u64> {
        Ok(CLOCK_STEP)
    }

    fn subscribe_instant(&mut self, when: u64) -> wasmtime::Result<Resource<DynPollable>> {
        self.monotonic = self.monotonic.max(when);
        let now = self.table.push(Now)?;
        subscribe(&mut self.table, now)
    }

    fn subscribe_duration(&mut self, duration: u64) -> wasmtime::Result<Resource<DynPollable>> {
        let when = self.monotonic.saturating_add(duration);
        clocks::monotonic_clock::Host::subscribe_instant(self, when)
    }
}

/// A standard stream whose lines go to the log.
#[derive(Clone)]
struct LogStream {
    log: SharedLog,
    stream: Stream,
}

impl IsTerminal for LogStream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for LogStream {
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }

    /// For WASI 0.3, of which nothing is linked.
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(tokio::io::sink())
    }
}

#[async_trait]
impl Pollable for LogStream {
    async fn ready(&mut self) {}
}

#[async_trait]
impl OutputStream for LogStream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.log.bytes(self.stream, &bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(limits::STREAM_WRITE)
    }
}
