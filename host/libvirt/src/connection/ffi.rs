//! What the `virt` crate lacks or gets wrong, called through `virt-sys`.
//!
//! * lifecycle events and the loss of the connection: `virt` has neither;
//! * holes in a stream: `virt` has none;
//! * addresses of a domain's interfaces: `virt` 0.4.3 reads the hardware address without looking
//!   whether there is one, and an agent reports interfaces that have none.
#![expect(
    unsafe_code,
    reason = "C functions that the virt crate has no sound wrapper for"
)]
use std::{
    ffi::{CStr, c_char, c_int, c_void},
    mem::ManuallyDrop,
    net::IpAddr,
    ptr, slice,
    sync::{Arc, Weak},
};

use uuid::Uuid;
use virt::{connect::Connect, domain::Domain, error::Error, stream::Stream};
use virt_sys as sys;

use super::watches::{Event, Watches};
use crate::{AddressSource, DomainState, InterfaceAddress};

type Result<T> = std::result::Result<T, Error>;

/// Sends a hole of `length` bytes. The stream must have been opened as a sparse one.
pub(super) fn send_hole(stream: &Stream, length: u64) -> Result<()> {
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

/// The addresses of a domain's interfaces.
pub(super) fn interface_addresses(
    domain: &Domain,
    source: AddressSource,
) -> Result<Vec<InterfaceAddress>> {
    let source = match source {
        AddressSource::Agent => sys::VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT,
        AddressSource::Lease => sys::VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_LEASE,
        AddressSource::Arp => sys::VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_ARP,
    };
    let mut interfaces: *mut sys::virDomainInterfacePtr = ptr::null_mut();
    // SAFETY: the domain is alive as long as it is borrowed, and `interfaces` is a place for one
    // pointer.
    let count =
        unsafe { sys::virDomainInterfaceAddresses(domain.as_ptr(), &mut interfaces, source, 0) };
    let Ok(count) = usize::try_from(count) else {
        return Err(Error::last_error());
    };
    let mut addresses = Vec::new();
    for index in 0..count {
        // SAFETY: libvirt made an array of `count` pointers, each to an interface that is ours to
        // free.
        unsafe {
            let interface = *interfaces.add(index);
            read_interface(&*interface, &mut addresses);
            sys::virDomainInterfaceFree(interface);
        }
    }
    // SAFETY: the array was allocated by libvirt with malloc (its documentation says to `free` it),
    // or is NULL.
    unsafe { free(interfaces.cast()) };
    Ok(addresses)
}

unsafe extern "C" {
    /// The C library's.
    fn free(pointer: *mut c_void);
}

/// Adds the addresses of one interface.
///
/// # Safety
/// The interface's pointers are NULL or valid, and `addrs` has `naddrs` elements.
unsafe fn read_interface(
    interface: &sys::virDomainInterface,
    addresses: &mut Vec<InterfaceAddress>,
) {
    if interface.addrs.is_null() {
        return;
    }
    // SAFETY: passed on from the caller.
    let (name, mac, list) = unsafe {
        (
            string(interface.name).unwrap_or_default(),
            string(interface.hwaddr).map(|mac| mac.to_lowercase()),
            slice::from_raw_parts(interface.addrs, interface.naddrs as usize),
        )
    };
    for address in list {
        // SAFETY: passed on from the caller.
        let text = unsafe { string(address.addr) }.unwrap_or_default();
        // An address no one can parse is one no one can connect to.
        if let Ok(ip) = text.parse::<IpAddr>() {
            let prefix = u8::try_from(address.prefix).unwrap_or(0);
            addresses.push(InterfaceAddress {
                name: name.clone(),
                mac: mac.clone(),
                ip,
                prefix,
            });
        }
    }
}

/// A copy of a C string, if there is one.
///
/// # Safety
/// The pointer is NULL or one of a string that ends with a NUL.
unsafe fn string(pointer: *const c_char) -> Option<String> {
    // SAFETY: the caller's promise; NULL is excluded first.
    (!pointer.is_null()).then(|| {
        unsafe { CStr::from_ptr(pointer) }
            .to_string_lossy()
            .into_owned()
    })
}

/// Events of a connection, delivered to [`Watches`] by the event thread until this is dropped.
pub(super) struct Subscription {
    /// A reference of our own, so that the connection outlives the callbacks.
    connect: Connect,
    lifecycle: Option<c_int>,
    close: bool,
}

impl Subscription {
    /// Subscribes to lifecycle events of all domains and to the loss of the connection. A driver
    /// that cannot be lost (`test:///`) takes the latter without ever releasing it, so what a
    /// registration holds is a weak reference.
    pub(super) fn new(connect: &Connect, watches: &Arc<Watches>) -> Result<Self> {
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
    fn interfaces_without_an_address_of_either_kind_are_read() {
        let name = c"tun0".as_ptr().cast_mut();
        let mut list = [
            sys::virDomainIPAddress {
                type_: 0,
                addr: c"10.0.0.1".as_ptr().cast_mut(),
                prefix: 24,
            },
            sys::virDomainIPAddress {
                type_: 1,
                addr: c"fe80::1%2".as_ptr().cast_mut(),
                prefix: 64,
            },
            sys::virDomainIPAddress {
                type_: 1,
                addr: ptr::null_mut(),
                prefix: 64,
            },
        ];
        let without_mac = sys::virDomainInterface {
            name,
            hwaddr: ptr::null_mut(),
            naddrs: 3,
            addrs: list.as_mut_ptr(),
        };
        let upper_case = sys::virDomainInterface {
            hwaddr: c"52:54:00:AB:CD:EF".as_ptr().cast_mut(),
            naddrs: 1,
            ..without_mac
        };
        let nothing = sys::virDomainInterface {
            addrs: ptr::null_mut(),
            ..without_mac
        };
        let mut addresses = Vec::new();
        for interface in [&without_mac, &upper_case, &nothing] {
            // SAFETY: the pointers are NULL or to constants, and the counts are those of the list.
            unsafe { read_interface(interface, &mut addresses) };
        }
        let expected = |mac: Option<&str>| InterfaceAddress {
            name: "tun0".into(),
            mac: mac.map(str::to_owned),
            ip: "10.0.0.1".parse().unwrap(),
            prefix: 24,
        };
        assert_eq!(
            addresses,
            [expected(None), expected(Some("52:54:00:ab:cd:ef"))]
        );
    }

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
