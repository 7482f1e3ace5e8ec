//! Templates of a few lines that ask for any amount of time and memory: the command ends soon, small, and
//! says where.

use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::lvhost::{Lvhost, Said, template};

/// Peak of resident memory, all of the command included.
const MEMORY: u64 = 300 << 20;

/// Computing time where nothing is optimised; an optimised command takes less than a second.
const TIME: Duration = Duration::from_secs(20);

/// Bytes of all that is said: two hundred messages with a line of the template each.
const MESSAGES: usize = 64 << 10;

/// How often a running command is looked at.
const LOOK: Duration = Duration::from_millis(2);

/// What a command took, as far as it was seen while it ran.
pub(crate) struct Measured {
    pub(crate) said: Said,
    pub(crate) memory: u64,
    pub(crate) time: Duration,
}

pub(crate) fn measure(command: &mut Command) -> Measured {
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let id = Pid::from_child(&child);
    let read = |name: &str| {
        let path = format!("/proc/{}/{name}", id.as_raw_nonzero());
        std::fs::read_to_string(path).unwrap_or_default()
    };
    let (mut memory, mut time) = (0, Duration::ZERO);
    let waiting = std::thread::spawn(move || child.wait_with_output().unwrap());
    while !waiting.is_finished() {
        let peak = read("status").lines().find_map(|line| {
            let kilobytes = line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?;
            kilobytes.parse::<u64>().ok()
        });
        memory = memory.max(peak.unwrap_or_default() << 10);
        // The first number there is the time on a processor, in nanoseconds.
        let spent = read("schedstat");
        let spent = spent
            .split_whitespace()
            .next()
            .and_then(|it| it.parse().ok());
        time = time.max(Duration::from_nanos(spent.unwrap_or_default()));
        if time > TIME {
            // It may have ended by itself.
            let _ = kill_process(id, Signal::KILL);
        }
        sleep(LOOK);
    }
    Measured {
        said: Said::of(waiting.join().unwrap()),
        memory,
        time,
    }
}

