use std::sync::Arc;

use lvhost_runtime::Grant;

use super::*;
use crate::permission::{Allowed, Permission};
use crate::user_secret::UserSecret;

const PASSWORD: &str = "hunter2 hunter2";

/// What a component may do that has asked for the secret `registry`, which it may have sent to `https://h`.
fn grants(value: Option<&str>) -> Grants {
    let secret = UserSecret::of_variable(value, &["h"]);
    let allowed = Allowed::default().with_secret("registry", secret);
    let asked = vec![Grant::Secret("registry".to_owned())];
    Grants::of(Permission::Entry(Arc::new(allowed)), asked)
}

fn bearer(name: &str, secret: &str) -> Header {
    Header::Secret {
        name: name.to_owned(),
        prefix: "Bearer ".to_owned(),
        secret: secret.to_owned(),
    }
}

fn log_in(user: &str) -> Header {
    Header::LogIn {
        user: user.to_owned(),
        secret: "registry".to_owned(),
    }
}

/// The headers of a request for these URLs, or what is said where there are none.
fn headers(
    grants: &Grants,
    urls: &[&str],
    header: Header,
    secrets: &Secrets,
) -> Result<RequestHeaders, String> {
    let request = WebRequest {
        urls: urls.iter().map(|url| (*url).to_owned()).collect(),
        headers: vec![header],
    };
    let headers = grants.headers(&request, secrets);
    headers.map_err(|error| error.to_string())
}

#[test]
fn a_secret_goes_where_its_user_has_said_and_is_shown_nowhere() {
    let grants = grants(Some(PASSWORD));
    for header in [bearer("authorization", "registry"), log_in("me")] {
        let secrets = Secrets::default();
        let urls = ["https://h/v2/a", "https://h:443/v2/b?c"];
        let added = headers(&grants, &urls, header.clone(), &secrets).unwrap();
        assert!(!added.is_empty());
        let said = format!("the server says {PASSWORD}");
        let shown = secrets.mask(&said);
        assert!(!shown.contains("hunter2"), "{shown}");
        for elsewhere in [
            "http://h/a",
            "https://h:8443/a",
            "https://g/a",
            "https://h.g/a",
            "https://h@g/a",
            "s3::https://h/bucket/a",
            "/h/a",
            "",
        ] {
            let urls = ["https://h/a", elsewhere];
            let said = headers(&grants, &urls, header.clone(), &secrets).unwrap_err();
            assert!(said.contains("may not be sent to"), "{elsewhere}: {said}");
            assert!(said.contains("https://h"), "{said}");
            assert!(!said.contains("hunter2"), "{said}");
        }
    }
}

#[test]
fn only_what_is_allowed_and_was_asked_for_is_sent() {
    let secrets = Secrets::default();
    let (granted, urls) = (grants(Some(PASSWORD)), ["https://h/a"]);
    let said = headers(&granted, &urls, bearer("x", "others"), &secrets).unwrap_err();
    assert!(said.contains("the secret `others`"), "{said}");
    let secret = UserSecret::of_variable(Some(PASSWORD), &["h"]);
    let allowed = Allowed::default().with_secret("registry", secret);
    let not_asked = Grants::of(Permission::Entry(Arc::new(allowed)), Vec::new());
    let said = headers(&not_asked, &urls, bearer("x", "registry"), &secrets).unwrap_err();
    assert!(said.contains("has not asked for it"), "{said}");
    // A built-in source has none.
    let asked = vec![Grant::Secret("registry".to_owned())];
    let built_in = Grants::of(Permission::Template, asked);
    assert!(headers(&built_in, &urls, bearer("x", "registry"), &secrets).is_err());
}

#[test]
fn what_can_not_be_sent_is_told_without_its_value() {
    let secrets = Secrets::default();
    let urls = ["https://h/a"];
    let absent = headers(&grants(None), &urls, log_in("me"), &secrets).unwrap_err();
    assert!(absent.contains("`registry` is not there"), "{absent}");
    assert!(absent.contains("`TOKEN`"), "{absent}");
    let injected = grants(Some("hunter2\r\nHost: g"));
    let plain = grants(Some(PASSWORD));
    for (grants, header) in [
        (&injected, bearer("authorization", "registry")),
        (&plain, bearer("Host", "registry")),
        (&plain, bearer("a b", "registry")),
        (&plain, log_in("me:you")),
    ] {
        let said = headers(grants, &urls, header, &secrets).unwrap_err();
        assert!(!said.contains("hunter2"), "{said}");
    }
}

#[test]
fn a_log_in_is_that_of_the_standard() {
    // RFC 7617 §2.
    let header = basic("Aladdin", &"open sesame".into());
    assert_eq!(header.expose_secret(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
}
