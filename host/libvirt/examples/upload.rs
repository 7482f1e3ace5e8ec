//! Uploads a file into a new raw volume and says how long it took: `upload URI POOL NAME FILE`. The
//! measure of uploads, beside `virsh vol-upload`.
#![expect(clippy::print_stdout, reason = "it is a program")]
use std::{error::Error, fs::File, sync::Arc, time::Instant};

use lvhost_libvirt::{Hypervisor, Libvirt, VolumeId, VolumeSpec};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [uri, pool, name, path] = arguments.as_slice() else {
        return Err("usage: upload URI POOL NAME FILE".into());
    };
    let file = Arc::new(File::open(path)?);
    let length = file.metadata()?.len();
    let libvirt = Libvirt::connect(uri).await?;
    let spec = VolumeSpec {
        id: VolumeId::new(pool, name),
        capacity: length,
        allocation: Some(0),
        format: Some("raw".into()),
        backing: None,
    };
    libvirt.create_volume(&spec).await?;
    let begin = Instant::now();
    let mut upload = libvirt.open_upload(&spec.id, Some(length)).await?;
    upload.file(file, 0, length).await?;
    upload.finish().await?;
    println!("{:.2} s", begin.elapsed().as_secs_f64());
    Ok(())
}
