//! What can be typed on the command line.

mod packer_style;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{ArgAction, ArgGroup, Args, CommandFactory, Parser, Subcommand, ValueEnum};
use lvhost_config::Size;

use crate::exit_code::EXIT_CODES;

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
    Run(Run),
    /// Check a template without touching anything: no hypervisor, no network, nothing written.
    Validate(Validate),
    /// Show what a build would make, download and be allowed to reach, without doing it.
    Plan(Plan),
    /// List the kinds of volume sources there are, or show the options of one.
    Sources(Sources),
    /// Check whether this machine and a hypervisor can build images, and say what to do.
    Doctor(Doctor),
    /// Remove what builds that were killed have left at a hypervisor.
    Clean(Clean),
    /// Look after the cache of downloads.
    #[command(subcommand)]
    Cache(Cache),
    /// Print a script that completes lvhost's commands and options in a shell.
    Completions {
        /// For which shell.
        shell: Shell,
    },
    /// Print the manual page, or write the pages of all commands into a folder.
    Man {
        /// Write a page for each command into this folder.
        #[arg(long, value_name = "FOLDER")]
        output: Option<PathBuf>,
    },
    /// Print the version.
    Version,
}

/// Whom a command writes for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audience {
    /// Whoever reads a terminal or a log.
    People,
    /// A program that reads one JSON document.
    ReaderOfDocuments,
    /// A program that reads one JSON object a line.
    ReaderOfEvents,
}

impl Command {
    /// Whom it writes for.
    pub(crate) fn audience(&self) -> Audience {
        let output = match self {
            Self::Run(run) if run.output.json => return Audience::ReaderOfEvents,
            Self::Run(run) => run.output,
            Self::Validate(validate) => validate.output,
            Self::Plan(plan) => plan.output,
            Self::Sources(sources) => sources.output,
            Self::Doctor(doctor) => doctor.output,
            Self::Clean(clean) => clean.output,
            Self::Cache(Cache::List { output }) => *output,
            Self::Cache(Cache::Prune(prune)) => prune.output,
            Self::Completions { .. } | Self::Man { .. } | Self::Version => {
                return Audience::People;
            }
        };
        if output.json {
            Audience::ReaderOfDocuments
        } else {
            Audience::People
        }
    }
}

/// `lvhost run`.
#[derive(Debug, Args)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) template: Template,

    /// Replace a domain, volumes and a copy that an earlier build has left in the way.
    #[arg(long)]
    pub(crate) force: bool,

    /// With `--force`: replace the volume (NAME or POOL/NAME) or domain of this name too, or the copy of an
    /// artifact at this absolute path, although nothing shows that lvhost has made it. Can be given several
    /// times.
    #[arg(long, value_name = "NAME", requires = "force")]
    pub(crate) force_foreign: Vec<String>,

    /// What to do when a build fails: remove what it made, leave it all there, or ask.
    #[arg(long, value_name = "WHAT", default_value = "cleanup")]
    pub(crate) on_error: OnError,

    /// How many builds run at the same time; 0 is all of them.
    #[arg(long, value_name = "NUMBER", default_value = "0")]
    pub(crate) parallel_builds: usize,

    #[command(flatten)]
    pub(crate) output: Output,
}

/// `lvhost validate`.
#[derive(Debug, Args)]
pub(crate) struct Validate {
    #[command(flatten)]
    pub(crate) template: Template,

    #[command(flatten)]
    pub(crate) output: Output,
}

/// `lvhost plan`.
#[derive(Debug, Args)]
pub(crate) struct Plan {
    #[command(flatten)]
    pub(crate) template: Template,

    /// Ask the hypervisor as well what of it is there, what is missing and what is in the way.
    #[arg(long)]
    pub(crate) check: bool,

    #[command(flatten)]
    pub(crate) output: Output,
}

/// `lvhost sources`.
#[derive(Debug, Args)]
pub(crate) struct Sources {
    /// The kind to show the options of, as in `type = "external"`; or the file of a component.
    #[arg(value_name = "TYPE")]
    pub(crate) wanted: Option<String>,

    #[command(flatten)]
    pub(crate) output: Output,
}

/// `lvhost doctor`.
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// The hypervisor, as in `libvirt_uri`; libvirt's default without it.
    #[arg(value_name = "URI", default_value = "")]
    pub(crate) uri: String,

    #[command(flatten)]
    pub(crate) output: Output,
}

/// `lvhost clean`.
#[derive(Debug, Args)]
pub(crate) struct Clean {
    /// The hypervisor, as in `libvirt_uri`; libvirt's default without it.
    #[arg(value_name = "URI", default_value = "")]
    pub(crate) uri: String,

    /// Remove without asking.
    #[arg(short, long)]
    pub(crate) yes: bool,

    /// Remove the volume (NAME or POOL/NAME) or domain of this name too, if a dead build's record names
    /// it, although nothing shows that the build has made it. Can be given several times.
    #[arg(long, value_name = "NAME")]
    pub(crate) remove: Vec<String>,

    /// Remove what this build left, although it can't be seen from here that it is dead: it ran on
    /// another host or in another container. Also if pools of its volumes are gone. Can be given
    /// several times.
    #[arg(long = "build", value_name = "ID")]
    pub(crate) builds: Vec<String>,

    #[command(flatten)]
    pub(crate) output: Output,
}

/// `lvhost cache`.
#[derive(Debug, Subcommand)]
pub(crate) enum Cache {
    /// List the downloads that are kept.
    List {
        #[command(flatten)]
        output: Output,
    },
    /// Remove downloads, those that were not used for the longest time first.
    Prune(Prune),
}

