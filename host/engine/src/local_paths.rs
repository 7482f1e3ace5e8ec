//! Every path of this machine that a source names, looked at before anything is made.
//!
//! ```text
//!  option ─► its path ─► is it there? of that kind? may it be read, or made? ─► else an error at the option
//! ```
//! Only what the template names is looked at. Of files nothing is read but the keys that lvhost logs in with.
//! What is only known when the build runs is not judged, and neither is what is on the hypervisor or in the
//! guest. Provisioners use the same checks for theirs.

use std::io;
use std::path::{Path, PathBuf};

use lvhost_communicator::keys;
use lvhost_config::{
    Communicator, CommunicatorType, ConsoleLog, LibvirtSource, Origin, SourceValue, VolumeSource,
};
use lvhost_fetch::{Checksum, Location};
use lvhost_hcl::{Diagnostic, Diagnostics};
use lvhost_libvirt::ConnectionUri;
use lvhost_runtime::{Download, Grant};
use rustix::fs::Access;
use secrecy::ExposeSecret;
use secrecy::SecretString;

use crate::configure::{Configured, place_of};
use crate::permission::Permission;
use crate::sources::Sources;
use crate::volumes::check_files;

/// Bytes of a key or certificate. An RSA key of 16,384 bits has 13 KiB.
const KEY_BYTES: u64 = 64 << 10;

/// What a key with a passphrase is replaced by.
const NO_PASSPHRASE: &str = "lvhost asks for no passphrase: add the key to the SSH agent (`ssh-add`) and \
     set `ssh_agent_auth = true` (for a bastion `ssh_bastion_agent_auth`), or use a key without one";

/// What relative paths and the agent are meant from.
#[derive(Debug, Clone, Copy)]
pub struct LocalPaths<'a> {
    /// The folder of relative paths.
    pub working_directory: &'a Path,
    /// What `~/` stands for in the paths of keys.
    pub home_directory: Option<&'a Path>,
    /// The socket of the user's SSH agent.
    pub agent_socket: Option<&'a Path>,
}

