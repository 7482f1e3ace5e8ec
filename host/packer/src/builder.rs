//! A builder, and the service by which Packer drives it.
//!
//! ```text
//!   HCL:   ConfigSpec ─► Prepare ─► ConfigSpec ─► Run ─┬─► artifact, served until Packer ends the process
//!   JSON:                Prepare ───────────────► Run ─┤
//!                                                      ├─► nothing
//!              Cancel, at any moment ─► the token      └─► an error
//! ```
//! Packer kills the process when it is done with it, without a word before. So everything that a build
//! has to clean up is cleaned up before [`Builder::run`] returns.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use crate::artifact::{Artifact, ArtifactService};
use crate::failure::{Failure, text};
use crate::hook::Hook;
use crate::msgpack::Encoder;
use crate::mux::Mux;
use crate::rpc::{Client, Service, arguments, nil, serve};
use crate::spec::{Spec, SpecEncoding};
use crate::ui::Ui;
use crate::value::{Map, Value};

/// What a plugin is: something that checks the options of a source and builds from them.
///
/// One process serves one use of one source. It keeps its state from `prepare` to `run`.
#[async_trait]
pub trait Builder: Send + Sync + 'static {
    /// The options that a `source` block may have. Asked for twice in each HCL build.
    fn config_spec(&self) -> Spec;

    /// Decodes and checks the options. `configs` are to be taken in order: what is set in a later one
    /// takes the place of what an earlier one has, and [`Value::Null`] sets nothing.
    async fn prepare(&self, configs: Vec<RawConfig>) -> Prepared;

    /// Builds. Returns when everything that must go is gone.
    ///
    /// # Errors
    /// Why there is no artifact; Packer shows it with its causes. A build that was cancelled is an error
    /// as well.
    async fn run(&self, run: Run) -> Result<Option<Arc<dyn Artifact>>, Failure>;
}

/// Options as they came.
///
/// From an HCL template come two: what Packer says of the build, from [`Origin::Packer`], with every
/// value as text (`packer_debug` is `"true"`), then the source block, from [`Origin::Hcl`], with every
/// option of the [`Spec`] in it, `Null` where it was not set. From a JSON template come two as well, both
/// from [`Origin::Packer`]: first the template's own object, with numbers as floats and all text as it
/// stands there, `{{user …}}` included; then what Packer says of the build, with `packer_user_variables`
/// among it.
///
/// `Debug` shows no text.
#[derive(Debug, Clone, PartialEq)]
pub struct RawConfig {
    /// Which way it came.
    pub origin: Origin,
    /// The options by name.
    pub values: Map,
}

/// Which way options came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A map from Packer itself, or all of a JSON template.
    Packer,
    /// The body of a `source` block in HCL, already evaluated and converted to the types of the
    /// [`Spec`].
    Hcl,
}

/// What a check of the options has found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prepared {
    /// Names of values behind `build.` in a template beside Packer's own. A template that refers to one
    /// that stands nowhere here is refused when it is validated.
    pub generated_variables: Vec<String>,
    /// Shown with the place of the source block, and do not stop anything.
    pub warnings: Vec<String>,
    /// If there are any, there is no build.
    pub errors: Vec<String>,
}

/// What a running build has of Packer.
pub struct Run {
    /// The user.
    pub ui: Ui,
    /// The provisioners.
    pub hook: Hook,
    /// Cancelled when the user wants the build to stop, and when Packer is gone. In the latter case
    /// every call to Packer fails at once, and none before this is cancelled: a call that fails is no
    /// reason to take the build for one that has failed by itself.
    pub cancel: CancellationToken,
}

/// Serves the stream that core opens first.
pub(crate) struct BuilderService {
    builder: Arc<dyn Builder>,
    encoding: SpecEncoding,
    mux: Mux,
    /// The run that is going on.
    running: Mutex<Option<CancellationToken>>,
}

impl BuilderService {
    pub(crate) fn new(builder: Arc<dyn Builder>, encoding: SpecEncoding, mux: Mux) -> Self {
        Self {
            builder,
            encoding,
            mux,
            running: Mutex::new(None),
        }
    }

    /// Cancels the run that is going on. Without one there is nothing to cancel.
    pub(crate) fn cancel(&self) {
        if let Ok(running) = self.running.lock()
            && let Some(token) = running.as_ref()
        {
            token.cancel();
        }
    }

    fn config_spec(&self) -> Bytes {
        let spec = self.builder.config_spec().encode(self.encoding);
        let mut reply = Encoder::default();
        reply.map(1).str("ConfigSpec").bin(&spec).finish()
    }

    async fn prepare(&self, argument: &[u8]) -> Result<Bytes, String> {
        let argument = arguments("Builder.Prepare", argument)?;
        let configs =
            configs(argument).map_err(|error| format!("options can't be read: {error}"))?;
        let prepared = self.builder.prepare(configs).await;
        let mut reply = Encoder::default();
        reply.map(3);
        reply
            .str("GeneratedVars")
            .strings(&prepared.generated_variables);
        reply.str("Warnings").strings(&prepared.warnings);
        reply.str("Error");
        match joined(&prepared.errors) {
            Some(message) => reply.map(1).str("Message").str(&message),
            None => reply.nil(),
        };
        Ok(reply.finish())
    }

