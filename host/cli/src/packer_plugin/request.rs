//! What Packer wants: the options of a source, and what it says of the build beside them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use lvhost_engine::go_template::{BuildFacts, Functions, JsonFacts};
use lvhost_engine::{Identity, OnError};
use lvhost_packer::{Map, Origin, RawConfig, Value};
use secrecy::SecretString;

use crate::surroundings::Surroundings;

/// How everything that Packer says begins.
const OF_PACKER: &str = "packer_";

/// The configurations of one source, merged.
#[derive(Debug, Clone)]
pub(super) struct Request {
    /// The options, without those of Packer.
    pub(super) options: Map,
    /// They have come from a template in HCL: evaluated and converted, and with placeholders for what is
    /// not known yet.
    pub(super) is_hcl: bool,
    /// The name of the source.
    pub(super) build_name: String,
    /// What the template calls this builder.
    pub(super) builder_type: String,
    /// Packer's version.
    pub(super) packer_version: String,
    /// The user wants to look around after each step.
    pub(super) debug: bool,
    /// What is in the way may be replaced.
    pub(super) force: bool,
    /// What becomes of a failed build.
    pub(super) on_error: OnError,
    /// The variables of a JSON template.
    pub(super) user_variables: BTreeMap<String, String>,
    /// The names of those among them that are not shown.
    pub(super) sensitive_variables: Vec<String>,
    /// The folder of a JSON template.
    pub(super) template_directory: Option<PathBuf>,
    /// Where the names of the build come from.
    pub(super) identity: Identity,
}

impl Request {
    /// Merges `configs`: what is set in a later one takes the place of what an earlier one has.
    ///
    /// # Errors
    /// Something that Packer says and that nobody can follow.
    pub(super) fn new(configs: Vec<RawConfig>) -> Result<Self, String> {
        let is_hcl = configs.iter().any(|config| config.origin == Origin::Hcl);
        let mut options = Map::new();
        for config in configs {
            let set = config.values.into_iter();
            options.extend(set.filter(|(_, value)| *value != Value::Null));
        }
        let of_packer: Map = options
            .extract_if(.., |name, _| name.starts_with(OF_PACKER))
            .collect();
        let text = |name: &str| of_packer.get(name).and_then(Value::as_str);
        let is_on = |name: &str| match of_packer.get(name) {
            Some(Value::Bool(value)) => *value,
            // In what comes with a template in HCL, everything is text.
            Some(value) => value.as_str() == Some("true"),
            None => false,
        };
        let template = text("packer_template_path").map(PathBuf::from);
        Ok(Self {
            is_hcl,
            build_name: text("packer_build_name").unwrap_or_default().to_owned(),
            builder_type: text("packer_builder_type").unwrap_or_default().to_owned(),
            packer_version: text("packer_core_version").unwrap_or_default().to_owned(),
            debug: is_on("packer_debug"),
            force: is_on("packer_force"),
            on_error: on_error(text("packer_on_error").unwrap_or_default())?,
            user_variables: texts(of_packer.get("packer_user_variables")),
            sensitive_variables: names(of_packer.get("packer_sensitive_variables")),
            template_directory: template.and_then(|template| template.parent().map(PathBuf::from)),
            identity: Identity::random(),
            options,
        })
    }
}

impl Request {
    /// The values of the variables that a JSON template calls sensitive. Packer shows a template in HCL without
    /// the values of its own, and tells no plugin what they are.
    pub(super) fn secrets(&self) -> impl Iterator<Item = SecretString> + '_ {
        let names = self.sensitive_variables.iter();
        let values = names.filter_map(|name| self.user_variables.get(name));
        values.map(|value| SecretString::from(value.as_str()))
    }

    /// Packer's functions, for the texts of the source.
    pub(super) fn functions(&self, surroundings: &Surroundings) -> Functions {
        let directory = self.template_directory.as_ref();
        let json = (!self.is_hcl).then(|| JsonFacts {
            variables: self.user_variables.clone(),
            directory: directory.map(|path| path.to_string_lossy().into_owned()),
        });
        Functions::new(BuildFacts {
            build_name: self.build_name.clone(),
            build_type: self.builder_type.clone(),
            packer_version: self.packer_version.clone(),
            json,
            ..surroundings.build_facts()
        })
    }
}

