//! The plugin `packer-plugin-libvirt`: the engine behind Packer's protocol, which `lvhost-packer` speaks.
//!
//! ```text
//!  Packer ─► describe: a line, and nothing else is touched
//!        └─► start ─► options ─► body ─► decoded and checked, as by `lvhost validate` ─► Prepare
//!                                          └─► build ─► the engine ──► Ui: Packer's lines and bars
//!                                                │         └─► hook ─► Packer's provisioners
//!                                                │                       └─► communicator: the guest
//!                                                └─► artifact, until Packer ends the process
//! ```
//! Packer leaks descriptors of its own into this process, and whatever inherits them keeps
//! `packer build | tee log` from ending. Nothing here starts a program but libvirt's client library, which
//! closes them in what it starts.

mod artifact;
mod bar;
mod build;
mod builder;
mod communicator;
mod examine;
mod hook;
mod messages;
mod options;
mod plan_log;
mod request;
mod specification;
mod ui;
mod words;

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use lvhost_packer::{Endpoints, Failure, Invocation, Listener, SpecEncoding, describe, serve};
use tokio::signal::unix::{SignalKind, signal};

use self::builder::Plugin;
use self::words::Filtered;
use crate::async_runtime;
use crate::exit_code;
use crate::logging;
use crate::shown::continued;
use crate::surroundings::Surroundings;

/// The version that Packer compares with what a template asks for.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The plugin `packer-plugin-libvirt`, with the arguments, the environment and the streams of this process.
/// Returns only in a child that runs a component, and ends the process else.
pub fn packer_plugin() -> ExitCode {
    if let Some(ended) = lvhost_runtime::child::serve_if_asked() {
        return ended;
    }
    let arguments = std::env::args_os().skip(1);
    let arguments = arguments.map(|argument| argument.to_string_lossy().into_owned());
    let result = match Invocation::parse(arguments, |name| std::env::var(name).ok()) {
        Ok(Invocation::Describe) => print(&describe(VERSION)).map_err(Failure::from),
        Ok(Invocation::Builder {
            encoding,
            endpoints,
        }) => serve_packer(encoding, &endpoints),
        Err(error) => Err(error.into()),
    };
    let code = match result {
        Ok(()) => exit_code::SUCCESS,
        Err(error) => {
            // Packer may have closed the pipe.
            let text = lvhost_engine::with_causes(error.as_ref());
            let _ = writeln!(std::io::stderr(), "{}", continued(&text));
            exit_code::FAILED
        }
    };
    lvhost_libvirt::end_process(code)
}

fn serve_packer(encoding: SpecEncoding, endpoints: &Endpoints) -> Result<(), Failure> {
    let surroundings = Surroundings::of_this_process();
    logging::start_for_packer(&surroundings);
    let plugin = Arc::new(Filtered(Plugin::new(surroundings)));
    let runtime = async_runtime::for_builds()?;
    let result = runtime.block_on(async {
        let listener = Listener::bind(endpoints).await?;
        // A terminal's Ctrl-C reaches this process too, but is Packer's to act on. A signal with a
        // handler does not end a process.
        let _ignored = [
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
        ];
        print(&listener.handshake())?;
        serve(listener.accept().await?, plugin, encoding).await?;
        Ok(())
    });
    // What still runs is for nobody: builds have ended with their cleanup.
    runtime.shutdown_background();
    result
}

/// Standard output has one line in this process's life.
fn print(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout();
    out.write_all(text.as_bytes())?;
    out.flush()
}
