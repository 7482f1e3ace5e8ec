//! A running guest's keyboard and screen.
use std::time::Duration;

use virt::stream::Stream;
use virt_sys as sys;

use super::{Session, errors::Context};
use crate::{
    DomainId, Error, KeyCodeSet, Result, Screenshot,
    screenshot::{MAX_PICTURE, to_png},
};

/// Bytes of a picture taken from the stream at once.
const PORTION: usize = 256 << 10;

impl Session {
    pub(super) fn resume_domain(&self, id: &DomainId) -> Result<()> {
        let action = format!("resume the domain {id}");
        let domain = self.active_domain(id, &action)?;
        let context = Context::new(self, action);
        let (state, _) = domain.get_state().map_err(|error| context.error(error))?;
        // Some drivers refuse to resume what runs.
        if state != sys::VIR_DOMAIN_PAUSED {
            return Ok(());
        }
        domain
            .resume()
            .map(drop)
            .map_err(|error| context.error(error))
    }

    pub(super) fn send_keys(
        &self,
        id: &DomainId,
        set: KeyCodeSet,
        codes: &mut [u32],
        hold: Duration,
    ) -> Result<()> {
        let action = format!("press keys in the domain {id}");
        Error::check_keys(&action, codes)?;
        let domain = self.active_domain(id, &action)?;
        let hold = u32::try_from(hold.as_millis()).unwrap_or(u32::MAX);
        // At most MAX_KEYS of them.
        let count = codes.len() as i32;
        domain
            .send_key(code_set(set), hold, codes.as_mut_ptr(), count, 0)
            .map_err(|error| Context::new(self, action).error(error))
    }

    pub(super) fn screenshot(&self, id: &DomainId) -> Result<Screenshot> {
        let action = format!("take a picture of the screen of the domain {id}");
        let domain = self.active_domain(id, &action)?;
        let context = Context::new(self, action.clone());
        let stream = Stream::new(&self.connect, 0).map_err(|error| context.error(error))?;
        domain
            .screenshot(&stream, 0, 0)
            .map_err(|error| no_screen(context.error(error)))?;
        let mut picture = Vec::new();
        let mut portion = vec![0; PORTION];
        loop {
            let count = stream
                .recv(&mut portion)
                .map_err(|error| context.error(error))?;
            if count == 0 {
                break;
            }
            picture.extend_from_slice(&portion[..count]);
            if picture.len() > MAX_PICTURE {
                if let Err(error) = stream.abort() {
                    tracing::debug!(%error, "a picture could not be given up");
                }
                return Err(Error::InvalidValue {
                    action,
                    message: format!("the picture is larger than {MAX_PICTURE} bytes"),
                });
            }
        }
        stream.finish().map_err(|error| context.error(error))?;
        to_png(&action, picture)
    }
}

/// QEMU's driver has no number of its own for a guest without a screen.
fn no_screen(error: Error) -> Error {
    match error {
        Error::Libvirt {
            action, message, ..
        } if message.contains("no screens") || message.contains("There is no console") => {
            Error::NotSupported {
                action,
                message: "it has no screen".to_owned(),
            }
        }
        other => other,
    }
}

fn code_set(set: KeyCodeSet) -> sys::virKeycodeSet {
    match set {
        KeyCodeSet::Linux => sys::VIR_KEYCODE_SET_LINUX,
        KeyCodeSet::Xt => sys::VIR_KEYCODE_SET_XT,
        KeyCodeSet::AtSet1 => sys::VIR_KEYCODE_SET_ATSET1,
        KeyCodeSet::AtSet2 => sys::VIR_KEYCODE_SET_ATSET2,
        KeyCodeSet::AtSet3 => sys::VIR_KEYCODE_SET_ATSET3,
        KeyCodeSet::Osx => sys::VIR_KEYCODE_SET_OSX,
        KeyCodeSet::XtKbd => sys::VIR_KEYCODE_SET_XT_KBD,
        KeyCodeSet::Usb => sys::VIR_KEYCODE_SET_USB,
        KeyCodeSet::Win32 => sys::VIR_KEYCODE_SET_WIN32,
        KeyCodeSet::Qnum => sys::VIR_KEYCODE_SET_QNUM,
    }
}
