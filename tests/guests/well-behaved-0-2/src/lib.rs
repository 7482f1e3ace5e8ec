//! What the guest `well-behaved` does, by version 0.2 of the contract: the same tests see the same of both.

#![expect(unsafe_code, reason = "the generated glue to the component's memory")]
#![expect(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "its output is what is tested"
)]

mod asking;
mod bindings {
    wit_bindgen::generate!({ path: "../../../wit/v0.2", world: "volume-source" });
}

use std::collections::HashSet;
use std::time::{Instant, SystemTime};

use bindings::exports::lvhost::source::source::Guest;
use bindings::lvhost::source::blobs::Reader;
use bindings::lvhost::source::configure::{Configuration, Severity};
use bindings::lvhost::source::describe::Description;
use bindings::lvhost::source::log::{Level, log};
use bindings::lvhost::source::prepare::{Form, Preparation};
use bindings::lvhost::source::requests::Request;
use bindings::lvhost::source::types::{Error, VolumeId};

const PATTERN: &str = "granted/*";

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

/// The bytes that are left in a reader.
fn measure(reader: &Reader) -> Result<u64, Error> {
    let mut length = 0;
    loop {
        let read = reader.read(u32::MAX)?;
        if read.is_empty() {
            return Ok(length);
        }
        length += read.len() as u64;
    }
}

fn image(preparation: &Preparation) -> Result<(), Error> {
    let name = preparation.volume().id().name;
    log(Level::Info, &format!("filling {name}"));
    log(Level::Debug, &surroundings());
    eprintln!("said on standard error");
    preparation.progress(0.5, "half-way");
    check(preparation.timestamp() == 1_700_000_000, "the time")?;

    let listing = preparation.files(PATTERN)?;
    let paths: Vec<String> = (0..listing.length())
        .map(|entry| listing.path(entry))
        .collect();
    check(
        paths == ["folder", "folder/text", "text.gz"],
        "the list of files",
    )?;
    check(listing.is_folder(0), "the first is a folder")?;
    check(!listing.is_folder(1), "the second is none")?;
    check(listing.size(1) == 12, "the size of the second")?;
    check(listing.path(3).is_empty(), "there is no fourth")?;
    check(listing.open(3).is_err(), "which is not opened, either")?;
    check(
        matches!(preparation.files("nothing"), Err(Error::NotFound(_))),
        "nothing is not-found",
    )?;

    let facts = preparation.look_up(&base())?;
    check(
        facts.capacity() == 1 << 30 && facts.format() == "qcow2",
        "facts of the base",
    )?;
    check(
        preparation.look_up_path(&facts.path())?.is_some(),
        "facts of its path",
    )?;
    check(
        preparation.look_up_path("/nowhere")?.is_none(),
        "no facts of another path",
    )?;

    let text = listing.open(1)?;
    check(
        text.name() == "text" && text.size() == 12,
        "the file's name and size",
    )?;
    check(text.read(6, 100)? == b"world\n", "a part of the file")?;
    check(text.read(12, 100)?.is_empty(), "its end")?;
    check(text.read(u64::MAX, 100)?.is_empty(), "and what is after it")?;
    check(text.read(0, u32::MAX)?.len() == 12, "all of it")?;
    let reader = text.reader()?;
    check(reader.read(5)? == b"hello", "the beginning of a reader")?;
    check(measure(&reader)? == 7, "the rest of a reader")?;

    let compressed = listing.open(2)?;
    let unpacked = measure(&compressed.decode("gzip")?)?;
    check(
        matches!(compressed.decode("lzip"), Err(Error::Invalid(_))),
        "a compression that there is not",
    )?;

    let request = Request::new(&["https://example.org/image".to_owned()]);
    request.checksum("none");
    let download = preparation.download(&request)?;

    let length = 5 + 4096 + download.size() - 2 + unpacked;
    let form = Form::new();
    form.format("raw");
    form.length(length);
    form.capacity(length);
    let sink = preparation.image(&form)?;
    check(sink.write(b"bytes")? == 5, "the bytes that were taken")?;
    sink.zeros(4096)?;
    sink.copy_from(&download, 2, download.size() - 2)?;
    let drained = sink.drain(compressed.decode("gzip")?)?;
    check(drained == unpacked, "the drained bytes")?;
    check(preparation.blank().is_err(), "it was said before")?;
    check(preparation.image(&form).is_err(), "and can't be said again")?;
    preparation.progress(1.0, "done");
    Ok(())
}

