//! What a user has allowed a component: an entry of `lvhost.hcl`, read once and asked at every reach.
//!
//! A rule is a text that can be read at a glance: there are no patterns in URLs and paths but `/` at the
//! end for everything below. URLs are compared as what they mean and not as they are written, so that
//! `https://h/a/../../b` is not below `https://h/a/`.

mod hosts_and_volumes;
mod rule;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use lvhost_config::PROJECT_FILE;
use lvhost_fetch::{Endpoint, Location, SafeUrl};
use lvhost_hcl::{Diagnostic, Diagnostics, Span};
use lvhost_runtime::Grant;

use crate::user_secret::{self, UserSecret, UserSecrets};

use self::hosts_and_volumes::{HostRule, VolumeRule};
pub use self::rule::Rule;

/// Where a component's permission stands.
#[derive(Debug, Clone, Default)]
pub enum Permission {
    /// In the template: it is built in, and what stands in the volume's `source` block it may reach.
    #[default]
    Template,
    /// In its entry in `lvhost.hcl`.
    Entry(Arc<Allowed>),
    /// Nowhere. It may be asked what it would need, which reaches nothing, and is never run.
    Missing,
}

/// What an `allow` block allows.
#[derive(Debug, Clone, Default)]
pub struct Allowed {
    urls: Vec<SafeUrl>,
    hosts: Vec<HostRule>,
    files: Vec<String>,
    volumes: Vec<VolumeRule>,
    hypervisor_paths: Vec<String>,
    aws_credentials: bool,
    posts: Vec<SafeUrl>,
    /// Names.
    secrets: BTreeSet<String>,
    user_secrets: UserSecrets,
    component: String,
    working_directory: PathBuf,
}

impl Allowed {
    /// Reads an `allow` block; without one nothing is allowed. Relative paths of files are meant from
    /// `working_directory`, as those of a template. What can't be meant is reported.
    pub fn read(
        written: Option<&lvhost_config::Allow>,
        user_secrets: &UserSecrets,
        working_directory: &Path,
        report: &mut Diagnostics,
    ) -> Self {
        let Some(written) = written else {
            return Self::default();
        };
        let place = |option: &str, index: usize| {
            let path = format!("[{index}]");
            written.origin.span_of_element(option, &path)
        };
        let mut read = Self {
            aws_credentials: written.aws_credentials,
            user_secrets: user_secrets.clone(),
            working_directory: working_directory.to_owned(),
            ..Self::default()
        };
        for (index, text) in written.urls.iter().enumerate() {
            match url_rule(text) {
                Ok(rule) => read.urls.push(rule),
                Err(problem) => report.push(problem.at(place("urls", index))),
            }
        }
        for (index, text) in written.posts.iter().enumerate() {
            match url_rule(text) {
                Ok(rule) if !is_share(&rule) => read.posts.push(rule),
                Ok(_) => report.push(no_post(text).at(place("posts", index))),
                Err(problem) => report.push(problem.at(place("posts", index))),
            }
        }
        for (index, name) in written.secrets.iter().enumerate() {
            if user_secrets.get(name).is_none() {
                let message = format!("there is no secret called `{name}`");
                let error = Diagnostic::error(place("secrets", index), message);
                report.push(error.help(user_secret::block_text(name)));
            }
            read.secrets.insert(name.clone());
        }
        for (index, text) in written.hosts.iter().enumerate() {
            match HostRule::parse(text) {
                Ok(rule) => read.hosts.push(rule),
                Err(problem) => report.push(problem.at(place("hosts", index))),
            }
        }
        for (index, text) in written.volumes.iter().enumerate() {
            match VolumeRule::parse(text) {
                Ok(rule) => read.volumes.push(rule),
                Err(problem) => report.push(problem.at(place("volumes", index))),
            }
        }
        let paths = [
            ("files", &written.files, &mut read.files),
            (
                "hypervisor_paths",
                &written.hypervisor_paths,
                &mut read.hypervisor_paths,
            ),
        ];
        for (option, written, read) in paths {
            for (index, text) in written.iter().enumerate() {
                if text.is_empty() || (option == "hypervisor_paths" && !text.starts_with('/')) {
                    let help = "write a path on the hypervisor, which begins with `/`";
                    let help = if text.is_empty() {
                        "write a path"
                    } else {
                        help
                    };
                    let problem = Problem::new(format!("`{text}` can't be allowed"), help);
                    report.push(problem.at(place(option, index)));
                } else {
                    read.push(text.clone());
                }
            }
        }
        read
    }

    /// Whether all that a component asks for by `grant` is allowed.
    pub(crate) fn permits(&self, grant: &Grant) -> bool {
        self.rule_for(grant).is_some()
    }

