//! The volume source `backing-store`: a copy-on-write overlay of a volume that is already there.

#![forbid(unsafe_code)]

use lvhost_plugin_sdk::{
    Base, Configuration, Description, Diagnostic, Error, Grant, Host, OptionSchema, Options,
    Recipe, Volume, VolumeId, VolumeSource, export_source,
};

/// Formats that can be an overlay of another image.
const OVERLAY_FORMATS: [&str; 4] = ["qcow2", "qcow", "qed", "vmdk"];

/// See the crate.
pub struct BackingStore;

impl VolumeSource for BackingStore {
    fn describe() -> Description {
        Description::new(
            "backing-store",
            "An overlay of a volume that is already there",
        )
        .alias("backingstore")
        .option(
            OptionSchema::text("pool", "The storage pool that the base volume is in.")
                .default_is("the volume's own pool"),
        )
        .option(OptionSchema::text(
            "volume",
            "The base volume's name. It is only read from, and must stay unchanged for as long \
                 as the overlay is in use.",
        ))
        .option(OptionSchema::text(
            "path",
            "The absolute path of the base image on the hypervisor, in place of `pool` and \
                 `volume`.",
        ))
    }

    fn configure(volume: &Volume, options: &Options) -> Configuration {
        let mut configuration = Configuration::default();
        configuration.diagnostics.extend(check_format(volume));
        match base(volume, options) {
            Ok(Base::Volume(id)) => configuration.need(Grant::Volume(id)),
            Ok(Base::HypervisorPath(path)) => configuration.need(Grant::HypervisorPath(path)),
            Err(diagnostic) => configuration.report(diagnostic),
        }
        configuration.defaults.format = Some("qcow2".to_owned());
        configuration
    }

    fn prepare(volume: &Volume, options: &Options, host: &dyn Host) -> Result<Recipe, Error> {
        let base =
            base(volume, options).map_err(|diagnostic| Error::Invalid(diagnostic.message))?;
        let facts = match &base {
            Base::Volume(id) => Some(host.volume_facts(id)?),
            Base::HypervisorPath(path) => host.path_facts(path)?,
        };
        if let Some(facts) = facts {
            volume.check_capacity(&format!("the base `{}`", facts.path), facts.capacity)?;
        }
        Ok(Recipe::Overlay(base))
    }
}

export_source!(BackingStore);

fn base(volume: &Volume, options: &Options) -> Result<Base, Diagnostic> {
    match (options.text("path"), options.text("volume")) {
        (Some(path), None) if !options.is_set("pool") => {
            if is_absolute(path) {
                Ok(Base::HypervisorPath(path.to_owned()))
            } else {
                Err(
                    Diagnostic::error("path", format!("{path:?} is not an absolute path")).help(
                        "give the path as the hypervisor knows it, from `/` on and without `..`",
                    ),
                )
            }
        }
        (Some(_), _) => Err(
            Diagnostic::error("path", "`path` excludes `pool` and `volume`")
                .help("give either the path of the base, or its pool and volume"),
        ),
        (None, Some(name)) => {
            let pool = options.text("pool").unwrap_or(&volume.id.pool);
            for (option, name) in [("pool", pool), ("volume", name)] {
                VolumeId::check_name(name).map_err(|problem| Diagnostic::error(option, problem))?;
            }
            let id = VolumeId::new(pool, name);
            if id == volume.id {
                return Err(Diagnostic::error(
                    "volume",
                    format!("the volume {id} would be an overlay of itself"),
                )
                .help("give the volume another `name`"));
            }
            Ok(Base::Volume(id))
        }
        (None, None) => Err(Diagnostic::error("", "the base is missing")
            .help("set `volume`, and `pool` if it is in another pool; or set `path`")),
    }
}

fn is_absolute(path: &str) -> bool {
    path.starts_with('/')
        && path.split('/').all(|part| part != "..")
        && !path.contains(char::is_control)
}

fn check_format(volume: &Volume) -> Option<Diagnostic> {
    let format = volume.format.as_deref()?;
    (!OVERLAY_FORMATS.contains(&format)).then(|| {
        Diagnostic::error(
            "",
            format!("a volume of the format `{format}` can't be an overlay"),
        )
        .help(
            "set the volume's `format` to `qcow2` or leave it out; for a full copy use the \
                   source type `cloning`",
        )
    })
}

