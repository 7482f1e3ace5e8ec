//! An outside world that is the same at every run.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lvhost_hcl::{
    Body, DataOutcome, DataSources, Diagnostics, Document, Environment, InputFile, Inputs,
    RenderStyle, SourceMap, Value, load, render,
};

/// Template files of the tables.
const TEMPLATES: [(&str, &[u8]); 4] = [
    (
        "/project/texts/escapes.tmpl",
        include_bytes!("../cases/texts/escapes.tmpl"),
    ),
    (
        "/project/texts/strips.tmpl",
        include_bytes!("../cases/texts/strips.tmpl"),
    ),
    (
        "/project/texts/value.tmpl",
        include_bytes!("../cases/texts/value.tmpl"),
    ),
    (
        "/project/texts/yaml.tmpl",
        include_bytes!("../cases/texts/yaml.tmpl"),
    ),
];

/// Files and environment variables of a run.
#[derive(Default, Clone)]
pub(crate) struct World {
    pub(crate) files: BTreeMap<PathBuf, Vec<u8>>,
    pub(crate) variables: BTreeMap<String, String>,
}

impl World {
    /// The world the tables are about.
    pub(crate) fn new() -> Self {
        let files = [
            ("/project/hello.txt", &b"hello\n"[..]),
            ("/project/binary", b"\xff\xfe"),
            (
                "/project/templates/motd.tmpl",
                b"Welcome to ${name}%{ if loud }!%{ endif }\n",
            ),
            (
                "/project/templates/list.tmpl",
                b"%{ for n in names ~}\n- ${n}\n%{ endfor ~}\n",
            ),
            ("/project/templates/wrong.tmpl", b"one\n${ nmae }\n"),
            (
                "/project/templates/nested.tmpl",
                b"${templatefile(\"motd.tmpl\", {})}",
            ),
            ("/project/templates/unclosed.tmpl", b"${ name "),
            (
                "/project/Unattend.xml.tmpl",
                b"<ComputerName>${ComputerName}</ComputerName>",
            ),
            ("/home/user/.ssh/id.pub", b"ssh-ed25519 AAAA"),
        ];
        let variables = [("HOME", "/home/user"), ("GREETING", "hi")];
        Self {
            files: files
                .iter()
                .chain(&TEMPLATES)
                .map(|(path, text)| (path.into(), text.to_vec()))
                .collect(),
            variables: variables
                .iter()
                .map(|(k, v)| ((*k).into(), (*v).into()))
                .collect(),
        }
    }

    fn absolute(&self, path: &Path) -> PathBuf {
        let mut absolute = PathBuf::new();
        for part in self.working_directory().join(path).components() {
            match part {
                std::path::Component::CurDir => {}
                std::path::Component::ParentDir => {
                    absolute.pop();
                }
                part => absolute.push(part),
            }
        }
        absolute
    }
}

impl Environment for World {
    fn read_file(&self, path: &Path) -> io::Result<Vec<u8>> {
        let found = self.files.get(&self.absolute(path));
        found.cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn file_exists(&self, path: &Path) -> io::Result<bool> {
        Ok(self.files.contains_key(&self.absolute(path)))
    }

    fn list_files(&self, folder: &Path) -> io::Result<Vec<String>> {
        let folder = self.absolute(folder);
        let below = self
            .files
            .keys()
            .filter_map(|path| path.strip_prefix(&folder).ok());
        Ok(below
            .map(|path| path.to_string_lossy().into_owned())
            .collect())
    }

    fn working_directory(&self) -> PathBuf {
        "/project".into()
    }

    fn home_directory(&self) -> Option<PathBuf> {
        Some("/home/user".into())
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned()
    }

    fn variable_names(&self) -> Vec<String> {
        self.variables.keys().cloned().collect()
    }

    fn now(&self) -> jiff::Timestamp {
        "2026-02-03T04:05:06Z".parse().expect("a timestamp")
    }

    fn random_bytes(&self, bytes: &mut [u8]) -> io::Result<()> {
        bytes.fill(0x42);
        Ok(())
    }
}

/// Data sources: `sshkey` as it is, `echo` gives its options back, `later` isn't known yet.
pub(crate) struct Data;

impl DataSources for Data {
    fn evaluate(&self, type_name: &str, name: &str, body: &Body) -> DataOutcome {
        match type_name {
            "sshkey" => DataOutcome::Value(Value::object([
                ("public_key", Value::from("ssh-ed25519 AAAA")),
                ("private_key_path", Value::from(format!("/tmp/{name}"))),
            ])),
            "echo" => DataOutcome::Value(Value::object(
                body.attributes
                    .iter()
                    .map(|(name, attribute)| (name, attribute.value.clone())),
            )),
            "later" => DataOutcome::Unknown,
            "broken" => DataOutcome::Failed("it broke".to_owned()),
            _ => DataOutcome::NotSupported("there is only `sshkey` here".to_owned()),
        }
    }
}

/// What came of loading.
pub(crate) struct Loaded {
    pub(crate) document: Option<Document>,
    pub(crate) files: SourceMap,
    pub(crate) diagnostics: Diagnostics,
}

impl Loaded {
    /// The document; shows what is wrong if anything is.
    pub(crate) fn document(self) -> Document {
        let messages = self.messages();
        assert!(!self.diagnostics.has_errors(), "{messages}");
        self.document.unwrap_or_else(|| panic!("{messages}"))
    }

    pub(crate) fn messages(&self) -> String {
        render(&self.files, &self.diagnostics, RenderStyle::default())
    }
}

pub(crate) fn inputs(template: &str) -> Inputs {
    Inputs {
        templates: vec![file("test.pkr.hcl", template)],
        root: ".".to_owned(),
        packer_version: "1.11.0".to_owned(),
        ..Inputs::default()
    }
}

pub(crate) fn file(name: &str, text: &str) -> InputFile {
    InputFile {
        name: name.to_owned(),
        text: text.to_owned(),
    }
}

pub(crate) fn load_inputs(inputs: &Inputs, world: World) -> Loaded {
    let (document, files, diagnostics) = load(inputs, Arc::new(world), &Data);
    Loaded {
        document,
        files,
        diagnostics,
    }
}

pub(crate) fn load_template(template: &str) -> Loaded {
    load_inputs(&inputs(template), World::new())
}
