//! How objects are written, whose keys are used, and what is signed.

use std::collections::BTreeMap;

use super::*;
use crate::Author;

fn object(text: &str) -> Object {
    Object::parse(&SafeUrl::parse(text).unwrap()).unwrap()
}

fn variables(pairs: &[(&str, &str)]) -> AwsSettings {
    let variables: BTreeMap<_, _> = pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    AwsSettings::from_variables(&variables).unwrap()
}

/// The address asked for, without a signature.
fn address(text: &str, settings: &AwsSettings) -> String {
    let object = object(text);
    let access = Access::of(&object, settings, &Author::User).unwrap();
    object.identity(&access).unwrap().expose().to_string()
}

#[test]
fn addresses_of_every_spelling() {
    let none = AwsSettings::default();
    let virginia = "https://bucket.s3.us-east-1.amazonaws.com/a/k.img";
    let ireland = "https://bucket.s3.eu-west-1.amazonaws.com/a/k.img";
    let cases = [
        ("https://s3.amazonaws.com/bucket/a/k.img", virginia),
        ("https://bucket.s3.amazonaws.com/a/k.img", virginia),
        ("s3://bucket/a/k.img", virginia),
        ("s3://s3.amazonaws.com/bucket/a/k.img", virginia),
        ("https://s3-eu-west-1.amazonaws.com/bucket/a/k.img", ireland),
        ("https://s3.eu-west-1.amazonaws.com/bucket/a/k.img", ireland),
        (
            "https://s3.dualstack.eu-west-1.amazonaws.com/bucket/a/k.img",
            ireland,
        ),
        ("https://bucket.s3-eu-west-1.amazonaws.com/a/k.img", ireland),
        ("https://bucket.s3.eu-west-1.amazonaws.com/a/k.img", ireland),
        ("s3://bucket/a/k.img?region=eu-west-1", ireland),
        (
            "https://s3.amazonaws.com/bucket/a/k.img?region=eu-west-1",
            ireland,
        ),
        (
            "https://my.bucket.s3.eu-west-1.amazonaws.com/k",
            "https://s3.eu-west-1.amazonaws.com/my.bucket/k",
        ),
        (
            "s3://OldBucket/k",
            "https://s3.us-east-1.amazonaws.com/OldBucket/k",
        ),
        (
            "https://s3.cn-north-1.amazonaws.com.cn/bucket/k",
            "https://bucket.s3.cn-north-1.amazonaws.com.cn/k",
        ),
        (
            "http://minio.example.org:9000/bucket/a/k?version=5&region=x",
            "http://minio.example.org:9000/bucket/a/k?versionId=5",
        ),
        ("s3://minio:9000/bucket/k", "https://minio:9000/bucket/k"),
        (
            "s3://minio/bucket/k?aws_access_key_id=a&aws_access_key_secret=b",
            "https://minio/bucket/k",
        ),
        (
            "https://s3.amazonaws.com/bucket/a%20b+c/%C3%A4",
            "https://bucket.s3.us-east-1.amazonaws.com/a%20b%2Bc/%C3%A4",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(address(text, &none), expected, "{text}");
    }
}

#[test]
fn addresses_without_an_object_are_refused() {
    for text in [
        "https://s3.amazonaws.com/bucket",
        "https://s3.amazonaws.com/bucket/",
        "https://bucket.s3.amazonaws.com/",
        "https://minio/bucket",
        "s3://bucket",
        "s3://bucket/",
    ] {
        let error = Object::parse(&SafeUrl::parse(text).unwrap()).unwrap_err();
        assert!(error.contains("names no object"), "{text}: {error}");
    }
}

#[test]
fn the_environment_names_region_and_store() {
    let region = variables(&[("AWS_DEFAULT_REGION", "eu-west-1")]);
    let address_of = |text| address(text, &region);
    assert_eq!(
        address_of("s3://bucket/k"),
        "https://bucket.s3.eu-west-1.amazonaws.com/k"
    );
    assert_eq!(
        address_of("https://s3.us-west-2.amazonaws.com/bucket/k"),
        "https://bucket.s3.us-west-2.amazonaws.com/k"
    );
    let store = variables(&[("AWS_ENDPOINT_URL", "http://minio:9000")]);
    assert_eq!(
        address("s3://bucket/k", &store),
        "http://minio:9000/bucket/k"
    );
    assert_eq!(
        address("https://s3.amazonaws.com/bucket/k", &store),
        "https://bucket.s3.us-east-1.amazonaws.com/k"
    );
    let wrong = BTreeMap::from([("AWS_ENDPOINT_URL_S3".to_owned(), "minio".to_owned())]);
    let (name, _) = AwsSettings::from_variables(&wrong).unwrap_err();
    assert_eq!(name, "AWS_ENDPOINT_URL_S3");
}

const CREDENTIALS: &str = "
# mine
[default]
aws_access_key_id = DEFAULT
aws_secret_access_key=secret # hunter2
[ci]
aws_access_key_id = CI
aws_secret_access_key = c1
aws_session_token = t0ken
[half]
aws_access_key_id = HALF
";

const CONFIG: &str = "
[default]
region = eu-central-1
s3 =
  region = nowhere
[profile ci]
region = ap-south-1
[profile corporate]
sso_session = us
[services s]
aws_access_key_id = NO
";

#[test]
fn keys_are_found_in_their_order() {
    let files = AwsSettings {
        credentials_file: Some(CREDENTIALS.into()),
        config_file: Some(CONFIG.into()),
        ..AwsSettings::default()
    };
    let environment = AwsSettings {
        access_key_id: Some("ENVIRONMENT".to_owned()),
        secret_access_key: Some("e".into()),
        region: Some("us-west-1".to_owned()),
        ..files.clone()
    };
    let ci = AwsSettings {
        profile: Some("ci".to_owned()),
        ..files.clone()
    };
    let query = "s3://minio/b/k?aws_access_key_id=QUERY&aws_access_key_secret=q&aws_profile=ci";
    let none = AwsSettings::default();
    let cases = [
        (query, &environment, Some("QUERY"), "us-west-1"),
        (
            "s3://b/k?aws_profile=ci",
            &environment,
            Some("CI"),
            "ap-south-1",
        ),
        ("s3://b/k", &environment, Some("ENVIRONMENT"), "us-west-1"),
        ("s3://b/k", &files, Some("DEFAULT"), "eu-central-1"),
        ("s3://b/k", &ci, Some("CI"), "ap-south-1"),
        ("s3://b/k?region=here", &ci, Some("CI"), "here"),
        ("s3://b/k", &none, None, "us-east-1"),
    ];
    for (text, settings, id, region) in cases {
        let access = Access::of(&object(text), settings, &Author::User).unwrap();
        let found = access.credentials().map(rusty_s3::Credentials::key);
        // An address with keys in it names a store of its own, whose region is asked for.
        assert_eq!((found, access.region()), (id, region), "{text}");
    }
    let access = Access::of(&object("s3://b/k"), &files, &Author::User).unwrap();
    assert_eq!(access.credentials().unwrap().secret(), "secret");
    let access = Access::of(&object("s3://b/k"), &ci, &Author::User).unwrap();
    assert_eq!(access.credentials().unwrap().token(), Some("t0ken"));
}

#[test]
fn keys_that_cannot_be_had_are_errors() {
    let files = AwsSettings {
        credentials_file: Some(CREDENTIALS.into()),
        config_file: Some(CONFIG.into()),
        ..AwsSettings::default()
    };
    let half = variables(&[("AWS_ACCESS_KEY_ID", "a")]);
    let cases = [
        (
            "s3://b/k?aws_profile=nobody",
            &files,
            "there is no profile `nobody`",
        ),
        (
            "s3://b/k?aws_profile=half",
            &files,
            "`half` has no `aws_secret_access_key`",
        ),
        (
            "s3://b/k?aws_profile=corporate",
            &files,
            "`corporate` uses `sso_session`",
        ),
        ("s3://b/k", &half, "`AWS_SECRET_ACCESS_KEY` is not set"),
        (
            "s3://b/k?aws_access_key_secret=b",
            &files,
            "`aws_access_key_id` is not set",
        ),
    ];
    for (text, settings, part) in cases {
        let error = Access::of(&object(text), settings, &Author::User)
            .err()
            .unwrap();
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        let shown = format!("{error} {}", cause.unwrap_or_default());
        assert!(shown.contains(part), "{text}: {shown}");
    }
}

#[test]
fn the_files_are_where_the_variables_say() {
    let home = std::path::Path::new("/home/me");
    let (credentials, config) = AwsSettings::files(&BTreeMap::new(), home);
    assert_eq!(credentials, home.join(".aws/credentials"));
    assert_eq!(config, home.join(".aws/config"));
    let set = BTreeMap::from([("AWS_CONFIG_FILE".to_owned(), "/etc/aws".to_owned())]);
    assert_eq!(
        AwsSettings::files(&set, home).1,
        std::path::Path::new("/etc/aws")
    );
}

#[test]
fn no_key_and_no_signature_shows() {
    let object = object(
        "https://minio/b/k?aws_access_key_id=AKIA1&aws_access_key_secret=hunter2&aws_access_token=t0ken",
    );
    let access = Access::of(&object, &AwsSettings::default(), &Author::User).unwrap();
    let signed = object.request(&access).unwrap();
    let plain = plain_url(&object).unwrap();
    let shown = format!("{object:?} {signed} {signed:?} {plain}");
    for secret in ["AKIA1", "hunter2", "t0ken"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    let signature = signed
        .expose()
        .query_pairs()
        .find(|(key, _)| key == "X-Amz-Signature")
        .unwrap()
        .1
        .into_owned();
    assert!(signature.len() == 64 && !shown.contains(&signature));
}

/// Settings with keys from everywhere, and a store of their own.
fn keys_from_everywhere(endpoint: Option<&str>) -> AwsSettings {
    AwsSettings {
        access_key_id: Some("ENVIRONMENT".to_owned()),
        secret_access_key: Some("e".into()),
        session_token: Some("t".into()),
        credentials_file: Some(CREDENTIALS.into()),
        endpoint: endpoint.map(|text| SafeUrl::parse(text).unwrap()),
        ..AwsSettings::default()
    }
}

#[test]
fn keys_go_to_amazon_and_to_the_store_of_the_settings_only() {
    let own = Some("http://minio:9000");
    for (text, endpoint, is_signed) in [
        ("s3://b/k", None, true),
        ("s3::https://b.s3.eu-west-1.amazonaws.com/k", own, true),
        // Amazon is asked by https, whatever stands there.
        ("s3::http://s3.amazonaws.com/b/k", None, true),
        ("s3://b/k", own, true),
        ("s3::http://minio:9000/b/k", own, true),
        ("s3::http://MINIO:9000/b/k", own, true),
        ("s3::https://minio/b/k", Some("https://minio:443/"), true),
        ("s3::http://minio:9000/b/k", None, false),
        ("s3::https://minio:9000/b/k", own, false),
        ("s3::http://minio:9001/b/k", own, false),
        ("s3::http://minio/b/k", own, false),
        ("s3::http://other:9000/b/k", own, false),
        ("s3::http://minio:9000.other/b/k", own, false),
        ("s3::http://minio:9000@other/b/k", own, false),
        ("s3::http://minio.other:9000/b/k?aws_profile=ci", own, false),
        ("s3::https://other/b/k?aws_profile=default", None, false),
        ("s3::https://amazonaws.com.other/b/k", None, false),
        ("s3::https://s3.amazonaws.com.other/b/k", None, false),
        ("s3::https://s3amazonaws.com/b/k", None, false),
        (
            "s3::https://ec2-1-2-3-4.compute-1.amazonaws.com/b/k",
            None,
            false,
        ),
    ] {
        let Ok(crate::Location::Web(web)) = crate::Location::parse(text) else {
            // What is no address is asked for by nobody.
            assert!(!is_signed, "{text}");
            continue;
        };
        let object = web.object().unwrap();
        let settings = keys_from_everywhere(endpoint);
        let access = Access::of(object, &settings, &Author::User).unwrap();
        let asked = object.request(&access).unwrap();
        let shows_keys = asked.expose().as_str().contains("X-Amz-Credential=");
        assert_eq!(shows_keys, is_signed, "{text}");
        assert_eq!(access.withheld().is_none(), is_signed, "{text}");
        if is_signed && endpoint.is_none() {
            assert_eq!(asked.expose().scheme(), "https", "{text}");
        }
        // Keys that stand in the URL are for whom it names.
        let joint = if text.contains('?') { '&' } else { '?' };
        let own_keys = format!("{text}{joint}aws_access_key_id=QUERY&aws_access_key_secret=q");
        if let Ok(crate::Location::Web(web)) = crate::Location::parse(&own_keys) {
            let access = Access::of(web.object().unwrap(), &settings, &Author::User).unwrap();
            let id = access.credentials().map(rusty_s3::Credentials::key);
            assert_eq!(id, Some("QUERY"), "{own_keys}");
        }
    }
}

#[test]
fn a_component_uses_the_users_keys_only_if_it_may() {
    let settings = keys_from_everywhere(Some("https://minio"));
    for text in [
        "s3://b/k",
        "s3://b/k?aws_profile=ci",
        "https://s3.amazonaws.com/b/k",
        "https://minio/b/k",
    ] {
        for aws_credentials in [false, true] {
            let author = Author::Component {
                identity: "a".to_owned(),
                aws_credentials,
            };
            let access = Access::of(&object(text), &settings, &author).unwrap();
            assert_eq!(access.credentials().is_some(), aws_credentials, "{text}");
            let withheld = (!aws_credentials).then_some(&Withheld::Component);
            assert_eq!(access.withheld(), withheld, "{text}");
        }
    }
}

#[test]
fn no_region_leads_to_another_host() {
    let long = "a".repeat(64);
    for region in [
        "evil.example/",
        "evil.example%23",
        "evil.example%3F",
        "a.b",
        "u%40evil.example%2F",
        "%5C",
        "A",
        &long,
    ] {
        for start in ["s3://b/k?", "https://s3.amazonaws.com/b/k?"] {
            let object = object(&format!("{start}region={region}"));
            let access = Access::of(&object, &AwsSettings::default(), &Author::User).unwrap();
            let refused = object.request(&access);
            assert!(matches!(refused, Err(S3Error::NoRegion(_))), "{region}");
            assert!(plain_url(&object).is_err(), "{region}");
        }
    }
    let around = variables(&[("AWS_REGION", "evil.example/")]);
    let object = object("s3://b/k");
    let access = Access::of(&object, &around, &Author::User).unwrap();
    assert!(object.request(&access).is_err());
}
