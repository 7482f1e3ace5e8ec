//! libvirt's event loop: one a process, on a thread of its own.
use std::{
    sync::{Mutex, PoisonError},
    thread,
    time::Duration,
};

use virt::{error::clear_error_callback, event};

use super::workers::no_thread;
use crate::{Error, Result};

/// How long the loop rests after a failure, so that a persistent one does not eat a core.
const REST_AFTER_FAILURE: Duration = Duration::from_millis(100);

/// Starts the loop if it does not run yet. Must come before the first connection is opened: libvirt
/// ties a connection to the loop it finds then.
pub(super) fn start() -> Result<()> {
    static STARTED: Mutex<bool> = Mutex::new(false);
    let mut started = STARTED.lock().unwrap_or_else(PoisonError::into_inner);
    if *started {
        return Ok(());
    }
    // libvirt would print every error to stderr, those too that are handled here.
    clear_error_callback();
    event::event_register_default_impl().map_err(|error| Error::Libvirt {
        action: "set up libvirt's event loop".to_owned(),
        code: error.code().to_raw().cast_signed(),
        message: error.message().to_owned(),
    })?;
    thread::Builder::new()
        .name("libvirt-events".to_owned())
        .spawn(run)
        .map_err(no_thread)?;
    *started = true;
    Ok(())
}

fn run() {
    loop {
        if let Err(error) = event::event_run_default_impl() {
            tracing::error!(%error, "libvirt's event loop failed");
            thread::sleep(REST_AFTER_FAILURE);
        }
    }
}
