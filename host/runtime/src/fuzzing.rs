//! What strangers' components say, for a fuzz target: the words of a child process, which are the
//! component's as soon as the component is cleverer than what holds it.

use std::fs::File;
use std::io::{Read, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::budget::{Budget, Stage};
use crate::child::fuzzing::{Direction, Failure, FromChild, Lengths, take};
use crate::limits::{self, Limits};
use crate::log::SharedLog;
use crate::request::{Answered, Said};
use crate::services::{Digesting, Packed, ServiceError, Services, Sink, Work};
use crate::session::Session;
use crate::types::{
    Blob, Codec, FileEntry, FileKind, Image, Level, Method, Recipe, VolumeFacts, VolumeId,
    WebAnswer, WebRequest,
};
use crate::untrusted;

/// Messages of one input: each may need a thread and a file.
const MESSAGES: usize = 64;

/// Messages of a child, one behind the other. Those of a call are answered by services that grant all;
/// what ends a call is checked as for the engine.
pub fn child_says(data: &[u8]) {
    if let Some(header) = data.first_chunk() {
        for direction in [Direction::FromChild, Direction::FromCompiler] {
            let _ = Lengths::parse(*header, direction);
        }
    }
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    else {
        return;
    };
    let services = Arc::new(Granting::default());
    let budget = Budget::new(Limits {
        configure_time: Duration::from_millis(100),
        prepare_time: Duration::from_millis(100),
        ..Limits::default()
    });
    let given: Arc<dyn Services> = services.clone();
    let log = SharedLog::new(
        "stranger".into(),
        Some(Arc::clone(&given)),
        budget.limits().log_lines,
        budget.limits().log_bytes,
    );
    let mut session = Session::new(log, Some(given), budget.account(Stage::Preparing));
    let mut rest = data;
    for _ in 0..MESSAGES {
        let Ok((message, after)) = take::<FromChild>(rest) else {
            break;
        };
        rest = after;
        match message {
            FromChild::Request(request) => {
                let bytes = rest
                    .get(..rest.len().min(limits::CHUNK))
                    .unwrap_or_default();
                let bytes = Bytes::copy_from_slice(bytes);
                let answered: Answered = runtime.block_on(session.answer(request, bytes));
                if answered.is_err() {
                    break;
                }
            }
            FromChild::Returned(Ok(said)) => checked(said),
            FromChild::Returned(Err(fault)) => {
                is_harmless(&untrusted::fault(fault).to_string());
            }
            FromChild::Unfit(why) => is_one_line(&untrusted::line(&why, limits::SUMMARY)),
            FromChild::Refused(refusal) => {
                let error = Failure::Refused(refusal).in_load("stranger");
                let mut cause: Option<&dyn std::error::Error> = Some(&error);
                while let Some(error) = cause {
                    is_harmless(&error.to_string());
                    cause = error.source();
                }
            }
            FromChild::Confined { .. } | FromChild::Compiled | FromChild::Loaded => {}
        }
    }
    let lines = services.lines.lock();
    for line in lines.unwrap_or_else(PoisonError::into_inner).iter() {
        is_one_line(line);
    }
}

/// What the engine gets of it is as the engine may believe.
fn checked(said: Said) {
    match said {
        Said::Description(said) => match untrusted::description(said) {
            Ok(description) => {
                is_one_line(&description.source_type);
                is_one_line(&description.summary);
                assert!(description.options.len() <= limits::OPTIONS);
            }
            Err(reason) => is_harmless(&reason),
        },
        Said::Configuration(said) => match untrusted::configuration(said) {
            Ok(configuration) => {
                assert!(configuration.grants.len() <= limits::GRANTS);
                assert!(configuration.diagnostics.len() <= limits::DIAGNOSTICS);
                for diagnostic in &configuration.diagnostics {
                    is_harmless(&diagnostic.message);
                }
            }
            Err(reason) => is_harmless(&reason),
        },
        Said::Recipe(Ok(said)) => match untrusted::recipe(said) {
            Ok(Recipe::Clone(id)) => {
                assert!(!id.name.contains('/') && !id.pool.contains('/'));
            }
            Ok(_) => {}
            Err(reason) => is_harmless(&reason),
        },
        Said::Recipe(Err(error)) => is_harmless(&untrusted::service_error(error).to_string()),
    }
}

/// Nothing in it steers a terminal, and it has an end.
fn is_harmless(text: &str) {
    let steers = |character: char| character.is_control() && character != '\n';
    assert!(!text.contains(steers), "{text:?}");
    assert!(text.len() <= 2 * limits::SENTENCE, "{} bytes", text.len());
}

fn is_one_line(text: &str) {
    is_harmless(text);
    assert!(!text.contains('\n'), "{text:?}");
}

/// Services that grant all, have next to nothing, and write down the log.
#[derive(Default)]
struct Granting {
    lines: Mutex<Vec<String>>,
}

fn blob() -> Result<Blob, ServiceError> {
    const CONTENT: &[u8] = b"what was granted";
    let failed = |error: std::io::Error| ServiceError::Other(error.to_string());
    let path = std::env::temp_dir().join(format!("lvhost-fuzz-blob-{}", std::process::id()));
    if !path.exists() {
        File::create(&path)
            .and_then(|mut file| file.write_all(CONTENT))
            .map_err(failed)?;
    }
    Ok(Blob {
        name: "blob".into(),
        file: Arc::new(File::open(&path).map_err(failed)?),
        size: CONTENT.len() as u64,
    })
}

#[async_trait]
impl Services for Granting {
    async fn download(
        &self,
        _: WebRequest,
        _: Option<String>,
        _: Packed,
        _: Work,
    ) -> Result<Blob, ServiceError> {
        blob()
    }

    async fn ask(
        &self,
        request: WebRequest,
        method: Method,
        body: Bytes,
    ) -> Result<WebAnswer, ServiceError> {
        assert!(!request.urls.is_empty() && request.headers.len() <= limits::HEADERS);
        assert!(body.is_empty() || method == Method::Post);
        Ok(WebAnswer {
            status: 200,
            headers: Vec::new(),
            body,
        })
    }

    async fn secret(&self, name: &str) -> Result<(), ServiceError> {
        is_one_line(name);
        Ok(())
    }

    async fn unpack(
        &self,
        _: &Blob,
        _: &str,
        _: Option<&str>,
        _: Work,
    ) -> Result<Blob, ServiceError> {
        blob()
    }

    fn put_aside(
        &self,
        _: &str,
        source: &mut (dyn Read + Send),
    ) -> Result<Option<Blob>, ServiceError> {
        std::io::copy(source, &mut std::io::sink()).map_err(crate::services::read_error)?;
        blob().map(Some)
    }

    fn digest(&self, algorithm: &str) -> Result<Box<dyn Digesting>, ServiceError> {
        match algorithm {
            "sha256" => Ok(Box::new(NoDigest)),
            _ => Err(ServiceError::Invalid("there is no such digest".to_owned())),
        }
    }

    async fn list_files(&self, _: &str) -> Result<Vec<FileEntry>, ServiceError> {
        Ok(vec![FileEntry {
            path: "file".into(),
            kind: FileKind::File,
            size: 16,
            executable: false,
        }])
    }

    async fn open_file(&self, _: &str, _: &str) -> Result<Blob, ServiceError> {
        blob()
    }

    async fn volume_facts(&self, id: &VolumeId) -> Result<VolumeFacts, ServiceError> {
        Err(ServiceError::NotFound(format!("there is no {}", id.name)))
    }

    async fn volume_facts_of_path(&self, _: &str) -> Result<Option<VolumeFacts>, ServiceError> {
        Ok(None)
    }

    async fn create_target(&self, _: &Image) -> Result<Box<dyn Sink>, ServiceError> {
        Ok(Box::new(Nowhere))
    }

    fn decoder(
        &self,
        _: Codec,
        inner: Box<dyn Read + Send>,
    ) -> Result<Box<dyn Read + Send>, ServiceError> {
        Ok(inner)
    }

    fn log(&self, _: Level, message: &str) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.push(message.to_owned());
    }

    fn progress(&self, fraction: f64, what: &str) {
        assert!((0.0..=1.0).contains(&fraction), "{fraction}");
        is_one_line(what);
    }

    fn is_cancelled(&self) -> bool {
        false
    }
}

/// A digest that is none.
struct NoDigest;

impl Digesting for NoDigest {
    fn update(&mut self, _: &[u8]) {}

    fn finish(self: Box<Self>) -> String {
        String::new()
    }
}

/// A volume that keeps nothing.
struct Nowhere;

#[async_trait]
impl Sink for Nowhere {
    async fn write(&mut self, data: Bytes) -> Result<(), ServiceError> {
        assert!(data.len() <= limits::CHUNK, "{} bytes", data.len());
        Ok(())
    }

    async fn zeros(&mut self, _: u64) -> Result<(), ServiceError> {
        Ok(())
    }

    async fn copy_from(
        &mut self,
        source: &Blob,
        offset: u64,
        length: u64,
    ) -> Result<(), ServiceError> {
        let end = offset.checked_add(length);
        assert!(
            end.is_some_and(|end| end <= source.size),
            "{offset}, {length}"
        );
        Ok(())
    }

    async fn drain(&mut self, mut source: Box<dyn Read + Send>) -> Result<u64, ServiceError> {
        std::io::copy(&mut source, &mut std::io::sink()).map_err(crate::services::read_error)
    }

    async fn finish(self: Box<Self>) -> Result<(), ServiceError> {
        Ok(())
    }
}
