//! An evaluated block body: values with the places they come from.

mod element_spans;
mod expand;

use indexmap::IndexMap;

pub(crate) use self::element_spans::ElementSpans;
pub(crate) use self::expand::{BLOCK, ExpandedBlock};
use crate::source_map::Span;
use crate::value::Value;

/// Attributes and blocks, evaluated, `dynamic` blocks expanded.
#[derive(Debug, Clone, PartialEq)]
pub struct Body {
    /// Attributes in the order they are written.
    pub attributes: IndexMap<String, Attribute>,
    /// Blocks in the order they are written.
    pub blocks: Vec<Block>,
    /// The block this is the body of, for what is missing in it.
    pub span: Span,
}

impl Body {
    /// An empty body at `span`.
    pub fn empty(span: Span) -> Self {
        Self {
            attributes: IndexMap::new(),
            blocks: Vec::new(),
            span,
        }
    }

    /// The attribute `name`.
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.get(name)
    }

    /// The value of the attribute `name`.
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.attributes.get(name).map(|attribute| &attribute.value)
    }

    /// The blocks called `name`, in order.
    pub fn blocks<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Block> {
        self.blocks.iter().filter(move |block| block.name == name)
    }
}

/// `name = value`.
#[derive(Debug, Clone, PartialEq)]
pub struct Attribute {
    /// Where the name stands.
    pub name_span: Span,
    /// What the expression came to.
    pub value: Value,
    /// Where the expression stands.
    pub value_span: Span,
    pub(crate) elements: ElementSpans,
}

impl Attribute {
    /// An attribute whose inner elements have no places of their own.
    pub fn new(name_span: Span, value: Value, value_span: Span) -> Self {
        Self {
            name_span,
            value,
            value_span,
            elements: ElementSpans::default(),
        }
    }

    /// Where the element at `path` inside the value stands, with `path` relative to the
    /// attribute: `[1]`, `.key`, `key.inner[0]`, or empty for the value itself. Where the
    /// expression doesn't show the element (it comes from a variable, say), the nearest thing
    /// around it.
    pub fn element_span(&self, path: &str) -> Span {
        self.elements.find(path).unwrap_or(self.value_span)
    }
}

/// `name "label" { … }`.
#[derive(Debug, Clone, PartialEq)]
pub struct Block {
    /// The block's type, like `volume`.
    pub name: String,
    /// Where the type stands.
    pub name_span: Span,
    /// The labels behind it, quoted or not.
    pub labels: Vec<Label>,
    /// What is between the braces.
    pub body: Body,
    /// The whole block.
    pub span: Span,
}

/// A block label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// Its text.
    pub text: String,
    /// Where it stands.
    pub span: Span,
}
