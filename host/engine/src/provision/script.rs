//! The scripts of `shell` and `shell-local`: where they come from and how they may end.

use std::path::{Path, PathBuf};

use lvhost_config::Origin;
use lvhost_hcl::{Diagnostic, Diagnostics};

use crate::local_paths::readable_file;

/// One script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Script {
    /// A text made of the template's commands.
    Inline(String),
    /// A file of this machine, absolute, with the name the template has for it.
    File {
        /// Where it is.
        path: PathBuf,
        /// What the user calls it.
        name: String,
    },
}

impl Script {
    /// The script made of `inline`, if there is any, and then `script` and `scripts`. `shebang` is its first
    /// line, unless it has one of its own.
    pub(super) fn all(
        inline: &[String],
        shebang: Option<&str>,
        script: Option<&String>,
        scripts: &[String],
        folder: &Path,
    ) -> Vec<Self> {
        let mut all = Vec::new();
        if !inline.is_empty() {
            let mut text = match shebang {
                Some(shebang) => format!("#!{shebang}\n"),
                None => String::new(),
            };
            for command in inline {
                text.push_str(command);
                text.push('\n');
            }
            all.push(Self::Inline(text));
        }
        let files = script.into_iter().chain(scripts);
        all.extend(files.map(|name| Self::File {
            path: folder.join(name),
            name: name.clone(),
        }));
        all
    }

    /// What messages call it.
    pub(super) fn title(&self) -> String {
        match self {
            Self::Inline(_) => "the inline script".to_string(),
            Self::File { name, .. } => format!("the script {name}"),
        }
    }
}

/// Whether commands begin with the line that says what runs them.
pub(super) fn has_shebang(inline: &[String]) -> bool {
    inline.first().is_some_and(|first| first.starts_with("#!"))
}

/// Whether `code` is success: zero, or one of `valid` if there are any.
pub(super) fn is_valid(code: u32, valid: &[u32]) -> bool {
    if valid.is_empty() {
        code == 0
    } else {
        valid.contains(&code)
    }
}

/// Reports scripts that are not there.
pub(super) fn check(
    script: Option<&String>,
    scripts: &[String],
    folder: &Path,
    origin: &Origin,
    report: &mut Diagnostics,
) {
    let several = scripts.iter().enumerate();
    let options = script
        .map(|script| ("script", String::new(), script))
        .into_iter()
        .chain(several.map(|(index, script)| ("scripts", format!("[{index}]"), script)));
    for (option, element, path) in options.filter(|(option, ..)| !origin.is_unknown(option)) {
        if let Err(why) = readable_file(&folder.join(path)) {
            report.push(
                Diagnostic::error(
                    origin.span_of_element(option, &element),
                    format!("can't read the script `{path}`"),
                )
                .detail(why)
                .help("correct the path; a relative one is meant from where the build is started"),
            );
        }
    }
}
