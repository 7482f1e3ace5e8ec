//! What a build has made, as Packer asks for it: for its summary and for post-processors.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use lvhost_libvirt::{Hypervisor, Libvirt, VolumeFacts, VolumeId};
use lvhost_packer::{BuildVariables, Failure, Value};

/// What post-processors know the artifacts of this builder by: that of the plugin in Go.
const BUILDER_ID: &str = "thomasklein94.libvirt";

/// A volume in its pool, and perhaps a copy of it on this machine.
#[derive(Debug)]
pub(super) struct BuiltVolume {
    /// The hypervisor.
    uri: String,
    volume: VolumeId,
    facts: VolumeFacts,
    /// The copy.
    copy: Option<PathBuf>,
    /// The volume's own file, where it is one of this machine.
    own: Option<PathBuf>,
    /// What the provisioners saw.
    variables: BuildVariables,
}

impl BuiltVolume {
    /// The artifact of a build at `uri`, whose paths are those of this machine if `is_local`. A copy below
    /// `folder`, which Packer works in, is told as Packer's user would write it.
    pub(super) fn new(
        uri: &str,
        is_local: bool,
        folder: &Path,
        artifact: &lvhost_engine::Artifact,
        variables: BuildVariables,
    ) -> Self {
        let own = PathBuf::from(&artifact.facts.path);
        Self {
            uri: uri.to_owned(),
            volume: artifact.volume.clone(),
            facts: artifact.facts.clone(),
            copy: artifact.file.as_deref().map(|copy| {
                let relative = copy.strip_prefix(folder);
                relative.unwrap_or(copy).to_owned()
            }),
            own: Some(own).filter(|own| is_local && own.is_file()),
            variables,
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
        let format = self.facts.format.as_deref().unwrap_or("raw");
        let mut text = format!(
            "Libvirt volume {}/{} in {format} format was generated",
            self.volume.pool, self.volume.name
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
            "Format" => match &self.facts.format {
                Some(format) => format.as_str().into(),
                None => Value::Null,
            },
            "RemotePath" => self.facts.path.as_str().into(),
            _ => Value::Null,
        }
    }

    async fn destroy(&self) -> Result<(), Failure> {
        let hypervisor = Libvirt::connect(&self.uri).await?;
        match hypervisor.delete_volume(&self.volume).await {
            Ok(()) | Err(lvhost_libvirt::Error::NoSuchVolume { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        if let Some(copy) = &self.copy {
            match tokio::fs::remove_file(copy).await {
                Ok(()) => {}
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => {
                    return Err(format!("can't remove {}: {error}", copy.display()).into());
                }
            }
        }
        Ok(())
    }
}
