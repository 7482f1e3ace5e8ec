//! How the volumes of a build are prepared.

use std::sync::Arc;
use std::time::Duration;

use lvhost_libvirt::VolumeId;
use lvhost_libvirt::fake::Call;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Barrier;

use crate::scene::{BLANK, Scene};

/// The blank build with these blocks in the place of its volume.
fn template(volumes: &str) -> &'static str {
    let (before, rest) = BLANK.split_once("  volume {").unwrap();
    let (_, after) = rest.split_once("\n  }\n").unwrap();
    Box::leak(format!("{before}{volumes}\n{after}").into_boxed_str())
}

/// Answers each request with a small disk, once as many clients as `together` wait for one.
async fn serve(listener: TcpListener, together: Arc<Barrier>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(answer(stream, Arc::clone(&together)));
    }
}

async fn answer(mut stream: TcpStream, together: Arc<Barrier>) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut request).await.unwrap() == 0 {
            return;
        }
    }
    together.wait().await;
    let disk = vec![1; 4096];
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        disk.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&disk).await.unwrap();
}

#[tokio::test]
async fn volumes_are_prepared_at_the_same_time_and_each_transfer_names_its_own() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(serve(listener, Arc::new(Barrier::new(3))));
    let volume = |name: &str, alias: &str| {
        format!(
            "volume {{\nname = \"{name}\"\nalias = \"{alias}\"\nsource {{\ntype = \"external\"\n\
             urls = [\"http://127.0.0.1:{port}/{name}.raw\"]\nchecksum = \"none\"\n}}\n}}\n"
        )
    };
    let volumes = volume("one", "artifact") + &volume("two", "b") + &volume("three", "c");
    let scene = Scene::new(template(&volumes));
    // One by one, the first would wait for the second for ever.
    let outcome = tokio::time::timeout(Duration::from_secs(60), scene.run()).await;
    outcome.unwrap().result.unwrap();
    server.abort();
    let mut seen = scene.transfers.lock().unwrap().clone();
    seen.sort();
    assert_eq!(
        seen,
        [
            "one: download",
            "one: upload",
            "three: download",
            "three: upload",
            "two: download",
            "two: upload",
        ]
    );
}

#[tokio::test]
async fn a_raw_image_is_made_as_large_as_its_volume_and_not_resized() {
    for (capacity, bytes) in [("1M", 1 << 20), ("2M", 2 << 20)] {
        let scene = Scene::new(template(&format!(
            "volume {{\nname = \"image\"\ncapacity = \"{capacity}\"\nsource {{\n\
             type = \"external\"\nurls = [\"disk.raw\"]\nchecksum = \"none\"\n}}\n}}"
        )));
        let artifact = scene.run().await.result.unwrap();
        assert_eq!(artifact.facts.capacity, bytes);
        let operations = scene.hypervisor.operations();
        let calls = operations.iter().filter(|it| it.call == Call::ResizeVolume);
        assert_eq!(calls.count(), 0, "{capacity}");
    }
}

#[tokio::test]
async fn a_seed_holds_the_texts_of_the_template() {
    let scene = Scene::new(template(
        "volume {\nname = \"seed\"\nsource {\ntype = \"cloud-init\"\n\
         meta_data = \"instance-id: i-1\"\nuser_data = \"#cloud-config\\n{}\"\n\
         vendor_data = \"#cloud-config\\n# vendor\"\nnetwork_config = \"version: 2\"\n}\n}\n\
         volume {\nname = \"image\"\nalias = \"artifact\"\ncapacity = \"1M\"\n}",
    ));
    let scene = scene.script(|scene| {
        let id = VolumeId::new("default", "seed");
        let capacity = scene.hypervisor.volume_spec(&id).unwrap().capacity;
        let length = usize::try_from(capacity).unwrap();
        let bytes = scene.hypervisor.read_volume(&id, 0, length).unwrap();
        let disc = String::from_utf8_lossy(&bytes);
        for text in [
            "instance-id: i-1",
            "#cloud-config\n{}",
            "#cloud-config\n# vendor",
            "version: 2",
        ] {
            assert!(disc.contains(text), "{text}");
        }
        Ok(())
    });
    scene.run().await.result.unwrap();
}

#[tokio::test]
async fn two_seeds_have_names_of_their_own_and_an_alias_counts_with_its_prefix() {
    let seed = "volume {\nsource {\ntype = \"cloud-init\"\n}\n}\n";
    let scene = Scene::new(template(&format!(
        "{seed}{seed}volume {{\nname = \"image\"\nalias = \"ua-artifact\"\ncapacity = \"1M\"\n}}"
    )));
    let scene = scene.script(|scene| {
        assert_eq!(scene.volume_names().len(), 4, "{:?}", scene.volume_names());
        Ok(())
    });
    let artifact = scene.run().await.result.unwrap();
    assert_eq!(artifact.volume, VolumeId::new("default", "image"));
    assert_eq!(scene.volume_names(), ["base", "image"]);
}
