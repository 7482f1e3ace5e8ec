//! The parent's end of the connection to a child.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::confine::Confinement;
use super::frame::{self, Direction, FromChild, HEADER, Lengths, PROGRAM, ToChild};
use crate::error::Fault;
use crate::limits;
use crate::untrusted;

/// The parent's end of the connection.
pub(super) struct Connection {
    stream: UnixStream,
    /// Bytes of the message that was received last.
    pub(super) received: usize,
}

impl Connection {
    pub(super) fn new(stream: UnixStream) -> Self {
        Self {
            stream,
            received: 0,
        }
    }

    pub(super) async fn send(&mut self, message: &ToChild, bytes: &[u8]) -> io::Result<()> {
        let frame = frame::encode(message, bytes.len(), Direction::ToChild)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        self.stream.write_all(&frame).await?;
        self.stream.write_all(bytes).await
    }

    pub(super) async fn receive(
        &mut self,
        direction: Direction,
    ) -> io::Result<(FromChild, Vec<u8>)> {
        let nonsense = |error| io::Error::new(io::ErrorKind::InvalidData, error);
        let mut header = [0; HEADER];
        self.stream.read_exact(&mut header).await?;
        let lengths = Lengths::parse(header, direction).map_err(nonsense)?;
        self.received = lengths.message;
        let message = self.read(lengths.message).await?;
        let bytes = self.read(lengths.bytes).await?;
        Ok((frame::decode(&message).map_err(nonsense)?, bytes))
    }

    /// Takes memory as bytes arrive: a header costs nothing to write.
    async fn read(&mut self, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(length.min(limits::CHUNK));
        let limited = &mut (&mut self.stream).take(length as u64);
        limited.read_to_end(&mut bytes).await?;
        if bytes.len() < length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(bytes)
    }
}

/// A child that answers another question than it was asked, or none.
pub(super) fn out_of_turn() -> Fault {
    Fault::ProcessEnded("it said something that was not asked for".to_owned())
}

/// Tells a child what it is for; it answers with what holds it.
pub(super) async fn confined(
    connection: &mut Connection,
    begin: &ToChild,
) -> Result<Confinement, Fault> {
    connection.send(begin, &[]).await.map_err(broken)?;
    // It has nothing to compute before it answers that.
    let answer = connection.receive(Direction::FromChild);
    let answer = tokio::time::timeout(limits::silence(Duration::ZERO), answer).await;
    match answer.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
        Ok((
            FromChild::Confined {
                program,
                confinement,
            },
            _,
        )) if program == PROGRAM => Ok(confinement),
        Ok((FromChild::Unfit(why), _)) => Err(Fault::ProcessEnded(format!(
            "it could not be confined: {}",
            untrusted::line(&why, limits::SUMMARY)
        ))),
        Ok(_) => Err(another_program()),
        // It has been sent one message, and knows no answer to that.
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(another_program()),
        Err(error) => Err(broken(error)),
    }
}

/// What became of a connection. The process's end tells more, if it has ended.
pub(super) fn broken(error: io::Error) -> Fault {
    Fault::ProcessEnded(format!("its connection broke: {error}"))
}

fn another_program() -> Fault {
    Fault::ProcessEnded("another program was started in its place".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::child::confine::Bounds;
    use crate::child::frame::Task;

    fn begin() -> ToChild {
        ToChild::Begin {
            task: Task::Compile,
            bounds: Bounds {
                memory: 1,
                processor_seconds: 1,
            },
            parent: 1,
            source_date_epoch: 0,
        }
    }

    /// What the parent makes of a child that answers with these bytes.
    async fn answered(answer: &[u8]) -> Result<Confinement, Fault> {
        let (ours, mut theirs) = UnixStream::pair().expect("a pair of sockets");
        theirs.write_all(answer).await.expect("room for it");
        confined(&mut Connection::new(ours), &begin()).await
    }

    fn says(program: &str) -> Vec<u8> {
        let confined = FromChild::Confined {
            program: program.to_owned(),
            confinement: Confinement {
                no_new_privileges: true,
                seccomp: true,
                landlock: true,
            },
        };
        frame::encode(&confined, 0, Direction::FromChild).expect("a frame")
    }

    #[tokio::test]
    async fn only_this_very_program_is_believed_to_have_confined_itself() {
        answered(&says(PROGRAM)).await.expect("the program");
        let echo = frame::encode(&begin(), 0, Direction::ToChild).expect("a frame");
        for answer in [
            says(""),
            says("lvhost-component 0.0.0-other"),
            says("lvhost"),
            echo,
            b"y\ny\ny\ny\n".to_vec(),
            vec![0; 8],
        ] {
            let error = answered(&answer).await.expect_err("another program");
            assert_eq!(error, another_program(), "{answer:?}");
        }
    }
}
