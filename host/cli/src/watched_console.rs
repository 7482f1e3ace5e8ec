//! The console of a guest that the user wants to see while it runs.

use lvhost_config::Console;

use crate::input::InputError;
use crate::surroundings::Surroundings;

/// Names a console that is shown while the guest runs.
const WATCHED_CONSOLE: &str = "PACKER_LIBVIRT_STREAM_CONSOLE";

/// The console that the user wants to see, by a variable that templates' users know from Packer.
///
/// # Errors
/// There is no console of that name.
pub(crate) fn watched_console(surroundings: &Surroundings) -> Result<Option<Console>, InputError> {
    let Some(word) = surroundings.set(WATCHED_CONSOLE) else {
        return Ok(None);
    };
    match Console::from_word(word) {
        Some(console) => Ok(Some(console)),
        None => Err(InputError::Variable {
            name: WATCHED_CONSOLE.to_owned(),
            reason: format!("there is no console `{word}`; there are {}", {
                let words = Console::CHOICES.iter().map(|choice| choice.word);
                words.collect::<Vec<_>>().join(", ")
            }),
        }),
    }
}
