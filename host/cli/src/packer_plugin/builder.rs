//! The builder that Packer calls: `ConfigSpec`, `Prepare`, `Run`.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use async_trait::async_trait;
use lvhost_config::source_shape;
use lvhost_packer::{Artifact, Builder, Failure, Prepared, RawConfig, Run, Spec};

use super::build;
use super::examine::{PluginSources, examine, sources};
use super::hook::EXTRA_VARIABLES;
use super::options::Reading;
use super::plan_log;
use super::request::Request;
use super::specification::specification;
use crate::surroundings::Surroundings;

/// One source of a template, in a process of its own.
pub(super) struct Plugin {
    surroundings: Arc<Surroundings>,
    sources: OnceLock<PluginSources>,
    /// What was prepared last.
    request: Mutex<Option<Request>>,
}

impl Plugin {
    /// Loads nothing yet.
    pub(super) fn new(surroundings: Surroundings) -> Self {
        Self {
            surroundings: Arc::new(surroundings),
            sources: OnceLock::new(),
            request: Mutex::default(),
        }
    }

    fn sources(&self) -> &PluginSources {
        self.sources.get_or_init(|| sources(&self.surroundings))
    }

    async fn check(&self, configs: Vec<RawConfig>) -> Result<Prepared, String> {
        let request = Request::new(configs)?;
        let sources = self.sources();
        let examined = examine(&request, Reading::Check, sources, &self.surroundings).await;
        plan_log::log(&request, &examined, &sources.sources, &self.surroundings);
        let mut prepared = self.request.lock().unwrap_or_else(PoisonError::into_inner);
        *prepared = Some(request);
        Ok(Prepared {
            generated_variables: EXTRA_VARIABLES.map(str::to_owned).to_vec(),
            warnings: examined.messages.warnings,
            errors: examined.messages.errors,
        })
    }
}

#[async_trait]
impl Builder for Plugin {
    fn config_spec(&self) -> Spec {
        // What is wrong with those that are not there is told when the options are checked.
        specification(&source_shape(&self.sources().sources.schemas()))
    }

    async fn prepare(&self, configs: Vec<RawConfig>) -> Prepared {
        self.check(configs).await.unwrap_or_else(|error| Prepared {
            errors: vec![error],
            ..Prepared::default()
        })
    }

    async fn run(&self, run: Run) -> Result<Option<Arc<dyn Artifact>>, Failure> {
        let request = self
            .request
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
            .ok_or("Packer has not told what to build")?;
        let sources = self.sources();
        let examined = examine(&request, Reading::Build, sources, &self.surroundings).await;
        if !examined.messages.errors.is_empty() {
            return Err(examined.messages.errors.join("\n").into());
        }
        let sources = Arc::clone(&sources.sources);
        let artifact = build::build(&request, &examined, sources, &self.surroundings, run).await?;
        Ok(Some(Arc::new(artifact)))
    }
}

#[cfg(test)]
mod tests;
