//! What the plugin says of itself when Packer lists its plugins.

use serde::Serialize;

/// The one builder of a plugin is named after the plugin: in a template it is called what the user calls
/// the plugin.
pub(crate) const BUILDER: &str = "-packer-default-plugin-name-";

/// The SDK whose protocol is spoken. Packer only keeps it, but wants one.
const SDK_VERSION: &str = "0.6.10";

/// The answer to `describe`: one line of JSON, for standard output.
///
/// `version` is the plugin's own, as in its file's name: three numbers, and `-dev` at most.
pub fn describe(version: &str) -> String {
    #[derive(Serialize)]
    struct Description<'a> {
        version: &'a str,
        sdk_version: &'a str,
        api_version: &'a str,
        builders: [&'a str; 1],
        post_processors: [&'a str; 0],
        provisioners: [&'a str; 0],
        datasources: [&'a str; 0],
        protocol_version: &'a str,
    }
    let description = Description {
        version,
        sdk_version: SDK_VERSION,
        api_version: "x5.0",
        builders: [BUILDER],
        post_processors: [],
        provisioners: [],
        datasources: [],
        // Knows protobuf. Without it one such plugin would force gob on all others.
        protocol_version: "v2",
    };
    // Text and lists of text always have a form in JSON.
    let mut line = serde_json::to_string(&description).unwrap_or_default();
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packer_is_told_what_it_reads() {
        let expected = r#"{"version":"0.6.0","sdk_version":"0.6.10","api_version":"x5.0","builders":["-packer-default-plugin-name-"],"post_processors":[],"provisioners":[],"datasources":[],"protocol_version":"v2"}"#;
        assert_eq!(describe("0.6.0"), format!("{expected}\n"));
    }
}
