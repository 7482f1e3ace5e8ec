//! How Packer starts a plugin: arguments and environment.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use crate::describe::BUILDER;
use crate::spec::SpecEncoding;

/// What has to be in the environment for a plugin to serve: not a secret, but proof that Packer and not
/// a person has started it.
const COOKIE: (&str, &str) = (
    "PACKER_PLUGIN_MAGIC_COOKIE",
    "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2",
);

/// The ports that Packer lets plugins use unless it says otherwise.
const PORTS: RangeInclusive<u16> = 10_000..=25_000;

/// What a plugin is started for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Invocation {
    /// To print what it is: see [`describe`](crate::describe()), and to do nothing else.
    Describe,
    /// To serve as a builder: see [`Listener`](crate::Listener) and [`serve`](crate::serve()).
    Builder {
        /// What Packer wants the options' description in.
        encoding: SpecEncoding,
        /// Where Packer may be waited for.
        endpoints: Endpoints,
    },
}

/// Where a plugin may wait for Packer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    /// The folder for a socket, which is tried first.
    pub directory: PathBuf,
    /// The ports of 127.0.0.1 to try where no socket can be made, such as in a folder whose path is
    /// too long for one.
    pub ports: RangeInclusive<u16>,
}

/// Why a plugin does not start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LaunchError {
    /// A person has started it.
    #[error(
        "this is a plugin for Packer and not to be run directly: install it with \
         `packer plugins install --path FILE github.com/OWNER/NAME` and use it in a template"
    )]
    NotPacker,
    /// It was started as something that it is not.
    #[error("this plugin is a builder and can't be started with the arguments `{0}`")]
    Arguments(String),
    /// Packer's environment makes no sense.
    #[error("{name} is `{value}` and not the number of a port")]
    Port {
        /// The variable.
        name: &'static str,
        /// What it holds.
        value: String,
    },
}

impl Invocation {
    /// Reads the `arguments` after the program's own name, and what it needs of the environment through
    /// `variable`.
    ///
    /// # Errors
    /// [`LaunchError`]: to be printed on standard error, with exit status 1.
    pub fn parse(
        arguments: impl IntoIterator<Item = String>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, LaunchError> {
        let arguments: Vec<String> = arguments.into_iter().collect();
        if arguments.first().is_some_and(|first| first == "describe") {
            return Ok(Self::Describe);
        }
        if variable(COOKIE.0).as_deref() != Some(COOKIE.1) {
            return Err(LaunchError::NotPacker);
        }
        // Switches that a later Packer may have are none of ours.
        let (switches, words): (Vec<&str>, Vec<&str>) = arguments
            .iter()
            .map(String::as_str)
            .partition(|argument| argument.starts_with("--"));
        if words != ["start", "builder", BUILDER] {
            return Err(LaunchError::Arguments(arguments.join(" ")));
        }
        let port = |name: &'static str, default: u16| match variable(name) {
            None => Ok(default),
            Some(value) if value.is_empty() => Ok(default),
            Some(value) => value.parse().map_err(|_| LaunchError::Port { name, value }),
        };
        let ports = port("PACKER_PLUGIN_MIN_PORT", *PORTS.start())?
            ..=port("PACKER_PLUGIN_MAX_PORT", *PORTS.end())?;
        let directory = variable("TMPDIR").filter(|directory| !directory.is_empty());
        Ok(Self::Builder {
            encoding: if switches.contains(&"--protobuf") {
                SpecEncoding::Protobuf
            } else {
                SpecEncoding::Gob
            },
            endpoints: Endpoints {
                directory: directory.map_or_else(|| PathBuf::from("/tmp"), PathBuf::from),
                ports,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str, environment: &[(&str, &str)]) -> Result<Invocation, LaunchError> {
        let variable = |name: &str| {
            environment
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| value.to_string())
        };
        Invocation::parse(line.split_whitespace().map(str::to_owned), variable)
    }

    #[test]
    fn the_switch_decides_on_the_encoding_wherever_it_stands() {
        let cases = [
            (
                "start builder -packer-default-plugin-name-",
                SpecEncoding::Gob,
            ),
            (
                "start builder --protobuf -packer-default-plugin-name-",
                SpecEncoding::Protobuf,
            ),
            (
                "start --protobuf builder -packer-default-plugin-name-",
                SpecEncoding::Protobuf,
            ),
            (
                "start builder --new=1 -packer-default-plugin-name-",
                SpecEncoding::Gob,
            ),
        ];
        for (line, expected) in cases {
            let endpoints = Endpoints {
                directory: "/tmp".into(),
                ports: 10_000..=25_000,
            };
            let invocation = Invocation::Builder {
                encoding: expected,
                endpoints,
            };
            assert_eq!(parse(line, &[COOKIE]), Ok(invocation), "{line}");
        }
    }

    #[test]
    fn the_environment_says_where_packer_may_be_waited_for() {
        let environment = [
            COOKIE,
            ("PACKER_PLUGIN_MIN_PORT", "1"),
            ("PACKER_PLUGIN_MAX_PORT", "2"),
            ("TMPDIR", "/var/tmp"),
        ];
        let invocation = parse("start builder -packer-default-plugin-name-", &environment);
        let endpoints = Endpoints {
            directory: "/var/tmp".into(),
            ports: 1..=2,
        };
        assert_eq!(
            invocation,
            Ok(Invocation::Builder {
                encoding: SpecEncoding::Gob,
                endpoints
            })
        );
    }

    #[test]
    fn only_packer_starts_a_plugin_and_only_what_it_is() {
        assert_eq!(parse("describe", &[]), Ok(Invocation::Describe));
        for line in ["", "start builder -packer-default-plugin-name-"] {
            assert_eq!(parse(line, &[]), Err(LaunchError::NotPacker), "{line}");
            assert_eq!(
                parse(line, &[(COOKIE.0, "no")]),
                Err(LaunchError::NotPacker),
                "{line}"
            );
        }
        for line in [
            "",
            "start",
            "start builder other",
            "start provisioner x",
            "start builder a b",
        ] {
            let error = parse(line, &[COOKIE]);
            assert_eq!(error, Err(LaunchError::Arguments(line.to_owned())));
        }
        let environment = [COOKIE, ("PACKER_PLUGIN_MAX_PORT", "70000")];
        let error = parse("start builder -packer-default-plugin-name-", &environment);
        assert!(matches!(error, Err(LaunchError::Port { .. })), "{error:?}");
    }
}
