//! Whose keys an object is asked for with, in this order: those in the URL's query, those of the
//! profile that it names, those of the environment, those of the user's profile, and none.
//!
//! Keys that stand in the URL are for the store in it. All others are the user's: they go to Amazon by
//! https and to the store that `AWS_ENDPOINT_URL` names, and to no other, whatever stands in the URL: the
//! key's id and the session's token are part of the address that a store is asked for, in the clear.

use std::fmt;

use secrecy::ExposeSecret;

use super::{AwsSettings, DEFAULT_REGION, Object, S3Error, Store};
use crate::{Author, SafeUrl};

/// The profile of those who have only one.
const DEFAULT_PROFILE: &str = "default";

/// Keys, if any, and region for one object.
pub(crate) struct Access {
    credentials: Option<rusty_s3::Credentials>,
    region: String,
    endpoint: Option<SafeUrl>,
    withheld: Option<Withheld>,
}

/// Why the user's keys are not used for an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Withheld {
    /// They are not for this store.
    OtherStore(SafeUrl),
    /// They are not for this component.
    Component,
}

impl fmt::Display for Withheld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherStore(store) => {
                let store = store.to_string();
                let store = store.trim_end_matches('/');
                write!(
                    f,
                    "your AWS keys were not used, since they are for another store; if they are for this \
                     one, set AWS_ENDPOINT_URL={store}"
                )
            }
            Self::Component => f.write_str(
                "your AWS keys were not used; if the component that asked may use them, add \
                 `aws_credentials = true` to its `allow` block",
            ),
        }
    }
}

impl Access {
    /// Finds them.
    pub(crate) fn of(
        object: &Object,
        settings: &AwsSettings,
        author: &Author,
    ) -> Result<Self, S3Error> {
        let named = object.profile.as_deref().or(settings.profile.as_deref());
        let profile = |name: Option<&str>| {
            settings
                .read_profile(name.unwrap_or(DEFAULT_PROFILE), name.is_some())
                .map_err(S3Error::Profile)
        };
        let mut profile_region = None;
        let withheld = match &object.store {
            _ if !author.may_use_aws_credentials() => Some(Withheld::Component),
            Store::Other(store) if !object.is_for_keys_of(settings) => {
                Some(Withheld::OtherStore(store.clone()))
            }
            Store::Other(_) | Store::Amazon { .. } => None,
        };
        let credentials = match (in_query(object)?, object.profile.as_deref()) {
            (Some(credentials), _) => Some(credentials),
            (None, _) if withheld.is_some() => None,
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
            withheld: withheld.filter(|_| settings.has_keys()),
        })
    }

    pub(crate) fn credentials(&self) -> Option<&rusty_s3::Credentials> {
        self.credentials.as_ref()
    }

    /// Why the user's keys were not looked for, if they seem to have some.
    pub(crate) fn withheld(&self) -> Option<&Withheld> {
        self.withheld.as_ref()
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
