//! Connection URIs that may do more than name a hypervisor, since they are the user's own word.
//!
//! A template may come from anybody, so what libvirt runs or opens for a URI must not stand in it
//! alone ([`ConnectionUri::risk`]). The user says it somewhere else too, word for word: on the command
//! line or in the environment. `lvhost.hcl` does not count: it comes along with templates, and allows
//! components only, which have no more power than it says.

use lvhost_config::LibvirtSource;
use lvhost_hcl::{Diagnostic, Diagnostics};
use lvhost_libvirt::ConnectionUri;

use crate::arguments::Template;
use crate::surroundings::Surroundings;

/// URIs that are allowed, separated by white space, which no URI has.
const ALLOWED: &str = "LVHOST_ALLOW_URI";

/// What libvirt's client library takes for an empty URI.
const DEFAULT: &str = "LIBVIRT_DEFAULT_URI";

/// How the environment gives values to variables.
const OF_VARIABLES: &str = "PKR_VAR_";

/// URIs that the user has written outside of the template.
#[derive(Debug, Default)]
pub(crate) struct AllowedUris(Vec<String>);

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
        Self(all.map(str::to_owned).collect())
    }

    /// Those in the environment and on the command line. The value of a variable that is given there
    /// counts as well: it is the user who wrote it.
    pub(crate) fn new(arguments: &Template, surroundings: &Surroundings) -> Self {
        let mut allowed = Self::of_environment(surroundings);
        allowed.0.extend(arguments.allow_uris.iter().cloned());
        let of_variables = arguments.variables.iter();
        allowed
            .0
            .extend(of_variables.map(|(_, value)| value.clone()));
        allowed
    }

    /// Reports the URI of `source` where it may do more than name a hypervisor and nobody but the
    /// template says it.
    pub(crate) fn check(&self, source: &LibvirtSource, report: &mut Diagnostics) {
        let written = &source.libvirt_uri;
        if source.origin.is_unknown("libvirt_uri") || self.0.contains(written) {
            return;
        }
        if let Some(risk) = ConnectionUri::new(written.as_str()).risk() {
            report.push(
                Diagnostic::error(
                    source.origin.span_of("libvirt_uri"),
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
