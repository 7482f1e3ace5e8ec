//! [`Collected`]: what a call is about, and what the component says piece by piece until its function returns.
//! Nothing of it is checked here; only its amount is bounded, since it is kept.

use crate::error::Fault;
use crate::limits;
use crate::request::{PlainSetting, PlainValue};
use crate::types::{Configuration, Description, OptionSchema, Recipe, Volume};

/// What a thing costs that a component says, beside the bytes of its texts.
const THING: usize = 64;

/// What one call is about and has said.
pub(crate) struct Collected {
    volume: Option<Volume>,
    options: Vec<PlainSetting>,
    description: Description,
    configuration: Configuration,
    recipe: Option<Recipe>,
    /// Bytes that may still be said.
    left: usize,
    /// Bytes of all listings and answers that the component holds.
    held: usize,
}

impl Default for Collected {
    fn default() -> Self {
        Self {
            volume: None,
            options: Vec::new(),
            description: Description {
                source_type: String::new(),
                aliases: Vec::new(),
                summary: String::new(),
                options: Vec::new(),
            },
            configuration: Configuration::default(),
            recipe: None,
            left: limits::SAID,
            held: 0,
        }
    }
}

impl Collected {
    /// A call is about this volume and these options.
    pub(super) fn begin(&mut self, volume: Volume, options: Vec<PlainSetting>) {
        self.volume = Some(volume);
        self.options = options;
    }

    /// The volume. There is none while a source describes itself, and nobody who would ask then.
    pub(super) fn volume(&self) -> wasmtime::Result<&Volume> {
        let volume = self.volume.as_ref();
        volume.ok_or_else(|| wasmtime::Error::msg("there is no volume in this call"))
    }

    /// The value of an option that is set.
    pub(super) fn option(&self, name: &str) -> Option<&PlainValue> {
        let option = self.options.iter().find(|option| option.name == name);
        option.map(|option| &option.value)
    }

    /// Counts what is kept of what the component says.
    ///
    /// # Errors
    /// When that is too much.
    pub(super) fn charge(&mut self, texts: &[&str]) -> wasmtime::Result<()> {
        let bytes = texts.iter().fold(THING, |sum, text| sum + text.len());
        match self.left.checked_sub(bytes) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(wasmtime::Error::new(Fault::LimitExceeded(format!(
                "it said more than {} KiB in one call",
                limits::SAID >> 10
            )))),
        }
    }

    pub(super) fn description(&mut self) -> &mut Description {
        &mut self.description
    }

    /// Adds an option to the description, and says its number.
    pub(super) fn add_option(&mut self, option: OptionSchema) -> usize {
        self.description.options.push(option);
        self.description.options.len() - 1
    }

    /// An option of the description, by its number.
    pub(super) fn option_schema(&mut self, number: usize) -> wasmtime::Result<&mut OptionSchema> {
        let option = self.description.options.get_mut(number);
        option.ok_or_else(|| wasmtime::Error::msg("there is no such option"))
    }

    pub(super) fn configuration(&mut self) -> &mut Configuration {
        &mut self.configuration
    }

    /// Whether it has been said how the volume comes to be.
    pub(super) fn is_decided(&self) -> bool {
        self.recipe.is_some()
    }

    /// How the volume comes to be.
    pub(super) fn decide(&mut self, recipe: Recipe) {
        self.recipe = Some(recipe);
    }

    /// Counts a listing or an answer that the component holds; whether there is room for it.
    pub(super) fn hold(&mut self, bytes: usize) -> bool {
        let held = self.held.saturating_add(bytes);
        let fits = held <= limits::FILE_NAMES;
        if fits {
            self.held = held;
        }
        fits
    }

    /// The component has given one up.
    pub(super) fn give_up(&mut self, bytes: usize) {
        self.held = self.held.saturating_sub(bytes);
    }

    pub(super) fn take_description(&mut self) -> Description {
        let nothing = Self::default().description;
        std::mem::replace(&mut self.description, nothing)
    }

    pub(super) fn take_configuration(&mut self) -> Configuration {
        std::mem::take(&mut self.configuration)
    }

    pub(super) fn take_recipe(&mut self) -> Option<Recipe> {
        self.recipe.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_has_an_end_in_sum() {
        let mut collected = Collected::default();
        let mut calls = 0;
        while collected.charge(&["a remark", "and help"]).is_ok() {
            calls += 1;
        }
        assert_eq!(calls, limits::SAID / (THING + 16));
        let error = collected.charge(&[&"x".repeat(THING)]).expect_err("over");
        assert!(matches!(
            error.downcast_ref(),
            Some(Fault::LimitExceeded(_))
        ));
    }

    #[test]
    fn what_is_held_has_room_in_sum() {
        let mut collected = Collected::default();
        assert!(collected.hold(limits::FILE_NAMES - 1));
        assert!(!collected.hold(2));
        collected.give_up(limits::FILE_NAMES - 1);
        assert!(collected.hold(2));
        assert!(!collected.hold(usize::MAX));
    }
}
