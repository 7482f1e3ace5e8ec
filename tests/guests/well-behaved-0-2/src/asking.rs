//! What is asked of servers, and what the host does with the bytes that it holds.

use crate::bindings::lvhost::source::prepare::Preparation;
use crate::bindings::lvhost::source::requests::Request;
use crate::bindings::lvhost::source::types::Error;
use crate::{PATTERN, check};

fn request(path: &str) -> Request {
    Request::new(&[format!("https://example.org/{path}")])
}

fn is_invalid<T>(answer: Result<T, Error>) -> bool {
    matches!(answer, Err(Error::Invalid(_)))
}

/// Asks for a token, downloads with it, and looks at what has come.
pub(crate) fn ask(preparation: &Preparation) -> Result<(), Error> {
    let secret = preparation.secret("registry")?;
    check(secret.name() == "registry", "the secret's name")?;
    check(
        matches!(preparation.secret("others"), Err(Error::Denied(_))),
        "another secret",
    )?;

    let challenge = request("image");
    challenge.header("Accept", "application/json");
    let answer = preparation.ask(&challenge)?;
    check(answer.status() == 401, "the status")?;
    let header = answer.header("WWW-Authenticate");
    check(header == ["Basic", "Bearer"], "both headers of that name")?;
    check(answer.header("nothing").is_empty(), "none of another name")?;
    check(answer.body() == b"who are you?", "the body")?;

    let token = request("token");
    token.method("POST");
    token.body(b"grant_type=password");
    token.log_in("me", &secret);
    check(preparation.ask(&token)?.status() == 200, "the token")?;

    let image = request("image");
    image.secret_header("Authorization", "Bearer ", &secret);
    let archive = preparation.download(&image)?;
    check(
        archive.digest("sha256")? == "digest of 10 bytes by sha256",
        "the digest",
    )?;
    check(
        is_invalid(archive.digest("crc32")),
        "no digest of that name",
    )?;
    let file = archive.unpack("tar.xz", Some("disk.raw"))?;
    check(
        file.name() == "disk.raw" && file.size() == 12,
        "the file in it",
    )?;
    check(
        is_invalid(archive.unpack("rar", None)),
        "no archive of that name",
    )?;

    for (what, request) in refused() {
        check(is_invalid(preparation.ask(&request)), what)?;
    }
    check(
        is_invalid(preparation.download(&token)),
        "a download by POST",
    )?;
    // Listings and answers share their room, and give it back.
    for _ in 0..100 {
        preparation.ask(&request("long"))?;
        preparation.files(PATTERN)?;
    }
    let mut held = Vec::new();
    let full = loop {
        match preparation.ask(&request("long")) {
            Ok(answer) => held.push(answer),
            Err(error) => break error,
        }
    };
    check(
        held.len() == 15 && matches!(full, Error::Other(_)),
        "the room for answers",
    )?;
    preparation.blank()
}

/// Requests that make no sense.
fn refused() -> [(&'static str, Request); 5] {
    let unknown = request("image");
    unknown.method("BREW");
    let bodied = request("image");
    bodied.body(b"x");
    let long = request("token");
    long.method("POST");
    long.body(&vec![0; (1 << 20) + 1]);
    let checked = request("image");
    checked.checksum("none");
    [
        ("a method that there is not", unknown),
        ("a body by GET", bodied),
        ("a body that is too long", long),
        ("an answer with a checksum", checked),
        ("nobody is asked", Request::new(&[])),
    ]
}