/// A volume of the bytes of a file.
fn content(
    preparation: &Preparation,
    entry: u32,
    codec: Option<&str>,
    format: &str,
) -> Result<(), Error> {
    let file = preparation.files(PATTERN)?.open(entry)?;
    let form = Form::new();
    form.format("vmdk");
    check(
        matches!(preparation.content(&file, &form), Err(Error::Invalid(_))),
        "a format that is none of a volume's",
    )?;
    form.format(format);
    if let Some(codec) = codec {
        form.codec("lzip");
        check(
            matches!(preparation.content(&file, &form), Err(Error::Invalid(_))),
            "a compression that there is not",
        )?;
        form.codec(codec);
        check(
            preparation.image(&form).is_err(),
            "what is written is not compressed",
        )?;
    }
    preparation.content(&file, &form)?;
    check(
        preparation.content(&file, &form).is_err(),
        "it was said before",
    )?;
    check(preparation.blank().is_err(), "and can't be said again")
}

struct WellBehaved;

impl Guest for WellBehaved {
    fn describe(description: Description) {
        description.name("well-behaved");
        description.alias("good");
        description.summary("Uses every import");
        let options = description.options();
        let text = |name: &str| format!("The {name}.");
        options.text("way", &text("way")).required();
        options.integer("count", &text("count"));
        options.boolean("flag", &text("flag")).default("false");
        options.texts("list", &text("list"));
        options.pairs("map", &text("map"));
        options.text("password", &text("password")).sensitive();
    }

    fn configure(configuration: Configuration) {
        let (volume, options) = (configuration.volume(), configuration.options());
        println!("looking at {}", volume.id().name);
        // What arrived, so that the tests see that it arrived whole.
        let said = [
            ("way", options.text("way").map(|it| format!("Text({it:?})"))),
            (
                "count",
                options.integer("count").map(|it| format!("Integer({it})")),
            ),
            (
                "flag",
                options.boolean("flag").map(|it| format!("Boolean({it})")),
            ),
            (
                "list",
                options.texts("list").map(|it| format!("TextList({it:?})")),
            ),
            (
                "map",
                options.pairs("map").map(|it| format!("TextMap({it:?})")),
            ),
        ];
        for (name, value) in said {
            assert_eq!(options.is_set(name), value.is_some(), "{name}");
            if let Some(value) = value {
                let message = format!("OptionValue::{value}");
                configuration.report(Severity::Warning, name, &message, Some("leave it"));
            }
        }
        assert!(options.text("count").is_none() && options.integer("way").is_none());
        configuration.default_name_suffix("suffix");
        configuration.default_device("cdrom");
        if let Some(format) = volume.format() {
            configuration.default_format(&format);
        }
        configuration.default_bus("sata");
        configuration.default_read_only(true);
        configuration.needs_url("https://example.org/image", Some("none"));
        configuration.needs_files(PATTERN);
        configuration.needs_volume(&base());
        configuration.needs_hypervisor_path("/var/lib/libvirt/images/base.qcow2");
        configuration.needs_post("https://example.org/token");
        configuration.needs_secret("registry");
    }

    fn prepare(preparation: Preparation) -> Result<(), Error> {
        let way = preparation.options().text("way");
        let way = way.ok_or_else(|| Error::Invalid("the option \"way\" is missing".into()))?;
        match way.as_str() {
            "blank" => preparation.blank(),
            "clone" => preparation.clone(&base()),
            "overlay of a volume" => preparation.overlay_volume(&base()),
            "overlay of a path" => preparation.overlay_path("/images/base.qcow2"),
            "image" => image(&preparation),
            "asking" => asking::ask(&preparation),
            "content" => content(&preparation, 1, None, "raw"),
            "decompressed content" => content(&preparation, 2, Some("gzip"), "raw"),
            "content that is no image" => content(&preparation, 1, None, "qcow2"),
            "decompressed content that is no image" => {
                content(&preparation, 2, Some("gzip"), "qcow2")
            }
            "content of another compression" => content(&preparation, 1, Some("gzip"), "raw"),
            "image of unknown length" => {
                let form = Form::new();
                form.format("qcow2");
                form.capacity(1 << 20);
                preparation.image(&form)?.write(b"QFI\xfb")?;
                Ok(())
            }
            "nothing" => Ok(()),
            "surroundings" => Err(Error::Other(surroundings())),
            other => Err(Error::Invalid(format!("no way \"{other}\""))),
        }
    }
}

bindings::export!(WellBehaved with_types_in bindings);
