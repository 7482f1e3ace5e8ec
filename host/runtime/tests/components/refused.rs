//! Components that don't get as far as being called.

use std::error::Error as _;

use lvhost_runtime::{
    ComponentBytes, Fault, Limits, LoadError, PrecompileError, Runtime, Settings, precompile,
};

use crate::strangers::causes;
use crate::support::{GUESTS, HOST, guest, guest_folders, load, runtime};

fn refused(wasm: impl Into<Vec<u8>>) -> LoadError {
    let loaded = runtime().load("it", ComponentBytes::Wasm(wasm.into()), Limits::default());
    loaded.err().expect("refused")
}

fn refused_text(text: &str) -> LoadError {
    refused(wat::parse_str(text).expect("a component's text"))
}

#[test]
fn each_import_that_is_not_offered() {
    for import in [
        "wasi:filesystem/types@0.3.0",
        "wasi:filesystem/watch@0.2.6",
        "wasi:sockets/tls@0.2.6",
        "wasi:http/outgoing-handler@0.2.6",
        "wasi:nn/inference@0.2.0",
        "wasi:cli/run@0.2.6",
        "wasi:clocks/monotonic-clock@0.3.0",
        "lvhost:source/secrets@0.1.0",
        "stranger:things/here@1.0.0",
    ] {
        let error = refused_text(&format!("(component (import \"{import}\" (instance)))"));
        let expected = format!("source \"it\" asks for {import}, which lvhost does not grant");
        assert_eq!(error.to_string(), expected);
        assert!(error.advice().is_some(), "{import}");
    }
}

#[test]
fn other_versions_of_the_contract() {
    // The same program for the next patch version, of which it uses nothing new, and for the next
    // minor version, which may mean something else by the same names.
    let made_for = |name: &str, from: &[u8; 6], version: &[u8; 5]| {
        let mut wasm = guest(name);
        for at in 0..wasm.len() - 6 {
            if &wasm[at..at + 6] == from {
                wasm[at + 1..at + 6].copy_from_slice(version);
            }
        }
        wasm
    };
    for (name, from, newer) in [
        ("well-behaved", b"@0.1.0", b"0.1.1"),
        ("well-behaved-0-2", b"@0.2.0", b"0.2.1"),
    ] {
        let patch = ComponentBytes::Wasm(made_for(name, from, newer));
        let source = runtime()
            .load("it", patch, Limits::default())
            .expect("a newer patch version");
        assert_eq!(source.description().source_type, "well-behaved");

        let error = refused(made_for(name, from, b"0.3.0"));
        assert!(matches!(error, LoadError::Version { .. }), "{error}");
        assert!(
            error
                .to_string()
                .contains("@0.3.0, and this lvhost speaks lvhost:source@0.1 and @0.2"),
            "{error}"
        );
    }
}

#[test]
fn what_does_not_fit_the_contract() {
    let error = refused_text("(component)");
    assert!(matches!(error, LoadError::MissingExport { .. }), "{error}");

    let export = "(instance $i) (export \"lvhost:source/source@0.1.0\" (instance $i))";
    let error = refused_text(&format!("(component {export})"));
    assert!(matches!(error, LoadError::Mismatch { .. }), "{error}");

    let error = refused_text(&format!(
        "(component (import \"lvhost:source/report@0.1.9\" (instance (export \"shout\" (func)))) \
         {export})"
    ));
    let mut causes = String::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        causes += &error.to_string();
        cause = error.source();
    }
    assert!(causes.contains("shout"), "{error}: {causes}");
}

#[test]
fn what_is_no_component() {
    for bytes in [&b""[..], b"\x7fELF", b"\0asm\x0e\0\x01\0", b"no component"] {
        let error = refused(bytes);
        assert!(matches!(error, LoadError::Invalid { .. }), "{error}");
        assert_eq!(
            error.to_string(),
            "source \"it\" is not a WebAssembly component that lvhost can run"
        );
    }
    let error = refused(vec![0; (32 << 20) + 1]);
    assert!(matches!(error, LoadError::TooLarge { .. }), "{error}");
}

/// What an author has to do with a module depends on what it is of.
#[test]
fn modules_that_no_component_was_made_of() {
    for (text, expected) in [
        (
            r#"(module (import "wasi_snapshot_preview1" "fd_write" (func)))"#,
            "make a component of it: `wasm-tools component embed --world volume-source WIT-FOLDER MODULE -o MODULE`, \
             then `wasm-tools component new MODULE --adapt wasi_snapshot_preview1.reactor.wasm -o COMPONENT`",
        ),
        (
            r#"(module (@custom "component-type:source" "here"))"#,
            "make a component of it: `wasm-tools component new MODULE -o COMPONENT`",
        ),
    ] {
        let error = refused_text(text);
        assert!(matches!(error, LoadError::CoreModule { .. }), "{error}");
        assert_eq!(error.advice().expect("advice"), expected);
    }
    // One that breaks off is a module all the same.
    let error = refused(&b"\0asm\x01\0\0\0\x02\xff"[..]);
    assert!(matches!(error, LoadError::CoreModule { .. }), "{error}");
}