fn on_error(word: &str) -> Result<OnError, String> {
    Ok(match word {
        "" | "cleanup" => OnError::CleanUp,
        "abort" => OnError::Abort,
        "ask" => OnError::Ask,
        "run-cleanup-provisioner" => OnError::RunCleanUpProvisioner,
        other => return Err(format!("`-on-error={other}` is not known to this plugin")),
    })
}

fn names(value: Option<&Value>) -> Vec<String> {
    let names = value.and_then(Value::as_list).into_iter().flatten();
    names.filter_map(Value::as_str).map(str::to_owned).collect()
}

fn texts(value: Option<&Value>) -> BTreeMap<String, String> {
    let entries = value.and_then(Value::as_map).into_iter().flatten();
    entries
        .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
        .collect()
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn config<const N: usize>(origin: Origin, values: [(&str, Value); N]) -> RawConfig {
        let values = values.map(|(name, value)| (name.to_owned(), value));
        RawConfig {
            origin,
            values: Map::from(values),
        }
    }

    #[test]
    fn hcl_has_packers_words_first_and_null_sets_nothing() {
        let request = Request::new(vec![
            config(
                Origin::Packer,
                [
                    ("packer_build_name", "a".into()),
                    ("packer_builder_type", "libvirt".into()),
                    ("packer_debug", "true".into()),
                    ("packer_force", "false".into()),
                    ("packer_on_error", "run-cleanup-provisioner".into()),
                ],
            ),
            config(
                Origin::Hcl,
                [
                    ("packer_build_name", Value::Null),
                    ("packer_debug", Value::Null),
                    ("arch", "x86_64".into()),
                    ("memory", Value::Null),
                ],
            ),
        ])
        .unwrap();
        assert!(request.is_hcl && request.debug && !request.force);
        assert_eq!(request.build_name, "a");
        assert_eq!(request.on_error, OnError::RunCleanUpProvisioner);
        assert_eq!(
            request.options,
            Map::from([("arch".to_owned(), "x86_64".into())])
        );
    }

    #[test]
    fn json_has_them_last_with_variables_and_the_template() {
        let variables = Map::from([
            ("a".to_owned(), "1".into()),
            ("unset".to_owned(), Value::Null),
        ]);
        let request = Request::new(vec![
            config(Origin::Packer, [("memory", Value::from(512))]),
            config(
                Origin::Packer,
                [
                    ("packer_debug", Value::Bool(false)),
                    ("packer_force", Value::Bool(true)),
                    ("packer_user_variables", variables.into()),
                    (
                        "packer_sensitive_variables",
                        Value::List(vec!["a".into(), "unset".into()]),
                    ),
                    ("packer_template_path", "/somewhere/t.json".into()),
                ],
            ),
        ])
        .unwrap();
        assert!(!request.is_hcl && !request.debug && request.force);
        assert_eq!(
            request.user_variables,
            BTreeMap::from([("a".to_owned(), "1".to_owned())])
        );
        let secrets: Vec<_> = request.secrets().collect();
        assert_eq!(secrets.len(), 1);
        assert_eq!(secrets[0].expose_secret(), "1");
        assert_eq!(request.template_directory, Some("/somewhere".into()));
    }

    #[test]
    fn a_policy_that_is_not_known_is_no_cleanup_by_accident() {
        let configs = vec![config(Origin::Packer, [("packer_on_error", "keep".into())])];
        let error = Request::new(configs).unwrap_err();
        assert_eq!(error, "`-on-error=keep` is not known to this plugin");
    }
}
