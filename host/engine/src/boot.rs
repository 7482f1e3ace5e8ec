//! What a guest is installed with: keys typed after its start, and files it fetches over HTTP.
//!
//! ```text
//!  validation ─► check      the texts with addresses that stand in for the HTTP server's
//!  build ──────► prepare    the server, the guest's way to it, the texts with the real addresses
//!                └─► type_on (in the guest's life, beside the wait for its address)
//! ```

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use lvhost_config::LibvirtSource;
use lvhost_hcl::{Diagnostic, Diagnostics, Value};
use lvhost_libvirt::{ConnectionUri, Hypervisor, InterfaceSource};
use secrecy::SecretString;

use crate::boot_command::{BootCommand, BootCommandError, Timing, Typing};
use crate::error::Error;
use crate::go_template::InterpolationError;
use crate::http_server::{
    Event, GuestAddress, GuestNetwork, HostNetwork, HttpServer, HttpServerError, Listen, Peers,
    Place, ServedFiles, guest_address, route_to,
};
use crate::key_pair::STAND_IN as STAND_IN_KEY;
use crate::masked_ui::MaskedUi;
use crate::plan::Plan;
use crate::provision::interpolate::{Names, RenderedText, render};
use crate::ui::Ui;

/// What stands in for the HTTP server's address while the template is checked.
const STAND_IN: (&str, &str) = ("192.0.2.1", "8000");

