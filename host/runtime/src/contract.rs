//! What a component may import and has to export, by name. Looked at before anything is linked, so
//! that a refusal names the thing and not a detail of it.

use crate::error::LoadError;

/// The versions of the contract this host speaks: a component made for any patch version of them.
pub(crate) const OFFERED: &str = "lvhost:source@0.1 and @0.2";

const PACKAGE: &str = "lvhost:source";
const EXPORT: &str = "source";

/// A version of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    V0_1,
    V0_2,
}

impl Version {
    const ALL: [Self; 2] = [Self::V0_1, Self::V0_2];

    /// As it stands in names, without the patch version.
    fn minor(self) -> &'static str {
        match self {
            Self::V0_1 => "0.1",
            Self::V0_2 => "0.2",
        }
    }

    /// The interfaces that a component may import.
    fn interfaces(self) -> &'static [&'static str] {
        match self {
            Self::V0_1 => &[
                "blobs", "fetch", "files", "report", "target", "types", "volumes",
            ],
            Self::V0_2 => &[
                "blobs",
                "configure",
                "describe",
                "log",
                "prepare",
                "requests",
                "types",
            ],
        }
    }
}

/// What the standard libraries of languages import even when nothing of it is used. None of it
/// reaches anything: the clock stands still, there are no variables, arguments or input, no folders and
/// no network.
const WASI: &[(&str, &[&str])] = &[
    (
        "wasi:cli",
        &[
            "environment",
            "exit",
            "stderr",
            "stdin",
            "stdout",
            "terminal-input",
            "terminal-output",
            "terminal-stderr",
            "terminal-stdin",
            "terminal-stdout",
        ],
    ),
    ("wasi:clocks", &["monotonic-clock", "wall-clock"]),
    ("wasi:filesystem", &["preopens", "types"]),
    ("wasi:io", &["error", "poll", "streams"]),
    ("wasi:random", &["insecure", "insecure-seed", "random"]),
    (
        "wasi:sockets",
        &[
            "instance-network",
            "ip-name-lookup",
            "network",
            "tcp",
            "tcp-create-socket",
            "udp",
            "udp-create-socket",
        ],
    ),
];

/// What a program exports that is started as a command.
const COMMAND: &str = "wasi:cli/run";

/// `package/interface@version`.
struct Name<'a> {
    package: &'a str,
    interface: &'a str,
    version: &'a str,
}

impl<'a> Name<'a> {
    fn parse(name: &'a str) -> Option<Self> {
        let (path, version) = name.split_once('@')?;
        let (package, interface) = path.split_once('/')?;
        Some(Self {
            package,
            interface,
            version,
        })
    }

    /// Whether the version is `minor` (`0.1`) and any patch. Linking sees later to it that nothing
    /// of a newer patch version is used.
    fn is_a(&self, minor: &str) -> bool {
        self.version
            .strip_prefix(minor)
            .and_then(|rest| rest.strip_prefix('.'))
            .is_some_and(|patch| !patch.is_empty() && patch.bytes().all(|b| b.is_ascii_digit()))
    }

    /// The version of the contract, if it is one.
    fn version(&self) -> Option<Version> {
        Version::ALL
            .into_iter()
            .find(|version| self.is_a(version.minor()))
    }
}

/// Checks the names of all imports and exports of the component called `component`, and tells which version it
/// was made for: that of what it exports.
pub(crate) fn check<'a>(
    component: &str,
    imports: impl IntoIterator<Item = &'a str>,
    exports: impl IntoIterator<Item = &'a str>,
) -> Result<Version, LoadError> {
    let mut is_command = false;
    let export = exports.into_iter().find(|export| {
        is_command |= export.starts_with(COMMAND);
        Name::parse(export).is_some_and(|name| name.package == PACKAGE && name.interface == EXPORT)
    });
    let version = export.and_then(Name::parse).and_then(|name| name.version());
    for import in imports {
        check_import(component, import, version)?;
    }
    match (export, version) {
        (_, Some(version)) => Ok(version),
        (Some(export), None) => Err(wrong_version(component, export)),
        (None, None) => Err(LoadError::MissingExport {
            component: component.to_owned(),
            export: format!("{PACKAGE}/{EXPORT}"),
            is_command,
        }),
    }
}

/// Checks the name of an import. `version` is that of the export, if there is one that is known.
pub(crate) fn check_import(
    component: &str,
    import: &str,
    version: Option<Version>,
) -> Result<(), LoadError> {
    let forbidden = || LoadError::ForbiddenImport {
        component: component.to_owned(),
        // A component's import may be called anything.
        import: crate::untrusted::text(import, 200),
    };
    let name = Name::parse(import).ok_or_else(forbidden)?;
    if name.package == PACKAGE {
        let is_of = |version: &Version| name.is_a(version.minor());
        let Some(spoken) = Version::ALL.into_iter().find(|it| is_of(it)) else {
            return Err(wrong_version(component, import));
        };
        let is_offered = spoken.interfaces().contains(&name.interface);
        // One version at a time: what one says would be lost on the other.
        return if is_offered && version.is_none_or(|version| version == spoken) {
            Ok(())
        } else {
            Err(forbidden())
        };
    }
    let allowed = WASI.iter().any(|(package, interfaces)| {
        *package == name.package && interfaces.contains(&name.interface)
    });
    if allowed && name.is_a("0.2") {
        Ok(())
    } else {
        Err(forbidden())
    }
}

