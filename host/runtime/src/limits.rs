//! Every bound on what a component may take, with its reason.
//!
//! [`Limits`] are those that a user's permissions may change for one component; the constants hold
//! for all.

use std::time::Duration;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// What one component may take. The defaults are several times what the five built-in sources need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of linear memory. 64 MiB: a source holds at most a file system's directory and buffers
    /// of 1 MiB; bulk bytes stay in the host.
    pub memory: usize,
    /// Computing time of `describe` and of `configure`. 5 s: they only look at strings, and a
    /// validation of many volumes must stay quick even with a component that spins.
    pub configure_time: Duration,
    /// Computing time of `prepare`. 60 s: at the slowest measured rate (SHA-256 in a guest,
    /// 0.4 GiB/s) that is 24 GiB of bytes looked at. Waiting for the host is not counted.
    pub prepare_time: Duration,
    /// Lines of log and of standard output in one call. 1000: more is nothing a user reads.
    pub log_lines: usize,
    /// Bytes of log and of standard output in one call.
    pub log_bytes: usize,
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

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: 64 * MIB,
            configure_time: Duration::from_secs(5),
            prepare_time: Duration::from_secs(60),
            log_lines: 1000,
            log_bytes: 256 * KIB,
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

/// Elements of a component's tables: its functions that are called by pointer. Ours have hundreds.
pub(crate) const TABLE_ELEMENTS: usize = 20_000;

/// Core instances, tables and memories each. A component made of one Rust crate has fewer than ten.
pub(crate) const INSTANCES: usize = 50;

/// Bytes that one call between component and host may copy into the host. The biggest honest one is
/// a write of 1 MiB; lists are counted by the size of their host representation.
pub(crate) const CALL_BYTES: usize = 8 * MIB;

/// Handles of all kinds that a component may hold at a time.
pub(crate) const HANDLES: usize = 4096;

/// Blobs that a component may hold at a time. Each is an open file of the host, and a process has
/// 1024 by default.
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
