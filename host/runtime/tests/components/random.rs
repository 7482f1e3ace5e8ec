//! Components by chance: made by wasm-smith, composed with types drawn by lot, and good ones with parts
//! of them changed. Whatever lvhost says of each, it says it soon, and no panic is behind it.
//!
//! The seed is the same each time; `LVHOST_TEST_SEED` sets another.

use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use lvhost_runtime::Runtime;
use rand::rngs::ChaCha12Rng;
use rand::{Rng, RngExt, SeedableRng};

use crate::made::{containing, containing_bytes, holding_bytes, smallest};
use crate::strangers::{WORKS, outcome};
use crate::support::{guest, runtime};

/// Longer than compiling and running one of them takes on a machine that does three other things: there it was 31 s
/// once for one whose compiler is not optimised.
const SOON: Duration = Duration::from_secs(100);

#[expect(clippy::print_stdout, reason = "a test that fails is repeated with it")]
fn random(what: u64) -> ChaCha12Rng {
    let seed = match std::env::var("LVHOST_TEST_SEED") {
        Ok(seed) => seed.parse().expect("LVHOST_TEST_SEED is a number"),
        Err(_) => 1,
    };
    println!("LVHOST_TEST_SEED={seed}");
    ChaCha12Rng::seed_from_u64(seed ^ (what << 56))
}

/// Loads and calls each of them; gives how many worked.
#[expect(clippy::print_stdout, reason = "how much a run was worth")]
fn all_survive(components: &[(String, Vec<u8>)]) -> usize {
    let runtime = runtime();
    let next = AtomicUsize::new(0);
    let working = AtomicUsize::new(0);
    let threads = thread::available_parallelism().map_or(2, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some((name, wasm)) = components.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    let works = survives(&runtime, name, wasm);
                    working.fetch_add(usize::from(works), Ordering::Relaxed);
                }
            });
        }
    });
    let working = working.into_inner();
    println!("{working} of {} worked", components.len());
    working
}

fn survives(runtime: &Runtime, name: &str, wasm: &[u8]) -> bool {
    let began = Instant::now();
    let done = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(outcome(runtime, name, wasm.to_vec()));
    let took = began.elapsed();
    let is_named = done == WORKS || done.contains(&format!("\"{name}\""));
    // By a process that has ended, or by the one place where a panic of the compiler is caught.
    let panics = ["exit status 101", "the compiler has given up"];
    let is_panic = panics.iter().any(|sign| done.contains(sign));
    if !is_named || is_panic || took > SOON {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let path = folder.join(format!("{name}.wasm"));
        std::fs::write(&path, wasm).expect("written");
        panic!("{name}, kept as {}, after {took:?}: {done}", path.display());
    }
    done == WORKS
}

#[test]
fn a_thousand_components_of_random_parts() {
    let mut random = random(1);
    let mut components = Vec::new();
    for (number, part) in smith(&mut random, 700).into_iter().enumerate() {
        let wasm = match part.get(4) {
            // A module, instantiated when the component is.
            Some(1) => containing_bytes(&smallest(), &instantiating(&part)),
            _ => holding_bytes(&smallest(), &part),
        };
        components.push((format!("smith-{number}"), wasm));
    }
    for number in 0..300 {
        let wasm = containing(&smallest(), &passing(&mut random));
        components.push((format!("composed-{number}"), wasm));
    }
    assert_eq!(components.len(), 1000);
    let working = all_survive(&components);
    assert!(working > 200, "hardly any is valid: {working}");
}

#[test]
fn a_thousand_changes_to_good_components() {
    let mut random = random(2);
    let composed: Vec<Vec<u8>> = (0..20)
        .map(|_| containing(&smallest(), &passing(&mut random)))
        .collect();
    let real = guest("well-behaved");
    let mut components = Vec::new();
    for number in 0..1000 {
        let good = match number % 10 {
            0 => &real,
            digit => &composed[(number + digit) % composed.len()],
        };
        components.push((format!("changed-{number}"), changed(&mut random, good)));
    }
    all_survive(&components);
}

/// Random modules and components by wasm-smith, in a program of its own: see its Cargo.toml.
fn smith(random: &mut impl Rng, count: usize) -> Vec<Vec<u8>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/smith");
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("smith");
    let mut child = Command::new(env!("CARGO"))
        .current_dir(folder)
        .args(["run", "--quiet", "--locked", "--target-dir"])
        .arg(&target)
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("cargo");
    let mut asked = Vec::new();
    for _ in 0..count {
        let length = random.random_range(100..4000_u32);
        let mut frame = vec![0; length as usize];
        random.fill_bytes(&mut frame);
        asked.extend(length.to_le_bytes());
        asked.extend(frame);
    }
    let mut input = child.stdin.take().expect("a pipe");
    let writer = thread::spawn(move || input.write_all(&asked));
    let mut answered = Vec::new();
    let mut output = child.stdout.take().expect("a pipe");
    output.read_to_end(&mut answered).expect("read");
    writer.join().expect("no panic").expect("written");
    assert!(child.wait().expect("ended").success(), "tests/smith failed");
    let mut made = Vec::new();
    let mut rest = &answered[..];
    while let Some((length, after)) = rest.split_first_chunk() {
        let (wasm, after) = after.split_at(u32::from_le_bytes(*length) as usize);
        // Where the bytes ended before there was anything.
        if !wasm.is_empty() {
            made.push(wasm.to_vec());
        }
        rest = after;
    }
    while made.len() < count {
        made.extend(smith(random, count - made.len()));
    }
    made
}

