use proptest::prelude::*;

use super::*;

pub(super) const TIMING: Timing = Timing {
    boot_wait: Duration::from_secs(10),
    key_interval: Duration::from_millis(100),
    keygroup_interval: Duration::ZERO,
    key_hold: Duration::from_millis(50),
};

/// The options of a boot command of which only the chords count.
pub(super) const BARE: Timing = Timing {
    boot_wait: Duration::ZERO,
    key_interval: Duration::ZERO,
    keygroup_interval: Duration::ZERO,
    key_hold: Duration::from_millis(50),
};

/// A step as text, such as `29+30` and `5s`.
pub(super) fn spelled(step: &BootStep) -> String {
    match step {
        BootStep::Press { codes, hold } => {
            let codes: Vec<String> = codes.iter().map(u32::to_string).collect();
            if *hold == BARE.key_hold {
                codes.join("+")
            } else {
                format!("{} for {hold:?}", codes.join("+"))
            }
        }
        BootStep::Wait(wait) => format!("{wait:?}"),
    }
}

#[test]
fn a_boot_command_of_an_installer_becomes_its_steps() {
    let command = BootCommand::parse(
        &[
            "<esc><wait>",
            "ks=http://10.0.2.2:8080/My_ks.cfg",
            "<enter><wait10s>",
        ],
        &BARE,
    )
    .unwrap();
    let texts: Vec<String> = command
        .texts
        .iter()
        .map(|steps| steps.iter().map(spelled).collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(
        texts,
        [
            "1 1s",
            // What the plugin for Packer drops is the shift key: `:`, `M` and `_`.
            "37 31 13 35 20 20 25 42+39 53 53 2 11 52 11 52 3 52 3 42+39 9 11 9 11 53 42+50 21 \
             42+12 37 31 52 46 33 34",
            "28 10s",
        ]
    );
    assert_eq!(command.warnings(), []);
}

#[test]
fn all_pauses_count() {
    let timing = Timing {
        keygroup_interval: Duration::from_secs(2),
        ..TIMING
    };
    let command = BootCommand::parse(&["aB", "", "<wait3>"], &timing).unwrap();
    let steps: Vec<String> = command.steps().map(spelled).collect();
    assert_eq!(steps, ["30", "100ms", "42+48", "100ms", "2s", "3s", "2s"]);
    assert_eq!(command.presses(), 2);
    // a: down and up; B: shift and b down and up; each of them 50 ms.
    let keys = Duration::from_millis(2 * 50 + 100 + 4 * 50 + 100);
    assert_eq!(
        command.duration(),
        keys + Duration::from_secs(10 + 2 + 3 + 2)
    );
}

#[test]
fn without_a_text_there_is_nothing_to_wait_for() {
    for texts in [&[][..], &[""], &["", ""]] {
        let command = BootCommand::parse(texts, &TIMING).unwrap();
        assert!(command.is_empty(), "{texts:?}");
        assert_eq!(command.duration(), Duration::ZERO, "{texts:?}");
    }
}

#[test]
fn what_is_typed_is_not_shown() {
    let command = BootCommand::parse(&["hunter2<enter>"], &TIMING).unwrap();
    let shown = format!("{command:?} {:?}", command.steps().collect::<Vec<_>>());
    assert!(!shown.contains("hunter2"), "{shown}");
    for code in ["35", "22", "49", "20", "18", "19"] {
        assert!(!shown.contains(code), "{shown}");
    }
}

proptest! {
    #[test]
    fn any_texts_are_typed_or_refused(
        texts in prop::collection::vec(
            r"([ -~]|é|\n|<(wait|left|ctrl|On|Off|[a-z0-9.]{1,6})*>){0,20}", 0..4,
        ),
    ) {
        match BootCommand::parse(&texts, &TIMING) {
            Err(error) => prop_assert!((1..=texts.len()).contains(&error.position.text)),
            Ok(command) => {
                prop_assert_eq!(command.texts.len(), texts.len());
                for step in command.steps() {
                    if let BootStep::Press { codes, .. } = step {
                        prop_assert!((1..=lvhost_libvirt::MAX_KEYS).contains(&codes.len()));
                        let mut unique = codes.clone();
                        unique.sort_unstable();
                        unique.dedup();
                        prop_assert_eq!(unique.len(), codes.len());
                    }
                }
            }
        }
    }

    #[test]
    fn characters_are_pressed_one_by_one(text in "[ -;=-~]{0,200}") {
        let command = BootCommand::parse(&[&text], &BARE).unwrap();
        prop_assert_eq!(command.presses(), text.len());
        prop_assert_eq!(command.warnings(), []);
    }

    #[test]
    fn it_does_not_matter_how_the_text_is_cut(
        parts in prop::collection::vec(r"(<|enter|leftCtrlOn|a|B|wait5|>){0,4}", 1..6),
    ) {
        let whole = BootCommand::parse(&[parts.concat()], &BARE).unwrap();
        let cut = BootCommand::parse(&parts, &BARE).unwrap();
        prop_assert_eq!(
            whole.steps().collect::<Vec<_>>(),
            cut.steps().collect::<Vec<_>>()
        );
    }
}