/// Why what a guest is installed with is not ready.
#[derive(Debug, thiserror::Error)]
pub enum BootError {
    /// The server.
    #[error(transparent)]
    Server(#[from] crate::http_server::HttpServerError),
    /// The guest has no way to it.
    #[error(transparent)]
    Address(#[from] crate::http_server::NoGuestAddress),
    /// A text of `boot_command`.
    #[error("`boot_command`: {0}")]
    Command(String),
}

/// Reports what can't be typed, and what is most likely not meant.
pub(crate) fn check(source: &LibvirtSource, report: &mut Diagnostics) {
    let source = &source.with_public_key(STAND_IN_KEY);
    let place = |index: usize| {
        source
            .origin
            .span_of_element("boot_command", &format!("[{index}]"))
    };
    let domain = source.domain_name.as_deref().unwrap_or("packer");
    let mut texts = Vec::with_capacity(source.boot_command.len());
    for (index, text) in source.boot_command.iter().enumerate() {
        match filled(text, STAND_IN.0, STAND_IN.1, domain) {
            Ok(text) => texts.push(text),
            Err(error) => {
                let diagnostic = Diagnostic::error(place(index), error.message);
                report.push(match error.help {
                    Some(help) => diagnostic.help(help),
                    None => diagnostic,
                });
                return;
            }
        }
    }
    match BootCommand::parse(&texts, &timing(source)) {
        Ok(command) => {
            for warning in command.warnings() {
                let span = place(warning.position.text.saturating_sub(1));
                let diagnostic = Diagnostic::warning(span, warning.message.clone());
                report.push(match &warning.help {
                    Some(help) => diagnostic.help(help.clone()),
                    None => diagnostic,
                });
            }
        }
        Err(BootCommandError {
            position,
            message,
            help,
        }) => {
            let span = place(position.text.saturating_sub(1));
            let diagnostic = Diagnostic::error(
                span,
                format!("{message} (character {})", position.character),
            );
            report.push(match help {
                Some(help) => diagnostic.help(help),
                None => diagnostic,
            });
        }
    }
}

/// Everything that is ready before the guest starts.
pub(crate) struct Boot {
    /// What is typed.
    pub(crate) command: BootCommand,
    /// Address and port of the HTTP server as the guest sees it.
    pub(crate) address: Option<(String, String)>,
    /// Serves for as long as it is there.
    _server: Option<HttpServer>,
}

/// Starts the HTTP server, if the template has something to serve, and reads the texts with its
/// address in them.
pub(crate) async fn prepare(
    source: &LibvirtSource,
    plan: &Plan,
    hypervisor: &dyn Hypervisor,
    working_directory: &Path,
    ui: &MaskedUi,
) -> Result<Boot, Error> {
    let mut address = None;
    let mut server = None;
    if let Some(served) = served(source, working_directory) {
        let (started, reached) = serve(served, source, plan, hypervisor, ui).await?;
        if let Some(warning) = &reached.warning {
            ui.warn(warning);
        }
        let port = started.address().port();
        ui.say(&format!(
            "The guest reaches the HTTP server at http://{}:{port}/",
            reached.in_url()
        ));
        address = Some((reached.in_url(), port.to_string()));
        server = Some(started);
    }
    let (ip, port) = address.clone().unwrap_or_default();
    let texts: Result<Vec<_>, _> = source
        .boot_command
        .iter()
        .map(|text| filled(text, &ip, &port, &plan.domain))
        .collect();
    let texts = texts.map_err(|error| BootError::Command(error.message))?;
    let command = BootCommand::parse(&texts, &timing(source))
        .map_err(|error| BootError::Command(format!("{}: {}", error.position, error.message)))?;
    Ok(Boot {
        command,
        address,
        _server: server,
    })
}

/// What the user sees of the typing, which is never what is typed.
pub(crate) fn progress(typing: Typing) -> String {
    match typing {
        Typing::BootWait(time) => format!("Waiting {} before typing", seconds(time)),
        Typing::Text {
            number,
            of,
            remaining,
        } => format!(
            "Typing text {number} of {of} of `boot_command`, {} to go",
            seconds(remaining)
        ),
        Typing::Wait(time) => format!("Waiting {} while typing", seconds(time)),
        Typing::Done { presses } => format!("Typed {presses} keys"),
    }
}

fn seconds(time: Duration) -> String {
    format!("{} s", time.as_secs_f64().ceil())
}

fn timing(source: &LibvirtSource) -> Timing {
    Timing {
        boot_wait: source.boot_wait,
        key_interval: source.boot_key_interval,
        keygroup_interval: source.boot_keygroup_interval,
        key_hold: source.key_hold_time,
    }
}

fn filled(text: &str, ip: &str, port: &str, domain: &str) -> Result<String, InterpolationError> {
    let names = Names {
        fields: &[("HTTPIP", ip), ("HTTPPort", port), ("Name", domain)],
        build: &Value::UNKNOWN,
        functions: None,
    };
    match render(text, &names)? {
        RenderedText::Text { text, .. } => Ok(text),
        RenderedText::Unknown => Err(InterpolationError::new(
            "what is known of the running guest can't be typed before it runs",
        )),
    }
}

fn served(source: &LibvirtSource, working_directory: &Path) -> Option<ServedFiles> {
    if let Some(directory) = &source.http_directory {
        return Some(ServedFiles::Directory(working_directory.join(directory)));
    }
    if source.http_content.is_empty() {
        return None;
    }
    let content = source.http_content.iter();
    let secret =
        |(path, text): (&String, &String)| (path.clone(), SecretString::from(text.clone()));
    Some(ServedFiles::Contents(
        content.map(secret).collect::<BTreeMap<_, _>>(),
    ))
}

async fn serve(
    served: ServedFiles,
    source: &LibvirtSource,
    plan: &Plan,
    hypervisor: &dyn Hypervisor,
    ui: &MaskedUi,
) -> Result<(HttpServer, GuestAddress), Error> {
    let here = HostNetwork::read().map_err(BootError::from)?;
    let bound = wanted_address(source, &here).map_err(BootError::from)?;
    let network = guest_network(plan, hypervisor).await?;
    let facts = hypervisor.facts().await?;
    let place = match ConnectionUri::new(facts.uri.expose()).host() {
        Some(host) if !facts.is_local => Place::Elsewhere {
            route: route_to(&host).await.ok(),
            host,
        },
        _ => Place::Here,
    };
    let protocol = source.http_network_protocol;
    let address =
        guest_address(&network, &place, &here, bound, protocol).map_err(BootError::from)?;
    let peers = Peers::of(address.listen, &network, &place, &here);
    let listen = Listen {
        address: address.listen,
        ports: source.http_port_min..=source.http_port_max,
        protocol,
        peers: peers.clone(),
    };
    let watcher = ui.clone();
    let observer = Arc::new(move |event| tell(event, &peers, &watcher));
    let server = HttpServer::start(served, &listen, observer)
        .await
        .map_err(BootError::from)?;
    Ok((server, address))
}

/// What the user wants the server to listen on.
fn wanted_address(
    source: &LibvirtSource,
    here: &HostNetwork,
) -> Result<Option<IpAddr>, HttpServerError> {
    if let Some(interface) = &source.http_interface {
        let address = here.http_interface(interface, source.http_network_protocol)?;
        return Ok(Some(address));
    }
    let address = source.http_bind_address.as_deref();
    // Checked with the options.
    Ok(address.and_then(|address| address.parse().ok()))
}

/// Shows the user what the guest gets, and who does not.
fn tell(event: Event, served: &Peers, ui: &dyn Ui) {
    match event {
        Event::Answered(exchange) => {
            let text = format!(
                "{} asked for {}: {}",
                exchange.peer, exchange.path, exchange.status
            );
            match exchange.explanation() {
                None => ui.say(&text),
                Some(why) => ui.warn(&format!("{text}, {why}")),
            }
        }
        Event::Refused(peer) => ui.warn(&format!(
            "{peer} was turned away by the HTTP server, which serves {served} only; if that is the \
             guest, set `http_bind_address` to another address of this machine, or to \"0.0.0.0\" \
             for all of them"
        )),
    }
}

/// What the guest's first way out is attached to: the interface that leads to it, or else its first.
async fn guest_network(plan: &Plan, hypervisor: &dyn Hypervisor) -> Result<GuestNetwork, Error> {
    let interface = plan.communicator_interface.unwrap_or(0);
    let source = plan.interfaces.get(interface).map(|known| &known.source);
    Ok(match source {
        Some(InterfaceSource::Network { network }) => {
            let facts = hypervisor.network(network).await?;
            GuestNetwork::Network {
                name: facts.name,
                bridge: facts.bridge,
                addresses: facts.addresses,
            }
        }
        Some(InterfaceSource::Bridge { bridge }) => GuestNetwork::Bridge(bridge.clone()),
        Some(InterfaceSource::Direct { device, .. }) => GuestNetwork::Direct(device.clone()),
        // Without an interface nothing reaches the server, whatever the address.
        Some(InterfaceSource::User { .. }) | None => GuestNetwork::User,
    })
}
