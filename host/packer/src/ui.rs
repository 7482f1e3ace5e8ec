//! The user, as far as Packer lets a builder speak to them.

mod progress;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Mutex;

pub use progress::{Progress, Tracked};

use crate::msgpack::{Encoder, decode};
use crate::rpc::{CallError, Client};
use crate::value::Value;

/// Packer's user interface. It prefixes each line with the name of the build and hides the values of
/// sensitive variables, but knows none of the builder's secrets: nothing secret may be said.
///
/// After the build is over, or Packer gone, every call fails at once.
#[derive(Clone)]
pub struct Ui {
    client: Client,
    /// Packer serves calls side by side, so a line is sent when the one before is shown.
    turn: Arc<Mutex<()>>,
}

impl fmt::Debug for Ui {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Ui").finish_non_exhaustive()
    }
}

impl Ui {
    pub(crate) fn new(client: Client) -> Self {
        Self {
            client,
            turn: Arc::default(),
        }
    }

    /// Shows text, of one line or several.
    ///
    /// # Errors
    /// As for every call: [`CallError`].
    pub async fn say(&self, text: &str) -> Result<(), CallError> {
        self.show("Ui.Say", Encoder::default().str(text).finish())
            .await
    }

    /// Shows text as an error.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn error(&self, text: &str) -> Result<(), CallError> {
        self.show("Ui.Error", Encoder::default().str(text).finish())
            .await
    }

    /// Says something to programs: shown with `-machine-readable` only, as
    /// `time,build,category,arguments…`.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn machine(&self, category: &str, arguments: &[String]) -> Result<(), CallError> {
        let mut message = Encoder::default();
        message
            .map(2)
            .str("Category")
            .str(category)
            .str("Args")
            .strings(arguments);
        self.show("Ui.Machine", message.finish()).await
    }

    /// Asks for a line of text and waits for it, for as long as it takes.
    ///
    /// # Errors
    /// [`CallError::Remote`] with `no available tty` where nobody can be asked, and with `interrupted`
    /// when the build is cancelled meanwhile.
    pub async fn ask(&self, question: &str) -> Result<String, CallError> {
        const UNEXPECTED: CallError = CallError::Unexpected {
            method: "Ui.Ask",
            expected: "a line of text",
        };
        let question = Encoder::default().str(question).finish();
        let answer = self.client.call("Ui.Ask", question).await?;
        text(&answer).ok_or(UNEXPECTED)
    }

    /// Starts a progress bar for something that is `total` bytes long (0 where nobody knows) of which
    /// `current` are there already. Bars are seen on a terminal only.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn track_progress(
        &self,
        name: &str,
        current: u64,
        total: u64,
    ) -> Result<Progress, CallError> {
        const METHOD: &str = "Ui.NewTrackProgress";
        let length = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
        let mut argument = Encoder::default();
        argument.map(3).str("Src").str(name);
        argument.str("TotalSize").signed(length(total));
        argument.str("CurrentSize").signed(length(current));
        let answer = self.client.call(METHOD, argument.finish()).await?;
        let id = text(&answer).ok_or(CallError::Unexpected {
            method: METHOD,
            expected: "the name of a bar",
        })?;
        Ok(Progress::start(self.client.clone(), &id))
    }

    async fn show(&self, method: &str, argument: Bytes) -> Result<(), CallError> {
        let _turn = self.turn.lock().await;
        self.client.call(method, argument).await?;
        Ok(())
    }
}

fn text(answer: &[u8]) -> Option<String> {
    match decode(answer) {
        Ok(Value::String(text)) => Some(text),
        _ => None,
    }
}
