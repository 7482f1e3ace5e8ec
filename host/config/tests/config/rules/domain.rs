//! Rules of the domain and its devices.

use super::{LOCAL, NONE, check, said};
use crate::world::decode;

#[test]
fn firmware() {
    check(
        &format!("{LOCAL}{NONE}"),
        &[
            ("firmware = \"efi\"\nsecure_boot = true\ntpm = true", &[]),
            (
                "firmware = \"efi\"\nsecure_boot = true\nchipset = \"q35\"",
                &[],
            ),
            (
                "firmware = \"efi\"\nsecure_boot = true\nchipset = \"pc-q35-9.2\"",
                &[],
            ),
            ("firmware = \"efi\"\nnvram_path = \"/vars.fd\"", &[]),
            ("loader_path = \"/code.fd\"\nsecure_boot = true", &[]),
            (
                "firmware = \"efi\"\nsecure_boot = true\nchipset = \"pc\"",
                &["error: there is no secure boot on the machine type `pc`"],
            ),
            (
                "firmware = \"bios\"\nsecure_boot = true",
                &["error: a BIOS has no secure boot"],
            ),
            (
                "secure_boot = true",
                &["warning: `secure_boot` has no effect without a firmware for it"],
            ),
            (
                "firmware = \"efi\"\nloader_path = \"/code.fd\"",
                &["error: `firmware` and `loader_path` exclude each other"],
            ),
            (
                "firmware = \"efi\"\nnvram_template = \"/vars.fd\"",
                &["error: `nvram_template` has no meaning without `loader_path`"],
            ),
            (
                "firmware = \"uefi\"",
                &[
                    "error: `firmware`: `uefi` is not one of \"bios\", \"efi\"; did you mean \"efi\"?",
                ],
            ),
            (
                "tpm = \"3.0\"",
                &["error: `tpm`: `3.0` is not one of \"2.0\", \"1.2\"; did you mean \"2.0\"?"],
            ),
            (
                "domain_xml_overlay = [\"<domain/>\", \" \"]",
                &["error: `domain_xml_overlay[1]` is empty"],
            ),
        ],
    );
}

#[test]
fn http_server() {
    check(
        &format!("{LOCAL}{NONE}"),
        &[
            ("http_directory = \"http\"\nhttp_port_min = 8100", &[]),
            ("http_content = { \"/a/b.cfg\" = \"text\" }", &[]),
            (
                "http_directory = \"http\"\nhttp_content = { \"/a\" = \"b\" }",
                &["error: `http_content` and `http_directory` exclude each other"],
            ),
            (
                "http_content = { \"a.cfg\" = \"text\" }",
                &["error: `a.cfg` is not the path of a URL"],
            ),
            (
                "http_bind_address = \"::1\"\nhttp_interface = \"eth0\"",
                &["error: `http_interface` and `http_bind_address` exclude each other"],
            ),
            (
                "http_bind_address = \"localhost\"",
                &["error: `localhost` is not an IP address"],
            ),
            (
                "http_port_min = 9500",
                &["error: `http_port_min` is 9500, which is more than `http_port_max` with 9000"],
            ),
            (
                "http_port_max = 0",
                &[
                    "error: `http_port_max` must be between 1 and 65535",
                    "error: `http_port_min` is 8000, which is more than `http_port_max` with 0",
                ],
            ),
            (
                "http_network_protocol = \"unix\"",
                &[
                    "error: `http_network_protocol`: `unix` is not one of \"tcp\", \"tcp4\", \"tcp6\"",
                ],
            ),
        ],
    );
}

#[test]
fn the_end_of_a_build() {
    check(
        LOCAL,
        &[
            (
                "communicator = \"none\"\nshutdown_command = \"poweroff\"",
                &["warning: `shutdown_command` has no effect without a communicator"],
            ),
            (
                "communicator = \"none\"\noutput_compact = true",
                &["warning: `output_compact` has no effect without `output_directory`"],
            ),
            (
                "communicator = \"none\"\noutput_directory = \"out\"\noutput_compact = true",
                &[],
            ),
        ],
    );
}

#[test]
fn kinds_of_interfaces() {
    let interface = |lines: &str| format!("{LOCAL}{NONE}network_interface {{\n{lines}\n}}");
    for (lines, expected) in [
        (
            "type = \"direct\"\ndevice = \"eth0\"\nmode = \"vepa\"",
            vec![],
        ),
        ("type = \"direct\"", vec!["error: `device` is missing"]),
        ("type = \"bridge\"", vec!["error: `bridge` is missing"]),
        (
            "type = \"managed\"\ndevice = \"eth0\"\nmode = \"bridge\"",
            vec![
                "warning: `device` has no effect in an interface of type `managed`",
                "warning: `mode` has no effect in an interface of type `managed`",
            ],
        ),
        (
            "type = \"direct\"\ndevice = \"eth0\"\nmode = \"nat\"",
            vec![
                "error: `mode`: `nat` is not one of \"bridge\", \"vepa\", \"private\", \"passthrough\"",
            ],
        ),
    ] {
        assert_eq!(said(&interface(lines)), expected, "{lines}");
    }
}

#[test]
fn graphical_consoles() {
    let graphics = |lines: &str| format!("{LOCAL}{NONE}graphics {{\n{lines}\n}}");
    for (lines, expected) in [
        (
            "type = \"spice\"\nport = 5930\nlisten = \"0.0.0.0\"\npassword = \"a long one\"",
            vec![],
        ),
        ("type = \"vnc\"\npassword = \"12345678\"", vec![]),
        (
            "type = \"vnc\"\npassword = \"123456789\"",
            vec!["error: a VNC password has at most 8 characters"],
        ),
        (
            "type = \"sdl\"\ndisplay = \":0\"\npassword = \"p\"",
            vec!["warning: `password` has no effect in graphics of type `sdl`"],
        ),
        (
            "type = \"spice\"\ndisplay = \":0\"",
            vec!["warning: `display` has no effect in graphics of type `spice`"],
        ),
    ] {
        assert_eq!(said(&graphics(lines)), expected, "{lines}");
    }
}

#[test]
fn sizes_of_a_volume() {
    let volume = |lines: &str| {
        let text = format!(
            "source \"libvirt\" \"x\" {{\n{LOCAL}{NONE}volume {{\nalias = \"artifact\"\n{lines}\n}}\n}}\n"
        );
        let decoded = decode("sizes.pkr.hcl", &text);
        let capacity = decoded.sources[0].volume[0].capacity;
        let message = decoded
            .messages
            .lines()
            .next()
            .unwrap_or_default()
            .to_string();
        (capacity.map(|size| size.0), message)
    };
    let missing = "error: `capacity` is missing";
    for (lines, capacity, message) in [
        ("size = \"1K\"", Some(1024), ""),
        ("capacity = \"1K\"", Some(1024), ""),
        ("size = 1\ncapacity = 2", Some(2), ""),
        ("size = 0", None, missing),
        ("", None, missing),
    ] {
        assert_eq!(volume(lines), (capacity, message.to_string()), "{lines}");
    }
}
