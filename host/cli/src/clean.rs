//! `lvhost clean`: what builds that were killed have left at a hypervisor, and its removal.
//!
//! A domain's metadata names the build it belongs to, the process that runs the build, and the volumes
//! it makes. Everybody at the hypervisor can write that, so it only says where to look. What is removed is
//! shown to be a dead build's, or its name was typed:
//!
//! ```text
//!  all domains ─► those with a record ─┬► its process lives:   left alone
//!                                      ├► it is gone ──────────┬► the domain's UUID is the build's
//!                                      └► it can't be seen:    │     ├► volumes that the build has made
//!                                         if named by --build ─┘     └► the domain, when none is left
//!                                                                    else: listed, with the reason, and
//!                                                                    removed if named by --remove
//! ```

mod survey;

use std::io::{self, BufRead, IsTerminal};
use std::time::Duration;

use lvhost_engine::{Doubt, HypervisorId, Journal, Removal, with_causes};
use lvhost_libvirt::{ConnectionUri, DomainState, Hypervisor, Libvirt, Owner, VolumeId};
use serde::Serialize;

use self::survey::{Remains, Standing, Survey, Verdict};
use crate::arguments;
use crate::async_runtime;
use crate::exit_code::Failure;
use crate::printer::{Paint, Printer};
use crate::surroundings::Surroundings;

/// What the hypervisor was told by a process before it was killed may still wait for its turn, for
/// milliseconds on a machine that is not busy. So long it is waited before what is not there counts as
/// never made.
const SETTLE: Duration = Duration::from_secs(2);

/// Volumes of one build that are listed one by one. A record can name as many as one likes.
const VOLUMES_SHOWN: usize = 100;

/// What there is and what became of it, for `--json`.
#[derive(Serialize)]
struct Report {
    uri: String,
    builds: Vec<Entry>,
}

/// What one build left.
#[derive(Serialize)]
struct Entry {
    build_id: String,
    domain: String,
    /// Where it runs or ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
    state: Standing,
    /// Those that go, or are gone.
    volumes: Vec<String>,
    /// What stays unless its name is typed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    doubtful: Vec<Doubtful>,
    removed: bool,
    /// What could not be removed, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<String>,
}

/// Something that nothing shows to be the build's.
#[derive(Serialize)]
struct Doubtful {
    /// `domain NAME` or `volume POOL/NAME`.
    what: String,
    reason: String,
}

/// Lists what dead builds left, and removes it if the user says so.
///
/// # Errors
/// No connection; something could not be removed.
pub(crate) fn clean(arguments: &arguments::Clean, printer: &Printer) -> Result<(), Failure> {
    let journal = Surroundings::of_this_process().journal()?;
    async_runtime::small()?.block_on(async {
        let hypervisor = Libvirt::connect(&arguments.uri)
            .await
            .map_err(|error| Failure::unable("there is nothing to clean", error))?;
        let here = Owner::this_process()
            .map_err(|error| Failure::unable("live builds can't be told from dead ones", error))?;
        let call = Call {
            arguments,
            printer,
            hypervisor: &hypervisor,
            journal: journal.as_ref(),
        };
        call.run(&here).await
    })
}

/// One call of the command.
struct Call<'a> {
    arguments: &'a arguments::Clean,
    printer: &'a Printer,
    hypervisor: &'a dyn Hypervisor,
    journal: &'a dyn Journal,
}

