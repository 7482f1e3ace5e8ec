//! Between the types of this version of the contract and those of the crate. What comes from a component is
//! [`Unchecked`] here; what goes to one needs no check, since the host is believed.

use super::bindings::{blobs, exported, files, report, target, types as wit, volumes};
use crate::request::{PlainSetting, PlainValue};
use crate::services::ServiceError;
use crate::types::{
    Base, Codec, Configuration, Defaults, Description, Device, Diagnostic, Download, FileEntry,
    FileKind, Grant, Image, Level, OptionSchema, OptionType, Recipe, Severity, Volume, VolumeFacts,
    VolumeId,
};
use crate::untrusted::Unchecked;

pub(super) fn volume(volume: &Volume) -> wit::Volume {
    wit::Volume {
        id: wit::VolumeId {
            pool: volume.id.pool.clone(),
            name: volume.id.name.clone(),
        },
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

pub(super) fn options(options: &[PlainSetting]) -> Vec<wit::OptionSetting> {
    let settings = options.iter().map(|option| wit::OptionSetting {
        name: option.name.clone(),
        value: match option.value.clone() {
            PlainValue::Text(text) => wit::OptionValue::Text(text),
            PlainValue::Integer(integer) => wit::OptionValue::Integer(integer),
            PlainValue::Boolean(boolean) => wit::OptionValue::Boolean(boolean),
            PlainValue::TextList(list) => wit::OptionValue::TextList(list),
            PlainValue::TextMap(map) => wit::OptionValue::TextMap(map),
        },
    });
    settings.collect()
}

pub(super) fn error(error: ServiceError) -> wit::Error {
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

pub(super) fn file_entry(entry: FileEntry) -> files::Entry {
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

pub(super) fn volume_facts(facts: VolumeFacts) -> volumes::Facts {
    volumes::Facts {
        capacity: facts.capacity,
        format: facts.format,
        path: facts.path,
        backing: facts.backing,
    }
}

pub(super) fn level(said: report::Level) -> Level {
    match said {
        report::Level::Debug => Level::Debug,
        report::Level::Info => Level::Info,
        report::Level::Warning => Level::Warning,
    }
}

pub(super) fn codec(said: blobs::Codec) -> Codec {
    match said {
        blobs::Codec::Gzip => Codec::Gzip,
        blobs::Codec::Bzip2 => Codec::Bzip2,
        blobs::Codec::Xz => Codec::Xz,
        blobs::Codec::Zstd => Codec::Zstd,
    }
}

pub(super) fn volume_id(said: wit::VolumeId) -> Unchecked<VolumeId> {
    Unchecked::new(plain_volume_id(said))
}

fn plain_volume_id(said: wit::VolumeId) -> VolumeId {
    VolumeId {
        pool: said.pool,
        name: said.name,
    }
}

pub(super) fn image(said: target::Image) -> Unchecked<Image> {
    Unchecked::new(Image {
        format: said.format,
        length: said.length,
        capacity: said.capacity,
    })
}

pub(super) fn description(said: exported::Description) -> Unchecked<Description> {
    let options = said.options.into_iter().map(|option| OptionSchema {
        name: option.name,
        option_type: match option.type_ {
            wit::OptionType::Text => OptionType::Text,
            wit::OptionType::Integer => OptionType::Integer,
            wit::OptionType::Boolean => OptionType::Boolean,
            wit::OptionType::TextList => OptionType::TextList,
            wit::OptionType::TextMap => OptionType::TextMap,
        },
        required: option.required,
        default: option.default,
        sensitive: option.sensitive,
        documentation: option.documentation,
    });
    Unchecked::new(Description {
        source_type: said.type_,
        aliases: said.aliases,
        summary: said.summary,
        options: options.collect(),
    })
}

pub(super) fn configuration(said: exported::Configuration) -> Unchecked<Configuration> {
    let diagnostics = said.diagnostics.into_iter().map(|said| Diagnostic {
        severity: match said.severity {
            exported::Severity::Error => Severity::Error,
            exported::Severity::Warning => Severity::Warning,
        },
        path: said.path,
        message: said.message,
        help: said.help,
    });
    let grants = said.grants.into_iter().map(|said| match said {
        exported::Grant::Url(said) => Grant::Url(Download {
            url: said.url,
            checksum: said.checksum,
        }),
        exported::Grant::UrlsBelow(url) => Grant::UrlsBelow(url),
        exported::Grant::Files(files) => Grant::Files(files),
        exported::Grant::Volume(id) => Grant::Volume(plain_volume_id(id)),
        exported::Grant::HypervisorPath(path) => Grant::HypervisorPath(path),
    });
    Unchecked::new(Configuration {
        diagnostics: diagnostics.collect(),
        defaults: Defaults {
            name_suffix: said.defaults.name_suffix,
            device: said.defaults.device.map(|device| match device {
                wit::Device::Disk => Device::Disk,
                wit::Device::Cdrom => Device::Cdrom,
                wit::Device::Floppy => Device::Floppy,
                wit::Device::Lun => Device::Lun,
            }),
            format: said.defaults.format,
            bus: said.defaults.bus,
            read_only: said.defaults.read_only,
        },
        grants: grants.collect(),
    })
}

pub(super) fn recipe(said: exported::Recipe) -> Unchecked<Recipe> {
    Unchecked::new(match said {
        exported::Recipe::Blank => Recipe::Blank,
        exported::Recipe::Overlay(exported::Base::Volume(id)) => {
            Recipe::Overlay(Base::Volume(plain_volume_id(id)))
        }
        exported::Recipe::Overlay(exported::Base::HypervisorPath(path)) => {
            Recipe::Overlay(Base::HypervisorPath(path))
        }
        exported::Recipe::Clone(id) => Recipe::Clone(plain_volume_id(id)),
        exported::Recipe::Image => Recipe::Image,
    })
}

/// The error that a component gives up with.
pub(super) fn failure(said: wit::Error) -> Unchecked<ServiceError> {
    Unchecked::new(match said {
        wit::Error::Invalid(message) => ServiceError::Invalid(message),
        wit::Error::Denied(message) => ServiceError::Denied(message),
        wit::Error::NotFound(message) => ServiceError::NotFound(message),
        wit::Error::Network(message) => ServiceError::Network(message),
        wit::Error::Corrupt(message) => ServiceError::Corrupt(message),
        wit::Error::Cancelled => ServiceError::Cancelled,
        wit::Error::Other(message) => ServiceError::Other(message),
    })
}
