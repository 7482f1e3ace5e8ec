//! Where a web location's bytes are asked for, as opposed to how it is written: for an object of a
//! store the address is signed, anew for each request.

use std::collections::BTreeSet;

use reqwest::header::HeaderMap;
use url::Url;

use crate::authorization::LogIns;
use crate::endpoint::is_same_origin;
use crate::guard::{Scope, scope_of_host};
use crate::location::WebAddress;
use crate::s3::{Access, S3Error, Withheld};
use crate::{Author, Endpoint, LocationError, Reach, Request, RequestHeaders, SafeUrl, Settings};

/// A web location with what it takes to ask for it.
pub(crate) struct Address<'a> {
    web: &'a WebAddress,
    access: Option<Access>,
    identity: SafeUrl,
    /// See [`Request::named`]; with the store of the user's settings.
    named: BTreeSet<Endpoint>,
    author: &'a Author,
    reach: &'a Reach,
    /// None for a list of checksums.
    headers: Option<&'a RequestHeaders>,
}

impl<'a> Address<'a> {
    /// Finds the keys for an object; a plain address needs nothing.
    pub(crate) fn new(
        web: &'a WebAddress,
        request: &'a Request,
        settings: &Settings,
    ) -> Result<Self, S3Error> {
        let mut named = request.named.clone();
        let (access, identity) = match web.object() {
            Some(object) => {
                let access = Access::of(object, &settings.aws, &request.author)?;
                let identity = object.identity(&access)?;
                named.extend(access.endpoint().and_then(Endpoint::of));
                (Some(access), identity)
            }
            None => (None, web.url().clone()),
        };
        Ok(Self {
            web,
            access,
            identity,
            named,
            author: &request.author,
            reach: &request.reach,
            headers: Some(&request.headers).filter(|headers| !headers.is_empty()),
        })
    }

    /// The same for something else than what the request's headers are for.
    pub(crate) fn without_headers(self) -> Self {
        Self {
            headers: None,
            ..self
        }
    }

    /// The request's own headers for a hop, and whether they say who asks.
    pub(crate) fn headers(&self, hop: &Url) -> (HeaderMap, bool) {
        let Some(headers) = self.headers else {
            return (HeaderMap::new(), false);
        };
        let is_meant = is_same_origin(hop, self.web.url().expose());
        (headers.of_hop(is_meant), is_meant && headers.say_who_asks())
    }

