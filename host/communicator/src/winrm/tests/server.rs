//! A WinRM service of the tests' own. Its "Windows" is a folder of this machine: commands run in
//! `sh`, and PowerShell's part in a transfer is played after what its script says.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use roxmltree::Document;
use secrecy::SecretString;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::process::ChildStdin;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::super::ntlm::{Account, proof_is_right};
use super::super::powershell::Line;
use super::super::transfer::hex;

/// How long a `Receive` waits in vain here. The tests are to see it happen.
const PATIENCE: Duration = Duration::from_millis(100);
pub(super) const USER: &str = "Administrator";
pub(super) const PASSWORD: &str = "pa$$:wörd";
const NONCE: [u8; 8] = *b"\x01\x23\x45\x67\x89\xab\xcd\xef";

/// What kind of service it is, and how it misbehaves.
#[derive(Debug, Clone, Default)]
pub(super) struct Behaviour {
    pub(super) tls: bool,
    /// Takes NTLM instead of basic authentication.
    pub(super) ntlm: bool,
    /// Refuses this many requests before it lets anybody in.
    pub(super) refusals: usize,
    /// Changes a byte of each file it is sent.
    pub(super) corrupts: bool,
    /// Lines that it sends instead of a download.
    pub(super) lines: Option<Vec<Line>>,
}

pub(super) struct Server {
    pub(super) address: SocketAddr,
    pub(super) folder: tempfile::TempDir,
    state: Arc<State>,
    _tasks: JoinSet<()>,
}

struct State {
    behaviour: Behaviour,
    folder: PathBuf,
    refused: AtomicUsize,
    shells: Mutex<HashMap<String, HashMap<String, Command>>>,
    names: AtomicUsize,
}

/// A command that runs in a shell.
#[derive(Clone)]
struct Command {
    input: mpsc::UnboundedSender<(Vec<u8>, bool)>,
    output: Arc<tokio::sync::Mutex<mpsc::UnboundedReceiver<Event>>>,
}

enum Event {
    Output(&'static str, Vec<u8>),
    Exit(i32),
}

impl Server {
    pub(super) async fn start(behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let acceptor = behaviour.tls.then(acceptor);
        let folder = tempfile::tempdir().unwrap();
        let state = Arc::new(State {
            behaviour,
            folder: folder.path().to_owned(),
            refused: AtomicUsize::new(0),
            shells: Mutex::default(),
            names: AtomicUsize::new(0),
        });
        let mut tasks = JoinSet::new();
        let serving = Arc::clone(&state);
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (state, acceptor) = (Arc::clone(&serving), acceptor.clone());
                connections.spawn(async move {
                    match acceptor {
                        None => serve(state, stream).await,
                        Some(acceptor) => {
                            if let Ok(stream) = acceptor.accept(stream).await {
                                serve(state, stream).await;
                            }
                        }
                    }
                });
            }
        });
        Self {
            address,
            folder,
            state,
            _tasks: tasks,
        }
    }

    /// How many shells there are.
    pub(super) fn shells(&self) -> usize {
        self.state.shells.lock().unwrap().len()
    }

    /// Forgets all shells, as a guest does that boots anew.
    pub(super) fn reboot(&self) {
        self.state.shells.lock().unwrap().clear();
    }
}

fn acceptor() -> TlsAcceptor {
    let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let settings = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![key.cert.der().clone()],
            rustls::pki_types::PrivatePkcs8KeyDer::from(key.signing_key.serialize_der()).into(),
        )
        .unwrap();
    TlsAcceptor::from(Arc::new(settings))
}

