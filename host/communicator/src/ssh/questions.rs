//! Questions that a server asks in a keyboard-interactive login (RFC 4256), and who answers them.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use secrecy::SecretString;

/// How long a login may take that somebody has to answer questions for.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(10 * 60);

/// Answers questions, such as by asking the person at the terminal.
#[async_trait]
pub trait Questions: fmt::Debug + Send + Sync {
    /// Answers each prompt of a round, in order; `None` gives the login up.
    ///
    /// A round without prompts is an announcement: show it and return no answers. Called anew when
    /// the connection has to be made anew.
    async fn answer(&self, round: &Round) -> Option<Vec<SecretString>>;
}

/// What a server asks at once. All text is the server's, without control characters and bounded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Round {
    /// Who asks, such as "the bastion admin@example.com:22".
    pub server: String,
    /// The server's headline; often empty.
    pub name: String,
    /// The server's explanation; often empty.
    pub instructions: String,
    /// What is to be answered.
    pub prompts: Vec<Prompt>,
}

/// One question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// The question's text.
    pub text: String,
    /// Whether the answer may be shown while it is typed.
    pub echo: bool,
}
