//! Packer's way to write options: long ones with one dash, as in `-var-file=x`. They are turned into
//! the usual spelling before clap sees them; those lvhost does not have are refused with what to use
//! in their place.

use std::ffi::{OsStr, OsString};

/// The long options that may be written with one dash.
const LONG: [&str; 14] = [
    "allow-uri",
    "color",
    "except",
    "force",
    "force-foreign",
    "help",
    "json",
    "on-error",
    "only",
    "parallel-builds",
    "var",
    "var-file",
    "verbose",
    "version",
];

/// Options of `packer build` and `packer validate` that lvhost does not have, and what it has instead.
const FOREIGN: [(&str, &str); 8] = [
    (
        "debug",
        "use `-on-error=ask` to look at a guest whose build has failed, or the provisioner `breakpoint`",
    ),
    (
        "evaluate-datasources",
        "`lvhost validate` never runs data sources",
    ),
    ("ignore-prerelease-plugins", "lvhost runs no plugins"),
    ("machine-readable", "use `--json`"),
    ("syntax-only", "`lvhost validate` checks everything at once"),
    ("timestamp-ui", "use `--json`, whose events have a time"),
    (
        "use-sequential-evaluation",
        "lvhost evaluates in the order in which values need each other",
    ),
    (
        "warn-on-undeclared-var",
        "lvhost reports variables that are not declared in any case",
    ),
];

/// The arguments with Packer's spellings turned into the usual ones.
pub(super) fn with_two_dashes(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut only_values = false;
    let rewrite = |argument: OsString| {
        only_values |= argument == "--";
        let is_known = |name: &str| LONG.contains(&name);
        if !only_values && name_behind(&argument, "-").is_some_and(is_known) {
            let mut longer = OsString::from("-");
            longer.push(&argument);
            longer
        } else {
            argument
        }
    };
    arguments.into_iter().map(rewrite).collect()
}

/// The first option of Packer's among `arguments` that lvhost does not have, and what to do instead.
pub(super) fn foreign(arguments: &[OsString]) -> Option<(&'static str, &'static str)> {
    let options = arguments.iter().take_while(|argument| *argument != "--");
    let mut names = options
        .filter_map(|argument| name_behind(argument, "--").or_else(|| name_behind(argument, "-")));
    names.find_map(|name| FOREIGN.into_iter().find(|(foreign, _)| *foreign == name))
}

/// The name of an option that begins with `dashes`, without its value.
fn name_behind<'a>(argument: &'a OsStr, dashes: &str) -> Option<&'a str> {
    let option = argument.to_str()?.strip_prefix(dashes)?;
    option.split('=').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(arguments: &[&str]) -> Vec<OsString> {
        arguments.iter().map(OsString::from).collect()
    }

    #[test]
    fn only_long_options_get_a_second_dash() {
        let given = [
            "run", "-var", "a=-only", "-only=x", "--force", "-v", "-c", "--", "-force",
        ];
        let expected = [
            "run", "--var", "a=-only", "--only=x", "--force", "-v", "-c", "--", "-force",
        ];
        assert_eq!(with_two_dashes(arguments(&given)), arguments(&expected));
    }

    #[test]
    fn options_of_packer_that_are_not_here_are_found() {
        for (given, expected) in [
            (&["run", "-debug", "t"][..], Some("debug")),
            (&["run", "--timestamp-ui", "t"], Some("timestamp-ui")),
            (&["run", "-machine-readable=true"], Some("machine-readable")),
            (&["run", "-force", "t"], None),
            (&["run", "--", "-debug"], None),
        ] {
            let found = foreign(&arguments(given)).map(|(name, _)| name);
            assert_eq!(found, expected, "{given:?}");
        }
    }
}
