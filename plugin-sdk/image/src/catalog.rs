//! A tree laid flat: directories and files by number, as the writers need them.

use std::collections::VecDeque;

use crate::tree::{Directory, Kind, Node, Tree};

/// Every directory and file of a [`Tree`], numbered breadth first, children by name. Directory 0 is
/// the root.
#[derive(Debug)]
pub(crate) struct Catalog<'tree> {
    pub(crate) directories: Vec<CatalogDirectory<'tree>>,
    pub(crate) files: Vec<CatalogFile<'tree>>,
}

/// A directory of a [`Catalog`].
#[derive(Debug)]
pub(crate) struct CatalogDirectory<'tree> {
    /// The directory this one is in; the root's is the root.
    pub(crate) parent: usize,
    /// Empty for the root.
    pub(crate) name: &'tree str,
    pub(crate) children: Vec<(&'tree str, Child)>,
}

/// A file of a [`Catalog`].
#[derive(Debug)]
pub(crate) struct CatalogFile<'tree> {
    pub(crate) parent: usize,
    pub(crate) name: &'tree str,
    /// Never [`Kind::Directory`].
    pub(crate) kind: &'tree Kind,
    pub(crate) executable: bool,
}

/// The number of a directory or a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Child {
    Directory(usize),
    File(usize),
}

impl<'tree> Catalog<'tree> {
    /// Numbers everything in the tree.
    pub(crate) fn new(tree: &'tree Tree) -> Self {
        let root = CatalogDirectory {
            parent: 0,
            name: "",
            children: Vec::new(),
        };
        let mut catalog = Self {
            directories: vec![root],
            files: Vec::new(),
        };
        let mut waiting = VecDeque::from([(0, tree.root())]);
        while let Some((number, directory)) = waiting.pop_front() {
            let children = catalog.add_children(number, directory, &mut waiting);
            catalog.directories[number].children = children;
        }
        catalog
    }

    /// The path of `name` in directory `parent`, for error messages.
    pub(crate) fn path(&self, mut parent: usize, name: &str) -> String {
        let mut names = vec![name];
        while parent != 0 {
            names.push(self.directories[parent].name);
            parent = self.directories[parent].parent;
        }
        names.reverse();
        names.join("/")
    }

    fn add_children(
        &mut self,
        parent: usize,
        directory: &'tree Directory,
        waiting: &mut VecDeque<(usize, &'tree Directory)>,
    ) -> Vec<(&'tree str, Child)> {
        let mut children = Vec::with_capacity(directory.children.len());
        for (name, node) in &directory.children {
            let name = name.as_str();
            let child = match node {
                Node::Directory(directory) => {
                    let number = self.directories.len();
                    waiting.push_back((number, directory));
                    self.directories.push(CatalogDirectory {
                        parent,
                        name,
                        children: Vec::new(),
                    });
                    Child::Directory(number)
                }
                Node::File { kind, executable } => {
                    let executable = *executable;
                    self.files.push(CatalogFile {
                        parent,
                        name,
                        kind,
                        executable,
                    });
                    Child::File(self.files.len() - 1)
                }
            };
            children.push((name, child));
        }
        children
    }
}
