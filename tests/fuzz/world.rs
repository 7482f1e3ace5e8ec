//! A world for templates that is the same at every run and has next to nothing in it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lvhost_hcl::{
    Body, DataOutcome, DataSources, Environment, InputFile, Inputs, RenderStyle, load, render,
};

/// Loads a template and renders all that is wrong with it.
pub fn load_template(text: &str) {
    let inputs = Inputs {
        templates: vec![InputFile {
            name: "fuzz.pkr.hcl".to_owned(),
            text: text.to_owned(),
        }],
        root: ".".to_owned(),
        packer_version: "1.11.0".to_owned(),
        ..Inputs::default()
    };
    let (document, files, diagnostics) = load(&inputs, Arc::new(World), &NoData);
    assert!(
        document.is_some() || diagnostics.has_errors(),
        "without a document something is wrong"
    );
    for diagnostic in &diagnostics {
        if let Some(span) = diagnostic.span {
            assert!(
                span.end <= files.text(span.file).len(),
                "a place in the file"
            );
        }
    }
    let _ = render(&files, &diagnostics, RenderStyle::default());
}

struct World;

impl Environment for World {
    fn read_file(&self, path: &Path) -> io::Result<Vec<u8>> {
        match path.to_str() {
            Some("a") => Ok(b"${b} and %{ if c }more%{ endif }\n".to_vec()),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn file_exists(&self, path: &Path) -> io::Result<bool> {
        Ok(path == Path::new("a"))
    }

    fn list_files(&self, _: &Path) -> io::Result<Vec<String>> {
        Ok(vec!["a".to_owned(), "b/c".to_owned()])
    }

    fn working_directory(&self) -> PathBuf {
        "/project".into()
    }

    fn home_directory(&self) -> Option<PathBuf> {
        Some("/home/user".into())
    }

    fn variable(&self, name: &str) -> Option<String> {
        (name == "HOME").then(|| "/home/user".to_owned())
    }

    fn variable_names(&self) -> Vec<String> {
        vec!["HOME".to_owned()]
    }

    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::UNIX_EPOCH
    }

    fn random_bytes(&self, bytes: &mut [u8]) -> io::Result<()> {
        bytes.fill(0x42);
        Ok(())
    }
}

struct NoData;

impl DataSources for NoData {
    fn evaluate(&self, _: &str, _: &str, _: &Body) -> DataOutcome {
        DataOutcome::Unknown
    }
}
