//! One build's way to the screen.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use lvhost_communicator::ssh::Round;
use lvhost_engine::{MaskedUi, Step, Stream, Transfer, Ui};
use secrecy::SecretString;

use super::Screen;
use super::event::{Event, Level, StepTime};
use super::questions::Questions;
use crate::shown::shown;

/// Shows one build and remembers how long its steps took.
pub(crate) struct BuildUi {
    build: String,
    screen: Arc<dyn Screen>,
    questions: Arc<Questions>,
    steps: Mutex<Vec<StepTime>>,
}

impl BuildUi {
    /// A build called `build`.
    pub(crate) fn new(build: String, screen: Arc<dyn Screen>, questions: Arc<Questions>) -> Self {
        Self {
            build,
            screen,
            questions,
            steps: Mutex::default(),
        }
    }

    /// Shows an event.
    pub(crate) fn show(&self, event: &Event<'_>) {
        self.screen.show(event);
    }

    /// A step is over.
    pub(crate) fn step(&self, step: StepTime) {
        self.show(&Event::StepFinished {
            build: &self.build,
            step: &step,
        });
        self.steps
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(step);
    }

    /// The steps so far, in the order they ended.
    pub(crate) fn steps(&self) -> Vec<StepTime> {
        self.steps
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// What a bastion asks, said on `masked`, if there is somebody to answer.
    pub(crate) fn bastion_questions(&self, masked: MaskedUi) -> Option<BastionQuestions> {
        self.questions.is_possible().then(|| BastionQuestions {
            ui: masked,
            questions: Arc::clone(&self.questions),
        })
    }

    fn message(&self, level: Level, text: &str) {
        self.show(&Event::Message {
            build: &self.build,
            level,
            text,
        });
    }
}

/// What a bastion asks is shown and answered at the terminal.
pub(crate) struct BastionQuestions {
    ui: MaskedUi,
    questions: Arc<Questions>,
}

impl std::fmt::Debug for BastionQuestions {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("BastionQuestions")
    }
}

#[async_trait]
impl lvhost_communicator::ssh::Questions for BastionQuestions {
    async fn answer(&self, round: &Round) -> Option<Vec<SecretString>> {
        self.ui.say(&format!("{} asks:", round.server));
        for text in [&round.name, &round.instructions] {
            if !text.trim().is_empty() {
                self.ui.say(text.trim());
            }
        }
        let mut answers = Vec::with_capacity(round.prompts.len());
        for prompt in &round.prompts {
            let show = || self.ui.say(prompt.text.trim());
            let answer = match prompt.echo {
                true => self.questions.ask(show).await,
                false => self.questions.ask_secretly(show).await,
            };
            match answer {
                Ok(answer) => answers.push(SecretString::from(answer)),
                Err(reason) => {
                    self.ui.warn(&format!("nobody can answer: {reason}"));
                    return None;
                }
            }
        }
        Some(answers)
    }
}

#[async_trait]
impl Ui for BuildUi {
    fn say(&self, message: &str) {
        self.message(Level::Info, message);
    }

    fn warn(&self, message: &str) {
        self.message(Level::Warning, message);
    }

    fn error(&self, message: &str) {
        self.message(Level::Error, message);
    }

    fn output(&self, stream: Stream, line: &str) {
        self.show(&Event::output(&self.build, stream, &last_seen(line)));
    }

    fn step_finished(&self, step: Step, time: Duration) {
        self.step(StepTime::of(step, time));
    }

    fn transfer(&self, name: &str, total: Option<u64>) -> Box<dyn Transfer> {
        self.screen.transfer(&self.build, name, total)
    }

    async fn wait_for_user(&self, note: &str) -> Result<(), String> {
        let show = || {
            if !note.is_empty() {
                self.say(note);
            }
            self.say("Press Enter to go on");
        };
        self.questions.ask(show).await.map(drop)
    }

    async fn ask(&self, question: &str, choices: &[&str]) -> Result<usize, String> {
        let letters = letters(choices);
        let show = || {
            self.say(question);
            for (letter, choice) in letters.iter().zip(choices) {
                self.say(&format!("  [{letter}] {choice}"));
            }
        };
        loop {
            let answer = self.questions.ask(show).await?;
            if let Some(taken) = taken(&answer, &letters, choices) {
                return Ok(taken);
            }
        }
    }
}

/// What to type for each choice: its first letter, or its number where that is taken.
pub(crate) fn letters(choices: &[&str]) -> Vec<String> {
    let mut letters: Vec<String> = Vec::with_capacity(choices.len());
    for (index, choice) in choices.iter().enumerate() {
        let first = choice
            .chars()
            .next()
            .map(|first| first.to_lowercase().to_string());
        let free = first.filter(|first| !letters.contains(first));
        letters.push(free.unwrap_or_else(|| (index + 1).to_string()));
    }
    letters
}

/// The choice that an answer means: its letter, or the beginning of one only.
pub(crate) fn taken(answer: &str, letters: &[String], choices: &[&str]) -> Option<usize> {
    let answer = answer.trim().to_lowercase();
    if answer.is_empty() {
        return None;
    }
    if let Some(index) = letters.iter().position(|letter| *letter == answer) {
        return Some(index);
    }
    let mut meant = choices
        .iter()
        .enumerate()
        .filter(|(_, choice)| choice.to_lowercase().starts_with(&answer));
    match (meant.next(), meant.next()) {
        (Some((index, _)), None) => Some(index),
        _ => None,
    }
}

