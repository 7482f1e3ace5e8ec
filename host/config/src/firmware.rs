//! What a domain boots by, and the chip it keeps secrets in.

use lvhost_hcl::Value;

use crate::schema::{Choice, Kind};
use crate::setting::{Mismatch, Setting, choices, unfit, unknown_word};

choices! {
    /// The kind of firmware, found by libvirt.
    pub enum Firmware {
        /// The machine's own: BIOS on a PC.
        Bios = "bios",
        /// UEFI. Libvirt looks for an image that fits the domain, and gives it variables of its own.
        Efi = "efi",
    }
}

choices! {
    /// How the firmware is mapped into the guest.
    pub enum LoaderType {
        /// Read-only memory.
        Rom = "rom",
        /// Flash, with variables beside it.
        Pflash = "pflash",
    }
}

/// A trusted platform module.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Tpm {
    /// There is none.
    #[default]
    None,
    /// One of version 2.0, emulated by swtpm.
    V2_0,
    /// One of version 1.2, emulated by swtpm.
    V1_2,
}

impl Tpm {
    const CHOICES: &'static [Choice] = &[
        Choice {
            word: "2.0",
            documentation: &["What Windows 11 asks for. `true` means the same."],
        },
        Choice {
            word: "1.2",
            documentation: &["For guests that know nothing newer."],
        },
    ];
}

impl Setting for Tpm {
    const KIND: Kind = Kind::Choice(Self::CHOICES);
    const REQUIRED: bool = false;

    fn decode(value: &Value) -> Result<Self, Mismatch> {
        match value.to_text().as_deref() {
            Some("false") => Ok(Self::None),
            // A number shows no zero behind its point.
            Some("true" | "2.0" | "2") => Ok(Self::V2_0),
            Some("1.2") => Ok(Self::V1_2),
            Some(other) => Err(unknown_word::<Self>(other, Self::CHOICES)),
            None => unfit(Self::KIND, value),
        }
    }
}
