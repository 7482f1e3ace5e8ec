//! What one component may reach for one volume: what it asks for and the user's own template names.
//!
//! For the built-in sources the template is the permission: a URL, path or volume that stands in the
//! volume's `source` block may be used, and nothing else. A component that asks for more is not
//! refused for asking (its defaults may not be needed) but at the call.

use std::collections::BTreeSet;

use lvhost_config::{SourceValue, VolumeSource};
use lvhost_libvirt::VolumeId;
use lvhost_runtime::{Grant, ServiceError};

/// The grants of one volume.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Grants {
    urls: BTreeSet<String>,
    files: BTreeSet<String>,
    volumes: BTreeSet<VolumeId>,
    paths: BTreeSet<String>,
}

impl Grants {
    /// What is both asked for and named in the block of the volume `own`.
    pub(crate) fn new(asked: &[Grant], block: &VolumeSource, own: &VolumeId) -> Self {
        let named = named(block);
        let mut grants = Self::default();
        for grant in asked {
            match grant {
                Grant::Url(url) if named.contains(url.as_str()) => {
                    grants.urls.insert(url.clone());
                }
                Grant::Files(pattern) if named.contains(pattern.as_str()) => {
                    grants.files.insert(pattern.clone());
                }
                Grant::HypervisorPath(path) if named.contains(path.as_str()) => {
                    grants.paths.insert(path.clone());
                }
                // The pool may be left out in the block: it is the volume's own then.
                Grant::Volume(id)
                    if named.contains(id.name.as_str())
                        && (named.contains(id.pool.as_str()) || id.pool == own.pool) =>
                {
                    grants.volumes.insert(VolumeId::new(&id.pool, &id.name));
                }
                _ => {}
            }
        }
        grants
    }

    pub(crate) fn url(&self, url: &str) -> Result<(), ServiceError> {
        check(self.urls.contains(url), || {
            // A URL may carry a password.
            match lvhost_fetch::Location::parse(url) {
                Ok(location) => format!("the URL {location}"),
                Err(_) => "a URL".to_string(),
            }
        })
    }

    pub(crate) fn files(&self, pattern: &str) -> Result<(), ServiceError> {
        check(self.files.contains(pattern), || {
            format!("the files `{pattern}`")
        })
    }

    pub(crate) fn volume(&self, id: &VolumeId) -> Result<(), ServiceError> {
        check(self.volumes.contains(id), || format!("the volume {id}"))
    }

    pub(crate) fn path(&self, path: &str) -> Result<(), ServiceError> {
        check(self.paths.contains(path), || {
            format!("the hypervisor's path `{path}`")
        })
    }
}

fn check(granted: bool, what: impl FnOnce() -> String) -> Result<(), ServiceError> {
    if granted {
        return Ok(());
    }
    Err(ServiceError::Denied(format!(
        "{} is not granted: it does not stand in the volume's `source` block",
        what()
    )))
}

/// Every text in the block.
fn named(block: &VolumeSource) -> BTreeSet<&str> {
    let mut texts = BTreeSet::new();
    for setting in &block.settings {
        match &setting.value {
            Some(SourceValue::Text(text)) => {
                texts.insert(text.as_str());
            }
            Some(SourceValue::TextList(list)) => texts.extend(list.iter().map(String::as_str)),
            // Keys and texts of a map are contents of files, not names of things to reach.
            Some(SourceValue::TextMap(_) | SourceValue::Integer(_) | SourceValue::Boolean(_))
            | None => {}
        }
    }
    texts
}