async fn serve(
    state: Arc<State>,
    stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
) {
    // NTLM logs in a connection.
    let let_in = Arc::new(AtomicBool::new(false));
    let service =
        service_fn(move |request| answer(Arc::clone(&state), Arc::clone(&let_in), request));
    // The client may go away at any time.
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

fn respond(status: StatusCode, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    response
}

fn refuse(challenge: &str) -> Response<Full<Bytes>> {
    let mut response = respond(StatusCode::UNAUTHORIZED, String::new());
    let headers = response.headers_mut();
    headers.insert(WWW_AUTHENTICATE, challenge.parse().unwrap());
    response
}

async fn answer(
    state: Arc<State>,
    let_in: Arc<AtomicBool>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    assert_eq!(request.uri().path(), "/wsman");
    let authorization = request.headers().get(AUTHORIZATION);
    let authorization = authorization.map(|value| value.to_str().unwrap().to_owned());
    let body = request.into_body().collect().await.unwrap().to_bytes();
    if let Some(refusal) = state.refusal(&let_in, authorization.as_deref()) {
        return Ok(refusal);
    }
    let text = String::from_utf8(body.to_vec()).unwrap();
    Ok(match state.carry_out(&text).await {
        Ok(answer) => respond(StatusCode::OK, answer),
        Err((code, subcode)) => respond(StatusCode::INTERNAL_SERVER_ERROR, fault(code, subcode)),
    })
}

fn envelope(body: &str) -> String {
    format!(
        "<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\" \
         xmlns:w=\"http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd\" \
         xmlns:rsp=\"http://schemas.microsoft.com/wbem/wsman/1/windows/shell\"><s:Header/>\
         <s:Body>{body}</s:Body></s:Envelope>"
    )
}

fn fault(code: &str, subcode: &str) -> String {
    envelope(&format!(
        "<s:Fault><s:Code><s:Value>s:Receiver</s:Value><s:Subcode><s:Value>{subcode}</s:Value>\
         </s:Subcode></s:Code><s:Reason><s:Text>it failed</s:Text></s:Reason><s:Detail>\
         <f:WSManFault xmlns:f=\"http://schemas.microsoft.com/wbem/wsman/1/wsmanfault\" \
         Code=\"{code}\"/></s:Detail></s:Fault>"
    ))
}

type Fault = (&'static str, &'static str);
const NO_SHELL: Fault = ("2150858843", "w:InvalidSelectors");

impl State {
    fn refusal(&self, let_in: &AtomicBool, sent: Option<&str>) -> Option<Response<Full<Bytes>>> {
        let late = || self.refused.fetch_add(1, Ordering::Relaxed) < self.behaviour.refusals;
        if !self.behaviour.ntlm {
            let expected = format!("Basic {}", STANDARD.encode(format!("{USER}:{PASSWORD}")));
            let right = sent == Some(expected.as_str());
            return (late() || !right).then(|| refuse("Basic realm=\"WSMAN\""));
        }
        let token = sent.and_then(|sent| STANDARD.decode(sent.strip_prefix("Negotiate ")?).ok());
        match token {
            None if let_in.load(Ordering::Relaxed) => None,
            Some(token) if token[8] == 1 => {
                // The challenge of a server named "W", without target information.
                let mut challenge = b"NTLMSSP\0\x02\0\0\0\x02\0\x02\0\x30\0\0\0".to_vec();
                challenge.extend_from_slice(&0xa088_8205_u32.to_le_bytes());
                challenge.extend_from_slice(&NONCE);
                challenge.extend_from_slice(&[0; 8]);
                challenge.extend_from_slice(b"\0\0\0\0\x32\0\0\0W\0");
                let challenge = STANDARD.encode(challenge);
                Some(refuse(&format!("Negotiate {challenge}")))
            }
            Some(token) => {
                let password = SecretString::from(PASSWORD);
                let account = Account {
                    user: USER,
                    password: &password,
                };
                let right = !late() && proof_is_right(&account, NONCE, &token);
                let_in.store(right, Ordering::Relaxed);
                (!right).then(|| refuse("Negotiate"))
            }
            None => Some(refuse("Negotiate")),
        }
    }

    fn name(&self) -> String {
        self.names.fetch_add(1, Ordering::Relaxed).to_string()
    }

    async fn carry_out(&self, envelope_text: &str) -> Result<String, Fault> {
        let (action, shell, command, text, piece, end) = {
            let document = Document::parse(envelope_text).unwrap();
            let find = |name: &str| {
                document
                    .descendants()
                    .find(|node| node.is_element() && node.tag_name().name() == name)
            };
            let text = |name: &str| find(name).and_then(|node| node.text()).unwrap_or_default();
            let command = document
                .descendants()
                .find_map(|node| node.attribute("CommandId"));
            let stream = find("Stream");
            (
                text("Action").rsplit('/').next().unwrap().to_owned(),
                text("Selector").to_owned(),
                command.unwrap_or_default().to_owned(),
                text("Command").to_owned(),
                STANDARD.decode(text("Stream")).unwrap(),
                stream.is_some_and(|node| node.attribute("End") == Some("true")),
            )
        };
        if action == "Create" {
            let name = self.name();
            self.shells
                .lock()
                .unwrap()
                .insert(name.clone(), HashMap::new());
            return Ok(envelope(&format!(
                "<rsp:Shell><rsp:ShellId>{name}</rsp:ShellId></rsp:Shell>"
            )));
        }
        let running = {
            let mut shells = self.shells.lock().unwrap();
            let commands = shells.get_mut(&shell).ok_or(NO_SHELL)?;
            match action.as_str() {
                "Delete" => {
                    shells.remove(&shell);
                    return Ok(envelope(""));
                }
                "Command" => {
                    let name = self.name();
                    commands.insert(name.clone(), self.start(&text));
                    return Ok(envelope(&format!(
                        "<rsp:CommandResponse><rsp:CommandId>{name}</rsp:CommandId>\
                         </rsp:CommandResponse>"
                    )));
                }
                _ => commands.get(&command).cloned().ok_or(NO_SHELL)?,
            }
        };
        if action == "Send" {
            // A command that has ended takes nothing.
            let _ = running.input.send((piece, end));
            return Ok(envelope("<rsp:SendResponse/>"));
        }
        let mut output = running.output.lock().await;
        let event = match tokio::time::timeout(PATIENCE, output.recv()).await {
            Ok(event) => event,
            Err(_) if self.shells.lock().unwrap().contains_key(&shell) => {
                return Err(("2150858793", "w:TimedOut"));
            }
            Err(_) => return Err(NO_SHELL),
        };
        Ok(envelope(&match event {
            Some(Event::Output(stream, bytes)) => format!(
                "<rsp:ReceiveResponse><rsp:Stream Name=\"{stream}\">{}</rsp:Stream>\
                 </rsp:ReceiveResponse>",
                STANDARD.encode(bytes)
            ),
            Some(Event::Exit(code)) => format!(
                "<rsp:ReceiveResponse><rsp:CommandState State=\"http://schemas.microsoft.com/wbem/\
                 wsman/1/windows/shell/CommandState/Done\"><rsp:ExitCode>{code}</rsp:ExitCode>\
                 </rsp:CommandState></rsp:ReceiveResponse>"
            ),
            None => return Err(NO_SHELL),
        }))
    }

    fn start(&self, text: &str) -> Command {
        let (input, inputs) = mpsc::unbounded_channel();
        let (events, output) = mpsc::unbounded_channel();
        match text.rsplit_once("-EncodedCommand ") {
            Some((_, encoded)) => {
                let script = STANDARD.decode(encoded).unwrap();
                let script: Vec<u16> = script
                    .chunks(2)
                    .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
                    .collect();
                let script = String::from_utf16(&script).unwrap();
                let behaviour = self.behaviour.clone();
                tokio::spawn(power_shell(
                    behaviour,
                    self.folder.clone(),
                    script,
                    inputs,
                    events,
                ));
            }
            None => {
                tokio::spawn(run(text.to_owned(), self.folder.clone(), inputs, events));
            }
        }
        Command {
            input,
            output: Arc::new(tokio::sync::Mutex::new(output)),
        }
    }
}

async fn run(
    text: String,
    folder: PathBuf,
    mut inputs: mpsc::UnboundedReceiver<(Vec<u8>, bool)>,
    events: mpsc::UnboundedSender<Event>,
) {
    let mut child = tokio::process::Command::new("sh")
        .args(["-c", &text])
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut stdin: Option<ChildStdin> = child.stdin.take();
    tokio::spawn(async move {
        while let Some((bytes, end)) = inputs.recv().await {
            if let Some(writer) = &mut stdin {
                // The command need not read it.
                let _ = writer.write_all(&bytes).await;
            }
            if end {
                stdin = None;
            }
        }
    });
    let pump = async |mut reader: Box<dyn tokio::io::AsyncRead + Unpin + Send>, name| {
        let mut bytes = vec![0; 60_000];
        while let Ok(count @ 1..) = reader.read(&mut bytes).await {
            let _ = events.send(Event::Output(name, bytes[..count].to_vec()));
        }
    };
    let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    tokio::join!(
        pump(Box::new(stdout), "stdout"),
        pump(Box::new(stderr), "stderr")
    );
    let status = child.wait().await.unwrap();
    let _ = events.send(Event::Exit(status.code().unwrap_or(-1)));
}

/// Does what the scripts of transfers do.
async fn power_shell(
    behaviour: Behaviour,
    folder: PathBuf,
    script: String,
    mut inputs: mpsc::UnboundedReceiver<(Vec<u8>, bool)>,
    events: mpsc::UnboundedSender<Event>,
) {
    let (_, rest) = script.split_once("GetFullPath(\"").unwrap();
    let root = folder.join(rest.split_once('"').unwrap().0);
    let mut said = Vec::new();
    let result = if script.starts_with("begin{") {
        let mut text = Vec::new();
        while let Some((bytes, end)) = inputs.recv().await {
            text.extend(bytes);
            if end {
                break;
            }
        }
        take(
            &root,
            &String::from_utf8(text).unwrap(),
            behaviour.corrupts,
            &mut said,
        )
    } else if let Some(lines) = behaviour.lines {
        said = lines;
        Ok(())
    } else if script.contains("Get-ChildItem") {
        give_folder(&root, &root, &mut said)
    } else {
        give(&root, "", &mut said)
    };
    for line in said {
        let _ = events.send(Event::Output("stdout", line.encode().into_bytes()));
    }
    let code = match result {
        Ok(()) => 0,
        Err(error) => {
            let _ = events.send(Event::Output("stderr", error.to_string().into_bytes()));
            1
        }
    };
    let _ = events.send(Event::Exit(code));
}

fn take(root: &Path, text: &str, corrupt: bool, said: &mut Vec<Line>) -> std::io::Result<()> {
    let at = |name: &str| match name {
        "" => root.to_owned(),
        name => root.join(name),
    };
    let mut file = (PathBuf::new(), Vec::new());
    for line in text.lines() {
        match Line::decode(line).unwrap() {
            Line::Folder(name) => std::fs::create_dir_all(at(&name))?,
            Line::File(name) => {
                file = (at(&name), Vec::new());
                std::fs::create_dir_all(file.0.parent().unwrap())?;
            }
            Line::Bytes(bytes) => file.1.extend(bytes),
            Line::End(_) => {
                if corrupt && let Some(byte) = file.1.first_mut() {
                    *byte ^= 1;
                }
                said.push(Line::End(hex(&Sha256::digest(&file.1))));
                std::fs::write(&file.0, &file.1)?;
            }
        }
    }
    Ok(())
}

fn give(path: &Path, name: &str, said: &mut Vec<Line>) -> std::io::Result<()> {
    let bytes = std::fs::read(path)?;
    said.push(Line::File(name.to_owned()));
    said.extend(
        bytes
            .chunks(24 * 1024)
            .map(|bytes| Line::Bytes(bytes.to_vec())),
    );
    // PowerShell's hexadecimal digits are capitals.
    said.push(Line::End(hex(&Sha256::digest(&bytes)).to_uppercase()));
    Ok(())
}

fn give_folder(root: &Path, folder: &Path, said: &mut Vec<Line>) -> std::io::Result<()> {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    entries.sort();
    for entry in entries {
        let name = entry
            .strip_prefix(root)
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();
        if entry.is_dir() {
            said.push(Line::Folder(name));
            give_folder(root, &entry, said)?;
        } else {
            give(&entry, &name, said)?;
        }
    }
    Ok(())
}
