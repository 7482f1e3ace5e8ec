//! What is masked, and in which spellings.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

use super::*;

/// What a line is shown as.
fn shown(secrets: &[&str], line: &str) -> String {
    let all = Secrets::default();
    all.add(secrets.iter().map(|secret| SecretString::from(*secret)));
    all.mask(line).into_owned()
}

#[test]
fn what_is_too_short_is_left_alone() {
    for secret in ["a", "22", "yes", " b ", ""] {
        let line = "a password of 22 bytes, yes: b";
        assert_eq!(shown(&[secret], line), line, "{secret:?}");
    }
    assert_eq!(shown(&["hush"], "say hush"), "say <sensitive>");
    assert_eq!(shown(&["a", "hush"], "a hush"), "a <sensitive>");
}

#[test]
fn other_spellings_are_found() {
    let secret = "p@ss w/o'rd\"&é";
    for spelling in [
        secret.to_owned(),
        STANDARD.encode(secret),
        URL_SAFE.encode(secret),
        "p%40ss%20w%2Fo%27rd%22%26%C3%A9".to_owned(),
        "p%40ss+w%2Fo%27rd%22%26%C3%A9".to_owned(),
        "p@ss w/o'rd\\\"&é".to_owned(),
        "p@ss w/o'\\''rd\"&é".to_owned(),
        "p@ss\\ w/o\\'rd\\\"\\&é".to_owned(),
        "p@ss w/o'rd\"&amp;é".to_owned(),
        "p@ss w/o&apos;rd&quot;&amp;é".to_owned(),
    ] {
        let line = shown(&[secret], &format!("say {spelling}!"));
        assert_eq!(line, "say <sensitive>!", "{spelling}");
    }
    // Quotes at its ends, and small letters in the escapes alone.
    for (secret, spelling) in [
        ("\"p@ssword\"", "\\\"p@ssword\\\""),
        ("Pass/Word?", "Pass%2fWord%3f"),
        ("of\ttwo\nlines", "of&#9;two&#10;lines"),
    ] {
        let line = shown(&[secret], &format!("say {spelling}!"));
        assert_eq!(line, "say <sensitive>!", "{spelling}");
    }
    // Inside of what is encoded as a whole, wherever it begins.
    for name in ["a", "ab", "abc", "abcd"] {
        let whole = STANDARD.encode(format!("{name}:{secret}"));
        let line = shown(&[secret], &whole);
        assert!(
            line.contains(MASK) && line.len() < MASK.len() + 12,
            "{line}"
        );
    }
    // A path in a home is shown with the home.
    let line = shown(&["~/keys/of me"], "can't read /root/keys/of me");
    assert_eq!(line, "can't read /root<sensitive>");
    // Of a short one, another spelling may be anything.
    assert_eq!(shown(&["hush"], "aHVzaA=="), "aHVzaA==");
}

#[test]
fn lines_are_found_by_themselves() {
    let key = "-----BEGIN KEY-----\nabcdefghijkl\n}\n-----END KEY-----\n";
    for (line, expected) in [
        ("abcdefghijkl", "<sensitive>"),
        ("  -----BEGIN KEY-----", "  <sensitive>"),
        ("a }", "a }"),
        ("abcdefgh", "abcdefgh"),
    ] {
        assert_eq!(shown(&[key], line), expected, "{line}");
    }
    // Of one that is longer than any key, only the whole.
    let long = "a line of many\n".repeat(MOST_LINES + 1);
    assert_eq!(shown(&[&long], "a line of many"), "a line of many");
    assert_eq!(shown(&[&long], &long), MASK);
}

#[test]
fn what_names_and_remarks_a_document_has_is_left_alone() {
    let document = "#cloud-config\npackages:\n- nginx\nchpasswd: {expire: false}\n";
    let secrets = Secrets::default();
    secrets.add_parts([SecretString::from(document)], Parts::OfDocument);
    for (line, expected) in [
        ("#cloud-config", "#cloud-config"),
        ("The following packages:", "The following packages:"),
        ("got chpasswd: {expire: false}.", "got <sensitive>."),
        (document, MASK),
    ] {
        assert_eq!(secrets.mask(line), expected, "{line}");
    }
    // Said of a variable, too, all of it is one.
    secrets.add([SecretString::from(document)]);
    assert_eq!(secrets.mask("#cloud-config"), MASK);
}

#[test]
fn one_that_is_learnt_later_is_hidden_by_all() {
    let secrets = Secrets::default();
    let other = secrets.clone();
    assert_eq!(other.mask("say swordfish"), "say swordfish");
    secrets.add([SecretString::from("swordfish")]);
    assert_eq!(other.mask("say swordfish"), "say <sensitive>");
    assert_eq!(format!("{other:?}"), "Secrets");
    // One that holds another is taken out whole.
    secrets.add([SecretString::from("swordfish-and-more")]);
    assert_eq!(other.mask("say swordfish-and-more"), "say <sensitive>");
}

#[test]
fn those_that_overlap_are_one() {
    for (secrets, line, expected) in [
        (&["abcdef", "cdefghij"][..], "xabcdefghijx", "x<sensitive>x"),
        (
            &["abcd", "abcdefgh"],
            "abcdefgh abcd abcdef",
            "<sensitive> <sensitive> <sensitive>ef",
        ),
        (&["grün-und-blau"], "grün-und-blau", "<sensitive>"),
        (&["abcd"], "abcdabcd", "<sensitive><sensitive>"),
        (&["€€€€"], "€€€€€", "<sensitive>"),
    ] {
        assert_eq!(shown(secrets, line), expected, "{secrets:?} {line}");
    }
}

/// What a template may have made: as many as it likes, with the same beginning.
#[test]
fn their_number_costs_little() {
    let all = Secrets::default();
    all.add((0..200_000).map(|number| SecretString::from(format!("secret{number:08}"))));
    let text = "a line of output that has no more in it, secret or not\n".repeat(20_000);
    let began = std::time::Instant::now();
    assert_eq!(all.mask(&text), text);
    assert_eq!(all.mask("say secret00199999!"), "say <sensitive>!");
    // One look for each of them would take an hour.
    assert!(began.elapsed() < std::time::Duration::from_secs(60));
}
