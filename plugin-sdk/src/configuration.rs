//! What a source makes of the options a user has set.

use crate::bindings::lvhost::source::configure as wit;
use crate::{Device, VolumeId};

/// What a source says when a template is validated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Configuration {
    /// What there is to say about the options.
    pub diagnostics: Vec<Diagnostic>,
    /// What the volume should be where the user left it open.
    pub defaults: Defaults,
    /// What [`prepare`](crate::VolumeSource::prepare) will need to reach.
    pub grants: Vec<Grant>,
}

/// What the volume should be where the user left it open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Defaults {
    /// For a name that lvhost makes: `<domain>-<name_suffix>`.
    pub name_suffix: Option<String>,
    /// What the guest should see it as.
    pub device: Option<Device>,
    /// libvirt's name of the format.
    pub format: Option<String>,
    /// libvirt's name of a disk bus: `virtio`, `sata`, `fdc`, …
    pub bus: Option<String>,
    /// Whether the guest may only read it.
    pub read_only: Option<bool>,
}

/// How bad a [`Diagnostic`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The build can't be done like this.
    Error,
    /// It can, but probably is not what the user meant.
    Warning,
}

/// Something to say about the user's options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// The option: `checksum`, `urls[1]`, `contents["a/b"]`; empty for the whole block.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// A file that will be downloaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Download {
    /// Its URL.
    pub url: String,
    /// What it will be checked by, as a user writes it; `None` if that is only known later.
    pub checksum: Option<String>,
}

/// Something that a source needs to reach. A source needs, a user allows; each call is checked again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grant {
    /// One URL.
    Url(Download),
    /// A URL that ends in `/`, and everything below it: for what is only known when a document there has been read.
    UrlsBelow(String),
    /// A path or pattern of files on the machine lvhost runs on.
    Files(String),
    /// A volume of the hypervisor, to look at, to copy or to be an overlay of.
    Volume(VolumeId),
    /// A path on the hypervisor, to look at or to be an overlay of.
    HypervisorPath(String),
    /// A URL that something is sent to by `POST`; it may be asked in other ways, too.
    Post(String),
    /// One of the user's secrets, by the name that it has in `lvhost.hcl`.
    Secret(String),
}

impl Configuration {
    /// Adds a diagnostic.
    pub fn report(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// Asks for something to be reachable in [`prepare`](crate::VolumeSource::prepare).
    pub fn need(&mut self, grant: Grant) {
        self.grants.push(grant);
    }

    /// Whether a diagnostic is an error, so that there will be no build.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.diagnostics
            .iter()
            .any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// Tells it to lvhost.
    pub(crate) fn tell(&self, configuration: &wit::Configuration) {
        for diagnostic in &self.diagnostics {
            let severity = match diagnostic.severity {
                Severity::Error => wit::Severity::Error,
                Severity::Warning => wit::Severity::Warning,
            };
            let (path, message) = (&diagnostic.path, &diagnostic.message);
            configuration.report(severity, path, message, diagnostic.help.as_deref());
        }
        self.defaults.tell(configuration);
        for grant in &self.grants {
            grant.tell(configuration);
        }
    }
}

impl Defaults {
    fn tell(&self, configuration: &wit::Configuration) {
        if let Some(suffix) = &self.name_suffix {
            configuration.default_name_suffix(suffix);
        }
        if let Some(device) = self.device {
            configuration.default_device(device.name());
        }
        if let Some(format) = &self.format {
            configuration.default_format(format);
        }
        if let Some(bus) = &self.bus {
            configuration.default_bus(bus);
        }
        if let Some(read_only) = self.read_only {
            configuration.default_read_only(read_only);
        }
    }
}

impl Grant {
    /// One file, which will be checked by `checksum`: as a user writes it, `none` for not at all. lvhost tells
    /// the user of both before the build, and whether it has the file already. It takes no other checksum
    /// later.
    #[must_use]
    pub fn download(url: impl Into<String>, checksum: impl Into<String>) -> Self {
        Self::Url(Download {
            url: url.into(),
            checksum: Some(checksum.into()),
        })
    }

    /// One file whose checksum is only known in [`prepare`](crate::VolumeSource::prepare).
    #[must_use]
    pub fn download_with_later_checksum(url: impl Into<String>) -> Self {
        Self::Url(Download {
            url: url.into(),
            checksum: None,
        })
    }

    fn tell(&self, configuration: &wit::Configuration) {
        match self {
            Self::Url(Download { url, checksum }) => {
                configuration.needs_url(url, checksum.as_deref());
            }
            Self::UrlsBelow(url) => configuration.needs_urls_below(url),
            Self::Files(pattern) => configuration.needs_files(pattern),
            Self::Volume(id) => configuration.needs_volume(&id.to_wit()),
            Self::HypervisorPath(path) => configuration.needs_hypervisor_path(path),
            Self::Post(url) => configuration.needs_post(url),
            Self::Secret(name) => configuration.needs_secret(name),
        }
    }
}

impl Diagnostic {
    /// Something that must be put right. The path is that of the option: `checksum`, `urls[1]`,
    /// `contents["a/b"]`; empty for the whole block.
    #[must_use]
    pub fn error(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            path: path.into(),
            message: message.into(),
            help: None,
        }
    }

    /// Something that is probably not what the user wants, and yet possible.
    #[must_use]
    pub fn warning(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(path, message)
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}
