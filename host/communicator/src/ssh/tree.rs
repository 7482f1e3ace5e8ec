//! A folder's tree on its way to the other side: where each entry stands, and what remains to be
//! done.

use std::path::PathBuf;
use std::sync::Arc;

use crate::exclude::Exclude;

/// A file or folder on both sides.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) local: PathBuf,
    pub(super) remote: String,
    /// Relative to the folder that is being copied, with slashes; empty for that folder itself.
    pub(super) path: String,
}

impl Place {
    /// The entry `name` of this folder.
    pub(super) fn entry(&self, name: &str) -> Self {
        let path = if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}/{name}", self.path)
        };
        Self {
            local: self.local.join(name),
            remote: join(&self.remote, name),
            path,
        }
    }
}

/// A folder that one is in. `P` is the path of the side it is read from, and `T` what takes it on the other.
pub(super) struct Folder<P, T = ()> {
    pub(super) place: Place,
    /// Its path there with all links resolved.
    real: P,
    pub(super) taker: T,
    outer: Option<Arc<Self>>,
}

impl<P: PartialEq, T> Folder<P, T> {
    /// Whether one is in the folder already whose path is `real`.
    pub(super) fn is_in(real: &P, outer: Option<&Arc<Self>>) -> bool {
        let mut seen = outer;
        while let Some(folder) = seen {
            if folder.real == *real {
                return true;
            }
            seen = folder.outer.as_ref();
        }
        false
    }

    /// The folder at `place` inside `outer`.
    pub(super) fn new(place: Place, real: P, taker: T, outer: Option<Arc<Self>>) -> Arc<Self> {
        Arc::new(Self {
            place,
            real,
            taker,
            outer,
        })
    }

    /// How deep it is: how many folders it is in.
    pub(super) fn depth(outer: Option<&Arc<Self>>) -> usize {
        std::iter::successors(outer, |folder| folder.outer.as_ref()).count()
    }
}

impl<P: PartialEq> Folder<P> {
    /// The folder at `place` inside `outer`; nothing if one is in it already.
    pub(super) fn enter(place: Place, real: P, outer: Option<Arc<Self>>) -> Option<Arc<Self>> {
        (!Self::is_in(&real, outer.as_ref())).then(|| Self::new(place, real, (), outer))
    }
}

/// Something that remains to be done, on a stack.
pub(super) enum Step<P, T = ()> {
    /// Copy this entry. No more than its name is held, since folders can be large.
    Copy {
        folder: Arc<Folder<P, T>>,
        name: String,
    },
    /// Give a folder that was made and filled its permission bits.
    Finish {
        folder: Arc<Folder<P, T>>,
        mode: u32,
    },
}

/// The steps for a folder's entries, to be taken from the end.
pub(super) fn steps<P, T>(
    folder: &Arc<Folder<P, T>>,
    names: Vec<String>,
    finish: Option<u32>,
    exclude: &Exclude,
) -> Vec<Step<P, T>> {
    let mut steps = Vec::with_capacity(names.len() + 1);
    steps.extend(finish.map(|mode| Step::Finish {
        folder: Arc::clone(folder),
        mode,
    }));
    for name in names.into_iter().rev() {
        if !exclude.matches(&folder.place.entry(&name).path) {
            steps.push(Step::Copy {
                folder: Arc::clone(folder),
                name,
            });
        }
    }
    steps
}

/// The folder that the guest's `path` is in; empty for one that needs no making.
pub(super) fn parent(path: &str) -> &str {
    path.trim_end_matches('/')
        .rsplit_once('/')
        .map_or("", |(parent, _)| parent)
}

/// `name` in the guest's folder `folder`.
pub(super) fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() || folder.ends_with('/') {
        format!("{folder}{name}")
    } else {
        format!("{folder}/{name}")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paths_in_the_guest() {
        for (path, expected) in [
            ("/a/b", "/a"),
            ("/a/b/", "/a"),
            ("/a", ""),
            ("a", ""),
            ("a/b", "a"),
            ("/", ""),
        ] {
            assert_eq!(parent(path), expected, "{path}");
        }
        for (folder, name, expected) in [
            ("/a", "b", "/a/b"),
            ("/a/", "b", "/a/b"),
            ("/", "b", "/b"),
            ("", "b", "b"),
        ] {
            assert_eq!(join(folder, name), expected, "{folder} {name}");
        }
    }

    #[test]
    fn a_folder_is_not_entered_twice() {
        let place = Place {
            local: "/l".into(),
            remote: "/r".to_owned(),
            path: String::new(),
        };
        let enter = |real, outer: Option<&Arc<Folder<&'static str>>>| {
            Folder::enter(place.clone(), real, outer.cloned())
        };
        let a = enter("a", None).unwrap();
        let b = enter("b", Some(&a)).unwrap();
        let c = enter("c", Some(&a)).unwrap();
        assert!(enter("a", Some(&b)).is_none());
        assert!(enter("b", Some(&b)).is_none());
        assert!(enter("b", Some(&c)).is_some());
        assert_eq!((Folder::depth(Some(&a)), Folder::depth(Some(&b))), (1, 2));
    }

    #[test]
    fn entries_are_taken_in_order_and_the_folder_last() {
        let place = Place {
            local: "/l".into(),
            remote: "/r".to_owned(),
            path: "in".to_owned(),
        };
        let folder = Folder::enter(place, "real", None).unwrap();
        let exclude = Exclude::new(&["in/b".to_owned()]).unwrap();
        let names = ["a", "b", "c"].map(str::to_owned).to_vec();
        let mut todo = steps(&folder, names, Some(0o555), &exclude);
        let mut order = Vec::new();
        while let Some(step) = todo.pop() {
            order.push(match step {
                Step::Copy { folder, name } => folder.place.entry(&name).remote,
                Step::Finish { mode, .. } => format!("{mode:o}"),
            });
        }
        assert_eq!(order, ["/r/a", "/r/c", "555"]);
    }

    proptest! {
        #[test]
        fn a_parent_is_a_shorter_prefix(path in "[a-z/]{1,30}") {
            let parent = parent(&path);
            prop_assert!(path.starts_with(parent) && parent.len() < path.len());
        }
    }
}
