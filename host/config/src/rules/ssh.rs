//! Rules for SSH: the log-in, and the hosts on the way. Most are those of Packer's SDK
//! (`communicator.Config`).

use lvhost_hcl::{Diagnostic, Diagnostics};

use super::port;
use crate::communicator::{Communicator, TemporaryKeyPairType};
use crate::libvirt_source::LibvirtSource;

pub(super) fn check(source: &LibvirtSource, communicator: &Communicator, report: &mut Diagnostics) {
    let origin = &communicator.origin;
    if !origin.is_set("ssh_username") && !origin.is_unknown("ssh_username") {
        report.push(
            Diagnostic::error(origin.span(), "`ssh_username` is missing")
                .detail("SSH needs the user to log in as"),
        );
    }
    port("ssh_port", communicator.ssh_port, origin, report);
    log_in(source, communicator, report);
    bastion(source, communicator, report);
    port(
        "ssh_proxy_port",
        communicator.ssh_proxy_port,
        origin,
        report,
    );
}

/// What may let somebody in.
const WAYS_IN: [&str; 3] = ["ssh_private_key_file", "ssh_password", "ssh_agent_auth"];

fn log_in(source: &LibvirtSource, communicator: &Communicator, report: &mut Diagnostics) {
    let origin = &communicator.origin;
    if communicator.needs_key_pair()
        && !source.asks_for_public_key()
        && !source.may_ask_for_public_key()
        && !WAYS_IN.iter().any(|name| origin.is_unknown(name))
    {
        report.push(
            Diagnostic::error(origin.span(), "there is no way to log in over SSH")
                .detail("no text puts the key that lvhost would make for the build into the guest")
                .help(
                    "set one of `ssh_private_key_file`, `ssh_password` and `ssh_agent_auth`, or write \
                     `{{ .SSHPublicKey }}` where the guest takes its keys from, such as \
                     `ssh_authorized_keys` in the `user_data` of a cloud-init volume",
                ),
        );
    }
    if origin.is_set("ssh_certificate_file")
        && !origin.is_set("ssh_private_key_file")
        && !origin.is_unknown("ssh_private_key_file")
    {
        report.push(Diagnostic::error(
            origin.span_of("ssh_certificate_file"),
            "`ssh_certificate_file` has no meaning without `ssh_private_key_file`",
        ));
    }
    if origin.is_set("ssh_keypair_name") {
        report.push(
            Diagnostic::warning(
                origin.span_of("ssh_keypair_name"),
                "`ssh_keypair_name` has no effect",
            )
            .detail("libvirt keeps no key pairs, as clouds do"),
        );
    }
    key_pair(communicator, report);
}

fn key_pair(communicator: &Communicator, report: &mut Diagnostics) {
    let origin = &communicator.origin;
    let name = communicator.temporary_key_pair_name.as_deref();
    if name.is_some_and(|name| name.contains(char::is_control)) {
        report.push(Diagnostic::error(
            origin.span_of("temporary_key_pair_name"),
            "`temporary_key_pair_name` must be one line",
        ));
    }
    let Some(bits) = communicator.temporary_key_pair_bits else {
        return;
    };
    if ["temporary_key_pair_bits", "temporary_key_pair_type"]
        .iter()
        .any(|name| origin.is_unknown(name))
    {
        return;
    }
    let (possible, fits) = match communicator.temporary_key_pair_type {
        TemporaryKeyPairType::Ed25519 => return,
        TemporaryKeyPairType::Ecdsa => ("256, 384 or 521", [256, 384, 521].contains(&bits)),
        TemporaryKeyPairType::Rsa => ("2048 to 8192", (2048..=8192).contains(&bits)),
    };
    if !fits {
        report.push(Diagnostic::error(
            origin.span_of("temporary_key_pair_bits"),
            format!(
                "a key of type `{}` has {possible} bits",
                communicator.temporary_key_pair_type.as_str()
            ),
        ));
    }
}

fn bastion(source: &LibvirtSource, communicator: &Communicator, report: &mut Diagnostics) {
    const HOST: &str = "ssh_bastion_host";
    const FROM_URI: &str = "ssh_bastion_from_uri";
    let origin = &communicator.origin;
    port(
        "ssh_bastion_port",
        communicator.ssh_bastion_port,
        origin,
        report,
    );
    let ways = [
        (HOST, origin.is_set(HOST)),
        (FROM_URI, communicator.ssh_bastion_from_uri),
        ("ssh_proxy_host", origin.is_set("ssh_proxy_host")),
    ];
    let taken: Vec<_> = ways.iter().filter(|(_, taken)| *taken).collect();
    if let [(first, _), (second, _), ..] = taken[..] {
        report.push(
            Diagnostic::error(
                origin.span_of(second),
                format!("`{first}` and `{second}` exclude each other"),
            )
            .detail("there is one way to the guest"),
        );
    }
    if communicator.ssh_bastion_from_uri
        && !source.origin.is_unknown("libvirt_uri")
        && !is_over_ssh(&source.libvirt_uri)
    {
        report.push(
            Diagnostic::error(
                origin.span_of(FROM_URI),
                "the hypervisor's host is not reached over SSH",
            )
            .detail("`libvirt_uri` names no SSH server to go through")
            .help("set `ssh_bastion_host` instead"),
        );
    }
    // A key of the guest is the bastion's, too, if that has none of its own.
    let ways = [
        "ssh_bastion_password",
        "ssh_bastion_private_key_file",
        "ssh_private_key_file",
    ];
    if origin.is_set(HOST)
        && !communicator.ssh_bastion_agent_auth
        && !origin.is_unknown("ssh_bastion_agent_auth")
        && !communicator.ssh_bastion_interactive
        && !origin.is_unknown("ssh_bastion_interactive")
        && !ways.iter().any(|name| origin.is_set(name))
    {
        report.push(
            Diagnostic::error(
                origin.span_of(HOST),
                "there is no way to log in at the bastion",
            )
            .help(
                "set one of `ssh_bastion_private_key_file`, `ssh_bastion_password` and \
                 `ssh_bastion_agent_auth`",
            ),
        );
    }
    if origin.is_set("ssh_bastion_certificate_file")
        && communicator.ssh_bastion_private_key_file.is_none()
    {
        report.push(Diagnostic::error(
            origin.span_of("ssh_bastion_certificate_file"),
            "`ssh_bastion_certificate_file` has no meaning without `ssh_bastion_private_key_file`",
        ));
    }
}

/// `qemu+ssh://…`, and the same through libvirt's other SSH clients. See <https://libvirt.org/uri.html>.
fn is_over_ssh(uri: &str) -> bool {
    let scheme = uri.split(':').next().unwrap_or_default();
    let transport = scheme.split('+').nth(1).unwrap_or_default();
    matches!(transport, "ssh" | "libssh" | "libssh2")
}
