//! Downloads, files and volumes: questions that the engine answers if they are granted.

use std::sync::Arc;

use super::{Outcome, Session, in_time, invalid};
use crate::limits;
use crate::request::Answer;
use crate::services::{ServiceError, Services, Work};
use crate::types::VolumeId;
use crate::untrusted::{self, Unchecked};

impl Session {
    fn ask(&self, function: &str) -> Result<Arc<dyn Services>, ServiceError> {
        let services = self.services(function)?;
        self.account.charge_look_up();
        Ok(services)
    }

    pub(super) async fn download(
        &mut self,
        urls: Vec<String>,
        checksum: Option<String>,
    ) -> Outcome {
        let services = self.ask("download")?;
        let room = self.room_for_blob()?;
        let (urls, checksum) = untrusted::download(urls, checksum).map_err(invalid)?;
        // Downloads take as long as they take; the service sees to it that they don't stall.
        let work = Work::of(&self.account);
        let blob = services.download(urls, checksum, work).await?;
        Ok(self.hand_out(blob, room)?)
    }

    pub(super) async fn list_files(&mut self, pattern: String) -> Outcome {
        let services = self.ask("list")?;
        let pattern = untrusted::path("a pattern", pattern, limits::PATH).map_err(invalid)?;
        let what = format!("listing \"{pattern}\"");
        let listing = services.list_files(&pattern);
        let entries = Self::on_its_behalf(&self.account, &what, listing).await?;
        if entries.len() > limits::FILES {
            return Err(ServiceError::Other(format!(
                "\"{pattern}\" matches {} files and folders; at most {} are allowed",
                entries.len(),
                limits::FILES
            ))
            .into());
        }
        let bytes: usize = entries.iter().map(|entry| entry.path.len()).sum();
        if bytes > limits::FILE_NAMES {
            return Err(ServiceError::Other(format!(
                "the paths that \"{pattern}\" matches have {} MiB; at most {} are allowed",
                bytes >> 20,
                limits::FILE_NAMES >> 20
            ))
            .into());
        }
        Ok(Answer::Entries(entries))
    }

    pub(super) async fn open_file(&mut self, pattern: String, path: String) -> Outcome {
        let services = self.ask("open")?;
        let room = self.room_for_blob()?;
        let pattern = untrusted::path("a pattern", pattern, limits::PATH).map_err(invalid)?;
        let path = untrusted::path("a path", path, limits::PATH).map_err(invalid)?;
        let what = format!("opening \"{path}\"");
        let opening = services.open_file(&pattern, &path);
        let blob = Self::on_its_behalf(&self.account, &what, opening).await?;
        Ok(self.hand_out(blob, room)?)
    }

    pub(super) async fn look_up(&mut self, id: Unchecked<VolumeId>) -> Outcome {
        let services = self.ask("look-up")?;
        let id = untrusted::volume_id(id).map_err(invalid)?;
        let what = format!("looking up the volume {id}");
        let facts = in_time(&what, services.volume_facts(&id)).await?;
        Ok(Answer::Facts(Some(facts)))
    }

    pub(super) async fn look_up_path(&mut self, path: String) -> Outcome {
        let services = self.ask("look-up-path")?;
        let path = untrusted::hypervisor_path(path).map_err(invalid)?;
        let what = format!("looking up {path}");
        let facts = in_time(&what, services.volume_facts_of_path(&path)).await?;
        Ok(Answer::Facts(facts))
    }
}
