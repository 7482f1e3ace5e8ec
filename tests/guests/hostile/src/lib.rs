//! A volume source that does, on request, one bad thing: what its option `behaviour` names.
//! The option's documentation lists them all, so that the tests can see that none is left untested.

#![expect(unsafe_code, reason = "the generated glue to the component's memory")]
#![expect(clippy::print_stdout, reason = "its output is what is tested")]

mod bindings {
    wit_bindgen::generate!({ path: "../../../wit/v0.1", world: "volume-source" });
}

use std::hint::black_box;
use std::time::Duration;

use bindings::exports::lvhost::source::source::{
    Base, Configuration, Defaults, Description, Diagnostic, Download, Grant, Guest, Recipe,
    Severity,
};
use bindings::lvhost::source::types::{
    Error, OptionSchema, OptionSetting, OptionType, OptionValue, Volume, VolumeId,
};
use bindings::lvhost::source::{blobs, fetch, files, report, target, volumes};

/// Files that it may read, if it asks.
const GRANTED: &str = "granted/*";

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

/// A behaviour in `prepare`, which then answers what the function does.
type Behaviour = fn() -> Result<Recipe, Error>;

const IN_PREPARE: &[(&str, Behaviour)] = &[
    ("spins", || {
        loop {
            black_box(0);
        }
    }),
    ("spins in host calls", || {
        loop {
            black_box(report::is_cancelled());
        }
    }),
    ("eats memory", || {
        let mut eaten = Vec::new();
        loop {
            eaten.push(black_box(vec![1_u8; MIB as usize]));
        }
    }),
    ("overflows the stack", || {
        black_box(fall(1));
        Ok(Recipe::Blank)
    }),
    ("panics", || panic!("the sky is falling")),
    ("exits", || std::process::exit(3)),
    ("floods the log", || {
        for line in 0..100_000 {
            report::log(report::Level::Info, &format!("line {line}"));
        }
        Ok(Recipe::Blank)
    }),
    ("floods standard output", || {
        let line = "x".repeat(1 << 20);
        for _ in 0..10 {
            print!("{line}");
        }
        Ok(Recipe::Blank)
    }),
    ("logs control characters", || {
        report::log(report::Level::Warning, "\u{1b}[2Jcleared\u{7}\nsecond line");
        Ok(Recipe::Blank)
    }),
    ("floods progress", || {
        for step in 0..100_000 {
            report::progress(f64::from(step) / 1e5, "on the way");
        }
        report::progress(f64::NAN, "\u{1b}[1m");
        Ok(Recipe::Blank)
    }),
    ("sleeps for ever", || {
        std::thread::sleep(Duration::from_secs(1_000_000_000));
        Ok(Recipe::Blank)
    }),
    ("sleeps for ever, again and again", || {
        loop {
            std::thread::sleep(Duration::from_secs(1_000_000_000));
        }
    }),
    ("writes past its size", || {
        let sink = create(100 * KIB)?;
        for _ in 0..3 {
            sink.write(&vec![1; 50 * KIB as usize])?;
        }
        Ok(Recipe::Image)
    }),
    ("writes holes past its size", || {
        create(100 * KIB)?.zeros(u64::MAX)?;
        Ok(Recipe::Image)
    }),
    ("drains past its size", || {
        let reader = files::open("bomb", "zeros.gz")?.reader()?;
        create(100 * KIB)?.drain(blobs::Reader::decode(reader, blobs::Codec::Gzip)?)?;
        Ok(Recipe::Image)
    }),
    ("hides a write past its size", || {
        let sink = create(100 * KIB)?;
        let _ = sink.zeros(200 * KIB);
        sink.zeros(100 * KIB)?;
        Ok(Recipe::Image)
    }),
    ("writes less than declared", || {
        create(100 * KIB)?.write(&[1; 10])?;
        Ok(Recipe::Image)
    }),
    ("returns image without creating", || Ok(Recipe::Image)),
    ("creates but returns blank", || {
        create(KIB)?.zeros(KIB)?;
        Ok(Recipe::Blank)
    }),
    ("creates twice", || {
        let _first = create(KIB)?;
        create(KIB)?;
        Ok(Recipe::Image)
    }),
    ("creates an image of an absurd size", || {
        create(u64::MAX)?;
        Ok(Recipe::Image)
    }),
    ("creates a raw image of unknown length", || {
        target::create(&target::Image {
            format: "raw".into(),
            length: None,
            capacity: KIB,
        })?;
        Ok(Recipe::Image)
    }),
    ("creates an image of a garbage format", || {
        target::create(&target::Image {
            format: "<raw/>".into(),
            length: Some(KIB),
            capacity: KIB,
        })?;
        Ok(Recipe::Image)
    }),
    ("writes too much at a time", || {
        create(4 * MIB)?.write(&vec![1; 2 * MIB as usize])?;
        Ok(Recipe::Image)
    }),
    ("writes far too much at a time", || {
        create(32 * MIB)?.write(&vec![1; 16 * MIB as usize])?;
        Ok(Recipe::Image)
    }),
    ("reads too much at a time", || {
        files::open("granted", "file")?.read(0, u32::MAX)?;
        Ok(Recipe::Blank)
    }),
    ("splices what is not there", || {
        let blob = files::open("granted", "file")?;
        create(MIB)?.copy_from(&blob, u64::MAX, 2)?;
        Ok(Recipe::Image)
    }),
    ("measures a bomb", || {
        blobs::Reader::measure(files::open("endless", "zeros")?.reader()?)?;
        Ok(Recipe::Blank)
    }),
    ("measures again and again", || {
        loop {
            let blob = files::open(GRANTED, "zeros.gz")?;
            blobs::Reader::measure(blobs::Reader::decode(blob.reader()?, blobs::Codec::Gzip)?)?;
        }
    }),
    ("downloads an archive without an end", || {
        fetch::download(&fetch::Request {
            urls: vec!["an endless archive".into()],
            checksum: None,
        })?;
        Ok(Recipe::Blank)
    }),
    ("downloads what is wrong, again and again", || {
        loop {
            let request = fetch::Request {
                urls: vec!["a wrong checksum".into()],
                checksum: None,
            };
            let _ = black_box(fetch::download(&request));
        }
    }),
    ("lists again and again", || {
        loop {
            black_box(files::list(GRANTED)?);
        }
    }),
    ("holds eight decoders with the biggest window", || {
        let blob = files::open(GRANTED, "zeros.zst")?;
        let mut held = Vec::new();
        for _ in 0..8 {
            let reader = blobs::Reader::decode(blob.reader()?, blobs::Codec::Zstd)?;
            // Its window is filled by now.
            while reader.read(MIB as u32)?.len() == MIB as usize {
                black_box(0);
            }
            held.push(reader);
        }
        Ok(Recipe::Blank)
    }),
    ("hoards files", || {
        let mut open = Vec::new();
        loop {
            open.push(files::open("granted", "file")?);
        }
    }),
    ("hoards readers", || {
        let blob = files::open("granted", "file")?;
        let mut open = Vec::new();
        loop {
            open.push(blob.reader()?);
        }
    }),
    ("nests decoders", || {
        let mut reader = files::open("granted", "file")?.reader()?;
        loop {
            reader = blobs::Reader::decode(reader, blobs::Codec::Gzip)?;
        }
    }),
    ("asks with garbage", || {
        volumes::look_up(&VolumeId {
            pool: "../..".into(),
            name: "\n".into(),
        })?;
        Ok(Recipe::Blank)
    }),
    ("asks for a thousand downloads", || {
        fetch::download(&fetch::Request {
            urls: vec!["http://localhost/".into(); 1000],
            checksum: None,
        })?;
        Ok(Recipe::Blank)
    }),
    ("clones a garbage name", || {
        Ok(Recipe::Clone(VolumeId {
            pool: "default".into(),
            name: "../../etc/passwd".into(),
        }))
    }),
    ("is an overlay of a relative path", || {
        Ok(Recipe::Overlay(Base::HypervisorPath("etc/passwd".into())))
    }),
    ("reports an error full of escapes", || {
        Err(Error::Other(format!(
            "\u{1b}[31m{}",
            "long ".repeat(100_000)
        )))
    }),
    ("waits for a download that never comes", || {
        fetch::download(&fetch::Request {
            urls: vec!["never".into()],
            checksum: None,
        })?;
        Ok(Recipe::Blank)
    }),
];

