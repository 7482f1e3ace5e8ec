use super::*;

/// The strokes as text: `a` is code 30, `+30` it going down, `-30` up, `^` the shift key.
fn spelled(strokes: &[Placed]) -> String {
    let key = |key: &Key| format!("{}{}", if key.shift { "^" } else { "" }, key.code);
    let strokes: Vec<String> = strokes
        .iter()
        .map(|placed| match &placed.stroke {
            Stroke::Tap(tapped) => key(tapped),
            Stroke::On(held) => format!("+{}", key(held)),
            Stroke::Off(freed) => format!("-{}", key(freed)),
            Stroke::Wait(wait) => format!("{wait:?}"),
        })
        .collect();
    strokes.join(" ")
}

fn strokes(text: &str) -> String {
    let reading = read(&[text]).unwrap_or_else(|error| panic!("{text}: {error}"));
    spelled(&reading.strokes)
}

#[test]
fn the_notation_is_packers() {
    for (text, expected) in [
        ("", ""),
        ("aB", "30 ^48"),
        (" ", "57"),
        // Waits.
        ("<wait>", "1s"),
        ("<wait5>", "5s"),
        ("<wait10>", "10s"),
        ("<wait10s>", "10s"),
        ("<wait1m20s>", "80s"),
        ("<wait1.5h>", "5400s"),
        ("<wait300ms>", "300ms"),
        ("<wait4m2ns>", "240.000000002s"),
        ("<wait5us>", "5µs"),
        ("<wait5µs>", "5µs"),
        ("<wait0.5s>", "500ms"),
        // Keys with a name, in any case.
        ("<enter><return>", "28 28"),
        ("<ENTER><eNtEr>", "28 28"),
        (
            "<esc><bs><del><tab><spacebar><insert>",
            "1 14 111 15 57 110",
        ),
        ("<home><end><pageUp><pageDown>", "102 107 104 109"),
        ("<up><down><left><right>", "103 108 105 106"),
        ("<f1><f2><f3><f4><f5><f6>", "59 60 61 62 63 64"),
        ("<f7><f8><f9><f10><f11><F12>", "65 66 67 68 87 88"),
        ("<menu>", "127"),
        ("<leftAlt><leftCtrl><leftShift><leftSuper>", "56 29 42 125"),
        (
            "<rightAlt><rightCtrl><rightShift><rightSuper>",
            "100 97 54 126",
        ),
        ("<leftMeta><rightMeta>", "125 126"),
        // Held.
        ("<leftCtrlOn>c<leftCtrlOff>", "+29 46 -29"),
        ("<LEFTCTRLON><leftctrloff>", "+29 -29"),
        ("<delOn><deloff>", "+111 -111"),
        ("<aOn><aOff>", "+30 -30"),
        ("<AOn><AOff>", "+^30 -^30"),
        ("<fon> <fOff>", "+33 57 -33"),
        ("<<On><<Off>", "+^51 -^51"),
        ("<>On><>Off>", "+^52 -^52"),
        ("<oOn><nOn>", "+24 +49"),
        // What is none is typed.
        ("<", "^51"),
        ("<>", "^51 ^52"),
        ("<foo>", "^51 33 24 24 ^52"),
        ("a<b>c", "30 ^51 48 ^52 46"),
        ("<<enter>", "^51 28"),
        ("<On>", "^51 ^24 49 ^52"),
        ("<off>", "^51 24 33 33 ^52"),
        ("<f13>", "^51 33 2 4 ^52"),
        ("<enter", "^51 18 49 20 18 19"),
        ("<enter >", "^51 18 49 20 18 19 57 ^52"),
        ("<Wait>", "^51 ^17 30 23 20 ^52"),
        ("<wait05>", "^51 17 30 23 20 11 6 ^52"),
        ("<wait 5>", "^51 17 30 23 20 57 6 ^52"),
        ("<wait1.5>", "^51 17 30 23 20 2 52 6 ^52"),
        ("<wait5m3>", "^51 17 30 23 20 6 50 4 ^52"),
        ("<waitOn>", "^51 17 30 23 20 ^24 49 ^52"),
        ("<wait-5>", "^51 17 30 23 20 12 6 ^52"),
    ] {
        assert_eq!(strokes(text), expected, "{text}");
    }
}

