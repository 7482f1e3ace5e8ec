//! Downloads, servers, files and volumes: questions that the engine answers if they are granted.

use std::sync::Arc;

use bytes::Bytes;

use super::{Outcome, Refusal, Session, in_time, invalid};
use crate::limits;
use crate::request::Answer;
use crate::services::{Packed, ServiceError, Services, Work};
use crate::types::{Method, VolumeId, WebAnswer, WebRequest};
use crate::untrusted::{self, Unchecked};

impl Session {
    fn reach(&self, function: &str) -> Result<Arc<dyn Services>, ServiceError> {
        let services = self.services(function)?;
        self.account.charge_look_up();
        Ok(services)
    }

    pub(super) async fn download(
        &mut self,
        request: WebRequest,
        checksum: Option<String>,
        packed: Packed,
    ) -> Outcome {
        let services = self.reach("download")?;
        let room = self.room_for_blob()?;
        let request = untrusted::web_request(request).map_err(invalid)?;
        let checksum = untrusted::checksum(checksum).map_err(invalid)?;
        // Downloads take as long as they take; the service sees to it that they don't stall.
        let work = Work::of(&self.account);
        let blob = services.download(request, checksum, packed, work).await?;
        Ok(self.hand_out(blob, room)?)
    }

    pub(super) async fn ask(
        &mut self,
        request: WebRequest,
        method: Method,
        body: Bytes,
    ) -> Result<(Answer, Bytes), Refusal> {
        let services = self.reach("ask")?;
        let request = untrusted::web_request(request).map_err(invalid)?;
        if method != Method::Post && !body.is_empty() {
            let method = method.as_str();
            return Err(invalid(format!("a {method} request has no body")));
        }
        if body.len() > limits::CHUNK {
            return Err(invalid(format!(
                "{} bytes are to be sent; at most {} are allowed",
                body.len(),
                limits::CHUNK
            )));
        }
        self.account.charge_bytes(body.len() as u64);
        let answer = services.ask(request, method, body).await?;
        self.account.charge_bytes(answer.body.len() as u64);
        let WebAnswer {
            status,
            headers,
            body,
        } = answer;
        Ok((Answer::Reply { status, headers }, body))
    }

    pub(super) async fn secret(&mut self, name: String) -> Outcome {
        let services = self.reach("secret")?;
        let name = untrusted::secret_name(name).map_err(invalid)?;
        in_time("reading a secret", services.secret(&name)).await?;
        Ok(Answer::Done)
    }

    pub(super) async fn unpack(
        &mut self,
        blob: u32,
        packing: String,
        member: Option<String>,
    ) -> Outcome {
        let archive = self.blobs.get(blob)?.0.clone();
        let services = self.reach("unpack")?;
        let room = self.room_for_blob()?;
        let member = member.map(|it| untrusted::path("a path", it, limits::PATH));
        let member = member.transpose().map_err(invalid)?;
        let work = Work::of(&self.account);
        let unpacking = services.unpack(&archive, &packing, member.as_deref(), work);
        let blob = unpacking.await?;
        Ok(self.hand_out(blob, room)?)
    }

    pub(super) async fn list_files(&mut self, pattern: String) -> Outcome {
        let services = self.reach("list")?;
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
        let services = self.reach("open")?;
        let room = self.room_for_blob()?;
        let pattern = untrusted::path("a pattern", pattern, limits::PATH).map_err(invalid)?;
        let path = untrusted::path("a path", path, limits::PATH).map_err(invalid)?;
        let what = format!("opening \"{path}\"");
        let opening = services.open_file(&pattern, &path);
        let blob = Self::on_its_behalf(&self.account, &what, opening).await?;
        Ok(self.hand_out(blob, room)?)
    }

    pub(super) async fn look_up(&mut self, id: Unchecked<VolumeId>) -> Outcome {
        let services = self.reach("look-up")?;
        let id = untrusted::volume_id(id).map_err(invalid)?;
        let what = format!("looking up the volume {id}");
        let facts = in_time(&what, services.volume_facts(&id)).await?;
        Ok(Answer::Facts(Some(facts)))
    }

    pub(super) async fn look_up_path(&mut self, path: String) -> Outcome {
        let services = self.reach("look-up-path")?;
        let path = untrusted::hypervisor_path(path).map_err(invalid)?;
        let what = format!("looking up {path}");
        let facts = in_time(&what, services.volume_facts_of_path(&path)).await?;
        Ok(Answer::Facts(facts))
    }
}
