//! What a failed build shows of its guest, and what becomes of it: removed at once, left for the user
//! to look at, or as the user says when asked, who may want it provisioned again as well.

use lvhost_libvirt::Screenshot;
use tokio::io::AsyncWriteExt;

use super::{Build, Guest};
use crate::error::{Error, with_causes};
use crate::ledger::Ledger;
use crate::private_file;
use crate::provision::ProvisionContext;
use crate::ui::{Stream, Ui as _};

/// What becomes of what a failed build has made. A build that was cancelled is always cleaned up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnError {
    /// All of it is removed.
    #[default]
    CleanUp,
    /// It stays, the running domain included.
    Abort,
    /// It stays as well, but what provisions the guest may do in it what it does after a failure.
    RunCleanUpProvisioner,
    /// The user is asked, while the guest is still there; who can't be asked gets [`Self::CleanUp`].
    Ask,
}

/// An answer to [`OnError::Ask`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    CleanUp,
    Keep,
    /// Provision the guest again.
    Repeat,
}

/// The answers in the order of the choices shown; the last one where there is something to repeat.
const ANSWERS: [(Answer, &str); 3] = [
    (Answer::CleanUp, "clean up"),
    (Answer::Keep, "keep everything as it is"),
    (Answer::Repeat, "run the provisioners again"),
];

impl Build {
    /// Shows the last lines of the guest's console, and keeps a picture of its screen.
    pub(super) async fn show_guest(&self, error: &Error, guest: &Guest) {
        if matches!(error, Error::Cancelled) {
            return;
        }
        if let Some((recorder, path)) = &guest.consoles.serial {
            let lines = recorder.last_lines();
            match lines.is_empty() {
                true => self.ui.say("The guest wrote nothing to its serial console"),
                false => self.ui.say("The guest's serial console ends with:"),
            }
            for line in lines {
                self.ui.output(Stream::Stdout, &line);
            }
            if let Some(path) = path {
                self.ui
                    .say(&format!("All of the console is in {}", path.display()));
            }
        }
        match self.hypervisor.screenshot(&guest.domain).await {
            Ok(picture) => self.keep_screenshot(&picture).await,
            // The guest is off, or has no screen.
            Err(error) => tracing::debug!(%error, "there is no picture of the guest's screen"),
        }
    }

    async fn keep_screenshot(&self, picture: &Screenshot) {
        let Some(directory) = &self.log_directory else {
            return;
        };
        let path = directory.join("screen.png");
        let written = async {
            let mut file = private_file::create(&path).await?;
            file.write_all(&picture.png).await?;
            file.flush().await
        };
        match written.await {
            Ok(()) => self
                .ui
                .say(&format!("The guest's screen is in {}", path.display())),
            Err(error) => self.ui.warn(&format!(
                "the picture of the guest's screen can't be written to {}: {error}",
                path.display()
            )),
        }
    }

    /// Runs what is to be done in the guest after a failure, if the build has come to its provisioners.
    pub(super) async fn clean_up_guest(&self, error: &Error, guest: &Guest, keeps: bool) {
        let wanted = !keeps || self.on_error == OnError::RunCleanUpProvisioner;
        let Some(session) = guest.session.as_ref().filter(|_| wanted) else {
            return;
        };
        if matches!(error, Error::Cancelled) {
            return;
        }
        let is_off = guest.state.borrow().is_off();
        let context = ProvisionContext {
            communicator: session.communicator.as_ref().filter(|_| !is_off),
            build: &session.build,
            ui: &self.ui,
            cancel: &self.cancel,
        };
        let result = tokio::select! {
            biased;
            () = self.cancel.cancelled() => return,
            result = self.provision.clean_up(&context) => result,
        };
        if let Err(error) = result {
            self.ui.error(&format!(
                "what was to be done after the failure has failed as well: {}",
                with_causes(&error)
            ));
        }
    }

    /// Whether what was made stays although the build has failed.
    pub(super) async fn keeps(
        &self,
        error: &Error,
        answer: Option<Answer>,
        ledger: &Ledger,
    ) -> bool {
        if matches!(error, Error::Cancelled) || ledger.is_empty_but_for(None) {
            return false;
        }
        match (self.on_error, answer) {
            (OnError::CleanUp, _) => false,
            (OnError::Abort | OnError::RunCleanUpProvisioner, _) => true,
            (OnError::Ask, Some(answer)) => answer == Answer::Keep,
            (OnError::Ask, None) => self.ask(error, &ANSWERS[..2]).await == Answer::Keep,
        }
    }

    /// Whether the user wants the guest, in which provisioners have failed, to be provisioned again.
    pub(super) async fn repeats(&self, error: &Error, guest: &mut Guest) -> bool {
        let is_over = matches!(error, Error::Cancelled) || guest.state.borrow().is_off();
        if is_over || self.on_error != OnError::Ask {
            return false;
        }
        guest.consoles.settle().await;
        self.show_guest(error, guest).await;
        let answer = self.ask(error, &ANSWERS).await;
        guest.answer = Some(answer).filter(|answer| *answer != Answer::Repeat);
        answer == Answer::Repeat
    }

    async fn ask(&self, error: &Error, answers: &[(Answer, &str)]) -> Answer {
        let question = format!("The build has failed: {}", with_causes(error));
        let choices: Vec<_> = answers.iter().map(|(_, choice)| *choice).collect();
        let answer = tokio::select! {
            biased;
            () = self.cancel.cancelled() => return Answer::CleanUp,
            answer = self.ui.ask(&question, &choices) => answer,
        };
        match answer {
            Ok(index) => answers
                .get(index)
                .map_or(Answer::CleanUp, |(answer, _)| *answer),
            Err(reason) => {
                self.ui
                    .warn(&format!("nobody can be asked ({reason}): cleaning up"));
                Answer::CleanUp
            }
        }
    }
}