#[cfg(test)]
mod tests {
    use lvhost_plugin_sdk::testing::{FakeHost, volume};
    use lvhost_plugin_sdk::{Facts, OptionValue};

    use super::*;

    fn options(settings: &[(&str, &str)]) -> Options {
        settings
            .iter()
            .fold(Options::default(), |options, (name, value)| {
                options.with(name, OptionValue::text(*value))
            })
    }

    fn base_facts() -> Facts {
        Facts {
            capacity: 4096,
            format: "raw".to_owned(),
            path: "/images/debian".to_owned(),
            backing: None,
        }
    }

    #[test]
    fn the_base_is_a_volume_or_a_path() {
        let in_own_pool = VolumeId::new("default", "debian");
        let in_other_pool = VolumeId::new("base", "debian");
        let path = "/images/debian".to_owned();
        let cases = [
            (options(&[("volume", "debian")]), Grant::Volume(in_own_pool)),
            (
                options(&[("volume", "debian"), ("pool", "base")]),
                Grant::Volume(in_other_pool),
            ),
            (
                options(&[("path", "/images/debian")]),
                Grant::HypervisorPath(path),
            ),
        ];
        for (options, grant) in cases {
            let configuration = BackingStore::configure(&volume("default", "a"), &options);
            assert_eq!(configuration.diagnostics, []);
            assert_eq!(configuration.grants, [grant]);
            assert_eq!(configuration.defaults.format.as_deref(), Some("qcow2"));
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused_at_validation() {
        let cases = [
            (options(&[]), "", "the base is missing"),
            (options(&[("pool", "base")]), "", "the base is missing"),
            (options(&[("volume", "")]), "volume", "is empty"),
            (options(&[("volume", "a")]), "volume", "overlay of itself"),
            (
                options(&[("path", "debian")]),
                "path",
                "not an absolute path",
            ),
            (
                options(&[("path", "/debian"), ("pool", "base")]),
                "path",
                "excludes",
            ),
        ];
        for (options, path, message) in cases {
            let configuration = BackingStore::configure(&volume("default", "a"), &options);
            let [diagnostic] = &configuration.diagnostics[..] else {
                panic!("{options:?}: {:?}", configuration.diagnostics)
            };
            assert_eq!(diagnostic.path, path);
            assert!(
                diagnostic.message.contains(message),
                "{options:?}: {diagnostic:?}"
            );
            assert!(configuration.has_errors());
        }
    }

    #[test]
    fn an_overlay_needs_a_format_with_a_base() {
        for (format, accepted) in [("qcow2", true), ("raw", false), ("iso", false)] {
            let mut volume = volume("default", "a");
            volume.format = Some(format.to_owned());
            let configuration = BackingStore::configure(&volume, &options(&[("volume", "debian")]));
            assert_eq!(!configuration.has_errors(), accepted, "{format}");
        }
    }

    #[test]
    fn the_recipe_is_an_overlay() {
        let id = VolumeId::new("base", "debian");
        let host = FakeHost::new().with_volume(id.clone(), base_facts());
        let named = options(&[("volume", "debian"), ("pool", "base")]);
        assert_eq!(
            BackingStore::prepare(&volume("default", "a"), &named, &host),
            Ok(Recipe::Overlay(Base::Volume(id)))
        );
        for path in ["/images/debian", "/images/unknown-to-pools"] {
            assert_eq!(
                BackingStore::prepare(&volume("default", "a"), &options(&[("path", path)]), &host),
                Ok(Recipe::Overlay(Base::HypervisorPath(path.to_owned())))
            );
        }
    }

    #[test]
    fn a_missing_base_and_one_that_is_too_large_fail_before_anything_is_made() {
        let host = FakeHost::new().with_volume(VolumeId::new("default", "debian"), base_facts());
        let error =
            BackingStore::prepare(&volume("default", "a"), &options(&[("volume", "b")]), &host);
        assert!(matches!(error, Err(Error::NotFound(_))));

        let mut small = volume("default", "a");
        small.capacity = Some(1024);
        let error = BackingStore::prepare(&small, &options(&[("volume", "debian")]), &host);
        let message = error.unwrap_err().message().to_owned();
        assert!(
            message.contains("1024 bytes") && message.contains("4096 bytes"),
            "{message}"
        );
    }
}
