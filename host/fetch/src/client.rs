//! The HTTP clients: TLS by rustls on ring, proxies as given, redirects left to us.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use reqwest::{Client, NoProxy, Proxy, redirect};
use rustls::ClientConfig;
use rustls::crypto::ring;
use rustls_platform_verifier::Verifier;
use url::Url;

use crate::error::ClientError;
use crate::guard::{GuardedResolver, Scope};
use crate::{SafeUrl, Settings};

/// Which client a hop needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Kind {
    /// Speaks TLS, and so needs the operating system's certificates, which cost time to load
    /// and may be missing where only plain HTTP is used.
    pub(crate) secure: bool,
    /// How far the addresses must reach, at least, that names resolve to.
    pub(crate) least: Scope,
}

/// The clients, each made at its first use.
#[derive(Debug)]
pub(crate) struct Clients {
    settings: Arc<Settings>,
    made: Mutex<HashMap<Kind, Client>>,
}

impl Clients {
    pub(crate) fn new(settings: Arc<Settings>) -> Self {
        Self {
            settings,
            made: Mutex::default(),
        }
    }

    /// The client of that kind.
    pub(crate) fn get(&self, kind: Kind) -> Result<Client, ClientError> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = made.get(&kind) {
            return Ok(client.clone());
        }
        let client = make(&self.settings, kind)?;
        made.insert(kind, client.clone());
        Ok(client)
    }
}

fn make(settings: &Settings, kind: Kind) -> Result<Client, ClientError> {
    let tls = if kind.secure {
        trusting(settings)?
    } else {
        trusting_nobody()?
    };
    let mut builder = Client::builder()
        .tls_backend_preconfigured(tls)
        .user_agent(&settings.user_agent)
        .connect_timeout(settings.connect_timeout)
        .read_timeout(settings.read_timeout)
        .redirect(redirect::Policy::none())
        .referer(false)
        // The environment is the caller's to read.
        .no_proxy();
    let bypass = settings
        .proxy
        .bypass
        .as_deref()
        .and_then(NoProxy::from_string);
    type MakeProxy = fn(Url) -> reqwest::Result<Proxy>;
    let proxies: [(_, MakeProxy); 2] = [
        (&settings.proxy.http, Proxy::http),
        (&settings.proxy.https, Proxy::https),
    ];
    for (url, proxy) in proxies {
        if let Some(url) = url {
            if !matches!(url.expose().scheme(), "http" | "https") {
                return Err(ClientError::Proxy(url.clone()));
            }
            let proxy = proxy(url.expose().clone()).map_err(ClientError::Build)?;
            builder = builder.proxy(proxy.no_proxy(bypass.clone()));
        }
    }
    let proxy = if kind.secure {
        &settings.proxy.https
    } else {
        &settings.proxy.http
    };
    let exempt = proxy.iter().filter_map(SafeUrl::host).map(str::to_owned);
    let resolver = GuardedResolver {
        least: kind.least,
        limit: settings.name_limit(),
        exempt: exempt.collect(),
    };
    builder
        .dns_resolver(Arc::new(resolver))
        .build()
        .map_err(|error| ClientError::Build(error.without_url()))
}

/// Trusts what the operating system trusts, and the authorities in the settings.
fn trusting(settings: &Settings) -> Result<ClientConfig, ClientError> {
    let provider = Arc::new(ring::default_provider());
    let extra = settings
        .certificate_authorities
        .iter()
        .cloned()
        .map(Into::into);
    let verifier = Verifier::new_with_extra_roots(extra, Arc::clone(&provider))
        .map_err(ClientError::Certificates)?;
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(ClientError::Certificates)?
        // Not a weaker verifier: the platform's own, which rustls takes only through this door.
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth())
}

/// For plain HTTP; a handshake with it can't succeed.
fn trusting_nobody() -> Result<ClientConfig, ClientError> {
    Ok(
        ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(ClientError::Certificates)?
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth(),
    )
}
