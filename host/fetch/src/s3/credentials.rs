//! Whose keys an object is asked for with, in this order: those in the URL's query, those of the
//! profile that it names, those of the environment, those of the user's profile, and none.

use secrecy::ExposeSecret;

use super::{AwsSettings, DEFAULT_REGION, Object, S3Error, Store};
use crate::SafeUrl;

/// The profile of those who have only one.
const DEFAULT_PROFILE: &str = "default";

/// Keys, if any, and region for one object.
pub(crate) struct Access {
    credentials: Option<rusty_s3::Credentials>,
    region: String,
    endpoint: Option<SafeUrl>,
}

impl Access {
    /// Finds them.
    pub(crate) fn of(object: &Object, settings: &AwsSettings) -> Result<Self, S3Error> {
        let named = object.profile.as_deref().or(settings.profile.as_deref());
        let profile = |name: Option<&str>| {
            settings
                .read_profile(name.unwrap_or(DEFAULT_PROFILE), name.is_some())
                .map_err(S3Error::Profile)
        };
        let mut profile_region = None;
        let credentials = match (in_query(object)?, object.profile.as_deref()) {
            (Some(credentials), _) => Some(credentials),
            (None, None) if settings.access_key_id.is_some() => in_environment(settings)?,
            (None, _) => {
                let profile = profile(named)?;
                profile_region = profile.region;
                profile.keys.map(|(id, secret, token)| {
                    credentials(
                        &id,
                        secret.expose_secret(),
                        token.as_ref().map(|token| token.expose_secret()),
                    )
                })
            }
        };
        let in_host = match &object.store {
            Store::Amazon { region, .. } => region.clone(),
            Store::Other(_) => None,
        };
        let region = in_host
            .or_else(|| object.region.clone())
            .or_else(|| match object.profile {
                Some(_) => profile_region.clone().or_else(|| settings.region.clone()),
                None => settings.region.clone().or_else(|| profile_region.clone()),
            })
            .unwrap_or_else(|| DEFAULT_REGION.to_owned());
        Ok(Self {
            credentials,
            region,
            endpoint: settings
                .endpoint
                .clone()
                .filter(|_| object.is_without_host()),
        })
    }

    pub(crate) fn credentials(&self) -> Option<&rusty_s3::Credentials> {
        self.credentials.as_ref()
    }

    pub(crate) fn region(&self) -> &str {
        &self.region
    }

    /// The store that stands in for Amazon's where the object's address has no host of its own.
    pub(crate) fn endpoint(&self) -> Option<&SafeUrl> {
        self.endpoint.as_ref()
    }
}

fn in_query(object: &Object) -> Result<Option<rusty_s3::Credentials>, S3Error> {
    let url = object.written.expose();
    let find = |name: &str| {
        url.query_pairs()
            .find(|(key, value)| key == name && !value.is_empty())
            .map(|(_, value)| value)
    };
    let (id, secret) = (find("aws_access_key_id"), find("aws_access_key_secret"));
    match (id, secret) {
        (Some(id), Some(secret)) => Ok(Some(credentials(
            &id,
            &secret,
            find("aws_access_token").as_deref(),
        ))),
        (Some(_), None) => Err(S3Error::HalfAPair("aws_access_key_secret")),
        (None, Some(_)) => Err(S3Error::HalfAPair("aws_access_key_id")),
        (None, None) => Ok(None),
    }
}

fn in_environment(settings: &AwsSettings) -> Result<Option<rusty_s3::Credentials>, S3Error> {
    match (&settings.access_key_id, &settings.secret_access_key) {
        (Some(id), Some(secret)) => Ok(Some(credentials(
            id,
            secret.expose_secret(),
            settings
                .session_token
                .as_ref()
                .map(|token| token.expose_secret()),
        ))),
        (Some(_), None) => Err(S3Error::HalfAPair("AWS_SECRET_ACCESS_KEY")),
        (None, _) => Ok(None),
    }
}

fn credentials(id: &str, secret: &str, token: Option<&str>) -> rusty_s3::Credentials {
    match token {
        Some(token) => rusty_s3::Credentials::new_with_token(id, secret, token),
        None => rusty_s3::Credentials::new(id, secret),
    }
}
