//! libvirt's client library, loaded when the first connection is made.
//!
//! ```text
//!  virt crate ──call──► virDomainCreate ──jmp──► its slot ──► libvirt.so.0 (after load)
//!                       (this module's)             └──────► not_loaded    (before: aborts)
//! ```
//!
//! libvirt.so.0 brings some fifty libraries with it, and loading them takes longer than all the rest
//! of `lvhost validate`. So the executable is not linked to it: this module defines each function
//! of libvirt's that is used as a jump through a slot, and [`load`] fills the slots. The linker sees
//! libvirt on its command line (virt-sys names it) and leaves it out, as nothing is missing. A
//! function that is called and not listed here brings the dependency back, which a test notices.
//!
//! On architectures without such a jump below, the executable is linked to libvirt as usual.
#![expect(
    unsafe_code,
    reason = "resolves C functions at run time; see each block"
)]
use std::{
    ffi::c_void,
    sync::{Mutex, PoisonError},
};

use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};

use crate::{Error, Result};

/// The library's name since its first release with a stable interface.
const LIBRARY: &str = "libvirt.so.0";

/// One jump and its slot. The slot follows in a section of its own, so that all slots together, in
/// the order of the list, are the array [`slots`].
#[cfg(target_arch = "x86_64")]
macro_rules! jump {
    ($name:ident) => {
        concat!(
            ".globl ",
            stringify!($name),
            "\n",
            ".hidden ",
            stringify!($name),
            "\n",
            ".type ",
            stringify!($name),
            ", @function\n",
            stringify!($name),
            ":\n",
            "jmp qword ptr [rip + 2f]\n",
            ".pushsection .data.lvhost_libvirt_slots, \"aw\"\n",
            "2: .quad {not_loaded}\n",
            ".popsection\n",
        )
    };
}

#[cfg(target_arch = "aarch64")]
macro_rules! jump {
    ($name:ident) => {
        concat!(
            ".globl ",
            stringify!($name),
            "\n",
            ".hidden ",
            stringify!($name),
            "\n",
            ".type ",
            stringify!($name),
            ", %function\n",
            stringify!($name),
            ":\n",
            "adrp x16, 2f\n",
            "ldr x16, [x16, :lo12:2f]\n",
            "br x16\n",
            ".pushsection .data.lvhost_libvirt_slots, \"aw\"\n",
            "2: .quad {not_loaded}\n",
            ".popsection\n",
        )
    };
}

macro_rules! functions {
    ($($name:ident)*) => {
        /// What is taken from the library.
        const FUNCTIONS: &[&str] = &[$(stringify!($name)),*];

        std::arch::global_asm!(
            ".pushsection .data.lvhost_libvirt_slots, \"aw\"",
            ".balign 8",
            ".globl lvhost_libvirt_slots",
            ".hidden lvhost_libvirt_slots",
            "lvhost_libvirt_slots:",
            ".popsection",
            ".pushsection .text.lvhost_libvirt, \"ax\"",
            $(jump!($name),)*
            ".popsection",
            not_loaded = sym not_loaded,
        );
    };
}

functions! {
    virConnectClose virConnectDomainEventDeregisterAny virConnectDomainEventRegisterAny
    virConnectGetCapabilities virConnectGetDomainCapabilities virConnectGetHostname
    virConnectGetLibVersion virConnectGetType virConnectGetURI virConnectGetVersion
    virConnectIsAlive virConnectListAllDomains virConnectListAllNetworks
    virConnectListAllStoragePools virConnectOpen virConnectRef virConnectRegisterCloseCallback
    virConnectSetKeepAlive virConnectUnregisterCloseCallback
    virDomainCreate virDomainCreateWithFlags virDomainDefineXML virDomainDestroy virDomainFree
    virDomainGetMetadata virDomainGetName virDomainGetState virDomainGetUUID virDomainGetXMLDesc
    virDomainInterfaceAddresses virDomainInterfaceFree virDomainIsActive virDomainIsPersistent
    virDomainLookupByName
    virDomainLookupByUUID virDomainOpenConsole virDomainResume virDomainScreenshot virDomainSendKey
    virDomainSetMetadata virDomainShutdown virDomainShutdownFlags virDomainUndefineFlags
    virEventRegisterDefaultImpl virEventRunDefaultImpl
    virGetLastError virSetErrorFunc
    virInterfaceFree virInterfaceGetXMLDesc virInterfaceLookupByName
    virNetworkFree virNetworkGetName virNetworkGetXMLDesc virNetworkIsActive virNetworkLookupByName
    virNodeGetInfo
    virStoragePoolFree virStoragePoolGetName virStoragePoolGetXMLDesc virStoragePoolIsActive
    virStoragePoolListAllVolumes virStoragePoolLookupByName virStoragePoolLookupByVolume
    virStoragePoolRefresh
    virStorageVolCreateXML virStorageVolCreateXMLFrom virStorageVolDelete virStorageVolDownload
    virStorageVolFree virStorageVolGetInfo virStorageVolGetInfoFlags virStorageVolGetKey
    virStorageVolGetName virStorageVolGetPath virStorageVolGetXMLDesc virStorageVolLookupByName
    virStorageVolLookupByPath virStorageVolResize virStorageVolUpload
    virStreamAbort virStreamEventAddCallback virStreamEventRemoveCallback
    virStreamEventUpdateCallback virStreamFinish virStreamFree virStreamNew virStreamRecv
    virStreamRecvFlags virStreamRecvHole virStreamSend virStreamSendHole
}

/// Where every slot leads before [`load`], and where one for which the library had nothing would.
extern "C" fn not_loaded() -> ! {
    // No caller can be told: it expects some C function's result.
    std::process::abort()
}

unsafe extern "C" {
    /// The slots, one for each of [`FUNCTIONS`].
    static mut lvhost_libvirt_slots: [*mut c_void; FUNCTIONS.len()];
}

/// Loads the library, once a process. Must have returned before any function of libvirt is called.
pub(super) fn load() -> Result<()> {
    static LOADED: Mutex<bool> = Mutex::new(false);
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    if *loaded {
        return Ok(());
    }
    let failed = |error: libloading::Error| Error::NoLibrary {
        library: LIBRARY,
        message: error.to_string(),
    };
    // SAFETY: libvirt's initialisers touch nothing of this process but their own data.
    let library =
        unsafe { Library::open(Some(LIBRARY), RTLD_NOW | RTLD_GLOBAL) }.map_err(failed)?;
    let mut addresses = [std::ptr::null_mut(); FUNCTIONS.len()];
    for (address, name) in addresses.iter_mut().zip(FUNCTIONS) {
        // SAFETY: the symbol is not called as this type; its address is all that is used.
        let symbol = unsafe { library.get::<*mut c_void>(name.as_bytes()) }.map_err(failed)?;
        *address = symbol.as_raw_ptr();
    }
    // The slots keep pointing into it.
    std::mem::forget(library);
    // SAFETY: the array above has that length. Nobody reads a slot before this function has
    // returned to it, and the lock, which this thread holds, orders that read after this write.
    unsafe {
        (&raw mut lvhost_libvirt_slots).write(addresses);
    }
    *loaded = true;
    Ok(())
}
