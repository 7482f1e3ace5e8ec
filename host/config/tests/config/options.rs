//! Each documented option: what it decodes to, and what it is when left out.

use std::collections::BTreeSet;

use lvhost_config::{Declared, LibvirtSource, Provisioner};

use super::world::decode;

/// An option of a block `T`.
struct Row<T> {
    name: &'static str,
    /// A value as a user writes it.
    written: &'static str,
    /// The decoded value as `Debug` shows it.
    show: fn(&T) -> String,
    /// What it must be.
    expected: &'static str,
    /// What it must be when left out; nothing for what can't be left out.
    absent: Option<&'static str>,
}

/// `name: written => decoded, when left out;`
macro_rules! rows {
    ($($name:ident: $written:literal => $expected:literal $(, $absent:literal)?;)*) => {
        &[$(Row {
            name: stringify!($name),
            written: $written,
            show: |block| format!("{:?}", block.$name),
            expected: $expected,
            absent: rows!(@absent $($absent)?),
        }),*]
    };
    (@absent) => { None };
    (@absent $absent:literal) => { Some($absent) };
}

#[path = "options/blocks.rs"]
mod blocks;
#[path = "options/communicator.rs"]
mod communicator;
#[path = "options/provisioners.rs"]
mod provisioners;
#[path = "options/volume_sources.rs"]
mod volume_sources;

/// Checks rows and that there is one for every option. `required` are options that the block can't
/// be without.
fn check<T: Declared>(rows: &[Row<T>], required: &[(&str, &str)], decode: impl Fn(&str) -> T) {
    let mut seen = BTreeSet::new();
    for row in rows {
        let name = row.name.trim_start_matches("r#");
        let others: String = required
            .iter()
            .filter(|(required, _)| *required != name)
            .map(|(name, value)| format!("{name} = {value}\n"))
            .collect();
        let line = format!("{name} = {}", row.written);
        let block = decode(&format!("{others}{line}\n"));
        assert_eq!(
            (row.show)(&block),
            row.expected,
            "{}: {line}",
            T::SCHEMA.name
        );
        if let Some(absent) = row.absent {
            for line in [
                "".to_string(),
                format!("{name} = null"),
                format!("{name} = \"\""),
            ] {
                let block = decode(&format!("{others}{line}\n"));
                assert_eq!((row.show)(&block), absent, "{}: {line}", T::SCHEMA.name);
            }
        }
        seen.insert(name);
    }
    let declared: BTreeSet<_> = T::SCHEMA.options.iter().map(|option| option.name).collect();
    assert_eq!(
        seen,
        declared,
        "{}: every option has its row",
        T::SCHEMA.name
    );
}

/// A `source "libvirt"` with these lines in it. Warnings are fine here, errors are not, but for what is
/// marked as not supported: it is decoded all the same.
fn source(lines: &str) -> LibvirtSource {
    let text = format!("source \"libvirt\" \"x\" {{\n{lines}\n}}\n");
    let mut decoded = decode("options.pkr.hcl", &text);
    let mut errors = decoded.messages.lines().filter(|line| {
        line.starts_with("error:") && !line.ends_with("is not supported by this version of lvhost")
    });
    assert_eq!(errors.next(), None, "{}{text}", decoded.messages);
    decoded.sources.remove(0)
}

const URI: &str = "libvirt_uri = \"qemu:///system\"\n";
const NO_COMMUNICATOR: &str = "communicator = \"none\"\n";
const ARTIFACT: &str = "volume {\nalias = \"artifact\"\ncapacity = \"1G\"\n}\n";

/// The same with all that a source needs beside `lines`.
fn source_with(lines: &str) -> LibvirtSource {
    source(&format!("{URI}{NO_COMMUNICATOR}{ARTIFACT}{lines}"))
}

fn provisioner(type_name: &str, lines: &str) -> Provisioner {
    let text = format!(
        "source \"null\" \"x\" {{}}\nbuild {{\nsources = [\"null.x\"]\n\
         provisioner \"{type_name}\" {{\n{lines}}}\n}}\n"
    );
    let mut decoded = decode("options.pkr.hcl", &text);
    decoded.provisioners.remove(0)
}
