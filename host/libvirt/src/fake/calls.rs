//! What was called, in order, and which calls are to fail.
use std::{collections::HashMap, fmt};

use crate::{Error, Result, named::named};

named! {
    /// A kind of call, named after the method.
    Call, "call" {
        /// `facts`
        Facts = "facts",
        /// `capabilities`
        Capabilities = "capabilities",
        /// `domain_capabilities`
        DomainCapabilities = "domain_capabilities",
        /// `pools`
        Pools = "pools",
        /// `networks`
        Networks = "networks",
        /// `pool`
        Pool = "pool",
        /// `network`
        Network = "network",
        /// `host_device`
        HostDevice = "host_device",
        /// `list_volumes`
        ListVolumes = "list_volumes",
        /// `volume`
        Volume = "volume",
        /// `volume_by_path`
        VolumeByPath = "volume_by_path",
        /// `create_volume`
        CreateVolume = "create_volume",
        /// `clone_volume`
        CloneVolume = "clone_volume",
        /// `resize_volume`
        ResizeVolume = "resize_volume",
        /// `delete_volume`
        DeleteVolume = "delete_volume",
        /// `open_upload`
        OpenUpload = "open_upload",
        /// `data` of an upload
        UploadData = "upload_data",
        /// `hole` of an upload
        UploadHole = "upload_hole",
        /// `file` of an upload
        UploadFile = "upload_file",
        /// `finish` of an upload
        UploadFinish = "upload_finish",
        /// An upload was dropped before its end. Recorded, and never fails.
        UploadAbort = "upload_abort",
        /// `volume_head`
        VolumeHead = "volume_head",
        /// `download_volume`
        DownloadVolume = "download_volume",
        /// `list_domains`
        ListDomains = "list_domains",
        /// `define_domain`
        DefineDomain = "define_domain",
        /// `update_domain`
        UpdateDomain = "update_domain",
        /// `build_record`
        BuildRecord = "build_record",
        /// `set_build_record`
        SetBuildRecord = "set_build_record",
        /// `start_domain`
        StartDomain = "start_domain",
        /// `start_domain_paused`
        StartDomainPaused = "start_domain_paused",
        /// `resume_domain`
        ResumeDomain = "resume_domain",
        /// `domain_state`
        DomainState = "domain_state",
        /// `watch_domain`
        WatchDomain = "watch_domain",
        /// `shutdown_domain`
        ShutdownDomain = "shutdown_domain",
        /// `destroy_domain`
        DestroyDomain = "destroy_domain",
        /// `undefine_domain`
        UndefineDomain = "undefine_domain",
        /// `interface_addresses`
        InterfaceAddresses = "interface_addresses",
        /// `send_keys`
        SendKeys = "send_keys",
        /// `screenshot`
        Screenshot = "screenshot",
        /// `open_console`
        OpenConsole = "open_console",
        /// `read` of a console
        ConsoleRead = "console_read",
    }
}

/// One call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Which.
    pub call: Call,
    /// On what: a name, a volume, a domain and its argument.
    pub subject: String,
    /// Whether it was made to fail.
    pub failed: bool,
}

type MakeError = Box<dyn Fn() -> Error + Send>;

/// The calls so far and the failures to come.
#[derive(Default)]
pub(super) struct Record {
    operations: Vec<Operation>,
    /// Fails when `operations` has grown to this.
    fail_at: Option<usize>,
    fail_on: HashMap<Call, Option<MakeError>>,
    /// How often each is still busy.
    busy: HashMap<Call, u32>,
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("operations", &self.operations)
            .finish_non_exhaustive()
    }
}

impl Record {
    pub(super) fn operations(&self) -> &[Operation] {
        &self.operations
    }

    pub(super) fn fail_at(&mut self, number: usize) {
        self.fail_at = Some(self.operations.len() + number);
    }

    pub(super) fn fail_on(&mut self, call: Call, error: Option<MakeError>) {
        self.fail_on.insert(call, error);
    }

    pub(super) fn stay_busy(&mut self, call: Call, looks: u32) {
        self.busy.insert(call, looks);
    }

    pub(super) fn clear_failures(&mut self) {
        self.busy.clear();
        self.fail_at = None;
        self.fail_on.clear();
    }

    pub(super) fn call(&mut self, call: Call, subject: String) -> Result<()> {
        let number = self.operations.len() + 1;
        let busy = self.busy.get_mut(&call).filter(|looks| **looks > 0);
        let is_busy = busy.is_some_and(|looks| {
            *looks -= 1;
            true
        });
        let scripted = self.fail_on.get(&call);
        let failed = is_busy || self.fail_at == Some(number) || scripted.is_some();
        let result = match scripted {
            _ if is_busy => Err(Error::Busy {
                action: format!("{call} {subject}"),
                message: "the fake was told to be".into(),
            }),
            Some(Some(error)) => Err(error()),
            _ if failed => Err(Error::Libvirt {
                action: format!("{call} {subject}"),
                code: 0,
                message: format!("injected failure of call {number}"),
            }),
            _ => Ok(()),
        };
        self.operations.push(Operation {
            call,
            subject,
            failed,
        });
        result
    }

    /// Records what cannot fail.
    pub(super) fn note(&mut self, call: Call, subject: String) {
        self.operations.push(Operation {
            call,
            subject,
            failed: false,
        });
    }
}