/// Behaviours in `configure`.
const IN_CONFIGURE: &[&str] = &[
    "configure: spins",
    "configure: tries to download",
    "configure: a mountain of diagnostics",
    "configure: a thousand grants",
    "configure: a garbage grant",
    "configure: garbage defaults",
    "configure: diagnostics full of escapes",
];

fn create(length: u64) -> Result<target::Sink, Error> {
    target::create(&target::Image {
        format: "raw".into(),
        length: Some(length),
        capacity: length,
    })
}

/// Recursion that no optimiser turns into a loop.
fn fall(depth: u64) -> u64 {
    if black_box(depth) == 0 {
        0
    } else {
        fall(depth + 1) + black_box(depth)
    }
}

fn behaviour(options: &[OptionSetting]) -> &str {
    match options {
        [
            OptionSetting {
                name,
                value: OptionValue::Text(behaviour),
            },
        ] if name == "behaviour" => behaviour,
        _ => panic!("one option is needed, `behaviour`"),
    }
}

fn diagnostic(message: &str) -> Diagnostic {
    Diagnostic {
        severity: Severity::Warning,
        path: "behaviour".into(),
        message: message.into(),
        help: None,
    }
}

struct Hostile;

impl Guest for Hostile {
    fn describe() -> Description {
        let mut behaviours: Vec<&str> = IN_PREPARE.iter().map(|(name, _)| *name).collect();
        behaviours.extend(IN_CONFIGURE);
        Description {
            type_: "hostile".into(),
            aliases: vec![],
            summary: "Does one bad thing".into(),
            options: vec![OptionSchema {
                name: "behaviour".into(),
                type_: OptionType::Text,
                required: true,
                default: None,
                sensitive: false,
                documentation: behaviours.join("\n"),
            }],
        }
    }

