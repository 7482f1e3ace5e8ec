//! Requests to the guest's WinRM service: over a connection that is logged in, with the answer's
//! faults told apart.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use super::answer;
use super::error::{Trouble, WinRmError};
use super::http::{Answer, Connection, Endpoint};
use super::message::Request;
use super::ntlm::{Account, Challenge, negotiate};

/// How to log in.
#[derive(Debug, Clone)]
pub(super) struct Login {
    pub(super) username: String,
    pub(super) password: SecretString,
    pub(super) ntlm: bool,
}

impl Login {
    /// The header of basic authentication.
    ///
    /// # Errors
    /// A user name that can't stand in it.
    pub(super) fn basic(&self) -> Result<HeaderValue, WinRmError> {
        if self.username.contains([':', '\r', '\n', '\0']) {
            return Err(WinRmError::Username);
        }
        let pair = format!("{}:{}", self.username, self.password.expose_secret());
        HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(pair)))
            .map_err(|_| WinRmError::Username)
    }
}

/// A guest's service, and how to log in there.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) endpoint: Endpoint,
    pub(super) login: Login,
}

/// A client of the service, with a connection of its own: one request at a time.
pub(super) struct Service {
    target: Arc<Target>,
    connection: Option<Connection>,
}

impl Service {
    pub(super) fn new(target: &Arc<Target>) -> Self {
        Self {
            target: Arc::clone(target),
            connection: None,
        }
    }

    /// Makes a request and returns the answer, which is no fault.
    pub(super) async fn call(&mut self, request: Request<'_>) -> Result<String, Trouble> {
        let name = Uuid::new_v4().to_string();
        let message = Bytes::from(request.envelope(&self.target.endpoint.url(), &name));
        let answer = self.send(message).await;
        if answer.as_ref().is_err_and(Trouble::is_connection) {
            self.connection = None;
        }
        let answer = answer?;
        match answer.status {
            StatusCode::OK => match answer::fault(&answer.text) {
                Some(fault) => Err(Trouble::Fault(fault)),
                None => Ok(answer.text),
            },
            StatusCode::UNAUTHORIZED => {
                self.connection = None;
                Err(Trouble::Refused(self.refusal(&answer.challenges)))
            }
            status => Err(match answer::fault(&answer.text) {
                Some(fault) => Trouble::Fault(fault),
                None => Trouble::Status(status),
            }),
        }
    }

    async fn send(&mut self, message: Bytes) -> Result<Answer, Trouble> {
        if !self.target.login.ntlm {
            let basic = self
                .target
                .login
                .basic()
                .map_err(|error| Trouble::Refused(error.to_string()))?;
            let (connection, _) = self.connection().await?;
            return connection.post(Some(basic), message).await;
        }
        let (connection, new) = self.connection().await?;
        if !new {
            // Logged in already, if the guest keeps that.
            let answer = connection.post(None, message.clone()).await?;
            if answer.status != StatusCode::UNAUTHORIZED {
                return Ok(answer);
            }
        }
        self.log_in(message).await
    }

    /// NTLM's exchange, the message going with its last part. Windows calls it `Negotiate`, other
    /// servers by its name.
    async fn log_in(&mut self, message: Bytes) -> Result<Answer, Trouble> {
        let mut scheme = "Negotiate";
        loop {
            let (connection, _) = self.connection().await?;
            let first = header(scheme, &negotiate())?;
            let answer = connection.post(Some(first), Bytes::new()).await?;
            let token = |scheme: &str| {
                let values = answer.challenges.iter();
                values
                    .filter_map(|value| value.split_once(' '))
                    .find(|(name, _)| name.eq_ignore_ascii_case(scheme))
                    .and_then(|(_, token)| STANDARD.decode(token.trim()).ok())
            };
            let Some(challenge) = token(scheme) else {
                let offers = |name: &str| {
                    let mut values = answer.challenges.iter();
                    values.any(|value| value.eq_ignore_ascii_case(name))
                };
                if scheme == "Negotiate" && offers("NTLM") {
                    scheme = "NTLM";
                    continue;
                }
                return Ok(answer);
            };
            let challenge = Challenge::decode(&challenge).ok_or(Trouble::Malformed)?;
            let account = Account {
                user: &self.target.login.username,
                password: &self.target.login.password,
            };
            let last = header(scheme, &account.authenticate(&challenge))?;
            let (connection, new) = self.connection().await?;
            if new {
                return Err(Trouble::Refused(
                    "the guest closed the connection in the middle of the login by NTLM".to_owned(),
                ));
            }
            return connection.post(Some(last), message).await;
        }
    }

    /// The connection, and whether it has just been made.
    async fn connection(&mut self) -> Result<(&mut Connection, bool), Trouble> {
        if let Some(connection) = &mut self.connection
            && !connection.is_open().await
        {
            self.connection = None;
        }
        let new = self.connection.is_none();
        if new {
            self.connection = Some(Connection::open(&self.target.endpoint).await?);
        }
        match &mut self.connection {
            Some(connection) => Ok((connection, new)),
            None => Err(Trouble::Malformed),
        }
    }

    fn refusal(&self, offered: &[String]) -> String {
        let names: Vec<&str> = offered
            .iter()
            .filter_map(|value| value.split_whitespace().next())
            .collect();
        let (ours, hint) = match self.target.login.ntlm {
            true => ("Negotiate", "unset winrm_use_ntlm"),
            false => (
                "Basic",
                "set winrm_use_ntlm, or allow basic authentication in the guest",
            ),
        };
        let offers = |name: &str| names.iter().any(|offer| offer.eq_ignore_ascii_case(name));
        if names.is_empty() || offers(ours) || (self.target.login.ntlm && offers("NTLM")) {
            format!(
                "the guest refused the login of {}",
                self.target.login.username
            )
        } else {
            format!(
                "the guest takes logins by {} only: {hint}",
                names.join(" and ")
            )
        }
    }
}

fn header(scheme: &str, token: &[u8]) -> Result<HeaderValue, Trouble> {
    HeaderValue::from_str(&format!("{scheme} {}", STANDARD.encode(token)))
        .map_err(|_| Trouble::Malformed)
}
