//! What can be typed on the command line.
//!
//! Packer's users type long options with one dash (`-var-file=x`). Those spellings are turned into
//! the usual ones before clap sees them.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

use crate::exit_code::EXIT_CODES;

/// The long options that may be written with one dash.
const PACKER_STYLE: [&str; 8] = [
    "color", "except", "help", "only", "var", "var-file", "verbose", "version",
];

/// Builds virtual machine images on libvirt from Packer's templates, without Packer.
#[derive(Debug, Parser)]
#[command(name = "lvhost", version, after_help = after_help(), disable_help_subcommand = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// When to use colours; NO_COLOR in the environment turns off `auto`.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: Color,

    /// Say more on standard error: `-v` for information, `-vv` for debugging, `-vvv` for all.
    /// LVHOST_LOG in the environment can ask for parts, as in `lvhost_engine=debug`.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
}

fn after_help() -> String {
    format!(
        "{EXIT_CODES}\n\n\
         Long options can be written with one dash, as Packer has them: `-var-file=x`.\n\
         Downloads and SSH keys are kept in ${{XDG_CACHE_HOME:-~/.cache}}/lvhost, which can be \
         deleted when no build runs."
    )
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Build the images a template describes.
    Run(Template),
    /// Check a template without touching anything: no hypervisor, no network, nothing written.
    Validate(Template),
    /// Print the version.
    Version,
}

/// A template and what it is given.
#[derive(Debug, Args)]
pub(crate) struct Template {
    /// The template: a file, or a folder with all of its `*.pkr.hcl` and `*.auto.pkrvars.hcl`.
    pub(crate) path: PathBuf,

    /// Set a variable. Can be given several times.
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = variable)]
    pub(crate) variables: Vec<(String, String)>,

    /// Read variables from a file (`*.pkrvars.hcl`, or JSON). Can be given several times.
    #[arg(long = "var-file", value_name = "FILE")]
    pub(crate) variable_files: Vec<PathBuf>,

    /// Build only these sources: `libvirt.example` or `BUILD.libvirt.example`, with `*` for any text.
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub(crate) only: Vec<String>,

    /// Build all sources but these; named as for `--only`.
    #[arg(
        long,
        value_name = "NAME,…",
        value_delimiter = ',',
        conflicts_with = "only"
    )]
    pub(crate) except: Vec<String>,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    #[value(alias = "true")]
    Always,
    /// Never.
    #[value(alias = "false")]
    Never,
}

/// Reads the command line.
///
/// # Errors
/// What clap has to say instead: how it is wrong, or the help that was asked for.
pub(crate) fn parse(
    arguments: impl IntoIterator<Item = OsString>,
) -> Result<Arguments, clap::Error> {
    Arguments::try_parse_from(with_two_dashes(arguments))
}

fn with_two_dashes(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut only_values = false;
    let rewrite = |argument: OsString| {
        only_values |= argument == "--";
        if !only_values && is_packer_style(&argument) {
            let mut longer = OsString::from("-");
            longer.push(&argument);
            longer
        } else {
            argument
        }
    };
    arguments.into_iter().map(rewrite).collect()
}

fn is_packer_style(argument: &OsStr) -> bool {
    let Some(option) = argument.as_encoded_bytes().strip_prefix(b"-") else {
        return false;
    };
    let name = option
        .split(|byte| *byte == b'=')
        .next()
        .unwrap_or_default();
    PACKER_STYLE.iter().any(|known| known.as_bytes() == name)
}

fn variable(argument: &str) -> Result<(String, String), String> {
    match argument.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => {
            Ok((name.trim().to_owned(), value.to_owned()))
        }
        _ => Err("write NAME=VALUE".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn template(arguments: &[&str]) -> Template {
        let all = ["lvhost", "run"]
            .iter()
            .chain(arguments)
            .map(OsString::from);
        match parse(all).unwrap().command {
            Command::Run(template) => template,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_definition_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn options_may_have_one_dash_or_two_and_their_value_behind_a_space_or_an_equals_sign() {
        let spellings: [&[&str]; 4] = [
            &["-var", "a=b=c", "-var-file", "x.hcl", "t.pkr.hcl"],
            &["-var=a=b=c", "-var-file=x.hcl", "t.pkr.hcl"],
            &["--var", "a=b=c", "--var-file", "x.hcl", "t.pkr.hcl"],
            &["t.pkr.hcl", "--var=a=b=c", "--var-file=x.hcl"],
        ];
        for spelling in spellings {
            let template = template(spelling);
            assert_eq!(
                template.variables,
                [("a".to_owned(), "b=c".to_owned())],
                "{spelling:?}"
            );
            assert_eq!(
                template.variable_files,
                [PathBuf::from("x.hcl")],
                "{spelling:?}"
            );
            assert_eq!(template.path, PathBuf::from("t.pkr.hcl"), "{spelling:?}");
        }
    }

    #[test]
    fn lists_are_split_at_commas() {
        assert_eq!(template(&["-only=a.b,c.*", "t"]).only, ["a.b", "c.*"]);
        assert_eq!(template(&["-except", "a.b", "t"]).except, ["a.b"]);
    }

    #[test]
    fn a_value_behind_two_dashes_stays_as_it_is() {
        assert_eq!(template(&["--", "-only"]).path, PathBuf::from("-only"));
    }

    #[test]
    fn what_is_not_a_variable_is_refused() {
        for argument in ["novalue", "=x", " =x"] {
            let all = ["lvhost", "run", "-var", argument, "t"].map(OsString::from);
            let refusal = parse(all).unwrap_err().to_string();
            assert!(refusal.contains("write NAME=VALUE"), "{refusal}");
        }
    }

    #[test]
    fn colours_may_be_said_as_in_packer() {
        for (said, meant) in [
            ("-color=false", Color::Never),
            ("--color=always", Color::Always),
        ] {
            let parsed = parse(["lvhost", "version", said].map(OsString::from)).unwrap();
            assert_eq!(parsed.color, meant);
        }
    }
}
