//! Lifecycle events of domains, and the loss of the connection.
#![expect(
    unsafe_code,
    reason = "C functions that the virt crate has no sound wrapper for"
)]
use std::{
    ffi::{c_int, c_void},
    mem::ManuallyDrop,
    ptr,
    sync::{Arc, Weak},
};

use uuid::Uuid;
use virt::{connect::Connect, error::Error};
use virt_sys as sys;

use crate::{
    DomainState,
    connection::watches::{Event, Watches},
};

type Result<T> = std::result::Result<T, Error>;

/// Events of a connection, delivered to [`Watches`] by the event thread until this is dropped.
pub(in crate::connection) struct Subscription {
    /// A reference of our own, so that the connection outlives the callbacks.
    connect: Connect,
    lifecycle: Option<c_int>,
    close: bool,
}

impl Subscription {
    /// Subscribes to lifecycle events of all domains and to the loss of the connection. A driver
    /// that cannot be lost (`test:///`) takes the latter without ever releasing it, so what a
    /// registration holds is a weak reference.
    pub(in crate::connection) fn new(connect: &Connect, watches: &Arc<Watches>) -> Result<Self> {
        let mut subscription = Self {
            connect: connect.clone(),
            lifecycle: None,
            close: false,
        };
        subscription.register_lifecycle(watches)?;
        subscription.register_close(watches);
        Ok(subscription)
    }

    fn register_lifecycle(&mut self, watches: &Arc<Watches>) -> Result<()> {
        type Lifecycle = unsafe extern "C" fn(
            sys::virConnectPtr,
            sys::virDomainPtr,
            c_int,
            c_int,
            *mut c_void,
        ) -> c_int;
        type Generic = unsafe extern "C" fn(sys::virConnectPtr, sys::virDomainPtr, *mut c_void);
        let opaque = lend(watches);
        // SAFETY: libvirt's interface wants the callback cast to this type (its macro
        // VIR_DOMAIN_EVENT_CALLBACK) and casts it back to the type that belongs to the event's id
        // before it calls it.
        let callback = unsafe { std::mem::transmute::<Lifecycle, Generic>(on_lifecycle) };
        // SAFETY: the connection is alive; `opaque` is a weak reference that the callback borrows
        // and that `release` gives back exactly once, when libvirt is done with the registration.
        let id = unsafe {
            sys::virConnectDomainEventRegisterAny(
                self.connect.as_ptr(),
                ptr::null_mut(),
                sys::VIR_DOMAIN_EVENT_ID_LIFECYCLE as c_int,
                Some(callback),
                opaque,
                Some(release),
            )
        };
        if id < 0 {
            let error = Error::last_error();
            // SAFETY: a registration that failed does not call `release`, so the reference is still
            // ours.
            unsafe { release(opaque) };
            return Err(error);
        }
        self.lifecycle = Some(id);
        Ok(())
    }

