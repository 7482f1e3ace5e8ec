//! The names an expression can use.

use std::collections::BTreeMap;

use crate::value::Value;

/// Names with their values, and those of the scopes around.
#[derive(Debug, Default, Clone)]
pub(crate) struct Scope<'a> {
    parent: Option<&'a Scope<'a>>,
    names: BTreeMap<String, Value>,
}

impl<'a> Scope<'a> {
    /// A scope inside this one, for the variables of a loop.
    pub(crate) fn child(&'a self) -> Scope<'a> {
        Scope {
            parent: Some(self),
            names: BTreeMap::new(),
        }
    }

    pub(crate) fn set(&mut self, name: impl Into<String>, value: Value) {
        self.names.insert(name.into(), value);
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        match self.names.get(name) {
            Some(value) => Some(value),
            None => self.parent?.get(name),
        }
    }

    /// Every name that can be used here.
    pub(crate) fn names(&self) -> Vec<&str> {
        let mut names = self.parent.map(Scope::names).unwrap_or_default();
        names.extend(self.names.keys().map(String::as_str));
        names
    }
}

impl Scope<'_> {
    /// The same names in a scope of its own.
    pub(crate) fn flattened(&self) -> Scope<'static> {
        let mut names = self
            .parent
            .map(|parent| parent.flattened().names)
            .unwrap_or_default();
        names.extend(
            self.names
                .iter()
                .map(|(name, value)| (name.clone(), value.clone())),
        );
        Scope {
            parent: None,
            names,
        }
    }
}
