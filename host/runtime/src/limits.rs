//! Every bound on what a component may take, with its reason.
//!
//! [`Limits`] are those that a user's permissions may change for one component; the constants hold
//! for all.

use std::time::Duration;

use crate::types::Codec;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// What one component may take. All times are processor time, its own and what lvhost computes for it,
/// in sum over one command; waiting for servers and the hypervisor is not counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of its linear memories and tables together. 64 MiB: a source holds at most a file
    /// system's directory and buffers of 1 MiB; bulk bytes stay in the host.
    pub memory: usize,
    /// Time to compile it. 120 s: one with a whole interpreter in it takes some 20 s, and there are
    /// slower machines.
    pub compile_time: Duration,
    /// Time of all calls of `describe` and `configure`. 5 s: they only look at strings, and a
    /// validation of many volumes must stay quick even with a component that spins.
    pub configure_time: Duration,
    /// Time of all calls of `prepare`. 5 min: at the slowest measured rates that is 120 GiB of bytes
    /// looked at (SHA-256 in a guest, 0.4 GiB/s) or 18 GiB that lvhost decompresses (xz,
    /// 0.06 GiB/s).
    pub prepare_time: Duration,
    /// Lines of log and of standard output in one call. 1000: more is nothing a user reads.
    pub log_lines: usize,
    /// Bytes of log and of standard output in one call.
    pub log_bytes: usize,
    /// Bytes of machine code. It is two to four times as big as the component, and there twice: here and
    /// in the component's process.
    pub code: usize,
}

impl Limits {
    /// The least [`memory`](Self::memory) that makes sense: compiled Rust and C begin with a stack of
    /// 1 MiB and their data.
    pub const LEAST_MEMORY: usize = 2 * MIB;

    /// The most [`memory`](Self::memory) a user can give. Several volumes are prepared at a time, and
    /// what needs more than this should have the host hold its bytes.
    pub const MOST_MEMORY: usize = 1024 * MIB;

    /// The least [`prepare_time`](Self::prepare_time) that makes sense: a start takes milliseconds,
    /// on a busy machine tens of them.
    pub const LEAST_TIME: Duration = Duration::from_secs(1);

    /// The most [`prepare_time`](Self::prepare_time) a user can give: an hour of computing is
    /// 1.4 TiB of bytes looked at.
    pub const MOST_TIME: Duration = Duration::from_secs(60 * 60);
}

impl Limits {
    /// For components that ship with lvhost. What they do takes as long as the user's images are big,
    /// and they are not there to be guarded against: a day ends a mistake.
    #[must_use]
    pub fn built_in() -> Self {
        Self {
            configure_time: Duration::from_secs(60),
            prepare_time: Duration::from_secs(24 * 60 * 60),
            ..Self::default()
        }
    }

    /// For all components together that nobody has allowed, and that are asked what they would need. To
    /// look at a template must cost little, whatever lies beside it: 20 s compile one as big as an
    /// interpreter.
    #[must_use]
    pub fn not_allowed() -> Self {
        Self {
            compile_time: Duration::from_secs(20),
            ..Self::default()
        }
    }

    /// For all strangers' components of a command together, allowed or not: whoever gives a template away
    /// can give an `lvhost.hcl` away with it. Five minutes compile fifteen interpreters, and half a
    /// gigabyte holds the code of eight.
    #[must_use]
    pub fn of_command() -> Self {
        Self {
            compile_time: Duration::from_secs(300),
            configure_time: Duration::from_secs(60),
            prepare_time: Duration::from_secs(24 * 60 * 60),
            code: 512 * MIB,
            ..Self::default()
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: 64 * MIB,
            compile_time: Duration::from_secs(120),
            configure_time: Duration::from_secs(5),
            prepare_time: Duration::from_secs(300),
            log_lines: 1000,
            log_bytes: 256 * KIB,
            code: CODE_SIZE,
        }
    }
}

/// Bytes of a component that is compiled at load. The built-in ones have about 300 KiB, one with a
/// whole interpreter in it has some 20 MiB; compiling takes time and memory in proportion.
pub const COMPONENT_SIZE: usize = 32 * MIB;

