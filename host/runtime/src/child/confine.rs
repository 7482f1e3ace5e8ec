//! What a child process gives up before it sees a byte of a component. Run in the child, on its only
//! thread.
//!
//! ```text
//!  started ─► descriptors closed ─► ends with its parent ─► no dumps, no new privileges
//!          ─► landlock: no files, no network ─► resource limits ─► seccomp: the calls it needs
//! ```
//!
//! The kernel may lack landlock or seccomp; the others hold then, and [`Confinement`] tells it.

use std::collections::BTreeMap;
use std::fs;
use std::io;

use landlock::{
    ABI, Access, AccessFs, AccessNet, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetStatus,
    Scope,
};
use nix::libc;
use rustix::process::{
    DumpableBehavior, Pid, Resource, Rlimit, Signal, getpid, getppid, set_dumpable_behavior,
    set_parent_process_death_signal, setrlimit,
};
use rustix::thread::{no_new_privs, set_no_new_privs};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, apply_filter,
};
use serde::{Deserialize, Serialize};

/// What the kernel is to hold a child to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounds {
    /// Bytes of memory that the process may write to.
    pub memory: u64,
    /// Seconds of processor time, of all its threads.
    pub processor_seconds: u64,
}

/// What holds a child, as it has found itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confinement {
    /// It can't get privileges by starting another program.
    pub no_new_privileges: bool,
    /// The kernel refuses all system calls but those it needs.
    pub seccomp: bool,
    /// The kernel refuses it every file.
    pub landlock: bool,
}

/// Bytes of addresses: wasmtime reserves 4 GiB and guards for each memory, without using them. Enough
/// for 50 memories, which a component may have, and everything else of the process.
const ADDRESSES: u64 = 256 << 30;

/// Descriptors: the connection to the parent, and some that the allocator or the runtime may want.
const DESCRIPTORS: u64 = 16;

/// Restricts this process for good. Nothing may run on other threads.
///
/// # Errors
/// When something failed that every kernel has, or the parent is gone.
pub fn confine(bounds: Bounds, parent: i32) -> io::Result<Confinement> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // It may have ended before it was asked to take this process along.
    if getppid().map(Pid::as_raw_pid) != Some(parent) {
        return Err(io::Error::other("the parent has ended"));
    }
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    set_no_new_privs(true)?;
    let landlock = give_up_files();
    for (resource, most) in [
        (Resource::Core, 0),
        (Resource::Fsize, 0),
        (Resource::Nofile, DESCRIPTORS),
        (Resource::Cpu, bounds.processor_seconds),
        (Resource::Data, bounds.memory),
        (Resource::As, ADDRESSES),
    ] {
        limit(resource, most)?;
    }
    let no_new_privileges = no_new_privs().unwrap_or(false);
    Ok(Confinement {
        no_new_privileges,
        landlock,
        seccomp: give_up_calls(),
    })
}

/// Closes what this process has inherited but the three standard descriptors: a library of its parent
/// may have opened some that stay open in every program it starts.
///
/// # Errors
/// When `/proc` can't be read.
pub(crate) fn close_inherited() -> io::Result<()> {
    let open: Vec<i32> = fs::read_dir("/proc/self/fd")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    for descriptor in open.into_iter().filter(|descriptor| *descriptor > 2) {
        // The one that the list was read from is closed already.
        let _ = nix::unistd::close(descriptor);
    }
    Ok(())
}

/// Lowers a limit for good; one that is lower already stays.
fn limit(resource: Resource, most: u64) -> io::Result<()> {
    let found = rustix::process::getrlimit(resource);
    let most = most.min(found.maximum.unwrap_or(u64::MAX));
    let limit = Rlimit {
        current: Some(most),
        maximum: Some(most),
    };
    Ok(setrlimit(resource, limit)?)
}

fn give_up_files() -> bool {
    // What an older kernel does not know of this is left out by the library.
    let abi = ABI::V6;
    let restricted = Ruleset::default()
        .handle_access(AccessFs::from_all(abi))
        .and_then(|rules| rules.handle_access(AccessNet::from_all(abi)))
        .and_then(|rules| rules.scope(Scope::from_all(abi)))
        .and_then(Ruleset::create)
        .and_then(|rules| rules.no_new_privs(true).restrict_self());
    restricted.is_ok_and(|status| status.ruleset != RulesetStatus::NotEnforced)
}

