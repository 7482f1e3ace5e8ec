//! A file with syntax errors, as far as it can be read.
//!
//! ```text
//!  parse ──► an error ──► the block that it is in becomes blanks ──► parse …
//! ```
//! So all other blocks keep their places, and each broken one tells its first error. A block of the top level
//! begins where its name begins a line, and what is between two of them belongs to the first. In a `build`
//! where all is closed that was opened, only the block goes that is right inside of it. What went may be
//! missing elsewhere, which is nobody's mistake: see [`Unread`].

use std::ops::Range;

use hcl::edit::structure::Body;

use super::blocks::KINDS;
use super::brackets::{blocks_inside, top_level_blocks};
use super::parse::parse;
use super::unread::{Unread, first_word};
use crate::budget::Budget;
use crate::diagnostic::Diagnostics;
use crate::source_map::FileId;

/// How many broken blocks of a file are told of: each costs another look at the file.
const MAX_ERRORS: usize = 20;

/// The blocks of a file that can be read. Reading it once is paid for by the template, reading it again has
/// a budget of its own.
pub(super) fn read(
    text: &str,
    file: FileId,
    budget: &Budget,
    unread: &mut Unread,
    diagnostics: &mut Diagnostics,
) -> Option<Body> {
    let again = Budget::default();
    let mut budget = budget;
    let mut rest = text.to_owned();
    for _ in 0..MAX_ERRORS {
        let error = match parse(&rest, file, budget) {
            Ok(body) => return Some(body),
            Err(_) if again.is_spent() => break,
            Err(error) => error,
        };
        let place = error.span.map_or(0, |span| span.start);
        diagnostics.push(error);
        if budget.is_spent() {
            break;
        }
        budget = &again;
        if !remove_block(&mut rest, place, unread) {
            break;
        }
    }
    unread.add_all();
    None
}

/// Makes blanks of the broken block at `place`. `false` if there is none, so that the error is of another kind.
fn remove_block(text: &mut String, place: usize, unread: &mut Unread) -> bool {
    let begins = top_level_blocks(text);
    let index = begins.partition_point(|begin| *begin <= place);
    let start = index.checked_sub(1).map_or(0, |index| begins[index]);
    let end = begins.get(index).copied().unwrap_or(text.len());
    let block = &text[start..end];
    if block.trim().is_empty() {
        return false;
    }
    let range = match inner_block(block, place - start) {
        Some(inner) => {
            // What `dynamic` makes may be sources.
            if matches!(first_word(&block[inner.clone()]), "source" | "dynamic") {
                unread.add("source");
            }
            start + inner.start..start + inner.end
        }
        None => {
            let line = text[..place].rfind('\n').map_or(0, |newline| newline + 1);
            let word = first_word(&text[line..]);
            if !word.is_empty() && !word.starts_with('}') && !KINDS.contains(&word) {
                // The name of a block of the top level is broken.
                unread.add_all();
            }
            add_unread(block, unread);
            start..end
        }
    };
    let blanks = text[range.clone()]
        .bytes()
        .map(|byte| match byte {
            b'\n' | b'\r' => char::from(byte),
            _ => ' ',
        })
        .collect::<String>();
    text.replace_range(range, &blanks);
    true
}

/// The block at `place` right inside of a `build` that is whole otherwise.
fn inner_block(block: &str, place: usize) -> Option<Range<usize>> {
    if first_word(block) != "build" {
        return None;
    }
    blocks_inside(block)?
        .into_iter()
        .find(|inner| inner.contains(&place))
}

/// All that may have stood in a part of a file.
fn add_unread(part: &str, unread: &mut Unread) {
    let mut is_known = false;
    for line in part.lines() {
        let begun = KINDS
            .into_iter()
            .filter(|kind| {
                let mut found = line.match_indices(kind);
                found.any(|(at, _)| begins_block(line, at, kind))
            })
            .chain(crate::suggest::suggest(first_word(line), KINDS));
        let mut is_of_kind = false;
        for kind in begun {
            unread.add(kind);
            is_of_kind = true;
        }
        is_known |= is_of_kind;
        if !is_of_kind && line.contains('{') && !line.starts_with([' ', '\t']) {
            // A block of the top level, broken in its name.
            unread.add_all();
        }
    }
    if !is_known {
        unread.add_all();
    }
}

/// Whether a block of that kind may begin there: with what is broken before it, it need not begin a line.
fn begins_block(text: &str, at: usize, kind: &str) -> bool {
    let is_of_name = |c: char| c.is_alphanumeric() || c == '_' || c == '-' || c == '.';
    let behind = text[at + kind.len()..].trim_start_matches([' ', '\t']);
    !text[..at].ends_with(is_of_name) && behind.starts_with(['"', '{'])
}
