//! The functions of the language: a table of names, parameters and implementations.
//!
//! A function is given values that already fit its parameters. What is sensitive makes the
//! result sensitive, what is unknown makes it unknown, before the function is even called.

#[cfg(test)]
mod charges;
mod collections;
mod dates;
mod encoding;
mod files;
mod format;
mod hashes;
mod json;
mod matching;
mod networks;
mod numbers;
mod pattern;
mod sets;
mod strings;
mod yaml;

use std::collections::BTreeMap;
use std::sync::LazyLock;

pub use self::dates::{TIMES_FORMAT, legacy_isotime, legacy_strftime};
pub(crate) use self::files::read_text;
pub(crate) use self::json::decode as decode_json;
pub use self::strings::{lower, upper};
use crate::budget::{Budget, ENTRY, Spent, VALUE};
use crate::evaluate::{Context, article};
use crate::number::Number;
use crate::types::unify;
use crate::value::{Value, ValueKind};

/// A function of the language.
pub(crate) struct Function {
    pub(crate) name: &'static str,
    pub(crate) parameters: &'static [Parameter],
    /// How many of the parameters must be given.
    pub(crate) required: usize,
    /// Whether the last parameter may be given any number of times.
    pub(crate) variadic: bool,
    /// Whether it only looks at and moves the elements of its arguments: then elements may be
    /// unknown and keep their own marks.
    pub(crate) structural: bool,
    pub(crate) cost: Cost,
    pub(crate) run: fn(&Arguments<'_>) -> Outcome,
}

/// What a function costs, before it is known how it goes. One that makes more than this pays for it
/// itself.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cost {
    /// It looks something up, however large its arguments are.
    LooksUp,
    /// It walks through its arguments and makes next to nothing.
    Reads,
    /// It makes about as much as it reads.
    Copies,
    /// It makes several times as much as it reads, as an encoding does.
    Multiplies,
    /// It brings its arguments into an order.
    Sorts,
}

/// How often a text may get longer by an encoding: each byte into `%00`, or into a UTF-16 unit in Base64.
const MULTIPLE: u64 = 3;

/// How much dearer it is to find what a reader takes for one character than to walk through bytes.
const GRAPHEME: usize = 16;

/// How often each element is looked at, at most, to bring a list into an order: the logarithm of the
/// longest list.
const COMPARISONS: u64 = 20;

impl Function {
    /// Pays for a call with `values`.
    pub(crate) fn charge(&self, values: &[Value], budget: &Budget) -> Result<(), Spent> {
        let size = values.iter().map(|value| self.size(value)).sum::<u64>();
        let work = size / 16 + 1;
        match self.cost {
            Cost::LooksUp => budget.charge(1, 0),
            Cost::Reads => budget.charge(work, 0),
            Cost::Copies => budget.charge(work, size),
            Cost::Multiplies => budget.charge(work * MULTIPLE, size.saturating_mul(MULTIPLE)),
            Cost::Sorts => budget.charge(work * COMPARISONS, size),
        }
    }

    /// Bytes of an argument that this looks at.
    fn size(&self, value: &Value) -> u64 {
        match value.kind() {
            _ if !self.structural => value.weight(),
            ValueKind::String(text) => text.len() as u64 + VALUE,
            ValueKind::List(elements) => elements.len() as u64 * VALUE + VALUE,
            ValueKind::Object(entries) => {
                let keys = entries.keys().map(|key| key.len() as u64 + VALUE + ENTRY);
                keys.sum::<u64>() + VALUE
            }
            _ => VALUE,
        }
    }
}

impl From<Spent> for FunctionError {
    /// Nobody sees it: what a template gets to see is where its budget ran out.
    fn from(_: Spent) -> Self {
        Self::from("it takes too much")
    }
}

/// What a function comes to.
pub(crate) type Outcome = Result<Value, FunctionError>;

/// Why a function failed.
pub(crate) struct FunctionError {
    /// The argument that is to blame.
    pub(crate) argument: Option<usize>,
    pub(crate) message: String,
}

impl FunctionError {
    fn at(argument: usize, message: impl Into<String>) -> Self {
        Self {
            argument: Some(argument),
            message: message.into(),
        }
    }
}

impl From<String> for FunctionError {
    fn from(message: String) -> Self {
        Self {
            argument: None,
            message,
        }
    }
}

impl From<&str> for FunctionError {
    fn from(message: &str) -> Self {
        Self::from(message.to_owned())
    }
}

