//! The child's side: what the program does when it was started as a process for a component.
//!
//! ```text
//!  Begin ─► confine ─► Confined
//!  Component ─► compile ─► Compiled, end          (task Compile)
//!            └► load    ─► Loaded                 (task Run)
//!                Call ─► instance ─► Returned ──┐
//!                  ▲ Request ⇄ Answer           │
//!                  └────────────────────────────┘ until the parent closes the connection
//! ```

use std::env;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use wasmtime::Engine;

use super::confine::{close_inherited, confine};
use super::frame::{self, Direction, FromChild, HEADER, Lengths, PROGRAM, Refusal, Task, ToChild};
use crate::bounds;
use crate::computing::run_yielding;
use crate::engine;
use crate::error::{Fault, LoadError, Reason};
use crate::inspect::{self, BEGINNING};
use crate::instance::{self, Linked};
use crate::log::SharedLog;
use crate::precompiled::{self, Trusted};
use crate::request::{Answer, Call, Request};
use crate::state::{Host, State};
use crate::wasi;

/// What the program is called, as its own zeroth argument, when it is to be a process for a component.
pub(crate) const NAME: &str = "lvhost-component";

/// Serves the parent if this process was started as one for a component; `None` if not. To be called
/// before anything else: before threads are started and files opened.
#[must_use]
pub fn serve_if_asked() -> Option<ExitCode> {
    let is_asked = env::args_os().next().is_some_and(|name| name == NAME);
    is_asked.then(|| match serve() {
        Ok(()) => ExitCode::SUCCESS,
        // There is nobody to tell but the parent, which has gone.
        Err(_) => ExitCode::FAILURE,
    })
}

fn serve() -> io::Result<()> {
    close_inherited()?;
    let stream = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let parent = Connection(Arc::new(Mutex::new(stream)));
    let (
        ToChild::Begin {
            task,
            bounds,
            parent: parent_id,
            source_date_epoch,
        },
        _,
    ) = parent.receive()?
    else {
        return Err(unexpected());
    };
    match confine(bounds, parent_id) {
        Ok(confinement) => {
            let confined = FromChild::Confined {
                program: PROGRAM.to_owned(),
                confinement,
            };
            parent.send(&confined, &[])?;
        }
        Err(error) => return parent.send(&FromChild::Unfit(error.to_string()), &[]),
    }
    let (ToChild::Component, length) = parent.receive_message()? else {
        return Err(unexpected());
    };
    match task {
        Task::Compile => match compile(&parent, length)? {
            Ok(code) => parent.send(&FromChild::Compiled, &code),
            Err(refusal) => parent.send(&FromChild::Refused(refusal), &[]),
        },
        Task::Run => match load(parent.receive_bytes(length)?) {
            Ok((engine, linked)) => {
                parent.send(&FromChild::Loaded, &[])?;
                run(&parent, &engine, &linked, source_date_epoch)
            }
            Err(refusal) => parent.send(&FromChild::Refused(refusal), &[]),
        },
    }
}

fn unexpected() -> io::Error {
    io::Error::other("the parent says something else")
}

/// Receives a component of `length` bytes and compiles it. One that is refused for its first bytes is not received
/// whole.
fn compile(parent: &Connection, length: usize) -> io::Result<Result<Vec<u8>, Refusal>> {
    let mut wasm = parent.receive_bytes(length.min(BEGINNING))?;
    if let Err(error) = inspect::begin("", &wasm) {
        return Ok(Err(refusal(error)));
    }
    wasm.append(&mut parent.receive_bytes(length - wasm.len())?);
    Ok(compile_all(&wasm))
}

fn compile_all(wasm: &[u8]) -> Result<Vec<u8>, Refusal> {
    inspect::inspect("", wasm).map_err(refusal)?;
    bounds::check(wasm).map_err(|error| match error {
        bounds::Error::Invalid(reason) => Refusal::Invalid(Reason(reason)),
        bounds::Error::TooMuch(what) => Refusal::TooMuch(what),
    })?;
    engine::compile(wasm).map_err(|error| Refusal::Invalid(Reason::of(&error)))
}

/// An error of looking at the component, to be said by the parent with the component's name.
fn refusal(error: LoadError) -> Refusal {
    match error {
        LoadError::ForbiddenImport { import, .. } => Refusal::ForbiddenImport(import),
        LoadError::Version { found, .. } => Refusal::Version(found),
        LoadError::MissingExport {
            export, is_command, ..
        } => Refusal::MissingExport { export, is_command },
        LoadError::CoreModule { module, .. } => Refusal::CoreModule(module),
        LoadError::Mismatch { source, .. } => Refusal::Mismatch(source),
        LoadError::Invalid { source, .. } => Refusal::Invalid(source),
        other => Refusal::Invalid(Reason(other.to_string())),
    }
}

