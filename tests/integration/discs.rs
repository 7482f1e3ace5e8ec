//! A CD of several gigabytes takes no more memory than a small one, and arrives whole.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::hypervisor::{need, tool};
use crate::lvhost::Lvhost;
use crate::real_guests::{Stage, stored, strs};

/// Bytes of the file that is data from its first to its last.
const DATA: u64 = 1 << 30;

/// Bytes of the file that is a hole but for its ends. ISO 9660 ends a file at 4 GiB.
const SPARSE: u64 = 3 << 30;

/// Bytes of a sector of a CD.
const SECTOR: u64 = 2048;

/// Bytes a large CD may cost over a small one: the buffers of a transfer, each of which is full then.
const MORE: u64 = 24 << 20;

/// How often the process' peak is read. The system keeps the peak, so nothing between is missed, but
/// what comes after the last look, when all has been transferred.
const LOOK: Duration = Duration::from_millis(20);

/// A mebibyte that is like no other.
fn block(number: u64) -> Vec<u8> {
    let mut block: Vec<u8> = (0..1 << 20).map(|byte: u32| (byte % 251) as u8).collect();
    block[..8].copy_from_slice(&number.to_be_bytes());
    block
}

/// Builds a template whose artifact is a CD of what is in `content`, and returns the process' peak of
/// resident memory.
fn build(stage: &Stage, lvhost: &Lvhost, content: &str) -> u64 {
    let domain = format!("{}-{content}", stage.hypervisor.pool);
    let disk = lvhost.write_power_off_disk("off.raw");
    let values = [("content", content), ("disk", disk.to_str().unwrap())];
    let arguments = stage.run("disc.pkr.hcl", &domain, &values);
    let mut child = lvhost.start(&strs(&arguments));
    let mut peak = 0;
    let status = loop {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        // A process that has ended has no memory.
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
        peak = peak.max(kib.unwrap_or(0) << 10);
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        std::thread::sleep(LOOK);
    };
    let log = std::fs::read_to_string(lvhost.path("log")).unwrap();
    assert!(status.success(), "{log}");
    println!("{log}");
    peak
}

/// Where a file of the CD begins and how long it is, in bytes, as isoinfo has it. What it takes out of a
/// CD itself ends at 2 GiB.
fn place(disc: &Path, name: &str) -> (u64, u64) {
    let output = Command::new("isoinfo")
        .args(["-R", "-l", "-i"])
        .arg(disc)
        .output()
        .unwrap();
    let listing = String::from_utf8(output.stdout).unwrap();
    // `-r--r--r--   1    0    0      3221225472 Jan  1 1970 [  32794 00]  sparse`
    let line = listing
        .lines()
        .find(|line| line.trim_end().ends_with(&format!(" {name}")));
    let line = line.unwrap_or_else(|| panic!("no {name} in: {listing}"));
    let length = line.split_whitespace().nth(4).unwrap();
    let (_, sector) = line.split_once('[').unwrap();
    let sector: u64 = sector.split_whitespace().next().unwrap().parse().unwrap();
    (sector * SECTOR, length.parse().unwrap())
}

/// Whether a file of the CD is the same as the one it was made of.
fn assert_same(disc: &Path, name: &str, original: &Path) {
    let (begin, length) = place(disc, name);
    let (disc, original) = (File::open(disc).unwrap(), File::open(original).unwrap());
    assert_eq!(length, original.metadata().unwrap().len());
    let (mut one, mut other) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    for offset in (0..length).step_by(1 << 20) {
        original.read_exact_at(&mut one, offset).unwrap();
        disc.read_exact_at(&mut other, begin + offset).unwrap();
        assert!(one == other, "{name} differs from byte {offset} on");
    }
}

#[test]
fn a_cd_of_several_gigabytes_takes_the_memory_of_a_small_one() {
    let stage = need!(Stage::new("LVHOST_TEST_GUEST_SMALL"));
    need!(tool("isoinfo"));
    let lvhost = Lvhost::with_room();
    lvhost.write("small/data", "tiny\n");
    let small = build(&stage, &lvhost, "small");

    let data = lvhost.write("large/data", "");
    let mut file = File::options().write(true).open(&data).unwrap();
    for number in 0..DATA >> 20 {
        file.write_all(&block(number)).unwrap();
    }
    let sparse = lvhost.write("large/sparse", "");
    let file = File::options().write(true).open(&sparse).unwrap();
    file.set_len(SPARSE).unwrap();
    for number in [0, (SPARSE >> 20) - 1] {
        file.write_all_at(&block(number), number << 20).unwrap();
    }
    let large = build(&stage, &lvhost, "large");

    println!(
        "peak: {} KiB for the small CD, {} KiB for the large one",
        small >> 10,
        large >> 10
    );
    assert!(small > 0);
    assert!(large < small + MORE, "{large} bytes, {small} for a tiny CD");
    let disc = stage.hypervisor.path().join("large.iso");
    let (length, kept) = (std::fs::metadata(&disc).unwrap().len(), stored(&disc));
    assert!(length > DATA + SPARSE, "{length}");
    assert!(kept < DATA + (64 << 20), "{kept} bytes are stored");
    assert_same(&disc, "data", &data);
    assert_same(&disc, "sparse", &sparse);
}
