//! What the user has set in the `source` block, by name and type.

use crate::bindings::lvhost::source::types as wit;
use crate::{Description, OptionType};

/// The value of an option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OptionValue {
    /// A text.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// `true` or `false`.
    Boolean(bool),
    /// A list of texts.
    TextList(Vec<String>),
    /// Texts by key, in the order of the keys.
    TextMap(Vec<(String, String)>),
}

/// An option that the user has set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionSetting {
    /// Its name.
    pub name: String,
    /// What the user has set it to.
    pub value: OptionValue,
}

/// The options the user has set. Options left out or null are not there.
///
/// The getters return `None` for an option that is not set. lvhost has checked names and types
/// against the schema from [`describe`](crate::VolumeSource::describe) before a source sees the
/// options, so a getter that asks for another type than the schema says also gets `None`, always.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options(Vec<OptionSetting>);

impl Options {
    /// Wraps the settings as they come from lvhost, or as a test makes them up.
    #[must_use]
    pub fn new(settings: Vec<OptionSetting>) -> Self {
        Self(settings)
    }

    /// The options of a call: those of the description that are set.
    pub(crate) fn of_host(options: &wit::Options, description: &Description) -> Self {
        let set = description.options.iter().filter_map(|schema| {
            let name = &schema.name;
            let value = match schema.option_type {
                OptionType::Text => options.text(name).map(OptionValue::Text),
                OptionType::Integer => options.integer(name).map(OptionValue::Integer),
                OptionType::Boolean => options.boolean(name).map(OptionValue::Boolean),
                OptionType::TextList => options.texts(name).map(OptionValue::TextList),
                OptionType::TextMap => options.pairs(name).map(OptionValue::TextMap),
            };
            Some(OptionSetting {
                name: name.clone(),
                value: value?,
            })
        });
        Self(set.collect())
    }

    /// Adds an option; for tests.
    ///
    /// ```
    /// use lvhost_plugin_sdk::{OptionValue, Options};
    /// let options = Options::default()
    ///     .with("label", OptionValue::text("drivers"))
    ///     .with("files", OptionValue::text_list(["net.inf", "disk.inf"]));
    /// assert_eq!(options.text("label"), Some("drivers"));
    /// ```
    #[must_use]
    pub fn with(mut self, name: &str, value: OptionValue) -> Self {
        self.0.push(OptionSetting {
            name: name.to_owned(),
            value,
        });
        self
    }

    /// Whether the user has set the option.
    #[must_use]
    pub fn is_set(&self, name: &str) -> bool {
        self.value(name).is_some()
    }

    /// A text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.value(name)? {
            OptionValue::Text(text) => Some(text),
            _ => None,
        }
    }

    /// An integer.
    #[must_use]
    pub fn integer(&self, name: &str) -> Option<i64> {
        match self.value(name)? {
            OptionValue::Integer(integer) => Some(*integer),
            _ => None,
        }
    }

    /// A truth value.
    #[must_use]
    pub fn boolean(&self, name: &str) -> Option<bool> {
        match self.value(name)? {
            OptionValue::Boolean(boolean) => Some(*boolean),
            _ => None,
        }
    }

    /// A list of texts.
    #[must_use]
    pub fn text_list(&self, name: &str) -> Option<&[String]> {
        match self.value(name)? {
            OptionValue::TextList(list) => Some(list),
            _ => None,
        }
    }

    /// Texts by key, in the order of the keys.
    #[must_use]
    pub fn text_map(&self, name: &str) -> Option<&[(String, String)]> {
        match self.value(name)? {
            OptionValue::TextMap(map) => Some(map),
            _ => None,
        }
    }

    /// The settings, as they cross the border.
    #[must_use]
    pub fn settings(&self) -> &[OptionSetting] {
        &self.0
    }

    fn value(&self, name: &str) -> Option<&OptionValue> {
        self.0
            .iter()
            .find(|setting| setting.name == name)
            .map(|setting| &setting.value)
    }
}

impl OptionValue {
    /// A text.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A list of texts.
    #[must_use]
    pub fn text_list<T: Into<String>>(list: impl IntoIterator<Item = T>) -> Self {
        Self::TextList(list.into_iter().map(Into::into).collect())
    }

    /// Texts by key. Puts them into the order of the keys.
    #[must_use]
    pub fn text_map<K: Into<String>, V: Into<String>>(
        map: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        let mut map: Vec<_> = map.into_iter().map(|(k, v)| (k.into(), v.into())).collect();
        map.sort();
        Self::TextMap(map)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_answers_to_its_name_and_type_alone() {
        let options = Options::default()
            .with("count", OptionValue::Integer(-3))
            .with("fast", OptionValue::Boolean(true))
            .with("label", OptionValue::text("a"))
            .with("names", OptionValue::text_list(["b", "a"]))
            .with("texts", OptionValue::text_map([("y", "1"), ("x", "2")]));
        assert_eq!(options.integer("count"), Some(-3));
        assert_eq!(options.boolean("fast"), Some(true));
        assert_eq!(options.text("label"), Some("a"));
        assert_eq!(options.text_list("names").unwrap(), ["b", "a"]);
        let texts = options.text_map("texts").unwrap();
        assert_eq!(
            texts[0],
            ("x".to_owned(), "2".to_owned()),
            "maps come by key"
        );
        assert_eq!(options.text("count"), None);
        assert_eq!(options.integer("label"), None);
        assert_eq!(options.text_list("label"), None);
        assert!(options.is_set("fast") && !options.is_set("slow"));
    }
}
