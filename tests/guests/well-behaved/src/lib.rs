//! A volume source that uses every import as it is meant to be used. Its option `way` says which
//! recipe it makes; with `image` it fills the volume with bytes, holes, splices and a decompressed
//! reader, after it has looked at everything there is to look at.

#![expect(unsafe_code, reason = "the generated glue to the component's memory")]
#![expect(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "its output is what is tested"
)]

mod bindings {
    wit_bindgen::generate!({ path: "../../../wit/v0.1", world: "volume-source" });
}

use std::collections::HashSet;
use std::time::{Instant, SystemTime};

use bindings::exports::lvhost::source::source::{
    Base, Configuration, Defaults, Description, Diagnostic, Download, Grant, Guest, Recipe,
    Severity,
};
use bindings::lvhost::source::types::{
    Device, Error, OptionSchema, OptionSetting, OptionType, OptionValue, Volume, VolumeId,
};
use bindings::lvhost::source::{blobs, fetch, files, report, target, volumes};

const PATTERN: &str = "granted/*";

fn schema(name: &str, type_: OptionType, required: bool) -> OptionSchema {
    OptionSchema {
        name: name.into(),
        type_,
        required,
        default: None,
        sensitive: name == "password",
        documentation: format!("The {name}."),
    }
}

fn way(options: &[OptionSetting]) -> Result<&str, Error> {
    options
        .iter()
        .find_map(|option| match &option.value {
            OptionValue::Text(way) if option.name == "way" => Some(way.as_str()),
            _ => None,
        })
        .ok_or_else(|| Error::Invalid("the option \"way\" is missing".into()))
}

fn base() -> VolumeId {
    VolumeId {
        pool: "default".into(),
        name: "base.qcow2".into(),
    }
}

/// Everything that must be the same in each run, as text.
fn surroundings() -> String {
    let order: Vec<u32> = (0..10).collect::<HashSet<_>>().into_iter().collect();
    let epoch = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    format!(
        "arguments {} variables {} clock {} monotonic {} order {order:?}",
        std::env::args().count(),
        std::env::vars().count(),
        epoch.as_secs(),
        Instant::now().elapsed().as_nanos(),
    )
}

fn check(condition: bool, what: &str) -> Result<(), Error> {
    if condition {
        Ok(())
    } else {
        Err(Error::Other(format!("this is not so: {what}")))
    }
}

fn image(volume: &Volume) -> Result<Recipe, Error> {
    report::log(report::Level::Info, &format!("filling {}", volume.id.name));
    report::log(report::Level::Debug, &surroundings());
    eprintln!("said on standard error");
    report::progress(0.5, "half-way");

    let entries = files::list(PATTERN)?;
    let names: Vec<&str> = entries.iter().map(|entry| entry.path.as_str()).collect();
    check(
        names == ["folder", "folder/text", "text.gz"],
        "the list of files",
    )?;
    check(
        entries[0].kind == files::Kind::Directory,
        "the first is a folder",
    )?;
    check(
        matches!(files::list("nothing"), Err(Error::NotFound(_))),
        "nothing is not-found",
    )?;

    let facts = volumes::look_up(&base())?;
    check(
        facts.capacity == 1 << 30 && facts.format == "qcow2",
        "facts of the base",
    )?;
    check(
        volumes::look_up_path(&facts.path)?.is_some(),
        "facts of its path",
    )?;
    check(
        volumes::look_up_path("/nowhere")?.is_none(),
        "no facts of another path",
    )?;

    let text = files::open(PATTERN, "folder/text")?;
    check(
        text.name() == "text" && text.size() == 12,
        "the file's name and size",
    )?;
    check(text.read(6, 100)? == b"world\n", "a part of the file")?;
    check(text.read(12, 100)?.is_empty(), "its end")?;
    check(text.read(u64::MAX, 100)?.is_empty(), "and what is after it")?;
    let reader = text.reader()?;
    check(reader.read(5)? == b"hello", "the beginning of a reader")?;
    check(blobs::Reader::measure(reader)? == 7, "the rest of a reader")?;

    let compressed = files::open(PATTERN, "text.gz")?;
    let unpack = || blobs::Reader::decode(compressed.reader()?, blobs::Codec::Gzip);
    let unpacked = blobs::Reader::measure(unpack()?)?;

    let download = fetch::download(&fetch::Request {
        urls: vec!["https://example.org/image".into()],
        checksum: Some("none".into()),
    })?;

    let length = 5 + 4096 + download.size() - 2 + unpacked;
    let sink = target::create(&target::Image {
        format: "raw".into(),
        length: Some(length),
        capacity: length,
    })?;
    sink.write(b"bytes")?;
    sink.zeros(4096)?;
    sink.copy_from(&download, 2, download.size() - 2)?;
    check(sink.drain(unpack()?)? == unpacked, "the drained bytes")?;
    check(!report::is_cancelled(), "nobody has cancelled")?;
    report::progress(1.0, "done");
    Ok(Recipe::Image)
}

struct WellBehaved;

impl Guest for WellBehaved {
    fn describe() -> Description {
        Description {
            type_: "well-behaved".into(),
            aliases: vec!["good".into()],
            summary: "Uses every import".into(),
            options: vec![
                schema("way", OptionType::Text, true),
                schema("count", OptionType::Integer, false),
                schema("flag", OptionType::Boolean, false),
                schema("list", OptionType::TextList, false),
                schema("map", OptionType::TextMap, false),
                schema("password", OptionType::Text, false),
            ],
        }
    }

    fn configure(volume: Volume, options: Vec<OptionSetting>) -> Configuration {
        println!("looking at {}", volume.id.name);
        Configuration {
            // What arrived, so that the tests see that it arrived whole.
            diagnostics: options
                .iter()
                .map(|option| Diagnostic {
                    severity: Severity::Warning,
                    path: option.name.clone(),
                    message: format!("{:?}", option.value),
                    help: Some("leave it".into()),
                })
                .collect(),
            defaults: Defaults {
                name_suffix: Some("suffix".into()),
                device: Some(Device::Cdrom),
                format: volume.format,
                bus: Some("sata".into()),
                read_only: Some(true),
            },
            grants: vec![
                Grant::Url(Download {
                    url: "https://example.org/image".into(),
                    checksum: Some("none".into()),
                }),
                Grant::Files(PATTERN.into()),
                Grant::Volume(base()),
                Grant::HypervisorPath("/var/lib/libvirt/images/base.qcow2".into()),
            ],
        }
    }

    fn prepare(volume: Volume, options: Vec<OptionSetting>) -> Result<Recipe, Error> {
        match way(&options)? {
            "blank" => Ok(Recipe::Blank),
            "clone" => Ok(Recipe::Clone(base())),
            "overlay of a volume" => Ok(Recipe::Overlay(Base::Volume(base()))),
            "overlay of a path" => Ok(Recipe::Overlay(Base::HypervisorPath(
                "/images/base.qcow2".into(),
            ))),
            "image" => image(&volume),
            "image of unknown length" => {
                let sink = target::create(&target::Image {
                    format: "qcow2".into(),
                    length: None,
                    capacity: 1 << 20,
                })?;
                sink.write(b"QFI\xfb")?;
                Ok(Recipe::Image)
            }
            "surroundings" => Err(Error::Other(surroundings())),
            other => Err(Error::Invalid(format!("no way \"{other}\""))),
        }
    }
}

bindings::export!(WellBehaved with_types_in bindings);
