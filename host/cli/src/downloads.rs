//! What downloads need of the user's surroundings: proxies, log-ins, authorities, keys.

use std::io;
use std::path::Path;

use lvhost_engine::with_causes;
use lvhost_fetch::{
    AwsSettings, Fetcher, HostHeader, HostHeaderLineError, Netrc, ProxySettings, Settings,
    read_host_headers,
};

use crate::input::InputError;
use crate::surroundings::{FILE_SIZE, Surroundings, read_file};

/// Names the file of certificates that are trusted beside the system's.
const CA_BUNDLE: &str = "LVHOST_CA_BUNDLE";

/// Names the file of log-ins; `~/.netrc` if it is not set.
const NETRC: &str = "NETRC";

/// Headers for single hosts, such as tokens: lines of `https://HOST NAME: VALUE`, or `@` and the path of
/// a file with such lines, as for `curl --header`.
const HTTP_HEADERS: &str = "LVHOST_HTTP_HEADERS";

/// The downloader of a run.
///
/// # Errors
/// A variable, or a file that one names, that can't be used.
pub(crate) fn fetcher(surroundings: &Surroundings, cache: &Path) -> Result<Fetcher, InputError> {
    let mut settings = Settings::new(cache.join("downloads"));
    settings.proxy = ProxySettings::from_variables(&surroundings.variables)
        .map_err(|(name, error)| unusable(&name, format!("not a URL: {error}")))?;
    if let Some(path) = surroundings.set(CA_BUNDLE) {
        let pem = read_file(&surroundings.working_directory.join(path))
            .map_err(|error| unusable(CA_BUNDLE, format!("{path}: {error}")))?;
        settings
            .trust_bundle(&pem)
            .map_err(|error| unusable(CA_BUNDLE, format!("{path}: {error}")))?;
    }
    settings.headers = headers(surroundings)?;
    settings.netrc = netrc(surroundings)?;
    let mut aws = AwsSettings::from_variables(&surroundings.variables)
        .map_err(|(name, error)| unusable(&name, format!("not a URL: {error}")))?;
    if let Some(home) = surroundings.home() {
        let (credentials, config) = AwsSettings::files(&surroundings.variables, &home);
        // Who has no such files has no keys in them.
        aws.credentials_file = read_text(&credentials).ok().map(Into::into);
        aws.config_file = read_text(&config).ok().map(Into::into);
    }
    settings.aws = aws;
    Ok(Fetcher::new(settings))
}

/// A downloader that is only asked what it has. No file of the user's log-ins is read for it.
///
/// # Errors
/// A variable that can't be used.
pub(crate) fn held_only(surroundings: &Surroundings, cache: &Path) -> Result<Fetcher, InputError> {
    let mut settings = Settings::new(cache.join("downloads"));
    settings.aws = AwsSettings::from_variables(&surroundings.variables)
        .map_err(|(name, error)| unusable(&name, format!("not a URL: {error}")))?;
    Ok(Fetcher::new(settings))
}

fn headers(surroundings: &Surroundings) -> Result<Vec<HostHeader>, InputError> {
    let Some(value) = surroundings.set(HTTP_HEADERS) else {
        return Ok(Vec::new());
    };
    let problem = |error: HostHeaderLineError| with_causes(&error);
    match value.strip_prefix('@') {
        None => read_host_headers(value).map_err(|error| unusable(HTTP_HEADERS, problem(error))),
        Some(path) => {
            let unusable = |reason| unusable(HTTP_HEADERS, format!("{path}: {reason}"));
            let text = read_text(&surroundings.working_directory.join(path))
                .map_err(|error| unusable(error.to_string()))?;
            read_host_headers(&text).map_err(|error| unusable(problem(error)))
        }
    }
}

fn netrc(surroundings: &Surroundings) -> Result<Option<Netrc>, InputError> {
    let path = match (surroundings.set(NETRC), surroundings.home()) {
        (Some(path), _) => surroundings.working_directory.join(path),
        (None, Some(home)) => home.join(".netrc"),
        (None, None) => return Ok(None),
    };
    let text = match read_text(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unusable(NETRC, format!("{}: {error}", path.display()))),
    };
    Netrc::parse(&text)
        .map(Some)
        .map_err(|error| unusable(NETRC, format!("{}: {error}", path.display())))
}

fn read_text(path: &Path) -> io::Result<String> {
    lvhost_regular_file::read_to_string(path, FILE_SIZE)
}

fn unusable(name: &str, reason: String) -> InputError {
    InputError::Variable {
        name: name.to_owned(),
        reason,
    }
}
