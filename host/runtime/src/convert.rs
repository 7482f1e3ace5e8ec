//! From our types to the components': nothing to check, since the host is believed.

use secrecy::ExposeSecret;

use crate::bindings::{files, types as wit, volumes};
use crate::services::ServiceError;
use crate::types::{
    Device, FileEntry, FileKind, OptionSetting, OptionValue, Volume, VolumeFacts, VolumeId,
};

pub(crate) fn volume(volume: &Volume) -> wit::Volume {
    wit::Volume {
        id: volume_id(&volume.id),
        domain: volume.domain.clone(),
        device: volume.device.map(|device| match device {
            Device::Disk => wit::Device::Disk,
            Device::Cdrom => wit::Device::Cdrom,
            Device::Floppy => wit::Device::Floppy,
            Device::Lun => wit::Device::Lun,
        }),
        format: volume.format.clone(),
        capacity: volume.capacity,
        read_only: volume.read_only,
    }
}

fn volume_id(id: &VolumeId) -> wit::VolumeId {
    wit::VolumeId {
        pool: id.pool.clone(),
        name: id.name.clone(),
    }
}

pub(crate) fn options(options: &[OptionSetting]) -> Vec<wit::OptionSetting> {
    options
        .iter()
        .map(|option| wit::OptionSetting {
            name: option.name.clone(),
            value: match &option.value {
                OptionValue::Text(text) => wit::OptionValue::Text(text.expose_secret().to_owned()),
                OptionValue::Integer(integer) => wit::OptionValue::Integer(*integer),
                OptionValue::Boolean(boolean) => wit::OptionValue::Boolean(*boolean),
                OptionValue::TextList(list) => {
                    let texts = list.iter().map(|text| text.expose_secret().to_owned());
                    wit::OptionValue::TextList(texts.collect())
                }
                OptionValue::TextMap(map) => {
                    let pairs = map.iter();
                    let pairs =
                        pairs.map(|(key, value)| (key.clone(), value.expose_secret().to_owned()));
                    wit::OptionValue::TextMap(pairs.collect())
                }
            },
        })
        .collect()
}

pub(crate) fn error(error: ServiceError) -> wit::Error {
    match error {
        ServiceError::Invalid(message) => wit::Error::Invalid(message),
        ServiceError::Denied(message) => wit::Error::Denied(message),
        ServiceError::NotFound(message) => wit::Error::NotFound(message),
        ServiceError::Network(message) => wit::Error::Network(message),
        ServiceError::Corrupt(message) => wit::Error::Corrupt(message),
        ServiceError::Cancelled => wit::Error::Cancelled,
        ServiceError::Other(message) => wit::Error::Other(message),
    }
}

pub(crate) fn file_entry(entry: FileEntry) -> files::Entry {
    files::Entry {
        path: entry.path,
        kind: match entry.kind {
            FileKind::File => files::Kind::File,
            FileKind::Directory => files::Kind::Directory,
        },
        size: entry.size,
        executable: entry.executable,
    }
}

pub(crate) fn volume_facts(facts: VolumeFacts) -> volumes::Facts {
    volumes::Facts {
        capacity: facts.capacity,
        format: facts.format,
        path: facts.path,
        backing: facts.backing,
    }
}
