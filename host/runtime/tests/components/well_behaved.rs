//! What a component that behaves gets, and what the engine gets from it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use lvhost_runtime::{
    Base, ComponentBytes, Description, Device, Download, Fault, Grant, Header, Image, Level,
    Limits, Method, OptionSetting, OptionType, OptionValue, Packed, Recipe, ServiceError, Volume,
    VolumeId,
};

use crate::support::{
    DOWNLOAD, FakeServices, HOST, TEXT, UNPACKED, guest, load, option, runtime, volume,
};

/// The same component for each version of the contract.
const BOTH: [&str; 2] = ["well-behaved", "well-behaved-0-2"];

fn base() -> VolumeId {
    VolumeId {
        pool: "default".into(),
        name: "base.qcow2".into(),
    }
}

#[test]
fn it_describes_itself() {
    for guest_name in BOTH {
        let source = load(&runtime(), guest_name, Limits::default());
        assert_eq!(source.name(), guest_name);
        let description = source.description();
        assert_eq!(description.source_type, "well-behaved");
        assert_eq!(description.aliases, ["good"]);
        assert_eq!(description.summary, "Uses every import");
        let types: Vec<OptionType> = description.options.iter().map(|o| o.option_type).collect();
        assert_eq!(
            types,
            [
                OptionType::Text,
                OptionType::Integer,
                OptionType::Boolean,
                OptionType::TextList,
                OptionType::TextMap,
                OptionType::Text
            ]
        );
        assert!(description.options[0].required && !description.options[1].required);
        assert!(description.options[5].sensitive && !description.options[4].sensitive);
    }
}

#[tokio::test]
async fn what_is_embedded_is_loaded_by_its_first_call() {
    let description = || Description {
        source_type: "well-behaved".into(),
        aliases: Vec::new(),
        summary: "as it was when the program was built".into(),
        options: Vec::new(),
    };
    let code = lvhost_runtime::precompile(&guest("well-behaved"), HOST).expect("a component");
    let code = Box::leak(code.into_boxed_slice());
    let source = runtime().embedded("it", code, description(), Limits::default());
    assert_eq!(source.description(), &description());
    let configuration = source.configure(&volume(), &[option("way", "blank")]).await;
    configuration.expect("configured");

    // Nothing looks at the code before.
    let source = runtime().embedded("it", b"no code", description(), Limits::default());
    let error = source.configure(&volume(), &[]).await.expect_err("no code");
    assert!(matches!(error.fault, Fault::NotLoaded(_)), "{error}");
}

