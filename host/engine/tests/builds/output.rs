//! The copy of the artifact in the `output_directory`.

use lvhost_engine::Error;
use lvhost_libvirt::fake::Call;

use crate::scene::Scene;

const TEMPLATE: &str = r#"
source "libvirt" "example" {
  libvirt_uri            = "fake:///"
  network_address_source = "lease"
  output_directory       = "out/images"
  network_interface {
    type = "managed"
    mac  = "52:54:00:00:00:01"
  }
  communicator {
    ssh_username = "root"
    ssh_password = "hush"
  }
  volume {
    alias = "artifact"
    name  = "image"
    source {
      type     = "external"
      urls     = ["disk.raw"]
      checksum = "none"
    }
  }
}
build { sources = ["libvirt.example"] }
"#;

#[tokio::test]
async fn the_artifact_is_copied_and_stays_in_its_pool() {
    let scene = Scene::new(TEMPLATE);
    let artifact = scene.run().await.result.unwrap();
    let file = scene.path("out/images/image");
    assert_eq!(artifact.file.as_deref(), Some(file.as_path()));
    let bytes = std::fs::read(&file).unwrap();
    assert_eq!(bytes.len(), 1 << 20);
    assert_eq!(&bytes[..5], b"disk\0");
    assert_eq!(scene.volume_names(), ["base", "image"]);
}

#[tokio::test]
async fn a_folder_with_something_in_it_is_refused_before_anything_is_made() {
    let scene = Scene::new(TEMPLATE);
    let folder = scene.path("out/images");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("image"), "an earlier one").unwrap();
    let refused = scene.run().await.result.unwrap_err();
    assert!(matches!(refused, Error::OutputExists { .. }), "{refused}");
    assert_eq!(scene.volume_names(), ["base"]);
    let mut forced = scene.clone();
    forced.force = true;
    forced.run().await.result.unwrap();
    assert_eq!(std::fs::read(folder.join("image")).unwrap().len(), 1 << 20);
}

#[tokio::test]
async fn a_download_that_fails_leaves_no_file_and_no_volume() {
    let scene = Scene::new(TEMPLATE);
    scene.hypervisor.fail_on(Call::DownloadVolume);
    assert!(scene.run().await.result.is_err());
    assert_eq!(scene.volume_names(), ["base"]);
    let left = std::fs::read_dir(scene.path("out/images")).unwrap().count();
    assert_eq!(left, 0);
}