    /// Whether there are headers for what takes none: an object of a store or a file on a share.
    pub(crate) fn has_headers_in_vain(&self) -> bool {
        let is_http = matches!(self.web.url().expose().scheme(), "http" | "https");
        self.headers.is_some() && (self.is_object() || !is_http)
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

    /// Refuses a hop that must not be asked for; else, how far the addresses of its host must reach at
    /// least. `led_by` is how far the server reaches that redirected there.
    pub(crate) fn admit(&self, hop: &Url, led_by: Option<Scope>) -> Result<Scope, LocationError> {
        let shown = SafeUrl::new(hop.clone());
        if !self.reach.permits(&shown) {
            return Err(LocationError::OutOfReach(shown));
        }
        if self.is_named(hop) {
            return Ok(Scope::Inward);
        }
        let least = match led_by {
            Some(Scope::Inward | Scope::Private) => Scope::Private,
            Some(Scope::Public) | None => Scope::Public,
        };
        let written = scope_of_host(hop).map_err(LocationError::OwnAddresses)?;
        if written.is_some_and(|scope| scope < least) {
            return Err(LocationError::forbidden(hop));
        }
        Ok(least)
    }

    /// Whether the user has chosen the location, and not a component.
    pub(crate) fn is_of_user(&self) -> bool {
        self.author.is_user()
    }

    fn is_named(&self, hop: &Url) -> bool {
        Endpoint::of_hop(hop).is_some_and(|endpoint| self.named.contains(&endpoint))
    }

    /// Which of the user's log-ins may go to a hop.
    pub(crate) fn log_ins(&self, hop: &Url) -> LogIns {
        let meant = self.author.is_user() || self.is_named(hop);
        let written = is_same_origin(hop, self.web.url().expose());
        LogIns {
            headers: meant,
            machine: meant && (hop.scheme() == "https" || written),
            default: self.author.is_user() && written,
        }
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

    /// Why the user's keys were not used for an object, if they have some.
    pub(crate) fn withheld(&self) -> Option<&Withheld> {
        self.access.as_ref().and_then(Access::withheld)
    }

    /// The region an object is thought to be in.
    pub(crate) fn region(&self) -> Option<&str> {
        self.access.as_ref().map(Access::region)
    }
}

#[cfg(test)]
mod tests {
    use crate::{Checksum, Location};

    use super::*;

    /// Who hears what, of a location that somebody wrote and a hop that it leads to: headers, `machine`
    /// and `default`.
    fn heard(written: &str, hop: &str, author: Author, named: &[&str]) -> [bool; 3] {
        let location = Location::parse(written).unwrap();
        let named = named.iter().map(|text| SafeUrl::parse(text).unwrap());
        let request = Request {
            named: named.filter_map(|url| Endpoint::of(&url)).collect(),
            author,
            ..Request::named_by_user(vec![location.clone()], Checksum::None)
        };
        let Location::Web(web) = &location else {
            panic!("{written} is no address");
        };
        let address = Address::new(web, &request, &Settings::new("cache")).unwrap();
        let log_ins = address.log_ins(&Url::parse(hop).unwrap());
        [log_ins.headers, log_ins.machine, log_ins.default]
    }

    #[test]
    fn log_ins_go_to_whom_they_are_for() {
        for (written, hop, expected) in [
            ("https://h/a", "https://h/a", [true, true, true]),
            ("https://h/a", "https://h:443/b", [true, true, true]),
            // By http only where the user's own URL says so.
            ("http://h/a", "http://h/b", [true, true, true]),
            ("http://h:8080/a", "http://h:8080/b", [true, true, true]),
            ("smb://h/s/a", "smb://h/s/a", [true, true, true]),
            ("http://h/a", "https://h/a", [true, true, false]),
            ("https://h/a", "https://g/a", [true, true, false]),
            ("https://h/a", "https://h:8443/a", [true, true, false]),
            ("https://h/a", "https://h.g/a", [true, true, false]),
            ("http://h/a", "https://g/a", [true, true, false]),
            ("http://h/a", "http://g/a", [true, false, false]),
            ("http://h/a", "http://h:8080/a", [true, false, false]),
            ("http://h:8080/a", "http://h/a", [true, false, false]),
            ("https://h/a", "http://h/a", [true, false, false]),
        ] {
            let found = heard(written, hop, Author::User, &[written]);
            assert_eq!(found, expected, "{written} to {hop}");
        }
    }

    #[test]
    fn a_component_has_log_ins_only_for_hosts_that_are_named_for_it() {
        let component = Author::Component {
            identity: "a".to_owned(),
            aws_credentials: true,
        };
        for (written, hop, named, expected) in [
            (
                "https://h/a",
                "https://h/a",
                "https://h/",
                [true, true, false],
            ),
            ("http://h/a", "http://h/a", "http://h/", [true, true, false]),
            ("https://h/a", "https://h/a", "https://g/", [false; 3]),
            ("https://h/a", "https://h/a", "https://h:8443/", [false; 3]),
            ("https://h/a", "https://g/a", "https://h/", [false; 3]),
            (
                "https://h/a",
                "https://g/a",
                "https://g/",
                [true, true, false],
            ),
            (
                "http://h/a",
                "http://g/a",
                "http://g/",
                [true, false, false],
            ),
            ("smb://h/s/a", "smb://h/s/a", "smb://g/", [false; 3]),
            (
                "smb://h/s/a",
                "smb://h/s/a",
                "smb://h/",
                [true, true, false],
            ),
        ] {
            let found = heard(written, hop, component.clone(), &[named]);
            assert_eq!(found, expected, "{written} to {hop}, {named} is named");
        }
    }

    #[test]
    fn a_hop_reaches_as_far_as_whoever_leads_there_lets_it() {
        let written = "http://nas:8080/a";
        let location = Location::parse(written).unwrap();
        let request = Request::named_by_user(vec![location.clone()], Checksum::None);
        let Location::Web(web) = &location else {
            panic!("{written} is no address");
        };
        let settings = Settings::new("cache");
        let address = Address::new(web, &request, &settings).unwrap();
        let admitted = |hop: &str, led_by| address.admit(&Url::parse(hop).unwrap(), led_by).ok();
        for led_by in [
            None,
            Some(Scope::Inward),
            Some(Scope::Private),
            Some(Scope::Public),
        ] {
            let is_public = matches!(led_by, None | Some(Scope::Public));
            let least = if is_public {
                Scope::Public
            } else {
                Scope::Private
            };
            assert_eq!(admitted(written, led_by), Some(Scope::Inward));
            // The same host by another port is another server.
            assert_eq!(admitted("http://nas/a", led_by), Some(least));
            assert_eq!(admitted("https://example.org/a", led_by), Some(least));
            assert_eq!(admitted("https://8.8.8.8/a", led_by), Some(least));
            let private = (!is_public).then_some(Scope::Private);
            assert_eq!(admitted("http://192.168.77.77/a", led_by), private);
            assert_eq!(admitted("http://[::ffff:10.77.0.7]/a", led_by), private);
            for hop in [
                "http://127.0.0.1/a",
                "http://[2002:7f00:1::]/a",
                "http://localhost:8080/",
            ] {
                assert_eq!(admitted(hop, led_by), None, "{hop}");
            }
        }
    }
}
