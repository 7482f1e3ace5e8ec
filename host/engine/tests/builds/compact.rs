//! `output_compact`: the copy in the `output_directory` holds what the artifact holds, and no more.

use std::fs::{File, metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use imago::file::File as Storage;
use imago::qcow2::Qcow2;
use imago::{DenyImplicitOpenGate, FormatAccess, FormatCreateBuilder, FormatDriverBuilder};

use crate::scene::Scene;

const CLUSTER: u64 = 64 * 1024;

fn template(format: &str) -> &'static str {
    let text = r#"
source "libvirt" "example" {
  libvirt_uri            = "fake:///"
  network_address_source = "lease"
  output_directory       = "out"
  output_compact         = true
  network_interface {
    type = "managed"
    mac  = "52:54:00:00:00:01"
  }
  communicator {
    ssh_username = "root"
    ssh_password = "hush"
  }
  volume {
    alias  = "artifact"
    name   = "image"
    format = "$FORMAT"
    source {
      type     = "external"
      urls     = ["guest.$FORMAT"]
      checksum = "none"
    }
  }
}
build { sources = ["libvirt.example"] }
"#;
    Box::leak(text.replace("$FORMAT", format).into_boxed_str())
}

/// A disk of 8 MiB: something at its beginning and near its end, zeros in between.
fn disk() -> Vec<u8> {
    let mut disk = vec![0; 8 << 20];
    disk[..4].copy_from_slice(b"boot");
    disk[5 << 20..][..4].copy_from_slice(b"data");
    disk
}

#[tokio::test]
async fn zeros_of_a_raw_image_become_holes() {
    let scene = Scene::new(template("raw"));
    // Ends in the middle of a cluster.
    let mut disk = disk();
    disk.truncate((8 << 20) - 512);
    std::fs::write(scene.path("guest.raw"), &disk).unwrap();
    let artifact = scene.run().await.result.unwrap();
    let file = artifact.file.unwrap();
    assert_eq!(std::fs::read(&file).unwrap(), disk);
    let kept = metadata(&file).unwrap().blocks() * 512;
    assert!(kept <= 3 * CLUSTER, "{kept} bytes on disk");
}

/// Makes an image in which every cluster is there, as after a guest that has filled its disk.
async fn full_qcow2(path: &Path, disk: &[u8]) {
    let file = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(path)
        .unwrap();
    Qcow2::<Storage>::create_builder(Storage::try_from(file).unwrap())
        .size(disk.len() as u64)
        .cluster_size(CLUSTER as usize)
        .create()
        .await
        .unwrap();
    let image = open(path, true).await;
    for (block, index) in disk.chunks(CLUSTER as usize).zip(0..) {
        image.write(block, index * CLUSTER).await.unwrap();
    }
    image.flush().await.unwrap();
}

async fn open(path: &Path, write: bool) -> FormatAccess<Storage> {
    let file = File::options().read(true).write(write).open(path).unwrap();
    let image = Qcow2::<Storage>::builder(Storage::try_from(file).unwrap())
        .write(write)
        .backing(None)
        .data_file(None);
    FormatAccess::new(image.open(DenyImplicitOpenGate::default()).await.unwrap())
}

#[tokio::test]
async fn a_qcow2_image_is_written_anew_without_empty_clusters() {
    let scene = Scene::new(template("qcow2"));
    let disk = disk();
    let before = scene.path("guest.qcow2");
    full_qcow2(&before, &disk).await;
    assert!(metadata(&before).unwrap().len() > 8 << 20, "all is in it");
    let artifact = scene.run().await.result.unwrap();
    let file = artifact.file.unwrap();
    let after = metadata(&file).unwrap();
    assert!(after.len() < 16 * CLUSTER, "{} bytes", after.len());
    assert_eq!(after.mode() & 0o400, 0o400);

    let image = open(&file, false).await;
    assert_eq!(image.size(), disk.len() as u64);
    let mut read = vec![1; disk.len()];
    image.read(&mut read[..], 0).await.unwrap();
    assert!(read == disk, "the guest sees the same disk");
    let names: Vec<_> = std::fs::read_dir(scene.path("out"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names, ["image"], "nothing else is left");

    // The judge of what is a good image.
    let check = Command::new("qemu-img").arg("check").arg(&file).output();
    match check {
        Ok(output) => assert!(output.status.success(), "{output:?}"),
        Err(error) => println!("SKIPPED: qemu-img check: {error}"),
    }
}

#[tokio::test]
async fn an_image_that_is_small_already_stays_as_it_is() {
    let scene = Scene::new(template("qcow2"));
    let path = scene.path("guest.qcow2");
    // Every cluster holds something.
    full_qcow2(&path, &vec![1; 2 << 20]).await;
    let artifact = scene.run().await.result.unwrap();
    let file = std::fs::read(artifact.file.unwrap()).unwrap();
    assert!(file == std::fs::read(&path).unwrap());
    let said = scene.said.lock().unwrap();
    assert!(!said.iter().any(|line| line.starts_with("warning")));
}

#[tokio::test]
async fn what_can_not_be_compacted_stays_as_it_is_and_is_told() {
    let scene = Scene::new(template("qcow2"));
    let path = scene.path("guest.qcow2");
    full_qcow2(&path, &disk()).await;
    let mut bytes = std::fs::read(&path).unwrap();
    // One snapshot, if its header is to be believed.
    bytes[63] = 1;
    std::fs::write(&path, &bytes).unwrap();
    let artifact = scene.run().await.result.unwrap();
    assert!(std::fs::read(artifact.file.unwrap()).unwrap() == bytes);
    let said = scene.said.lock().unwrap();
    let told = "warning: image is not compacted: it has snapshots, which would be lost";
    assert!(said.iter().any(|line| line == told), "{said:?}");
}
