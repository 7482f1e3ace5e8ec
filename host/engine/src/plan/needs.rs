//! What the source of a volume needs to reach, the rule by which it may, and what it would download: asked of the
//! very checks that a build makes at each call.

use std::path::Path;

use lvhost_fetch::Request;
use lvhost_runtime::Grant;

use super::{Contents, Plan, PlannedVolume};
use crate::permission::{Permission, Rule};
use crate::sources::Sources;
use crate::volumes::grants::Grants;

/// Something that the source of a volume has asked for.
#[derive(Debug)]
pub struct Need {
    /// What it is.
    pub grant: Grant,
    /// By what it is allowed; `None` if by nothing.
    pub allowed_by: Option<AllowedBy>,
}

/// By what something is allowed.
#[derive(Debug, PartialEq, Eq)]
pub enum AllowedBy {
    /// The template, in which it stands: the source is built in.
    Template,
    /// A rule of the source's entry in `lvhost.hcl`.
    Rule(Rule),
}

/// What the source of a volume needs, and what it may reach besides.
#[derive(Debug, Default)]
pub struct Needs {
    /// What it has asked for, in its order.
    pub needs: Vec<Need>,
    /// The lines of its entry in `lvhost.hcl` that allow nothing of it: it may reach this, too.
    pub unused_rules: Vec<String>,
}

/// One file that the source of a volume has asked for.
#[derive(Debug)]
pub struct PlannedDownload {
    /// Where it can be had, as the source has said.
    pub urls: Vec<String>,
    /// Whether its checksum is known already.
    pub has_checksum: bool,
    /// How it would be asked for; `None` if that would be refused.
    pub request: Option<Request>,
}

impl Plan {
    /// What the source of `volume` needs.
    pub fn needs(&self, volume: &PlannedVolume, sources: &Sources) -> Needs {
        let Contents::Source { block, grants } = &volume.contents else {
            return Needs::default();
        };
        let permission = sources.permission(&block.type_name);
        let granted = Grants::new(grants, block, &volume.id, permission);
        let allowed_by = |grant: &Grant| match permission {
            _ if !granted.is_granted(grant) => None,
            Permission::Template => Some(AllowedBy::Template),
            Permission::Entry(allowed) => allowed.rule_for(grant).map(AllowedBy::Rule),
            Permission::Missing => None,
        };
        let needs = grants.iter().map(|grant| Need {
            grant: grant.clone(),
            allowed_by: allowed_by(grant),
        });
        Needs {
            needs: needs.collect(),
            unused_rules: match permission {
                Permission::Entry(allowed) => allowed.unused_lines(grants),
                Permission::Template | Permission::Missing => Vec::new(),
            },
        }
    }

    /// What the source of `volume` would download. Places that are to be checked by the same checksum are
    /// places of one file. Relative paths are meant from `working_directory`.
    pub fn downloads(
        &self,
        volume: &PlannedVolume,
        sources: &Sources,
        working_directory: &Path,
    ) -> Vec<PlannedDownload> {
        let Contents::Source { block, grants } = &volume.contents else {
            return Vec::new();
        };
        let permission = sources.permission(&block.type_name);
        let granted = Grants::new(grants, block, &volume.id, permission);
        let files = grants.iter().filter_map(|grant| match grant {
            Grant::Url(file) => Some(file),
            _ => None,
        });
        let files: Vec<_> = files.collect();
        let groups = files.chunk_by(|one, other| one.checksum == other.checksum);
        let downloads = groups.map(|group| {
            let urls: Vec<String> = group.iter().map(|file| file.url.clone()).collect();
            let checksum = group.first().and_then(|file| file.checksum.as_deref());
            let request = granted.request(&urls, checksum, working_directory);
            PlannedDownload {
                request: request.ok(),
                has_checksum: checksum.is_some(),
                urls,
            }
        });
        downloads.collect()
    }
}
