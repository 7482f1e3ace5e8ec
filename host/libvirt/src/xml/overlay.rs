//! Fragments of domain XML merged into the definition that a template comes to: the way to whatever
//! libvirt has and lvhost has no option for.
//!
//! A fragment is a `<domain>` that holds only what is to be different:
//!
//! ```xml
//! <domain>
//!   <cpu><feature policy="disable" name="svm"/></cpu>
//!   <devices>
//!     <disk><target dev="vda"/><driver cache="unsafe" discard="unmap"/></disk>
//!     <rng merge="remove"/>
//!     <sound model="ich9"/>
//!   </devices>
//! </domain>
//! ```
//!
//! Each element of the fragment is laid over one element of the definition, from the root down:
//!
//! 1. **Which one.** Inside the element that its parent was laid over, the one of the same name. Of
//!    several it is the one with the same key. An element's key is its `<alias name="…">`, if it
//!    states one (with or without `ua-`), and nothing else then; otherwise what it states of these:
//!
//!    | element | key |
//!    |---|---|
//!    | `controller` | `type`, `index` |
//!    | `disk` | `<target dev="…">` |
//!    | `interface` | `<mac address="…">` |
//!    | `filesystem` | `<target dir="…">` |
//!    | `console`, `serial`, `parallel`, `channel` | `type`, `name` and `port` of `<target>` |
//!    | `graphics`, `input` | `type`, `bus` |
//!    | `sound` | `model` |
//!    | `feature`, `timer`, `entry`, `qemu:env` | `name` |
//!    | `boot` | `dev` |
//!
//! 2. **If there is one**, the attributes of the fragment are set on it, text replaces its text, and
//!    children are laid over its children by the same rules. What the fragment does not mention stays.
//! 3. **If there is none**, the element is added, behind its namesakes if there are any. `hostdev`,
//!    `redirdev` and `qemu:arg` are always added.
//! 4. **If there are several** and the key does not tell them apart, that is an error.
//!
//! The attribute `merge`, which libvirt has nowhere, changes this for one element and is left out of
//! the result: `merge="remove"` takes the element out (it must be there), `merge="replace"` puts the
//! fragment's element in its place as it is, `merge="add"` adds it whatever is there already.
//!
//! The domain's `name` and `uuid`, and lvhost's own element in `metadata`, stay as they are: lvhost
//! finds the domain by them. Elements of a fragment are never laid over each other.
mod key;
mod places;

use roxmltree::{Document, Node, ParsingOptions};

use self::{key::KeyPart, places::Places};
use super::{
    METADATA_NAMESPACE,
    domain::ALIAS_PREFIX,
    element::{Element, Name},
};

/// Elements inside each other. A domain's XML has some eight; the bound keeps a fragment from
/// exhausting the stack.
const MAX_DEPTH: usize = 64;

/// Bytes of all fragments of one domain together. A domain's own XML has some 5,000; the bound keeps what is
/// compared with one another from growing with the square.
pub const MAX_OVERLAY_BYTES: usize = 64 << 10;

/// The attribute that says how an element is merged.
const MERGE: &str = "merge";

/// Elements that are a list each: the same one twice is twice.
const ALWAYS_ADDED: [&str; 3] = ["hostdev", "redirdev", "qemu:arg"];

/// A fragment of domain XML to be laid over the generated one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XmlOverlay(Fragment);

