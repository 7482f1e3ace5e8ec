//! `lvhost clean`: what builds that were killed have left at a hypervisor, and its removal.
//!
//! A domain's metadata names the build it belongs to, the process that runs the build, and the volumes
//! it makes. What is removed is what belongs to a build whose process is seen to be gone, and nothing
//! else:
//!
//! ```text
//!  all domains ─► those with a build's record ─┬► its process lives:   left alone
//!                                              ├► it is gone:          volumes, then the domain
//!                                              └► it can't be seen:    only if named by `--build`
//! ```

mod survey;

use std::io::{self, BufRead, IsTerminal};

use lvhost_engine::with_causes;
use lvhost_libvirt::{ConnectionUri, DomainState, Hypervisor, Libvirt, Owner, VolumeId};
use serde::Serialize;

use self::survey::{Found, Standing, survey};
use crate::arguments;
use crate::async_runtime;
use crate::exit_code::Failure;
use crate::printer::{Paint, Printer};

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
    volumes: Vec<String>,
    removed: bool,
    /// What could not be removed, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<String>,
}

/// Lists what dead builds left, and removes it if the user says so.
///
/// # Errors
/// No connection; something could not be removed.
pub(crate) fn clean(arguments: &arguments::Clean, printer: &Printer) -> Result<(), Failure> {
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
        };
        call.run(&here).await
    })
}

/// One call of the command.
struct Call<'a> {
    arguments: &'a arguments::Clean,
    printer: &'a Printer,
    hypervisor: &'a dyn Hypervisor,
}

impl Call<'_> {
    async fn run(&self, here: &Owner) -> Result<(), Failure> {
        let domains = self.hypervisor.list_domains().await;
        let domains =
            domains.map_err(|error| Failure::unable("the domains can't be listed", error))?;
        let found = survey(&domains, here);
        let wanted: Vec<bool> = found.iter().map(|found| self.is_wanted(found)).collect();
        let uri = ConnectionUri::new(self.arguments.uri.as_str()).to_string();
        if !self.arguments.output.json {
            self.list(&found, &uri);
        }
        let go_on = wanted.contains(&true) && (self.arguments.yes || self.confirm(&wanted));
        let mut left = 0;
        let mut entries = Vec::new();
        for (found, wanted) in found.iter().zip(wanted) {
            let mut entry = entry(found);
            if wanted && go_on {
                entry.errors = self.remove(found).await;
                entry.removed = entry.errors.is_empty();
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

    fn is_wanted(&self, found: &Found) -> bool {
        match found.standing {
            Standing::Dead => true,
            Standing::Alive => false,
            Standing::Unknown => self.arguments.builds.contains(&found.record.id),
        }
    }

    fn list(&self, found: &[Found], uri: &str) {
        if found.is_empty() {
            self.printer
                .result(&format!("No build has left anything at {uri}."));
        }
        for found in found {
            let entry = entry(found);
            let what = match found.standing {
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
            let state = if found.state.is_off() { "off" } else { "on" };
            self.printer
                .result(&format!("    domain {} ({state})", entry.domain));
            for volume in &entry.volumes {
                self.printer.result(&format!("    volume {volume}"));
            }
            if found.standing == Standing::Unknown && !self.is_wanted(found) {
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
        }
    }

    /// Removes the guest, its volumes, and at last the domain, by which all of it can be found again
    /// should something go wrong. Returns what did.
    async fn remove(&self, found: &Found) -> Vec<String> {
        let mut errors = Vec::new();
        let mut note = |result: lvhost_libvirt::Result<()>, what: String| {
            if let Err(error) = result {
                errors.push(format!(
                    "{what} could not be removed: {}",
                    with_causes(&error)
                ));
            }
        };
        let is_named = self.arguments.builds.contains(&found.record.id);
        let mut is_pool_gone = false;
        if found.state != DomainState::Gone {
            let destroyed = self.hypervisor.destroy_domain(&found.domain).await;
            note(destroyed, format!("the guest of {}", found.domain));
        }
        for volume in &found.volumes {
            let deleted = match self.hypervisor.delete_volume(volume).await {
                // It was not made before the build died, or is removed already.
                Err(lvhost_libvirt::Error::NoSuchVolume { .. }) => Ok(()),
                // Who names the build knows of the pool as well.
                Err(lvhost_libvirt::Error::NoSuchPool { .. }) if is_named => Ok(()),
                result => result,
            };
            is_pool_gone |= matches!(deleted, Err(lvhost_libvirt::Error::NoSuchPool { .. }));
            note(deleted, format!("the volume {}", place(volume)));
        }
        if is_pool_gone {
            errors.push(format!(
                "the domain {} stays, so that the volumes can be found again when their pool is \
                 back; if it is gone for good: lvhost clean --build {}",
                found.domain, found.record.id
            ));
        }
        if errors.is_empty() {
            let undefined = self.hypervisor.undefine_domain(&found.domain).await;
            if let Err(error) = undefined {
                errors.push(format!(
                    "the domain {} could not be removed: {}",
                    found.domain,
                    with_causes(&error)
                ));
            }
        }
        errors
    }
}

fn entry(found: &Found) -> Entry {
    let owner = found.record.owner.as_ref();
    Entry {
        build_id: found.record.id.clone(),
        domain: found.domain.name.clone(),
        host: owner.map(|owner| owner.host.clone()),
        pid: owner.map(|owner| owner.pid),
        state: found.standing,
        volumes: found.volumes.iter().map(place).collect(),
        removed: false,
        errors: Vec::new(),
    }
}

/// A volume as `pool/name`.
fn place(volume: &VolumeId) -> String {
    format!("{}/{}", volume.pool, volume.name)
}

#[cfg(test)]
mod tests;
