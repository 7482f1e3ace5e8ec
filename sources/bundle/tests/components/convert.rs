//! The SDK's types as the runtime's: two views of one contract.

use lvhost_plugin_sdk as sdk;
use lvhost_runtime as host;

pub(crate) fn volume_id(id: &sdk::VolumeId) -> host::VolumeId {
    host::VolumeId {
        pool: id.pool.clone(),
        name: id.name.clone(),
    }
}

pub(crate) fn facts(facts: sdk::Facts) -> host::VolumeFacts {
    host::VolumeFacts {
        capacity: facts.capacity,
        format: facts.format,
        path: facts.path,
        backing: facts.backing,
    }
}

pub(crate) fn volume(volume: &sdk::Volume) -> host::Volume {
    host::Volume {
        id: volume_id(&volume.id),
        domain: volume.domain.clone(),
        device: volume.device.map(device),
        format: volume.format.clone(),
        capacity: volume.capacity,
        read_only: volume.read_only,
    }
}

fn device(device: sdk::Device) -> host::Device {
    match device {
        sdk::Device::Disk => host::Device::Disk,
        sdk::Device::Cdrom => host::Device::Cdrom,
        sdk::Device::Floppy => host::Device::Floppy,
        sdk::Device::Lun => host::Device::Lun,
    }
}

pub(crate) fn options(options: &sdk::Options) -> Vec<host::OptionSetting> {
    options
        .settings()
        .iter()
        .map(|setting| host::OptionSetting {
            name: setting.name.clone(),
            value: match setting.value.clone() {
                sdk::OptionValue::Text(text) => host::OptionValue::Text(text.into()),
                sdk::OptionValue::Integer(integer) => host::OptionValue::Integer(integer),
                sdk::OptionValue::Boolean(boolean) => host::OptionValue::Boolean(boolean),
                sdk::OptionValue::TextList(list) => {
                    host::OptionValue::TextList(list.into_iter().map(Into::into).collect())
                }
                sdk::OptionValue::TextMap(map) => {
                    let pairs = map.into_iter();
                    host::OptionValue::TextMap(
                        pairs.map(|(key, text)| (key, text.into())).collect(),
                    )
                }
            },
        })
        .collect()
}

pub(crate) fn description(description: sdk::Description) -> host::Description {
    host::Description {
        source_type: description.type_name,
        aliases: description.aliases,
        summary: description.summary,
        options: description.options.into_iter().map(option).collect(),
    }
}

fn option(option: sdk::OptionSchema) -> host::OptionSchema {
    host::OptionSchema {
        name: option.name,
        option_type: match option.option_type {
            sdk::OptionType::Text => host::OptionType::Text,
            sdk::OptionType::Integer => host::OptionType::Integer,
            sdk::OptionType::Boolean => host::OptionType::Boolean,
            sdk::OptionType::TextList => host::OptionType::TextList,
            sdk::OptionType::TextMap => host::OptionType::TextMap,
        },
        required: option.required,
        default: option.default,
        sensitive: option.sensitive,
        documentation: option.documentation,
    }
}

pub(crate) fn configuration(configuration: sdk::Configuration) -> host::Configuration {
    let defaults = configuration.defaults;
    host::Configuration {
        diagnostics: configuration
            .diagnostics
            .into_iter()
            .map(diagnostic)
            .collect(),
        defaults: host::Defaults {
            name_suffix: defaults.name_suffix,
            device: defaults.device.map(device),
            format: defaults.format,
            bus: defaults.bus,
            read_only: defaults.read_only,
        },
        grants: configuration.grants.into_iter().map(grant).collect(),
    }
}

fn diagnostic(diagnostic: sdk::Diagnostic) -> host::Diagnostic {
    host::Diagnostic {
        severity: match diagnostic.severity {
            sdk::Severity::Error => host::Severity::Error,
            sdk::Severity::Warning => host::Severity::Warning,
        },
        path: diagnostic.path,
        message: diagnostic.message,
        help: diagnostic.help,
    }
}

fn grant(grant: sdk::Grant) -> host::Grant {
    match grant {
        sdk::Grant::Url(sdk::Download { url, checksum }) => {
            host::Grant::Url(host::Download { url, checksum })
        }
        sdk::Grant::UrlsBelow(url) => host::Grant::UrlsBelow(url),
        sdk::Grant::Files(pattern) => host::Grant::Files(pattern),
        sdk::Grant::Volume(id) => host::Grant::Volume(volume_id(&id)),
        sdk::Grant::HypervisorPath(path) => host::Grant::HypervisorPath(path),
        sdk::Grant::Post(url) => host::Grant::Post(url),
        sdk::Grant::Secret(name) => host::Grant::Secret(name),
    }
}

pub(crate) fn recipe(recipe: sdk::Recipe) -> host::Recipe {
    match recipe {
        sdk::Recipe::Blank => host::Recipe::Blank,
        sdk::Recipe::Overlay(sdk::Base::Volume(id)) => {
            host::Recipe::Overlay(host::Base::Volume(volume_id(&id)))
        }
        sdk::Recipe::Overlay(sdk::Base::HypervisorPath(path)) => {
            host::Recipe::Overlay(host::Base::HypervisorPath(path))
        }
        sdk::Recipe::Clone(id) => host::Recipe::Clone(volume_id(&id)),
        sdk::Recipe::Image => host::Recipe::Image,
    }
}

pub(crate) fn image(image: &sdk::Image) -> host::Image {
    host::Image {
        format: image.format.clone(),
        length: image.length,
        capacity: image.capacity,
    }
}

pub(crate) fn codec(codec: host::Codec) -> sdk::Codec {
    match codec {
        host::Codec::Gzip => sdk::Codec::Gzip,
        host::Codec::Bzip2 => sdk::Codec::Bzip2,
        host::Codec::Xz => sdk::Codec::Xz,
        host::Codec::Zstd => sdk::Codec::Zstd,
    }
}
