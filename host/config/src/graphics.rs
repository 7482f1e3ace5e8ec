//! The `graphics` block.

use crate::declare::options;
use crate::setting::choices;

choices! {
    /// The kind of a graphical console.
    pub enum GraphicsType {
        /// VNC.
        Vnc = "vnc",
        /// A window on an X display of the hypervisor's host.
        Sdl = "sdl",
    }
}

options! {
    /// A graphical console of the domain. With at least one, the domain gets a video card.
    pub struct Graphics for "graphics" {
        options {
            /// The kind: `vnc` or `sdl`.
            r#type: GraphicsType,
            /// The TCP port of the VNC server. A free one if left out or `0`.
            port: Option<u16>,
            /// The address the VNC server listens on. The one of the hypervisor's settings if left out.
            listen: Option<String>,
            /// The X display, such as `:0`. Required for `sdl`.
            display: Option<String>,
        }
    }
}
