//! Each thing the hostile guest can do: the host survives it, says who did what, and goes on.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use lvhost_runtime::{ComponentError, Fault, Limits, Recipe, Runtime, Source};

use crate::support::{FakeServices, load, option, runtime, volume};

/// What `prepare` does, and what comes of it: the text of the error after the component's name.
const IN_PREPARE: &[(&str, &str)] = &[
    ("eats memory", "used up its memory: it may have 64 MiB"),
    (
        "overflows the stack",
        "overflowed its stack: endless recursion?",
    ),
    ("panics", "the sky is falling"),
    ("exits", "misbehaved: it ended itself with exit status 1"),
    (
        "writes past its size",
        "misbehaved: it wrote more than the 102400 bytes it had declared for its raw image",
    ),
    (
        "writes holes past its size",
        "misbehaved: it wrote more than the 102400 bytes it had declared for its raw image",
    ),
    (
        "drains past its size",
        "misbehaved: it wrote more than the 102400 bytes it had declared for its raw image",
    ),
    (
        "hides a write past its size",
        "misbehaved: it wrote more than the 102400 bytes it had declared for its raw image",
    ),
    (
        "writes less than declared",
        "misbehaved: it wrote 10 of the 102400 bytes it had declared for its raw image",
    ),
    (
        "returns image without creating",
        "misbehaved: it says that it has filled the volume, but has not created it",
    ),
    (
        "creates but returns blank",
        "misbehaved: it has created the volume and then answered with another recipe",
    ),
    ("creates twice", "failed: the target was created before"),
    (
        "creates an image of an absurd size",
        "failed: an image of 18446744073709551615 bytes; at most",
    ),
    (
        "creates a raw image of unknown length",
        "failed: a raw image of unknown length",
    ),
    (
        "creates an image of a garbage format",
        "failed: a format can't be called \"<raw/>\"",
    ),
    (
        "writes too much at a time",
        "failed: 2097152 bytes were written at a time; at most 1048576",
    ),
    (
        "writes far too much at a time",
        "went over a limit: too much data is being copied",
    ),
    (
        "reads too much at a time",
        "failed: 4294967295 bytes at a time were asked for",
    ),
    (
        "splices what is not there",
        "failed: 2 bytes at 18446744073709551615 were asked for",
    ),
    (
        "hoards files",
        "failed: 512 blobs are held at the same time",
    ),
    (
        "hoards readers",
        "failed: 8 readers are held at the same time",
    ),
    (
        "nests decoders",
        "failed: 4 decompressions on top of each other",
    ),
    (
        "holds eight decoders with the biggest window",
        "failed: decompressions that may take more than 300 MiB of memory are held",
    ),
    (
        "asks with garbage",
        "failed: a pool's name can't be \"../..\"",
    ),
    (
        "asks for a thousand downloads",
        "failed: 1000 URLs; at most 64 are allowed",
    ),
    (
        "clones a garbage name",
        "misbehaved: a volume's name can't be \"../../etc/passwd\"",
    ),
    (
        "is an overlay of a relative path",
        "misbehaved: a path on the hypervisor must begin with /",
    ),
    (
        "reports an error full of escapes",
        "failed: \u{fffd}[31mlong long",
    ),
];

/// What ends only because it is ended.
const ENDLESS: &[&str] = &[
    "spins",
    "spins in host calls",
    "measures again and again",
    "lists again and again",
    "downloads an archive without an end",
    "downloads what is wrong, again and again",
    "sleeps for ever, again and again",
];

/// What only makes noise: see the tests below.
const NOISE: &[&str] = &[
    "floods the log",
    "floods standard output",
    "logs control characters",
    "floods progress",
    "sleeps for ever",
];

/// What waits until it is cancelled: see the tests below.
const WAITING: &[&str] = &["measures a bomb", "waits for a download that never comes"];

/// What `configure` does, and what comes of it.
const IN_CONFIGURE: &[(&str, &str)] = &[
    (
        "configure: spins",
        "computed for more than 0.2 s and was stopped",
    ),
    (
        "configure: a mountain of diagnostics",
        "went over a limit: too much data is being copied",
    ),
    (
        "configure: a thousand grants",
        "misbehaved: 1000 grants; at most 256 are allowed",
    ),
    (
        "configure: a garbage grant",
        "misbehaved: a path on the hypervisor has control characters in it",
    ),
    (
        "configure: garbage defaults",
        "misbehaved: a bus can't be called \"virtio'/><evil\"",
    ),
];

