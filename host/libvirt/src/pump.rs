//! Between what an upload is given (bytes in any portions, holes, files) and what goes out (large
//! packets and holes).
//!
//! Small portions are gathered into packets, whole packets of zeros turn into holes, neighbouring
//! holes into one, and a file's own holes are skipped without being read. Nothing here knows where
//! the packets go: see [`Sink`].
use std::{fs::File, io, os::unix::fs::FileExt};

use rustix::fs::{SeekFrom, seek};

use crate::Progress;

/// Bytes in a packet. libvirt's RPC takes at most 262 120 bytes of a stream at once
/// (`VIR_NET_MESSAGE_LEGACY_PAYLOAD_MAX` in its source); this is the most that keeps the daemon's
/// writes on page boundaries.
pub(crate) const PACKET: usize = 63 * 4096;

/// Where packets go.
pub(crate) trait Sink {
    type Error;
    /// Takes all of `bytes`.
    fn send(&mut self, bytes: &[u8]) -> Result<(), Self::Error>;
    /// Skips `length` bytes, which read as zeros.
    fn hole(&mut self, length: u64) -> Result<(), Self::Error>;
}

/// Why a pump stopped.
#[derive(Debug)]
pub(crate) enum PumpError<E> {
    /// More came than was announced.
    TooLong,
    /// The file could not be read.
    Read(io::Error),
    /// The caller no longer wants it.
    Cancelled,
    /// The sink failed.
    Sink(E),
}

/// Gathers, finds zeros, counts.
pub(crate) struct Pump<S> {
    sink: S,
    progress: Progress,
    /// Bytes that may still come, if that is known.
    remaining: Option<u64>,
    /// Bytes that wait for a packet to be full. Never a packet or more.
    gathered: Vec<u8>,
    /// A hole that waits for its end.
    hole: u64,
    /// What a file is read into; made at the first file.
    packet: Vec<u8>,
}

impl<S: Sink> Pump<S> {
    pub(crate) fn new(sink: S, length: Option<u64>, progress: Progress) -> Self {
        Self {
            sink,
            progress,
            remaining: length,
            gathered: Vec::new(),
            hole: 0,
            packet: Vec::new(),
        }
    }

    /// Announced bytes that have not come yet.
    pub(crate) fn remaining(&self) -> u64 {
        self.remaining.unwrap_or(0)
    }

    pub(crate) fn data(&mut self, mut bytes: &[u8]) -> Result<(), PumpError<S::Error>> {
        self.announce(bytes.len() as u64)?;
        while !bytes.is_empty() {
            if self.gathered.is_empty() && bytes.len() >= PACKET {
                let (packet, rest) = bytes.split_at(PACKET);
                self.packet(packet)?;
                bytes = rest;
            } else {
                let (part, rest) = bytes.split_at(bytes.len().min(PACKET - self.gathered.len()));
                self.gathered.extend_from_slice(part);
                bytes = rest;
                if self.gathered.len() == PACKET {
                    self.send_gathered()?;
                }
            }
        }
        Ok(())
    }

    pub(crate) fn hole(&mut self, length: u64) -> Result<(), PumpError<S::Error>> {
        self.announce(length)?;
        self.send_gathered()?;
        self.skip(length);
        Ok(())
    }

