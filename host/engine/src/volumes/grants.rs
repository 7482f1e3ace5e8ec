//! What one component may reach for one volume: what it has asked for and the user has allowed.
//!
//! ```text
//!   asked for in `configure` ∩ allowed ──► granted ──► each call: is it granted?
//!                                                         └─ each redirect: is it allowed?
//! ```
//!
//! For the built-in sources the template is the permission: a URL, path or volume that stands in the
//! volume's `source` block may be used, and nothing else. For all others it is their entry in
//! `lvhost.hcl`. Asking for more is not refused here but at the call.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use lvhost_config::VolumeSource;
use lvhost_fetch::{Author, Checksum, HeldFolder, Location, Reach, Request, SafeUrl};
use lvhost_libvirt::VolumeId;
use lvhost_runtime::{Download, Grant, Method, ServiceError};

use crate::permission::{self, FileRule, Permission, Target};
use crate::user_secret::UserSecret;

/// The grants of one volume.
#[derive(Debug, Clone)]
pub(crate) struct Grants {
    component: String,
    permission: Permission,
    granted: Vec<Grant>,
    refused: Vec<Grant>,
    /// Every text in the volume's `source` block.
    named: BTreeSet<String>,
    /// The folders by which files are allowed, each opened when it is first used and held from then on: what
    /// its path leads to later changes nothing.
    held: Arc<Mutex<BTreeMap<PathBuf, HeldFolder>>>,
}

impl Grants {
    /// These, of a component that has asked for nothing else.
    #[cfg(test)]
    pub(super) fn of(permission: Permission, granted: Vec<Grant>) -> Self {
        Self {
            component: "stranger".to_owned(),
            permission,
            granted,
            refused: Vec::new(),
            named: BTreeSet::new(),
            held: Arc::default(),
        }
    }

    /// What of `asked` is allowed for the volume `own`, in whose `block` it was asked for.
    pub(crate) fn new(
        asked: &[Grant],
        block: &VolumeSource,
        own: &VolumeId,
        permission: &Permission,
    ) -> Self {
        let named = named(block);
        let is_allowed = |grant: &Grant| match permission {
            Permission::Template => stands_in(&named, grant, own),
            Permission::Entry(allowed) => allowed.permits(grant),
            Permission::Missing => false,
        };
        let (granted, refused) = asked.iter().cloned().partition(is_allowed);
        Self {
            component: block.type_name.clone(),
            permission: permission.clone(),
            granted,
            refused,
            named: named.into_iter().map(str::to_owned).collect(),
            held: Arc::default(),
        }
    }

    /// Whether something that was asked for is granted.
    pub(crate) fn is_granted(&self, grant: &Grant) -> bool {
        self.granted.contains(grant)
    }

    /// The component's name.
    pub(crate) fn component(&self) -> &str {
        &self.component
    }

    /// Whether the component may be run at all.
    pub(crate) fn may_run(&self) -> Result<(), ServiceError> {
        match self.permission {
            Permission::Missing => Err(ServiceError::Denied(format!(
                "the source `{}` is not allowed to run: it has no entry in {}",
                self.component,
                lvhost_config::PROJECT_FILE
            ))),
            _ => Ok(()),
        }
    }

    /// The request for a download, if all of its URLs are granted, and where a list of checksums is to be
    /// read that, too. It can't be led anywhere else. Relative paths are meant from `working_directory`.
    pub(crate) fn request(
        &self,
        urls: &[String],
        checksum: Option<&str>,
        working_directory: &Path,
    ) -> Result<Request, ServiceError> {
        let checksum = self.checksum(checksum.unwrap_or_default())?;
        let mut locations = Vec::with_capacity(urls.len());
        let mut held = BTreeMap::new();
        for text in urls {
            let location =
                Location::parse(text).map_err(|error| ServiceError::Invalid(error.to_string()))?;
            self.location(text, &location, &checksum)?;
            if let Some(Target::File(path)) = Target::of(&location)
                && let Some(folder) = self.folder_of(&path)
            {
                held.insert(working_directory.join(path), self.hold(&folder)?);
            }
            locations.push(location.resolved_in(working_directory));
        }
        let checksum = checksum.resolved_in(working_directory);
        let mut request = self.bounded(Request::named_by_user(locations, checksum));
        request.held = held;
        Ok(request)
    }

