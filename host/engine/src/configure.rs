//! Asks each volume's component what it makes of the user's options, and puts its answers where the
//! template can show them. What a component asks to reach and is not allowed is one of these.

use lvhost_config::{Device, LibvirtSource, SourceValue, Volume, VolumeSource};
use lvhost_hcl::{Diagnostic, Diagnostics, Span};
use lvhost_runtime::{
    Configuration, Defaults, Grant, OptionSetting, OptionValue, Severity,
    Volume as ComponentVolume, VolumeId,
};

use crate::attachment;
use crate::boot;
use crate::overlay;
use crate::permission::{self, Permission};
use crate::plan;
use crate::secrets::Secrets;
use crate::sources::Sources;

/// What the components said, one for each volume of the source; `None` where there is no component
/// to ask or where its options are only known when the build runs.
#[derive(Debug, Default)]
pub struct Configured(pub(crate) Vec<Option<Configuration>>);

impl Configured {
    /// What the component of this volume takes for what the template leaves open, if it was asked.
    pub(crate) fn defaults(&self, volume: usize) -> Option<&Defaults> {
        self.0.get(volume)?.as_ref().map(|known| &known.defaults)
    }

    /// What the component of this volume asks to reach.
    pub fn grants(&self, volume: usize) -> &[Grant] {
        match self.0.get(volume) {
            Some(Some(configuration)) => &configuration.grants,
            _ => &[],
        }
    }
}

/// Asks all components. No grants are given and nothing outside is touched.
///
/// What is wrong with the options goes to `report` with the place in the template.
pub async fn configure(
    source: &LibvirtSource,
    sources: &Sources,
    domain: &str,
    report: &mut Diagnostics,
) -> Configured {
    boot::check(source, report);
    overlay::check(source, report);
    let mut configured = Vec::with_capacity(source.volume.len());
    for volume in &source.volume {
        let answer = match &volume.source {
            Some(block) if block.is_known() => ask(volume, block, sources, domain, report).await,
            _ => None,
        };
        if let (Some(block), Some(configuration)) = (&volume.source, &answer)
            && let Permission::Entry(allowed) = sources.permission(&block.type_name)
        {
            let asked = configuration.grants.iter();
            for grant in asked.filter(|grant| !allowed.permits(grant)) {
                report.push(not_allowed(grant, block));
            }
        }
        configured.push(answer);
    }
    let configured = Configured(configured);
    attachment::check(source, sources, &configured, report);
    plan::check_generated_names(source, &configured, domain, report);
    configured
}

async fn ask(
    volume: &Volume,
    block: &VolumeSource,
    sources: &Sources,
    domain: &str,
    report: &mut Diagnostics,
) -> Option<Configuration> {
    let component = sources.find(&block.type_name)?;
    // The name a volume gets may depend on the answer; until then the domain's stands in for it.
    let name = volume.name.clone().unwrap_or_else(|| domain.to_string());
    let asked = component_volume(
        volume,
        &VolumeId {
            pool: volume.pool.clone(),
            name,
        },
        domain,
    );
    match component.configure(&asked, &options(block)).await {
        Ok(configuration) => {
            for said in &configuration.diagnostics {
                report.push(diagnostic(said, block));
            }
            let is_strangers =
                !matches!(sources.permission(&block.type_name), Permission::Template);
            if is_strangers && tells_a_secret(&configuration.defaults, block) {
                report.push(
                    Diagnostic::error(
                        block.origin.span(),
                        format!(
                            "the source `{}` would put the value of a sensitive option into the name or \
                             the kind of its volume, where everybody reads it",
                            block.type_name
                        ),
                    )
                    .help("this is a fault of the component, not of the template"),
                );
                return None;
            }
            Some(configuration)
        }
        Err(error) => {
            report.push(
                Diagnostic::error(block.origin.span(), error.to_string())
                    .help("this is a fault of the component, not of the template"),
            );
            None
        }
    }
}

/// Whether what becomes names and words of libvirt has one of the component's own secrets in it.
fn tells_a_secret(defaults: &Defaults, block: &VolumeSource) -> bool {
    let secrets = Secrets::of_block(block);
    let texts = [&defaults.name_suffix, &defaults.format, &defaults.bus];
    texts.into_iter().flatten().any(|text| secrets.are_in(text))
}

fn diagnostic(said: &lvhost_runtime::Diagnostic, block: &VolumeSource) -> Diagnostic {
    let span = block.span_of(&said.path);
    let option = said.path.split(['.', '[']).next().unwrap_or_default();
    let message = match option.is_empty() || said.message.contains(&format!("`{option}")) {
        true => said.message.clone(),
        // A component may leave out what it is about.
        false => format!("`{}`: {}", said.path, said.message),
    };
    let diagnostic = match said.severity {
        Severity::Error => Diagnostic::error(span, message),
        Severity::Warning => Diagnostic::warning(span, message),
    };
    match &said.help {
        Some(help) => diagnostic.help(help),
        None => diagnostic,
    }
}

/// Shown where the user has named the thing, if that is what was asked for.
fn not_allowed(grant: &Grant, block: &VolumeSource) -> Diagnostic {
    let place = match grant {
        Grant::Url(file) => place_of(block, &file.url),
        Grant::UrlsBelow(text)
        | Grant::Files(text)
        | Grant::HypervisorPath(text)
        | Grant::Post(text)
        | Grant::Secret(text) => place_of(block, text),
        Grant::Volume(id) => place_of(block, &id.name),
    };
    Diagnostic::error(
        place.unwrap_or_else(|| block.origin.span_of("type")),
        format!(
            "the source `{}` asks for {}, which is not allowed",
            block.type_name,
            permission::in_words(grant)
        ),
    )
    .help(permission::advice(&permission::line_for(grant)))
}

/// Where a text stands in a block.
pub(crate) fn place_of(block: &VolumeSource, text: &str) -> Option<Span> {
    let option = block.settings.iter().find_map(|setting| {
        let (name, value) = (&setting.name, setting.value.as_ref()?);
        let index = value.names().iter().position(|value| *value == text)?;
        Some(match value {
            SourceValue::TextList(_) => format!("{name}[{index}]"),
            _ => name.clone(),
        })
    })?;
    Some(block.span_of(&option))
}

/// The volume as a component gets to see it.
pub(crate) fn component_volume(volume: &Volume, id: &VolumeId, domain: &str) -> ComponentVolume {
    ComponentVolume {
        id: id.clone(),
        domain: domain.to_string(),
        device: volume.device.map(|device| match device {
            Device::Disk => lvhost_runtime::Device::Disk,
            Device::Cdrom => lvhost_runtime::Device::Cdrom,
            Device::Floppy => lvhost_runtime::Device::Floppy,
            Device::Lun => lvhost_runtime::Device::Lun,
        }),
        format: volume.format.clone(),
        capacity: volume.capacity.map(|capacity| capacity.0),
        read_only: volume.readonly,
    }
}

/// The options the user has set.
pub(crate) fn options(block: &VolumeSource) -> Vec<OptionSetting> {
    let known = block.settings.iter().filter_map(|setting| {
        let value = match setting.value.clone()? {
            SourceValue::Text(text) => OptionValue::Text(text),
            SourceValue::Integer(number) => OptionValue::Integer(number),
            SourceValue::Boolean(value) => OptionValue::Boolean(value),
            SourceValue::TextList(texts) => OptionValue::TextList(texts),
            SourceValue::TextMap(entries) => OptionValue::TextMap(entries.into_iter().collect()),
        };
        Some(OptionSetting {
            name: setting.name.clone(),
            value,
        })
    });
    known.collect()
}
