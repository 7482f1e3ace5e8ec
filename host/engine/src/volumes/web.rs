//! What a component asks of servers: with which headers, and what is made of their answers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use lvhost_fetch::{Question, Reply, RequestHeaders, SafeUrl};
use lvhost_runtime::{Header, Method, ServiceError, WebAnswer, WebRequest};
use secrecy::{ExposeSecret, SecretString};

use super::fetch_errors::request_error;
use super::grants::Grants;
use super::services::VolumeServices;
use crate::secrets::Secrets;

impl Grants {
    /// The headers of a request, with the secrets that are in them. This blocks on the file system.
    pub(super) fn headers(
        &self,
        request: &WebRequest,
        shown_nowhere: &Secrets,
    ) -> Result<RequestHeaders, ServiceError> {
        let mut headers = RequestHeaders::default();
        for header in &request.headers {
            let (name, value) = match header {
                Header::Text { name, value } => (name.as_str(), value.as_str().into()),
                Header::Secret {
                    name,
                    prefix,
                    secret,
                } => {
                    let secret = self.secret_for(secret, &request.urls, shown_nowhere)?;
                    let value = format!("{prefix}{}", secret.expose_secret());
                    (name.as_str(), value.into())
                }
                Header::LogIn { user, secret } => {
                    if user.contains(':') {
                        let message = "the name of a user has no colon in it";
                        return Err(ServiceError::Invalid(message.to_owned()));
                    }
                    let password = self.secret_for(secret, &request.urls, shown_nowhere)?;
                    ("authorization", basic(user, &password))
                }
            };
            headers.add(name, &value).map_err(|error| {
                let component = self.component();
                ServiceError::Invalid(format!("a request of the source `{component}`: {error}"))
            })?;
        }
        Ok(headers)
    }

    /// A secret, if it may go to all of these URLs. From here on it is shown nowhere, whoever tells it.
    fn secret_for(
        &self,
        name: &str,
        urls: &[String],
        shown_nowhere: &Secrets,
    ) -> Result<SecretString, ServiceError> {
        let secret = self.secret(name)?;
        for text in urls {
            let url = SafeUrl::parse(text).ok();
            if !url.as_ref().is_some_and(|url| secret.may_go_to(url)) {
                let url = url.map_or_else(|| "what is no URL".to_owned(), |url| url.to_string());
                return Err(ServiceError::Denied(format!(
                    "the secret `{name}` may not be sent to {url}; its `addresses` in {} are: {}",
                    lvhost_config::PROJECT_FILE,
                    secret.addresses()
                )));
            }
        }
        let value = secret.value().map_err(|why| {
            ServiceError::NotFound(format!("the secret `{name}` is not there: {why}"))
        })?;
        shown_nowhere.add([value.clone()]);
        Ok(value)
    }
}

impl VolumeServices {
    pub(super) async fn ask_server(
        &self,
        request: WebRequest,
        method: Method,
        body: Bytes,
    ) -> Result<WebAnswer, ServiceError> {
        let mut asked = self.grants.question(&request.urls, method)?;
        asked.headers = self.grants.headers(&request, &self.secrets)?;
        let question = Question {
            request: asked,
            method: match method {
                Method::Get => lvhost_fetch::Method::Get,
                Method::Head => lvhost_fetch::Method::Head,
                Method::Post => lvhost_fetch::Method::Post,
            },
            body,
        };
        let asking = self.fetcher.ask(&question, &self.cancel).await;
        let Reply {
            status,
            headers,
            body,
        } = asking.map_err(|error| request_error(&self.grants, &error))?;
        Ok(WebAnswer {
            status,
            headers,
            body,
        })
    }
}

/// `Authorization` by name and password: RFC 7617.
fn basic(user: &str, password: &SecretString) -> SecretString {
    let pair = format!("{user}:{}", password.expose_secret());
    format!("Basic {}", STANDARD.encode(pair)).into()
}

#[cfg(test)]
mod tests;
