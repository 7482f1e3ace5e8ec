//! Builds the five components, compiles them ahead of time and asks them what they are, for the library
//! to embed.
//!
//! ```text
//! cargo rustc --target wasm32-wasip2 ──► OUT_DIR/TYPE.wasm ─┬─► precompile ──► OUT_DIR/TYPE.cwasm
//!                                                          └─► describe ────► OUT_DIR/TYPE.rs
//! ```

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use lvhost_runtime::{ComponentBytes, Description, Limits, OptionSchema, Runtime, Settings};

/// Types of the sources; each is a folder beside this crate's, and a package
/// `lvhost-source-TYPE`.
const TYPES: [&str; 5] = [
    "backing-store",
    "cloning",
    "cloud-init",
    "external",
    "files",
];

const TARGET: &str = "wasm32-wasip2";

/// What a component is made of besides its own folder, from the workspace's root.
const INGREDIENTS: [&str; 9] = [
    "Cargo.lock",
    "Cargo.toml",
    "plugin-sdk/Cargo.toml",
    "plugin-sdk/image/Cargo.toml",
    "plugin-sdk/image/src",
    "plugin-sdk/location/Cargo.toml",
    "plugin-sdk/location/src",
    "plugin-sdk/src",
    "wit",
];

/// Of cargo's own variables, those that say where and how packages are fetched, and share the
/// outer cargo's job slots. All others describe the outer build.
const KEPT_CARGO_VARIABLES: [&str; 7] = [
    "CARGO_HOME",
    "CARGO_HTTP_",
    "CARGO_MAKEFLAGS",
    "CARGO_NET_",
    "CARGO_REGISTRIES_",
    "CARGO_REGISTRY_",
    "CARGO_TERM_",
];

/// Variables of the outer build that would change how the components are built.
const OUTER_VARIABLES: [&str; 4] = ["OUT_DIR", "RUSTC_WORKSPACE_WRAPPER", "RUSTFLAGS", "TARGET"];

type Failure = String;

fn main() {
    if let Err(failure) = run() {
        for line in failure.lines() {
            println!("cargo::error={line}");
        }
    }
}

fn run() -> Result<(), Failure> {
    let out = PathBuf::from(variable("OUT_DIR")?);
    let root = workspace_root()?;
    for ingredient in INGREDIENTS {
        rerun_if_changed(&root.join(ingredient));
    }
    check_target()?;
    let runtime = Runtime::new(Settings::default())
        .map_err(|error| format!("WebAssembly can't be run: {error}"))?;
    let (host, target) = (variable("HOST")?, variable("TARGET")?);
    for source in TYPES {
        let folder = root.join("sources").join(source);
        rerun_if_changed(&folder.join("Cargo.toml"));
        rerun_if_changed(&folder.join("src"));
        let wasm = build(source, &root, &out)?;
        let precompiled = precompile(source, &wasm, &target)?;
        write(&out.join(format!("{source}.wasm")), &wasm)?;
        write(&out.join(format!("{source}.cwasm")), &precompiled)?;
        // It is asked on the machine that builds, which need not be the one it is built for.
        let code = if host == target {
            precompiled
        } else {
            precompile(source, &wasm, &host)?
        };
        // They are few, and needed until the end.
        let code = ComponentBytes::Precompiled(Box::leak(code.into_boxed_slice()));
        let loaded = runtime
            .load(source, code, Limits::default())
            .map_err(|error| format!("the component `{source}` can't be asked: {error}"))?;
        if loaded.description().source_type != source {
            return Err(format!("the component `{source}` calls itself otherwise"));
        }
        let description = expression(loaded.description());
        write(&out.join(format!("{source}.rs")), description.as_bytes())?;
    }
    Ok(())
}

fn precompile(source: &str, wasm: &[u8], machine: &str) -> Result<Vec<u8>, Failure> {
    lvhost_runtime::precompile(wasm, machine)
        .map_err(|error| format!("the component `{source}` can't be compiled: {error}"))
}

/// A description as a Rust expression.
fn expression(description: &Description) -> String {
    let aliases = description.aliases.iter().map(|alias| text(alias));
    let options = description.options.iter().map(option_expression);
    format!(
        "Description {{ source_type: {}, aliases: vec![{}], summary: {}, options: vec![{}] }}\n",
        text(&description.source_type),
        aliases.collect::<Vec<_>>().join(", "),
        text(&description.summary),
        options.collect::<Vec<_>>().join(", "),
    )
}

