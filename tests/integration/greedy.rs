//! What lvhost does on behalf of a stranger's component is what the component uses up: builds whose volume
//! comes from `tests/guests/hostile`, within the limits that `lvhost.hcl` gives it.

use std::io::Write;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::guest_component::guest_component;
use crate::hypervisor::{Hypervisor, need, variable};
use crate::lvhost::{self, Lvhost, said};
use crate::real_guests::sha256;

/// Bytes that the command and all its children may write to, each: far less than what the components want.
const MEMORY: u64 = 700 << 20;

/// Much longer than the component may compute, on a machine with ten other things to do.
const PATIENCE: Duration = Duration::from_secs(120);

/// A frame of zstd with the biggest window that decoders take, 128 MiB, and twice as many zeros: for each
/// block of 128 KiB its header and the byte that it repeats.
fn bomb() -> Vec<u8> {
    // Its magic number, no size and no checksum, and the window: 2 to the power of 10 + 17.
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 17 << 3];
    let blocks = 2048_u32;
    for number in 1..=blocks {
        let is_last = u32::from(number == blocks);
        let header = is_last | (1 << 1) | ((128 << 10) << 3);
        frame.extend_from_slice(&header.to_le_bytes()[..3]);
        frame.push(0);
    }
    frame
}

/// A project whose volume is made by the component, which behaves like this and may compute for `seconds`.
fn project(hypervisor: &Hypervisor, domain_type: &str, behaviour: &str, seconds: u32) -> Lvhost {
    let lvhost = Lvhost::new();
    let pool = &hypervisor.pool;
    let uri = &hypervisor.uri;
    lvhost.write(
        "t.pkr.hcl",
        &format!(
            r#"source "libvirt" "greedy" {{
  libvirt_uri = "{uri}"
  domain_type = "{domain_type}"
  domain_name = "{pool}-greedy"
  memory      = 64
  communicator {{
    communicator = "none"
  }}
  volume {{
    alias = "artifact"
    pool  = "{pool}"
    source {{
      type      = "stranger"
      behaviour = "{behaviour}"
    }}
  }}
}}
build {{
  sources = ["source.libvirt.greedy"]
}}
"#
        ),
    );
    std::fs::copy(guest_component("hostile"), lvhost.path("stranger.wasm")).unwrap();
    let digest = sha256(&lvhost.path("stranger.wasm"));
    lvhost.write(
        "lvhost.hcl",
        &format!(
            "source_plugin \"stranger\" {{\n  sha256 = \"{digest}\"\n  allow {{\n    files = [\"granted/*\"]\n  \
             }}\n  limits {{\n    time = \"{seconds}s\"\n  }}\n}}\n"
        ),
    );
    for number in 0..2000 {
        lvhost.write(&format!("granted/{number}"), "");
    }
    std::fs::write(lvhost.path("granted/zeros.zst"), bomb()).unwrap();
    let mut packed = Command::new("gzip")
        .args(["-1", "-c"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::fs::File::create(lvhost.path("granted/zeros.gz")).unwrap())
        .spawn()
        .unwrap();
    let mut input = packed.stdin.take().unwrap();
    for _ in 0..64 {
        input.write_all(&[0; 1 << 20]).unwrap();
    }
    drop(input);
    assert!(packed.wait().unwrap().success());
    lvhost
}

#[test]
fn what_lvhost_does_for_a_component_is_what_the_component_uses_up() {
    let hypervisor = need!(Hypervisor::new());
    let domain_type = need!(variable("LVHOST_TEST_DOMAIN_TYPE"));
    let too_long = "computed for more than 2 s and was stopped";
    for (behaviour, seconds, expected) in [
        ("measures again and again", 2, too_long),
        ("lists again and again", 2, too_long),
        ("spins in host calls", 2, too_long),
        (
            "holds eight decoders with the biggest window",
            // What it may compute for must not end it before its memory does, on a slow machine.
            60,
            "decompressions that may take more than 300 MiB of memory are held",
        ),
    ] {
        let project = project(&hypervisor, &domain_type, behaviour, seconds);
        let arguments = ["run", "t.pkr.hcl"];
        let began = Instant::now();
        // The kernel's own limit, which children inherit.
        let mut shell = Command::new("prlimit");
        shell.arg(format!("--data={MEMORY}")).arg("--");
        let prepared = project.prepare(&arguments);
        shell.arg(lvhost::command()).args(arguments);
        shell.current_dir(prepared.get_current_dir().unwrap());
        for (name, value) in prepared.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        let output = shell.output().unwrap();
        let text = said(&output);
        assert_eq!(output.status.code(), Some(1), "{behaviour}: {text}");
        assert!(text.contains(expected), "{behaviour}: {text}");
        assert!(began.elapsed() < PATIENCE, "{behaviour}: {text}");
        assert!(hypervisor.volumes().is_empty(), "{behaviour}: {text}");
    }
}

/// What a component logs is shown, and steers nothing.
#[test]
fn what_a_component_logs_steers_no_terminal() {
    let hypervisor = need!(Hypervisor::new());
    let domain_type = need!(variable("LVHOST_TEST_DOMAIN_TYPE"));
    for behaviour in [
        "logs control characters",
        "reports an error full of escapes",
    ] {
        let project = project(&hypervisor, &domain_type, behaviour, 2);
        let output = project.run(&["run", "-vvv", "t.pkr.hcl"]);
        let text = said(&output);
        assert_eq!(output.status.code(), Some(1), "{behaviour}: {text}");
        assert!(
            text.contains("[2Jcleared") || text.contains("[31mlong"),
            "{text}"
        );
        let steers = text.chars().find(|it| it.is_control() && *it != '\n');
        assert_eq!(steers, None, "{behaviour}: {text:?}");
    }
}
