//! `--only` and `--except`: which sources of which builds.

use globset::{GlobBuilder, GlobMatcher};

use crate::arguments::Template;
use crate::input::InputError;

/// Which sources are to be built.
pub(crate) struct Selection {
    only: Vec<GlobMatcher>,
    except: Vec<GlobMatcher>,
}

impl Selection {
    /// What `arguments` say.
    ///
    /// # Errors
    /// Something that is no pattern.
    pub(crate) fn new(arguments: &Template) -> Result<Self, InputError> {
        Ok(Self {
            only: patterns(&arguments.only)?,
            except: patterns(&arguments.except)?,
        })
    }

    /// Whether the source that is called `name` is among them.
    pub(crate) fn includes(&self, name: &str) -> bool {
        let matches =
            |patterns: &[GlobMatcher]| patterns.iter().any(|pattern| pattern.is_match(name));
        (self.only.is_empty() || matches(&self.only)) && !matches(&self.except)
    }
}

fn patterns(given: &[String]) -> Result<Vec<GlobMatcher>, InputError> {
    given.iter().map(|given| pattern(given)).collect()
}

fn pattern(given: &str) -> Result<GlobMatcher, InputError> {
    let trimmed = given.trim();
    let glob = GlobBuilder::new(trimmed).literal_separator(false).build();
    glob.map(|glob| glob.compile_matcher())
        .map_err(|source| InputError::Pattern {
            pattern: trimmed.to_owned(),
            source,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selection(only: &[&str], except: &[&str]) -> Result<Selection, InputError> {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Selection::new(&Template {
            path: "t".into(),
            variables: Vec::new(),
            variable_files: Vec::new(),
            allow_uris: Vec::new(),
            only: owned(only),
            except: owned(except),
        })
    }

    #[test]
    fn names_are_matched_as_a_whole_and_a_star_stands_for_any_text() {
        let cases: [(&[&str], &[&str], &[&str]); 5] = [
            (&[], &[], &["libvirt.a", "libvirt.b", "web.libvirt.a"]),
            (&["libvirt.a"], &[], &["libvirt.a"]),
            (&["*.a"], &[], &["libvirt.a", "web.libvirt.a"]),
            (&[], &["web.*"], &["libvirt.a", "libvirt.b"]),
            (
                &["libvirt.b", "web.*"],
                &[],
                &["libvirt.b", "web.libvirt.a"],
            ),
        ];
        for (only, except, expected) in cases {
            let selection = selection(only, except).unwrap();
            let mut names = vec!["libvirt.a", "libvirt.b", "web.libvirt.a"];
            names.retain(|name| selection.includes(name));
            assert_eq!(names, expected, "only {only:?}, except {except:?}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_named() {
        let refusal = selection(&["[a"], &[]).err().unwrap();
        assert_eq!(
            refusal.to_string(),
            "`[a` is not a pattern for names of builds"
        );
    }
}