/// What can be seen of a line that a guest printed: of one that was written over with carriage returns,
/// what was last to be seen.
pub(crate) fn last_seen(line: &str) -> String {
    let last = line
        .rsplit('\r')
        .find(|part| !part.is_empty())
        .unwrap_or_default();
    shown(last)
}

#[cfg(test)]
mod tests {
    use lvhost_communicator::ssh::Questions as _;
    use lvhost_engine::Secrets;

    use super::*;

    /// A screen that keeps what is said.
    #[derive(Default)]
    struct Seen(Mutex<Vec<String>>);

    impl Screen for Seen {
        fn show(&self, event: &Event<'_>) {
            if let Event::Message { text, .. } = event {
                self.0.lock().unwrap().push((*text).to_owned());
            }
        }

        fn transfer(&self, _: &str, name: &str, _: Option<u64>) -> Box<dyn Transfer> {
            panic!("nothing moves: {name}")
        }
    }

    #[tokio::test]
    async fn a_bastion_gets_no_answers_where_nobody_can_be_asked() {
        let seen = Arc::new(Seen::default());
        let screen = Arc::clone(&seen) as Arc<dyn Screen>;
        let questions = Arc::new(Questions::new(Arc::clone(&screen), false));
        let ui = Arc::new(BuildUi::new("libvirt.x".to_owned(), screen, questions));
        let secrets = Secrets::default();
        secrets.add(["swordfish".into()]);
        let masked = MaskedUi::new(Arc::clone(&ui) as _, secrets);
        assert!(ui.bastion_questions(masked.clone()).is_none());
        let asked = BastionQuestions {
            ui: masked,
            questions: Arc::clone(&ui.questions),
        };
        let round = |prompts: &[&str]| Round {
            server: "the bastion me@jump:22".to_owned(),
            name: String::new(),
            instructions: "One-time password, not swordfish".to_owned(),
            prompts: prompts
                .iter()
                .map(|text| lvhost_communicator::ssh::Prompt {
                    text: (*text).to_owned(),
                    echo: false,
                })
                .collect(),
        };
        assert!(asked.answer(&round(&["Code: "])).await.is_none());
        // An announcement needs no answer.
        assert_eq!(asked.answer(&round(&[])).await.map(|it| it.len()), Some(0));
        let said = seen.0.lock().unwrap();
        assert_eq!(
            said[..3],
            [
                "the bastion me@jump:22 asks:",
                "One-time password, not <sensitive>",
                "nobody can answer: standard input is not a terminal"
            ]
        );
    }

    /// Whether somebody is there to answer or not, all of it goes to the screen, which filters.
    #[tokio::test]
    async fn what_a_bastion_asks_steers_no_terminal() {
        const ODD: &str = "\u{1b}[31mred\u{9b}2J\u{202e}\r\n==> libvirt.x: Finished";
        let (printer, recorded) = crate::printer::Printer::for_test();
        let text = crate::ui::text::Text::new(printer.clone());
        let screen: Arc<dyn Screen> = Arc::new(crate::ui::plain::Plain::new(printer, text));
        let questions = Arc::new(Questions::new(Arc::clone(&screen), false));
        let ui = Arc::new(BuildUi::new("libvirt.x".to_owned(), screen, questions));
        let asked = BastionQuestions {
            ui: MaskedUi::new(Arc::clone(&ui) as _, Secrets::default()),
            questions: Arc::clone(&ui.questions),
        };
        let round = Round {
            server: ODD.to_owned(),
            name: ODD.to_owned(),
            instructions: ODD.to_owned(),
            prompts: Vec::new(),
        };
        asked.answer(&round).await.unwrap();
        // What shows a question.
        ui.say(ODD);
        let said = recorded.messages();
        assert_eq!(said.matches("red").count(), 4, "{said}");
        let steers = |it: char| it != '\n' && lvhost_hcl::is_unseen(it);
        assert_eq!(said.chars().find(|it| steers(*it)), None, "{said:?}");
        let forged = said.lines().any(|line| line == "==> libvirt.x: Finished");
        assert!(!forged, "{said}");
    }

    #[test]
    fn a_guest_cannot_steer_the_terminal() {
        let cases = [
            ("plain\ttext", "plain\ttext"),
            ("\u{1b}[31mred\u{1b}[0m", "red"),
            ("\u{1b}]0;title\u{7}shown", "shown"),
            (" 10 %\r 20 %\r", " 20 %"),
            ("bell\u{7}back\u{8}", "bellback"),
            ("grüße", "grüße"),
            ("", ""),
        ];
        for (said, shown) in cases {
            assert_eq!(last_seen(said), shown, "{said:?}");
        }
    }

    #[test]
    fn a_choice_is_taken_by_its_letter_or_its_beginning() {
        let choices = ["clean up", "abort", "retry", "accept"];
        let letters = letters(&choices);
        assert_eq!(letters, ["c", "a", "r", "4"]);
        for (answer, expected) in [
            ("c", Some(0)),
            (" A\n", Some(1)),
            ("ab", Some(1)),
            ("4", Some(3)),
            ("retry", Some(2)),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(taken(answer, &letters, &choices), expected, "{answer:?}");
        }
    }
}
