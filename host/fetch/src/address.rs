//! Where a web location's bytes are asked for, as opposed to how it is written: for an object of a
//! store the address is signed, anew for each request.

use std::collections::BTreeSet;

use url::Url;

use crate::guard::is_inward_host;
use crate::location::WebAddress;
use crate::s3::{Access, S3Error};
use crate::{LocationError, Reach, Request, SafeUrl, Settings};

/// A web location with what it takes to ask for it.
pub(crate) struct Address<'a> {
    web: &'a WebAddress,
    access: Option<Access>,
    identity: SafeUrl,
    /// See [`Request::named_hosts`]; with the store of the user's settings.
    named_hosts: BTreeSet<String>,
    reach: &'a Reach,
}

impl<'a> Address<'a> {
    /// Finds the keys for an object; a plain address needs nothing.
    pub(crate) fn new(
        web: &'a WebAddress,
        request: &'a Request,
        settings: &Settings,
    ) -> Result<Self, S3Error> {
        let mut named_hosts = request.named_hosts.clone();
        let (access, identity) = match web.object() {
            Some(object) => {
                let access = Access::of(object, &settings.aws)?;
                let identity = object.identity(&access)?;
                let host = access.endpoint().and_then(SafeUrl::host);
                named_hosts.extend(host.map(str::to_owned));
                (Some(access), identity)
            }
            None => (None, web.url().clone()),
        };
        Ok(Self {
            web,
            access,
            identity,
            named_hosts,
            reach: &request.reach,
        })
    }

    /// What the cache knows the location by; the same as long as it is the same place.
    pub(crate) fn identity(&self) -> &SafeUrl {
        &self.identity
    }

    /// What to ask for now.
    pub(crate) fn request(&self) -> Result<SafeUrl, S3Error> {
        match (self.web.object(), &self.access) {
            (Some(object), Some(access)) => object.request(access),
            _ => Ok(self.web.url().clone()),
        }
    }

    /// Refuses a hop that must not be asked for; else, whether the user named its host, which
    /// then may be an inward one.
    pub(crate) fn admit(&self, hop: &Url) -> Result<bool, LocationError> {
        let named = hop
            .host_str()
            .is_some_and(|host| self.named_hosts.contains(host));
        let shown = SafeUrl::new(hop.clone());
        if !self.reach.permits(&shown) {
            return Err(LocationError::OutOfReach(shown));
        }
        if !named && is_inward_host(hop) {
            return Err(LocationError::forbidden(hop));
        }
        Ok(named)
    }

    /// Whether it is a file on a share.
    #[cfg(feature = "smb")]
    pub(crate) fn is_share(&self) -> bool {
        self.identity.expose().scheme() == crate::safe_url::SMB
    }

    /// Whether it is an object of a store.
    pub(crate) fn is_object(&self) -> bool {
        self.access.is_some()
    }

    /// Whether there are no keys for the object.
    pub(crate) fn is_anonymous(&self) -> bool {
        self.access
            .as_ref()
            .is_some_and(|access| access.credentials().is_none())
    }

    /// The region an object is thought to be in.
    pub(crate) fn region(&self) -> Option<&str> {
        self.access.as_ref().map(Access::region)
    }
}