    /// Sends a part of a file. `cancelled` is asked before every packet.
    pub(crate) fn file(
        &mut self,
        file: &File,
        offset: u64,
        length: u64,
        cancelled: impl Fn() -> bool,
    ) -> Result<(), PumpError<S::Error>> {
        self.announce(length)?;
        self.send_gathered()?;
        let end = offset.checked_add(length).ok_or(PumpError::TooLong)?;
        let size = file.metadata().map_err(PumpError::Read)?.len();
        if size < end {
            return Err(PumpError::Read(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                format!("it has {size} bytes where {end} were expected"),
            )));
        }
        let mut packet = std::mem::take(&mut self.packet);
        packet.resize(PACKET, 0);
        let mut position = offset;
        while position < end {
            let data = next_data(file, position, end).map_err(PumpError::Read)?;
            self.skip(data.start - position);
            position = data.start;
            while position < data.end {
                if cancelled() {
                    return Err(PumpError::Cancelled);
                }
                let part = &mut packet[..PACKET.min((data.end - position) as usize)];
                file.read_exact_at(part, position)
                    .map_err(PumpError::Read)?;
                position += part.len() as u64;
                self.packet(part)?;
            }
        }
        self.packet = packet;
        Ok(())
    }

    /// Sends what is still waiting.
    pub(crate) fn flush(&mut self) -> Result<(), PumpError<S::Error>> {
        self.send_gathered()?;
        self.send_hole()
    }

    pub(crate) fn into_sink(self) -> S {
        self.sink
    }

    /// Checks a portion against the announced length before anything of it goes out.
    fn announce(&mut self, length: u64) -> Result<(), PumpError<S::Error>> {
        if let Some(remaining) = &mut self.remaining {
            *remaining = remaining.checked_sub(length).ok_or(PumpError::TooLong)?;
        }
        Ok(())
    }

    fn skip(&mut self, length: u64) {
        self.hole += length;
        self.progress.add(length);
    }

    fn send_gathered(&mut self) -> Result<(), PumpError<S::Error>> {
        if self.gathered.is_empty() {
            return Ok(());
        }
        let mut gathered = std::mem::take(&mut self.gathered);
        self.packet(&gathered)?;
        gathered.clear();
        self.gathered = gathered;
        Ok(())
    }

    fn send_hole(&mut self) -> Result<(), PumpError<S::Error>> {
        match std::mem::take(&mut self.hole) {
            0 => Ok(()),
            length => self.sink.hole(length).map_err(PumpError::Sink),
        }
    }

    fn packet(&mut self, bytes: &[u8]) -> Result<(), PumpError<S::Error>> {
        if bytes.iter().all(|byte| *byte == 0) {
            self.skip(bytes.len() as u64);
            return Ok(());
        }
        self.send_hole()?;
        self.sink.send(bytes).map_err(PumpError::Sink)?;
        self.progress.add(bytes.len() as u64);
        Ok(())
    }
}

/// The next run of data of a file at or behind `position`, cut at `end`; empty and at `end` if only
/// a hole is left. A file system that knows no holes has one run.
fn next_data(file: &File, position: u64, end: u64) -> io::Result<std::ops::Range<u64>> {
    use rustix::io::Errno;
    // The cursor this moves is read by nobody here: all reads say where.
    let start = match seek(file, SeekFrom::Data(position)) {
        Ok(start) if start >= end => return Ok(end..end),
        Ok(start) => start,
        Err(Errno::NXIO) => return Ok(end..end),
        Err(Errno::INVAL | Errno::OPNOTSUPP) => return Ok(position..end),
        Err(errno) => return Err(errno.into()),
    };
    let stop = seek(file, SeekFrom::Hole(start)).unwrap_or(end);
    Ok(start..stop.min(end))
}

#[cfg(test)]
mod tests {
    use std::io::{Seek, SeekFrom, Write};

    use proptest::prelude::*;

    use super::*;

    /// Keeps what came: packets as they are, holes as their length.
    #[derive(Default)]
    struct Memory {
        bytes: Vec<u8>,
        packets: Vec<usize>,
        holes: Vec<u64>,
    }

    impl Sink for Memory {
        type Error = std::convert::Infallible;

        fn send(&mut self, bytes: &[u8]) -> Result<(), Self::Error> {
            self.packets.push(bytes.len());
            self.bytes.extend_from_slice(bytes);
            Ok(())
        }

        fn hole(&mut self, length: u64) -> Result<(), Self::Error> {
            self.holes.push(length);
            self.bytes.resize(self.bytes.len() + length as usize, 0);
            Ok(())
        }
    }

    fn pump(length: u64) -> (Pump<Memory>, Progress) {
        let progress = Progress::default();
        (
            Pump::new(Memory::default(), Some(length), progress.clone()),
            progress,
        )
    }

    #[test]
    fn small_portions_become_large_packets() {
        let (mut pump, progress) = pump(3 * PACKET as u64 + 10);
        for _ in 0..3 * PACKET + 10 {
            pump.data(&[7]).unwrap();
        }
        assert_eq!(pump.remaining(), 0);
        pump.flush().unwrap();
        let memory = pump.into_sink();
        assert_eq!(memory.packets, [PACKET, PACKET, PACKET, 10]);
        assert_eq!(progress.bytes(), memory.bytes.len() as u64);
    }

