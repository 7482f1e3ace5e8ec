//! The messages that a WinRM shell is steered by, as text: SOAP envelopes after Microsoft's
//! [MS-WSMV], sections 3.1.4.1.31 to 3.1.4.14.
//!
//! ```text
//!   Create ─► Command ─► Send … and Receive … ─► Delete
//! ```

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use quick_xml::escape::escape;

/// The bytes of a message that the guest may answer with: what Windows itself allows at least, and
/// what a message of ours stays below.
const ENVELOPE_MAXIMUM: usize = 153_600;
/// The bytes of a command's input that go into one message: in base64 they fill four fifths of it.
pub(super) const PIECE: usize = 90_000;
/// Seconds that the guest lets us wait for output before it says that there is none yet.
pub(super) const WAIT_SECONDS: u64 = 60;

const SHELL: &str = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell";

/// Something to ask of the guest's WinRM service.
#[derive(Debug, Clone, Copy)]
pub(super) enum Request<'a> {
    /// A shell: a place for commands, with the code page of UTF-8.
    Create,
    /// Runs a command in a shell.
    Command {
        shell: &'a str,
        text: &'a str,
        /// Whether its input comes from us and ends, like a pipe's; without that it looks like a
        /// console's.
        input: bool,
    },
    /// Bytes for a command's input.
    Send {
        shell: &'a str,
        command: &'a str,
        bytes: &'a [u8],
        end: bool,
    },
    /// What a command has put out since.
    Receive { shell: &'a str, command: &'a str },
    /// Removes a shell, and ends whatever runs in it.
    Delete { shell: &'a str },
}