/// Bytes of stack for a component's own calls. Compiled Rust keeps its big values in linear memory,
/// so this is hundreds of nested calls; the host's functions run on what is left of the 2 MiB that
/// wasmtime reserves.
pub(crate) const WASM_STACK: usize = 512 * KIB;

/// How often a computing component is interrupted to see whether it may go on. Short enough that
/// others on the same thread notice nothing, long enough to cost nothing.
pub(crate) const TICK: Duration = Duration::from_millis(10);

/// Elements of each of a component's tables: its functions that are called by pointer. Ours have
/// hundreds.
pub(crate) const TABLE_ELEMENTS: usize = 20_000;

/// Bytes of the host's memory for an element of a table: a pointer.
pub(crate) const TABLE_ELEMENT: usize = 8;

/// Core instances, tables and memories each. A component made of one Rust crate has fewer than ten.
pub(crate) const INSTANCES: usize = 50;

/// Bytes of the memory that a process for a component may write to beyond what the component itself may
/// have: the program's own data and stacks, wasmtime's structures, messages to and from lvhost.
pub(crate) const PROCESS_MEMORY: u64 = 96 << 20;

/// Bytes of memory in which a component is compiled. One with a whole interpreter in it takes some
/// 500 MiB.
pub(crate) const COMPILE_MEMORY: u64 = 1 << 30;

/// Bytes of one component's machine code.
pub(crate) const CODE_SIZE: usize = 4 * COMPONENT_SIZE;

/// Bytes that are read, decompressed and written for a component in one command. Holes are not
/// counted. 4 TiB: bigger images are not made by a component in one go, and at disk speed this is
/// most of an hour.
pub(crate) const BYTES: u64 = 4 << 40;

/// Downloads, listings, files and volumes that a component asks for in one command. A source of files
/// opens each of them: as many as there may be in one list, and some.
pub(crate) const LOOK_UPS: u64 = 2 * FILES as u64;

/// Time of the clock on the wall that a component's calls take in one command. A day: downloads over a
/// slow line take hours.
pub(crate) const WALL_TIME: Duration = Duration::from_secs(24 * 60 * 60);

/// Time in which a component in a process of its own neither asks for anything nor ends, for a stage
/// in which it may compute for `time`. On a machine that is busy with ten other things computing takes
/// ten times as long; the minute is for starting.
pub(crate) fn silence(time: Duration) -> Duration {
    Duration::from_secs(60).saturating_add(time.saturating_mul(10))
}

/// How often it is looked at what a process for a component has used up.
pub(crate) const LOOK: Duration = Duration::from_millis(50);

/// Processor time that it takes at most to check the bytes of a download: SHA-256 without help by the
/// processor does 256 MiB/s.
pub(crate) fn checksum_time(bytes: u64) -> Duration {
    Duration::from_millis(bytes >> 18)
}

/// Processor time that it takes at most to copy bytes of a file into a volume, 1 GiB/s.
pub(crate) fn splice_time(bytes: u64) -> Duration {
    Duration::from_millis(bytes >> 20)
}

/// Bytes that all decompressions held at a time may take: one of zstd with the biggest window, and
/// beside it what others need.
pub(crate) const DECODER_MEMORY: u64 = 300 << 20;

/// Bytes that a decompression may take, at most: the window that the format's decoder accepts, rounded
/// up as the decoder does, and its buffers.
pub(crate) fn decoder_memory(codec: Codec) -> u64 {
    match codec {
        Codec::Gzip => 512 << 10,
        Codec::Bzip2 => 5 << 20,
        Codec::Xz => 73 << 20,
        Codec::Zstd => 260 << 20,
    }
}

/// Bytes that one call between component and host may copy into the host. The biggest honest one is
/// a write of 1 MiB; lists are counted by the size of their host representation.
pub(crate) const CALL_BYTES: usize = 8 * MIB;

