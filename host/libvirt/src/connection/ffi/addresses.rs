//! Addresses of a domain's interfaces.
#![expect(
    unsafe_code,
    reason = "C functions that the virt crate has no sound wrapper for"
)]
use std::{
    ffi::{CStr, c_char, c_void},
    net::IpAddr,
    ptr, slice,
};

use virt::{domain::Domain, error::Error};
use virt_sys as sys;

use crate::{AddressSource, InterfaceAddress};

type Result<T> = std::result::Result<T, Error>;

/// The addresses of a domain's interfaces.
pub(in crate::connection) fn interface_addresses(
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
}
