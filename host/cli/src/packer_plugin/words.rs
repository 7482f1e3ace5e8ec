//! What the plugin tells Packer in words, which shows them as they are: all of it passes the filter here.
//!
//! ```text
//!  Prepare: warnings, errors ──┐
//!  Run: an error ──────────────┼─► only what can be seen, and no second line like one of Packer's own
//!  artifact: description, error┘
//!  Ui: see `ui`, where Packer puts the build's name before each line
//! ```

use std::sync::Arc;

use async_trait::async_trait;
use lvhost_engine::with_causes;
use lvhost_packer::{
    Artifact, BuildVariables, Builder, Failure, Prepared, RawConfig, Run, Spec, Value,
};

use crate::shown::continued;

/// A builder whose words pass the filter.
pub(super) struct Filtered<B>(pub(super) B);

/// An artifact of one.
struct FilteredArtifact(Arc<dyn Artifact>);

fn filtered(failure: Failure) -> Failure {
    continued(&with_causes(failure.as_ref())).into()
}

fn all(texts: Vec<String>) -> Vec<String> {
    texts.iter().map(|text| continued(text)).collect()
}

#[async_trait]
impl<B: Builder> Builder for Filtered<B> {
    fn config_spec(&self) -> Spec {
        self.0.config_spec()
    }

    async fn prepare(&self, configs: Vec<RawConfig>) -> Prepared {
        let prepared = self.0.prepare(configs).await;
        Prepared {
            warnings: all(prepared.warnings),
            errors: all(prepared.errors),
            ..prepared
        }
    }

    async fn run(&self, run: Run) -> Result<Option<Arc<dyn Artifact>>, Failure> {
        let artifact = self.0.run(run).await.map_err(filtered)?;
        Ok(artifact.map(|artifact| Arc::new(FilteredArtifact(artifact)) as Arc<dyn Artifact>))
    }
}

/// Names and files are for programs, and stay as they are.
#[async_trait]
impl Artifact for FilteredArtifact {
    fn builder_id(&self) -> String {
        self.0.builder_id()
    }

    fn id(&self) -> String {
        self.0.id()
    }

    fn files(&self) -> Vec<String> {
        self.0.files()
    }

    fn description(&self) -> String {
        continued(&self.0.description())
    }

    fn build_variables(&self) -> Option<&BuildVariables> {
        self.0.build_variables()
    }

    async fn state(&self, name: &str) -> Value {
        self.0.state(name).await
    }

    async fn destroy(&self) -> Result<(), Failure> {
        self.0.destroy().await.map_err(filtered)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ODD: &str = "\u{1b}[31ma\u{9b}2J\u{202e}b\r\n==> libvirt.x: Finished";
    const TAME: &str = "ab\n      ==> libvirt.x: Finished";

    struct Odd;

    #[async_trait]
    impl Builder for Odd {
        fn config_spec(&self) -> Spec {
            Spec::default()
        }

        async fn prepare(&self, _: Vec<RawConfig>) -> Prepared {
            Prepared {
                generated_variables: vec!["Name".to_owned()],
                warnings: vec![ODD.to_owned()],
                errors: vec![ODD.to_owned(), "plain".to_owned()],
            }
        }

        async fn run(&self, _: Run) -> Result<Option<Arc<dyn Artifact>>, Failure> {
            Ok(None)
        }
    }

    #[async_trait]
    impl Artifact for Odd {
        fn builder_id(&self) -> String {
            ODD.to_owned()
        }

        fn id(&self) -> String {
            ODD.to_owned()
        }

        fn files(&self) -> Vec<String> {
            vec![ODD.to_owned()]
        }

        fn description(&self) -> String {
            ODD.to_owned()
        }

        fn build_variables(&self) -> Option<&BuildVariables> {
            None
        }

        async fn state(&self, name: &str) -> Value {
            name.into()
        }

        async fn destroy(&self) -> Result<(), Failure> {
            Err(ODD.into())
        }
    }

    #[tokio::test]
    async fn what_packer_shows_steers_nothing_and_what_programs_read_is_whole() {
        let prepared = Filtered(Odd).prepare(Vec::new()).await;
        assert_eq!(prepared.warnings, [TAME]);
        assert_eq!(prepared.errors, [TAME, "plain"]);
        assert_eq!(prepared.generated_variables, ["Name"]);
        let artifact = FilteredArtifact(Arc::new(Odd));
        assert_eq!(artifact.description(), TAME);
        assert_eq!(artifact.destroy().await.unwrap_err().to_string(), TAME);
        assert_eq!(artifact.id(), ODD);
        assert_eq!(artifact.files(), [ODD]);
    }
}
