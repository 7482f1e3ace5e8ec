//! Where options stand in the template, and which of them the user wrote.

use std::collections::BTreeMap;

use lvhost_hcl::{Attribute, Span, Value};

/// Where a block and its options stand, for whatever has to be said about them later. It keeps no
/// values, so that secrets are nowhere but in their own types.
#[derive(Debug, Clone)]
pub struct Origin {
    block: Span,
    /// What is written with a mistake in its name.
    misspelt: Vec<&'static str>,
    written: BTreeMap<&'static str, Written>,
}

/// An option that the user wrote.
#[derive(Debug, Clone)]
struct Written {
    /// The attribute without its value.
    place: Attribute,
    known: bool,
    sensitive: bool,
}

impl Origin {
    pub(crate) fn new(block: Span) -> Self {
        Self {
            block,
            misspelt: Vec::new(),
            written: BTreeMap::new(),
        }
    }

    /// The options and blocks that the user meant by names there are not, which has been reported.
    pub(crate) fn with_misspelt(self, misspelt: Vec<&'static str>) -> Self {
        Self { misspelt, ..self }
    }

    /// Remembers that the user wrote the option, and whether there is a value to judge by.
    pub(crate) fn note(&mut self, name: &'static str, attribute: &Attribute, known: bool) {
        let sensitive = attribute.value.is_sensitive();
        let mut place = attribute.clone();
        place.value = Value::NULL;
        let written = Written {
            place,
            known,
            sensitive,
        };
        self.written.insert(name, written);
    }

    /// The block.
    pub fn span(&self) -> Span {
        self.block
    }

    /// The value of the option `name`, or the block where it is left out.
    pub fn span_of(&self, name: &str) -> Span {
        self.span_of_element(name, "")
    }

    /// The element at `path` (such as `[1]`) inside the value of the option `name`.
    pub fn span_of_element(&self, name: &str, path: &str) -> Span {
        self.written
            .get(name)
            .map_or(self.block, |written| written.place.element_span(path))
    }

    /// Whether the user wrote the option, with a value other than null and the empty text.
    pub fn is_set(&self, name: &str) -> bool {
        self.written.contains_key(name)
    }

    /// Whether something in the option's value is marked as sensitive.
    pub fn is_sensitive(&self, name: &str) -> bool {
        self.written
            .get(name)
            .is_some_and(|written| written.sensitive)
    }

    /// Whether the user wrote the option or block but there is no value to judge by: it will only be known
    /// when the build runs, or it was wrong, perhaps in its name, and has been reported.
    pub fn is_unknown(&self, name: &str) -> bool {
        match self.written.get(name) {
            Some(written) => !written.known,
            None => self.misspelt.contains(&name),
        }
    }
}
