use lvhost_plugin_sdk::{Image, OptionValue};
use lvhost_plugin_sdk::testing::{FakeHost, volume};

use super::*;

const LISTING: &str = "https://example.org/images/";

const PAGE: &str = "<a href=\"disk-9.img\">disk-9.img</a> <a href=\"disk-10.img\">disk-10.img</a> \
    <a href=\"disk-11.img.sig\">disk-11.img.sig</a>";

fn options(listing: &str, pattern: &str) -> Options {
    Options::default()
        .with("listing", OptionValue::text(listing))
        .with("pattern", OptionValue::text(pattern))
}

/// A server with three files; only what was asked for in `configure` can be had.
fn host(image: &[u8], options: &Options) -> FakeHost {
    let sums = format!(
        "{}  disk-9.img\n{}  disk-10.img\n",
        "9".repeat(64),
        "a".repeat(64)
    );
    let asked = NewestImage::configure(&volume("default", "a"), options);
    assert_eq!(asked.diagnostics, []);
    FakeHost::new()
        .with_download(LISTING, PAGE)
        .with_download(&format!("{LISTING}SHA256SUMS"), sums)
        .with_download(&format!("{LISTING}disk-9.img"), b"old".to_vec())
        .with_download(&format!("{LISTING}disk-10.img"), image)
        .with_grants(&asked.grants)
}

fn message(result: Result<Recipe, Error>) -> String {
    result.expect_err("an error").message().to_owned()
}

#[test]
fn the_newest_image_is_verified_and_copied() {
    let options = options(LISTING, "disk-*.img");
    let host = host(b"the newest", &options);
    let recipe = NewestImage::prepare(&volume("default", "a"), &options, &host);
    assert_eq!(recipe, Ok(Recipe::Image));
    assert_eq!(host.written().bytes(), b"the newest");
    assert_eq!(host.written().image, Image::raw(10));
    // The two documents by nothing, the image by the digits beside its name.
    assert_eq!(host.checksums(), [None, None, Some("a".repeat(64))]);
}

#[test]
fn what_is_not_there_is_said() {
    let nothing_fits = options(LISTING, "*.qcow2");
    let host_of = |options: &Options| host(b"", options);
    let host = host_of(&nothing_fits);
    let said = message(NewestImage::prepare(
        &volume("default", "a"),
        &nothing_fits,
        &host,
    ));
    assert!(said.contains("none of the 3 files"), "{said}");

    let no_digest = options(LISTING, "*.sig");
    let host = host_of(&no_digest);
    let said = message(NewestImage::prepare(
        &volume("default", "a"),
        &no_digest,
        &host,
    ));
    assert!(said.contains("has no SHA-256"), "{said}");
    assert!(!host.has_created());
}

#[test]
fn a_volume_that_is_too_small_is_refused_before_it_is_made() {
    let options = options(LISTING, "disk-*.img");
    let host = host(b"the newest", &options);
    let mut small = volume("default", "a");
    small.capacity = Some(4);
    let said = message(NewestImage::prepare(&small, &options, &host));
    assert!(said.contains("`disk-10.img` has 10 bytes"), "{said}");
    assert!(!host.has_created());
}

#[test]
fn options_are_checked_where_they_stand() {
    for (listing, pattern, path) in [
        ("example.org/images/", "*", "listing"),
        ("/srv/images/", "*", "listing"),
        ("https://example.org/images", "*", "listing"),
        ("https:///images/", "*", "listing"),
        ("https://example.org/?a=/", "*", "listing"),
        (LISTING, "", "pattern"),
        (LISTING, "a/*", "pattern"),
    ] {
        let configured =
            NewestImage::configure(&volume("default", "a"), &options(listing, pattern));
        let paths: Vec<_> = configured
            .diagnostics
            .iter()
            .map(|d| d.path.as_str())
            .collect();
        assert_eq!(paths, [path], "{listing} {pattern}");
    }
}
