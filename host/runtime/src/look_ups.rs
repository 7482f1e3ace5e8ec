//! The imports `fetch`, `files` and `volumes`: questions that the engine answers if they are granted.

use std::future::Future;

use wasmtime::component::Resource;

use crate::bindings::{fetch, files, types as wit, volumes};
use crate::convert;
use crate::limits;
use crate::services::ServiceError;
use crate::state::State;
use crate::types::Blob;
use crate::untrusted;

/// What a component is answered.
pub(crate) type Answer<T> = wasmtime::Result<Result<T, wit::Error>>;

/// Waits for a service for [`limits::STEP_TIME`] at most.
pub(crate) async fn in_time<T>(
    what: &str,
    service: impl Future<Output = Result<T, ServiceError>>,
) -> Result<T, ServiceError> {
    tokio::time::timeout(limits::STEP_TIME, service)
        .await
        .unwrap_or_else(|_| {
            let seconds = limits::STEP_TIME.as_secs();
            Err(ServiceError::Other(format!(
                "{what} did not answer within {seconds} s"
            )))
        })
}

impl fetch::Host for State {
    async fn download(&mut self, request: fetch::Request) -> Answer<Resource<Blob>> {
        let services = self
            .services("download")
            .and_then(|it| self.check_blob_room().map(|()| it));
        let answer = async {
            let services = services?;
            let (urls, checksum) = untrusted::download(request.urls, request.checksum)
                .map_err(ServiceError::Invalid)?;
            // Downloads take as long as they take; the service sees to it that they don't stall.
            services.download(urls, checksum).await
        };
        match answer.await {
            Ok(blob) => self.push_blob(blob).map(Ok),
            Err(error) => Ok(Err(convert::error(error))),
        }
    }
}

impl files::Host for State {
    async fn list(&mut self, pattern: String) -> Answer<Vec<files::Entry>> {
        let services = self.services("list");
        let answer = async {
            let services = services?;
            let pattern = untrusted::path("a pattern", pattern, limits::PATH)
                .map_err(ServiceError::Invalid)?;
            let what = format!("listing \"{pattern}\"");
            let entries = in_time(&what, services.list_files(&pattern)).await?;
            if entries.len() > limits::FILES {
                return Err(ServiceError::Other(format!(
                    "\"{pattern}\" matches {} files and folders; at most {} are allowed",
                    entries.len(),
                    limits::FILES
                )));
            }
            Ok(entries.into_iter().map(convert::file_entry).collect())
        };
        Ok(answer.await.map_err(convert::error))
    }

    async fn open(&mut self, pattern: String, path: String) -> Answer<Resource<Blob>> {
        let services = self
            .services("open")
            .and_then(|it| self.check_blob_room().map(|()| it));
        let answer = async {
            let services = services?;
            let checked = |what, value| {
                untrusted::path(what, value, limits::PATH).map_err(ServiceError::Invalid)
            };
            let pattern = checked("a pattern", pattern)?;
            let path = checked("a path", path)?;
            in_time(
                &format!("opening \"{path}\""),
                services.open_file(&pattern, &path),
            )
            .await
        };
        match answer.await {
            Ok(blob) => self.push_blob(blob).map(Ok),
            Err(error) => Ok(Err(convert::error(error))),
        }
    }
}

impl volumes::Host for State {
    async fn look_up(&mut self, id: wit::VolumeId) -> Answer<volumes::Facts> {
        let services = self.services("look-up");
        let answer = async {
            let services = services?;
            let id = untrusted::volume_id(id).map_err(ServiceError::Invalid)?;
            let what = format!("looking up the volume {id}");
            in_time(&what, services.volume_facts(&id))
                .await
                .map(convert::volume_facts)
        };
        Ok(answer.await.map_err(convert::error))
    }

    async fn look_up_path(&mut self, path: String) -> Answer<Option<volumes::Facts>> {
        let services = self.services("look-up-path");
        let answer = async {
            let services = services?;
            let path = untrusted::hypervisor_path(path).map_err(ServiceError::Invalid)?;
            let what = format!("looking up {path}");
            let facts = in_time(&what, services.volume_facts_of_path(&path)).await?;
            Ok(facts.map(convert::volume_facts))
        };
        Ok(answer.await.map_err(convert::error))
    }
}

impl wit::Host for State {}
