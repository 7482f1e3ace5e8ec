//! A script on its way into the guest: its bytes, and what they say.

use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};

use super::script::Script;
use crate::error::ProvisionError;
use crate::regular_file::{open_regular, read_regular};

/// Bytes of a script that goes through memory, since its line ends are changed: far more than anybody
/// writes. One that is `binary` may be as large as it likes.
const SCRIPT_SIZE: u64 = 64 << 20;

/// What a script begins with that says what runs it.
const FIRST_LINE: &[u8; 2] = b"#!";

/// A script that is to be uploaded.
pub(super) struct Upload {
    pub(super) bytes: Box<dyn AsyncRead + Send + Unpin>,
    /// How many bytes they are.
    pub(super) length: u64,
    /// It says what runs it.
    pub(super) has_first_line: bool,
}

impl Upload {
    /// Opens it. One that is `binary` is uploaded as it is.
    pub(super) async fn open(script: &Script, binary: bool) -> Result<Self, ProvisionError> {
        let text = match script {
            Script::Inline(text) => text.clone().into_bytes(),
            Script::File { path, .. } => {
                let unreadable = |source| {
                    let path = path.clone();
                    ProvisionError::File {
                        action: "read",
                        path,
                        source,
                    }
                };
                if binary {
                    // As large as it likes: it does not go through memory.
                    let (file, metadata) = open_regular(path).await.map_err(unreadable)?;
                    let mut file = BufReader::new(file);
                    let begin = file.fill_buf().await.map_err(unreadable)?;
                    return Ok(Self {
                        has_first_line: begin.starts_with(FIRST_LINE),
                        bytes: Box::new(file),
                        length: metadata.len(),
                    });
                }
                read_regular(path, SCRIPT_SIZE).await.map_err(unreadable)?
            }
        };
        let text = if binary {
            text
        } else {
            without_carriage_returns(text)
        };
        Ok(Self {
            has_first_line: text.starts_with(FIRST_LINE),
            length: u64::try_from(text.len()).unwrap_or(u64::MAX),
            bytes: Box::new(std::io::Cursor::new(text)),
        })
    }
}

/// Turns CRLF into LF: a script written on Windows does not run in the guest otherwise.
fn without_carriage_returns(text: Vec<u8>) -> Vec<u8> {
    if !text.contains(&b'\r') {
        return text;
    }
    let mut output = Vec::with_capacity(text.len());
    let mut bytes = text.into_iter().peekable();
    while let Some(byte) = bytes.next() {
        if byte != b'\r' || bytes.peek() != Some(&b'\n') {
            output.push(byte);
        }
    }
    output
}