#[test]
fn a_program_with_a_main_function() {
    let error = refused_text(
        r#"(component (instance $run) (export "wasi:cli/run@0.2.6" (instance $run)))"#,
    );
    assert!(
        matches!(
            error,
            LoadError::MissingExport {
                is_command: true,
                ..
            }
        ),
        "{error}"
    );
    let advice = error.advice().expect("advice");
    assert!(advice.contains("-mexec-model=reactor"), "{advice}");
}

/// However big what is behind the names is.
#[test]
fn a_refusal_by_name_is_quick() {
    let wasm = crate::strangers::interpreter("wasi:http/outgoing-handler@0.2.6");
    assert!(wasm.len() > 20 << 20, "{}", wasm.len());
    let began = std::time::Instant::now();
    let error = refused(wasm);
    let took = began.elapsed();
    assert!(
        matches!(error, LoadError::ForbiddenImport { .. }),
        "{error}"
    );
    println!("refused after {took:?}");
    // Nothing of it is compiled: that takes ten seconds and more.
    assert!(took < std::time::Duration::from_secs(1), "{took:?}");
}

#[test]
fn features_that_are_switched_off() {
    for module in [
        "(memory i64 1)",
        "(memory 1) (memory 1)",
        "(memory 1 1 shared)",
        "(tag)",
    ] {
        let text = format!("(component (core module {module}))");
        let error = refused_text(&text);
        assert!(
            matches!(error, LoadError::Invalid { .. }),
            "{module}: {error}"
        );
    }
}

#[test]
fn a_million_options() {
    // With memory enough to say it all.
    let limits = Limits {
        memory: 1 << 30,
        ..Limits::default()
    };
    let wasm = ComponentBytes::Wasm(guest("talkative"));
    let error = runtime()
        .load("talkative", wasm, limits)
        .err()
        .expect("refused");
    let LoadError::Describe(error) = &error else {
        panic!("{error}")
    };
    assert!(matches!(error.fault, Fault::LimitExceeded(_)), "{error}");
    assert_eq!(error.function, "describe");
}

#[test]
fn targets_that_do_not_exist() {
    let error = precompile(&guest("well-behaved"), "pdp11-dec-unix").expect_err("no such target");
    assert!(matches!(error, PrecompileError::Target { .. }), "{error}");
    let error = precompile(b"no component", HOST).expect_err("no component");
    assert!(matches!(error, PrecompileError::Invalid(_)), "{error}");
}

#[test]
fn no_guest_is_left_unused() {
    assert_eq!(guest_folders(), GUESTS);
    // Each of them is named in a test of this folder, or here.
    load(&runtime(), "hostile", Limits::default());
}

/// Only the program itself can be the process for a component: whatever else is started in its place is
/// an error, and no component is taken for compiled or asked.
#[tokio::test(flavor = "multi_thread")]
async fn another_program_in_the_place_of_the_components_process() {
    for (program, expected) in [
        // It waits to be told more, and is not waited for.
        ("/bin/cat", "timed out"),
        ("/bin/true", "exit status 0"),
        ("/bin/false", "exit status 1"),
        ("/nonexistent/lvhost", "No such file"),
    ] {
        let runtime = Runtime::new(Settings {
            source_date_epoch: 0,
            component_program: Some(program.into()),
            compiled: None,
        });
        let runtime = runtime.expect("a runtime");
        let wasm = ComponentBytes::Wasm(guest("well-behaved"));
        let error = runtime.load("it", wasm, Limits::default());
        let error = causes(&error.err().expect(program));
        assert!(error.contains(expected), "{program}: {error}");
        assert!(error.contains("\"it\""), "{program}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_process_for_a_component_is_the_program_that_is_meant() {
    let wasm = ComponentBytes::Wasm(guest("well-behaved"));
    let source = runtime().load("it", wasm, Limits::default());
    let process = source
        .expect("a source")
        .process_id()
        .await
        .expect("a process");
    let name = std::fs::read_to_string(format!("/proc/{process}/comm"));
    // The kernel keeps 15 bytes of it.
    assert_eq!(name.expect("its name").trim(), "component-proce");
}
