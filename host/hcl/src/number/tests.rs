use super::*;

fn number(text: &str) -> Number {
    text.parse().unwrap()
}

#[test]
fn prints_plainly() {
    for (text, expected) in [
        ("1", "1"),
        ("1.50", "1.5"),
        ("100", "100"),
        ("1e3", "1000"),
        ("-0.10", "-0.1"),
        ("0.0", "0"),
        ("1e-3", "0.001"),
        ("18446744073709551616", "18446744073709551616"),
    ] {
        assert_eq!(number(text).to_string(), expected, "{text}");
    }
    assert_eq!(
        number("0.1").add(&number("0.2")).unwrap().to_string(),
        "0.3"
    );
    assert_eq!(Number::from_f64(0.1).unwrap().to_string(), "0.1");
}

#[test]
fn stays_within_bounds() {
    for text in [
        "1e5000",
        "1e999999999",
        "-1e5000",
        "",
        "-",
        "x",
        "0x10",
        "1_000",
        "NaN",
    ] {
        assert!(text.parse::<Number>().is_err(), "{text}");
    }
    assert_eq!(number("1e4000").multiply(&number("1e4000")), None);
    assert_eq!(number("1").divide(&number("0")), None);
    let third = number("1").divide(&number("3")).unwrap();
    assert_eq!(third.to_string().len(), 2 + 155);
}
/// What is written is read as the same number, for as many digits as there are and a few more.
#[test]
fn texts_are_read_again() {
    for digits in [1, 2, 7, 16, 40, 153, 154, 155, 156, 200] {
        for exponent in [-4000, -200, -19, -18, -17, -1, 0, 1, 20, 300, 3800] {
            let text = format!("{}e{exponent}", &"7309246153".repeat(20)[..digits]);
            let once = number(&text);
            assert_eq!(number(&once.to_string()), once, "{text}");
            assert_eq!(number(&format!("{once}e0")), once, "{text}");
        }
    }
    for double in [
        0.1,
        1e-300,
        1.5,
        f64::MAX,
        f64::MIN_POSITIVE,
        5e-324,
        123_456_789.123,
        -2e22,
    ] {
        let number = Number::from_f64(double).unwrap();
        assert_eq!(number.to_f64(), double);
        assert_eq!(number.to_string().parse::<f64>().unwrap(), double);
    }
}

#[test]
fn what_is_far_apart_is_added() {
    for (left, right) in [
        ("1e4000", "1e-4000"),
        ("1e160", "1"),
        ("1", "1e-154"),
        ("1", "1e-155"),
    ] {
        let (left, right) = (number(left), number(right));
        let sum = left.add(&right).unwrap();
        assert!(sum >= left);
        assert!(left.subtract(&right).unwrap() <= left);
        assert_eq!(left.subtract(&left).unwrap(), number("0"));
    }
}
