//! The user as a build sees them: what is said is masked on its way, here and nowhere else.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::secrets::Secrets;
use crate::ui::{Step, Stream, Transfer, Ui};

/// A [`Ui`] that shows no secrets. A build takes no other.
#[derive(Clone)]
pub struct MaskedUi {
    ui: Arc<dyn Ui>,
    secrets: Secrets,
}

impl MaskedUi {
    /// Shows on `ui` what is none of `secrets`, those that become known later included.
    pub fn new(ui: Arc<dyn Ui>, secrets: Secrets) -> Self {
        Self { ui, secrets }
    }

    /// What is not shown.
    pub fn secrets(&self) -> &Secrets {
        &self.secrets
    }
}

#[async_trait]
impl Ui for MaskedUi {
    fn say(&self, message: &str) {
        self.ui.say(&self.secrets.mask(message));
    }

    fn warn(&self, message: &str) {
        self.ui.warn(&self.secrets.mask(message));
    }

    fn error(&self, message: &str) {
        self.ui.error(&self.secrets.mask(message));
    }

    fn output(&self, stream: Stream, line: &str) {
        self.ui.output(stream, &self.secrets.mask(line));
    }

    fn step_finished(&self, step: Step, time: Duration) {
        self.ui.step_finished(step, time);
    }

    fn transfer(&self, name: &str, total: Option<u64>) -> Box<dyn Transfer> {
        self.ui.transfer(&self.secrets.mask(name), total)
    }

    async fn wait_for_user(&self, note: &str) -> Result<(), String> {
        self.ui.wait_for_user(&self.secrets.mask(note)).await
    }

    async fn ask(&self, question: &str, choices: &[&str]) -> Result<usize, String> {
        self.ui.ask(&self.secrets.mask(question), choices).await
    }
}