    /// Whether a URL may be asked for, and with it everything below if it ends in `/`: a rule for a
    /// folder stands for both, a rule for a host for everything there.
    pub(crate) fn permits_url(&self, url: &SafeUrl) -> bool {
        self.rule_for_url(url).is_some()
    }

    /// Whether something may be sent to a URL.
    pub(crate) fn permits_post(&self, url: &SafeUrl) -> bool {
        self.rule_for_post(url).is_some()
    }

    /// A secret that may be sent.
    pub(crate) fn user_secret(&self, name: &str) -> Option<&UserSecret> {
        self.user_secrets
            .get(name)
            .filter(|_| self.secrets.contains(name))
    }

    /// The same with a secret that the component may have sent.
    #[cfg(test)]
    pub(crate) fn with_secret(mut self, name: &str, secret: UserSecret) -> Self {
        self.secrets.insert(name.to_owned());
        self.user_secrets.insert(name, secret);
        self
    }

    /// The rule that covers a path or pattern of files.
    pub(crate) fn permits_files(&self, asked: &str) -> Option<FileRule> {
        let rule = self.file_rule(asked)?;
        Some(match rule == asked {
            true => FileRule::Itself,
            false => FileRule::Below(self.working_directory.join(rule)),
        })
    }

    /// The hosts and ports that are named in full: only these may be this machine itself, and only to these
    /// the user's log-ins go along.
    pub(crate) fn endpoints(&self) -> BTreeSet<Endpoint> {
        let in_urls = self.urls.iter().chain(&self.posts).filter_map(Endpoint::of);
        in_urls
            .chain(self.hosts.iter().flat_map(HostRule::endpoints))
            .collect()
    }

    /// The same for the component with this SHA-256, in hexadecimal digits.
    #[must_use]
    pub fn for_component(mut self, sha256: &str) -> Self {
        self.component = sha256.trim().to_ascii_lowercase();
        self
    }

    /// The SHA-256 of the component.
    pub(crate) fn component(&self) -> &str {
        &self.component
    }

    /// Whether objects of S3 may be fetched with the user's AWS keys.
    pub(crate) fn aws_credentials(&self) -> bool {
        self.aws_credentials
    }
}

/// What is reached by a download: a URL may be the path of a file, too.
pub(crate) enum Target {
    Web(SafeUrl),
    File(String),
}

impl Target {
    /// `None` for what can't be downloaded.
    fn parse(text: &str) -> Option<Self> {
        Self::of(&Location::parse(text).ok()?)
    }

    pub(crate) fn of(location: &Location) -> Option<Self> {
        match location {
            Location::Web(address) => Some(Self::Web(address.url().clone())),
            Location::Path(path) => Some(Self::File(path.to_str()?.to_owned())),
        }
    }
}

/// How files are allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FileRule {
    /// The very path or pattern.
    Itself,
    /// What is below this folder, which no link may lead out of.
    Below(PathBuf),
}

/// The lines of an `allow` block that allow all that a component has asked for.
pub fn allow_lines<'a>(grants: impl IntoIterator<Item = &'a Grant>) -> Vec<String> {
    let mut options: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for grant in grants {
        let (option, text) = rule_for(grant);
        options.entry(option).or_default().insert(text);
    }
    let lines = options.into_iter().map(|(option, texts)| {
        let texts: Vec<_> = texts.iter().map(|text| quoted(text)).collect();
        format!("{option} = [{}]", texts.join(", "))
    });
    lines.collect()
}

/// The line of an `allow` block that allows what a component has asked for.
pub(crate) fn line_for(grant: &Grant) -> String {
    allow_lines([grant]).concat()
}

/// A text of the template language: `${` and `%{` would begin something else in one.
fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
    let escaped = escaped.replace("${", "$${").replace("%{", "%%{");
    format!("\"{escaped}\"")
}

fn rule_for(grant: &Grant) -> (&'static str, String) {
    match grant {
        Grant::Url(file) => match Target::parse(&file.url) {
            Some(Target::File(path)) => ("files", path),
            Some(Target::Web(_)) | None => ("urls", shown_url(&file.url)),
        },
        Grant::UrlsBelow(text) => ("urls", shown_folder(text)),
        Grant::Files(pattern) => ("files", pattern.clone()),
        Grant::Volume(id) => ("volumes", id.to_string()),
        Grant::HypervisorPath(path) => ("hypervisor_paths", path.clone()),
        Grant::Post(url) => ("posts", shown_url(url)),
        Grant::Secret(name) => ("secrets", name.clone()),
    }
}