    /// The request to ask a server, if all of its URLs are granted for that.
    pub(crate) fn question(
        &self,
        urls: &[String],
        method: Method,
    ) -> Result<Request, ServiceError> {
        let mut locations = Vec::with_capacity(urls.len());
        for text in urls {
            let location =
                Location::parse(text).map_err(|error| ServiceError::Invalid(error.to_string()))?;
            let post = Grant::Post(text.clone());
            match method {
                Method::Post => self.check(post)?,
                Method::Get | Method::Head if self.is_granted(&post) => {}
                Method::Get | Method::Head => self.location(text, &location, &Checksum::None)?,
            }
            locations.push(location);
        }
        let mut request = self.bounded(Request::named_by_user(locations, Checksum::None));
        if let Permission::Entry(allowed) = &self.permission {
            let allowed = Arc::clone(allowed);
            request.reach = Reach::only(move |url| {
                allowed.permits_post(url) || (method != Method::Post && allowed.permits_url(url))
            });
        }
        Ok(request)
    }

    /// The same request within what is allowed.
    fn bounded(&self, mut request: Request) -> Request {
        if let Permission::Entry(allowed) = &self.permission {
            // The component has chosen the URLs: what counts is which hosts the user has named, also for
            // where a server leads.
            request.named = allowed.endpoints();
            request.author = Author::Component {
                identity: allowed.component().to_owned(),
                aws_credentials: allowed.aws_credentials(),
            };
            let allowed = Arc::clone(allowed);
            request.reach = Reach::only(move |url| allowed.permits_url(url));
        }
        request
    }

    /// One of the user's secrets that is granted.
    pub(crate) fn secret(&self, name: &str) -> Result<&UserSecret, ServiceError> {
        self.check(Grant::Secret(name.to_owned()))?;
        let Permission::Entry(allowed) = &self.permission else {
            return Err(no_secret(name));
        };
        allowed.user_secret(name).ok_or_else(|| no_secret(name))
    }

    /// What to say of a redirect that is not allowed.
    pub(crate) fn out_of_reach(&self, url: &SafeUrl) -> ServiceError {
        let host = url.expose().host_str().unwrap_or_default();
        let line = match url.expose().port() {
            Some(port) => format!("hosts = [\"{host}:{port}\"]"),
            None => format!("hosts = [\"{host}\"]"),
        };
        ServiceError::Denied(format!(
            "a server leads to {url}, which is not allowed for the source `{}`: {}",
            self.component,
            permission::advice(&line)
        ))
    }

    /// What a component gives as checksum. A list of checksums is read from wherever it says: for
    /// built-in sources that stands in the block, for others their entry bounds what is read.
    fn checksum(&self, text: &str) -> Result<Checksum, ServiceError> {
        let checksum =
            Checksum::parse(text).map_err(|error| ServiceError::Invalid(error.to_string()))?;
        let is_list = matches!(checksum, Checksum::File(_));
        let stands_there = self.named.iter().any(|named| named.trim() == text.trim());
        if is_list && !stands_there && matches!(self.permission, Permission::Template) {
            return Err(ServiceError::Denied(
                "the list of checksums is not granted: it does not stand in the volume's `source` \
                 block"
                    .to_owned(),
            ));
        }
        Ok(checksum)
    }

    /// Whether a URL is granted, to be checked like this.
    fn location(
        &self,
        text: &str,
        location: &Location,
        checksum: &Checksum,
    ) -> Result<(), ServiceError> {
        let below = |grant: &Grant| match (grant, Target::of(location)) {
            (Grant::UrlsBelow(folder), Some(Target::Web(url))) => {
                SafeUrl::parse(folder).is_ok_and(|folder| permission::is_covered(&url, &folder))
            }
            _ => false,
        };
        if self.granted.iter().any(below) {
            return Ok(());
        }
        let files = self.granted.iter().filter_map(|grant| match grant {
            Grant::Url(file) if file.url == text => Some(file),
            _ => None,
        });
        let files: Vec<_> = files.collect();
        // It is told to the user before the build: one that is told and not kept would be a lie.
        let is_kept = |file: &&Download| match &file.checksum {
            None => true,
            Some(told) => Checksum::parse(told).is_ok_and(|told| told == *checksum),
        };
        if files.iter().any(is_kept) {
            return Ok(());
        }
        if !files.is_empty() {
            return Err(ServiceError::Denied(format!(
                "the source `{}` asks for {location} with another checksum than it has told when it was \
                 configured",
                self.component
            )));
        }
        self.check(Grant::Url(Download {
            url: text.to_owned(),
            checksum: None,
        }))
    }

