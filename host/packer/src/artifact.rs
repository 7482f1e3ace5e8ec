//! What a build has made, as post-processors and Packer's summary ask for it.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use crate::failure::{Failure, text};
use crate::hook::BuildVariables;
use crate::msgpack::Encoder;
use crate::rpc::{Service, arguments, nil};
use crate::value::Value;

/// The state that Packer reads the values behind `build.` from, for post-processors.
const GENERATED_DATA: &str = "generated_data";

/// What a build has made. It is asked until Packer ends the process, long after the build.
#[async_trait]
pub trait Artifact: Send + Sync + 'static {
    /// Names the kind of artifact to post-processors.
    fn builder_id(&self) -> String;

    /// Names this artifact.
    fn id(&self) -> String;

    /// Files of this machine that belong to it.
    fn files(&self) -> Vec<String>;

    /// One line for people: what was made and where it is.
    fn description(&self) -> String;

    /// What the template sees behind `build.` in post-processors: best what the provisioners saw.
    fn build_variables(&self) -> Option<&BuildVariables>;

    /// Anything else under a name of the builder's own; [`Value::Null`] under any other.
    async fn state(&self, name: &str) -> Value;

    /// Removes it.
    ///
    /// # Errors
    /// Why it is still there.
    async fn destroy(&self) -> Result<(), Failure>;
}

/// Serves an artifact.
pub(crate) struct ArtifactService(pub(crate) Arc<dyn Artifact>);

#[async_trait]
impl Service for ArtifactService {
    async fn call(
        self: Arc<Self>,
        service: &str,
        method: &str,
        argument: Bytes,
    ) -> Result<Bytes, String> {
        let artifact = &self.0;
        let mut reply = Encoder::default();
        match (service, method) {
            ("Artifact", "BuilderId") => reply.str(&artifact.builder_id()),
            ("Artifact", "Id") => reply.str(&artifact.id()),
            ("Artifact", "String") => reply.str(&artifact.description()),
            ("Artifact", "Files") => reply.strings(&artifact.files()),
            ("Artifact", "State") => {
                let name = arguments("Artifact.State", &argument)?;
                let name = name
                    .as_str()
                    .ok_or("the argument of Artifact.State is not text")?;
                match artifact.build_variables() {
                    Some(variables) if name == GENERATED_DATA => variables.encode(&mut reply),
                    _ => reply.value(&artifact.state(name).await),
                }
            }
            ("Artifact", "Destroy") => {
                artifact
                    .destroy()
                    .await
                    .map_err(|failure| text(failure.as_ref()))?;
                return Ok(nil());
            }
            _ => return Err(format!("rpc: can't find method {service}.{method}")),
        };
        Ok(reply.finish())
    }
}