    /// Runs the builder with what core offers on its stream. Returns the number of the stream on which
    /// the artifact is served, or 0.
    async fn run(&self, argument: &[u8]) -> Result<Bytes, String> {
        let id = arguments("Builder.Run", argument)?
            .as_i64()
            .and_then(|id| u32::try_from(id).ok())
            .ok_or("the argument of Builder.Run is not the number of a stream")?;
        let cancel = CancellationToken::new();
        // Known before anything is awaited, or a cancellation could get lost.
        let running = self.start(&cancel)?;
        let stream = self.mux.dial(id).await.map_err(|error| text(&error))?;
        let client = Client::new(stream, cancel.clone());
        let run = Run {
            ui: Ui::new(client.clone()),
            hook: Hook::new(client.clone(), self.mux.clone()),
            cancel,
        };
        let result = self.builder.run(run).await;
        client.close();
        drop(running);
        let artifact = result.map_err(|failure| text(failure.as_ref()))?;
        let id = artifact.map_or(0, |artifact| self.offer(artifact));
        Ok(Encoder::default().unsigned(id.into()).finish())
    }

    fn start(&self, cancel: &CancellationToken) -> Result<Running<'_>, String> {
        let mut running = self.running.lock().map_err(|_| "the plugin has panicked")?;
        if running.is_some() {
            return Err("a build is running in this process already".to_owned());
        }
        *running = Some(cancel.clone());
        Ok(Running(&self.running))
    }

    /// Serves the artifact for as long as the process lives.
    fn offer(&self, artifact: Arc<dyn Artifact>) -> u32 {
        let incoming = self.mux.listen();
        let id = incoming.id();
        tokio::spawn(async move {
            if let Ok(stream) = incoming.accept().await {
                let mut calls = serve(stream, Arc::new(ArtifactService(artifact))).await;
                while calls.join_next().await.is_some() {}
            }
        });
        id
    }
}

#[async_trait]
impl Service for BuilderService {
    async fn call(
        self: Arc<Self>,
        service: &str,
        method: &str,
        argument: Bytes,
    ) -> Result<Bytes, String> {
        match (service, method) {
            ("Builder", "ConfigSpec") => Ok(self.config_spec()),
            ("Builder", "Prepare") => self.prepare(&argument).await,
            ("Builder", "Run") => self.run(&argument).await,
            ("Builder", "Cancel") => {
                self.cancel();
                Ok(nil())
            }
            _ => Err(format!("rpc: can't find method {service}.{method}")),
        }
    }
}

/// A run that is going on, until this is dropped.
struct Running<'a>(&'a Mutex<Option<CancellationToken>>);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if let Ok(mut running) = self.0.lock() {
            *running = None;
        }
    }
}

/// Takes `{Configs: […]}` apart. Maps are sent as such; the body of a block in HCL is sent as bytes: JSON
/// of a value together with its type.
fn configs(argument: Value) -> Result<Vec<RawConfig>, String> {
    let Value::Map(mut argument) = argument else {
        return Err("the argument is not a map".to_owned());
    };
    let configs = match argument.remove("Configs") {
        Some(Value::List(configs)) => configs,
        Some(Value::Null) | None => Vec::new(),
        Some(_) => return Err("`Configs` is not a list".to_owned()),
    };
    configs.into_iter().map(config).collect()
}

fn config(config: Value) -> Result<RawConfig, String> {
    match config {
        Value::Map(values) => Ok(RawConfig {
            origin: Origin::Packer,
            values,
        }),
        Value::Null => Ok(RawConfig {
            origin: Origin::Packer,
            values: Map::new(),
        }),
        Value::Bytes(json) => {
            #[derive(serde::Deserialize)]
            struct Typed {
                value: serde_json::Value,
            }
            let typed: Typed = serde_json::from_slice(&json)
                // serde_json quotes what it stumbles over, and that may be a password.
                .map_err(|error| {
                    format!(
                        "the block is no JSON at line {} column {}",
                        error.line(),
                        error.column()
                    )
                })?;
            match Value::from(typed.value) {
                Value::Map(values) => Ok(RawConfig {
                    origin: Origin::Hcl,
                    values,
                }),
                Value::Null => Ok(RawConfig {
                    origin: Origin::Hcl,
                    values: Map::new(),
                }),
                _ => Err("the block is not an object".to_owned()),
            }
        }
        _ => Err("an element of `Configs` is neither a map nor a block".to_owned()),
    }
}

/// One text for all errors: a single one as it is, several with their number and one line each.
fn joined(errors: &[String]) -> Option<String> {
    match errors {
        [] => None,
        [error] => Some(error.clone()),
        errors => {
            let lines: String = errors.iter().map(|error| format!("\n* {error}")).collect();
            Some(format!("{} errors:{lines}", errors.len()))
        }
    }
}

#[cfg(test)]
mod tests;