    fn configure(_volume: Volume, options: Vec<OptionSetting>) -> Configuration {
        let mut configuration = Configuration {
            diagnostics: vec![],
            defaults: Defaults {
                name_suffix: None,
                device: None,
                format: None,
                bus: None,
                read_only: None,
            },
            grants: vec![],
        };
        match behaviour(&options) {
            "configure: spins" => loop {
                black_box(0);
            },
            "configure: tries to download" => {
                let download = fetch::Request {
                    urls: vec!["u".into()],
                    checksum: None,
                };
                if let Err(error) = fetch::download(&download) {
                    configuration
                        .diagnostics
                        .push(diagnostic(&format!("{error:?}")));
                }
            }
            "configure: a mountain of diagnostics" => {
                configuration.diagnostics = (0..300_000).map(|_| diagnostic("")).collect();
            }
            "configure: a thousand grants" => {
                let download = Download {
                    url: "http://localhost/".into(),
                    checksum: None,
                };
                configuration.grants = vec![Grant::Url(download); 1000];
            }
            "configure: a garbage grant" => {
                configuration.grants = vec![Grant::HypervisorPath("/dev/../\0".into())];
            }
            "configure: garbage defaults" => {
                configuration.defaults.bus = Some("virtio'/><evil".into());
            }
            "configure: diagnostics full of escapes" => {
                configuration
                    .diagnostics
                    .push(diagnostic("\u{1b}[2Jgone\u{202e}"));
            }
            other if IN_PREPARE.iter().any(|(name, _)| *name == other) => {
                configuration.grants.push(Grant::Files(GRANTED.into()));
            }
            other => panic!("configure knows no `{other}`"),
        }
        configuration
    }

    fn prepare(_volume: Volume, options: Vec<OptionSetting>) -> Result<Recipe, Error> {
        let behaviour = behaviour(&options);
        match IN_PREPARE.iter().find(|(name, _)| *name == behaviour) {
            Some((_, act)) => act(),
            None => panic!("prepare knows no `{behaviour}`"),
        }
    }
}

bindings::export!(Hostile with_types_in bindings);