impl Call<'_> {
    async fn run(&self, here: &Owner) -> Result<(), Failure> {
        let unknown = |error| Failure::unable("what there is can't be found out", error);
        let id = HypervisorId::of(self.hypervisor).await.map_err(unknown)?;
        let survey = Survey {
            hypervisor: self.hypervisor,
            hypervisor_id: &id,
            journal: self.journal,
            here,
        };
        let remains = self.settled(&survey).await?;
        let wanted: Vec<bool> = remains
            .iter()
            .map(|remains| self.is_wanted(remains))
            .collect();
        let uri = ConnectionUri::new(self.arguments.uri.as_str()).to_string();
        if !self.arguments.output.json {
            self.list(&remains, &uri);
        }
        let go_on = wanted.contains(&true) && (self.arguments.yes || self.confirm(&wanted));
        let mut left = 0;
        let mut entries = Vec::new();
        for (remains, wanted) in remains.iter().zip(wanted) {
            let mut entry = self.entry(remains);
            if wanted && go_on {
                entry.errors = self.remove(remains, &id).await;
                entry.removed = entry.errors.is_empty() && !self.stays(remains);
                left += entry.errors.len();
                self.tell(&entry);
            }
            entries.push(entry);
        }
        if self.arguments.output.json {
            self.printer.json(&Report {
                uri,
                builds: entries,
            });
        }
        if left > 0 {
            return Err(Failure::NotClean { left });
        }
        Ok(())
    }

    /// What there is, once libvirt has come to what a process that is gone has told it last.
    async fn settled(&self, survey: &Survey<'_>) -> Result<Vec<Remains>, Failure> {
        let look = async || {
            let looked = survey.look().await;
            looked.map_err(|error| Failure::unable("what there is can't be found out", error))
        };
        let remains = look().await?;
        let may_change = |remains: &Remains| {
            let is_open = |(_, verdict): &(VolumeId, Verdict)| {
                matches!(
                    verdict,
                    Verdict::Missing | Verdict::Doubtful(Doubt::Unreadable(_))
                )
            };
            remains.standing == Standing::Dead
                && remains.doubt.is_none()
                && remains.volumes.iter().any(is_open)
        };
        if !remains.iter().any(may_change) {
            return Ok(remains);
        }
        tokio::time::sleep(SETTLE).await;
        look().await
    }

    fn is_wanted(&self, remains: &Remains) -> bool {
        let is_wanted = match remains.standing {
            Standing::Dead => true,
            Standing::Alive => false,
            Standing::Unknown => self.arguments.builds.contains(&remains.record.id),
        };
        is_wanted && self.doubt_of_domain(remains).is_none()
    }

    /// Why a domain stays, unless the user has typed its name.
    fn doubt_of_domain<'a>(&self, remains: &'a Remains) -> Option<&'a Doubt> {
        let is_named = self.arguments.remove.contains(&remains.domain.name);
        remains.doubt.as_ref().filter(|_| !is_named)
    }

    /// Why a volume stays, unless the user has typed its name.
    fn doubt_of_volume<'a>(&self, volume: &VolumeId, verdict: &'a Verdict) -> Option<&'a Doubt> {
        let names = &self.arguments.remove;
        let is_named = names
            .iter()
            .any(|name| *name == volume.name || *name == place(volume));
        match verdict {
            Verdict::Doubtful(doubt) if !is_named => Some(doubt),
            _ => None,
        }
    }

    /// Whether the domain stays, since by it volumes are found that are in doubt.
    fn stays(&self, remains: &Remains) -> bool {
        let tells_of = |(volume, verdict): &(VolumeId, Verdict)| {
            let doubt = self.doubt_of_volume(volume, verdict);
            // That of another build is found by the other build's domain, and the result of one that has
            // succeeded is there to stay.
            doubt.is_some_and(|doubt| !matches!(doubt, Doubt::ClaimedBy(_) | Doubt::Artifact))
        };
        // Who has typed the domain's name means the domain.
        remains.doubt.is_none() && remains.volumes.iter().any(tells_of)
    }

    fn list(&self, all: &[Remains], uri: &str) {
        if all.is_empty() {
            self.printer
                .result(&format!("No build has left anything at {uri}."));
        }
        for remains in all {
            let entry = self.entry(remains);
            let what = match remains.standing {
                Standing::Dead => self.printer.paint(Paint::Error, "dead"),
                Standing::Alive => self.printer.paint(Paint::Build(0), "running"),
                Standing::Unknown => self
                    .printer
                    .paint(Paint::Warning, "not to be seen from here"),
            };
            let owner = match (&entry.host, entry.pid) {
                (Some(host), Some(pid)) => format!("process {pid} on {host}"),
                _ => "no process on record".to_owned(),
            };
            self.printer
                .result(&format!("build {} ({owner}): {what}", entry.build_id));
            let state = if remains.state.is_off() { "off" } else { "on" };
            self.printer
                .result(&format!("    domain {} ({state})", entry.domain));
            let lines = entry
                .volumes
                .iter()
                .map(|volume| format!("    volume {volume}"));
            let doubts = entry.doubtful.iter().map(|doubtful| {
                format!(
                    "    {} stays: {}; if you know better: lvhost clean --remove {}",
                    doubtful.what,
                    doubtful.reason,
                    doubtful.what.split_once(' ').map_or("", |(_, name)| name)
                )
            });
            let total = entry.volumes.len() + entry.doubtful.len();
            for line in lines.chain(doubts).take(VOLUMES_SHOWN) {
                self.printer.result(&line);
            }
            if let Some(more @ 1..) = total.checked_sub(VOLUMES_SHOWN) {
                self.printer.result(&format!("    and {more} more"));
            }
            let is_named = self.arguments.builds.contains(&remains.record.id);
            if remains.standing == Standing::Unknown && !is_named {
                self.printer.result(&format!(
                    "    if you know that it is dead: lvhost clean --build {}",
                    entry.build_id
                ));
            }
        }
    }

    /// Asks whether to remove, where somebody is there to answer.
    fn confirm(&self, wanted: &[bool]) -> bool {
        let builds = wanted.iter().filter(|wanted| **wanted).count();
        if self.arguments.output.json {
            return false;
        }
        if !io::stdin().is_terminal() {
            self.printer
                .message("Nothing was removed: say `--yes` to remove what dead builds left.");
            return false;
        }
        let plural = if builds == 1 { "" } else { "s" };
        self.printer.message(&format!(
            "Remove what {builds} dead build{plural} left? [y/N]"
        ));
        let mut answer = String::new();
        let read = io::stdin().lock().read_line(&mut answer);
        let agreed = read.is_ok() && matches!(answer.trim().to_lowercase().as_str(), "y" | "yes");
        if !agreed {
            self.printer.message("Nothing was removed.");
        }
        agreed
    }

    fn tell(&self, entry: &Entry) {
        if self.arguments.output.json {
            return;
        }
        for error in &entry.errors {
            self.printer.error(error);
        }
        if entry.removed {
            self.printer
                .result(&format!("Removed what build {} left.", entry.build_id));
        } else if entry.errors.is_empty() {
            self.printer.result(&format!(
                "Removed what build {} left, but for what is in doubt and the domain that tells of it.",
                entry.build_id
            ));
        }
    }

    /// Removes the guest, its volumes, and at last the domain, by which all of it can be found again
    /// should something go wrong or stay. Returns what went wrong.
    async fn remove(&self, remains: &Remains, id: &HypervisorId) -> Vec<String> {
        let tell = |text: &str| self.printer.message(text);
        let removal = Removal::new(self.hypervisor, &tell);
        let mut errors = Vec::new();
        let mut note = |result: lvhost_libvirt::Result<()>, what: String| {
            if let Err(error) = result {
                errors.push(format!(
                    "{what} could not be removed: {}",
                    with_causes(&error)
                ));
            }
        };
        let is_named = self.arguments.builds.contains(&remains.record.id);
        let mut is_pool_gone = false;
        if remains.state != DomainState::Gone {
            let destroyed = removal.destroy_domain(&remains.domain).await;
            note(destroyed, format!("the guest of {}", remains.domain));
        }
        for (volume, verdict) in &remains.volumes {
            if self.doubt_of_volume(volume, verdict).is_some() || *verdict == Verdict::Missing {
                continue;
            }
            let deleted = match removal.delete_volume(volume).await {
                // Somebody else has removed it in the meantime.
                Err(lvhost_libvirt::Error::NoSuchVolume { .. }) => Ok(()),
                // Who names the build knows of the pool as well.
                Err(lvhost_libvirt::Error::NoSuchPool { .. }) if is_named => Ok(()),
                result => result,
            };
            is_pool_gone |= matches!(deleted, Err(lvhost_libvirt::Error::NoSuchPool { .. }));
            if deleted.is_ok()
                && let Err(error) = self.journal.forget(id, volume).await
            {
                tracing::warn!(%volume, error = with_causes(&error), "the journal is not up to date");
            }
            note(deleted, format!("the volume {}", place(volume)));
        }
        if is_pool_gone {
            errors.push(format!(
                "the domain {} stays, so that the volumes can be found again when their pool is \
                 back; if it is gone for good: lvhost clean --build {}",
                remains.domain, remains.record.id
            ));
        }
        if errors.is_empty() && !self.stays(remains) {
            let undefined = removal.undefine_domain(&remains.domain).await;
            if let Err(error) = undefined {
                errors.push(format!(
                    "the domain {} could not be removed: {}",
                    remains.domain,
                    with_causes(&error)
                ));
            }
        }
        errors
    }

    fn entry(&self, remains: &Remains) -> Entry {
        let owner = remains.record.owner.as_ref();
        let doubt = self.doubt_of_domain(remains);
        let domain = doubt.map(|doubt| Doubtful {
            what: format!("domain {}", remains.domain.name),
            reason: doubt.to_string(),
        });
        let volumes = remains.volumes.iter().filter_map(|(volume, verdict)| {
            let doubt = self.doubt_of_volume(volume, verdict)?;
            Some(Doubtful {
                what: format!("volume {}", place(volume)),
                reason: doubt.to_string(),
            })
        });
        let goes = |(volume, verdict): &&(VolumeId, Verdict)| {
            self.doubt_of_volume(volume, verdict).is_none()
        };
        Entry {
            build_id: remains.record.id.clone(),
            domain: remains.domain.name.clone(),
            host: owner.map(|owner| owner.host.clone()),
            pid: owner.map(|owner| owner.pid),
            state: remains.standing,
            volumes: remains
                .volumes
                .iter()
                .filter(goes)
                .map(|(volume, _)| place(volume))
                .collect(),
            doubtful: domain.into_iter().chain(volumes).collect(),
            removed: false,
            errors: Vec::new(),
        }
    }
}

/// A volume as `pool/name`.
fn place(volume: &VolumeId) -> String {
    format!("{}/{}", volume.pool, volume.name)
}

#[cfg(test)]
mod tests;
