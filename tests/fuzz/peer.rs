//! A guest whose answers are the bytes of an input: an SSH server in this process that a client stays
//! connected to, with a channel anew for each input.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use lvhost_communicator::ssh::{Authentication, FileTransfer, Settings, connect_until};
use lvhost_communicator::{Communicator, Progress, Ssh};
use russh::keys::{Algorithm, PrivateKey};
use russh::server::{self, Auth, ChannelOpenHandle, Config, Msg, Session};
use russh::{Channel, ChannelId};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::time::timeout;

/// The bytes that the guest answers with.
type Answers = Arc<Mutex<Vec<u8>>>;

/// A guest, and a client that is connected to it.
pub struct Peer {
    runtime: Runtime,
    client: Ssh,
    answers: Answers,
}

impl Peer {
    /// The one of this process for that way of transferring files.
    pub fn get(transfer: FileTransfer) -> &'static Self {
        static PEER: OnceLock<Peer> = OnceLock::new();
        PEER.get_or_init(|| Self::start(transfer))
    }

    #[allow(clippy::expect_used, reason = "without it there is nothing to fuzz")]
    fn start(transfer: FileTransfer) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let answers = Answers::default();
        let client = runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let address = listener.local_addr().expect("its address");
            tokio::spawn(serve(listener, Arc::clone(&answers)));
            connect(address, transfer).await
        });
        Self {
            runtime,
            client,
            answers,
        }
    }

    /// Moves files to and from a guest that answers with these bytes.
    pub fn transfer(&self, data: &[u8]) {
        let Some((choice, bytes)) = data.split_first() else {
            return;
        };
        if let Ok(mut answers) = self.answers.lock() {
            *answers = bytes.to_vec();
        }
        let folder = std::env::temp_dir().join(format!("lvhost-fuzz-{}", std::process::id()));
        self.runtime.block_on(async {
            // What the guest's answers make of it is an error or a file; neither is of interest.
            match choice % 3 {
                0 => {
                    let mut taken = Vec::new();
                    let _ = self
                        .client
                        .download("/etc/motd", &mut taken, &Unwatched)
                        .await;
                }
                1 => {
                    let mut source: &[u8] = b"some bytes";
                    let _ = self
                        .client
                        .upload(&mut source, Some(10), "/tmp/file", Some(0o600), &Unwatched)
                        .await;
                }
                _ => {
                    let _ = self
                        .client
                        .download_directory("/srv", &folder, &[], &Unwatched)
                        .await;
                    let _ = std::fs::remove_dir_all(&folder);
                }
            }
        });
    }
}

struct Unwatched;

impl Progress for Unwatched {
    fn started(&self, _: &str, _: Option<u64>) {}
    fn advanced(&self, _: u64) {}
    fn finished(&self) {}
}

#[allow(clippy::expect_used, reason = "without it there is nothing to fuzz")]
async fn connect(address: SocketAddr, transfer: FileTransfer) -> Ssh {
    let settings = Settings {
        authentication: vec![Authentication::Password("password".to_owned().into())],
        keep_alive: None,
        file_transfer: transfer,
        ..Settings::new(address.ip().to_string(), address.port(), "root")
    };
    let deadline = (Instant::now() + Duration::from_secs(60)).into();
    connect_until(settings, deadline, &mut |_| {})
        .await
        .expect("a connection to the guest of this process")
}

#[allow(clippy::expect_used, reason = "without it there is nothing to fuzz")]
async fn serve(listener: TcpListener, answers: Answers) {
    let key = PrivateKey::random(&mut russh::keys::key::safe_rng(), Algorithm::Ed25519);
    let config = Arc::new(Config {
        keys: vec![key.expect("a key")],
        auth_rejection_time: Duration::ZERO,
        auth_rejection_time_initial: Some(Duration::ZERO),
        ..Config::default()
    });
    while let Ok((stream, _)) = listener.accept().await {
        if stream.set_nodelay(true).is_err() {
            continue;
        }
        let guest = Guest {
            answers: Arc::clone(&answers),
            channels: HashMap::new(),
        };
        if let Ok(session) = server::run_stream(Arc::clone(&config), stream, guest).await {
            tokio::spawn(session);
        }
    }
}

struct Guest {
    answers: Answers,
    channels: HashMap<ChannelId, Channel<Msg>>,
}

impl Guest {
    fn answers(&self) -> Vec<u8> {
        self.answers.lock().map(|it| it.clone()).unwrap_or_default()
    }
}

impl server::Handler for Guest {
    type Error = russh::Error;

    async fn auth_password(&mut self, _: &str, _: &str) -> Result<Auth, Self::Error> {
        Ok(Auth::Accept)
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        self.channels.insert(channel.id(), channel);
        reply.accept().await;
        Ok(())
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        _: &[u8],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_success(channel)?;
        if let Some(channel) = self.channels.remove(&channel) {
            tokio::spawn(say(channel, self.answers()));
        }
        Ok(())
    }

    async fn subsystem_request(
        &mut self,
        channel: ChannelId,
        _: &str,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_success(channel)?;
        if let Some(channel) = self.channels.remove(&channel) {
            tokio::spawn(answer_requests(channel, self.answers()));
        }
        Ok(())
    }
}

/// Says everything at once, as a hostile `scp` may, and ends.
async fn say(channel: Channel<Msg>, answers: Vec<u8>) {
    let _ = channel.data_bytes(answers).await;
    let _ = channel.exit_status(0).await;
    let _ = channel.eof().await;
    let _ = channel.close().await;
}

/// How long the guest waits for another request: a client that still waits for the last answer makes none,
/// and that it would be patient with a guest that stays silent is not what is looked for.
const PATIENCE: Duration = Duration::from_millis(100);

/// Answers each SFTP request with the next piece of the input: a type, a length of two bytes and so many
/// bytes, behind the number of the request. Ends when there is none.
async fn answer_requests(channel: Channel<Msg>, answers: Vec<u8>) {
    let mut stream = channel.into_stream();
    let mut answers = answers.as_slice();
    let mut first = true;
    while let Ok(Some(request)) = timeout(PATIENCE, request(&mut stream)).await {
        let Some((head, rest)) = answers.split_first_chunk::<3>() else {
            break;
        };
        let length = usize::from(u16::from_be_bytes([head[1], head[2]])).min(rest.len());
        let (body, rest) = rest.split_at(length);
        answers = rest;
        let mut message = vec![head[0]];
        // The first one is the version, which has no number.
        if !first {
            message.extend(request);
        }
        first = false;
        message.extend(body);
        let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
        if stream.write_u32(length).await.is_err() || stream.write_all(&message).await.is_err() {
            break;
        }
    }
    let _ = stream.shutdown().await;
}

/// The number of the next request.
async fn request(stream: &mut (impl AsyncRead + Unpin)) -> Option<[u8; 4]> {
    let length = usize::try_from(stream.read_u32().await.ok()?).ok()?;
    let mut message = vec![0; length.min(1 << 20)];
    stream.read_exact(&mut message).await.ok()?;
    let number = message.get(1..5)?;
    number.try_into().ok()
}
