//! The volume source `cloud-init`: a CD from which cloud-init configures a guest at its first boot
//! (the [NoCloud] data source).
//!
//! [NoCloud]: https://cloudinit.readthedocs.io/en/latest/reference/datasources/nocloud.html

#![forbid(unsafe_code)]

mod user_data;

use lvhost_plugin_sdk::image::{Entry, Image, Tree, iso9660};
use lvhost_plugin_sdk::{
    Configuration, Description, Device, Diagnostic, Error, Host, OptionSchema, Options, Recipe,
    Volume, VolumeSource, export_source, write_layout,
};

/// The label by which cloud-init finds its disk.
const LABEL: &str = "cidata";

/// See the crate.
pub struct CloudInit;

impl VolumeSource for CloudInit {
    fn describe() -> Description {
        Description::new(
            "cloud-init",
            "A CD from which cloud-init configures the guest",
        )
        .alias("cloudinit")
        .option(
            OptionSchema::text(
                "meta_data",
                "What cloud-init is to know of the instance, as YAML or JSON. cloud-init takes \
                     a guest for a new one when the `instance-id` in it has changed. For the \
                     network see `network_config`.",
            )
            .default_is("an `instance-id` that is the domain's name"),
        )
        .option(
            OptionSchema::text(
                "user_data",
                "What cloud-init is to do, in one of \
                     [its formats](https://docs.cloud-init.io/en/latest/explanation/format.html), \
                     such as a text that begins with `#cloud-config`.",
            )
            .sensitive(),
        )
        .option(
            OptionSchema::text(
                "vendor_data",
                "As `user_data`, which takes precedence over it.",
            )
            .sensitive(),
        )
        .option(OptionSchema::text(
            "network_config",
            "The network's configuration, version 1 or 2, as YAML or JSON. Without it \
                 cloud-init asks for an address by DHCP on the first interface.",
        ))
    }

    fn configure(volume: &Volume, options: &Options) -> Configuration {
        let mut configuration = Configuration::default();
        configuration.diagnostics.extend(check_volume(volume));
        configuration
            .diagnostics
            .extend(options.text("meta_data").and_then(check_meta_data));
        for name in ["user_data", "vendor_data"] {
            let text = options.text(name).unwrap_or_default();
            configuration
                .diagnostics
                .extend(user_data::check(name, text));
        }
        configuration.defaults.name_suffix = Some("cloudinit".to_owned());
        configuration.defaults.device = Some(Device::Cdrom);
        configuration.defaults.format = Some("raw".to_owned());
        configuration.defaults.read_only = Some(true);
        configuration
    }

    fn prepare(volume: &Volume, options: &Options, host: &dyn Host) -> Result<Recipe, Error> {
        let disc = disc(volume, options, host.timestamp())?;
        volume.check_capacity("the cloud-init CD", disc.length)?;
        write_layout(host, &disc, |index| {
            Err(Error::Invalid(format!(
                "the cloud-init CD has no file number {index}"
            )))
        })?;
        Ok(Recipe::Image)
    }
}

export_source!(CloudInit);

/// Lays out the CD. cloud-init takes a disk without `meta-data` or `user-data` for none of its own,
/// and an empty `vendor-data` keeps it from looking for one elsewhere, so these are always there.
fn disc(volume: &Volume, options: &Options, timestamp: u64) -> Result<Image, Error> {
    let text = |name| options.text(name).unwrap_or_default();
    let meta_data = options.text("meta_data").map_or_else(
        || format!("instance-id: {}\n", yaml_text(&volume.domain)),
        str::to_owned,
    );
    let mut files = vec![
        ("meta-data", meta_data.as_str()),
        ("user-data", text("user_data")),
        ("vendor-data", text("vendor_data")),
    ];
    // An empty one would be read as a configuration without any interface.
    if !text("network_config").trim().is_empty() {
        files.push(("network-config", text("network_config")));
    }
    let mut tree = Tree::new();
    for (name, contents) in files {
        tree.insert(Entry::bytes(name, contents))
            .map_err(Error::other)?;
    }
    let options = iso9660::Options {
        label: LABEL.to_owned(),
        timestamp,
        ..Default::default()
    };
    iso9660::layout(&tree, &options).map_err(Error::other)
}

/// A text in double quotes, as YAML 1.2 §7.3.1 reads it: a domain called `0x10` or `true` must not
/// become a number or a truth value.
fn yaml_text(text: &str) -> String {
    let mut quoted = String::from('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            control if control.is_control() => {
                quoted.push_str(&format!("\\u{:04x}", u32::from(control)));
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

fn check_volume(volume: &Volume) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    if let Some(device @ (Device::Floppy | Device::Lun)) = volume.device {
        diagnostics.push(
            Diagnostic::error("", format!("a cloud-init CD can't be a {}", device.name()))
                .help("set the volume's `device` to `cdrom` or leave it out"),
        );
    }
    if let Some(format) = volume.format.as_deref().filter(|format| *format != "raw") {
        diagnostics.push(
            Diagnostic::warning("", format!("a cloud-init CD is raw, not `{format}`"))
                .help("leave out the volume's `format`; it has no effect"),
        );
    }
    diagnostics
}

/// Misses an `instance-id` that is only spelt in a comment; it is a warning, no parser.
fn check_meta_data(meta_data: &str) -> Option<Diagnostic> {
    if meta_data.contains("instance-id") {
        return None;
    }
    let help = if meta_data.contains("instance_id") {
        "write `instance-id`, with a dash"
    } else {
        "add `instance-id` with a value that is new for each build"
    };
    let message = "without an `instance-id` every guest is the same instance to cloud-init, and \
                   what it does once per instance is not done again";
    Some(Diagnostic::warning("meta_data", message).help(help))
}

#[cfg(test)]
mod tests;