impl LocalPaths<'_> {
    /// Reports every path in `source` that the build would fail at.
    ///
    /// This blocks on the file system.
    pub fn check(
        &self,
        source: &LibvirtSource,
        configured: &Configured,
        sources: &Sources,
        report: &mut Diagnostics,
    ) {
        let origin = &source.origin;
        if let Some(communicator) = &source.communicator
            && communicator.communicator == CommunicatorType::Ssh
        {
            self.keys(communicator, report);
            self.agent(communicator, report);
        }
        if let Some(key) = ConnectionUri::new(source.libvirt_uri.as_str())
            .bastion()
            .and_then(|bastion| bastion.key_file)
            && is_judged(origin, "libvirt_uri")
            // Looked at and not opened: the URI may be a stranger's.
            && !self.key_path(&key).is_file()
        {
            let why = "there is no such file";
            let summary = format!("`libvirt_uri`: can't read its `keyfile` {key}: {why}");
            let help = "correct the path behind `keyfile=`";
            report.push(Diagnostic::error(origin.span_of("libvirt_uri"), summary).help(help));
        }
        if let Some(folder) = &source.http_directory
            && is_judged(origin, "http_directory")
        {
            let path = self.working_directory.join(folder);
            if let Err(why) = readable_folder(&path) {
                let help = "name a folder of this machine, or use `http_content` for single texts";
                report.push(unusable(
                    origin,
                    "http_directory",
                    "read the folder",
                    &path,
                    &why,
                    help,
                ));
            }
        }
        if let ConsoleLog::File(file) = &source.console_log
            && is_judged(origin, "console_log")
        {
            let path = self.working_directory.join(file);
            if let Err(why) = place_of_file(&path) {
                let help = "name a file of this machine, or `off`";
                report.push(unusable(origin, "console_log", "write", &path, &why, help));
            }
        }
        if let Some(folder) = &source.output_directory
            && is_judged(origin, "output_directory")
        {
            let path = self.working_directory.join(folder);
            if let Err(why) = place_of_folder(&path) {
                let help = "name a folder of this machine that is empty or not there yet";
                report.push(unusable(
                    origin,
                    "output_directory",
                    "write into",
                    &path,
                    &why,
                    help,
                ));
            }
        }
        for (index, volume) in source.volume.iter().enumerate() {
            if let Some(block) = &volume.source
                && let Permission::Template = sources.permission(&block.type_name)
            {
                self.source_files(block, configured.grants(index), report);
            }
        }
    }

    /// A path as the log-in means it.
    fn key_path(&self, text: &str) -> PathBuf {
        match (text.strip_prefix("~/"), self.home_directory) {
            (Some(below), Some(home)) => home.join(below),
            _ => self.working_directory.join(text),
        }
    }

    fn keys(&self, communicator: &Communicator, report: &mut Diagnostics) {
        let origin = &communicator.origin;
        for (option, file) in [
            ("ssh_private_key_file", &communicator.ssh_private_key_file),
            (
                "ssh_bastion_private_key_file",
                &communicator.ssh_bastion_private_key_file,
            ),
        ] {
            if let Some(file) = file.as_ref().filter(|_| is_judged(origin, option)) {
                let path = self.key_path(file);
                if let Err((why, help)) = usable_key(&path) {
                    report.push(unusable(origin, option, "read", &path, &why, help));
                }
            }
        }
        for (option, file) in [
            ("ssh_certificate_file", &communicator.ssh_certificate_file),
            (
                "ssh_bastion_certificate_file",
                &communicator.ssh_bastion_certificate_file,
            ),
        ] {
            if let Some(file) = file.as_ref().filter(|_| is_judged(origin, option)) {
                let path = self.key_path(file);
                if let Err(why) = usable_certificate(&path) {
                    let help =
                        "name the certificate that `ssh-keygen -s` has made of the public key";
                    report.push(unusable(origin, option, "read", &path, &why, help));
                }
            }
        }
    }

    fn agent(&self, communicator: &Communicator, report: &mut Diagnostics) {
        let origin = &communicator.origin;
        for (option, is_set, has_other) in [
            (
                "ssh_agent_auth",
                communicator.ssh_agent_auth,
                communicator.ssh_private_key_file.is_some()
                    || communicator.ssh_private_key.is_some()
                    || communicator.ssh_password.is_some(),
            ),
            (
                "ssh_bastion_agent_auth",
                communicator.ssh_bastion_agent_auth,
                communicator.ssh_bastion_private_key_file.is_some()
                    || communicator.ssh_bastion_password.is_some()
                    || communicator.ssh_bastion_interactive,
            ),
        ] {
            if !is_set || !is_judged(origin, option) {
                continue;
            }
            let why = match self.agent_socket {
                None => "SSH_AUTH_SOCK is not set".to_owned(),
                Some(socket) if socket.exists() => continue,
                Some(socket) => format!("nothing is at {} (SSH_AUTH_SOCK)", socket.display()),
            };
            let span = origin.span_of(option);
            let summary = format!("`{option}` is set, but there is no SSH agent: {why}");
            let said = match has_other {
                true => Diagnostic::warning(span, summary),
                false => Diagnostic::error(span, summary),
            };
            report.push(
                said.help("start one with `eval $(ssh-agent)`, and add a key with `ssh-add`"),
            );
        }
    }

    /// The files of this machine that a built-in source asks for.
    fn source_files(&self, block: &VolumeSource, grants: &[Grant], report: &mut Diagnostics) {
        let span = |text: &str| place_of(block, text).unwrap_or_else(|| block.origin.span());
        let mut urls = 0;
        let mut unreadable = Vec::new();
        for grant in grants {
            match grant {
                Grant::Files(pattern) => {
                    if let Err(why) = check_files(pattern, self.working_directory) {
                        report.push(Diagnostic::error(span(pattern), why).help(
                            "correct the path; a relative one is meant from where lvhost is called",
                        ));
                    }
                }
                Grant::Url(Download { url: text, .. }) => {
                    urls += 1;
                    match Location::parse(text) {
                        Ok(location) => {
                            if let Some((path, why)) = self.unreadable(location) {
                                unreadable.push((text, path, why));
                            }
                        }
                        // The component has let it pass; what counts is what the build makes of it.
                        Err(error) => report.push(
                            Diagnostic::error(span(text), error.to_string())
                                .help("use an `http`, `https`, `s3` or `smb` URL, or the path of a local file"),
                        ),
                    }
                }
                Grant::UrlsBelow(_)
                | Grant::Volume(_)
                | Grant::HypervisorPath(_)
                | Grant::Post(_)
                | Grant::Secret(_) => {}
            }
        }
        // They are tried in turn: one that can't be read fails the build only if no other is left.
        let is_hopeless = unreadable.len() == urls;
        for (text, path, why) in unreadable {
            let summary = format!("can't read {}: {why}", path.display());
            report.push(match is_hopeless {
                true => Diagnostic::error(span(text), summary).help("correct the path"),
                false => Diagnostic::warning(span(text), summary)
                    .help("the other locations are tried; correct the path or remove it"),
            });
        }
        for setting in &block.settings {
            let Some(SourceValue::Text(text)) = &setting.value else {
                continue;
            };
            let text = text.expose_secret();
            // A list of checksums; what is to be fetched has been asked for.
            let is_asked = grants
                .iter()
                .any(|grant| matches!(grant, Grant::Url(file) if file.url == text));
            if !is_asked
                && text.trim_start().starts_with("file:")
                && let Ok(Checksum::File(list)) = Checksum::parse(text)
                && let Some((path, why)) = self.unreadable(*list)
            {
                let summary = format!("`{}`: can't read {}: {why}", setting.name, path.display());
                report.push(
                    Diagnostic::error(span(text), summary).help("correct the path behind `file:`"),
                );
            }
        }
    }

    /// A location on this machine that can't be read, and why.
    fn unreadable(&self, location: Location) -> Option<(PathBuf, String)> {
        let Location::Path(file) = location else {
            return None;
        };
        let path = self.working_directory.join(&*file);
        readable_file(&path).err().map(|why| (path, why))
    }
}

