//! An XML element as a tree, and its text.
use std::borrow::Cow;
use std::collections::BTreeSet;

use quick_xml::{
    Writer,
    events::{BytesEnd, BytesStart, BytesText, Event, attributes::Attribute},
    name::QName,
};

/// The name of an element or an attribute, with its prefix: mostly one of ours.
pub(super) type Name = Cow<'static, str>;

/// An element: attributes and children come out in the order they were given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Element {
    pub(super) name: Name,
    pub(super) attributes: Vec<(Name, String)>,
    pub(super) children: Vec<Element>,
    pub(super) text: Option<String>,
}

impl Element {
    pub(super) fn new(name: impl Into<Name>) -> Self {
        Self {
            name: name.into(),
            attributes: Vec::new(),
            children: Vec::new(),
            text: None,
        }
    }

    /// An element that holds nothing but text.
    pub(super) fn with_text(name: &'static str, text: impl ToString) -> Self {
        Self::new(name).text(text)
    }

    pub(super) fn text(mut self, text: impl ToString) -> Self {
        self.text = Some(text.to_string());
        self
    }

    pub(super) fn attribute(mut self, name: &'static str, value: impl ToString) -> Self {
        self.attributes.push((name.into(), value.to_string()));
        self
    }

    /// The attribute, if there is a value.
    pub(super) fn attribute_if(self, name: &'static str, value: Option<impl ToString>) -> Self {
        match value {
            Some(value) => self.attribute(name, value),
            None => self,
        }
    }

    pub(super) fn child(mut self, child: Element) -> Self {
        self.children.push(child);
        self
    }

    /// Children: one, none (an `Option`), or many.
    pub(super) fn children(mut self, children: impl IntoIterator<Item = Element>) -> Self {
        self.children.extend(children);
        self
    }

    /// The value of an attribute.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        let (_, value) = self.attributes.iter().find(|(known, _)| known == name)?;
        Some(value)
    }

    /// Sets an attribute, in the place of an earlier one of that name.
    pub(super) fn set(&mut self, name: &Name, value: &str) {
        match self.attributes.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => value.clone_into(old),
            None => self.attributes.push((name.clone(), value.to_owned())),
        }
    }

    /// The first child of that name.
    pub(super) fn find(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    /// Puts stars in the place of every attribute of that name.
    pub(super) fn hide(&mut self, attribute: &str) {
        for (name, value) in &mut self.attributes {
            if name == attribute {
                "***".clone_into(value);
            }
        }
        for child in &mut self.children {
            child.hide(attribute);
        }
    }

    /// Puts stars in the place of every value and text that is one of these.
    pub(super) fn hide_values(&mut self, hidden: &BTreeSet<&str>) {
        let values = self.attributes.iter_mut().map(|(_, value)| value);
        for value in values.chain(&mut self.text) {
            if hidden.contains(value.as_str()) {
                "***".clone_into(value);
            }
        }
        for child in &mut self.children {
            child.hide_values(hidden);
        }
    }

    /// The element as indented text.
    pub(super) fn to_xml(&self) -> String {
        let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
        // A Vec takes every byte, and what is written are strings: neither step can fail.
        let _ = self.write(&mut writer);
        let mut xml = String::from_utf8_lossy(&writer.into_inner()).into_owned();
        xml.push('\n');
        xml
    }

    fn write(&self, writer: &mut Writer<Vec<u8>>) -> std::io::Result<()> {
        let mut start = BytesStart::new(self.name.as_ref());
        for (name, value) in &self.attributes {
            start.push_attribute(Attribute {
                key: QName(name),
                value: Cow::Owned(escape_attribute(value)),
            });
        }
        if self.text.is_none() && self.children.is_empty() {
            return writer.write_event(Event::Empty(start));
        }
        writer.write_event(Event::Start(start))?;
        if let Some(text) = &self.text {
            writer.write_event(Event::Text(BytesText::from_escaped(escape(text))))?;
        }
        for child in &self.children {
            child.write(writer)?;
        }
        writer.write_event(Event::End(BytesEnd::new(self.name.as_ref())))
    }
}

/// Text in which nothing is markup. A carriage return would be read back as a line feed, so it goes
/// as a reference.
fn escape(text: &str) -> String {
    quick_xml::escape::escape(text).replace('\r', "&#13;")
}

/// The same for an attribute's value, in which a parser also turns tabs and line feeds into spaces.
fn escape_attribute(value: &str) -> String {
    escape(value).replace('\t', "&#9;").replace('\n', "&#10;")
}
