//! Fragments (`tests/overlays`) laid over the documentation's simple domain.
use std::{fs, path::Path, time::Duration};

use proptest::prelude::*;

use super::*;
use crate::{
    DomainSpec, Error, domain_xml, final_domain_xml,
    xml::{
        domain::domain,
        tests::{assert_golden, simple},
    },
};

/// For one fragment on a slow machine that has other work, without optimisation.
const PATIENCE: Duration = Duration::from_secs(10);

fn overlay(name: &str) -> XmlOverlay {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/overlays/{name}.xml"));
    XmlOverlay::parse(&fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn overlays_give_the_xml_they_are_known_to_give() {
    for name in ["tuned", "pruned"] {
        let spec = DomainSpec {
            overlays: vec![overlay(name)],
            ..simple()
        };
        let xml = final_domain_xml(&spec).unwrap();
        assert_golden(&format!("domain-overlay-{name}"), &xml);
        // Whatever the user wants, the build is found again.
        assert!(xml.contains("<lvhost:build"), "{xml}");
    }
}

#[test]
fn overlays_are_laid_over_each_other_in_order() {
    let parse = |xml| XmlOverlay::parse(xml).unwrap();
    let spec = DomainSpec {
        overlays: vec![
            parse("<domain><vcpu placement='static'>2</vcpu><tpm/></domain>"),
            parse("<domain><vcpu>3</vcpu><tpm merge='remove'/></domain>"),
        ],
        ..simple()
    };
    let xml = final_domain_xml(&spec).unwrap();
    assert!(
        xml.contains(r#"<vcpu placement="static">3</vcpu>"#),
        "{xml}"
    );
    assert!(!xml.contains("tpm"), "{xml}");
    assert!(!domain_xml(&spec).contains("placement"));

    let twice = DomainSpec {
        overlays: vec![spec.overlays[1].clone()],
        ..simple()
    };
    let error = final_domain_xml(&twice).unwrap_err();
    assert!(
        matches!(error, Error::Overlay { number: 1, .. }),
        "{error:?}"
    );
}

#[test]
fn wrong_overlays_say_what_and_where() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/overlays/wrong.txt");
    let table = fs::read_to_string(path).unwrap();
    for line in table.lines().filter(|line| !line.starts_with('#')) {
        let (xml, expected) = line.split_once(" => ").unwrap();
        let applied =
            XmlOverlay::parse(xml).and_then(|overlay| overlay.apply(&mut domain(&simple())));
        assert_eq!(applied.unwrap_err().to_string(), expected, "{xml}");
    }
}

#[test]
fn an_overlay_of_many_levels_is_refused_and_not_followed() {
    let xml = "<domain>".repeat(3_000) + &"</domain>".repeat(3_000);
    let error = XmlOverlay::parse(&xml).unwrap_err();
    assert!(error.problem.contains("inside each other"), "{error}");
}

#[test]
fn no_fragment_takes_longer_than_it_is_long() {
    let filled = |piece: &dyn Fn(usize) -> String, end: &str| {
        let mut text = "<domain><devices".to_owned();
        for number in 0.. {
            let piece = piece(number);
            if text.len() + piece.len() + end.len() > MAX_OVERLAY_BYTES {
                return text + end;
            }
            text.push_str(&piece);
        }
        text
    };
    let close = "</devices></domain>";
    let in_one = |piece: &'static str| {
        move |number| match number {
            0 => ">".to_owned(),
            _ => piece.to_owned(),
        }
    };
    for text in [
        filled(&in_one("<a/>"), close),
        filled(&in_one("<disk/>"), close),
        filled(&in_one("<a merge='add'/>"), close),
        filled(&in_one("\n"), close),
        filled(&in_one("é"), close),
        filled(
            &|number| match number {
                0 => ">".to_owned(),
                number => format!("<a{number:x}/>"),
            },
            close,
        ),
        filled(&|number| format!(" a{number:x}=''"), "/></domain>"),
        filled(&|number| format!(" xmlns:a{number:x}='u'"), "/></domain>"),
    ] {
        let began = std::time::Instant::now();
        let overlay = XmlOverlay::parse(&text);
        let mut changed = domain(&simple());
        let _ = overlay.map(|overlay| overlay.apply(&mut changed));
        let took = began.elapsed();
        let start: String = text.chars().take(40).collect();
        assert!(took < PATIENCE, "{start}: {took:?}");
    }
    let long = format!("<domain>{}</domain>", " ".repeat(MAX_OVERLAY_BYTES));
    let error = XmlOverlay::parse(&long).unwrap_err();
    assert!(error.problem.contains("65536"), "{error}");
}

proptest! {
    /// Nothing panics, and a fragment that says nothing changes nothing.
    #[test]
    fn any_fragment_is_taken(
        text: String,
        // Mostly XML, as chance would not have it.
        parts in proptest::collection::vec(
            prop_oneof![
                Just("<disk>"), Just("</disk>"), Just("<devices>"), Just("</devices>"),
                Just("<target dev='sda'/>"), Just("<alias name='x'/>"), Just(" "), Just("x"),
                Just("<rng merge='remove'/>"), Just("<!-- -->"), Just("<a:b xmlns:a='u'/>"),
            ],
            0..12,
        ),
    ) {
        let _ = XmlOverlay::parse(&text);
        let inside = format!("<domain>{}</domain>", parts.concat());
        if let Ok(overlay) = XmlOverlay::parse(&inside) {
            let mut changed = domain(&simple());
            let _ = overlay.apply(&mut changed);
        }
        let nothing = XmlOverlay::parse("<domain/>").unwrap();
        let mut same = domain(&simple());
        nothing.apply(&mut same).unwrap();
        prop_assert_eq!(same, domain(&simple()));
    }
}