/// What `configure` gets away with, harmlessly: the text of the only diagnostic.
const IN_CONFIGURE_HARMLESS: &[(&str, &str)] = &[
    (
        "configure: tries to download",
        "download works only while a volume is prepared",
    ),
    (
        "configure: diagnostics full of escapes",
        "\u{fffd}[2Jgone\u{fffd}",
    ),
];

fn hostile(runtime: &Runtime) -> Source {
    let configure_time = Duration::from_millis(200);
    load(
        runtime,
        "hostile",
        Limits {
            configure_time,
            ..Limits::default()
        },
    )
}

fn impatient(runtime: &Runtime) -> Source {
    let prepare_time = Duration::from_millis(200);
    load(
        runtime,
        "hostile",
        Limits {
            prepare_time,
            ..Limits::default()
        },
    )
}

async fn prepare(
    source: &Source,
    behaviour: &str,
    services: &FakeServices,
) -> Result<Recipe, ComponentError> {
    source
        .prepare(
            &volume(),
            &[option("behaviour", behaviour)],
            Arc::new(services.clone()),
        )
        .await
}

/// The same runtime still runs a good component.
async fn assert_still_works(runtime: &Runtime, after: &str) {
    let good = load(runtime, "well-behaved", Limits::default());
    let services = Arc::new(FakeServices::default());
    let recipe = good
        .prepare(&volume(), &[option("way", "image")], services)
        .await;
    assert_eq!(
        recipe.unwrap_or_else(|error| panic!("after \"{after}\": {error}")),
        Recipe::Image
    );
}

