//! The domain's serial and virtual consoles.

use lvhost_hcl::Value;

use crate::schema::Kind;
use crate::setting::{Mismatch, Setting, choices, unfit};

choices! {
    /// A console that every domain has, by its alias.
    pub enum Console {
        /// The first serial port.
        Serial = "serial-console",
        /// A virtio console.
        Virtual = "virtual-console",
    }
}

/// Where the log of the serial console is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ConsoleLog {
    /// Where lvhost keeps it by itself.
    #[default]
    Default,
    /// Nowhere.
    Off,
    /// In the file of this path on this machine.
    File(String),
}

impl Setting for ConsoleLog {
    const KIND: Kind = Kind::Text;
    const REQUIRED: bool = false;

    fn decode(value: &Value) -> Result<Self, Mismatch> {
        match value.to_text().as_deref() {
            Some("true") => Ok(Self::Default),
            Some("false" | "off") => Ok(Self::Off),
            Some(path) => Ok(Self::File(path.to_string())),
            None => unfit(Self::KIND, value),
        }
    }
}
