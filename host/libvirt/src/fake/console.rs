//! Consoles of fake guests. As with real ones, what nobody has opened is written to nobody, and the
//! last one who opened it has it.
use std::collections::HashMap;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::{Call, FakeHypervisor};
use crate::{Console, Error, Result};

/// The open consoles, and what guests write when they start.
#[derive(Debug, Default)]
pub(super) struct Consoles {
    open: HashMap<Uuid, mpsc::UnboundedSender<Bytes>>,
    boot_output: Bytes,
}

impl Consoles {
    pub(super) fn set_boot_output(&mut self, output: Bytes) {
        self.boot_output = output;
    }

    pub(super) fn open(&mut self, domain: Uuid) -> mpsc::UnboundedReceiver<Bytes> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.open.insert(domain, sender);
        receiver
    }

    /// The guest begins to run.
    pub(super) fn boot(&self, domain: Uuid) {
        self.write(domain, self.boot_output.clone());
    }

    pub(super) fn write(&self, domain: Uuid, bytes: Bytes) {
        if let Some(sender) = self.open.get(&domain)
            && !bytes.is_empty()
        {
            // A reader that is gone reads nothing.
            let _ = sender.send(bytes);
        }
    }

    pub(super) fn close(&mut self, domain: Uuid) {
        self.open.remove(&domain);
    }

    pub(super) fn close_all(&mut self) {
        self.open.clear();
    }
}

/// An open console.
pub(super) struct FakeConsole {
    pub(super) hypervisor: FakeHypervisor,
    pub(super) domain: String,
    pub(super) output: mpsc::UnboundedReceiver<Bytes>,
}

#[async_trait]
impl Console for FakeConsole {
    async fn read(&mut self) -> Result<Option<Bytes>> {
        drop(self.hypervisor.call(Call::ConsoleRead, &self.domain)?);
        match self.output.recv().await {
            Some(bytes) => Ok(Some(bytes)),
            None if self.hypervisor.lock().disconnected => Err(Error::Disconnected {
                action: format!("read the console of the domain {:?}", self.domain),
                message: "the fake was disconnected".into(),
            }),
            None => Ok(None),
        }
    }
}