fn option_expression(option: &OptionSchema) -> String {
    let default = option.default.as_deref().map(text);
    format!(
        "OptionSchema {{ name: {}, option_type: OptionType::{:?}, required: {}, default: {}, \
         sensitive: {}, documentation: {} }}",
        text(&option.name),
        option.option_type,
        option.required,
        default.map_or("None".to_owned(), |default| format!("Some({default})")),
        option.sensitive,
        text(&option.documentation),
    )
}

/// A string; what Rust shows of one for debugging is a literal.
fn text(text: &str) -> String {
    format!("{text:?}.to_owned()")
}

/// Builds a component in a target folder of its own, since the outer cargo holds the lock of its.
fn build(source: &str, root: &Path, out: &Path) -> Result<Vec<u8>, Failure> {
    let target_folder = out.join("target");
    let mut command = Command::new(variable("CARGO")?);
    for (name, _) in env::vars_os() {
        let name = name.to_string_lossy();
        let leaks = name.starts_with("CARGO_")
            && !KEPT_CARGO_VARIABLES
                .iter()
                .any(|kept| name.starts_with(kept));
        if leaks || OUTER_VARIABLES.contains(&&*name) {
            command.env_remove(&*name);
        }
    }
    // `cargo rustc` for `--crate-type`: with the `rlib` that native tests link, cargo would leave
    // out link-time optimisation.
    command
        .current_dir(root)
        .env(
            "CARGO_ENCODED_RUSTFLAGS",
            remapped_paths(root)?.join("\x1f"),
        )
        .args([
            "rustc",
            "--locked",
            "--quiet",
            "--lib",
            "--crate-type",
            "cdylib",
        ])
        .args(["--package", &format!("lvhost-source-{source}")])
        .args(["--profile", "component", "--target", TARGET])
        .arg("--target-dir")
        .arg(&target_folder);
    let output = command
        .output()
        .map_err(|error| format!("cargo can't be started: {error}"))?;
    if !output.status.success() {
        return Err(format!(
            "the component `{source}` can't be built:\n{}",
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    let name = format!("lvhost_source_{}.wasm", source.replace('-', "_"));
    let path = target_folder.join(TARGET).join("component").join(name);
    fs::read(&path).map_err(|error| format!("{} can't be read: {error}", path.display()))
}

/// Flags that keep the paths of this machine out of the components' panic messages.
fn remapped_paths(root: &Path) -> Result<Vec<String>, Failure> {
    let mut folders = vec![(root.to_owned(), "lvhost"), (sysroot()?, "rust")];
    if let Some(cargo_home) = env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| env::home_dir().map(|home| home.join(".cargo")))
    {
        folders.push((cargo_home, "cargo"));
    }
    Ok(folders
        .into_iter()
        .map(|(folder, name)| format!("--remap-path-prefix={}={name}", folder.display()))
        .collect())
}

/// Checks that there is a standard library for the components.
fn check_target() -> Result<(), Failure> {
    let libraries = sysroot()?.join("lib/rustlib").join(TARGET).join("lib");
    let has_std = fs::read_dir(&libraries).is_ok_and(|entries| {
        entries
            .flatten()
            .any(|entry| entry.file_name().to_string_lossy().starts_with("libstd-"))
    });
    if has_std {
        return Ok(());
    }
    Err(format!(
        "the volume sources are WebAssembly components, and this Rust toolchain has no standard \
         library for {TARGET}.\nRun: rustup target add {TARGET}\nWhere rustup can't download it, \
         run tests/set-up/wasm-target.sh, which builds it."
    ))
}

fn sysroot() -> Result<PathBuf, Failure> {
    let output = Command::new(variable("RUSTC")?)
        .args(["--print", "sysroot"])
        .output()
        .map_err(|error| format!("rustc can't be started: {error}"))?;
    let path = String::from_utf8_lossy(&output.stdout);
    Ok(PathBuf::from(path.trim_end()))
}

fn workspace_root() -> Result<PathBuf, Failure> {
    let here = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    here.ancestors()
        .nth(2)
        .map(Path::to_owned)
        .ok_or_else(|| format!("{} is not in the workspace", here.display()))
}

fn rerun_if_changed(path: &Path) {
    println!("cargo::rerun-if-changed={}", path.display());
}

fn variable(name: &str) -> Result<String, Failure> {
    env::var(name).map_err(|error| format!("the variable {name} can't be read: {error}"))
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    fs::write(path, bytes).map_err(|error| format!("{} can't be written: {error}", path.display()))
}
