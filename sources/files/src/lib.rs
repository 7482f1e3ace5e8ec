//! The volume source `files`: a CD or a floppy of files from the user's machine and of texts from
//! the template.

#![forbid(unsafe_code)]

mod collection;

use collection::Collection;
use lvhost_plugin_sdk::image::{Image, Tree, fat12, iso9660};
use lvhost_plugin_sdk::{
    Configuration, Description, Device, Diagnostic, Error, Grant, Host, OptionSchema, Options,
    Recipe, Volume, VolumeSource, export_source, write_layout,
};

/// The label if the user gives none: Packer's own for the CDs and floppies it makes.
const DEFAULT_LABEL: &str = "packer";

/// See the crate.
pub struct Files;

/// What the guest takes the volume for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Medium {
    Cd,
    Floppy,
}

impl VolumeSource for Files {
    fn describe() -> Description {
        Description::new("files", "A CD or a floppy of files")
            .option(OptionSchema::text_list(
                "files",
                "Paths or patterns of files and directories. Each goes to the root of the CD or \
                 floppy by its own name; directories go there with all that is in them. With a `/` \
                 at the end of a directory's path only what is in it.",
            ))
            .option(
                OptionSchema::text_map(
                    "contents",
                    "Texts by the path that they get on the CD or floppy. They take precedence \
                     over files of the same path.",
                )
                .sensitive(),
            )
            .option(
                OptionSchema::text(
                    "label",
                    "The label of the CD (32 characters at most) or floppy (11 at most).",
                )
                .default_is(DEFAULT_LABEL),
            )
    }

    fn configure(volume: &Volume, options: &Options) -> Configuration {
        let mut configuration = Configuration::default();
        let files = options.text_list("files").unwrap_or_default();
        let contents = options.text_map("contents").unwrap_or_default();
        if files.is_empty() && contents.is_empty() {
            configuration.report(
                Diagnostic::error("", "there is nothing to put on it")
                    .help("set `files`, `contents` or both"),
            );
        }
        for (index, pattern) in files.iter().enumerate() {
            if pattern.is_empty() || pattern.contains(char::is_control) {
                let message = format!("{pattern:?} can't be a path");
                configuration.report(Diagnostic::error(format!("files[{index}]"), message));
            } else {
                configuration.need(Grant::Files(pattern.clone()));
            }
        }
        let mut collection = Collection::default();
        for (path, text) in contents {
            if let Err(error) = collection.put_text(path, text) {
                configuration.report(Diagnostic::error(format!("contents[{path:?}]"), error));
            }
        }
        match medium(volume) {
            Ok(medium) => {
                if let Err(error) = medium.layout(&Tree::new(), label(options), 0) {
                    configuration.report(Diagnostic::error("label", error));
                }
                configuration.defaults.device = Some(medium.device());
                configuration.defaults.read_only = (medium == Medium::Cd).then_some(true);
            }
            Err(diagnostic) => configuration.report(diagnostic),
        }
        if let Some(format) = volume.format.as_deref().filter(|format| *format != "raw") {
            configuration.report(
                Diagnostic::warning("", format!("CDs and floppies are raw, not `{format}`"))
                    .help("leave out the volume's `format`; it has no effect"),
            );
        }
        configuration.defaults.format = Some("raw".to_owned());
        configuration
    }

    fn prepare(volume: &Volume, options: &Options, host: &dyn Host) -> Result<Recipe, Error> {
        let medium = medium(volume).map_err(|diagnostic| Error::Invalid(diagnostic.message))?;
        let mut collection = Collection::default();
        for pattern in options.text_list("files").unwrap_or_default() {
            collection.add_matches(pattern, host)?;
        }
        for (path, text) in options.text_map("contents").unwrap_or_default() {
            collection.put_text(path, text).map_err(Error::Other)?;
        }
        let layout = medium
            .layout(collection.tree(), label(options), host.timestamp())
            .map_err(Error::Other)?;
        volume.check_capacity(medium.noun(), layout.length)?;
        write_layout(host, &layout, |index| collection.open(index))?;
        Ok(Recipe::Image)
    }
}

export_source!(Files);

impl Medium {
    fn device(self) -> Device {
        match self {
            Self::Cd => Device::Cdrom,
            Self::Floppy => Device::Floppy,
        }
    }

    fn noun(self) -> &'static str {
        match self {
            Self::Cd => "the CD",
            Self::Floppy => "the floppy",
        }
    }

    fn layout(self, tree: &Tree, label: &str, timestamp: u64) -> Result<Image, String> {
        let label = label.to_owned();
        match self {
            Self::Cd => {
                let options = iso9660::Options {
                    label,
                    timestamp,
                    ..Default::default()
                };
                iso9660::layout(tree, &options).map_err(|error| error.to_string())
            }
            Self::Floppy => {
                let options = fat12::Options { label, timestamp };
                fat12::layout(tree, &options).map_err(|error| error.to_string())
            }
        }
    }
}

fn label(options: &Options) -> &str {
    options
        .text("label")
        .filter(|label| !label.is_empty())
        .unwrap_or(DEFAULT_LABEL)
}

fn medium(volume: &Volume) -> Result<Medium, Diagnostic> {
    match volume.device {
        None | Some(Device::Cdrom) => Ok(Medium::Cd),
        Some(Device::Floppy) => Ok(Medium::Floppy),
        Some(device @ (Device::Disk | Device::Lun)) => Err(Diagnostic::error(
            "",
            format!("files can't be put on a {}", device.name()),
        )
        .help("set the volume's `device` to `cdrom` or `floppy`")),
    }
}

#[cfg(test)]
mod tests;