    fn register_close(&mut self, watches: &Arc<Watches>) {
        let opaque = lend(watches);
        // SAFETY: as with the lifecycle events.
        let result = unsafe {
            sys::virConnectRegisterCloseCallback(
                self.connect.as_ptr(),
                Some(on_close),
                opaque,
                Some(release),
            )
        };
        self.close = result == 0;
        if !self.close {
            // SAFETY: a registration that failed does not call `release`, so the reference is still
            // ours.
            unsafe { release(opaque) };
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let connect = self.connect.as_ptr();
        if let Some(id) = self.lifecycle {
            // SAFETY: the connection is alive, and the id is the one its registration gave.
            unsafe { sys::virConnectDomainEventDeregisterAny(connect, id) };
        }
        if self.close {
            // SAFETY: the connection is alive, and this callback is registered with it.
            unsafe { sys::virConnectUnregisterCloseCallback(connect, Some(on_close)) };
        }
    }
}

/// The reference a registration holds: [`release`] gives it back, [`watches_of`] looks behind it.
fn lend(watches: &Arc<Watches>) -> *mut c_void {
    Weak::into_raw(Arc::downgrade(watches)).cast_mut().cast()
}

/// Gives back the reference a registration held.
///
/// # Safety
/// `opaque` comes from [`lend`], and this is called once for it.
unsafe extern "C" fn release(opaque: *mut c_void) {
    // SAFETY: the caller's promise.
    drop(unsafe { Weak::from_raw(opaque.cast_const().cast::<Watches>()) });
}

/// The watches behind a registration, if the connection is not being closed.
///
/// # Safety
/// `opaque` comes from [`lend`] and was not released.
unsafe fn watches_of(opaque: *mut c_void) -> Option<Arc<Watches>> {
    // SAFETY: the caller's promise; the reference stays the registration's.
    ManuallyDrop::new(unsafe { Weak::from_raw(opaque.cast_const().cast::<Watches>()) }).upgrade()
}

unsafe extern "C" fn on_lifecycle(
    _connect: sys::virConnectPtr,
    domain: sys::virDomainPtr,
    event: c_int,
    detail: c_int,
    opaque: *mut c_void,
) -> c_int {
    let mut uuid = [0_u8; sys::VIR_UUID_BUFLEN as usize];
    // SAFETY: libvirt lends the domain for the time of the call, and the buffer has the size it
    // demands.
    let found = unsafe { sys::virDomainGetUUID(domain, uuid.as_mut_ptr()) } == 0;
    // SAFETY: libvirt calls this for registrations that were not released.
    let watches = unsafe { watches_of(opaque) };
    if let (true, Some(event), Some(watches)) = (found, event_of(event, detail), watches) {
        watches.event(Uuid::from_bytes(uuid), event);
    }
    0
}

unsafe extern "C" fn on_close(_connect: sys::virConnectPtr, _reason: c_int, opaque: *mut c_void) {
    // SAFETY: libvirt calls this for registrations that were not released.
    if let Some(watches) = unsafe { watches_of(opaque) } {
        watches.closed();
    }
}

/// What libvirt's numbers mean (`virDomainEventType` and the details of "stopped").
fn event_of(event: c_int, detail: c_int) -> Option<Event> {
    let (event, detail) = (event.cast_unsigned(), detail.cast_unsigned());
    let state = match event {
        sys::VIR_DOMAIN_EVENT_STARTED | sys::VIR_DOMAIN_EVENT_RESUMED => DomainState::Running,
        sys::VIR_DOMAIN_EVENT_SUSPENDED => DomainState::Paused,
        sys::VIR_DOMAIN_EVENT_PMSUSPENDED => DomainState::Suspended,
        sys::VIR_DOMAIN_EVENT_SHUTDOWN => DomainState::ShuttingDown,
        sys::VIR_DOMAIN_EVENT_CRASHED => DomainState::Crashed,
        sys::VIR_DOMAIN_EVENT_STOPPED => match detail {
            sys::VIR_DOMAIN_EVENT_STOPPED_CRASHED | sys::VIR_DOMAIN_EVENT_STOPPED_FAILED => {
                DomainState::Crashed
            }
            _ => DomainState::ShutOff,
        },
        sys::VIR_DOMAIN_EVENT_UNDEFINED => return Some(Event::Undefined),
        // A definition says nothing of the state; later libvirts may know more events.
        _ => return None,
    };
    Some(Event::Entered(state))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_mean_states() {
        let entered = |state| Some(Event::Entered(state));
        let stopped = sys::VIR_DOMAIN_EVENT_STOPPED;
        let cases = [
            (sys::VIR_DOMAIN_EVENT_DEFINED, 0, None),
            (sys::VIR_DOMAIN_EVENT_UNDEFINED, 0, Some(Event::Undefined)),
            (
                sys::VIR_DOMAIN_EVENT_STARTED,
                0,
                entered(DomainState::Running),
            ),
            (
                sys::VIR_DOMAIN_EVENT_SUSPENDED,
                2,
                entered(DomainState::Paused),
            ),
            (
                sys::VIR_DOMAIN_EVENT_RESUMED,
                0,
                entered(DomainState::Running),
            ),
            (
                sys::VIR_DOMAIN_EVENT_SHUTDOWN,
                1,
                entered(DomainState::ShuttingDown),
            ),
            (
                stopped,
                sys::VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN,
                entered(DomainState::ShutOff),
            ),
            (
                stopped,
                sys::VIR_DOMAIN_EVENT_STOPPED_DESTROYED,
                entered(DomainState::ShutOff),
            ),
            (
                stopped,
                sys::VIR_DOMAIN_EVENT_STOPPED_CRASHED,
                entered(DomainState::Crashed),
            ),
            (
                stopped,
                sys::VIR_DOMAIN_EVENT_STOPPED_FAILED,
                entered(DomainState::Crashed),
            ),
            (
                sys::VIR_DOMAIN_EVENT_CRASHED,
                0,
                entered(DomainState::Crashed),
            ),
            (99, 0, None),
        ];
        for (event, detail, expected) in cases {
            assert_eq!(
                event_of(event.cast_signed(), detail.cast_signed()),
                expected,
                "{event}"
            );
        }
    }
}