/// What is wrong with a fragment, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {problem}")]
pub struct OverlayError {
    /// Line in the fragment, counted from 1.
    pub line: u32,
    /// Column in characters, counted from 1.
    pub column: u32,
    /// What is wrong.
    pub problem: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Position {
    line: u32,
    column: u32,
}

impl Position {
    fn error(self, problem: impl Into<String>) -> OverlayError {
        OverlayError {
            line: self.line,
            column: self.column,
            problem: problem.into(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Merge {
    Over,
    Add,
    Replace,
    Remove,
}

/// An element of a fragment. `element` has no children: they are fragments themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Fragment {
    element: Element,
    children: Vec<Fragment>,
    merge: Merge,
    position: Position,
}

impl XmlOverlay {
    /// Reads a fragment.
    ///
    /// # Errors
    /// If it is no well-formed XML, is no `<domain>`, mixes text with elements, touches what must stay, or
    /// is longer than [`MAX_OVERLAY_BYTES`].
    pub fn parse(xml: &str) -> Result<Self, OverlayError> {
        if xml.len() > MAX_OVERLAY_BYTES {
            return Err(Position { line: 1, column: 1 }.error(format!(
                "the fragment has {} bytes; more than {MAX_OVERLAY_BYTES} are not read",
                xml.len()
            )));
        }
        let options = ParsingOptions::default();
        let document = Document::parse_with_options(xml, options).map_err(|error| {
            let position = error.pos();
            // The library puts the position at the end of its text as well.
            let text = error.to_string();
            let place = format!(" at {}:{}", position.row, position.col);
            Position {
                line: position.row,
                column: position.col,
            }
            .error(format!("no well-formed XML: {}", text.replace(&place, "")))
        })?;
        let root = Fragment::read(document.root_element(), 0, &mut Places::of(xml))?;
        if root.element.name != "domain" {
            let name = &root.element.name;
            return Err(root.position.error(format!(
                "the fragment's outermost element is <{name}>; it must be <domain>"
            )));
        }
        if root.merge != Merge::Over {
            return Err(root.position.error("the domain itself can only be merged"));
        }
        for child in &root.children {
            child.check_identity()?;
        }
        Ok(Self(root))
    }

    /// All that its attributes and texts say.
    pub fn values(&self) -> Vec<&str> {
        let mut values = Vec::new();
        self.0.collect_values(&mut values);
        values
    }

    /// Lays the fragment over a domain's definition.
    pub(super) fn apply(&self, domain: &mut Element) -> Result<(), OverlayError> {
        self.0.lay_over(domain)
    }
}

impl Fragment {
    fn collect_values<'a>(&'a self, values: &mut Vec<&'a str>) {
        let attributes = self.element.attributes.iter();
        values.extend(attributes.map(|(_, value)| value.as_str()));
        values.extend(self.element.text.as_deref());
        for child in &self.children {
            child.collect_values(values);
        }
    }

    fn read(
        node: Node<'_, '_>,
        depth: usize,
        places: &mut Places<'_>,
    ) -> Result<Self, OverlayError> {
        let position = places.at(node.range().start);
        if depth > MAX_DEPTH {
            return Err(position.error(format!("more than {MAX_DEPTH} elements inside each other")));
        }
        let namespace = node.tag_name().namespace();
        if namespace == Some(METADATA_NAMESPACE) {
            return Err(position.error("this element is lvhost's own and stays as it is"));
        }
        if node.default_namespace().is_some() {
            return Err(position.error("libvirt's elements are in no namespace; remove xmlns"));
        }
        let mut element = Element::new(qualified(node, namespace, node.tag_name().name()));
        let inherited = |name: Option<&str>| {
            let parent = node.parent_element()?;
            parent.lookup_namespace_uri(name)
        };
        for declared in node.namespaces() {
            if let Some(prefix) = declared.name()
                && prefix != "xml"
                && inherited(Some(prefix)) != Some(declared.uri())
            {
                let name = Name::from(format!("xmlns:{prefix}"));
                element.set(&name, declared.uri());
            }
        }
        let mut merge = Merge::Over;
        for attribute in node.attributes() {
            if attribute.namespace().is_none() && attribute.name() == MERGE {
                merge = match attribute.value() {
                    "add" => Merge::Add,
                    "replace" => Merge::Replace,
                    "remove" => Merge::Remove,
                    other => {
                        return Err(position.error(format!(
                            "merge={other:?} is not known; it is add, replace or remove"
                        )));
                    }
                };
                continue;
            }
            let name = qualified(node, attribute.namespace(), attribute.name());
            element.set(&name, attribute.value());
        }
        let text: String = node
            .children()
            .filter(Node::is_text)
            .filter_map(|child| child.text())
            .collect();
        let mut children = Vec::new();
        for child in node.children().filter(Node::is_element) {
            children.push(Self::read(child, depth + 1, places)?);
        }
        if !text.trim().is_empty() {
            if !children.is_empty() {
                return Err(position.error("text and elements side by side cannot be merged"));
            }
            element.text = Some(text);
        }
        Ok(Self {
            element,
            children,
            merge,
            position,
        })
    }

    /// Refuses a change of what lvhost finds the domain by.
    fn check_identity(&self) -> Result<(), OverlayError> {
        match self.element.name.as_ref() {
            name @ ("name" | "uuid") => Err(self.position.error(format!(
                "the domain's {name} stays as it is: lvhost finds the domain by it"
            ))),
            "metadata" if self.merge != Merge::Over => Err(self
                .position
                .error("the metadata can only be merged: lvhost's own element in it has to stay")),
            _ => Ok(()),
        }
    }

    /// Rule 2: this element is laid over that one.
    fn lay_over(&self, below: &mut Element) -> Result<(), OverlayError> {
        for (name, value) in &self.element.attributes {
            below.set(name, value);
        }
        if self.element.text.is_some() {
            below.text.clone_from(&self.element.text);
        }
        // Where each child goes is found out first: none is laid over another.
        let places = self
            .children
            .iter()
            .map(|child| child.place(&below.children))
            .collect::<Result<Vec<_>, _>>()?;
        let mut added = Vec::new();
        let mut removed = Vec::new();
        for (child, place) in self.children.iter().zip(places) {
            match (place, child.merge) {
                (Some(at), Merge::Remove) => removed.push(at),
                (Some(at), Merge::Replace) => {
                    if let Some(old) = below.children.get_mut(at) {
                        *old = child.whole()?;
                    }
                }
                (Some(at), _) => {
                    if let Some(old) = below.children.get_mut(at) {
                        child.lay_over(old)?;
                        restore_alias(old);
                    }
                }
                (None, _) => added.push(child.whole()?),
            }
        }
        removed.sort_unstable();
        removed.dedup();
        for at in removed.into_iter().rev() {
            below.children.remove(at);
        }
        for element in added {
            let last = below
                .children
                .iter()
                .rposition(|known| known.name == element.name);
            let at = last.map_or(below.children.len(), |last| last + 1);
            below.children.insert(at, element);
        }
        Ok(())
    }

    /// Rule 1: the place of the element this one is laid over, or `None` if it is added.
    fn place(&self, below: &[Element]) -> Result<Option<usize>, OverlayError> {
        let name = &self.element.name;
        let always = self.merge == Merge::Over && ALWAYS_ADDED.contains(&name.as_ref());
        if self.merge == Merge::Add || always {
            return Ok(None);
        }
        let keys = key::stated(&self.element, &self.children);
        let candidates: Vec<usize> = below
            .iter()
            .enumerate()
            .filter(|(_, element)| {
                element.name == *name && keys.iter().all(|key| key.fits(element))
            })
            .map(|(at, _)| at)
            .collect();
        let shown = || {
            let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
            if keys.is_empty() {
                format!("<{name}>")
            } else {
                format!("<{name}> with {}", keys.join(" and "))
            }
        };
        match candidates.as_slice() {
            [at] => Ok(Some(*at)),
            [] if self.merge == Merge::Over => Ok(None),
            [] => Err(self.position.error(format!(
                "there is no {} that could be {}",
                shown(),
                if self.merge == Merge::Remove {
                    "removed"
                } else {
                    "replaced"
                },
            ))),
            several => {
                let ways = match key::parts(name) {
                    [] => "an <alias>".to_owned(),
                    parts => format!("an <alias> or {}", KeyPart::list(parts)),
                };
                Err(self.position.error(format!(
                    "there are {} {}; tell them apart by {ways}, or add another one by \
                     merge=\"add\"",
                    several.len(),
                    shown(),
                )))
            }
        }
    }

    /// The element with all that is in it, as it is added.
    fn whole(&self) -> Result<Element, OverlayError> {
        let mut element = self.element.clone();
        for child in &self.children {
            if child.merge == Merge::Remove {
                return Err(child.position.error(format!(
                    "there is no <{}> that could be removed: what it stands in is new",
                    child.element.name
                )));
            }
            element.children.push(child.whole()?);
        }
        restore_alias(&mut element);
        Ok(element)
    }
}

/// Gives a device's alias the prefix of those that are the user's: libvirt ignores all others.
fn restore_alias(device: &mut Element) {
    let aliases = device
        .children
        .iter_mut()
        .filter(|child| child.name == "alias");
    for (name, value) in aliases.flat_map(|alias| &mut alias.attributes) {
        if name == "name" && !value.starts_with(ALIAS_PREFIX) {
            value.insert_str(0, ALIAS_PREFIX);
        }
    }
}

/// A name with the prefix its namespace has at this place.
fn qualified(node: Node<'_, '_>, namespace: Option<&str>, name: &str) -> Name {
    let prefix = namespace.and_then(|uri| node.lookup_prefix(uri));
    match prefix {
        Some(prefix) => Name::from(format!("{prefix}:{name}")),
        None => Name::from(name.to_owned()),
    }
}

#[cfg(test)]
mod tests;
