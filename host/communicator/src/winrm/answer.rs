//! What the guest's WinRM service answers, read out of its XML. All of it is the guest's word.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use roxmltree::{Document, Node};

use crate::ssh::readable;

/// The fault of a `Receive` that waited in vain (`ERROR_WSMAN_OPERATION_TIMEDOUT`).
const TIMED_OUT: &str = "2150858793";
/// The fault of a request to a shell that is not there (`ERROR_WSMAN_INVALID_SELECTORS`), as after
/// a restart of the guest.
const NO_SUCH_SHELL: &str = "2150858843";

/// A request that the service did not carry out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    code: String,
    subcode: String,
    /// Its own words.
    pub(super) reason: String,
}

impl Fault {
    /// Nothing is wrong: there was no output yet.
    pub(super) fn timed_out(&self) -> bool {
        self.code == TIMED_OUT || self.subcode.ends_with(":TimedOut")
    }

    /// The shell is gone, and the command with it.
    pub(super) fn no_such_shell(&self) -> bool {
        self.code == NO_SUCH_SHELL || self.subcode.ends_with(":InvalidSelectors")
    }
}

/// One answer to `Receive`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Received {
    /// Pieces of output in their order: whether from standard error, and the bytes.
    pub(super) output: Vec<(bool, Vec<u8>)>,
    /// The command's exit code, once it has ended. Windows' codes have 32 bits; those of crashes
    /// come as negative numbers.
    pub(super) exit_code: Option<u32>,
}

/// The fault in an answer, if it is one.
pub(super) fn fault(answer: &str) -> Option<Fault> {
    let document = Document::parse(answer).ok()?;
    let fault = find(document.root(), "Fault")?;
    let subcode = find(fault, "Subcode")
        .and_then(|node| find(node, "Value"))
        .map(text)
        .unwrap_or_default();
    let code = find(fault, "WSManFault")
        .and_then(|node| node.attribute("Code"))
        .unwrap_or_default();
    let reason = find(fault, "Reason")
        .and_then(|node| find(node, "Text"))
        .map(text)
        .filter(|reason| !reason.is_empty())
        .or_else(|| find(fault, "Message").map(text))
        .unwrap_or_default();
    Some(Fault {
        code: code.to_owned(),
        subcode,
        reason: readable(reason.trim()),
    })
}

/// The new shell's name.
pub(super) fn shell(answer: &str) -> Option<String> {
    let document = Document::parse(answer).ok()?;
    let by_selector = document
        .descendants()
        .find(|node| is(*node, "Selector") && node.attribute("Name") == Some("ShellId"));
    by_selector
        .or_else(|| find(document.root(), "ShellId"))
        .map(text)
        .filter(|name| !name.is_empty())
}

/// The new command's name.
pub(super) fn command(answer: &str) -> Option<String> {
    let document = Document::parse(answer).ok()?;
    find(document.root(), "CommandId")
        .map(text)
        .filter(|name| !name.is_empty())
}

/// The output of a command, and its end.
pub(super) fn received(answer: &str) -> Option<Received> {
    let document = Document::parse(answer).ok()?;
    let response = find(document.root(), "ReceiveResponse")?;
    let mut received = Received::default();
    for stream in response.descendants().filter(|node| is(*node, "Stream")) {
        let encoded: String = text(stream).split_whitespace().collect();
        let bytes = STANDARD.decode(encoded).ok()?;
        if !bytes.is_empty() {
            received
                .output
                .push((stream.attribute("Name") == Some("stderr"), bytes));
        }
    }
    if let Some(state) = find(response, "CommandState")
        && state
            .attribute("State")
            .is_some_and(|state| state.ends_with("/Done"))
    {
        let code = find(state, "ExitCode").map(text).unwrap_or_default();
        received.exit_code = Some(match code.trim() {
            "" => 0,
            code => u32::try_from(code.parse::<i64>().ok()? & 0xffff_ffff).ok()?,
        });
    }
    Some(received)
}

fn is(node: Node<'_, '_>, name: &str) -> bool {
    node.is_element() && node.tag_name().name() == name
}

fn find<'a, 'input>(node: Node<'a, 'input>, name: &str) -> Option<Node<'a, 'input>> {
    node.descendants().find(|node| is(*node, name))
}

fn text(node: Node<'_, '_>) -> String {
    node.text().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SHELL: &str = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell";

    fn receive(inner: &str) -> String {
        format!(
            "<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\" xmlns:rsp=\"{SHELL}\">\
             <s:Body><rsp:ReceiveResponse>{inner}</rsp:ReceiveResponse></s:Body></s:Envelope>"
        )
    }

    #[test]
    fn output_and_end() {
        let answer = receive(
            "<rsp:Stream Name=\"stdout\" CommandId=\"C\">aGVs\r\nbG8=</rsp:Stream>\
             <rsp:Stream Name=\"stderr\" CommandId=\"C\">b2g=</rsp:Stream>\
             <rsp:Stream Name=\"stdout\" CommandId=\"C\" End=\"true\"/>\
             <rsp:CommandState CommandId=\"C\" State=\"http://schemas.microsoft.com/wbem/wsman/1/\
             windows/shell/CommandState/Done\"><rsp:ExitCode>-1073741510</rsp:ExitCode>\
             </rsp:CommandState>",
        );
        let expected = Received {
            output: vec![(false, b"hello".to_vec()), (true, b"oh".to_vec())],
            exit_code: Some(0xc000_013a),
        };
        assert_eq!(received(&answer), Some(expected));
    }

    #[test]
    fn a_command_that_still_runs() {
        let answer = receive(
            "<rsp:CommandState CommandId=\"C\" State=\"http://schemas.microsoft.com/wbem/wsman/1/\
             windows/shell/CommandState/Running\"/>",
        );
        assert_eq!(received(&answer), Some(Received::default()));
    }

    #[test]
    fn what_is_no_answer() {
        for answer in [
            "",
            "<html>busy</html>",
            &receive("<rsp:Stream Name=\"stdout\">!</rsp:Stream>"),
        ] {
            assert_eq!(received(answer), None, "{answer}");
        }
        assert_eq!(shell("<a/>"), None);
        assert_eq!(command("<a/>"), None);
        assert_eq!(fault("<a/>"), None);
    }

    #[test]
    fn faults() {
        let fault_with = |code: &str, subcode: &str| {
            fault(&format!(
                "<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\"><s:Body><s:Fault>\
                 <s:Code><s:Value>s:Receiver</s:Value><s:Subcode><s:Value>{subcode}</s:Value>\
                 </s:Subcode></s:Code><s:Reason><s:Text xml:lang=\"en-US\">It failed. </s:Text>\
                 </s:Reason><s:Detail><f:WSManFault xmlns:f=\"http://schemas.microsoft.com/wbem/\
                 wsman/1/wsmanfault\" Code=\"{code}\"><f:Message>no</f:Message></f:WSManFault>\
                 </s:Detail></s:Fault></s:Body></s:Envelope>"
            ))
            .unwrap()
        };
        assert!(fault_with("2150858793", "w:TimedOut").timed_out());
        assert!(fault_with("2150858843", "w:InvalidSelectors").no_such_shell());
        let other = fault_with("5", "w:AccessDenied");
        assert!(!other.timed_out() && !other.no_such_shell());
        assert_eq!(other.reason, "It failed.");
    }

    proptest! {
        #[test]
        fn anything_is_read_without_harm(answer in "[<>/a-z\"= :]{0,80}") {
            let _ = (fault(&answer), shell(&answer), command(&answer), received(&answer));
        }
    }
}
