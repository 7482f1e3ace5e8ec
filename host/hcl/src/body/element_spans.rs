//! Where the elements of a literal list or object stand.

use std::sync::Arc;

use hcl::edit::Span as _;
use hcl::edit::expr::{Expression, ObjectKey};

use crate::source_map::{FileId, Span};

/// A tree beside a value: the spans of the elements that the expression writes out.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct ElementSpans {
    elements: Arc<[Element]>,
}

#[derive(Debug, Clone, PartialEq)]
struct Element {
    step: Step,
    span: Span,
    inner: ElementSpans,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Index(usize),
    Key(String),
}

impl ElementSpans {
    pub(crate) fn of(expression: &Expression, file: FileId) -> Self {
        let element = |step, value: &Expression| {
            let span = Span::new(file, value.span()?);
            Some(Element {
                step,
                span,
                inner: Self::of(value, file),
            })
        };
        let elements: Vec<Element> = match expression {
            Expression::Parenthesis(inner) => return Self::of(inner.inner(), file),
            Expression::Array(array) => array
                .iter()
                .enumerate()
                .filter_map(|(index, value)| element(Step::Index(index), value))
                .collect(),
            Expression::Object(object) => object
                .iter()
                .filter_map(|(key, value)| {
                    let key = match key {
                        ObjectKey::Ident(ident) => ident.as_str().to_owned(),
                        ObjectKey::Expression(Expression::String(text)) => text.value().clone(),
                        ObjectKey::Expression(_) => return None,
                    };
                    element(Step::Key(key), value.expr())
                })
                .collect(),
            _ => Vec::new(),
        };
        Self {
            elements: elements.into(),
        }
    }

    pub(crate) fn find(&self, path: &str) -> Option<Span> {
        let mut here = self;
        let mut found = None;
        for step in steps(path) {
            match here.elements.iter().find(|element| element.step == step) {
                Some(element) => {
                    found = Some(element.span);
                    here = &element.inner;
                }
                None => break,
            }
        }
        found
    }
}

/// The steps of a path like `contents.key[2]`; what follows a malformed step is left out.
fn steps(path: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix('[') {
            let Some((index, after)) = inner.split_once(']') else {
                break;
            };
            let key = index
                .strip_prefix('"')
                .and_then(|key| key.strip_suffix('"'));
            match (index.parse(), key) {
                (Ok(index), _) => steps.push(Step::Index(index)),
                (_, Some(key)) => steps.push(Step::Key(key.to_owned())),
                _ => break,
            }
            rest = after;
        } else {
            let name = rest.strip_prefix('.').unwrap_or(rest);
            let end = name.find(['.', '[']).unwrap_or(name.len());
            if end == 0 {
                break;
            }
            steps.push(Step::Key(name[..end].to_owned()));
            rest = &name[end..];
        }
    }
    steps
}