/// Whether the user wrote the option, with a value that is known already.
fn is_judged(origin: &Origin, option: &str) -> bool {
    origin.is_set(option) && !origin.is_unknown(option)
}

fn unusable(
    origin: &Origin,
    option: &str,
    action: &str,
    path: &Path,
    why: &str,
    help: &str,
) -> Diagnostic {
    let summary = format!("`{option}`: can't {action} {}: {why}", path.display());
    Diagnostic::error(origin.span_of(option), summary).help(help)
}

/// Whether a file is a private key that needs no passphrase; else why not, and what to do.
fn usable_key(path: &Path) -> Result<(), (String, &'static str)> {
    let text = lvhost_regular_file::read_to_string(path, KEY_BYTES).map_err(|error| {
        let help = "correct the path, or make a key with `ssh-keygen`; `data \"sshkey\"` makes one by itself";
        (reason(&error), help)
    })?;
    let text = SecretString::from(text);
    match keys::read("", &text, None, "") {
        Ok(_) => Ok(()),
        Err(keys::Error::PassphraseMissing { .. }) => {
            Err(("it has a passphrase".to_owned(), NO_PASSPHRASE))
        }
        Err(_) => Err((
            "it is no private key in the form of OpenSSH or PEM".to_owned(),
            "name the private half of the key pair, the one without `.pub`",
        )),
    }
}

fn usable_certificate(path: &Path) -> Result<(), String> {
    let text =
        lvhost_regular_file::read_to_string(path, KEY_BYTES).map_err(|error| reason(&error))?;
    let kind = text.split_whitespace().next().unwrap_or_default();
    match kind.contains("-cert-v") {
        true => Ok(()),
        false => Err("it is no certificate of OpenSSH".to_owned()),
    }
}

/// Whether a regular file can be read; else why not.
pub(crate) fn readable_file(path: &Path) -> Result<(), String> {
    lvhost_regular_file::open(path)
        .map(drop)
        .map_err(|error| reason(&error))
}

/// Whether a folder can be looked into; else why not.
pub(crate) fn readable_folder(path: &Path) -> Result<(), String> {
    let metadata = path.metadata().map_err(|error| reason(&error))?;
    if !metadata.is_dir() {
        return Err("it is not a folder".to_owned());
    }
    std::fs::read_dir(path)
        .map(drop)
        .map_err(|error| reason(&error))
}

/// Whether a file can be written at `path`; else why not. Nothing is made.
pub(crate) fn place_of_file(path: &Path) -> Result<(), String> {
    lvhost_regular_file::check_place(path).map_err(|error| reason(&error))?;
    match path.parent() {
        Some(parent) => place_of_folder(parent),
        None => Ok(()),
    }
}

/// Whether files can be written into the folder `path`, which is made if need be; else why not.
pub(crate) fn place_of_folder(path: &Path) -> Result<(), String> {
    let there = path
        .ancestors()
        .find(|folder| folder.symlink_metadata().is_ok());
    let Some(there) = there.filter(|folder| !folder.as_os_str().is_empty()) else {
        return Ok(());
    };
    let shown = there.display();
    match there.metadata() {
        Err(error) => Err(format!("{shown}: {}", reason(&error))),
        Ok(metadata) if !metadata.is_dir() => Err(format!("{shown} is not a folder")),
        Ok(_) => rustix::fs::access(there, Access::WRITE_OK | Access::EXEC_OK)
            .map_err(|error| format!("{shown}: {}", reason(&error.into()))),
    }
}

/// What an error of the file system comes to, in words.
pub(crate) fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file or folder".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::IsADirectory => "it is a folder".to_owned(),
        io::ErrorKind::NotADirectory => "a part of the path is not a folder".to_owned(),
        _ => error.to_string(),
    }
}
