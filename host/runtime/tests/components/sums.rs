//! What is within all bounds by itself, and too much in sum: many volumes, many components.

use lvhost_runtime::{Budget, Limits, LoadError, Source};

use crate::made::{Made, smallest};
use crate::strangers::causes;
use crate::support::{runtime, volume};

/// A source that has a hundred remarks of 4 KiB on each volume, and an advice of as much for each.
fn talkative() -> Vec<u8> {
    let made = Made {
        memory: r#"(memory (export "memory") 2)"#,
        // Records of 32 bytes: how bad, then path, message and advice as places with lengths. All texts
        // are the same place.
        configure: "
            (local $at i32)
            (memory.fill (i32.const 65536) (i32.const 109) (i32.const 4096))
            (local.set $at (i32.const 8192))
            (loop
                (i32.store offset=12 (local.get $at) (i32.const 65536))
                (i32.store offset=16 (local.get $at) (i32.const 4096))
                (i32.store offset=20 (local.get $at) (i32.const 1))
                (i32.store offset=24 (local.get $at) (i32.const 65536))
                (i32.store offset=28 (local.get $at) (i32.const 4096))
                (local.set $at (i32.add (local.get $at) (i32.const 32)))
                (br_if 0 (i32.lt_u (local.get $at) (i32.const 11392))))
            (i32.store (i32.const 1024) (i32.const 8192))
            (i32.store (i32.const 1028) (i32.const 100))
            i32.const 1024",
        ..Made::default()
    };
    made.component()
}

fn load(name: &str, wasm: &[u8], budget: &Budget) -> Result<Source, LoadError> {
    runtime().load_stranger(name, wasm, budget, &|_| ())
}

/// How often a source answers for a volume before it is ended, and why it is.
async fn answers(source: &Source) -> (usize, String) {
    for count in 0..100 {
        match source.configure(&volume(), &[]).await {
            Ok(configuration) => assert_eq!(configuration.diagnostics.len(), 100),
            Err(error) => return (count, causes(&error)),
        }
    }
    panic!("it says as much as it likes")
}

#[tokio::test]
async fn what_is_said_of_many_volumes_is_one_sum() {
    let limits = Limits::default();
    let source = load("it", &talkative(), &Budget::new(limits)).expect("a source");
    let (count, error) = answers(&source).await;
    // Each is less than a megabyte.
    assert_eq!(count, 21, "{error}");
    assert!(
        error.contains("source \"it\" went over a limit: it said more than 16 MiB"),
        "{error}"
    );
}

#[tokio::test]
async fn what_many_components_say_is_one_sum() {
    let all = Budget::new(Limits::of_command());
    let mut count = 0;
    let mut errors = Vec::new();
    for name in ["one", "two", "three"] {
        let part = all.part(Limits::default());
        match load(name, &talkative(), &part) {
            Ok(source) if name == "one" => {
                for _ in 0..15 {
                    source.configure(&volume(), &[]).await.expect("an answer");
                }
                count += 15;
            }
            Ok(source) => {
                let (more, error) = answers(&source).await;
                count += more;
                errors.push(error);
            }
            Err(error) => errors.push(causes(&error)),
        }
    }
    assert_eq!(count, 21, "{errors:?}");
    let expected = "all components of the command together said more than 16 MiB";
    for error in &errors {
        assert!(error.contains(expected), "{error}");
    }
    assert_eq!(errors.len(), 2);
}

#[tokio::test]
async fn the_machine_code_of_many_components_is_one_sum() {
    let limits = Limits {
        // That of one of them, and not of two.
        code: 64 << 10,
        ..Limits::of_command()
    };
    let all = Budget::new(limits);
    load("one", &smallest(), &all.part(Limits::default())).expect("a source");
    let mut error = None;
    for number in 0..10 {
        let name = format!("more-{number}");
        error = load(&name, &smallest(), &all.part(Limits::default())).err();
        if error.is_some() {
            break;
        }
    }
    let error = causes(&error.expect("no end"));
    assert!(
        error.contains("all components of the command together made more than 0 MiB"),
        "{error}"
    );
}
