//! The blocks of the top level by kind.

use hcl::edit::Span as _;
use hcl::edit::structure::{Block, Structure};

use super::parse::ParsedFile;
use super::unread::Unread;
use crate::body::Label;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::evaluate::{Context, Evaluator};
use crate::source_map::{FileId, Span};

/// A block and where it is.
#[derive(Clone, Copy)]
pub(super) struct Located<'a> {
    pub(super) file: FileId,
    pub(super) block: &'a Block,
}

impl<'a> Located<'a> {
    pub(super) fn span(&self) -> Span {
        Span::new(self.file, self.block.span().unwrap_or_default())
    }

    pub(super) fn name_span(&self) -> Span {
        Span::new(self.file, self.block.ident.span().unwrap_or_default())
    }

    /// The labels, if there are `N`; `form` is how the block is written.
    pub(super) fn labels<const N: usize>(
        &self,
        evaluator: &mut Evaluator<'_>,
        form: &str,
    ) -> Option<[Label; N]> {
        let labels = evaluator.labels(self.block).try_into().ok();
        if labels.is_none() {
            let name = self.block.ident.as_str();
            let count = match N {
                0 => "no label".to_owned(),
                1 => "one label".to_owned(),
                _ => format!("{N} labels"),
            };
            evaluator.diagnostics.push(
                Diagnostic::error(self.name_span(), format!("a `{name}` block takes {count}"))
                    .help(format!("write {form}")),
            );
        }
        labels
    }
}

/// Blocks of the top level.
#[derive(Default)]
pub(super) struct Blocks<'a> {
    pub(super) packer: Vec<Located<'a>>,
    pub(super) variable: Vec<Located<'a>>,
    /// `variables { name = default }`.
    pub(super) variables: Vec<Located<'a>>,
    pub(super) local: Vec<Located<'a>>,
    pub(super) locals: Vec<Located<'a>>,
    pub(super) data: Vec<Located<'a>>,
    pub(super) sources: Vec<Located<'a>>,
    pub(super) builds: Vec<Located<'a>>,
}

/// The blocks at the top level of a template.
pub(super) const KINDS: [&str; 8] = [
    "build",
    "data",
    "local",
    "locals",
    "packer",
    "source",
    "variable",
    "variables",
];

impl<'a> Blocks<'a> {
    pub(super) fn sort(
        parsed: &'a [ParsedFile],
        context: &Context,
        unread: &mut Unread,
        diagnostics: &mut Diagnostics,
    ) -> Self {
        let mut blocks = Self::default();
        for ParsedFile { file, body } in parsed {
            let mut evaluator = Evaluator::new(context, *file);
            evaluator.check_shape(body, &[], &KINDS);
            diagnostics.extend(evaluator.diagnostics);
            for block in body.iter().filter_map(Structure::as_block) {
                let kind = match block.ident.as_str() {
                    "packer" => &mut blocks.packer,
                    "variable" => &mut blocks.variable,
                    "variables" => &mut blocks.variables,
                    "local" => &mut blocks.local,
                    "locals" => &mut blocks.locals,
                    "data" => &mut blocks.data,
                    "source" => &mut blocks.sources,
                    "build" => &mut blocks.builds,
                    name => {
                        // It has been reported, and what was meant is missing now.
                        if let Some(kind) = crate::suggest::suggest(name, KINDS) {
                            unread.add(kind);
                        }
                        continue;
                    }
                };
                kind.push(Located { file: *file, block });
            }
        }
        blocks
    }
}
