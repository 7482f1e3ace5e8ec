//! Rules for graphical consoles.

use lvhost_hcl::{Diagnostic, Diagnostics};
use secrecy::ExposeSecret as _;

use crate::graphics::{Graphics, GraphicsType};

/// The VNC protocol uses no more than eight characters of a password, and libvirt refuses longer ones.
/// Source: <https://www.rfc-editor.org/rfc/rfc6143#section-7.2.2>.
const LONGEST_VNC_PASSWORD: usize = 8;

pub(super) fn check(graphics: &Graphics, report: &mut Diagnostics) {
    let origin = &graphics.origin;
    if origin.is_unknown("type") || !origin.is_set("type") {
        return;
    }
    let kind = graphics.r#type;
    if kind == GraphicsType::Sdl && !origin.is_set("display") && !origin.is_unknown("display") {
        report.push(
            Diagnostic::error(origin.span(), "`display` is missing")
                .detail("graphics of type `sdl` need the X display to show the window on"),
        );
    }
    if kind == GraphicsType::Vnc
        && let Some(password) = &graphics.password
        && password.expose_secret().len() > LONGEST_VNC_PASSWORD
    {
        report.push(Diagnostic::error(
            origin.span_of("password"),
            format!("a VNC password has at most {LONGEST_VNC_PASSWORD} characters"),
        ));
    }
    let foreign: &[&str] = match kind {
        GraphicsType::Vnc | GraphicsType::Spice => &["display"],
        GraphicsType::Sdl => &["port", "listen", "password"],
    };
    for name in foreign.iter().filter(|name| origin.is_set(name)) {
        report.push(Diagnostic::warning(
            origin.span_of(name),
            format!(
                "`{name}` has no effect in graphics of type `{}`",
                kind.as_str()
            ),
        ));
    }
}
