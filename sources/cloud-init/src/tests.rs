//! The CD as cloud-init sees it, read back by other people's programs.

use std::path::Path;
use std::process::Command;

use lvhost_plugin_sdk::testing::{FakeHost, volume};
use lvhost_plugin_sdk::{OptionValue, Severity};

use super::*;

fn options(settings: &[(&str, &str)]) -> Options {
    settings
        .iter()
        .fold(Options::default(), |options, (name, value)| {
            options.with(name, OptionValue::text(*value))
        })
}

fn prepared(options: &Options) -> Vec<u8> {
    let host = FakeHost::new();
    let recipe = CloudInit::prepare(&volume("default", "a"), options, &host).unwrap();
    assert_eq!(recipe, Recipe::Image);
    let written = host.written();
    assert_eq!(written.image.length, Some(written.length()));
    written.bytes()
}

/// The disc's files by name, as `isoinfo` extracts them by their Rock Ridge names. `None` where
/// there is no `isoinfo`.
fn read_back(iso: &[u8]) -> Option<Vec<(String, String)>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("seed.iso");
    std::fs::write(&path, iso).unwrap();
    let run = |arguments: &[&str]| isoinfo(&path, arguments);
    let names = run(&["-R", "-f"])?;
    let mut files: Vec<_> = names
        .lines()
        .map(|name| (name[1..].to_owned(), run(&["-R", "-x", name]).unwrap()))
        .collect();
    files.sort();
    let descriptor = run(&["-d"])?;
    assert!(descriptor.contains("Volume id: cidata\n"), "{descriptor}");
    Some(files)
}

fn isoinfo(iso: &Path, arguments: &[&str]) -> Option<String> {
    match Command::new("isoinfo")
        .arg("-i")
        .arg(iso)
        .args(arguments)
        .output()
    {
        Ok(output) => {
            assert!(
                output.status.success(),
                "{}",
                String::from_utf8_lossy(&output.stderr)
            );
            Some(String::from_utf8(output.stdout).unwrap())
        }
        Err(error) => {
            println!("SKIPPED: reading the disc back: isoinfo: {error}");
            None
        }
    }
}

#[test]
fn a_disc_without_options_has_all_that_cloud_init_demands() {
    let Some(files) = read_back(&prepared(&Options::default())) else {
        return;
    };
    let expected = [
        ("meta-data", "instance-id: \"build\"\n"),
        ("user-data", ""),
        ("vendor-data", ""),
    ];
    assert_eq!(
        files,
        expected.map(|(name, text)| (name.to_owned(), text.to_owned()))
    );
}

#[test]
fn what_the_user_gave_is_on_the_disc_unchanged() {
    let settings = [
        ("meta_data", "{\"instance-id\": \"i-1\"}"),
        ("network_config", "{\"version\": 2}"),
        ("user_data", "#cloud-config\nhostname: grün\n"),
        ("vendor_data", "#!/bin/sh\n"),
    ];
    let Some(files) = read_back(&prepared(&options(&settings))) else {
        return;
    };
    let expected: Vec<_> = settings
        .iter()
        .map(|(name, text)| (name.replace('_', "-"), (*text).to_owned()))
        .collect();
    assert_eq!(files, expected);
}

#[test]
fn the_same_options_make_the_same_bytes() {
    let options = options(&[("user_data", "#cloud-config\n{}")]);
    assert_eq!(prepared(&options), prepared(&options));
}

#[test]
fn the_instance_is_quoted() {
    assert_eq!(yaml_text("build-1"), "\"build-1\"");
    assert_eq!(yaml_text("a\"b\\c\n"), "\"a\\\"b\\\\c\\u000a\"");
}

#[test]
fn defaults_are_those_of_a_cd() {
    let configuration = CloudInit::configure(&volume("default", "a"), &Options::default());
    assert_eq!(configuration.diagnostics, []);
    assert_eq!(configuration.grants, []);
    let defaults = configuration.defaults;
    assert_eq!(defaults.name_suffix.as_deref(), Some("cloudinit"));
    assert_eq!(defaults.device, Some(Device::Cdrom));
    assert_eq!(defaults.format.as_deref(), Some("raw"));
    assert_eq!(defaults.read_only, Some(true));
}

#[test]
fn meta_data_without_an_instance_id_is_warned_of() {
    let cases = [
        ("instance-id: a", None),
        ("{\"instance-id\":\"a\"}", None),
        ("instance_id: a", Some("with a dash")),
        ("local-hostname: a", Some("add `instance-id`")),
        ("", Some("add `instance-id`")),
    ];
    for (meta_data, help) in cases {
        let options = options(&[("meta_data", meta_data)]);
        let diagnostics = CloudInit::configure(&volume("default", "a"), &options).diagnostics;
        match help {
            None => assert_eq!(diagnostics, [], "{meta_data}"),
            Some(help) => {
                assert_eq!(diagnostics[0].severity, Severity::Warning);
                assert_eq!(diagnostics[0].path, "meta_data");
                assert!(
                    diagnostics[0].help.as_deref().unwrap().contains(help),
                    "{meta_data}"
                );
            }
        }
    }
}

#[test]
fn a_volume_that_can_not_be_the_cd_is_refused() {
    let mut floppy = volume("default", "a");
    floppy.device = Some(Device::Floppy);
    assert!(CloudInit::configure(&floppy, &Options::default()).has_errors());

    let mut disk = volume("default", "a");
    disk.device = Some(Device::Disk);
    disk.format = Some("qcow2".to_owned());
    let configuration = CloudInit::configure(&disk, &Options::default());
    assert!(!configuration.has_errors());
    assert_eq!(configuration.diagnostics.len(), 1);

    let mut small = volume("default", "a");
    small.capacity = Some(2048);
    let host = FakeHost::new();
    let error = CloudInit::prepare(&small, &Options::default(), &host).unwrap_err();
    assert!(error.message().contains("2 KiB"), "{error:?}");
    assert!(!host.has_created());
}