/// What a component has asked for, in words.
pub(crate) fn in_words(grant: &Grant) -> String {
    match grant {
        Grant::Url(file) => match Target::parse(&file.url) {
            Some(Target::File(path)) => format!("the file `{path}`"),
            Some(Target::Web(_)) | None => format!("the URL {}", shown_url(&file.url)),
        },
        Grant::UrlsBelow(text) => format!("the URL {} and everything below it", shown_folder(text)),
        Grant::Files(pattern) => format!("the files `{pattern}`"),
        Grant::Volume(id) => format!("the volume {id}"),
        Grant::HypervisorPath(path) => format!("the hypervisor's path `{path}`"),
        Grant::Post(url) => format!("leave to send something to {}", shown_url(url)),
        Grant::Secret(name) => format!("leave to have the secret `{name}` sent"),
    }
}

/// What a user can do about something that is not allowed.
pub(crate) fn advice(line: &str) -> String {
    format!("if it is to have this, add `{line}` to its `allow` block in {PROJECT_FILE}")
}

/// What is shown in place of a URL that can't be read: there may be a password in it.
const NO_URL: &str = "(which is no URL)";

/// A URL without its password.
fn shown_url(text: &str) -> String {
    match Location::parse(text) {
        Ok(location) => location.to_string(),
        Err(_) => NO_URL.to_owned(),
    }
}

/// The same for one of a folder.
fn shown_folder(text: &str) -> String {
    folder(text).map_or_else(|| NO_URL.to_owned(), |url| url.to_string())
}

/// A URL for everything below it. One of a share is none that could be downloaded, so that it is not
/// read as one; what is below it is, before anything is asked for.
fn folder(text: &str) -> Option<SafeUrl> {
    match Target::parse(text) {
        Some(Target::Web(url)) => Some(url),
        Some(Target::File(_)) => None,
        None => SafeUrl::parse(text).ok().filter(is_share),
    }
}

/// Whether a URL is of a kind that things are downloaded from.
fn is_download(url: &SafeUrl) -> bool {
    matches!(url.expose().scheme(), "http" | "https") || is_share(url)
}

fn is_share(url: &SafeUrl) -> bool {
    url.expose().scheme() == "smb"
}

/// Whether `rule` is the URL, or the folder that it is in.
pub(crate) fn is_covered(url: &SafeUrl, rule: &SafeUrl) -> bool {
    let same_port = Endpoint::of(url) == Endpoint::of(rule);
    let (url, rule) = (url.expose(), rule.expose());
    let same_server = url.scheme() == rule.scheme() && url.host() == rule.host() && same_port;
    if rule.path().ends_with('/') {
        same_server && url.path().starts_with(rule.path())
    } else {
        same_server && url.path() == rule.path() && url.query() == rule.query()
    }
}

/// Whether `path`, which may be a pattern, is below a folder, going by the names alone.
fn is_below(path: &Path, folder: &Path) -> bool {
    let steps_back = |path: &Path| path.components().any(|part| part == Component::ParentDir);
    // What `..` leads to depends on links.
    !steps_back(path) && !steps_back(folder) && path != folder && path.starts_with(folder)
}

fn url_rule(text: &str) -> Result<SafeUrl, Problem> {
    let url = match SafeUrl::parse(text) {
        Ok(url) if is_download(&url) => url,
        _ => {
            return Err(Problem::new(
                format!("`{}` is no http, https or smb URL", shown_rule(text)),
                "files are allowed by `files`, whole servers by `hosts`",
            ));
        }
    };
    if text.contains('*') {
        return Err(Problem::new(
            "there are no patterns in URLs",
            "end it in `/` for everything below, or use `hosts`",
        ));
    }
    if url.expose().path().ends_with('/') && url.expose().query().is_some() {
        return Err(Problem::new(
            "a URL for everything below it has no query",
            "leave out `?` and what is behind it",
        ));
    }
    Ok(url)
}

/// What can't be sent to.
fn no_post(text: &str) -> Problem {
    Problem::new(
        format!("nothing can be sent to `{}`", shown_rule(text)),
        "write an http or https URL",
    )
}

/// Of what is no URL, up to where a password could begin.
fn shown_rule(text: &str) -> &str {
    text.split(['@', '?']).next().unwrap_or_default()
}

/// What is wrong with a rule.
struct Problem {
    message: String,
    help: &'static str,
}

impl Problem {
    fn new(message: impl Into<String>, help: &'static str) -> Self {
        Self {
            message: message.into(),
            help,
        }
    }

    fn at(self, span: Span) -> Diagnostic {
        Diagnostic::error(span, self.message).help(self.help)
    }
}

#[cfg(test)]
mod tests;
