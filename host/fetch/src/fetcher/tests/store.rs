//! Objects of an S3 store, against one that checks signatures by itself.

use hmac::{KeyInit as _, Mac as _};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha2::Digest as _;

use super::*;
use crate::AwsSettings;

const ID: &str = "AKIATEST";
const SECRET: &str = "s3cret/with+signs=";

/// What AWS leaves as it is: RFC 3986's unreserved characters.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The signature of a pre-signed GET, by AWS's description and nobody's library:
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html>
fn signature(path: &str, query: &[(String, String)], host: &str, secret: &str) -> String {
    let value = |name: &str| query.iter().find(|(key, _)| key == name).unwrap().1.clone();
    let encode = |text: &str| utf8_percent_encode(text, ENCODED).to_string();
    let mut pairs: Vec<_> = query
        .iter()
        .filter(|(key, _)| key != "X-Amz-Signature")
        .map(|(key, value)| format!("{}={}", encode(key), encode(value)))
        .collect();
    pairs.sort();
    let canonical = format!(
        "GET\n{path}\n{}\nhost:{host}\n\nhost\nUNSIGNED-PAYLOAD",
        pairs.join("&")
    );
    let credential = value("X-Amz-Credential");
    let scope: Vec<_> = credential.split('/').skip(1).collect();
    let to_sign = format!(
        "AWS4-HMAC-SHA256\n{}\n{}\n{}",
        value("X-Amz-Date"),
        scope.join("/"),
        hex(&sha2::Sha256::digest(canonical.as_bytes()))
    );
    let first = format!("AWS4{secret}").into_bytes();
    let key = scope.iter().fold(first, |key, part| mac(&key, part));
    hex(&mac(&key, &to_sign))
}

