//! Fuzz target: the options of a plugin in gob, read back by an independent decoder.
#![cfg_attr(fuzzing, no_main)]
#![forbid(unsafe_code)]

lvhost_fuzz::target!(|data| {
    let bytes = lvhost_packer::fuzzing::specification(data);
    let mut rest = bytes.as_slice();
    let mut decoder = gobwire::Decoder::new();
    loop {
        let prefix = gobwire::parse_length_prefix(rest);
        let (width, length) = prefix.expect("a length").expect("a whole length");
        let (message, after) = rest[width..].split_at(length);
        rest = after;
        let progress = decoder.push_message(message).expect("a message of gob");
        if progress == gobwire::Progress::Ready {
            break;
        }
    }
    assert!(rest.is_empty(), "bytes follow the value");
    let mut value = gobwire::Dynamic::default();
    decoder.decode_into(&mut value).expect("a value of gob");
});
