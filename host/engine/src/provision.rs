//! What is done inside the guest between its first answer and its shutdown.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use lvhost_communicator::Communicator;
use lvhost_hcl::{Provisioner, Source, Value};
use tokio_util::sync::CancellationToken;

use crate::error::Error;
use crate::ui::Ui;

/// What a guest is provisioned with.
#[async_trait]
pub trait Provision: Send + Sync {
    /// Runs everything in order and stops at the first failure.
    ///
    /// # Errors
    /// [`Error::Provisioner`], [`Error::Cancelled`].
    async fn provision(&self, context: &ProvisionContext<'_>) -> Result<(), Error>;
}

/// The guest as a provisioner sees it.
pub struct ProvisionContext<'a> {
    /// The way into the guest.
    pub communicator: &'a dyn Communicator,
    /// The object behind `build.` in a template.
    pub build: &'a Value,
    /// The user.
    pub ui: &'a dyn Ui,
    /// Stops whatever runs.
    pub cancel: &'a CancellationToken,
}

/// The provisioners of a template's `build` block, run by lvhost itself.
pub struct TemplateProvisioners {
    /// In the order of the template.
    pub provisioners: Arc<[Provisioner]>,
    /// The source they run for.
    pub source: Source,
    /// The name of the `build` block; empty if it has none.
    pub build_name: String,
    /// What relative paths are relative to.
    pub working_directory: PathBuf,
}
