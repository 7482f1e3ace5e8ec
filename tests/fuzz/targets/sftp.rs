//! Fuzz target: a guest's answers to transfers by SFTP.
#![cfg_attr(fuzzing, no_main)]
#![forbid(unsafe_code)]

#[cfg(fuzzing)]
use lvhost_communicator::ssh::FileTransfer;
#[cfg(fuzzing)]
use lvhost_fuzz::peer::Peer;

lvhost_fuzz::target!(|data| {
    Peer::get(FileTransfer::Sftp).transfer(data);
});