/// AWS's own published example on that page.
#[test]
fn the_check_is_aws_s_own() {
    let query = [
        ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
        (
            "X-Amz-Credential",
            "AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request",
        ),
        ("X-Amz-Date", "20130524T000000Z"),
        ("X-Amz-Expires", "86400"),
        ("X-Amz-SignedHeaders", "host"),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert_eq!(
        signature(
            "/test.txt",
            &query,
            "examplebucket.s3.amazonaws.com",
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
        ),
        "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    );
}

fn refusal(status: u16, code: &str, message: &str) -> Reply {
    let text = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>");
    Reply {
        status,
        ..Reply::body(text.as_bytes())
    }
}

/// A store with one bucket, `images`, in `eu-west-1`; `images/open` needs no signature.
async fn store() -> Server {
    Server::start(|seen, number| {
        let (path, query) = seen.target.split_once('?').unwrap_or((&seen.target, ""));
        let query: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes())
            .map(|(key, value)| (key.into_owned(), value.into_owned()))
            .collect();
        let value = |name: &str| {
            let pair = query.iter().find(|(key, _)| key == name);
            pair.map(|(_, value)| value.as_str())
        };
        if path == "/images/open" {
            return Reply::body(b"open");
        }
        match (value("X-Amz-Credential"), value("X-Amz-Signature")) {
            (Some(credential), Some(found)) => {
                if !credential.starts_with(ID) {
                    return refusal(403, "InvalidAccessKeyId", "no such key");
                }
                if !credential.contains("/eu-west-1/s3/aws4_request") {
                    return refusal(400, "AuthorizationHeaderMalformed", "the region is wrong")
                        .with("x-amz-bucket-region", "eu-west-1");
                }
                if signature(path, &query, seen.header("host").unwrap(), SECRET) != found {
                    return refusal(403, "SignatureDoesNotMatch", "wrong signature");
                }
            }
            _ => return refusal(403, "AccessDenied", "Access Denied"),
        }
        let path = percent_decode_str(path).decode_utf8().unwrap();
        match (
            path.as_ref(),
            value("versionId"),
            value("X-Amz-Security-Token"),
        ) {
            ("/images/a b+c/ä.img", None, None) => Reply::file(seen, &body(1, 100_000), "\"e\""),
            ("/images/broken.img", ..) => {
                let reply = Reply::file(seen, &body(2, 100_000), "\"e\"");
                if number == 0 {
                    reply.cut(50_000)
                } else {
                    reply
                }
            }
            ("/images/versioned", Some("5"), None) => Reply::body(b"version 5"),
            ("/images/session", None, Some("t0ken")) => Reply::body(b"session"),
            _ => refusal(404, "NoSuchKey", "The specified key does not exist."),
        }
    })
    .await
}

/// The user's keys, for that store.
fn keys(server: &Server) -> AwsSettings {
    AwsSettings {
        endpoint: Some(SafeUrl::parse(&server.url("/")).unwrap()),
        access_key_id: Some(ID.to_owned()),
        secret_access_key: Some(SECRET.into()),
        region: Some("eu-west-1".to_owned()),
        ..AwsSettings::default()
    }
}

fn object(server: &Server, path: &str) -> String {
    format!("s3::{}", server.url(&format!("/images/{path}")))
}

#[tokio::test]
async fn objects_are_asked_for_with_a_signature() {
    let mut bench = Bench::new();
    let server = store().await;
    bench.settings.aws = keys(&server);
    let url = object(&server, "a%20b+c/%C3%A4.img");
    let fetched = bench.fetch(&[&url], Checksum::None).await.unwrap();
    assert!(content(&fetched) == body(1, 100_000) && !fetched.from_cache);
    let again = bench.fetch(&[&url], Checksum::None).await.unwrap();
    assert!(again.from_cache, "another signature is not another object");
    assert_eq!(server.seen()[1].header("if-none-match"), Some("\"e\""));
    let versioned = object(&server, "versioned?version=5");
    let fetched = bench.fetch(&[versioned], Checksum::None).await.unwrap();
    assert_eq!(content(&fetched), b"version 5");
    // By its bucket, with the store's address from the environment.
    let fetched = bench
        .fetch(&["s3://images/versioned?version=5"], Checksum::None)
        .await;
    assert_eq!(content(&fetched.unwrap()), b"version 5");
    for path in bench.files("urls") {
        assert!(!fs::read_to_string(path).unwrap().contains("X-Amz"));
    }
}

#[tokio::test]
async fn a_broken_transfer_is_resumed_with_a_new_signature() {
    let mut bench = Bench::new();
    let server = store().await;
    bench.settings.aws = keys(&server);
    let fetched = bench
        .fetch(&[object(&server, "broken.img")], Checksum::None)
        .await;
    assert!(content(&fetched.unwrap()) == body(2, 100_000));
    assert_eq!(server.seen()[1].range(), Some(50_000));
}

#[tokio::test]
async fn keys_come_from_the_url_the_environment_or_a_profile_or_are_none() {
    let mut bench = Bench::new();
    let server = store().await;
    let encoded = utf8_percent_encode(SECRET, NON_ALPHANUMERIC);
    let query = format!("region=eu-west-1&aws_access_key_id={ID}&aws_access_key_secret={encoded}");
    let with_keys = object(&server, &format!("session?{query}&aws_access_token=t0ken"));
    let fetched = bench.fetch(&[with_keys], Checksum::None).await.unwrap();
    assert_eq!(content(&fetched), b"session");
    bench.settings.aws.endpoint = keys(&server).endpoint;
    let text = format!("[ci]\naws_access_key_id={ID}\naws_secret_access_key={SECRET}\n");
    bench.settings.aws.credentials_file = Some(text.into());
    bench.settings.aws.config_file = Some("[profile ci]\nregion = eu-west-1\n".into());
    let by_profile = object(&server, "versioned?version=5&aws_profile=ci");
    assert!(bench.fetch(&[by_profile], Checksum::None).await.is_ok());
    let fetched = bench
        .fetch(&[object(&server, "open")], Checksum::None)
        .await
        .unwrap();
    assert_eq!(content(&fetched), b"open");
    let last = server.seen().pop().unwrap();
    assert_eq!(
        last.target, "/images/open",
        "what is open is asked for without a signature"
    );
}

#[tokio::test]
async fn what_the_store_says_is_told_without_its_secrets() {
    let mut bench = Bench::new();
    let server = store().await;
    let a = object(&server, "versioned?version=5");
    let error = bench
        .fetch(&[&a], Checksum::None)
        .await
        .unwrap_err()
        .to_string();
    let denied = "the store answered AccessDenied: Access Denied; no AWS keys were found for it";
    assert!(error.contains(denied), "{error}");
    bench.settings.aws = keys(&server);
    let missing = object(&server, "missing");
    let error = bench
        .fetch(&[missing], Checksum::None)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("NoSuchKey: The specified key does not exist."),
        "{error}"
    );
    bench.settings.aws.secret_access_key = Some("wrong".into());
    let error = bench
        .fetch(&[&a], Checksum::None)
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("SignatureDoesNotMatch"), "{error}");
    bench.settings.aws.region = None;
    let error = bench.fetch(&[&a], Checksum::None).await.unwrap_err();
    let text = format!("{error} {error:?}");
    assert!(
        text.contains("in the region `eu-west-1`; add `region=eu-west-1`"),
        "{text}"
    );
    assert!(!text.contains(ID) && !text.contains("Signature="), "{text}");
    bench.settings.netrc = Some(crate::Netrc::parse("default login me password pass").unwrap());
    let _ = bench.fetch(&[&a], Checksum::None).await;
    let last = server.seen().pop().unwrap();
    assert_eq!(
        last.header("authorization"),
        None,
        "a store takes only one authorization"
    );
}