impl Request<'_> {
    fn action(self) -> String {
        match self {
            Self::Create => "http://schemas.xmlsoap.org/ws/2004/09/transfer/Create".to_owned(),
            Self::Delete { .. } => {
                "http://schemas.xmlsoap.org/ws/2004/09/transfer/Delete".to_owned()
            }
            Self::Command { .. } => format!("{SHELL}/Command"),
            Self::Send { .. } => format!("{SHELL}/Send"),
            Self::Receive { .. } => format!("{SHELL}/Receive"),
        }
    }

    fn shell(self) -> Option<String> {
        match self {
            Self::Create => None,
            Self::Command { shell, .. }
            | Self::Send { shell, .. }
            | Self::Receive { shell, .. }
            | Self::Delete { shell } => Some(shell.to_owned()),
        }
    }

    fn options(self) -> Vec<(&'static str, &'static str)> {
        match self {
            Self::Create => vec![("WINRS_NOPROFILE", "FALSE"), ("WINRS_CODEPAGE", "65001")],
            Self::Command { input, .. } => vec![
                (
                    "WINRS_CONSOLEMODE_STDIN",
                    if input { "FALSE" } else { "TRUE" },
                ),
                ("WINRS_SKIP_CMD_SHELL", "FALSE"),
            ],
            _ => Vec::new(),
        }
    }

    fn body(self) -> String {
        match self {
            Self::Create => "<rsp:Shell><rsp:InputStreams>stdin</rsp:InputStreams>\
                 <rsp:OutputStreams>stdout stderr</rsp:OutputStreams></rsp:Shell>"
                .to_owned(),
            Self::Command { text, .. } => format!(
                "<rsp:CommandLine><rsp:Command>{}</rsp:Command></rsp:CommandLine>",
                escape(text)
            ),
            Self::Send {
                command,
                bytes,
                end,
                ..
            } => format!(
                "<rsp:Send><rsp:Stream Name=\"stdin\" CommandId=\"{}\"{}>{}</rsp:Stream></rsp:Send>",
                escape(command),
                if end { " End=\"true\"" } else { "" },
                STANDARD.encode(bytes)
            ),
            Self::Receive { command, .. } => format!(
                "<rsp:Receive><rsp:DesiredStream CommandId=\"{}\">stdout stderr\
                 </rsp:DesiredStream></rsp:Receive>",
                escape(command)
            ),
            Self::Delete { .. } => String::new(),
        }
    }

    /// The whole message for the service at `url`, under a name that no other message has.
    pub(super) fn envelope(self, url: &str, name: &str) -> String {
        let mut options = String::new();
        for (name, value) in self.options() {
            options.push_str(&format!("<w:Option Name=\"{name}\">{value}</w:Option>"));
        }
        if !options.is_empty() {
            options = format!("<w:OptionSet>{options}</w:OptionSet>");
        }
        let selector = self.shell().map_or_else(String::new, |shell| {
            format!(
                "<w:SelectorSet><w:Selector Name=\"ShellId\">{}</w:Selector></w:SelectorSet>",
                escape(&shell)
            )
        });
        format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>\
             <s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\" \
             xmlns:a=\"http://schemas.xmlsoap.org/ws/2004/08/addressing\" \
             xmlns:w=\"http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd\" \
             xmlns:p=\"http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd\" \
             xmlns:rsp=\"{SHELL}\"><s:Header><a:To>{url}</a:To><a:ReplyTo>\
             <a:Address s:mustUnderstand=\"true\">\
             http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</a:Address></a:ReplyTo>\
             <w:MaxEnvelopeSize s:mustUnderstand=\"true\">{ENVELOPE_MAXIMUM}</w:MaxEnvelopeSize>\
             <w:OperationTimeout>PT{WAIT_SECONDS}S</w:OperationTimeout>\
             <a:MessageID>uuid:{name}</a:MessageID>\
             <w:Locale s:mustUnderstand=\"false\" xml:lang=\"en-US\"/>\
             <p:DataLocale s:mustUnderstand=\"false\" xml:lang=\"en-US\"/>\
             <a:Action s:mustUnderstand=\"true\">{}</a:Action>\
             <w:ResourceURI s:mustUnderstand=\"true\">{SHELL}/cmd</w:ResourceURI>\
             {options}{selector}</s:Header><s:Body>{}</s:Body></s:Envelope>",
            self.action(),
            self.body(),
            url = escape(url),
            name = escape(name),
        )
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use roxmltree::Document;

    use super::*;

    fn text_of(envelope: &str, name: &str) -> Option<String> {
        let document = Document::parse(envelope).unwrap();
        document
            .descendants()
            .find(|node| node.has_tag_name(name) || node.tag_name().name() == name)
            .map(|node| node.text().unwrap_or_default().to_owned())
    }

    #[test]
    fn every_request_is_a_document_with_its_action() {
        for (request, action) in [
            (Request::Create, "transfer/Create"),
            (
                Request::Command {
                    shell: "S",
                    text: "dir",
                    input: false,
                },
                "shell/Command",
            ),
            (
                Request::Send {
                    shell: "S",
                    command: "C",
                    bytes: b"in",
                    end: true,
                },
                "shell/Send",
            ),
            (
                Request::Receive {
                    shell: "S",
                    command: "C",
                },
                "shell/Receive",
            ),
            (Request::Delete { shell: "S" }, "transfer/Delete"),
        ] {
            let envelope = request.envelope("http://guest:5985/wsman", "1");
            let found = text_of(&envelope, "Action").unwrap();
            assert!(found.ends_with(action), "{found}");
            let selector = text_of(&envelope, "Selector");
            assert_eq!(
                selector.as_deref(),
                (!matches!(request, Request::Create)).then_some("S")
            );
        }
    }

    #[test]
    fn a_full_piece_of_input_fits_into_a_message() {
        let bytes = vec![0xff; PIECE];
        let request = Request::Send {
            shell: "8A9A3B1C-0000-0000-0000-000000000000",
            command: "8A9A3B1C-0000-0000-0000-000000000000",
            bytes: &bytes,
            end: true,
        };
        assert!(
            request
                .envelope("https://a.long.name.example:5986/wsman", "1")
                .len()
                < ENVELOPE_MAXIMUM
        );
    }

    proptest! {
        #[test]
        fn a_command_arrives_as_it_is(text in "[ -~]{0,60}") {
            let request = Request::Command { shell: "S", text: &text, input: false };
            let envelope = request.envelope("http://guest:5985/wsman", "1");
            prop_assert_eq!(text_of(&envelope, "Command").unwrap(), text);
        }
    }
}
