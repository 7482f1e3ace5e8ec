//! WinRM, the way into a Windows guest: commands in shells of Windows' own, files through
//! PowerShell.
//!
//! ```text
//!   connect_until ─► a shell is made and removed: the guest is up and lets us in
//!        any call ─► a shell of its own, over a connection of its own
//! ```
//! Nothing is held between two calls, so a guest that reboots in between needs no more than a retry.
//! Basic authentication and NTLM (without message encryption, as in Packer: over plain HTTP the guest
//! has to set `AllowUnencrypted`), by HTTP or HTTPS. Connections are made directly, whatever proxy
//! this machine uses.

mod answer;
mod error;
mod http;
mod message;
mod ntlm;
mod powershell;
mod service;
mod shell;
mod tls;
mod transfer;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use secrecy::SecretString;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep_until, timeout_at};

pub use error::WinRmError;
use http::Endpoint;
use service::{Login, Service, Target};
use shell::{Execution, Shell};

use crate::communicator::{Command, Communicator, ExitStatus, Output, Progress, Streams};
use crate::error::{Error, Result};
use crate::taker::Taker;

/// The pause between two attempts to reach a guest.
const PAUSE: Duration = Duration::from_secs(1);
/// How long a call may try to get back to a guest that went away: as with SSH.
const RECONNECT_TIMEOUT: Duration = crate::ssh::RECONNECT_TIMEOUT;

/// Everything needed to reach one guest by WinRM.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Host name or address, an IPv6 address without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// The user to log in as: `NAME`, and with NTLM `DOMAIN\NAME` or `NAME@DOMAIN` as well.
    pub username: String,
    /// The password.
    pub password: SecretString,
    /// Speak HTTPS.
    pub tls: bool,
    /// Accept any certificate.
    pub insecure: bool,
    /// Log in by NTLM and not by basic authentication.
    pub ntlm: bool,
}

/// A Windows guest that has let us in.
pub struct WinRm {
    target: Arc<Target>,
    reconnect_timeout: Duration,
}

impl fmt::Debug for WinRm {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Target { endpoint, login } = &*self.target;
        write!(
            formatter,
            "WinRm({}@{})",
            login.username,
            endpoint.address()
        )
    }
}

/// Waits until the guest lets us in, or `deadline`.
///
/// Every kind of failure is tried again, a refused login as well: Windows sets passwords and
/// switches basic authentication on in the course of its first boot. `observer` is told of each
/// attempt that failed: its number, and why. The wait is cancelled by dropping the future.
///
/// # Errors
/// [`WinRmError`]
pub async fn connect_until(
    settings: Settings,
    deadline: Instant,
    observer: &mut (dyn FnMut(u32, &str) + Send),
) -> Result<WinRm> {
    let tls = match settings.tls {
        true => Some(Arc::new(
            tls::settings(settings.insecure).map_err(WinRmError::Tls)?,
        )),
        false => None,
    };
    let target = Arc::new(Target {
        endpoint: Endpoint {
            host: settings.host,
            port: settings.port,
            tls,
        },
        login: Login {
            username: settings.username,
            password: settings.password,
            ntlm: settings.ntlm,
        },
    });
    if !target.login.ntlm {
        target.login.basic()?;
    }
    let begun = Instant::now();
    let mut attempts = 0;
    let mut reason = "no answer".to_owned();
    loop {
        attempts += 1;
        let attempt = async {
            let mut service = Service::new(&target);
            let shell = Shell::create(&mut service, &target).await?;
            shell.remove(&mut service).await;
            Ok(())
        };
        match timeout_at(deadline, attempt).await {
            Ok(Ok(())) => {
                return Ok(WinRm {
                    target,
                    reconnect_timeout: RECONNECT_TIMEOUT,
                });
            }
            Ok(Err(trouble)) => {
                let trouble: error::Trouble = trouble;
                reason = trouble.reason();
                observer(attempts, &reason);
            }
            // What the last whole attempt met says more.
            Err(_) => {}
        }
        let next = Instant::now() + PAUSE;
        if next >= deadline {
            return Err(WinRmError::GaveUp {
                address: target.endpoint.address(),
                username: target.login.username.clone(),
                attempts,
                waited: begun.elapsed(),
                reason,
            }
            .into());
        }
        sleep_until(next).await;
    }
}

/// Windows has no terminal to offer by this way.
fn no_terminal(command: &Command) -> Result<()> {
    match command.pty {
        true => Err(Error::NotSupported {
            what: "pseudo-terminals",
        }),
        false => Ok(()),
    }
}

#[async_trait]
impl Communicator for WinRm {
    async fn run(&self, command: &Command, output: &mut dyn Output) -> Result<ExitStatus> {
        no_terminal(command)?;
        let mut input = command.stdin.as_deref();
        let execution = Execution {
            text: &command.text,
            input: input.as_mut().map(|bytes| bytes as _),
            taker: Taker::Output(output),
            started: None,
        };
        shell::execute(self, execution).await
    }

    async fn run_streaming(&self, command: &Command, streams: Streams<'_>) -> Result<ExitStatus> {
        no_terminal(command)?;
        let execution = Execution {
            text: &command.text,
            input: streams.stdin.map(|stream| stream as _),
            taker: Taker::Streams {
                stdout: streams.stdout.map(|stream| stream as _),
                stderr: streams.stderr.map(|stream| stream as _),
            },
            started: streams.started.map(|started| started as _),
        };
        shell::execute(self, execution).await
    }

    /// As the trait says; the folder that is to hold the file is made where it is missing, and
    /// `mode` means nothing to Windows.
    async fn upload(
        &self,
        source: &mut (dyn AsyncRead + Send + Unpin),
        length: Option<u64>,
        destination: &str,
        _mode: Option<u32>,
        progress: &dyn Progress,
    ) -> Result<()> {
        transfer::upload(self, source, length, destination, progress).await
    }

    async fn upload_directory(
        &self,
        source: &Path,
        destination: &str,
        exclude: &[String],
        progress: &dyn Progress,
    ) -> Result<()> {
        transfer::upload_directory(self, source, destination, exclude, progress).await
    }

    async fn download(
        &self,
        source: &str,
        destination: &mut (dyn AsyncWrite + Send + Unpin),
        progress: &dyn Progress,
    ) -> Result<u64> {
        transfer::download(self, source, destination, progress).await
    }

    async fn download_directory(
        &self,
        source: &str,
        destination: &Path,
        exclude: &[String],
        progress: &dyn Progress,
    ) -> Result<()> {
        transfer::download_directory(self, source, destination, exclude, progress).await
    }

    async fn disconnect(&self) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
