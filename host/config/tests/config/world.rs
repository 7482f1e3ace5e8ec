//! What a template is decoded in: a machine with nothing on it, and the built-in volume sources.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lvhost_config::{
    LibvirtSource, Provisioner, SourceOption, SourceOptionType, SourceSchema, SourceSchemas,
    decode_source,
};
use lvhost_hcl::{
    Body, DataOutcome, DataSources, Environment, InputFile, Inputs, RenderStyle, SourceMap, Value,
    load, render,
};
use lvhost_plugin_sdk::{Description, OptionType, VolumeSource as _};

pub(crate) struct Nowhere;

/// The one file there is: an example of the documentation reads it.
const UNATTEND: (&str, &str) = (
    "Unattend.xml.tmpl",
    include_str!("../../../../tests/templates/documentation/Unattend.xml.tmpl"),
);

impl Environment for Nowhere {
    fn read_file(&self, path: &Path) -> io::Result<Vec<u8>> {
        match path.ends_with(UNATTEND.0) {
            true => Ok(UNATTEND.1.into()),
            false => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn file_exists(&self, _: &Path) -> io::Result<bool> {
        Ok(false)
    }

    fn list_files(&self, _: &Path) -> io::Result<Vec<String>> {
        Ok(Vec::new())
    }

    fn working_directory(&self) -> PathBuf {
        "/templates".into()
    }

    fn home_directory(&self) -> Option<PathBuf> {
        None
    }

    fn variable(&self, _: &str) -> Option<String> {
        None
    }

    fn variable_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::UNIX_EPOCH
    }

    fn random_bytes(&self, bytes: &mut [u8]) -> io::Result<()> {
        bytes.fill(0x42);
        Ok(())
    }
}

/// As in `lvhost validate`: no data source is run.
struct NotRun;

impl DataSources for NotRun {
    fn evaluate(&self, _: &str, _: &str, _: &Body) -> DataOutcome {
        DataOutcome::Unknown
    }
}

/// A template with everything in it decoded.
pub(crate) struct Decoded {
    pub(crate) sources: Vec<LibvirtSource>,
    pub(crate) provisioners: Vec<Provisioner>,
    pub(crate) files: SourceMap,
    /// What is shown to the user; empty if nothing is wrong.
    pub(crate) messages: String,
}

pub(crate) fn decode(name: &str, text: &str) -> Decoded {
    let inputs = Inputs {
        templates: vec![InputFile {
            name: name.to_string(),
            text: text.to_string(),
        }],
        root: ".".to_string(),
        packer_version: "1.14.0".to_string(),
        ..Inputs::default()
    };
    let (document, files, mut report) = load(&inputs, Arc::new(Nowhere), &NotRun);
    let mut sources = Vec::new();
    let mut provisioners = Vec::new();
    let schemas = built_in_sources();
    if let Some(document) = document {
        let libvirt = |source: &&lvhost_hcl::Source| source.type_name == "libvirt";
        for source in document.sources.iter().filter(libvirt) {
            sources.push(decode_source(&source.body, &schemas, &mut report));
        }
        let written = document.builds.iter().flat_map(|build| &build.provisioners);
        for provisioner in written {
            match provisioner.evaluate(&Value::UNKNOWN, &Value::UNKNOWN) {
                Ok(body) => provisioners.extend(Provisioner::decode(
                    &provisioner.type_name,
                    &body,
                    &mut report,
                )),
                Err(errors) => report.extend(errors),
            }
        }
    }
    Decoded {
        sources,
        provisioners,
        messages: render(&files, &report, RenderStyle::default()),
        files,
    }
}

/// What the built-in components say of themselves.
pub(crate) fn built_in_sources() -> SourceSchemas {
    let descriptions = [
        lvhost_source_external::External::describe(),
        lvhost_source_cloning::Cloning::describe(),
        lvhost_source_backing_store::BackingStore::describe(),
        lvhost_source_cloud_init::CloudInit::describe(),
        lvhost_source_files::Files::describe(),
    ];
    SourceSchemas::new(descriptions.into_iter().map(schema).collect())
}

fn schema(description: Description) -> SourceSchema {
    let options = description.options.into_iter().map(|option| SourceOption {
        name: option.name,
        option_type: match option.option_type {
            OptionType::Text => SourceOptionType::Text,
            OptionType::Integer => SourceOptionType::Integer,
            OptionType::Boolean => SourceOptionType::Boolean,
            OptionType::TextList => SourceOptionType::TextList,
            OptionType::TextMap => SourceOptionType::TextMap,
        },
        required: option.required,
        default: option.default,
        sensitive: option.sensitive,
        documentation: option.documentation,
    });
    SourceSchema {
        type_name: description.type_name,
        aliases: description.aliases,
        summary: description.summary,
        options: options.collect(),
    }
}