fn load(code: Vec<u8>) -> Result<(Engine, Linked), Refusal> {
    let engine = engine::running().map_err(|error| Refusal::Invalid(Reason::of(&error)))?;
    let component = precompiled::load(&engine, &Trusted::Confined(&code))
        .map_err(|error| Refusal::Invalid(Reason::of(&error)))?;
    // It is there twice now.
    drop(code);
    let linker =
        instance::linker(&engine).map_err(|error| Refusal::Mismatch(Reason::of(&error)))?;
    let linked = instance::link(&engine, &linker, "", &component);
    let linked = linked.map_err(refusal)?;
    Ok((engine, linked))
}

/// Answers calls until there are no more.
fn run(
    parent: &Connection,
    engine: &Engine,
    linked: &Linked,
    source_date_epoch: u64,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let _entered = runtime.enter();
    loop {
        let (call, memory) = match parent.receive() {
            Ok((ToChild::Call { call, memory }, _)) => (call, memory),
            Ok(_) => return Err(unexpected()),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error),
        };
        let returned = answer(parent, engine, linked, source_date_epoch, &call, memory);
        let sent = parent.send(&FromChild::Returned(returned), &[]);
        if let Err(error) = sent {
            if error.kind() != io::ErrorKind::InvalidData {
                return Err(error);
            }
            let fault = Fault::LimitExceeded(error.to_string());
            parent.send(&FromChild::Returned(Err(fault)), &[])?;
        }
    }
}

fn answer(
    parent: &Connection,
    engine: &Engine,
    linked: &Linked,
    source_date_epoch: u64,
    call: &Call,
    memory: usize,
) -> Result<crate::request::Said, Fault> {
    let log = SharedLog::of_parent(parent.clone());
    let wasi = wasi::context(&log, source_date_epoch, &call.seed());
    let state = State::new(
        wasi,
        source_date_epoch,
        Host::Parent(parent.clone()),
        memory,
    );
    // Nothing in here waits but for the parent, and that blocks.
    let said = run_yielding(instance::call(engine, linked, state, call));
    said.map(|(said, _)| said)
        .map_err(|error| instance::fault_of(&error))
}

/// The child's end of the connection. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Connection(Arc<Mutex<UnixStream>>);

impl Connection {
    /// Asks the parent, and waits for its answer.
    pub(crate) fn ask(&self, request: Request, bytes: Bytes) -> io::Result<(Answer, Bytes)> {
        self.send(&FromChild::Request(request), &bytes)?;
        match self.receive()? {
            (ToChild::Answer(Answer::Ended), _) => Err(io::Error::other("the call is over")),
            (ToChild::Answer(answer), bytes) => Ok((answer, bytes.into())),
            _ => Err(unexpected()),
        }
    }

    fn send<T: Serialize>(&self, message: &T, bytes: &[u8]) -> io::Result<()> {
        // What a child sends is bounded where it arrives; a component's answer that is too long has to
        // be known here, too.
        let direction = if bytes.len() > crate::limits::CHUNK {
            Direction::FromCompiler
        } else {
            Direction::FromChild
        };
        let frame = frame::encode(message, bytes.len(), direction)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        let mut stream = self.stream();
        stream.write_all(&frame)?;
        stream.write_all(bytes)
    }

    fn receive<T: DeserializeOwned>(&self) -> io::Result<(T, Vec<u8>)> {
        let (message, length) = self.receive_message()?;
        Ok((message, self.receive_bytes(length)?))
    }

    /// A message, and how many bytes there are beside it.
    fn receive_message<T: DeserializeOwned>(&self) -> io::Result<(T, usize)> {
        let nonsense = |error| io::Error::new(io::ErrorKind::InvalidData, error);
        let mut stream = self.stream();
        let mut header = [0; HEADER];
        stream.read_exact(&mut header)?;
        let lengths = Lengths::parse(header, Direction::ToChild).map_err(nonsense)?;
        let mut message = vec![0; lengths.message];
        stream.read_exact(&mut message)?;
        Ok((frame::decode(&message).map_err(nonsense)?, lengths.bytes))
    }

    /// Of the bytes beside a message as many as `length`.
    fn receive_bytes(&self, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.stream().read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn stream(&self) -> MutexGuard<'_, UnixStream> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
