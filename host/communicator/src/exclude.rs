//! What is left out of a folder's transfer.

use globset::{Glob, GlobBuilder, GlobSet, GlobSetBuilder};

use crate::error::{Error, Result};

/// The compiled exclude patterns of one transfer.
///
/// A pattern without a slash is held against every name, one with a slash against the path below
/// the folder; a slash at its end or beginning says nothing more.
#[derive(Debug)]
pub(crate) struct Exclude {
    names: GlobSet,
    paths: GlobSet,
}

impl Exclude {
    pub(crate) fn new(patterns: &[String]) -> Result<Self> {
        let mut names = GlobSetBuilder::new();
        let mut paths = GlobSetBuilder::new();
        for pattern in patterns {
            let bare = pattern.trim_matches('/');
            if bare.is_empty() {
                continue;
            }
            let glob = glob(bare).map_err(|source| broken(pattern, source))?;
            if bare.contains('/') {
                paths.add(glob)
            } else {
                names.add(glob)
            };
        }
        let all = || patterns.join(", ");
        Ok(Self {
            names: names.build().map_err(|source| broken(&all(), source))?,
            paths: paths.build().map_err(|source| broken(&all(), source))?,
        })
    }

    /// Whether what stands at `path`, relative to the folder and with slashes, is left out.
    pub(crate) fn matches(&self, path: &str) -> bool {
        let name = path.rsplit_once('/').map_or(path, |(_, name)| name);
        self.names.is_match(name) || self.paths.is_match(path)
    }
}

fn glob(pattern: &str) -> Result<Glob, globset::Error> {
    GlobBuilder::new(pattern).literal_separator(true).build()
}

fn broken(pattern: &str, source: globset::Error) -> Error {
    Error::Pattern {
        pattern: pattern.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn exclude(patterns: &[&str]) -> Exclude {
        let patterns: Vec<String> = patterns.iter().map(ToString::to_string).collect();
        Exclude::new(&patterns).unwrap()
    }

    #[test]
    fn names_match_anywhere_and_paths_from_the_folder() {
        for (pattern, path, expected) in [
            ("*.o", "a.o", true),
            ("*.o", "deep/down/a.o", true),
            ("*.o", "a.c", false),
            (".git", "sub/.git", true),
            (".git/", ".git", true),
            ("build/*", "build/out", true),
            ("build/*", "build/out/deep", false),
            ("build/**", "build/out/deep", true),
            ("build/out", "src/build/out", false),
            ("/build/out", "build/out", true),
            ("{a,b}", "b", true),
            ("", "a", false),
            ("/", "a", false),
        ] {
            assert_eq!(
                exclude(&[pattern]).matches(path),
                expected,
                "{pattern} against {path}"
            );
        }
    }

    #[test]
    fn a_broken_pattern_is_named() {
        let error = Exclude::new(&["ok".to_owned(), "[".to_owned()]).unwrap_err();
        assert_eq!(error.to_string(), "the exclude pattern \"[\" is not a glob");
    }

    proptest! {
        #[test]
        fn any_text_is_a_pattern_or_an_error(pattern in ".{0,40}", path in "[a-z/.]{0,20}") {
            if let Ok(exclude) = Exclude::new(&[pattern]) {
                exclude.matches(&path);
            }
        }

        #[test]
        fn a_plain_name_excludes_itself_only(name in "[a-z]{1,8}", other in "[a-z]{1,8}") {
            let exclude = exclude(&[&name]);
            prop_assert_eq!(exclude.matches(&other), name == other);
            let path = format!("x/{}", name);
            prop_assert!(exclude.matches(&path));
        }
    }
}
