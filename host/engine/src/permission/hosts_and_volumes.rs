//! The rules by which hosts and volumes are allowed.

use std::fmt;

use lvhost_fetch::{Endpoint, SafeUrl};

use super::{Problem, shown_rule};

/// A rule that allows what is on hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum HostRule {
    Any,
    /// All hosts whose names end in this, which begins with a dot.
    Below(String),
    /// One host, by http, https or smb: by its usual port, or by this one alone.
    One {
        host: String,
        port: Option<u16>,
    },
}

/// A rule that allows volumes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct VolumeRule {
    pub(super) pool: String,
    /// None: all of the pool.
    pub(super) name: Option<String>,
}

impl HostRule {
    pub(super) fn parse(text: &str) -> Result<Self, Problem> {
        let wrong = || {
            Problem::new(
                format!("`{}` is no host", shown_rule(text)),
                "write `example.org`, `example.org:8080`, `*.example.org` or `*`; URLs are allowed \
                 by `urls`",
            )
        };
        if text == "*" {
            return Ok(Self::Any);
        }
        if text.contains(['/', '@', '?', '#', '\\']) {
            return Err(wrong());
        }
        let (below, name) = match text.strip_prefix("*.") {
            Some(name) => (true, name),
            None => (false, text),
        };
        // A scheme without a port of its own, so that every port is seen.
        let parsed = SafeUrl::parse(&format!("http://{name}/")).map_err(|_| wrong())?;
        let host = parsed.host().ok_or_else(wrong)?.to_owned();
        let port = name
            .rsplit_once(':')
            .filter(|(_, digits)| !digits.is_empty() && !digits.ends_with(']'))
            .map(|(_, digits)| digits.parse().map_err(|_| wrong()))
            .transpose()?;
        match (below, port) {
            _ if host.contains('*') => Err(wrong()),
            (true, None) => Ok(Self::Below(format!(".{host}"))),
            (true, Some(_)) => Err(wrong()),
            (false, port) => Ok(Self::One { host, port }),
        }
    }

    /// The ports of a host that is named in full; by its usual ones, if none is written.
    pub(super) fn endpoints(&self) -> Vec<Endpoint> {
        let urls = match self {
            Self::Any | Self::Below(_) => Vec::new(),
            Self::One { host, port: None } => ["http", "https", "smb"]
                .map(|scheme| format!("{scheme}://{host}/"))
                .into(),
            Self::One {
                host,
                port: Some(port),
            } => vec![format!("http://{host}:{port}/")],
        };
        let urls = urls.iter().filter_map(|url| SafeUrl::parse(url).ok());
        urls.filter_map(|url| Endpoint::of(&url)).collect()
    }

    pub(super) fn covers(&self, url: &SafeUrl) -> bool {
        let Some(asked) = url.host() else {
            return false;
        };
        let asked_port = url.expose().port();
        match self {
            Self::Any => true,
            Self::Below(end) => asked.ends_with(&**end) && asked_port.is_none(),
            Self::One { host, port: None } => asked == host && asked_port.is_none(),
            Self::One {
                host,
                port: Some(only),
            } => asked == host && Endpoint::of(url).is_some_and(|it| it.port() == *only),
        }
    }
}

impl VolumeRule {
    pub(super) fn parse(text: &str) -> Result<Self, Problem> {
        let split = text.split_once('/');
        let split = split.filter(|(pool, name)| !pool.is_empty() && !name.is_empty());
        match split {
            Some((pool, name)) if pool != "*" => Ok(Self {
                pool: pool.to_owned(),
                name: (name != "*").then(|| name.to_owned()),
            }),
            _ => Err(Problem::new(
                format!("`{text}` is no volume"),
                "write `pool/name`, or `pool/*` for all of a pool",
            )),
        }
    }
}

impl fmt::Display for HostRule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => formatter.write_str("*"),
            Self::Below(end) => write!(formatter, "*{end}"),
            Self::One { host, port: None } => formatter.write_str(host),
            Self::One {
                host,
                port: Some(port),
            } => write!(formatter, "{host}:{port}"),
        }
    }
}

impl fmt::Display for VolumeRule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name.as_deref().unwrap_or("*");
        write!(formatter, "{}/{name}", self.pool)
    }
}
