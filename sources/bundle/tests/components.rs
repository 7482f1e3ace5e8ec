//! The embedded components against the same sources built natively: for the same options and the
//! same host both must say and write the same.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod components {
    pub(crate) mod convert;
    pub(crate) mod services;
}

use std::sync::Arc;

use components::convert;
use components::services::RecordingServices;
use lvhost_plugin_sdk::testing::{FakeHost, compressed, volume};
use lvhost_plugin_sdk::{
    Codec, Device, Facts, OptionValue, Options, Volume, VolumeId, VolumeSource,
};
use lvhost_runtime::{ComponentBytes, Limits, Runtime, Settings, Source};
use lvhost_source_backing_store::BackingStore;
use lvhost_source_cloning::Cloning;
use lvhost_source_cloud_init::CloudInit;
use lvhost_source_external::External;
use lvhost_source_files::Files;

const IMAGE_URL: &str = "https://example.org/disk.img.gz";

/// What the hosts have, native and for components.
struct World {
    files: Vec<(&'static str, &'static str, Vec<u8>)>,
    downloads: Vec<(&'static str, Vec<u8>)>,
    volumes: Vec<(VolumeId, Facts)>,
}

fn world() -> World {
    let base = Facts {
        capacity: 4096,
        format: "qcow2".to_owned(),
        path: "/images/base".to_owned(),
        backing: None,
    };
    World {
        files: vec![
            ("./drivers/*", "net/netkvm.inf", b"[net]".to_vec()),
            ("./drivers/*", "net/netkvm.sys", vec![7; 300_000]),
        ],
        downloads: vec![
            (
                IMAGE_URL,
                compressed(Codec::Gzip, &b"boot sector".repeat(200_000)),
            ),
            ("/srv/disk.img", b"boot sector".repeat(1000)),
            ("/srv/page.img", b"<!doctype html>".to_vec()),
        ],
        volumes: vec![(VolumeId::new("base", "debian"), base)],
    }
}

fn native_host() -> FakeHost {
    let world = world();
    let mut host = FakeHost::new();
    for (pattern, path, data) in world.files {
        host = host.with_file(pattern, path, data);
    }
    for (url, data) in world.downloads {
        host = host.with_download(url, data);
    }
    for (id, facts) in world.volumes {
        host = host.with_volume(id, facts);
    }
    host
}

fn services() -> RecordingServices {
    let world = world();
    let mut services = RecordingServices::default();
    for (pattern, path, data) in world.files {
        services.add_file(pattern, path, &data);
    }
    for (url, data) in world.downloads {
        services.add_download(url, &data);
    }
    for (id, facts) in world.volumes {
        services.add_volume(convert::volume_id(&id), convert::facts(facts));
    }
    services
}

fn load(type_name: &str) -> Source {
    let bundled = lvhost_sources::all()
        .iter()
        .find(|one| one.type_name == type_name)
        .unwrap();
    let runtime = Runtime::new(Settings::default()).unwrap();
    runtime
        .load(
            type_name,
            ComponentBytes::Precompiled(bundled.precompiled),
            Limits::default(),
        )
        .unwrap()
}

/// Runs the source `S` both ways, and compares what it says of the options, what it prepares or why
/// it can't, and every byte that it writes.
async fn check<S: VolumeSource>(volume: &Volume, options: &Options) {
    let source = load(&S::describe().type_name);
    assert_eq!(source.description(), &convert::description(S::describe()));

    let said = source
        .configure(&convert::volume(volume), &convert::options(options))
        .await
        .unwrap();
    let native = S::configure(volume, options);
    let has_errors = native.has_errors();
    assert_eq!(said, convert::configuration(native));
    if has_errors {
        // lvhost does not go on then.
        return;
    }

    let host = native_host();
    let services = Arc::new(services());
    let native = S::prepare(volume, options, &host);
    let component = source
        .prepare(
            &convert::volume(volume),
            &convert::options(options),
            Arc::clone(&services) as Arc<dyn lvhost_runtime::Services>,
        )
        .await;
    match (native, component) {
        (Ok(native), Ok(component)) => assert_eq!(component, convert::recipe(native)),
        (Err(native), Err(component)) => {
            let text = component.to_string();
            assert!(text.contains(native.message()), "{text} is not {native:?}");
        }
        (native, component) => panic!("natively {native:?}, as a component {component:?}"),
    }
    if host.has_created() {
        let native = host.written();
        let component = services
            .written()
            .expect("the component has created nothing");
        assert!(component.finished);
        assert_eq!(component.image, convert::image(&native.image));
        assert!(component.bytes == native.bytes(), "the bytes differ");
    } else {
        assert!(
            services.written().is_none(),
            "the component has created a volume"
        );
    }
}

fn on(device: Device) -> Volume {
    Volume {
        device: Some(device),
        ..volume("default", "a")
    }
}

#[test]
fn every_component_is_there_by_its_type_and_as_webassembly() {
    for bundled in lvhost_sources::all() {
        let source = load(bundled.type_name);
        assert_eq!(source.description().source_type, bundled.type_name);
        assert_eq!(&bundled.description(), source.description());
        let path = format!("{}/{}.wasm", lvhost_sources::WASM_FOLDER, bundled.type_name);
        let wasm = std::fs::read(path).unwrap();
        let runtime = Runtime::new(Settings::default()).unwrap();
        let machine = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
        let code = lvhost_runtime::precompile(&wasm, &machine).unwrap();
        let code = ComponentBytes::Precompiled(Box::leak(code.into_boxed_slice()));
        let compiled_now = runtime.load("raw", code, Limits::default()).unwrap();
        assert_eq!(compiled_now.description(), source.description());
    }
}

#[test]
fn no_component_contains_paths_of_the_machine_that_built_it() {
    let workspace = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let workspace = std::fs::canonicalize(workspace).unwrap();
    let home = std::env::home_dir().unwrap();
    for bundled in lvhost_sources::all() {
        let path = format!("{}/{}.wasm", lvhost_sources::WASM_FOLDER, bundled.type_name);
        let wasm = std::fs::read(path).unwrap();
        for folder in [&workspace, &home.join(".cargo"), &home.join(".rustup")] {
            let folder = folder.to_str().unwrap();
            let found = wasm
                .windows(folder.len())
                .any(|window| window == folder.as_bytes());
            assert!(!found, "{} contains {folder}", bundled.type_name);
        }
    }
}

#[tokio::test]
async fn cloud_init() {
    let given = Options::default()
        .with(
            "user_data",
            OptionValue::text("#cloud-config\nhostname: grün\n"),
        )
        .with("network_config", OptionValue::text("{\"version\": 2}"));
    let odd = Options::default()
        .with("meta_data", OptionValue::text("local-hostname: a"))
        .with("user_data", OptionValue::text("hello"));
    for options in [Options::default(), given, odd] {
        check::<CloudInit>(&volume("default", "a"), &options).await;
    }
}

#[tokio::test]
async fn files() {
    let drivers = Options::default()
        .with("files", OptionValue::text_list(["./drivers/*"]))
        .with(
            "contents",
            OptionValue::text_map([("Unattend.xml", "<unattend/>")]),
        );
    let missing = Options::default().with("files", OptionValue::text_list(["./driver/*"]));
    for device in [Device::Cdrom, Device::Floppy, Device::Disk] {
        check::<Files>(&on(device), &drivers).await;
        check::<Files>(&on(device), &missing).await;
    }
}

#[tokio::test]
async fn external() {
    let small = Volume {
        capacity: Some(512),
        ..volume("default", "a")
    };
    for url in [
        IMAGE_URL,
        "/srv/disk.img",
        "/srv/page.img",
        "/srv/missing.img",
        "s3://a/b",
    ] {
        let options = Options::default().with("urls", OptionValue::text_list([url]));
        check::<External>(&volume("default", "a"), &options).await;
        check::<External>(&small, &options).await;
    }
}

#[tokio::test]
async fn cloning_and_backing_store() {
    let debian = Options::default()
        .with("pool", OptionValue::text("base"))
        .with("volume", OptionValue::text("debian"));
    let missing = Options::default().with("volume", OptionValue::text("debian"));
    let path = Options::default().with("path", OptionValue::text("/images/base"));
    let small = Volume {
        capacity: Some(512),
        ..volume("default", "a")
    };
    for volume in [volume("default", "a"), small] {
        for options in [&debian, &missing, &path] {
            check::<Cloning>(&volume, options).await;
            check::<BackingStore>(&volume, options).await;
        }
    }
}