/// Calls without a look at their arguments. What a call of these can do is bounded by the resource
/// limits: memory, threads, waiting, reading and writing what is open.
const CALLS: &[i64] = &[
    libc::SYS_brk,
    libc::SYS_clock_getres,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    // To the C library that there is no such thing: see below.
    libc::SYS_clone3,
    libc::SYS_close,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_fstat,
    libc::SYS_futex,
    libc::SYS_getpid,
    libc::SYS_getrandom,
    libc::SYS_gettid,
    libc::SYS_madvise,
    libc::SYS_membarrier,
    libc::SYS_mremap,
    libc::SYS_munmap,
    libc::SYS_nanosleep,
    libc::SYS_ppoll,
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_recvfrom,
    libc::SYS_restart_syscall,
    libc::SYS_rseq,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_yield,
    libc::SYS_sendto,
    libc::SYS_set_robust_list,
    libc::SYS_sigaltstack,
    libc::SYS_write,
    libc::SYS_writev,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_poll,
];

/// Leaves this process the system calls it needs; all others are refused, not deadly, since the C
/// library tries some that it can do without.
fn give_up_calls() -> bool {
    let install = || -> Result<(), seccompiler::Error> {
        for program in programs()? {
            apply_filter(&program)?;
        }
        Ok(())
    };
    install().is_ok()
}

fn programs() -> Result<[BpfProgram; 2], seccompiler::BackendError> {
    let architecture: TargetArch = std::env::consts::ARCH.try_into()?;
    let refused = |number: i32| SeccompAction::Errno(number.unsigned_abs());
    // The arguments of `clone3` lie in memory, where a filter can't look. Told that there is none, the
    // C library starts its threads by `clone`.
    let no_clone3 = SeccompFilter::new(
        BTreeMap::from([(libc::SYS_clone3, Vec::new())]),
        SeccompAction::Allow,
        refused(libc::ENOSYS),
        architecture,
    )?;
    let only_these = SeccompFilter::new(
        rules()?,
        refused(libc::EPERM),
        SeccompAction::Allow,
        architecture,
    )?;
    Ok([no_clone3.try_into()?, only_these.try_into()?])
}

fn rules() -> Result<BTreeMap<i64, Vec<SeccompRule>>, seccompiler::BackendError> {
    let argument = |index, operator, value| {
        SeccompCondition::new(index, SeccompCmpArgLen::Qword, operator, value)
    };
    let rule = |condition| SeccompRule::new(vec![condition]);
    let bits = |bits: i32| u64::from(bits.unsigned_abs());
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        CALLS.iter().map(|call| (*call, Vec::new())).collect();

    // Threads, no processes.
    let thread = bits(libc::CLONE_THREAD);
    let is_thread = argument(0, SeccompCmpOp::MaskedEq(thread), thread)?;
    rules.insert(libc::SYS_clone, vec![rule(is_thread)?]);
    // Memory of its own: what is shared is not counted by `RLIMIT_DATA`.
    let shared = bits(libc::MAP_SHARED);
    let is_private = argument(3, SeccompCmpOp::MaskedEq(shared), 0)?;
    rules.insert(libc::SYS_mmap, vec![rule(is_private)?]);
    // Never writable and executable at once.
    let both = bits(libc::PROT_WRITE | libc::PROT_EXEC);
    let writable = argument(2, SeccompCmpOp::MaskedEq(both), bits(libc::PROT_WRITE))?;
    let executable = argument(2, SeccompCmpOp::MaskedEq(both), bits(libc::PROT_EXEC))?;
    let neither = argument(2, SeccompCmpOp::MaskedEq(both), 0)?;
    rules.insert(
        libc::SYS_mprotect,
        vec![rule(writable)?, rule(executable)?, rule(neither)?],
    );
    // Limits may be looked at.
    let no_new_limit = argument(2, SeccompCmpOp::Eq, 0)?;
    rules.insert(libc::SYS_prlimit64, vec![rule(no_new_limit)?]);
    // Threads get names, and the allocator names its memory.
    let name = argument(0, SeccompCmpOp::Eq, bits(libc::PR_SET_NAME))?;
    let memory = argument(0, SeccompCmpOp::Eq, bits(libc::PR_SET_VMA))?;
    rules.insert(libc::SYS_prctl, vec![rule(name)?, rule(memory)?]);
    // A process that gives up signals itself.
    let own = u64::from(getpid().as_raw_pid().unsigned_abs());
    let to_itself = argument(0, SeccompCmpOp::Eq, own)?;
    rules.insert(libc::SYS_tgkill, vec![rule(to_itself)?]);
    Ok(rules)
}