/// `lvhost cache prune`.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("what").required(true).multiple(true).args(["unused_for", "keep", "all"])))]
pub(crate) struct Prune {
    /// Remove what was not used for so many days.
    #[arg(long, value_name = "DAYS")]
    pub(crate) unused_for: Option<u32>,

    /// Remove until what is left is no larger than this, as in `20G`.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) keep: Option<u64>,

    /// Remove everything.
    #[arg(long, conflicts_with_all = ["unused_for", "keep"])]
    pub(crate) all: bool,

    #[command(flatten)]
    pub(crate) output: Output,
}

/// For whom a command writes.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Output {
    /// Write JSON to standard output, for programs.
    #[arg(long)]
    pub(crate) json: bool,
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

    /// Allow a template to have this `libvirt_uri`, although it may do more than name a hypervisor. Can
    /// be given several times.
    #[arg(long = "allow-uri", value_name = "URI")]
    pub(crate) allow_uris: Vec<String>,

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

/// What happens to what a failed build has made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnError {
    /// It is removed.
    Cleanup,
    /// It stays, the guest running, until `lvhost clean` removes it.
    Abort,
    /// The user is asked.
    Ask,
}

/// Shells that completions can be made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shell {
    /// Bourne Again Shell.
    Bash,
    /// Friendly Interactive Shell.
    Fish,
    /// Z Shell.
    Zsh,
}

/// Reads the command line.
///
/// # Errors
/// What clap has to say instead: how it is wrong, or the help that was asked for.
pub(crate) fn parse(
    arguments: impl IntoIterator<Item = OsString>,
) -> Result<Arguments, clap::Error> {
    let arguments = packer_style::with_two_dashes(arguments);
    Arguments::try_parse_from(&arguments).map_err(|error| {
        let foreign = packer_style::foreign(&arguments);
        match foreign.filter(|_| error.kind() == ErrorKind::UnknownArgument) {
            None => error,
            Some((name, instead)) => Arguments::command().error(
                ErrorKind::UnknownArgument,
                format!("Packer's option `-{name}` is not supported by lvhost: {instead}"),
            ),
        }
    })
}

fn variable(argument: &str) -> Result<(String, String), String> {
    match argument.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => {
            Ok((name.trim().to_owned(), value.to_owned()))
        }
        _ => Err("write NAME=VALUE".to_owned()),
    }
}

fn size(argument: &str) -> Result<u64, String> {
    let size = argument.parse::<Size>();
    size.map(|size| size.0).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(arguments: &[&str]) -> Run {
        let all = ["lvhost", "run"]
            .iter()
            .chain(arguments)
            .map(OsString::from);
        match parse(all).unwrap().command {
            Command::Run(run) => run,
            other => panic!("{other:?}"),
        }
    }

    fn refusal(arguments: &[&str]) -> String {
        let all = ["lvhost"].iter().chain(arguments).map(OsString::from);
        parse(all).unwrap_err().to_string()
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
            let template = run(spelling).template;
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
        assert_eq!(run(&["-only=a.b,c.*", "t"]).template.only, ["a.b", "c.*"]);
        assert_eq!(run(&["-except", "a.b", "t"]).template.except, ["a.b"]);
    }

    #[test]
    fn a_value_behind_two_dashes_stays_as_it_is() {
        assert_eq!(run(&["--", "-only"]).template.path, PathBuf::from("-only"));
    }

    #[test]
    fn builds_are_steered_as_in_packer() {
        let plain = run(&["t"]);
        assert!(!plain.force);
        assert_eq!(plain.on_error, OnError::Cleanup);
        assert_eq!(plain.parallel_builds, 0);
        let steered = run(&["-force", "-on-error=ask", "-parallel-builds=1", "t"]);
        assert!(steered.force);
        assert_eq!(steered.on_error, OnError::Ask);
        assert_eq!(steered.parallel_builds, 1);
    }

    #[test]
    fn what_cannot_be_used_is_refused_with_the_way_out() {
        let cases: [(&[&str], &str); 7] = [
            (&["run", "-var", "novalue", "t"], "write NAME=VALUE"),
            (&["run", "-var", "=x", "t"], "write NAME=VALUE"),
            (&["run", "-var", " =x", "t"], "write NAME=VALUE"),
            (&["run", "-debug", "t"], "use `-on-error=ask`"),
            (&["run", "-machine-readable", "t"], "use `--json`"),
            (
                &["run", "-on-error=continue", "t"],
                "[possible values: cleanup, abort, ask]",
            ),
            (&["cache", "prune"], "--all"),
        ];
        for (arguments, expected) in cases {
            let said = refusal(arguments);
            assert!(said.contains(expected), "{arguments:?}: {said}");
        }
    }

    #[test]
    fn sizes_are_written_as_in_templates() {
        let arguments = ["lvhost", "cache", "prune", "--keep", "1.5G"].map(OsString::from);
        let Command::Cache(Cache::Prune(prune)) = parse(arguments).unwrap().command else {
            panic!("another command");
        };
        assert_eq!(prune.keep, Some(3 << 29));
        assert!(refusal(&["cache", "prune", "--keep", "much"]).contains("much"));
        // Whoever names nothing is told of all that there is, and not only of what removes everything.
        let said = refusal(&["cache", "prune"]);
        for way in ["--unused-for", "--keep", "--all"] {
            assert!(said.contains(way), "{said}");
        }
        refusal(&["cache", "prune", "--keep", "1G", "--all"]);
        let both = [
            "lvhost",
            "cache",
            "prune",
            "--keep",
            "1G",
            "--unused-for",
            "3",
        ];
        parse(both.map(OsString::from)).unwrap();
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
