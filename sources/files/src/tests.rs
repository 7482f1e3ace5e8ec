//! CDs and floppies as a guest sees them, read back by other people's programs.

use std::path::Path;
use std::process::Command;

use lvhost_plugin_sdk::testing::{FakeHost, Piece, volume};
use lvhost_plugin_sdk::{Level, OptionValue};

use super::*;

/// The size of a 1.44 MB floppy: 80 tracks on 2 sides of 18 sectors of 512 bytes.
const FLOPPY_BYTES: u64 = 80 * 2 * 18 * 512;

fn options(files: &[&str], contents: &[(&str, &str)]) -> Options {
    let mut options = Options::default();
    if !files.is_empty() {
        options = options.with("files", OptionValue::text_list(files.iter().copied()));
    }
    if !contents.is_empty() {
        options = options.with("contents", OptionValue::text_map(contents.iter().copied()));
    }
    options
}

fn on(device: Device) -> Volume {
    Volume {
        device: Some(device),
        ..volume("default", "a")
    }
}

fn prepared(device: Device, options: &Options, host: &FakeHost) -> Vec<u8> {
    let recipe = Files::prepare(&on(device), options, host).unwrap();
    assert_eq!(recipe, Recipe::Image);
    let written = host.written();
    assert_eq!(written.image.length, Some(written.length()));
    written.bytes()
}

fn drivers() -> FakeHost {
    FakeHost::new()
        .with_file("./drivers/*", "net/netkvm.inf", b"[net]")
        .with_file("./drivers/*", "net/amd64/netkvm.sys", vec![7; 3000])
        .with_file("./drivers/*", "readme.txt", b"read me")
}

/// Paths and contents of all files of an image, in the order of the paths; `None` where there is
/// no program to read it.
fn read_back(device: Device, image: &[u8]) -> Option<Vec<(String, Vec<u8>)>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("image");
    let out = folder.path().join("out");
    std::fs::write(&path, image).unwrap();
    std::fs::create_dir(&out).unwrap();
    let mut command = match device {
        Device::Floppy => {
            let mut command = Command::new("mcopy");
            command
                .args(["-s", "-n", "-i"])
                .arg(&path)
                .arg("::/")
                .arg(&out);
            command
        }
        _ => {
            let mut command = Command::new("xorriso");
            command
                .args(["-osirrox", "on", "-indev"])
                .arg(&path)
                .args(["-extract", "/"])
                .arg(&out);
            command
        }
    };
    match command.output() {
        Ok(output) => assert!(output.status.success(), "{output:?}"),
        Err(error) => {
            println!("SKIPPED: reading the image back: {command:?}: {error}");
            return None;
        }
    }
    let mut files = Vec::new();
    collect(&out, &out, &mut files);
    files.sort();
    Some(files)
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, files);
        } else {
            let name = path
                .strip_prefix(root)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            files.push((name, std::fs::read(&path).unwrap()));
        }
    }
}

#[test]
fn directories_keep_their_structure_on_both_media() {
    for device in [Device::Cdrom, Device::Floppy] {
        let options = options(&["./drivers/*"], &[("setup/Unattend.xml", "<unattend/>")]);
        let Some(files) = read_back(device, &prepared(device, &options, &drivers())) else {
            continue;
        };
        let expected: [(&str, &[u8]); 4] = [
            ("net/amd64/netkvm.sys", &[7; 3000]),
            ("net/netkvm.inf", b"[net]"),
            ("readme.txt", b"read me"),
            ("setup/Unattend.xml", b"<unattend/>"),
        ];
        let expected = expected.map(|(path, bytes)| (path.to_owned(), bytes.to_vec()));
        assert_eq!(files, expected, "{device:?}");
    }
}

#[test]
fn files_do_not_enter_the_component() {
    let host = drivers();
    prepared(Device::Cdrom, &options(&["./drivers/*"], &[]), &host);
    let pieces = host.written().pieces;
    assert!(pieces.contains(&Piece::Splice(vec![7; 3000])));
}

#[test]
fn contents_take_precedence_silently() {
    let host = drivers();
    let options = options(&["./drivers/*"], &[("/readme.txt", "from the template")]);
    let image = prepared(Device::Cdrom, &options, &host);
    assert_eq!(host.log_lines(), []);
    let Some(files) = read_back(Device::Cdrom, &image) else {
        return;
    };
    assert!(files.contains(&("readme.txt".to_owned(), b"from the template".to_vec())));
}

