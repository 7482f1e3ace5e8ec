//! From a value of the language to a Rust type, for each type an option can have.
//!
//! Conversions are as loose as Packer's (`vcpu = "4"`, `readonly = "true"`, one text where a list
//! belongs), since templates rely on them.

use std::collections::BTreeMap;
use std::time::Duration;

use lvhost_hcl::Value;
use secrecy::SecretString;

use crate::schema::{Choice, Kind};
use crate::size::Size;

/// Why a value does not fit its option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// Where inside the value, such as `[1]` or `["key"]`; empty for the value itself.
    pub path: String,
    /// What is wrong: `a whole number is needed here, not a list`.
    pub message: String,
}

impl Mismatch {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            path: String::new(),
            message: message.into(),
        }
    }

    fn inside(self, step: &str) -> Self {
        Self {
            path: format!("{step}{}", self.path),
            message: self.message,
        }
    }
}

/// A type an option can have.
///
/// Its `Default` is what an option that is not required is when left out; for the others it only
/// stands in after an error was reported.
pub trait Setting: Sized + Default {
    /// For docs and messages.
    const KIND: Kind;

    /// Leaving it out is an error, unless it is declared with a default.
    const REQUIRED: bool = true;

    /// Converts a value that is known and not null.
    fn decode(value: &Value) -> Result<Self, Mismatch>;
}

/// Says what is needed instead of `value`.
pub(crate) fn unfit<T>(kind: Kind, value: &Value) -> Result<T, Mismatch> {
    Err(Mismatch::new(format!(
        "{kind} is needed here, not {}",
        article(value.type_name())
    )))
}

fn article(type_name: &str) -> String {
    match type_name {
        "null" => "null".to_string(),
        "object" | "unknown value" => format!("an {type_name}"),
        _ => format!("a {type_name}"),
    }
}

impl Setting for String {
    const KIND: Kind = Kind::Text;

    fn decode(value: &Value) -> Result<Self, Mismatch> {
        value.to_text().map_or_else(|| unfit(Self::KIND, value), Ok)
    }
}

impl Setting for SecretString {
    const KIND: Kind = Kind::Secret;

    fn decode(value: &Value) -> Result<Self, Mismatch> {
        String::decode(value).map(SecretString::from)
    }
}

impl Setting for u64 {
    const KIND: Kind = Kind::Integer;

    fn decode(value: &Value) -> Result<Self, Mismatch> {
        match value.to_number() {
            Some(number) => number.to_u64().ok_or_else(|| {
                Mismatch::new("a whole number of zero or more is needed here".to_string())
            }),
            None => unfit(Self::KIND, value),
        }
    }
}

impl Setting for i64 {
    const KIND: Kind = Kind::Integer;

    fn decode(value: &Value) -> Result<Self, Mismatch> {
        match value.to_number() {
            Some(number) => number
                .to_i64()
                .ok_or_else(|| Mismatch::new("a whole number is needed here".to_string())),
            None => unfit(Self::KIND, value),
        }
    }
}

macro_rules! small_integer {
    ($($type:ty),*) => {$(
        impl Setting for $type {
            const KIND: Kind = Kind::Integer;

            fn decode(value: &Value) -> Result<Self, Mismatch> {
                let number = u64::decode(value)?;
                number.try_into().map_err(|_| {
                    Mismatch::new(format!("{number} is more than the {} possible here", <$type>::MAX))
                })
            }
        }
    )*};
}

small_integer!(u16, u32);

impl Setting for bool {
    const KIND: Kind = Kind::Boolean;

    const REQUIRED: bool = false;

    fn decode(value: &Value) -> Result<Self, Mismatch> {
        let number = value.as_number().and_then(|number| number.to_u64());
        match (value.to_bool(), number) {
            (Some(value), _) => Ok(value),
            (None, Some(number @ (0 | 1))) => Ok(number == 1),
            _ => unfit(Self::KIND, value),
        }
    }
}

impl Setting for Duration {
    const KIND: Kind = Kind::Duration;

    fn decode(value: &Value) -> Result<Self, Mismatch> {
        match value.to_text() {
            Some(text) => {
                crate::duration::parse(&text).map_err(|error| Mismatch::new(error.to_string()))
            }
            None => unfit(Self::KIND, value),
        }
    }
}

impl Setting for Size {
    const KIND: Kind = Kind::Size;

    fn decode(value: &Value) -> Result<Self, Mismatch> {
        match value.to_text() {
            Some(text) => text.parse().map_err(|error| match error {
                crate::size::SizeError::NoNumber => Mismatch::new(format!("`{text}`: {error}")),
                _ => Mismatch::new(error.to_string()),
            }),
            None => unfit(Self::KIND, value),
        }
    }
}

