//! The volume source `ignition`: the medium from which Fedora CoreOS, Flatcar and openSUSE MicroOS
//! configure themselves at their first boot, by [Ignition], [Combustion] or both.
//!
//! [Ignition]: https://coreos.github.io/ignition/
//! [Combustion]: https://github.com/openSUSE/combustion

#![forbid(unsafe_code)]

use lvhost_plugin_sdk::image::{Entry, Tree, iso9660};
use lvhost_plugin_sdk::{
    Configuration, Description, Device, Diagnostic, Error, Host, OptionSchema, Options, Recipe,
    Volume, VolumeSource, export_source, write_layout,
};

/// The label by which both programs find their medium.
const LABEL: &str = "ignition";

/// The options, and where on the medium their texts go.
const FILES: [(&str, &str); 2] = [
    ("config", "ignition/config.ign"),
    ("script", "combustion/script"),
];

/// See the crate.
pub struct Ignition;

impl VolumeSource for Ignition {
    fn describe() -> Description {
        Description::new(
            "ignition",
            "A medium from which Ignition and Combustion configure a guest",
        )
        .option(OptionSchema::text("config", "Ignition's configuration, JSON.").sensitive())
        .option(OptionSchema::text("script", "Combustion's script.").sensitive())
    }

    fn configure(_: &Volume, options: &Options) -> Configuration {
        let mut configuration = Configuration::default();
        if !FILES.iter().any(|(option, _)| options.is_set(option)) {
            configuration.report(
                Diagnostic::error("", "there is nothing to configure")
                    .help("set `config`, `script` or both"),
            );
        }
        if options
            .text("script")
            .is_some_and(|script| !script.starts_with("#!"))
        {
            configuration.report(
                Diagnostic::error("script", "the script does not say what is to run it")
                    .help("begin it with a line such as `#!/bin/bash`"),
            );
        }
        configuration.defaults.name_suffix = Some("ignition".to_owned());
        configuration.defaults.device = Some(Device::Cdrom);
        configuration.defaults.format = Some("raw".to_owned());
        configuration.defaults.read_only = Some(true);
        configuration
    }

    fn prepare(volume: &Volume, options: &Options, host: &dyn Host) -> Result<Recipe, Error> {
        let mut tree = Tree::new();
        for (option, path) in FILES {
            if let Some(text) = options.text(option) {
                tree.insert(Entry::bytes(path, text))
                    .map_err(Error::other)?;
            }
        }
        let disc = iso9660::Options {
            label: LABEL.to_owned(),
            timestamp: host.timestamp(),
            ..Default::default()
        };
        let layout = iso9660::layout(&tree, &disc).map_err(Error::other)?;
        volume.check_capacity("the medium", layout.length)?;
        write_layout(host, &layout, |index| {
            Err(Error::Invalid(format!(
                "the medium has no file number {index}"
            )))
        })?;
        Ok(Recipe::Image)
    }
}

export_source!(Ignition);

#[cfg(test)]
mod tests {
    use lvhost_plugin_sdk::OptionValue;
    use lvhost_plugin_sdk::testing::{FakeHost, volume};

    use super::*;

    #[test]
    fn the_medium_has_the_label_and_the_texts() {
        let script = "#!/bin/bash\nsystemctl enable sshd\n";
        let options = Options::default().with("script", OptionValue::text(script));
        let volume = volume("default", "seed");
        assert_eq!(Ignition::configure(&volume, &options).diagnostics, []);

        let host = FakeHost::new();
        assert_eq!(
            Ignition::prepare(&volume, &options, &host),
            Ok(Recipe::Image)
        );
        let image = host.written().bytes();
        let text = String::from_utf8_lossy(&image);
        assert!(text.contains(LABEL) && text.contains(script));
    }

    #[test]
    fn an_empty_medium_and_a_script_without_interpreter_are_refused() {
        for options in [
            Options::default(),
            Options::default().with("script", OptionValue::text("systemctl enable sshd")),
        ] {
            assert!(Ignition::configure(&volume("default", "seed"), &options).has_errors());
        }
    }
}