/// Handles of all kinds that a component may hold at a time.
pub(crate) const HANDLES: usize = 4096;

/// Blobs that a component may hold at a time, and all strangers' components of a command together. Each
/// is an open file of the host, and a process has 1024 by default, of which lvhost needs some to clean
/// up.
pub(crate) const BLOBS: usize = 512;

/// Readers that a component may hold at a time. Each may hold a decompressor with a window of many
/// megabytes.
pub(crate) const READERS: usize = 8;

/// Decompressors on top of each other: `.tar.gz.xz` has two.
pub(crate) const NESTED_DECODERS: u32 = 4;

/// Bytes of one `read` or `write`, as the contract says.
pub(crate) const CHUNK: usize = MIB;

/// Bytes of an image or of what is measured. More than any pool holds, few enough to add up without
/// overflow.
pub(crate) const IMAGE_SIZE: u64 = 1 << 50;

/// Bytes that an image of unknown length may have beyond twice its capacity: tables and headers of
/// small images in formats like qcow2.
pub(crate) const IMAGE_OVERHEAD: u64 = 64 << 20;

/// Time for a look-up or a single step of a transfer. They take milliseconds, and a network file
/// system or a busy hypervisor may take long; but a dead one must not hold the build for ever.
pub(crate) const STEP_TIME: Duration = Duration::from_secs(300);

/// Entries of one list of files.
pub(crate) const FILES: usize = 100_000;

/// Bytes of all paths in one list of files: 100,000 of a usual length, and what a component can hold.
pub(crate) const FILE_NAMES: usize = 16 * MIB;

/// Bytes of a path, pattern or URL. Linux has 4096 for paths; servers rarely take longer URLs.
pub(crate) const PATH: usize = 4096;

/// Bytes of a checksum as the user wrote it, which may be a URL.
pub(crate) const CHECKSUM: usize = 4096;

/// Bytes of a volume's or pool's name: file names have 255 at most.
pub(crate) const NAME: usize = 255;

/// Bytes of a word that libvirt or this contract knows: a format, a bus, a type, an option's name.
pub(crate) const WORD: usize = 64;

/// URLs of one download.
pub(crate) const URLS: usize = 64;

/// Headers of one request, and bytes of a name or a value in one.
pub(crate) const HEADERS: usize = 32;
pub(crate) const HEADER: usize = 8 * KIB;

/// Other spellings of a type.
pub(crate) const ALIASES: usize = 8;

/// Options of a source. The biggest built-in one has eight.
pub(crate) const OPTIONS: usize = 64;

/// Bytes of a summary: one line of a terminal and a bit.
pub(crate) const SUMMARY: usize = 200;

/// Bytes of an option's documentation.
pub(crate) const DOCUMENTATION: usize = 8 * KIB;

/// Remarks on one volume's options.
pub(crate) const DIAGNOSTICS: usize = 100;

/// Grants that one volume may ask for.
pub(crate) const GRANTS: usize = 256;

/// Bytes that a component may say of itself or of a volume, piece by piece, in one call: the biggest honest
/// answer asks for 256 grants and makes 100 remarks, and has to fit into a message of its process.
pub(crate) const SAID: usize = 2 * MIB;

/// Bytes that a component may say of itself and of all its volumes in one command: what is kept until
/// the command ends. An honest component says some hundred bytes of a volume, and a template with
/// thousands of them is rare.
pub(crate) const SAID_IN_ALL: u64 = 16 << 20;

/// Bytes of a sentence for the user: a message, an error, a line of the log.
pub(crate) const SENTENCE: usize = 4 * KIB;

/// Bytes of what is said to be in progress.
pub(crate) const ACTIVITY: usize = 200;

/// The shortest time between two reports of progress: nobody sees more than 20 in a second.
pub(crate) const PROGRESS_INTERVAL: Duration = Duration::from_millis(50);

/// Bytes of random numbers in one call.
pub(crate) const RANDOM: u64 = 64 * 1024;

/// Bytes of one write to standard output or error.
pub(crate) const STREAM_WRITE: usize = 64 * KIB;
