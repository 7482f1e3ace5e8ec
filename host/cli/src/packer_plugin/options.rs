//! From the options as Packer sends them to the body that the schema decodes.
//!
//! A template in HCL has been evaluated and converted by Packer; one in JSON comes as it was written, with
//! the loose typing that Packer's plugins allow. There are no places in a file any more, so that each option
//! is given its path for a place: `volume[1].source.urls`.

use lvhost_config::{Shape, ValueType};
use lvhost_hcl::{
    Attribute, Block, Body, Diagnostic, Diagnostics, FileId, SourceMap, Span, Value as HclValue,
};
use lvhost_packer::{Map, Number, UNKNOWN, Value};

use super::request::Request;

/// What the options are read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// A check, in which some of them may not be known yet.
    Check,
    /// A build: all of them are known.
    Build,
}

/// The paths of options, as places.
pub(super) struct Paths {
    file: FileId,
    text: String,
}

impl Paths {
    fn new() -> Self {
        Self {
            // The only file there is.
            file: SourceMap::default().add("", ""),
            text: String::new(),
        }
    }

    fn place(&mut self, path: &str) -> Span {
        let start = self.text.len();
        self.text.push_str(path);
        Span::new(self.file, start..self.text.len())
    }

    /// The path that a place stands for; empty for the source itself.
    pub(super) fn of(&self, place: Span) -> &str {
        self.text.get(place.start..place.end).unwrap_or_default()
    }
}

/// The body of a source of this `shape`, with the texts that Packer takes for lists as they are.
pub(super) fn body(
    request: &Request,
    reading: Reading,
    shape: &Shape,
    report: &mut Diagnostics,
) -> (Body, Paths) {
    let mut reader = Reader {
        // Only a template in HCL has placeholders.
        may_be_unknown: request.is_hcl && reading == Reading::Check,
        paths: Paths::new(),
        report,
    };
    let body = reader.block("", &request.options, shape);
    (body, reader.paths)
}

/// Makes lists of the texts in `body` that stand for some: Packer takes one text, with commas, for several.
pub(super) fn split_texts(body: &mut Body, shape: &Shape) {
    for (name, attribute) in &mut body.attributes {
        let known = shape.attributes.get(name);
        let is_list = known.is_some_and(|known| known.value_type == ValueType::TextList);
        if let Some(text) = attribute.value.as_str()
            && is_list
            && !text.is_empty()
        {
            attribute.value = HclValue::list(text.split(',').map(HclValue::string));
        }
    }
    for block in &mut body.blocks {
        if let Some(inner) = shape.blocks.get(&block.name) {
            split_texts(&mut block.body, &inner.shape);
        }
    }
}

struct Reader<'a> {
    may_be_unknown: bool,
    paths: Paths,
    report: &'a mut Diagnostics,
}

impl Reader<'_> {
    fn block(&mut self, path: &str, options: &Map, shape: &Shape) -> Body {
        let mut body = Body::empty(self.paths.place(path));
        for (written, value) in options {
            let name = known_name(written, shape);
            let inner_path = match path {
                "" => name.to_owned(),
                path => format!("{path}.{name}"),
            };
            if let (Some(inner), Some(blocks)) = (shape.blocks.get(name), blocks(value)) {
                for (index, options) in blocks.iter().enumerate() {
                    let path = match inner.repeated {
                        true => format!("{inner_path}[{index}]"),
                        false => inner_path.clone(),
                    };
                    let body_of_block = self.block(&path, options, &inner.shape);
                    let span = body_of_block.span;
                    body.blocks.push(Block {
                        name: name.to_owned(),
                        name_span: span,
                        labels: Vec::new(),
                        body: body_of_block,
                        span,
                    });
                }
                continue;
            }
            let value_type = shape.attributes.get(name).map(|known| known.value_type);
            let place = self.paths.place(&inner_path);
            let value = self.value(value, value_type, place);
            let attribute = Attribute::new(place, value, place);
            body.attributes.insert(name.to_owned(), attribute);
        }
        body
    }

    fn value(&mut self, value: &Value, value_type: Option<ValueType>, place: Span) -> HclValue {
        match value {
            Value::Null => HclValue::NULL,
            Value::Bool(value) => (*value).into(),
            // What an option is in Go when it is left out, and when it is not known yet.
            Value::Number(number) if is_zero(*number) && value_type == Some(ValueType::Number) => {
                HclValue::NULL
            }
            Value::Number(number) => self.number(*number, place),
            Value::String(text) => self.text(text),
            Value::Bytes(bytes) => self.text(&String::from_utf8_lossy(bytes)),
            Value::List(elements) if elements.is_empty() && self.may_be_unknown => {
                HclValue::UNKNOWN
            }
            Value::List(elements) => {
                let elements: Vec<_> = elements
                    .iter()
                    .map(|element| self.value(element, None, place))
                    .collect();
                HclValue::list(elements)
            }
            Value::Map(entries) => {
                let entries: Vec<_> = entries
                    .iter()
                    .map(|(key, entry)| (key.clone(), self.value(entry, None, place)))
                    .collect();
                HclValue::object(entries)
            }
        }
    }

    fn number(&mut self, number: Number, place: Span) -> HclValue {
        let text = match number {
            Number::Signed(number) => return number.into(),
            Number::Unsigned(number) => number.to_string(),
            // In decimal, without an exponent.
            Number::Float(number) => number.to_string(),
        };
        match text.parse::<lvhost_hcl::Number>() {
            Ok(number) => number.into(),
            Err(_) => {
                let error = Diagnostic::error(place, format!("{text} is no number"));
                self.report.push(error);
                HclValue::UNKNOWN
            }
        }
    }

    fn text(&self, text: &str) -> HclValue {
        match text == UNKNOWN && self.may_be_unknown {
            true => HclValue::UNKNOWN,
            false => HclValue::string(text),
        }
    }
}

/// The name that the shape has for what was written: Packer does not tell upper case from lower.
fn known_name<'a>(written: &'a str, shape: &'a Shape) -> &'a str {
    let names = shape.attributes.keys().chain(shape.blocks.keys());
    let mut names = names.map(String::as_str);
    names
        .find(|name| name.eq_ignore_ascii_case(written))
        .unwrap_or(written)
}

/// The blocks that a value stands for: a single one may stand without its list.
fn blocks(value: &Value) -> Option<Vec<&Map>> {
    match value {
        Value::Null => Some(Vec::new()),
        Value::Map(options) => Some(vec![options]),
        Value::List(blocks) => blocks.iter().map(Value::as_map).collect(),
        _ => None,
    }
}

fn is_zero(number: Number) -> bool {
    match number {
        Number::Signed(number) => number == 0,
        Number::Unsigned(number) => number == 0,
        Number::Float(number) => number == 0.0,
    }
}
