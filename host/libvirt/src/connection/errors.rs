//! libvirt's errors, sorted into the kinds the engine matches on.
use virt::error::{Error as VirtError, ErrorNumber};

use super::Session;
use crate::Error;

/// What is being done, to say it when it fails.
pub(super) struct Context<'a> {
    session: &'a Session,
    action: String,
}

impl<'a> Context<'a> {
    pub(super) fn new(session: &'a Session, action: impl Into<String>) -> Self {
        Self {
            session,
            action: action.into(),
        }
    }

    /// The error of a call that was made on this thread.
    pub(super) fn error(&self, error: VirtError) -> Error {
        let lost = self.session.watches.is_closed()
            || matches!(self.session.connect.is_alive(), Ok(false));
        classify(&self.action, &error, lost)
    }
}

fn classify(action: &str, error: &VirtError, lost: bool) -> Error {
    sort(action, error.code(), error.message(), lost)
}

fn sort(action: &str, number: ErrorNumber, message: &str, lost: bool) -> Error {
    let action = action.to_owned();
    let text = message.trim().to_owned();
    if lost {
        return Error::Disconnected {
            action,
            message: text,
        };
    }
    if says_kvm_fails(&text) {
        return Error::KvmUnusable { message: text };
    }
    match number {
        ErrorNumber::NoSupport
        | ErrorNumber::OperationUnsupported
        | ErrorNumber::ArgumentUnsupported => Error::NotSupported {
            action,
            message: text,
        },
        // What virCheckFlags answers of a flag the other end does not know.
        ErrorNumber::InvalidArg if text.contains("unsupported flags") => Error::NotSupported {
            action,
            message: text,
        },
        // "cannot acquire state change lock": another call on the domain has not ended.
        ErrorNumber::OperationTimeout => Error::Busy {
            action,
            message: text,
        },
        _ if says_no_space(&text) => Error::NoSpace {
            action,
            message: text,
            needed: None,
            available: None,
        },
        _ => Error::Libvirt {
            action,
            code: number.to_raw().cast_signed(),
            message: text,
        },
    }
}

/// libvirt has no number for a full pool: it says so (storage_driver.c), or passes on ENOSPC's
/// text.
fn says_no_space(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    ["no space left on device", "not enough free space"]
        .iter()
        .any(|text| message.contains(text))
}

/// Nor one for KVM: `/dev/kvm` missing or forbidden, QEMU's accelerator that does not initialise, a
/// register that a nested KVM refuses, or a host without the CPU feature.
fn says_kvm_fails(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    [
        "could not access kvm",
        "failed to initialize kvm",
        "failed to initialise kvm",
        "failed to set msr",
        "kvm_buf_set_msrs",
        "kvm_init_vcpu",
        "kvm: entry failed",
        "kvm is not available",
        "kvm is not supported",
        "does not support virt type 'kvm'",
        "type=kvm",
        "domain requires kvm",
        "/dev/kvm",
    ]
    .iter()
    .any(|text| message.contains(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_told_apart() {
        type Check = fn(&Error) -> bool;
        let unsupported: Check = |error| matches!(error, Error::NotSupported { .. });
        let no_space: Check = |error| matches!(error, Error::NoSpace { .. });
        let kvm: Check = |error| matches!(error, Error::KvmUnusable { .. });
        let busy: Check = |error| error.is_busy();
        let other: Check = |error| matches!(error, Error::Libvirt { .. });
        let cases = [
            (
                ErrorNumber::NoSupport,
                "this function is not supported by the connection driver: \
              virStorageVolUpload",
                unsupported,
            ),
            (
                ErrorNumber::InvalidArg,
                "unsupported flags (0x1) in function testDomainUndefineFlags",
                unsupported,
            ),
            (
                ErrorNumber::InvalidArg,
                "invalid argument: can't shrink",
                other,
            ),
            (
                ErrorNumber::OperationFailed,
                "Not enough free space in pool for volume 'x'",
                no_space,
            ),
            (
                ErrorNumber::SystemError,
                "cannot fill file '/p/x': No space left on device",
                no_space,
            ),
            (
                ErrorNumber::InternalError,
                "process exited while connecting to monitor: \
              Could not access KVM kernel module: Permission denied",
                kvm,
            ),
            (
                ErrorNumber::InternalError,
                "qemu unexpectedly closed the monitor: error: failed to set \
              MSR 0x10a to 0x0",
                kvm,
            ),
            (
                ErrorNumber::ConfigUnsupported,
                "Emulator '/usr/bin/qemu-system-x86_64' does not \
              support virt type 'kvm'",
                kvm,
            ),
            (
                ErrorNumber::InvalidArg,
                "could not get preferred machine for \
              /usr/bin/qemu-system-x86_64 type=kvm",
                kvm,
            ),
            (
                ErrorNumber::OperationFailed,
                "domain 'x' already exists",
                other,
            ),
            (
                ErrorNumber::OperationTimeout,
                "Timed out during operation: cannot acquire state change lock (held by \
              monitor=remoteDispatchDomainCreateWithFlags)",
                busy,
            ),
        ];
        for (number, message, expected) in cases {
            let error = sort("do it", number, message, false);
            assert!(expected(&error), "{message}: {error:?}");
            let lost = sort("do it", number, message, true);
            assert!(matches!(lost, Error::Disconnected { .. }));
        }
    }

    #[test]
    fn the_way_out_of_a_broken_kvm_is_named() {
        let error = sort(
            "start",
            ErrorNumber::InternalError,
            "failed to initialize kvm: x",
            false,
        );
        assert!(
            error.to_string().contains("set domain_type = \"qemu\""),
            "{error}"
        );
    }
}
