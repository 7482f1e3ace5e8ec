//! The `graphics` block.

use secrecy::SecretString;

use crate::declare::options;
use crate::setting::choices;

choices! {
    /// The kind of a graphical console.
    pub enum GraphicsType {
        /// VNC.
        Vnc = "vnc",
        /// SPICE.
        Spice = "spice",
        /// A window on an X display of the hypervisor's host.
        Sdl = "sdl",
    }
}

choices! {
    /// The model of a video card.
    pub enum VideoModel {
        /// virtio-gpu, for guests with its driver.
        Virtio = "virtio",
        /// QXL, for SPICE.
        Qxl = "qxl",
        /// Standard VGA, which any guest can drive.
        Vga = "vga",
        /// The Cirrus Logic card of old guests.
        Cirrus = "cirrus",
        /// The display of Bochs, for UEFI guests without a need for VGA.
        Bochs = "bochs",
        /// A plain frame buffer, for UEFI guests without a PCI card.
        Ramfb = "ramfb",
        /// No video card, in spite of `graphics`.
        None = "none",
    }
}

options! {
    /// A graphical console of the domain. With at least one, the domain gets a video card.
    pub struct Graphics for "graphics" {
        options {
            /// The kind.
            r#type: GraphicsType,
            /// The TCP port of the VNC or SPICE server. A free one if left out or `0`.
            port: Option<u16>,
            /// The address the server listens on. `127.0.0.1` if left out.
            listen: Option<String>,
            /// The password of the server, of at most 8 characters for VNC. Without one, whoever reaches
            /// the port gets in.
            password: Option<SecretString>,
            /// The X display, such as `:0`. Required for `sdl`.
            display: Option<String>,
        }
    }
}