    #[test]
    fn zeros_and_neighbouring_holes_become_one_hole() {
        let (mut pump, _) = pump(10 * PACKET as u64);
        pump.data(&[1]).unwrap();
        pump.hole(PACKET as u64 - 1).unwrap();
        pump.data(&vec![0; 2 * PACKET]).unwrap();
        pump.hole(PACKET as u64).unwrap();
        pump.flush().unwrap();
        assert_eq!(pump.into_sink().holes, [4 * PACKET as u64 - 1]);
    }

    #[test]
    fn more_than_was_announced_is_refused_before_it_is_sent() {
        let (mut pump, progress) = pump(10);
        assert!(matches!(pump.data(&[1; 11]), Err(PumpError::TooLong)));
        let (mut pump2, _) = self::pump(10);
        assert!(matches!(pump2.hole(11), Err(PumpError::TooLong)));
        assert_eq!(progress.bytes(), 0);
        assert!(pump.into_sink().bytes.is_empty());
    }

    #[test]
    fn holes_of_a_file_are_not_read() {
        let mut file = tempfile::tempfile().unwrap();
        let gap = 64 << 20;
        file.write_all(&[1; 4096]).unwrap();
        file.seek(SeekFrom::Start(gap)).unwrap();
        file.write_all(&[2; 4096]).unwrap();
        file.set_len(2 * gap).unwrap();
        let (mut pump, progress) = pump(2 * gap - 1);
        pump.file(&file, 1, 2 * gap - 1, || false).unwrap();
        pump.flush().unwrap();
        let memory = pump.into_sink();
        assert_eq!(progress.bytes(), 2 * gap - 1);
        assert_eq!(memory.bytes.len() as u64, 2 * gap - 1);
        assert_eq!(memory.bytes[..4095], [1; 4095]);
        assert_eq!(memory.bytes[gap as usize - 1..][..4096], [2; 4096]);
        // Packets are small only because the extents are: a file system may round them up, not down
        // to everything.
        assert!(
            memory.packets.iter().sum::<usize>() < 1 << 20,
            "{:?}",
            memory.packets
        );
    }

    #[test]
    fn a_file_that_is_too_short_is_an_error_before_anything_is_sent() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"short").unwrap();
        let (mut pump, _) = pump(10);
        assert!(matches!(
            pump.file(&file, 0, 10, || false),
            Err(PumpError::Read(_))
        ));
        assert!(pump.into_sink().bytes.is_empty());
    }

    #[test]
    fn a_cancelled_file_stops() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&vec![1; 2 * PACKET]).unwrap();
        let (mut pump, progress) = pump(2 * PACKET as u64);
        let before_second = || progress.bytes() >= PACKET as u64;
        let result = pump.file(&file, 0, 2 * PACKET as u64, before_second);
        assert!(matches!(result, Err(PumpError::Cancelled)));
        assert_eq!(progress.bytes(), PACKET as u64);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Data(usize, u8),
        Hole(u64),
        File(usize, u8),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0..3 * PACKET, 0..2u8).prop_map(|(length, byte)| Step::Data(length, byte)),
            (0..3 * PACKET as u64).prop_map(Step::Hole),
            (1..3 * PACKET, 0..2u8).prop_map(|(length, byte)| Step::File(length, byte)),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn what_goes_in_comes_out(steps in proptest::collection::vec(step(), 0..8)) {
            let (mut pump, progress) = pump(u64::MAX);
            let mut expected = Vec::new();
            for step in steps {
                match step {
                    Step::Data(length, byte) => {
                        pump.data(&vec![byte; length]).unwrap();
                        expected.resize(expected.len() + length, byte);
                    }
                    Step::Hole(length) => {
                        pump.hole(length).unwrap();
                        expected.resize(expected.len() + length as usize, 0);
                    }
                    Step::File(length, byte) => {
                        let mut file = tempfile::tempfile().unwrap();
                        file.write_all(&vec![byte; length]).unwrap();
                        pump.file(&file, 0, length as u64, || false).unwrap();
                        expected.resize(expected.len() + length, byte);
                    }
                }
            }
            pump.flush().unwrap();
            let memory = pump.into_sink();
            prop_assert!(memory.bytes == expected);
            prop_assert_eq!(progress.bytes(), expected.len() as u64);
            prop_assert!(memory.packets.iter().all(|length| *length <= PACKET));
        }
    }
}