#[tokio::test]
async fn another_store_than_that_of_the_settings_hears_of_no_key() {
    let server = store().await;
    let files = [
        ("s3::", "", None),
        ("s3::", "?aws_profile=ci", None),
        ("s3::", "?region=eu-west-1", Some("http://127.0.0.1:1/")),
        ("s3::", "", Some("https://127.0.0.1/")),
    ];
    for (form, query, endpoint) in files {
        let mut bench = Bench::new();
        bench.settings.aws = keys(&server);
        bench.settings.aws.session_token = Some("t0ken".into());
        bench.settings.aws.credentials_file =
            Some(format!("[ci]\naws_access_key_id={ID}\naws_secret_access_key={SECRET}\n").into());
        bench.settings.aws.endpoint = endpoint.map(|it| SafeUrl::parse(it).unwrap());
        let url = format!("{form}{}", server.url(&format!("/images/versioned{query}")));
        let error = bench.fetch(&[url], Checksum::None).await.unwrap_err();
        let advice = format!("set AWS_ENDPOINT_URL=http://127.0.0.1:{}", server.port);
        assert!(error.to_string().contains(&advice), "{error}");
        // What is open is had without them.
        let open = object(&server, "open");
        let fetched = bench.fetch(&[open], Checksum::None).await.unwrap();
        assert_eq!(content(&fetched), b"open");
    }
    // A component that may not use them, at the store that is named.
    let mut bench = Bench::new();
    bench.settings.aws = keys(&server);
    let location = Location::parse(&object(&server, "versioned?version=5")).unwrap();
    let request = Request {
        author: Author::Component {
            identity: "a".to_owned(),
            aws_credentials: false,
        },
        ..Request::named_by_user(vec![location], Checksum::None)
    };
    let error = bench.run(&request, &Silent).await.unwrap_err();
    assert!(
        error.to_string().contains("`aws_credentials = true`"),
        "{error}"
    );
    for seen in server.seen() {
        let shown = format!("{seen:?}");
        assert!(
            !shown.contains(ID) && !shown.contains("X-Amz") && !shown.contains("t0ken"),
            "{shown}"
        );
    }
    // And one that may.
    let request = Request {
        author: Author::Component {
            identity: "a".to_owned(),
            aws_credentials: true,
        },
        ..request
    };
    let fetched = bench.run(&request, &Silent).await.unwrap();
    assert_eq!(content(&fetched), b"version 5");
}