/// A type an option can have a list of.
pub trait Element: Setting {
    /// The list, for docs and messages.
    const LIST: Kind;
}

impl Element for String {
    const LIST: Kind = Kind::TextList;
}

impl Element for u32 {
    const LIST: Kind = Kind::IntegerList;
}

impl<T: Element> Setting for Vec<T> {
    const KIND: Kind = T::LIST;
    const REQUIRED: bool = false;

    fn decode(value: &Value) -> Result<Self, Mismatch> {
        let Some(elements) = value.as_list() else {
            // Packer takes a lone value for a list of one.
            return match value.as_object() {
                Some(_) => unfit(Self::KIND, value),
                None => T::decode(value).map(|element| vec![element]),
            };
        };
        elements
            .iter()
            .enumerate()
            .filter(|(_, element)| !element.is_null())
            .map(|(index, element)| {
                if element.is_unknown() {
                    return Ok(T::default());
                }
                T::decode(element).map_err(|mismatch| mismatch.inside(&format!("[{index}]")))
            })
            .collect()
    }
}

impl Setting for BTreeMap<String, String> {
    const KIND: Kind = Kind::TextMap;

    const REQUIRED: bool = false;

    fn decode(value: &Value) -> Result<Self, Mismatch> {
        let Some(entries) = value.as_object() else {
            return unfit(Self::KIND, value);
        };
        entries
            .iter()
            .filter(|(_, entry)| !entry.is_null())
            .map(|(key, entry)| {
                if entry.is_unknown() {
                    return Ok((key.clone(), String::new()));
                }
                String::decode(entry)
                    .map(|text| (key.clone(), text))
                    .map_err(|mismatch| mismatch.inside(&format!("[{key:?}]")))
            })
            .collect()
    }
}

impl<T: Setting> Setting for Option<T> {
    const KIND: Kind = T::KIND;

    const REQUIRED: bool = false;

    fn decode(value: &Value) -> Result<Self, Mismatch> {
        T::decode(value).map(Some)
    }
}

/// Declares an enumeration whose values a user writes as words.
macro_rules! choices {
    (
        $(#[doc = $about:literal])*
        pub enum $name:ident {
            $(#[doc = $first_doc:literal])* $first:ident = $first_word:literal,
            $($(#[doc = $doc:literal])* $variant:ident = $word:literal),* $(,)?
        }
    ) => {
        $(#[doc = $about])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
        pub enum $name {
            $(#[doc = $first_doc])* #[default] $first,
            $($(#[doc = $doc])* $variant),*
        }

        impl $name {
            /// Every word, in the order of the docs.
            pub const CHOICES: &'static [$crate::schema::Choice] = &[
                $crate::schema::Choice { word: $first_word, documentation: &[$($first_doc),*] },
                $($crate::schema::Choice { word: $word, documentation: &[$($doc),*] }),*
            ];

            /// The word a user writes for it.
            pub fn as_str(self) -> &'static str {
                match self {
                    Self::$first => $first_word,
                    $(Self::$variant => $word),*
                }
            }

            /// What a user means by `word`.
            pub fn from_word(word: &str) -> Option<Self> {
                match word {
                    $first_word => Some(Self::$first),
                    $($word => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }

        impl $crate::setting::Setting for $name {
            const KIND: $crate::schema::Kind = $crate::schema::Kind::Choice(Self::CHOICES);

            fn decode(value: &lvhost_hcl::Value) -> Result<Self, $crate::setting::Mismatch> {
                let Some(word) = value.to_text() else {
                    return $crate::setting::unfit(Self::KIND, value);
                };
                Self::from_word(&word)
                    .ok_or_else(|| $crate::setting::unknown_word::<Self>(&word, Self::CHOICES))
            }
        }

        impl $crate::setting::Element for $name {
            const LIST: $crate::schema::Kind = $crate::schema::Kind::ChoiceList(Self::CHOICES);
        }
    };
}

pub(crate) use choices;

/// Says which words there are.
pub(crate) fn unknown_word<T: Setting>(word: &str, choices: &[Choice]) -> Mismatch {
    let guess = lvhost_hcl::suggest(word, choices.iter().map(|choice| choice.word));
    Mismatch::new(match guess {
        Some(guess) => format!("`{word}` is not {}; did you mean \"{guess}\"?", T::KIND),
        None => format!("`{word}` is not {}", T::KIND),
    })
}
