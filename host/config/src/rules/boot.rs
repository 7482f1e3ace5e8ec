//! Rules for what is typed at a guest's start and for the HTTP server it may fetch files from.

use std::net::IpAddr;
use std::time::Duration;

use lvhost_hcl::{Diagnostic, Diagnostics};

use super::port;
use crate::libvirt_source::LibvirtSource;

/// Guests that look at their keyboard now and then miss shorter presses.
const SHORTEST_HOLD: Duration = Duration::from_millis(5);

/// Lengthens what is too short.
pub(crate) fn settle(source: &mut LibvirtSource) {
    source.key_hold_time = source.key_hold_time.max(SHORTEST_HOLD);
}

pub(super) fn check(source: &LibvirtSource, report: &mut Diagnostics) {
    let origin = &source.origin;
    let both = |first: &str, second: &str| origin.is_set(first) && origin.is_set(second);
    if both("http_directory", "http_content") {
        report.push(
            Diagnostic::error(
                origin.span_of("http_content"),
                "`http_content` and `http_directory` exclude each other",
            )
            .help("write the contents into files of the folder"),
        );
    }
    if both("http_bind_address", "http_interface") {
        report.push(Diagnostic::error(
            origin.span_of("http_interface"),
            "`http_interface` and `http_bind_address` exclude each other",
        ));
    }
    if let Some(address) = &source.http_bind_address
        && !origin.is_unknown("http_bind_address")
        && address.parse::<IpAddr>().is_err()
    {
        report.push(Diagnostic::error(
            origin.span_of("http_bind_address"),
            format!("`{address}` is not an IP address"),
        ));
    }
    port("http_port_min", source.http_port_min, origin, report);
    port("http_port_max", source.http_port_max, origin, report);
    let known = !origin.is_unknown("http_port_min") && !origin.is_unknown("http_port_max");
    if known && source.http_port_min > source.http_port_max {
        let written = ["http_port_min", "http_port_max"];
        let name = written.into_iter().find(|name| origin.is_set(name));
        report.push(Diagnostic::error(
            origin.span_of(name.unwrap_or_default()),
            format!(
                "`http_port_min` is {}, which is more than `http_port_max` with {}",
                source.http_port_min, source.http_port_max
            ),
        ));
    }
    if !origin.is_unknown("http_content") {
        for path in source.http_content.keys() {
            if !path.starts_with('/') {
                report.push(
                    Diagnostic::error(
                        origin.span_of_element("http_content", &format!("[{path:?}]")),
                        format!("`{path}` is not the path of a URL"),
                    )
                    .help(format!("write `/{path}`")),
                );
            }
        }
    }
}
