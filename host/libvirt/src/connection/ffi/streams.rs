//! Streams: holes in them, and events of them.
#![expect(
    unsafe_code,
    reason = "C functions that the virt crate has no sound wrapper for"
)]
use std::{
    ffi::{c_int, c_void},
    sync::Arc,
};

use virt::{connect::Connect, error::Error, stream::Stream};
use virt_sys as sys;

type Result<T> = std::result::Result<T, Error>;

/// Sends a hole of `length` bytes. The stream must have been opened as a sparse one.
pub(in crate::connection) fn send_hole(stream: &Stream, length: u64) -> Result<()> {
    // A hole longer than a signed number can say goes in two; no volume is that long.
    let mut left = length;
    while left > 0 {
        let part = i64::try_from(left).unwrap_or(i64::MAX);
        // SAFETY: the stream is alive as long as it is borrowed; the other arguments are plain
        // numbers.
        if unsafe { sys::virStreamSendHole(stream.as_ptr(), part, 0) } < 0 {
            return Err(Error::last_error());
        }
        left -= part.unsigned_abs();
    }
    Ok(())
}

/// What comes out of a stream that has holes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::connection) enum Received {
    /// So many bytes of the buffer.
    Data(usize),
    /// A hole of so many bytes.
    Hole(u64),
    /// The stream is at its end.
    End,
}

/// What a call answers where a stream has a hole (`virStreamRecvFlags`).
const AT_HOLE: c_int = -3;
/// What a call answers where a stream that does not wait would have to.
const WOULD_WAIT: c_int = -2;

/// Waits for the next bytes, at most as many as the buffer has, or for a hole.
pub(in crate::connection) fn receive(stream: &Stream, buffer: &mut [u8]) -> Result<Received> {
    // SAFETY: the stream is alive as long as it is borrowed, and the buffer is as long as is said.
    let count = unsafe {
        sys::virStreamRecvFlags(
            stream.as_ptr(),
            buffer.as_mut_ptr().cast(),
            buffer.len(),
            sys::VIR_STREAM_RECV_STOP_AT_HOLE,
        )
    };
    if count == AT_HOLE {
        let mut length = 0;
        // SAFETY: as before; `length` is a place for one number.
        if unsafe { sys::virStreamRecvHole(stream.as_ptr(), &mut length, 0) } < 0 {
            return Err(Error::last_error());
        }
        return Ok(Received::Hole(u64::try_from(length).unwrap_or(0)));
    }
    match usize::try_from(count) {
        Ok(0) => Ok(Received::End),
        Ok(count) => Ok(Received::Data(count)),
        Err(_) => Err(Error::last_error()),
    }
}

/// Who is told that a stream has something.
pub(in crate::connection) trait Listener: Send + Sync + 'static {
    /// Called by the event thread. Must not wait.
    fn ready(&self);
}

/// A stream that does not wait, and tells a listener when it can be read.
pub(in crate::connection) struct WatchedStream {
    stream: Stream,
    watched: bool,
}

/// Anything but that there is room to write.
const READABLE: c_int = (sys::VIR_STREAM_EVENT_READABLE
    | sys::VIR_STREAM_EVENT_ERROR
    | sys::VIR_STREAM_EVENT_HANGUP) as c_int;

impl WatchedStream {
    pub(in crate::connection) fn new(connect: &Connect) -> Result<Self> {
        Ok(Self {
            stream: Stream::new(connect, sys::VIR_STREAM_NONBLOCK)?,
            watched: false,
        })
    }

    /// The stream, to be connected to something.
    pub(in crate::connection) fn stream(&self) -> &Stream {
        &self.stream
    }

    /// Begins to tell the listener. To be called once, when the stream is connected.
    pub(in crate::connection) fn watch(&mut self, listener: Arc<dyn Listener>) -> Result<()> {
        // Two pointers do not fit into one: a box around them does.
        let opaque: *mut c_void = Box::into_raw(Box::new(listener)).cast();
        // SAFETY: the stream is alive; `opaque` is borrowed by the callback and given back exactly
        // once, by `release`, when libvirt is done with the registration.
        let result = unsafe {
            sys::virStreamEventAddCallback(
                self.stream.as_ptr(),
                READABLE,
                Some(on_event),
                opaque,
                Some(release),
            )
        };
        if result < 0 {
            let error = Error::last_error();
            // SAFETY: a registration that failed does not call `release`.
            unsafe { release(opaque) };
            return Err(error);
        }
        self.watched = true;
        Ok(())
    }

    /// Has the listener told of what can be read, or of nothing.
    pub(in crate::connection) fn listen(&self, readable: bool) -> Result<()> {
        let events = if readable { READABLE } else { 0 };
        // SAFETY: the stream is alive and a callback is registered, or the call fails.
        if unsafe { sys::virStreamEventUpdateCallback(self.stream.as_ptr(), events) } < 0 {
            return Err(Error::last_error());
        }
        Ok(())
    }

    /// Takes what is there: `None` if there is nothing now, zero bytes at the end.
    pub(in crate::connection) fn take(&self, buffer: &mut [u8]) -> Result<Option<usize>> {
        // SAFETY: the stream is alive as long as it is borrowed, and the buffer is as long as is
        // said.
        let count = unsafe {
            sys::virStreamRecv(
                self.stream.as_ptr(),
                buffer.as_mut_ptr().cast(),
                buffer.len(),
            )
        };
        match usize::try_from(count) {
            Ok(count) => Ok(Some(count)),
            Err(_) if count == WOULD_WAIT => Ok(None),
            Err(_) => Err(Error::last_error()),
        }
    }
}

impl Drop for WatchedStream {
    fn drop(&mut self) {
        let stream = self.stream.as_ptr();
        if self.watched {
            // SAFETY: the stream is alive, and a callback is registered with it.
            unsafe { sys::virStreamEventRemoveCallback(stream) };
        }
        // SAFETY: the stream is alive. One that has ended, or was never connected, answers with an
        // error that is of no interest.
        unsafe { sys::virStreamAbort(stream) };
    }
}

/// Gives back the listener of a registration.
///
/// # Safety
/// `opaque` comes from [`WatchedStream::watch`], and this is called once for it.
unsafe extern "C" fn release(opaque: *mut c_void) {
    // SAFETY: the caller's promise.
    drop(unsafe { Box::from_raw(opaque.cast::<Arc<dyn Listener>>()) });
}

unsafe extern "C" fn on_event(_stream: sys::virStreamPtr, _events: c_int, opaque: *mut c_void) {
    // SAFETY: libvirt calls this for registrations that were not released.
    let listener = unsafe { &*opaque.cast::<Arc<dyn Listener>>() };
    listener.ready();
}
