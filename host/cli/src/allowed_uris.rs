//! Connection URIs that may do more than name a hypervisor, since they are the user's own word.
//!
//! A template may come from anybody, so what libvirt runs or opens for a URI must not stand in it
//! alone ([`ConnectionUri::risk`]). The user says it somewhere else too, word for word: on the command
//! line or in the environment. `lvhost.hcl` does not count: it comes along with templates, and allows
//! components only, which have no more power than it says.

use std::path::PathBuf;

use lvhost_config::LibvirtSource;
use lvhost_hcl::{Diagnostic, Diagnostics};
use lvhost_libvirt::{ConnectionUri, UriFault};

use crate::arguments::Template;
use crate::surroundings::{Surroundings, read_file};

/// URIs that are allowed, separated by white space, which no URI has.
const ALLOWED: &str = "LVHOST_ALLOW_URI";

/// What libvirt's client library takes for an empty URI.
const DEFAULT: &str = "LIBVIRT_DEFAULT_URI";

/// How the environment gives values to variables.
const OF_VARIABLES: &str = "PKR_VAR_";

/// Where a user without privileges and the machine have the names that stand for URIs.
const CONFIGURATION: &str = "libvirt/libvirt.conf";

/// URIs that the user has written outside of the template.
#[derive(Debug, Default)]
pub(crate) struct AllowedUris {
    uris: Vec<String>,
    /// What libvirt's configuration has, for its aliases.
    configurations: Vec<String>,
}

impl AllowedUris {
    /// Those in the environment.
    pub(crate) fn of_environment(surroundings: &Surroundings) -> Self {
        let listed = surroundings.set(ALLOWED).unwrap_or_default();
        let listed = listed.split_whitespace();
        let default = surroundings.set(DEFAULT);
        let of_variables = surroundings
            .variables
            .iter()
            .filter(|(name, _)| name.starts_with(OF_VARIABLES))
            .map(|(_, value)| value.as_str());
        let all = listed.chain(default).chain(of_variables);
        Self {
            uris: all.map(str::to_owned).collect(),
            configurations: configurations(surroundings),
        }
    }

    /// Those in the environment and on the command line. The value of a variable that is given there
    /// counts as well: it is the user who wrote it.
    pub(crate) fn new(arguments: &Template, surroundings: &Surroundings) -> Self {
        let mut allowed = Self::of_environment(surroundings);
        allowed.uris.extend(arguments.allow_uris.iter().cloned());
        let of_variables = arguments.variables.iter();
        allowed
            .uris
            .extend(of_variables.map(|(_, value)| value.clone()));
        allowed
    }

    /// Reports the URI of `source` where it names nothing, or where it may do more than name a hypervisor and
    /// nobody but the template says it.
    pub(crate) fn check(&self, source: &LibvirtSource, report: &mut Diagnostics) {
        let written = &source.libvirt_uri;
        if source.origin.is_unknown("libvirt_uri") || self.uris.contains(written) {
            return;
        }
        let place = source.origin.span_of("libvirt_uri");
        match ConnectionUri::new(written.as_str()).fault() {
            Some(UriFault::NoDriver(alias)) if is_alias(&alias, &self.configurations) => {}
            Some(fault) => {
                let detail = match &fault {
                    UriFault::NoDriver(_) => "libvirt.conf has no alias of that name either",
                    UriFault::NoDaemon(_) => "",
                };
                let help = match &fault {
                    UriFault::NoDriver(_) => {
                        "write a URI such as `qemu:///system` or `qemu+ssh://user@host/system`"
                            .into()
                    }
                    UriFault::NoDaemon(meant) => format!("write `{meant}`"),
                };
                let error = Diagnostic::error(place, fault.to_string());
                report.push(error.detail(detail).help(help));
                return;
            }
            None => {}
        }
        if let Some(risk) = ConnectionUri::new(written.as_str()).risk() {
            report.push(
                Diagnostic::error(
                    place,
                    format!(
                        "a template may not have this URI, which may do more than name a hypervisor: \
                         {risk}"
                    ),
                )
                .detail("libvirt may run a program or open a file of this machine for it")
                .help(format!(
                    "if you trust it, give the whole URI outside of the template too: with \
                     `--allow-uri`, or in the environment variable {ALLOWED}"
                )),
            );
        }
    }
}

/// The text of libvirt's configuration: of the user, and of the machine, which libvirt reads for root.
fn configurations(surroundings: &Surroundings) -> Vec<String> {
    let own = surroundings.set("XDG_CONFIG_HOME").map(PathBuf::from);
    let own = own.or_else(|| Some(surroundings.home()?.join(".config")));
    let folders = own.into_iter().chain([PathBuf::from("/etc")]);
    let texts = folders.filter_map(|folder| read_file(&folder.join(CONFIGURATION)).ok());
    texts
        .map(|text| String::from_utf8_lossy(&text).into_owned())
        .collect()
}

/// Whether `uri_aliases` of a configuration has an entry `"NAME=URI"`.
fn is_alias(name: &str, configurations: &[String]) -> bool {
    let entry = format!("\"{name}=");
    let mut lines = configurations.iter().flat_map(|text| text.lines());
    lines.any(|line| {
        let line = line.split('#').next().unwrap_or_default();
        line.replace('\'', "\"").contains(&entry)
    })
}