fn bombs() -> Vec<(&'static str, String)> {
    let locals = |text: &str| format!("locals {{\n{text}\n}}\n");
    let doubled = |last: &str| {
        let lines: Vec<String> = (1..46)
            .map(|at| format!("  b{at} = [local.b{0}, local.b{0}]", at - 1))
            .collect();
        locals(&format!("  b0 = [1]\n{}\n  x = {last}", lines.join("\n")))
    };
    // Forty thousand of them in one text, and that text many times.
    let xml = |piece: &str, open: &str, close: &str, times: usize| {
        let piece = piece.replace("$$", "$");
        locals(&format!(
            "  all = join(\"\", [for i in range(40) : join(\"\", [for j in range(1000) : \"{piece}\"])])\n  \
             x = [for i in range({times}) : \"{open}${{local.all}}{close}\"]"
        ))
    };
    // A text as long as one may be, used as often as it can be paid for.
    let looped = |what: &str| {
        locals(&format!(
            "  k = join(\"\", [for i in range(1000) : \"{}\"])\n  l = join(\"\", [for i in range(15) : local.k])\n  \
             x = [for i in range(1000) : [for j in range(1000) : {what}]]",
            "a".repeat(1000)
        ))
    };
    let large =
        |expression: &str| locals(&format!("  large = file(\"large\")\n  x = {expression}"));
    vec![
        ("texts", large(r#"[for i in range(1024) : "${i}${local.large}"]"#)),
        ("matches", large(r#"regexall(".", local.large)"#)),
        ("parts", large(r#"split("", local.large)"#)),
        ("replaced", large(r#"[for i in range(1024) : replace(local.large, "x", "y")]"#)),
        ("digests", large("[for i in range(1024) : sha512(local.large)]")),
        ("decoded", locals(r#"  x = jsondecode(file("large.json"))"#)),
        ("passwords", locals(r#"  x = [for i in range(1000) : bcrypt("x", 15)]"#)),
        ("too dear passwords", locals(r#"  x = [for i in range(1000) : bcrypt("x", 20)]"#)),
        ("values in values", doubled("length(local.b45)")),
        ("values that are compared", doubled("local.b45 == [local.b45]")),
        ("values of an option", doubled("1").replace("x = 1", "x = local.b45")),
        ("syntax", locals(&format!("  x = [{}]", "1,".repeat(7 << 20)))),
        ("elements in domain_xml_overlay", xml(r#"<a b='c'/>"#, "<domain>", "</domain>", 1)),
        ("attributes in domain_xml_overlay", xml(" a$${i}x$${j}='b'", "<domain", "/>", 1)),
        ("pieces in domain_xml_overlay", xml("<a/>", "<domain>", "</domain>", 900)),
        ("splats", locals(&format!("  x = [[1]]{}", ".*".repeat(200_000)))),
        ("splats of everything", locals(&format!("  x = [[1]]{}", "[*]".repeat(200_000)))),
        ("line breaks", "\n".repeat(15_000_000)),
        ("comments and mistakes", format!("{}{}", "# comment and more of it\n".repeat(300_000), mistakes())),
        ("mistakes in one line", locals(&format!("  x = [{}]", "nothing.x, ".repeat(50_000)))),
        ("labels", format!("locals {} {{}}\n", "a ".repeat(3_000_000))),
        ("layouts", locals(&format!("  l = \"{}\"\n  x = [for i in range(100) : legacy_isotime(local.l)]", "1".repeat(1 << 20)))),
        ("layouts of nothing", locals(&format!("  l = \"{}\"\n  x = [for i in range(100) : legacy_isotime(local.l)]", ".".repeat(1 << 20)))),
        ("formats", locals(&format!("  l = \"{}\"\n  x = [for i in range(100) : formatdate(local.l, \"2006-01-02T15:04:05Z\")]", "D ".repeat(1 << 19)))),
        ("replacements", locals(&format!("  l = \"{}\"\n  x = [for i in range(100) : regex_replace(\"a\", \"a\", local.l)]", "$${".repeat(1 << 18)))),
        ("patterns of files", locals(&format!("  l = \"{}\"\n  x = fileset(\".\", local.l)", "*".repeat(1 << 20)))),
        ("numbers", looped("can(convert(local.l, number))")),
        ("negations", looped("can(-local.l)")),
        ("sums", looped("can(local.l + 1)")),
        ("keys that are not there", looped("try({ a = 1 }[local.l], 1)")),
        ("keys in errors", looped("{ a = 1 }[local.l]")),
        ("places that are none", looped("try([][local.l], 1)")),
        ("conditions", looped("try(local.l ? 1 : 2, 1)")),
        ("files that are not there", looped("try(templatefile(local.l, {}), 1)")),
        ("files in errors", looped("file(local.l)")),
        ("signs", looped("try(signum(local.l), 1)")),
        ("names in errors", looped("regex(\"nothing\", local.l)")),
        ("values of a variable", "variable \"x\" {\n  sensitive = true\n  default = [for a in range(1000) : [for b in range(1000) : [for c in range(1000) : a]]]\n}\n".to_owned()),
    ]
}

/// Blocks that nobody knows.
fn mistakes() -> String {
    (0..1_000).map(|at| format!("zz{at} {{}}\n")).collect()
}

#[test]
fn a_bomb_takes_neither_time_nor_memory() {
    let lvhost = Lvhost::new()
        .file("large", &"x".repeat(16 << 20))
        .file("large.json", &format!("[1{}]", ",1".repeat(4 << 20)));
    let mut wrong = Vec::new();
    for (name, text) in bombs() {
        let mut text = format!("{text}{}", template("test:///default", ""));
        // What is read only where an option has it.
        if let Some(option) = name.split(" in ").nth(1) {
            text = text.replace("  volume {", &format!("  {option} = local.x\n  volume {{"));
        }
        let path = lvhost.folder().join("bomb.pkr.hcl");
        std::fs::write(path, text).unwrap();
        let Measured { said, memory, time } =
            measure(&mut lvhost.command(&["validate", "bomb.pkr.hcl"]));
        println!("{name}: {} MiB, {time:.1?}", memory >> 20);
        let is_said = said.code == Some(2)
            && said.messages.contains("bomb.pkr.hcl:")
            && said.messages.len() < MESSAGES;
        if !is_said || memory > MEMORY || time > TIME {
            let messages: String = said.messages.chars().take(1000).collect();
            wrong.push(format!(
                "{name}: {} MiB, {time:?}\n{messages}",
                memory >> 20
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn ten_thousand_locals_are_evaluated_at_once() {
    let lines: Vec<String> = (1..10_000)
        .map(|at| format!("  l{at} = \"${{length(local.l{})}}-{at}\"", at - 1))
        .collect();
    let text = format!(
        "locals {{\n  l0 = \"x\"\n{}\n}}\n{}",
        lines.join("\n"),
        template("test:///default", "")
    );
    let lvhost = Lvhost::new().file("t.pkr.hcl", &text);
    let Measured { said, memory, time } = measure(&mut lvhost.command(&["validate", "t.pkr.hcl"]));
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(time < Duration::from_secs(2), "{time:?}");
    assert!(memory < MEMORY, "{memory}");
}