fn assert_names_the_culprit(behaviour: &str, error: &ComponentError, expected: &str) {
    let text = error.to_string();
    assert!(
        text.starts_with("source \"hostile\" "),
        "{behaviour}: {text}"
    );
    assert!(text.contains(expected), "{behaviour}: {text}");
    assert!(
        text.len() < 6000,
        "{behaviour}: {} bytes of error",
        text.len()
    );
    assert!(!text.contains('\u{1b}'), "{behaviour}: {text:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_misdeed_is_an_error_that_names_the_culprit() {
    let runtime = runtime();
    let source = hostile(&runtime);
    for (behaviour, expected) in IN_PREPARE {
        let services = FakeServices::default();
        let error = prepare(&source, behaviour, &services)
            .await
            .expect_err(behaviour);
        assert_names_the_culprit(behaviour, &error, expected);
        services.seen(|seen| {
            assert!(!seen.finished, "{behaviour}: the volume was completed");
            assert_eq!(
                seen.open_sinks, 0,
                "{behaviour}: the upload was not given up"
            );
        });
        assert_still_works(&runtime, behaviour).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endless_computing_is_ended() {
    let runtime = runtime();
    for behaviour in ENDLESS {
        // What is used up is used up: each has a component of its own.
        let source = impatient(&runtime);
        let services = FakeServices::default();
        let error = prepare(&source, behaviour, &services)
            .await
            .expect_err(behaviour);
        let expected = "computed for more than 0.2 s and was stopped";
        assert_names_the_culprit(behaviour, &error, expected);
        assert_still_works(&runtime, behaviour).await;
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_component_that_spins_keeps_nobody_from_working() {
    let runtime = runtime();
    let spinning = tokio::spawn({
        let source = hostile(&runtime);
        async move { prepare(&source, "spins", &FakeServices::default()).await }
    });
    // One thread for both: this only goes on because the other yields.
    assert_still_works(&runtime, "spins").await;
    assert!(!spinning.is_finished());
    spinning.abort();
    assert!(
        spinning
            .await
            .expect_err("ended by the abort")
            .is_cancelled()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn misdeeds_in_configure() {
    let runtime = runtime();
    for (behaviour, expected) in IN_CONFIGURE {
        // What is used up is used up: each has a component of its own.
        let source = hostile(&runtime);
        let options = [option("behaviour", behaviour)];
        let error = source
            .configure(&volume(), &options)
            .await
            .expect_err(behaviour);
        assert_names_the_culprit(behaviour, &error, expected);
        assert_still_works(&runtime, behaviour).await;
    }
    let source = hostile(&runtime);
    for (behaviour, expected) in IN_CONFIGURE_HARMLESS {
        let options = [option("behaviour", behaviour)];
        let configuration = source
            .configure(&volume(), &options)
            .await
            .expect(behaviour);
        let [diagnostic] = &configuration.diagnostics[..] else {
            panic!("{behaviour}: {configuration:?}");
        };
        assert!(
            diagnostic.message.contains(expected),
            "{behaviour}: {diagnostic:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_shows_what_was_written_before() {
    let source = hostile(&runtime());
    let (volume, options) = (volume(), [option("behaviour", "panics")]);
    let services = Arc::new(FakeServices::default());
    let prepared = source.prepare(&volume, &options, services);
    let error = prepared.await.expect_err("a crash").to_string();
    let (crash, written) = error.split_once("; before that it wrote:\n").expect(&error);
    assert!(crash.starts_with("source \"hostile\" crashed"), "{error}");
    assert!(
        written.lines().all(|line| line.starts_with("| ")),
        "{error}"
    );
    assert!(written.contains("| the sky is falling"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn noise_is_bounded() {
    let runtime = runtime();
    let source = hostile(&runtime);
    let noise = async |behaviour: &str| {
        let services = FakeServices::default();
        let recipe = prepare(&source, behaviour, &services)
            .await
            .expect(behaviour);
        assert_eq!(recipe, Recipe::Blank, "{behaviour}");
        services
    };

    let lines = noise("floods the log").await.lines();
    assert_eq!(lines.len(), 1001);
    assert_eq!(lines[999], "line 999");
    assert_eq!(lines[1000], "99000 more lines of its log were dropped");

    let lines = noise("floods standard output").await.lines();
    assert_eq!(lines.len(), 1);
    assert!(lines[0].starts_with("xxxx") && lines[0].len() < 5000);

    let lines = noise("logs control characters").await.lines();
    assert_eq!(lines, ["\u{fffd}[2Jcleared\u{fffd}", "second line"]);

    let progress = noise("floods progress")
        .await
        .seen(|seen| seen.progress.clone());
    assert!(
        (1..10_000).contains(&progress.len()),
        "{} reports",
        progress.len()
    );
    assert!(
        progress
            .iter()
            .all(|(fraction, what)| *fraction < 1.0 && what == "on the way")
    );

    assert!(noise("sleeps for ever").await.lines().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancelling_ends_what_the_host_does_for_a_component() {
    let runtime = runtime();
    let source = hostile(&runtime);
    let services = FakeServices::default();
    let measuring = tokio::spawn({
        let services = services.clone();
        async move { prepare(&source, "measures a bomb", &services).await }
    });
    services.waiting.notified().await;
    services.cancelled.store(true, Ordering::Relaxed);
    let error = measuring.await.expect("no panic").expect_err("cancelled");
    assert_eq!(error.fault, Fault::Cancelled);
    assert_eq!(error.to_string(), "source \"hostile\" was cancelled");
    assert_still_works(&runtime, "measures a bomb").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropping_a_call_drops_all_it_has() {
    let runtime = runtime();
    let source = hostile(&runtime);
    let services = FakeServices::default();
    let waiting = tokio::spawn({
        let services = services.clone();
        async move { prepare(&source, "waits for a download that never comes", &services).await }
    });
    services.waiting.notified().await;
    waiting.abort();
    assert!(
        waiting
            .await
            .expect_err("ended by the abort")
            .is_cancelled()
    );
    assert_eq!(Arc::strong_count(&services.seen), 1);
    assert_still_works(&runtime, "a download that never comes").await;
}

#[test]
fn nothing_the_hostile_guest_can_do_is_untested() {
    let source = hostile(&runtime());
    let can: BTreeSet<&str> = source.description().options[0]
        .documentation
        .lines()
        .collect();
    let tables = [IN_PREPARE, IN_CONFIGURE, IN_CONFIGURE_HARMLESS];
    let tested = tables
        .into_iter()
        .flatten()
        .map(|(behaviour, _)| *behaviour);
    let lists = [ENDLESS, NOISE, WAITING].into_iter().flatten().copied();
    assert_eq!(can, tested.chain(lists).collect());
}

/// What a program does wrong, and what no program is that a compiler made: each has its name once.
#[test]
fn there_are_sixty_hostile_behaviours_at_least() {
    let tables = [IN_PREPARE, IN_CONFIGURE, IN_CONFIGURE_HARMLESS];
    let named = tables.into_iter().flatten().map(|(name, _)| *name);
    let listed = [ENDLESS, NOISE, WAITING].into_iter().flatten().copied();
    let strangers = crate::strangers::all().map(|(name, _, _)| *name);
    let all: Vec<&str> = named.chain(listed).chain(strangers).collect();
    let different: BTreeSet<&str> = all.iter().copied().collect();
    assert_eq!(
        different.len(),
        all.len(),
        "a name stands for two behaviours"
    );
    assert!(all.len() >= 60, "{} behaviours", all.len());
}