#[tokio::test]
async fn it_is_configured_with_all_types_of_options() {
    for guest_name in BOTH {
        let source = load(&runtime(), guest_name, Limits::default());
        let set = |name: &str, value| OptionSetting {
            name: name.into(),
            value,
        };
        let list = vec!["a".into(), "b".into()];
        let options = [
            set("way", OptionValue::Text("image".into())),
            set("count", OptionValue::Integer(-7)),
            set("flag", OptionValue::Boolean(true)),
            set("list", OptionValue::TextList(list)),
            set(
                "map",
                OptionValue::TextMap([("k".to_owned(), "v".into())].into()),
            ),
        ];
        let configuration = source
            .configure(&volume(), &options)
            .await
            .expect("configured");
        let said: Vec<(&str, &str)> = configuration
            .diagnostics
            .iter()
            .map(|diagnostic| (diagnostic.path.as_str(), diagnostic.message.as_str()))
            .collect();
        assert_eq!(
            said,
            [
                ("way", r#"OptionValue::Text("image")"#),
                ("count", "OptionValue::Integer(-7)"),
                ("flag", "OptionValue::Boolean(true)"),
                ("list", r#"OptionValue::TextList(["a", "b"])"#),
                ("map", r#"OptionValue::TextMap([("k", "v")])"#),
            ]
        );
        assert_eq!(
            configuration.defaults.name_suffix.as_deref(),
            Some("suffix")
        );
        assert_eq!(configuration.defaults.device, Some(Device::Cdrom));
        assert_eq!(configuration.defaults.format.as_deref(), Some("raw"));
        assert_eq!(configuration.defaults.bus.as_deref(), Some("sata"));
        assert_eq!(configuration.defaults.read_only, Some(true));
        let needs = [
            Grant::Url(Download {
                url: "https://example.org/image".into(),
                checksum: Some("none".into()),
            }),
            Grant::Files("granted/*".into()),
            Grant::Volume(base()),
            Grant::HypervisorPath("/var/lib/libvirt/images/base.qcow2".into()),
            // What the first version did not have.
            Grant::Post("https://example.org/token".into()),
            Grant::Secret("registry".into()),
        ];
        let known = if guest_name == "well-behaved" { 4 } else { 6 };
        assert_eq!(configuration.grants, needs[..known]);
    }
}

#[tokio::test]
async fn a_volume_is_what_a_blob_has_decompressed_once_where_there_is_room() {
    let source = load(&runtime(), "well-behaved-0-2", Limits::default());
    for (way, has_room, expected) in [
        ("content", false, TEXT),
        ("decompressed content", true, UNPACKED),
        ("decompressed content", false, UNPACKED),
    ] {
        let services = FakeServices::default();
        services.has_room.store(has_room, Ordering::Relaxed);
        let (volume, options) = (volume(), [option("way", way)]);
        let prepared = source.prepare(&volume, &options, Arc::new(services.clone()));
        assert_eq!(prepared.await.expect("prepared"), Recipe::Image, "{way}");
        services.seen(|seen| {
            let length = expected.len() as u64;
            let image = Image {
                format: "raw".into(),
                length: Some(length),
                capacity: length,
            };
            assert_eq!(seen.images, [image], "{way}");
            assert!(seen.written == expected && seen.finished, "{way}");
            assert_eq!(seen.put_aside, usize::from(way != "content"), "{way}");
        });
    }
    for way in [
        "content that is no image",
        "decompressed content that is no image",
        "content of another compression",
    ] {
        let services = FakeServices::default();
        let (volume, options) = (volume(), [option("way", way)]);
        let prepared = source.prepare(&volume, &options, Arc::new(services.clone()));
        let error = prepared.await.expect_err("no image");
        let is_corrupt = matches!(error.fault, Fault::Reported(ServiceError::Corrupt(_)));
        assert!(is_corrupt, "{way}: {error}");
        services.seen(|seen| assert_eq!(seen.images, [], "{way}"));
    }
}

#[tokio::test]
async fn it_asks_servers_with_secrets_that_it_does_not_see() {
    let guest_name = "well-behaved-0-2";
    let in_a_process = runtime()
        .load(
            guest_name,
            ComponentBytes::Wasm(guest(guest_name)),
            Limits::default(),
        )
        .expect("a source");
    for source in [
        load(&runtime(), guest_name, Limits::default()),
        in_a_process,
    ] {
        let services = FakeServices::default();
        let (volume, options) = (volume(), [option("way", "asking")]);
        let prepared = source.prepare(&volume, &options, Arc::new(services.clone()));
        assert_eq!(prepared.await.expect("prepared"), Recipe::Blank);
        services.seen(|seen| {
            let [(challenge, ..), (token, method, body), (image, none, _), ..] = &seen.asked[..]
            else {
                panic!("{:?}", seen.asked);
            };
            let accept = Header::Text {
                name: "Accept".into(),
                value: "application/json".into(),
            };
            assert_eq!(challenge.headers, [accept]);
            let log_in = Header::LogIn {
                user: "me".into(),
                secret: "registry".into(),
            };
            assert_eq!(token.headers, [log_in]);
            assert_eq!(*method, Some(Method::Post));
            assert_eq!(body, b"grant_type=password");
            let bearer = Header::Secret {
                name: "Authorization".into(),
                prefix: "Bearer ".into(),
                secret: "registry".into(),
            };
            assert_eq!(image.headers, [bearer]);
            assert_eq!(*none, None);
            assert_eq!(seen.packed, [Packed::Kept]);
        });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_fills_an_image_with_bytes_holes_and_splices() {
    for guest_name in BOTH {
        let source = load(&runtime(), guest_name, Limits::default());
        let services = FakeServices::default();
        let recipe = source
            .prepare(
                &volume(),
                &[option("way", "image")],
                Arc::new(services.clone()),
            )
            .await
            .expect("prepared");
        assert_eq!(recipe, Recipe::Image);
        services.seen(|seen| {
            let length = 5 + 4096 + 8 + UNPACKED.len() as u64;
            let image = Image {
                format: "raw".into(),
                length: Some(length),
                capacity: length,
            };
            assert_eq!(seen.images, [image]);
            assert_eq!(seen.written, [b"bytes", &DOWNLOAD[2..], UNPACKED].concat());
            assert_eq!(seen.holes, [4096]);
            assert!(seen.finished);
            assert_eq!(seen.open_sinks, 0);
            let urls = vec!["https://example.org/image".to_owned()];
            assert_eq!(seen.downloads, [(urls, Some("none".to_owned()))]);
            assert_eq!(seen.log[0], (Level::Info, "filling new.img".to_owned()));
            assert_eq!(
                seen.log[2],
                (Level::Warning, "said on standard error".to_owned())
            );
            assert_eq!(seen.progress.first(), Some(&(0.5, "half-way".to_owned())));
            assert_eq!(seen.progress.last(), Some(&(1.0, "done".to_owned())));
        });
    }
}

#[tokio::test]
async fn each_recipe_arrives() {
    for guest_name in BOTH {
        let source = load(&runtime(), guest_name, Limits::default());
        for (way, expected) in [
            ("blank", Recipe::Blank),
            ("clone", Recipe::Clone(base())),
            ("overlay of a volume", Recipe::Overlay(Base::Volume(base()))),
            (
                "overlay of a path",
                Recipe::Overlay(Base::HypervisorPath("/images/base.qcow2".into())),
            ),
            ("image of unknown length", Recipe::Image),
        ] {
            let services = Arc::new(FakeServices::default());
            let recipe = source
                .prepare(&volume(), &[option("way", way)], services)
                .await;
            assert_eq!(recipe.expect(way), expected, "{way}");
        }
    }
}

#[tokio::test]
async fn its_errors_are_passed_on() {
    for guest_name in BOTH {
        let source = load(&runtime(), guest_name, Limits::default());
        let services = Arc::new(FakeServices::default());
        let error = source
            .prepare(&volume(), &[], services)
            .await
            .expect_err("no way");
        assert_eq!(
            error.to_string(),
            format!("source \"{guest_name}\" failed: the option \"way\" is missing")
        );

        let full = ServiceError::Other("the pool \"default\" is full".into());
        let services = FakeServices {
            finish_error: Some(full.clone()),
            ..FakeServices::default()
        };
        let options = [option("way", "image")];
        let error = source
            .prepare(&volume(), &options, Arc::new(services))
            .await
            .expect_err("full");
        assert_eq!(error.fault, Fault::Reported(full));
    }
}

#[tokio::test]
async fn who_does_not_say_how_the_volume_comes_to_be_has_misbehaved() {
    let source = load(&runtime(), "well-behaved-0-2", Limits::default());
    let services = Arc::new(FakeServices::default());
    let prepared = source
        .prepare(&volume(), &[option("way", "nothing")], services)
        .await;
    let said = prepared.expect_err("no volume").to_string();
    assert!(
        said.contains("it did not say how the volume comes to be"),
        "{said}"
    );
}

#[tokio::test]
async fn its_surroundings_are_empty_and_the_same_each_time() {
    for guest_name in BOTH {
        let surroundings = async |volume: Volume| {
            let source = load(&runtime(), guest_name, Limits::default());
            let services = Arc::new(FakeServices::default());
            let options = [option("way", "surroundings")];
            let error = source
                .prepare(&volume, &options, services)
                .await
                .expect_err("reported");
            match error.fault {
                Fault::Reported(ServiceError::Other(text)) => text,
                other => panic!("{other}"),
            }
        };
        let first = surroundings(volume()).await;
        assert!(
            first.contains("arguments 0 variables 0 clock 1700000000 monotonic 1000 "),
            "{first}"
        );
        assert_eq!(first, surroundings(volume()).await);

        // Random numbers differ by volume, and with them the order of a hash set.
        let mut other = volume();
        other.id.name = "other.img".into();
        assert_ne!(first, surroundings(other).await);
    }
}

#[tokio::test]
async fn it_can_be_compiled_at_load() {
    for guest_name in BOTH {
        let wasm = ComponentBytes::Wasm(guest(guest_name));
        let source = runtime()
            .load("fresh", wasm, Limits::default())
            .expect("loaded");
        let services = Arc::new(FakeServices::default());
        let recipe = source
            .prepare(&volume(), &[option("way", "image")], services)
            .await;
        assert_eq!(recipe.expect("prepared"), Recipe::Image);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_can_run_at_the_same_time() {
    for guest_name in BOTH {
        let source = load(&runtime(), guest_name, Limits::default());
        let tasks: Vec<_> = (0..16)
            .map(|_| {
                let source = source.clone();
                tokio::spawn(async move {
                    let services = Arc::new(FakeServices::default());
                    source
                        .prepare(&volume(), &[option("way", "image")], services)
                        .await
                })
            })
            .collect();
        for task in tasks {
            assert_eq!(
                task.await.expect("no panic").expect("prepared"),
                Recipe::Image
            );
        }
    }
}