/// A parameter of a function.
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
}

/// What may be given for a parameter.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Anything, `null` too.
    Any,
    /// Anything but `null`.
    Value,
    String,
    Number,
    /// A list, tuple or set.
    List,
    /// A list whose elements are strings.
    Strings,
    /// A list whose elements are numbers.
    Numbers,
    /// A map or object.
    Object,
}

impl Kind {
    /// `value` as the parameter wants it, or what is wrong with it.
    pub(crate) fn convert(self, value: &Value) -> Result<Value, String> {
        let wanted = match self {
            Self::Any => return Ok(value.clone()),
            Self::Value => "any value",
            Self::String => "a string",
            Self::Number => "a number",
            Self::List => "a list",
            Self::Strings => "a list of strings",
            Self::Numbers => "a list of numbers",
            Self::Object => "an object",
        };
        let needed = || match value.as_str() {
            // A string that isn't the number it should be.
            Some(_) => format!("{wanted} is needed, this string is not one"),
            None => format!("{wanted} is needed, this is {}", article(value.type_name())),
        };
        if value.is_null() {
            return Err(needed());
        }
        let converted = match self {
            Self::Any | Self::Value => Some(value.clone()),
            Self::String if value.as_str().is_some() => Some(value.clone().unmarked()),
            Self::String => value.to_text().map(Value::from),
            Self::Number => value.to_number().map(Value::from),
            Self::List => value.as_list().map(|_| value.clone()),
            Self::Object => value.as_object().map(|_| value.clone()),
            Self::Strings | Self::Numbers => {
                let kind = if self == Self::Strings {
                    Self::String
                } else {
                    Self::Number
                };
                let elements = value.as_list().ok_or_else(needed)?;
                let converted = elements
                    .iter()
                    .enumerate()
                    .map(|(at, element)| {
                        kind.convert(element)
                            .map_err(|problem| format!("element {at}: {problem}"))
                    })
                    .collect::<Result<Vec<_>, _>>()?;
                Some(Value::list(converted))
            }
        };
        converted.ok_or_else(needed)
    }
}

impl Function {
    const fn new(
        name: &'static str,
        parameters: &'static [Parameter],
        run: fn(&Arguments<'_>) -> Outcome,
    ) -> Self {
        let required = parameters.len();
        Self {
            name,
            parameters,
            required,
            variadic: false,
            structural: false,
            cost: Cost::Copies,
            run,
        }
    }

    /// The last `count` parameters may be left out.
    const fn optional(self, count: usize) -> Self {
        Self {
            required: self.required - count,
            ..self
        }
    }

    /// The last parameter may be given any number of times, but at least `least` times.
    const fn variadic(self, least: usize) -> Self {
        Self {
            required: self.required - 1 + least,
            variadic: true,
            ..self
        }
    }

    const fn costs(self, cost: Cost) -> Self {
        Self { cost, ..self }
    }

    const fn structural(self) -> Self {
        Self {
            structural: true,
            ..self
        }
    }

    /// The parameter an argument is for.
    pub(crate) fn parameter(&self, position: usize) -> &'static Parameter {
        const NOTHING: Parameter = Parameter {
            name: "argument",
            kind: Kind::Any,
        };
        self.parameters
            .get(position)
            .or(self.parameters.last())
            .unwrap_or(&NOTHING)
    }

    /// The call as the documentation would write it.
    pub(crate) fn signature(&self) -> String {
        let mut signature = format!("{}(", self.name);
        for (position, parameter) in self.parameters.iter().enumerate() {
            if position > 0 {
                signature.push_str(", ");
            }
            signature.push_str(parameter.name);
            let last = position + 1 == self.parameters.len();
            if self.variadic && last {
                signature.push_str(", …");
            } else if position >= self.required {
                signature.push('?');
            }
        }
        signature.push(')');
        signature
    }
}

/// The arguments of a call, fitted to the parameters.
pub(crate) struct Arguments<'a> {
    pub(crate) values: &'a [Value],
    pub(crate) context: &'a Context,
}