/// A component that instantiates a module.
fn instantiating(module: &[u8]) -> Vec<u8> {
    use wasm_encoder::{Component, InstanceSection, ModuleArg, RawSection};
    let mut instances = InstanceSection::new();
    let none: [(&str, ModuleArg); 0] = [];
    instances.instantiate(0, none);
    let mut component = Component::new();
    component
        .section(&RawSection {
            id: 1,
            data: module,
        })
        .section(&instances);
    component.finish()
}

/// A type of values, with the types of core WebAssembly it is passed as.
struct Drawn {
    text: String,
    flat: Vec<&'static str>,
}

/// Draws a type.
fn drawn(random: &mut impl Rng, depth: u32) -> Drawn {
    let simple = |text: &str, flat: &[&'static str]| Drawn {
        text: text.to_owned(),
        flat: flat.to_vec(),
    };
    let kinds = if depth == 0 { 9 } else { 14 };
    match random.random_range(0..kinds) {
        0 => simple("bool", &["i32"]),
        1 => simple("u8", &["i32"]),
        2 => simple("s16", &["i32"]),
        3 => simple("u32", &["i32"]),
        4 => simple("s64", &["i64"]),
        5 => simple("f32", &["f32"]),
        6 => simple("f64", &["f64"]),
        7 => simple("char", &["i32"]),
        8 => simple("string", &["i32", "i32"]),
        9 => simple(
            &format!("(list {})", drawn(random, depth - 1).text),
            &["i32", "i32"],
        ),
        10 => {
            let inner = drawn(random, depth - 1);
            Drawn {
                text: format!("(option {})", inner.text),
                flat: cases(&[inner.flat]),
            }
        }
        11 => {
            let (ok, error) = (drawn(random, depth - 1), drawn(random, depth - 1));
            Drawn {
                text: format!("(result {} (error {}))", ok.text, error.text),
                flat: cases(&[ok.flat, error.flat]),
            }
        }
        12 => {
            let ok = drawn(random, depth - 1);
            Drawn {
                text: format!("(result {})", ok.text),
                flat: cases(&[ok.flat]),
            }
        }
        _ => {
            let parts: Vec<Drawn> = (0..random.random_range(1..6))
                .map(|_| drawn(random, depth - 1))
                .collect();
            let texts: Vec<&str> = parts.iter().map(|part| part.text.as_str()).collect();
            Drawn {
                text: format!("(tuple {})", texts.join(" ")),
                flat: parts.iter().flat_map(|part| part.flat.clone()).collect(),
            }
        }
    }
}