    /// Whether a pattern of files is granted; if so, the folder that no link may lead out of. This blocks on
    /// the file system for as long as it takes to open a folder.
    pub(crate) fn files(&self, pattern: &str) -> Result<Option<HeldFolder>, ServiceError> {
        self.check(Grant::Files(pattern.to_owned()))?;
        let folder = self.folder_of(pattern);
        folder.map(|folder| self.hold(&folder)).transpose()
    }

    fn hold(&self, folder: &Path) -> Result<HeldFolder, ServiceError> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = held.get(folder) {
            return Ok(known.clone());
        }
        let opened = HeldFolder::open(folder).map_err(|error| {
            let text = format!("can't open {}: {error}", folder.display());
            match error.kind() {
                io::ErrorKind::NotFound => ServiceError::NotFound(text),
                _ => ServiceError::Other(text),
            }
        })?;
        held.insert(folder.to_owned(), opened.clone());
        Ok(opened)
    }

    pub(crate) fn volume(&self, id: &VolumeId) -> Result<(), ServiceError> {
        self.check(Grant::Volume(lvhost_runtime::VolumeId {
            pool: id.pool.clone(),
            name: id.name.clone(),
        }))
    }

    pub(crate) fn path(&self, path: &str) -> Result<(), ServiceError> {
        self.check(Grant::HypervisorPath(path.to_owned()))
    }

    fn check(&self, wanted: Grant) -> Result<(), ServiceError> {
        if self.granted.contains(&wanted) {
            return Ok(());
        }
        let is_wanted = |refused: &Grant| match (refused, &wanted) {
            (Grant::Url(refused), Grant::Url(wanted)) => refused.url == wanted.url,
            (refused, wanted) => refused == wanted,
        };
        let (what, component) = (permission::in_words(&wanted), &self.component);
        Err(ServiceError::Denied(match self.permission {
            Permission::Template => {
                format!("{what} is not granted: it does not stand in the volume's `source` block")
            }
            _ if self.refused.iter().any(is_wanted) => format!(
                "{what} is not allowed for the source `{component}`: {}",
                permission::advice(&permission::line_for(&wanted))
            ),
            _ => format!(
                "{what} is not granted: the source `{component}` has not asked for it when it was \
                 configured"
            ),
        }))
    }

    /// The folder by which a path or pattern is allowed, if it is by a folder.
    fn folder_of(&self, asked: &str) -> Option<PathBuf> {
        let Permission::Entry(allowed) = &self.permission else {
            return None;
        };
        match allowed.permits_files(asked) {
            Some(FileRule::Below(folder)) => Some(folder),
            Some(FileRule::Itself) | None => None,
        }
    }
}

fn no_secret(name: &str) -> ServiceError {
    ServiceError::NotFound(format!("there is no secret called `{name}`"))
}

/// Whether a grant stands in the block of the volume `own`.
fn stands_in(named: &BTreeSet<&str>, grant: &Grant, own: &VolumeId) -> bool {
    match grant {
        Grant::Url(file) => named.contains(file.url.as_str()),
        Grant::UrlsBelow(text) | Grant::Files(text) | Grant::HypervisorPath(text) => {
            named.contains(text.as_str())
        }
        // Built-in sources need neither.
        Grant::Post(_) | Grant::Secret(_) => false,
        // The pool may be left out in the block: it is the volume's own then.
        Grant::Volume(id) => {
            named.contains(id.name.as_str())
                && (named.contains(id.pool.as_str()) || id.pool == own.pool)
        }
    }
}

