//! What guests and others write, what is known of it, and which files are opened because of that.
use lvhost_image::qcow2;

use super::World;
use crate::{Disk, DiskSource, Result, VolumeId, fake::guess};

impl World {
    /// All files that QEMU and qemu-img have opened beside the volumes they were told to work on.
    pub(in crate::fake) fn opened(&self) -> &[String] {
        &self.opened
    }

    /// A guest writes to the beginning of its disk, and libvirt does not know.
    pub(in crate::fake) fn overwrite(&mut self, id: &VolumeId, bytes: &[u8]) -> Result<()> {
        self.volume_mut(id)?.content.overwrite(bytes);
        Ok(())
    }

    /// Somebody takes the file of a volume out of the pool's folder, and libvirt does not know.
    pub(in crate::fake) fn lose_file(&mut self, id: &VolumeId) -> Result<()> {
        self.volume_mut(id)?.is_lost = true;
        Ok(())
    }

    /// What was made of a volume is still in the pool's folder, and libvirt has not seen it.
    pub(in crate::fake) fn hide(&mut self, id: &VolumeId) {
        if let Some(pool) = self.pools.get_mut(&id.pool)
            && let Some((name, volume)) = pool.volumes.remove_entry(&id.name)
        {
            pool.unseen.insert(name, volume);
        }
    }

    /// Looks through the pool if it has no volume of that name, or no file of it.
    pub(super) fn look_again(&mut self, id: &VolumeId) -> Result<()> {
        let known = self.active_pool(&id.pool)?.volumes.get(&id.name);
        if known.is_none_or(|volume| volume.is_lost) {
            self.refresh(&id.pool);
        }
        Ok(())
    }

    /// libvirt looks at all volumes of a pool.
    pub(in crate::fake) fn refresh(&mut self, pool: &str) {
        let Some(pool) = self.pools.get_mut(pool) else {
            return;
        };
        pool.volumes.append(&mut pool.unseen);
        pool.volumes.retain(|_, volume| !volume.is_lost);
        for volume in pool.volumes.values_mut() {
            if volume.facts.guessed_format.is_some() {
                guess::look(&mut volume.facts, &volume.content);
            }
        }
    }

    /// QEMU opens what the disks of a domain say, and a data file that a header names.
    pub(super) fn open_disks(&mut self, disks: &[Disk]) {
        for disk in disks {
            let id = match &disk.source {
                DiskSource::Volume(id) => Some(id.clone()),
                DiskSource::File(path) | DiskSource::Block(path) => {
                    self.known_by_path(path).map(|(id, _)| id)
                }
            };
            let header = id.and_then(|id| self.header(&id, &disk.format.name));
            let data_file = header.and_then(|header| header.external_data_file_name);
            self.opened.extend(data_file);
            self.opened
                .extend(disk.format.backing_paths().map(str::to_owned));
        }
    }

    /// What qemu-img opens beside an image of this format because of what stands in it.
    pub(super) fn opened_by_header(&self, path: &str, format: &str) -> Vec<String> {
        let Some((id, _)) = self.known_by_path(path) else {
            return Vec::new();
        };
        let Some(header) = self.header(&id, format) else {
            return Vec::new();
        };
        let names = [header.backing_file, header.external_data_file_name];
        names.into_iter().flatten().collect()
    }

    fn header(&self, id: &VolumeId, format: &str) -> Option<qcow2::Header> {
        if format != "qcow2" {
            return None;
        }
        let head = self.content(id)?.read(0, qcow2::HEADER_BYTES);
        qcow2::Header::parse(&head).ok()?
    }
}