/// What a choice of several is passed as: its number, and what all of them have room in.
fn cases(all: &[Vec<&'static str>]) -> Vec<&'static str> {
    let mut joined: Vec<&'static str> = Vec::new();
    for flat in all {
        for (at, passed) in flat.iter().enumerate() {
            match joined.get_mut(at) {
                None => joined.push(passed),
                Some(other) if *other == *passed => {}
                Some(other) => {
                    let narrow = ["i32", "f32"];
                    let both = narrow.contains(other) && narrow.contains(passed);
                    *other = if both { "i32" } else { "i64" };
                }
            }
        }
    }
    joined.insert(0, "i32");
    joined
}

/// Two components: one calls the other with values of random types, which lie in memory that is full of
/// random bytes.
fn passing(random: &mut impl Rng) -> String {
    let ways = ["utf8", "utf16", "latin1+utf16"];
    let mut way = || ways[random.random_range(0..ways.len())];
    let (lifted_as, lowered_as) = (way(), way());
    let parameters: Vec<Drawn> = (0..random.random_range(0..5))
        .map(|_| drawn(random, 3))
        .collect();
    let answer = drawn(random, 3);
    let mut names = String::new();
    for (number, parameter) in parameters.iter().enumerate() {
        let _ = write!(names, "(param \"p{number}\" {}) ", parameter.text);
    }
    let flat: Vec<&str> = parameters.iter().flat_map(|it| it.flat.clone()).collect();
    // More than the border passes one by one lies in memory.
    let passed = if flat.len() > 16 { vec!["i32"] } else { flat };
    let answered = if answer.flat.len() > 1 {
        vec!["i32"]
    } else {
        answer.flat.clone()
    };
    let value = |random: &mut dyn Rng, of: &str| match of {
        "f32" | "f64" => format!("({of}.const {})", random.next_u32() % 1000),
        // Small ones are numbers of cases, lengths, and places in memory.
        _ => format!(
            "({of}.const {})",
            (random.next_u32() % 64) * (random.next_u32() % 3)
        ),
    };
    let mut bytes = String::new();
    for _ in 0..256 {
        let byte = if random.random_bool(0.7) {
            0
        } else {
            random.next_u32() % 40
        };
        let _ = write!(bytes, "\\{byte:02x}");
    }
    let returned: String = answered.iter().map(|of| value(random, of)).collect();
    let mut arguments: String = passed.iter().map(|of| value(random, of)).collect();
    let mut lowered = passed.clone();
    let result = if answer.flat.len() > 1 {
        lowered.push("i32");
        arguments += "(i32.const 512)";
        String::new()
    } else {
        format!("(result {})", answered[0])
    };
    let drop = if result.is_empty() { "" } else { "drop" };
    let (passed, lowered) = (passed.join(" "), lowered.join(" "));
    let (function, answered) = (format!("{names} (result {})", answer.text), answered[0]);
    let memory = format!("(memory (export \"memory\") 1) (data (i32.const 0) \"{bytes}\")");
    let realloc = r#"(global $at (mut i32) (i32.const 4096))
        (func (export "realloc") (param i32 i32 i32 i32) (result i32)
            (global.set $at (i32.and (i32.add (global.get $at) (i32.const 15)) (i32.const 65520)))
            (global.get $at)
            (global.set $at (i32.add (global.get $at) (local.get 3))))"#;
    let options = r#"(memory (core memory $i "memory")) (realloc (core func $i "realloc"))"#;
    format!(
        r#"(component
    (component $called
        (core module $m {memory} {realloc}
            (func (export "f") (param {passed}) (result {answered}) {returned}))
        (core instance $i (instantiate $m))
        (func (export "f") {function}
            (canon lift (core func $i "f") string-encoding={lifted_as} {options})))
    (component $calling
        (import "f" (func $f {function}))
        (core module $memory {memory} {realloc})
        (core instance $i (instantiate $memory))
        (core func $f (canon lower (func $f) string-encoding={lowered_as} {options}))
        (core module $m
            (import "" "f" (func $f (param {lowered}) {result}))
            (func $start (call $f {arguments}) {drop})
            (start $start))
        (core instance (instantiate $m (with "" (instance (export "f" (func $f)))))))
    (instance $called (instantiate $called))
    (instance (instantiate $calling (with "f" (func $called "f")))))"#
    )
}

/// A good component, with something changed.
fn changed(random: &mut impl Rng, good: &[u8]) -> Vec<u8> {
    let mut wasm = good.to_vec();
    match random.random_range(0..6) {
        0 => wasm.truncate(random.random_range(0..wasm.len())),
        1 => {
            let mut sections = sections(&wasm);
            let (a, b) = (
                random.random_range(0..sections.len()),
                random.random_range(0..sections.len()),
            );
            sections.swap(a, b);
            wasm = joined(&sections);
        }
        2 => {
            let mut sections = sections(&wasm);
            let section = sections[random.random_range(0..sections.len())].clone();
            sections.insert(random.random_range(0..=sections.len()), section);
            wasm = joined(&sections);
        }
        3 => {
            let mut sections = sections(&wasm);
            sections.remove(random.random_range(0..sections.len()));
            wasm = joined(&sections);
        }
        4 => {
            let from = random.random_range(0..wasm.len());
            let to = (from + random.random_range(0..40)).min(wasm.len());
            wasm.drain(from..to);
        }
        _ => {
            for _ in 0..random.random_range(1..4) {
                let at = random.random_range(8..wasm.len());
                wasm[at] ^= 1 << random.random_range(0..8);
            }
        }
    }
    wasm
}

/// The sections of a component, each with its head.
fn sections(wasm: &[u8]) -> Vec<Vec<u8>> {
    let mut sections = Vec::new();
    let mut at = 8;
    while at < wasm.len() {
        let mut length = 0;
        let mut head = 1;
        loop {
            let byte = wasm[at + head];
            length |= usize::from(byte & 0x7f) << (7 * (head - 1));
            head += 1;
            if byte < 0x80 {
                break;
            }
        }
        let end = at + head + length;
        sections.push(wasm[at..end].to_vec());
        at = end;
    }
    sections
}

fn joined(sections: &[Vec<u8>]) -> Vec<u8> {
    let mut wasm = b"\0asm\x0d\0\x01\0".to_vec();
    wasm.extend(sections.concat());
    wasm
}