/// Every text in the block.
fn named(block: &VolumeSource) -> BTreeSet<&str> {
    let mut texts = BTreeSet::new();
    for value in block.settings.iter().filter_map(|it| it.value.as_ref()) {
        texts.extend(value.names());
    }
    texts
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The grants of a block whose only option is `checksum`, which names `text`.
    fn grants(text: &str, permission: Permission) -> Grants {
        let mut grants = Grants::of(permission, Vec::new());
        grants.named.insert(text.to_owned());
        grants
    }

    #[test]
    fn a_list_of_checksums_stands_in_the_block_or_is_not_read() {
        let named = "file:https://example.org/SHA256SUMS";
        let digest = format!("sha256:{}", "0".repeat(64));
        for (text, allowed) in [
            (named, true),
            (" file:https://example.org/SHA256SUMS ", true),
            ("file:https://example.com/SHA256SUMS", false),
            ("file:/etc/shadow", false),
            (digest.as_str(), true),
            ("none", true),
            ("", true),
        ] {
            let built_in = grants(named, Permission::Template);
            let answer = built_in.request(&[], Some(text), Path::new("/"));
            assert_eq!(answer.is_ok(), allowed, "{text}");
            if let Err(error) = answer {
                assert!(matches!(error, ServiceError::Denied(_)), "{error}");
            }
        }
        // What an entry allows is checked when the list is read.
        let other = grants(named, Permission::Entry(Arc::default()));
        let elsewhere = "file:https://example.com/SHA256SUMS";
        let request = other.request(&[], Some(elsewhere), Path::new("/")).unwrap();
        assert_eq!(format!("{:?}", request.reach), "Reach(bounded)");
    }

    #[test]
    fn a_question_is_granted_for_what_is_done() {
        let (asked, sent, other) = ("https://h/a", "https://h/token", "https://h/b");
        let mut grants = grants("none", Permission::Entry(Arc::default()));
        grants.granted = vec![
            Grant::Url(Download {
                url: asked.to_owned(),
                checksum: None,
            }),
            Grant::Post(sent.to_owned()),
        ];
        for (url, method, is_granted) in [
            (asked, Method::Get, true),
            (asked, Method::Head, true),
            (asked, Method::Post, false),
            (sent, Method::Get, true),
            (sent, Method::Post, true),
            (other, Method::Get, false),
            (other, Method::Post, false),
        ] {
            let question = grants.question(&[url.to_owned()], method);
            assert_eq!(question.is_ok(), is_granted, "{url} {method:?}");
            let both = grants.question(&[asked.to_owned(), url.to_owned()], method);
            assert_eq!(
                both.is_ok(),
                is_granted && method != Method::Post,
                "{url} {method:?}"
            );
        }
        // To send something to it does not allow to download it.
        assert!(
            grants
                .request(&[sent.to_owned()], None, Path::new("/"))
                .is_err()
        );
        // What is to be checked is not had without its check.
        grants.granted = vec![Grant::Url(Download {
            url: asked.to_owned(),
            checksum: Some("sha256:".to_owned() + &"0".repeat(64)),
        })];
        assert!(grants.question(&[asked.to_owned()], Method::Get).is_err());
    }

    #[test]
    fn a_request_says_who_has_chosen_what_it_asks_for() {
        let url = "https://127.0.0.1:8443/a.img";
        let asked_by = |permission| {
            let mut grants = grants("none", permission);
            grants.granted.push(Grant::Url(Download {
                url: url.to_owned(),
                checksum: None,
            }));
            let request = grants.request(&[url.to_owned()], None, Path::new("/"));
            request.unwrap()
        };
        let own = asked_by(Permission::Template);
        assert_eq!(own.author, Author::User);
        let endpoints: Vec<_> = own.named.iter().map(ToString::to_string).collect();
        assert_eq!(endpoints, ["127.0.0.1:8443"]);
        // Its entry names no host: no log-in of the user's goes along, no address of this machine is
        // reached, and nothing is had from the cache that others have fetched.
        let allowed = permission::Allowed::default().for_component(" AB12\n");
        let components = asked_by(Permission::Entry(Arc::new(allowed)));
        let expected = Author::Component {
            identity: "ab12".to_owned(),
            aws_credentials: false,
        };
        assert_eq!(components.author, expected);
        assert!(components.named.is_empty());
    }

    #[test]
    fn the_checksum_that_was_told_is_the_one_that_is_taken() {
        let url = "https://example.org/a.img";
        let digits = "AB".repeat(32);
        let told = format!("sha256:{}", "ab".repeat(32));
        let other = "sha256:".to_owned() + &"cd".repeat(32);
        for (told, asked, is_taken) in [
            (Some(told.as_str()), Some(told.as_str()), true),
            (Some(told.as_str()), Some(digits.as_str()), true),
            (Some(told.as_str()), Some(other.as_str()), false),
            (Some(told.as_str()), None, false),
            (Some("none"), None, true),
            (Some("none"), Some(told.as_str()), false),
            (None, None, true),
            (None, Some(other.as_str()), true),
        ] {
            let mut grants = grants("none", Permission::Entry(Arc::default()));
            grants.granted.push(Grant::Url(Download {
                url: url.to_owned(),
                checksum: told.map(str::to_owned),
            }));
            let request = grants.request(&[url.to_owned()], asked, Path::new("/"));
            assert_eq!(request.is_ok(), is_taken, "{told:?} {asked:?}");
            if let Err(error) = request {
                assert!(error.to_string().contains("another checksum"), "{error}");
            }
        }
    }
}
