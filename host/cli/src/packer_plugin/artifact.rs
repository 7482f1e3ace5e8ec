//! What a build has made, as Packer asks for it: for its summary and for post-processors.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use lvhost_engine::{HypervisorId, Journal, MadeVolume, Removal, Uses, with_causes};
use lvhost_libvirt::{Hypervisor, Libvirt, VolumeFacts, VolumeId};
use lvhost_packer::{BuildVariables, Failure, Value};
use uuid::Uuid;

/// What post-processors know the artifacts of this builder by: that of the plugin in Go.
const BUILDER_ID: &str = "thomasklein94.libvirt";

/// Where an artifact comes from.
pub(super) struct Origin {
    /// The hypervisor.
    pub(super) uri: String,
    /// Whether its paths are those of this machine.
    pub(super) is_local: bool,
    /// The build.
    pub(super) build: Uuid,
    /// Where it is written down.
    pub(super) journal: Arc<dyn Journal>,
}

/// A volume in its pool, and perhaps a copy of it on this machine.
pub(super) struct BuiltVolume {
    origin: Origin,
    volume: VolumeId,
    facts: VolumeFacts,
    /// What it was made as.
    format: String,
    /// The copy.
    copy: Option<PathBuf>,
    /// The volume's own file, where it is one of this machine.
    own: Option<PathBuf>,
    /// What the provisioners saw.
    variables: BuildVariables,
}

impl BuiltVolume {
    /// The artifact of a build. A copy below `folder`, which Packer works in, is told as Packer's user would write it.
    pub(super) fn new(
        origin: Origin,
        folder: &Path,
        artifact: &lvhost_engine::Artifact,
        variables: BuildVariables,
    ) -> Self {
        let own = PathBuf::from(&artifact.facts.path);
        Self {
            volume: artifact.volume.clone(),
            facts: artifact.facts.clone(),
            format: artifact.format.clone(),
            copy: artifact.file.as_deref().map(|copy| {
                let relative = copy.strip_prefix(folder);
                relative.unwrap_or(copy).to_owned()
            }),
            own: Some(own).filter(|own| origin.is_local && own.is_file()),
            variables,
            origin,
        }
    }
}

impl BuiltVolume {
    /// Deletes the volume, if it still is the one that the build has made.
    async fn delete_volume(&self, hypervisor: &dyn Hypervisor) -> Result<(), Failure> {
        let Some(facts) = hypervisor.volume(&self.volume).await? else {
            return Ok(());
        };
        let id = HypervisorId::of(hypervisor).await?;
        let domains = hypervisor.list_domains().await?;
        let uses = Uses::look(hypervisor, &domains).await?;
        let entry = self.origin.journal.find(&id, &self.volume).await?;
        let made = MadeVolume {
            build: self.origin.build,
            then: &self.facts,
            now: &VolumeFacts {
                capacity: facts.capacity_as(&self.format),
                ..facts
            },
            entry: entry.as_ref(),
        };
        if let Err(doubt) = made.judge(&id, &uses) {
            let volume = &self.volume;
            return Err(format!("the volume {volume} stays: {doubt}").into());
        }
        let tell = |text: &str| tracing::info!("{text}");
        match Removal::new(hypervisor, &tell)
            .delete_volume(&self.volume)
            .await
        {
            Ok(()) | Err(lvhost_libvirt::Error::NoSuchVolume { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        self.origin.journal.forget(&id, &self.volume).await?;
        Ok(())
    }

    /// Deletes the copy, if it still is the file that the build has written.
    async fn delete_copy(&self) -> Result<(), Failure> {
        let Some(copy) = &self.copy else {
            return Ok(());
        };
        let failed = |error| format!("can't remove {}: {error}", copy.display());
        let there = match tokio::fs::symlink_metadata(copy).await {
            Ok(there) => there,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(failed(error).into()),
        };
        let entry = self.origin.journal.find_file(copy).await?;
        let entry = entry.filter(|entry| entry.build == self.origin.build);
        if !entry.is_some_and(|entry| entry.is_same(&there)) {
            let copy = copy.display();
            return Err(
                format!("{copy} stays: it is not the file that the build has written").into(),
            );
        }
        tokio::fs::remove_file(copy).await.map_err(failed)?;
        self.origin.journal.forget_file(copy).await?;
        Ok(())
    }

    /// Deletes both. What keeps one of them keeps not the other.
    async fn delete(&self, hypervisor: Result<&dyn Hypervisor, Failure>) -> Result<(), Failure> {
        let volume = match hypervisor {
            Ok(hypervisor) => self.delete_volume(hypervisor).await,
            Err(error) => Err(error),
        };
        let both = [volume, self.delete_copy().await];
        let failures: Vec<String> = both
            .into_iter()
            .filter_map(Result::err)
            .map(|error| with_causes(error.as_ref()))
            .collect();
        match failures.is_empty() {
            true => Ok(()),
            false => Err(failures.join("; ").into()),
        }
    }
}

/// Whether this process may read the file: libvirt's own user often keeps them to itself.
fn is_readable(path: &Path) -> bool {
    std::fs::File::open(path).is_ok()
}

/// A size as the plugin in Go tells it.
fn bytes(size: u64) -> Value {
    format!("{size}bytes").into()
}

#[async_trait]
impl lvhost_packer::Artifact for BuiltVolume {
    fn builder_id(&self) -> String {
        BUILDER_ID.to_owned()
    }

    fn id(&self) -> String {
        self.facts.key.clone()
    }

    /// The copy, which is there to be worked on, or else the volume itself where it can be read.
    fn files(&self) -> Vec<String> {
        let own = self.own.as_ref().filter(|own| is_readable(own));
        self.copy
            .as_ref()
            .or(own)
            .map(|path| path.to_string_lossy().into_owned())
            .into_iter()
            .collect()
    }

    fn description(&self) -> String {
        let mut text = format!(
            "Libvirt volume {}/{} in {} format was generated",
            self.volume.pool, self.volume.name, self.format
        );
        if let Some(copy) = &self.copy {
            text.push_str(&format!(", with a copy in {}", copy.display()));
        }
        text
    }

    fn build_variables(&self) -> Option<&BuildVariables> {
        Some(&self.variables)
    }

    async fn state(&self, name: &str) -> Value {
        match name {
            "Key" => self.facts.key.as_str().into(),
            "Pool" => self.volume.pool.as_str().into(),
            "Volume" => self.volume.name.as_str().into(),
            "Allocation" => bytes(self.facts.allocation),
            "Size" | "Capacity" => bytes(self.facts.capacity),
            "Physical" => {
                let file = self.own.as_ref().and_then(|own| own.metadata().ok());
                file.map_or(Value::Null, |file| bytes(file.len()))
            }
            "Format" => self.format.as_str().into(),
            "RemotePath" => self.facts.path.as_str().into(),
            _ => Value::Null,
        }
    }

    async fn destroy(&self) -> Result<(), Failure> {
        match Libvirt::connect(&self.origin.uri).await {
            Ok(hypervisor) => self.delete(Ok(&hypervisor)).await,
            Err(error) => self.delete(Err(error.into())).await,
        }
    }
}

#[cfg(test)]
mod tests;