#[test]
fn texts_are_read_as_one() {
    let reading = read(&["a<en", "ter>", "", "b"]).unwrap();
    assert_eq!(spelled(&reading.strokes), "30 28 48");
    let positions: Vec<_> = reading
        .strokes
        .iter()
        .map(|placed| (placed.position.text, placed.position.character))
        .collect();
    assert_eq!(positions, [(1, 1), (1, 2), (4, 1)]);
}

#[test]
fn what_can_not_be_typed_is_an_error_with_its_place() {
    for (texts, text, character, message) in [
        (&["aé"][..], 1, 2, "`é` (U+00E9) is on no key"),
        (&["a", "", "<enter>b\u{a0}"], 3, 9, "(U+00A0) is on no key"),
        (&["\u{a0}"], 1, 1, "`\\u{a0}` (U+00A0)"),
        (&["<éOn>"], 1, 1, "`é` (U+00E9)"),
        (&["<\nOn>"], 1, 1, "`\\n` (U+000A)"),
        (&["ab<wait0>"], 1, 3, "longer than nothing"),
        (&["<wait0s>"], 1, 1, "longer than nothing"),
        (&["<wait-1m>"], 1, 1, "longer than nothing"),
        (&["<wait-0s>"], 1, 1, "longer than nothing"),
        (&["<wait1m-20s>"], 1, 1, "longer than nothing"),
        (&["<wait200h>"], 1, 1, "longer than a week"),
        (
            &["<wait99999999999999999999999999999999999999999999>"],
            1,
            1,
            "longer than a week",
        ),
    ] {
        let error = read(texts).err().unwrap();
        assert_eq!(
            (error.position.text, error.position.character),
            (text, character),
            "{texts:?}"
        );
        assert!(error.message.contains(message), "{error}");
        assert!(error.help.is_some(), "{error}");
    }
}

#[test]
fn slips_are_typed_with_a_warning() {
    for (text, character, help) in [
        ("a<entr>", 2, "did you mean <enter>?"),
        ("<Enterr>", 1, "did you mean <enter>?"),
        ("<leftCtl>", 1, "did you mean <leftCtrl>?"),
        ("<leftCtlOn>", 1, "did you mean <leftCtrlOn>?"),
        ("<leftShfitOff>", 1, "did you mean <leftShiftOff>?"),
        ("<Wait10>", 1, WAITS),
        ("<wait05>", 1, WAITS),
        ("<wait1.5>", 1, WAITS),
        ("<wait-5>", 1, WAITS),
        ("<waitt>", 1, WAITS),
        ("a\nb", 2, "write <enter>"),
        ("\t", 1, "write <tab>"),
    ] {
        let warnings = read(&[text]).unwrap().warnings;
        assert_eq!(warnings.len(), 1, "{text}: {warnings:?}");
        assert_eq!(warnings[0].position.character, character, "{text}");
        assert_eq!(warnings[0].help.as_deref(), Some(help), "{text}");
    }
}

#[test]
fn what_is_meant_is_typed_without_a_warning() {
    for text in [
        "",
        "a < b > c",
        "<foo>",
        "cat <<EOF >/etc/x",
        "</autounattend>",
        "if [ $a -lt 5 ]; then echo '<html>'; fi",
        "<a-long-passphrase-in-brackets-that-is-secret>",
        "<leftCtrlOn><leftCtrlOff><wait>",
    ] {
        assert_eq!(read(&[text]).unwrap().warnings, [], "{text}");
    }
}

#[test]
fn line_breaks_are_not_typed() {
    assert_eq!(strokes("a\r\nb\n"), "30 48");
}
