//! Images in any pieces: what is refused has sent nothing, and what is not arrives whole.

use lvhost_libvirt::fake::{Call, FakeHypervisor};
use lvhost_libvirt::{Hypervisor, VolumeSpec};
use proptest::prelude::*;

use super::*;

/// The size of each image, in bytes.
const LENGTH: usize = 96 * 1024;

struct Unseen;

impl Transfer for Unseen {
    fn set_total(&self, _: Option<u64>) {}
    fn set_position(&self, _: u64) {}
    fn advance(&self, _: u64) {}
    fn finish(&self) {}
}

/// How a component hands over a part of an image.
#[derive(Clone, Copy, Debug)]
enum Way {
    Write,
    Splice,
    Drain,
}

/// Uploads `image` as `format`, cut where `cuts` say, in the ways that take turns.
async fn upload(
    hypervisor: &FakeHypervisor,
    image: &[u8],
    format: &str,
    cuts: &[(usize, Way)],
) -> Result<(), ServiceError> {
    let volume = VolumeId::new("default", "disk");
    let spec = VolumeSpec {
        id: volume.clone(),
        capacity: LENGTH as u64,
        allocation: Some(0),
        format: Some(format.to_owned()),
        backing: None,
    };
    hypervisor.create_volume(&spec).await.unwrap();
    let upload = hypervisor.open_upload(&volume, None).await.unwrap();
    let image_of = Uploaded {
        component: "stranger".to_owned(),
        volume,
        format: format.to_owned(),
        padding: 0,
    };
    let mut target = Box::new(Target::new(upload, Box::new(Unseen), image_of));
    let file = tempfile::tempfile().unwrap();
    file.write_all_at(image, 0).unwrap();
    let blob = Blob {
        name: "image".to_owned(),
        size: image.len() as u64,
        file: Arc::new(file),
    };
    let mut start = 0;
    let ends = cuts.iter().copied().chain([(image.len(), Way::Write)]);
    for (end, way) in ends {
        let end = end.clamp(start, image.len());
        let part = &image[start..end];
        match way {
            Way::Write if part.iter().all(|byte| *byte == 0) => {
                target.zeros(part.len() as u64).await?;
            }
            Way::Write => target.write(Bytes::copy_from_slice(part)).await?,
            Way::Splice => {
                let (at, length) = (start as u64, part.len() as u64);
                target.copy_from(&blob, at, length).await?;
            }
            Way::Drain => {
                let reader = Box::new(std::io::Cursor::new(part.to_vec()));
                target.drain(reader).await?;
            }
        }
        start = end;
    }
    target.finish().await
}

fn run<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(work)
}

/// The header of a qcow2 image that leans on nothing, or with this spoilt in it.
fn qcow2_image(spoil: &[(usize, &[u8])]) -> Vec<u8> {
    let mut image = vec![0; LENGTH];
    let header: [(usize, &[u8]); 5] = [
        (0, b"QFI\xfb"),
        (4, &[0, 0, 0, 3]),
        (20, &[0, 0, 0, 16]),
        (30, &[0x10, 0]),
        (100, &[0, 0, 0, 104]),
    ];
    for (at, bytes) in header.iter().chain(spoil) {
        image[*at..at + bytes.len()].copy_from_slice(bytes);
    }
    image
}

fn raw_image(at: usize, mark: &[u8]) -> Vec<u8> {
    let mut image = vec![0; LENGTH];
    image[at..at + mark.len()].copy_from_slice(mark);
    image
}

/// Images that are refused, as what they are said to be.
fn hostile() -> Vec<(&'static str, Vec<u8>)> {
    // The name of a backing file at the very end of what is looked at.
    let late = qcow2::HEADER_BYTES - 4;
    let at = (late as u64).to_be_bytes();
    vec![
        ("raw", qcow2_image(&[])),
        ("raw", qcow2_image(&[(8, &at), (19, &[4]), (late, b"/etc")])),
        (
            "qcow2",
            qcow2_image(&[(8, &at), (19, &[4]), (late, b"/etc")]),
        ),
        ("qcow2", qcow2_image(&[(79, &[4])])),
        ("qcow2", qcow2_image(&[(104, b"DATA\0\0\0\x04/etc")])),
        ("qcow2", raw_image(0, b"a boot sector")),
        ("qcow2", raw_image(0, b"QFI\xfb")),
        ("raw", raw_image(0, b"# Disk DescriptorFile\nversion=1\n")),
        ("raw", raw_image(64, &[0x7f, 0x10, 0xda, 0xbe])),
        ("raw", raw_image(0, b"WithouFreSpacExt")),
        ("raw", raw_image(0, b"LUKS\xba\xbe")),
    ]
}

fn cuts() -> impl Strategy<Value = Vec<(usize, Way)>> {
    let at = prop_oneof![0..200_usize, 0..LENGTH];
    let way = prop_oneof![Just(Way::Write), Just(Way::Splice), Just(Way::Drain)];
    proptest::collection::vec((at, way), 0..8).prop_map(|mut cuts| {
        cuts.sort_by_key(|(at, _)| *at);
        cuts
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn nothing_of_a_hostile_image_is_sent_in_whatever_pieces_it_comes(cuts in cuts()) {
        for (format, image) in hostile() {
            let hypervisor = FakeHypervisor::new();
            let error = run(upload(&hypervisor, &image, format, &cuts)).unwrap_err();
            let said = error.to_string();
            prop_assert!(said.contains("`stranger`") && said.contains("\"disk\""), "{}", said);
            let sent = [Call::UploadData, Call::UploadHole, Call::UploadFile, Call::UploadFinish];
            let operations = hypervisor.operations();
            prop_assert!(!operations.iter().any(|it| sent.contains(&it.call)), "{:?}", operations);
        }
    }

    #[test]
    fn an_honest_image_arrives_whole_in_whatever_pieces_it_comes(
        cuts in cuts(),
        bytes in proptest::collection::vec((0..LENGTH, 1..=255_u8), 0..6),
    ) {
        let mut disk = raw_image(0, b"a boot sector");
        for (at, byte) in bytes {
            disk[at] |= byte & 0x80;
        }
        for (format, image) in [("raw", disk), ("qcow2", qcow2_image(&[]))] {
            let hypervisor = FakeHypervisor::new();
            run(upload(&hypervisor, &image, format, &cuts)).unwrap();
            let volume = VolumeId::new("default", "disk");
            let arrived = hypervisor.read_volume(&volume, 0, LENGTH).unwrap();
            prop_assert!(arrived == image);
        }
    }
}