#[test]
fn the_later_of_two_files_of_one_name_is_taken_and_said() {
    let host = FakeHost::new()
        .with_file("a/x", "x", b"a")
        .with_file("b/x", "x", b"b");
    let image = prepared(Device::Cdrom, &options(&["a/x", "b/x"], &[]), &host);
    assert!(matches!(&host.log_lines()[..], [(Level::Warning, line)] if line.contains("`b/x`")));
    let Some(files) = read_back(Device::Cdrom, &image) else {
        return;
    };
    assert_eq!(files, [("x".to_owned(), b"b".to_vec())]);
}

#[test]
fn a_slash_at_the_end_means_what_is_in_the_directory() {
    let host = FakeHost::new().with_file("./seed/", "seed/a/b", b"1");
    let image = prepared(Device::Cdrom, &options(&["./seed/"], &[]), &host);
    let Some(files) = read_back(Device::Cdrom, &image) else {
        return;
    };
    assert_eq!(files, [("a/b".to_owned(), b"1".to_vec())]);
}

#[test]
fn the_same_inputs_make_the_same_bytes() {
    for device in [Device::Cdrom, Device::Floppy] {
        let options = options(&["./drivers/*"], &[("a", "b")]);
        let first = prepared(device, &options, &drivers());
        assert!(first == prepared(device, &options, &drivers()));
        if device == Device::Floppy {
            assert_eq!(first.len() as u64, FLOPPY_BYTES);
        }
    }
}

#[test]
fn a_pattern_without_matches_is_an_error() {
    let host = drivers();
    let error = Files::prepare(&on(Device::Cdrom), &options(&["./driver/*"], &[]), &host);
    assert!(matches!(error, Err(Error::NotFound(message)) if message.contains("./driver/*")));
    assert!(!host.has_created());
}

#[test]
fn a_full_floppy_says_how_much_there_was() {
    let host = FakeHost::new().with_file("big", "big", vec![1; 1_500_000]);
    let error = Files::prepare(&on(Device::Floppy), &options(&["big"], &[]), &host).unwrap_err();
    assert!(
        error.message().contains("do not fit on a floppy"),
        "{error:?}"
    );
    assert!(!host.has_created());
}

#[test]
fn validation_finds_what_can_be_known() {
    let long = "x".repeat(33);
    let text = |label: &str| OptionValue::text(label);
    let ok = options(&[], &[("a", "b")]);
    let cases = [
        (
            on(Device::Cdrom),
            Options::default(),
            "",
            "nothing to put on it",
        ),
        (on(Device::Disk), ok.clone(), "", "can't be put on a disk"),
        (on(Device::Lun), ok.clone(), "", "can't be put on a lun"),
        (
            on(Device::Cdrom),
            options(&["a", ""], &[]),
            "files[1]",
            "can't be a path",
        ),
        (
            on(Device::Cdrom),
            options(&[], &[("a/../b", "")]),
            "contents[\"a/../b\"]",
            "a/../b",
        ),
        (
            on(Device::Cdrom),
            ok.clone().with("label", text(&long)),
            "label",
            "32",
        ),
        (
            on(Device::Floppy),
            ok.with("label", text("unattended-setup")),
            "label",
            "11",
        ),
    ];
    for (volume, options, path, message) in cases {
        let configuration = Files::configure(&volume, &options);
        let [diagnostic] = &configuration.diagnostics[..] else {
            panic!("{message}: {:?}", configuration.diagnostics)
        };
        assert_eq!(diagnostic.path, path);
        assert!(diagnostic.message.contains(message), "{diagnostic:?}");
        assert!(configuration.has_errors());
    }
}

#[test]
fn the_documented_examples_pass() {
    let unattended = options(&[], &[("Unattend.xml", "<unattend/>")])
        .with("label", OptionValue::text("unattend"));
    let configuration = Files::configure(&on(Device::Floppy), &unattended);
    assert_eq!(configuration.diagnostics, []);
    assert_eq!(
        configuration.defaults.read_only, None,
        "a floppy can be written to"
    );

    let configuration = Files::configure(&volume("default", "a"), &options(&["./drivers/*"], &[]));
    assert_eq!(configuration.diagnostics, []);
    assert_eq!(
        configuration.grants,
        [Grant::Files("./drivers/*".to_owned())]
    );
    assert_eq!(configuration.defaults.device, Some(Device::Cdrom));
    assert_eq!(configuration.defaults.read_only, Some(true));
}
