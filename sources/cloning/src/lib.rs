//! The volume source `cloning`: a full copy of a volume that is already there, made by the
//! hypervisor.

#![forbid(unsafe_code)]

use lvhost_plugin_sdk::{
    Configuration, Description, Diagnostic, Error, Grant, Host, OptionSchema, Options, Recipe,
    Volume, VolumeId, VolumeSource, export_source,
};

/// See the crate.
pub struct Cloning;

impl VolumeSource for Cloning {
    fn describe() -> Description {
        Description::new("cloning", "A full copy of a volume that is already there")
            .alias("clone")
            .option(
                OptionSchema::text("pool", "The storage pool that the original is in.")
                    .default_is("the volume's own pool"),
            )
            .option(
                OptionSchema::text(
                    "volume",
                    "The original's name. The copy has its format unless the volume's `format` \
                     says otherwise, and grows to the volume's `capacity`.",
                )
                .required(),
            )
    }

    fn configure(volume: &Volume, options: &Options) -> Configuration {
        let mut configuration = Configuration::default();
        let original = original(volume, options);
        for (option, name) in [("pool", &original.pool), ("volume", &original.name)] {
            if let Err(problem) = VolumeId::check_name(name) {
                configuration.report(Diagnostic::error(option, problem));
            }
        }
        if original == volume.id {
            configuration.report(
                Diagnostic::error("volume", format!("{original} would be a copy of itself"))
                    .help("give the volume another `name`"),
            );
        }
        if !configuration.has_errors() {
            configuration.need(Grant::Volume(original));
        }
        configuration
    }

    fn prepare(volume: &Volume, options: &Options, host: &dyn Host) -> Result<Recipe, Error> {
        let original = original(volume, options);
        let facts = host.volume_facts(&original)?;
        volume.check_capacity(&format!("the original `{original}`"), facts.capacity)?;
        Ok(Recipe::Clone(original))
    }
}

export_source!(Cloning);

fn original(volume: &Volume, options: &Options) -> VolumeId {
    let pool = options.text("pool").unwrap_or(&volume.id.pool);
    VolumeId::new(pool, options.text("volume").unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use lvhost_plugin_sdk::testing::{FakeHost, volume};
    use lvhost_plugin_sdk::{Facts, OptionValue};

    use super::*;

    fn host() -> FakeHost {
        let facts = Facts {
            capacity: 4096,
            format: "raw".to_owned(),
            path: "/images/debian".to_owned(),
            backing: None,
        };
        FakeHost::new()
            .with_volume(VolumeId::new("base", "debian"), facts.clone())
            .with_volume(VolumeId::new("default", "debian"), facts)
    }

    #[test]
    fn the_original_is_in_the_named_pool_or_the_volumes_own() {
        let own = Options::default().with("volume", OptionValue::text("debian"));
        let named = own.clone().with("pool", OptionValue::text("base"));
        for (options, pool) in [(own, "default"), (named, "base")] {
            let volume = volume("default", "a");
            let id = VolumeId::new(pool, "debian");
            let configuration = Cloning::configure(&volume, &options);
            assert_eq!(configuration.diagnostics, []);
            assert_eq!(configuration.grants, [Grant::Volume(id.clone())]);
            assert_eq!(
                configuration.defaults.format, None,
                "the original's is kept"
            );
            assert_eq!(
                Cloning::prepare(&volume, &options, &host()),
                Ok(Recipe::Clone(id))
            );
        }
    }

    #[test]
    fn names_that_can_not_be_and_the_volumes_own_are_refused() {
        for (name, message) in [("", "is empty"), ("a/b", "a path"), ("a", "copy of itself")] {
            let options = Options::default().with("volume", OptionValue::text(name));
            let configuration = Cloning::configure(&volume("default", "a"), &options);
            assert!(configuration.has_errors());
            assert!(configuration.diagnostics[0].message.contains(message));
            assert_eq!(configuration.grants, []);
        }
    }

    #[test]
    fn a_missing_original_and_one_that_is_too_large_are_errors() {
        let missing = Options::default().with("volume", OptionValue::text("fedora"));
        let error = Cloning::prepare(&volume("default", "a"), &missing, &host());
        assert!(matches!(error, Err(Error::NotFound(_))));

        let mut small = volume("default", "a");
        small.capacity = Some(1024);
        let options = Options::default().with("volume", OptionValue::text("debian"));
        let error = Cloning::prepare(&small, &options, &host()).unwrap_err();
        assert!(error.message().contains("1024 bytes"), "{error:?}");
        assert!(error.message().contains("4096 bytes"), "{error:?}");
    }
}
