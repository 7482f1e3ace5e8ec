//! The end of a process that has loaded libvirt's client library.
#![expect(
    unsafe_code,
    reason = "the standard library ends a process only by running all libraries' destructors"
)]
use std::ffi::c_int;
use std::io::Write;

// SAFETY: this is how POSIX declares `_exit`; it takes any status and touches no memory.
unsafe extern "C" {
    safe fn _exit(status: c_int) -> !;
}

/// Ends the process with this exit code, 0 to 255, after standard output is written.
///
/// `exit`, and so a return from `main`, runs the destructors of all libraries. libvirt's event loop runs
/// until the end of the process and cannot be stopped, and its workers may still wait for a daemon: they
/// would use what libvirt, GnuTLS and GLib have just torn down, and the process would end by a signal
/// instead of with its exit code. So no destructor is run.
pub fn end_process(code: u8) -> ! {
    // Whoever should read it may be gone.
    let _ = std::io::stdout().flush();
    _exit(c_int::from(code))
}