/// What an author can do about an import that is not granted.
pub(crate) fn advice_on_import(import: &str) -> &'static str {
    let package = import
        .split_once('/')
        .map_or(import, |(package, _)| package);
    let version = import.split_once('@').map_or("", |(_, version)| version);
    match package {
        "wasi:http" => {
            "a source asks lvhost for downloads, by lvhost:source, and lvhost checks each of them; have the \
             component made without HTTP (for JavaScript: `jco componentize --disable http \
             --disable fetch-event`)"
        }
        _ if package.starts_with("wasi:") && !version.starts_with("0.2.") => {
            "it was made for another version of WASI than 0.2: have the tools make it for WASI 0.2 (wasip2)"
        }
        "wasi:cli" | "wasi:clocks" | "wasi:filesystem" | "wasi:io" | "wasi:random"
        | "wasi:sockets" => {
            "this part of WASI is not among what standard libraries need to start: have the component made \
             without it"
        }
        _ if package.starts_with("wasi:") => {
            "lvhost gives this to no component: have the component made without it; tools for it have an \
             option against what is not used (`--stub-wasi`, `--disable`)"
        }
        PACKAGE => {
            "a component imports one version of lvhost:source, and of that what its WIT has: make its bindings \
             anew from the WIT of this version of lvhost"
        }
        "wasi_snapshot_preview1" | "env" => {
            "it was made of a module for WASI 0.1 without the adapter: give `wasm-tools component new` the \
             option `--adapt` with wasi_snapshot_preview1.reactor.wasm"
        }
        _ => {
            "lvhost does not know this interface: have the component made without it, or put together with \
             one that exports it (`wac plug`)"
        }
    }
}

fn wrong_version(component: &str, found: &str) -> LoadError {
    LoadError::Version {
        component: component.to_owned(),
        found: crate::untrusted::text(found, 200),
        offered: OFFERED,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "lvhost:source/source@0.1.0";

    #[test]
    fn imports_are_allowed_by_name_and_version() {
        let cases: &[(&str, &str)] = &[
            ("lvhost:source/blobs@0.1.0", "ok"),
            ("lvhost:source/blobs@0.1.7", "ok"),
            ("lvhost:source/types@0.1.0", "ok"),
            ("lvhost:source/blobs@0.3.0", "version"),
            ("lvhost:source/blobs@1.0.0", "version"),
            ("lvhost:source/blobs@0.1.0-rc.1", "version"),
            ("lvhost:source/blobs@0.10.0", "version"),
            ("lvhost:source/secrets@0.1.0", "forbidden"),
            ("lvhost:sources/blobs@0.1.0", "forbidden"),
            ("wasi:io/streams@0.2.6", "ok"),
            ("wasi:io/streams@0.3.0", "forbidden"),
            ("wasi:cli/environment@0.2.12", "ok"),
            ("wasi:cli/run@0.2.6", "forbidden"),
            ("wasi:filesystem/types@0.2.6", "ok"),
            ("wasi:filesystem/preopens@0.2.0", "ok"),
            ("wasi:filesystem/types@0.3.0", "forbidden"),
            ("wasi:filesystem/open@0.2.6", "forbidden"),
            ("wasi:sockets/tcp@0.2.6", "ok"),
            ("wasi:sockets/tls@0.2.6", "forbidden"),
            ("wasi:http/outgoing-handler@0.2.6", "forbidden"),
            ("wasi:random/random@0.2.6", "ok"),
            ("wasi:io/streams", "forbidden"),
            ("anything", "forbidden"),
            ("", "forbidden"),
        ];
        for (import, expected) in cases {
            let found = match check("it", [*import], [SOURCE]) {
                Ok(_) => "ok",
                Err(LoadError::Version { .. }) => "version",
                Err(LoadError::ForbiddenImport { .. }) => "forbidden",
                Err(other) => panic!("{import}: {other}"),
            };
            assert_eq!(found, *expected, "{import}");
        }
    }

    #[test]
    fn the_source_interface_must_be_exported() {
        let exports = |names: &[&'static str]| check("it", [], names.iter().copied());
        assert!(exports(&[SOURCE]).is_ok());
        assert!(exports(&["other:thing/x@1.0.0", "lvhost:source/source@0.1.3"]).is_ok());
        let error = exports(&["wasi:cli/run@0.2.6"]).expect_err("no source");
        assert_eq!(
            error.to_string(),
            "\"it\" is not a volume source: it does not export lvhost:source/source"
        );
        let error = exports(&["lvhost:source/source@0.3.0"]).expect_err("too new");
        assert_eq!(
            error.to_string(),
            "source \"it\" was made for lvhost:source/source@0.3.0, and this lvhost speaks \
             lvhost:source@0.1 and @0.2; use a version of the source that was made for it"
        );
    }

    #[test]
    fn a_refusal_names_the_import() {
        let import = "wasi:http/outgoing-handler@0.2.6";
        let error = check("it", [import], [SOURCE]).expect_err("refused");
        assert_eq!(
            error.to_string(),
            "source \"it\" asks for wasi:http/outgoing-handler@0.2.6, which lvhost does not grant"
        );
        let advice = error.advice().expect("advice");
        assert!(advice.contains("--disable http"), "{advice}");
    }

    #[test]
    fn advice_fits_the_import() {
        for (import, expected) in [
            ("wasi:http/types@0.2.0", "without HTTP"),
            ("wasi:io/streams@0.3.0", "another version of WASI"),
            (
                "wasi:clocks/timezone@0.2.6",
                "not among what standard libraries need",
            ),
            ("wasi:nn/graph@0.2.0-rc", "option against what is not used"),
            ("lvhost:source/secrets@0.1.0", "make its bindings anew"),
            ("wasi_snapshot_preview1", "--adapt"),
            ("stranger:things/here@1.0.0", "wac plug"),
            ("", "does not know"),
        ] {
            let advice = advice_on_import(import);
            assert!(advice.contains(expected), "{import}: {advice}");
        }
    }
}
