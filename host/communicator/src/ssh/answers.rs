//! What is answered to a server's questions in a keyboard-interactive login, and what is not.

use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};

use super::questions::{Prompt, Questions, Round};

/// Where the answers to a server's questions come from.
pub(super) enum Answers<'a> {
    /// The password is the answer to one question, if what is typed there is not shown. Whoever asks
    /// more than that wants something else, or the password where it does not belong.
    Password {
        password: &'a SecretString,
        is_given: bool,
        /// The server has had it in a step before: what it asks now may be something else.
        again: bool,
    },
    /// From somebody.
    Asked(&'a Arc<dyn Questions>),
    /// There are none: the server may announce something and ask nothing.
    None,
}

impl Answers<'_> {
    /// One answer for each prompt.
    ///
    /// # Errors
    /// The login is given up, in words for the user.
    pub(super) async fn to(&mut self, round: &Round) -> Result<Vec<String>, String> {
        let answers = match self {
            Self::Password {
                password,
                is_given,
                again,
            } => match round.prompts.as_slice() {
                [] => Vec::new(),
                [prompt]
                    if !prompt.echo
                        && (!*again || asks_for_a_password(prompt))
                        && !std::mem::replace(is_given, true) =>
                {
                    vec![password.clone()]
                }
                [.., last] => {
                    return Err(format!(
                        "it asks for more than the password: {:?} was not answered",
                        last.text
                    ));
                }
            },
            Self::Asked(questions) => questions
                .answer(round)
                .await
                .filter(|answers| answers.len() == round.prompts.len())
                .ok_or_else(|| "its questions were not answered".to_owned())?,
            Self::None => match round.prompts.as_slice() {
                [] => Vec::new(),
                [first, ..] => {
                    return Err(format!(
                        "there is no answer to what it asks: {:?}",
                        first.text
                    ));
                }
            },
        };
        let exposed = answers
            .iter()
            .map(|answer| answer.expose_secret().to_owned());
        Ok(exposed.collect())
    }
}

fn asks_for_a_password(prompt: &Prompt) -> bool {
    prompt.text.to_lowercase().contains("password")
}
