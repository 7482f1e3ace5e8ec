//! The asynchronous runtimes of the commands.

use tokio::runtime::{Builder, Runtime};

use crate::exit_code::Failure;

/// Threads of a build's runtime. The work is done elsewhere: by libvirt's threads, by those that hash
/// and decompress, and in the guest.
const WORKER_THREADS: usize = 2;

/// For builds.
///
/// # Errors
/// When the system has no threads.
pub(crate) fn for_builds() -> Result<Runtime, Failure> {
    started(Builder::new_multi_thread().worker_threads(WORKER_THREADS))
}

/// For everything else: one thread is enough, and quicker to start than several.
///
/// # Errors
/// When the system has no file descriptors.
pub(crate) fn small() -> Result<Runtime, Failure> {
    started(&mut Builder::new_current_thread())
}

fn started(builder: &mut Builder) -> Result<Runtime, Failure> {
    let runtime = builder.enable_all().build();
    runtime.map_err(|error| Failure::unable("the asynchronous runtime can't be started", error))
}
