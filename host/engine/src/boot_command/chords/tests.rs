use super::*;
use crate::boot_command::BootCommand;
use crate::boot_command::tests::{BARE, spelled};

fn presses(text: &str) -> String {
    let command = BootCommand::parse(&[text], &BARE).unwrap();
    command.steps().map(spelled).collect::<Vec<_>>().join(" ")
}

#[test]
fn held_keys_are_pressed_with_each_key_that_is_struck() {
    for (text, expected) in [
        // Shift, where a character needs it.
        ("aA", "30 42+30"),
        ("<leftShiftOn>a;<leftShiftOff>a", "42+30 42+39 30"),
        ("<leftShiftOn>A<leftShiftOff>", "42+30"),
        ("<rightShiftOn>A<rightShiftOff>", "54+30"),
        ("<AOn>b<AOff>b", "42+30+48 48"),
        // Modifiers over one key and over several.
        ("<leftCtrlOn>x<leftCtrlOff>", "29+45"),
        ("<leftCtrlOn>ab<leftCtrlOff>c", "29+30 29+48 46"),
        ("<leftCtrlOn>C<leftCtrlOff>", "29+42+46"),
        ("<leftAltOn><f2><leftAltOff>", "56+60"),
        (
            "<leftCtrlOn><leftAltOn><del><leftAltOff><leftCtrlOff>",
            "29+56+111",
        ),
        (
            "<leftCtrlOn>a<leftAltOn>b<leftAltOff>c<leftCtrlOff>",
            "29+30 29+56+48 29+46",
        ),
        // Keys that only go down and up.
        ("<leftSuperOn><leftSuperOff>", "125"),
        ("<aOn><aOff>", "30"),
        (
            "<leftCtrlOn><leftAltOn><delOn><delOff><leftAltOff><leftCtrlOff>",
            "29+56+111",
        ),
        (
            "<leftCtrlOn><leftAltOn><f2On><leftCtrlOff><leftAltOff><f2Off>",
            "29+56+60",
        ),
        (
            "<leftAltOn><f1On><f1Off><f2On><f2Off><leftAltOff>",
            "56+59 56+60",
        ),
        ("<leftCtrlOn><aOn><aOff>b<leftCtrlOff>", "29+30 29+48"),
        // Long presses and pauses.
        ("<cOn><wait5><cOff>", "46 for 5s"),
        ("<cOn><wait5>", "46 for 5s"),
        ("<leftShiftOn><wait5><leftShiftOff>a", "42 for 5s 30"),
        (
            "<leftCtrlOn><wait5><cOn><wait5><cOff><leftCtrlOff>",
            "29 for 5s 29+46 for 5s",
        ),
        ("<leftAltOn><wait>f<leftAltOff>", "1s 56+33"),
        ("<leftAltOn>f<wait>o<leftAltOff>", "56+33 1s 56+24"),
        ("<leftAltOn>f<wait><leftAltOff>", "56+33 1s"),
        // What makes no sense does no harm.
        ("<leftCtrlOff>a<aOff>", "30"),
        ("<leftCtrlOn><leftAltOff>c<leftCtrlOff>", "29+46"),
        ("<aOn><aOn>a<aOff>a", "30 30"),
        ("<leftCtrlOn>", "29"),
    ] {
        assert_eq!(presses(text), expected, "{text}");
    }
}

#[test]
fn a_key_that_stays_down_is_a_warning_where_it_went_down() {
    let command = BootCommand::parse(&["a", "b<leftCtrlOn>c<aOn><aOff>"], &BARE).unwrap();
    let [warning] = command.warnings() else {
        panic!("{:?}", command.warnings())
    };
    assert_eq!((warning.position.text, warning.position.character), (2, 2));
}

#[test]
fn libvirts_limit_of_keys_is_an_error() {
    let on: String = ('a'..='p').map(|key| format!("<{key}On>")).collect();
    let off: String = ('a'..='p').map(|key| format!("<{key}Off>")).collect();
    let command = BootCommand::parse(&[format!("{on}{off}")], &BARE).unwrap();
    assert_eq!(command.presses(), 1);
    let error = BootCommand::parse(&[format!("{on}z{off}")], &BARE).unwrap_err();
    assert!(error.message.contains("17 keys"), "{error}");
    assert_eq!(error.position.character, 16 * "<aOn>".len() + 1);
}

#[test]
fn a_press_lasts_as_long_as_qemu_takes_for_it() {
    let press = |keys: u32| BootStep::Press {
        codes: (1..=keys).collect(),
        hold: Duration::from_millis(50),
    };
    assert_eq!(press(1).lasts(), Duration::from_millis(100));
    assert_eq!(press(3).lasts(), Duration::from_millis(300));
    assert_eq!(BootStep::Wait(Duration::MAX).lasts(), Duration::MAX);
}