// The accessors answer with something empty for an argument that isn't there or isn't of the
// kind; neither happens where the table says the parameter has that kind.
impl Arguments<'_> {
    fn budget(&self) -> &Budget {
        &self.context.budget
    }

    fn value(&self, position: usize) -> &Value {
        self.values.get(position).unwrap_or(&Value::NULL)
    }

    fn optional(&self, position: usize) -> Option<&Value> {
        self.values.get(position)
    }

    fn string(&self, position: usize) -> &str {
        self.value(position).as_str().unwrap_or_default()
    }

    fn number(&self, position: usize) -> Number {
        self.value(position)
            .as_number()
            .cloned()
            .unwrap_or_else(|| Number::from(0))
    }

    /// A whole number.
    fn integer(&self, position: usize) -> Result<i64, FunctionError> {
        self.number(position)
            .to_i64()
            .ok_or_else(|| FunctionError::at(position, "a whole number of moderate size is needed"))
    }

    fn list(&self, position: usize) -> &[Value] {
        self.value(position).as_list().unwrap_or_default()
    }

    fn strings(&self, position: usize) -> Vec<&str> {
        self.list(position)
            .iter()
            .filter_map(Value::as_str)
            .collect()
    }

    fn object(&self, position: usize) -> &BTreeMap<String, Value> {
        static EMPTY: BTreeMap<String, Value> = BTreeMap::new();
        self.value(position).as_object().unwrap_or(&EMPTY)
    }
}

const fn parameter(name: &'static str, kind: Kind) -> Parameter {
    Parameter { name, kind }
}

static FUNCTIONS: LazyLock<BTreeMap<&'static str, &'static Function>> = LazyLock::new(|| {
    [
        collections::FUNCTIONS,
        dates::FUNCTIONS,
        encoding::FUNCTIONS,
        files::FUNCTIONS,
        format::FUNCTIONS,
        hashes::FUNCTIONS,
        json::FUNCTIONS,
        matching::FUNCTIONS,
        networks::FUNCTIONS,
        numbers::FUNCTIONS,
        sets::FUNCTIONS,
        strings::FUNCTIONS,
        yaml::FUNCTIONS,
    ]
    .into_iter()
    .flatten()
    .map(|function| (function.name, function))
    .collect()
});

/// Those the evaluator has for itself, as they need their arguments unevaluated.
const SPECIAL: [&str; 4] = ["can", "convert", "templatefile", "try"];

/// The function called `name`.
pub(crate) fn find(name: &str) -> Option<&'static Function> {
    FUNCTIONS.get(name).copied()
}

/// The names of all functions.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    FUNCTIONS.keys().copied().chain(SPECIAL)
}

/// Why a function that Packer has isn't here.
pub(crate) fn not_supported(name: &str) -> Option<&'static str> {
    match name {
        "aws_secretsmanager" | "aws_secretsmanager_raw" => {
            Some("it reads from AWS Secrets Manager; pass the secret as a variable")
        }
        "vault" => Some("it reads from HashiCorp Vault; pass the secret as a variable"),
        "consul_key" => Some("it reads from Consul; pass the value as a variable"),
        "rsadecrypt" => Some("decryption in an expression is not there yet"),
        _ => None,
    }
}

/// What this language has for a function of a related one.
pub(crate) fn replacement(name: &str) -> Option<&'static str> {
    match name {
        "tostring" => Some("convert(value, string)"),
        "tonumber" => Some("convert(value, number)"),
        "tobool" => Some("convert(value, bool)"),
        "tolist" => Some("convert(value, list(any))"),
        "toset" => Some("convert(value, set(any))"),
        "tomap" => Some("convert(value, map(any))"),
        "uuid" => Some("uuidv4()"),
        "filesha256" => Some("sha256(file(path))"),
        "isotime" => Some("timestamp() or legacy_isotime()"),
        "nonsensitive" | "sensitive" => Some("`sensitive = true` in the variable or local"),
        _ => None,
    }
}

/// The values in the one type that all of them can have.
fn unified(
    argument: usize,
    values: &[&Value],
    budget: &Budget,
) -> Result<Vec<Value>, FunctionError> {
    let change = unify(values, budget)?
        .ok_or_else(|| FunctionError::at(argument, "the values have no type in common"))?;
    let changed = values.iter().map(|value| change.apply(value, budget));
    Ok(changed.collect::<Result<_, _>>()?)
}

/// The elements of a list in the one type that all of them can have.
fn unified_list(arguments: &Arguments<'_>, position: usize) -> Result<Vec<Value>, FunctionError> {
    let elements: Vec<&Value> = arguments.list(position).iter().collect();
    unified(position, &elements, arguments.budget())
}

/// A list of strings.
fn strings<S: AsRef<str>>(elements: impl IntoIterator<Item = S>) -> Value {
    Value::list(elements.into_iter().map(Value::string))
}
