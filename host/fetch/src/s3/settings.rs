//! What AWS's own tools would find on a machine: variables and profiles. All of it is handed in;
//! nothing is looked for here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;

use crate::SafeUrl;

/// Keys, region and profiles for S3.
#[derive(Clone, Debug, Default)]
pub struct AwsSettings {
    /// `AWS_ACCESS_KEY_ID`.
    pub access_key_id: Option<String>,
    /// `AWS_SECRET_ACCESS_KEY`.
    pub secret_access_key: Option<SecretString>,
    /// `AWS_SESSION_TOKEN`.
    pub session_token: Option<SecretString>,
    /// `AWS_REGION` or `AWS_DEFAULT_REGION`.
    pub region: Option<String>,
    /// `AWS_PROFILE`; `default` if there is none.
    pub profile: Option<String>,
    /// `AWS_ENDPOINT_URL_S3` or `AWS_ENDPOINT_URL`: a store other than Amazon's for `s3://BUCKET/…`, and
    /// the only other one that is asked with the keys here.
    pub endpoint: Option<SafeUrl>,
    /// The text of `~/.aws/credentials`.
    pub credentials_file: Option<SecretString>,
    /// The text of `~/.aws/config`.
    pub config_file: Option<SecretString>,
}

/// Why a profile is of no use.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ProfileError {
    /// Neither file has it.
    #[error("there is no profile `{0}` in the AWS credentials and config files")]
    Missing(String),
    /// It has one key and not the other.
    #[error("the AWS profile `{profile}` has no `{key}`")]
    Incomplete {
        /// The profile.
        profile: String,
        /// What it lacks.
        key: &'static str,
    },
    /// It gets its keys from somewhere else.
    #[error(
        "the AWS profile `{profile}` uses `{key}`, which is not supported; run `aws configure \
         export-credentials --profile {profile} --format env` and set the variables it prints"
    )]
    Indirect {
        /// The profile.
        profile: String,
        /// What it uses.
        key: &'static str,
    },
}

/// Settings by which a profile gets its keys from elsewhere.
const INDIRECT: [&str; 6] = [
    "role_arn",
    "sso_session",
    "sso_start_url",
    "credential_process",
    "web_identity_token_file",
    "login_session",
];

/// What one profile says.
#[derive(Debug, Default)]
pub(super) struct Profile {
    pub(super) keys: Option<(String, SecretString, Option<SecretString>)>,
    pub(super) region: Option<String>,
}

impl AwsSettings {
    /// Reads the customary variables out of a map. The files are the caller's to read; see
    /// [`AwsSettings::files`].
    ///
    /// # Errors
    /// An endpoint that is no URL: the name of the variable and what is wrong.
    pub fn from_variables(
        variables: &BTreeMap<String, String>,
    ) -> Result<Self, (String, url::ParseError)> {
        let find = |names: &[&str]| {
            names.iter().find_map(|name| {
                let value = variables.get(*name)?.trim();
                (!value.is_empty()).then(|| ((*name).to_owned(), value.to_owned()))
            })
        };
        let text = |names: &[&str]| find(names).map(|(_, value)| value);
        let endpoint = match find(&["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"]) {
            Some((name, value)) => Some(SafeUrl::parse(&value).map_err(|error| (name, error))?),
            None => None,
        };
        Ok(Self {
            access_key_id: text(&["AWS_ACCESS_KEY_ID"]),
            secret_access_key: text(&["AWS_SECRET_ACCESS_KEY"]).map(SecretString::from),
            session_token: text(&["AWS_SESSION_TOKEN"]).map(SecretString::from),
            region: text(&["AWS_REGION", "AWS_DEFAULT_REGION"]),
            profile: text(&["AWS_PROFILE"]),
            endpoint,
            credentials_file: None,
            config_file: None,
        })
    }

    /// Where the files of credentials and of settings are.
    pub fn files(variables: &BTreeMap<String, String>, home: &Path) -> (PathBuf, PathBuf) {
        let path = |variable: &str, default: &str| match variables.get(variable) {
            Some(path) if !path.is_empty() => PathBuf::from(path),
            _ => home.join(".aws").join(default),
        };
        (
            path("AWS_SHARED_CREDENTIALS_FILE", "credentials"),
            path("AWS_CONFIG_FILE", "config"),
        )
    }

    /// Whether there may be keys anywhere.
    pub(super) fn has_keys(&self) -> bool {
        self.access_key_id.is_some()
            || self.credentials_file.is_some()
            || self.config_file.is_some()
    }

    /// What the files say of a profile. A profile that isn't there is an error if it was `named`.
    pub(super) fn read_profile(&self, name: &str, named: bool) -> Result<Profile, ProfileError> {
        let in_config = if name == "default" {
            vec![name.to_owned(), format!("profile {name}")]
        } else {
            vec![format!("profile {name}")]
        };
        let config = section(self.config_file.as_ref(), &in_config);
        let credentials = section(self.credentials_file.as_ref(), &[name.to_owned()]);
        if config.is_none() && credentials.is_none() {
            return if named {
                Err(ProfileError::Missing(name.to_owned()))
            } else {
                Ok(Profile::default())
            };
        }
        // As AWS's tools do: what stands in the credentials file counts more.
        let mut settings = config.unwrap_or_default();
        settings.extend(credentials.unwrap_or_default());
        let incomplete = |key| ProfileError::Incomplete {
            profile: name.to_owned(),
            key,
        };
        let mut take = |key: &str| settings.remove(key);
        let token = take("aws_session_token").map(SecretString::from);
        let keys = match (take("aws_access_key_id"), take("aws_secret_access_key")) {
            (Some(id), Some(secret)) => Some((id, SecretString::from(secret), token)),
            (Some(_), None) => return Err(incomplete("aws_secret_access_key")),
            (None, Some(_)) => return Err(incomplete("aws_access_key_id")),
            (None, None) => None,
        };
        let region = take("region");
        let indirect = INDIRECT.into_iter().find(|key| settings.contains_key(*key));
        match (keys, indirect) {
            (None, Some(key)) => Err(ProfileError::Indirect {
                profile: name.to_owned(),
                key,
            }),
            (keys, _) => Ok(Profile { keys, region }),
        }
    }
}

/// The settings of the first of these sections that is there. Lines that say nothing are passed
/// over, as AWS's tools do; sub-settings are indented and belong to nobody here.
/// <https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html>
fn section(file: Option<&SecretString>, names: &[String]) -> Option<BTreeMap<String, String>> {
    let mut found: Option<BTreeMap<String, String>> = None;
    let mut is_inside = false;
    for line in file?.expose_secret().lines() {
        let text = line.trim();
        if text.is_empty() || text.starts_with(['#', ';']) {
            continue;
        }
        if let Some(header) = text.strip_prefix('[') {
            let header = header.split(']').next().unwrap_or_default();
            let words: Vec<_> = header.split_whitespace().collect();
            is_inside = names.contains(&words.join(" "));
            if is_inside {
                found.get_or_insert_default();
            }
            continue;
        }
        if is_inside
            && !line.starts_with([' ', '\t'])
            && let Some((key, value)) = text.split_once('=')
            && let Some(settings) = &mut found
        {
            let value = value.split(" #").next().unwrap_or_default().trim();
            settings.insert(key.trim().to_ascii_lowercase(), value.to_owned());
        }
    }
    found
}
