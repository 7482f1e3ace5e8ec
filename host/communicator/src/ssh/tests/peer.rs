//! A guest in this process: russh's server half, doing what a script tells it to.

mod shell;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use russh::keys::{Algorithm, PrivateKey, PublicKey};
use russh::server::{
    self, Auth, ChannelOpenHandle, Config, Msg, Response, Session, VerifiedPublicKey,
};
use russh::{Channel, ChannelId, ChannelOpenFailure, MethodKind, MethodSet, Pty};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::files::{Files, Trouble, serve_until};
use shell::{copy_files, execute, keep_agent};

/// What the guest does.
#[derive(Clone, Default)]
pub(super) struct Script {
    /// Connections that are closed before a word is said.
    pub(super) hang_ups: usize,
    /// Connections that are accepted and never answered, after the hang-ups.
    pub(super) silences: usize,
    /// Logins that are refused, after those.
    pub(super) refusals: usize,
    /// The key that is let in.
    pub(super) key: Option<PublicKey>,
    /// The password that is let in.
    pub(super) password: Option<String>,
    /// Ask for the password by keyboard-interactive only.
    pub(super) questions: bool,
    /// Whether commands may have a terminal.
    pub(super) terminal: bool,
    /// What the SFTP subsystem does; none is refused.
    pub(super) files: Option<Trouble>,
    /// Its `scp`; none is not installed.
    pub(super) scp: Option<Copier>,
    /// Whether it connects to other hosts for its clients, as a bastion does, and listens for them.
    pub(super) forwards: bool,
    /// What it shows itself by; a key of its own if there is none.
    pub(super) host_keys: Vec<PrivateKey>,
    /// Whether it asks for the agent as soon as somebody is in.
    pub(super) grabs_agent: bool,
    /// What it does without an end as soon as somebody is in.
    pub(super) floods: Option<Flood>,
    /// What it asks in keyboard-interactive logins, round by round, instead of for the password;
    /// with each prompt, whether the answer is shown.
    pub(super) rounds: Vec<Vec<(&'static str, bool)>>,
}

/// What a guest does without an end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Flood {
    /// It wants other keys, one exchange after the other.
    Keys,
    /// It opens channels that are refused.
    Channels,
    /// It asks for what there is not, and wants to be told so.
    Requests,
}

/// A guest's `scp` that says the same whatever is asked of it.
#[derive(Clone)]
pub(super) struct Copier {
    pub(super) says: Vec<u8>,
    /// Whether it waits for the end of what the client sends before it exits.
    pub(super) listens: bool,
    pub(super) code: u32,
    /// How many bytes it complains of before it says anything.
    pub(super) complains: usize,
    /// Whether it never ends.
    pub(super) stays: bool,
}

/// A running guest; it goes away when this is dropped.
pub(super) struct Peer {
    pub(super) address: SocketAddr,
    /// Told when a client gives up the command `hang`.
    pub(super) given_up: Arc<Notify>,
    /// Told when the guest has tried all it wanted of the agent.
    pub(super) tried: Arc<Notify>,
    state: Arc<Mutex<State>>,
    _task: JoinSet<()>,
}

#[derive(Default)]
struct State {
    script: Script,
    connections: usize,
    sessions: Vec<server::Handle>,
    /// What came of the guest's wish for the agent.
    agent: Vec<&'static str>,
    /// Answers in keyboard-interactive logins.
    answers: Vec<String>,
    /// The methods that were tried, in order.
    logins: Vec<String>,
    given_up: Arc<Notify>,
    tried: Arc<Notify>,
}

impl Peer {
    pub(super) async fn start(script: Script) -> Self {
        Self::listen(TcpListener::bind("127.0.0.1:0").await.unwrap(), script)
    }

    fn listen(listener: TcpListener, script: Script) -> Self {
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State {
            script,
            ..State::default()
        }));
        let mut task = JoinSet::new();
        task.spawn(serve(listener, Arc::clone(&state)));
        let (given_up, tried) = {
            let state = state.lock().unwrap();
            (Arc::clone(&state.given_up), Arc::clone(&state.tried))
        };
        Self {
            address,
            given_up,
            tried,
            state,
            _task: task,
        }
    }

    /// A socket that holds a port and refuses connections until it is told to listen.
    pub(super) fn reserve() -> (SocketAddr, TcpSocket) {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        (socket.local_addr().unwrap(), socket)
    }

    pub(super) fn on(socket: TcpSocket, script: Script) -> Self {
        Self::listen(socket.listen(16).unwrap(), script)
    }

    pub(super) fn connections(&self) -> usize {
        self.state.lock().unwrap().connections
    }

    pub(super) fn logins(&self) -> Vec<String> {
        self.state.lock().unwrap().logins.clone()
    }

    /// What came of its wish for the agent, in order.
    pub(super) fn agent(&self) -> Vec<&'static str> {
        self.state.lock().unwrap().agent.clone()
    }

    /// What it was answered.
    pub(super) fn answers(&self) -> Vec<String> {
        self.state.lock().unwrap().answers.clone()
    }

    /// Ends every connection that somebody has logged in on.
    pub(super) async fn hang_up(&self) {
        let sessions = std::mem::take(&mut self.state.lock().unwrap().sessions);
        for session in sessions {
            let reason = russh::Disconnect::ByApplication;
            let _ = session
                .disconnect(reason, "gone".into(), String::new())
                .await;
        }
    }

    /// From now on it shows itself by these.
    pub(super) fn show(&self, host_keys: &[PrivateKey]) {
        self.state.lock().unwrap().script.host_keys = host_keys.to_vec();
    }
}

async fn serve(listener: TcpListener, state: Arc<Mutex<State>>) {
    {
        let keys = &mut state.lock().unwrap().script.host_keys;
        if keys.is_empty() {
            keys.push(PrivateKey::random(&mut rand::rng(), Algorithm::Ed25519).unwrap());
        }
    }
    let mut silent = Vec::new();
    let mut running = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        enum Fate {
            HangUp,
            Silence,
            Speak,
        }
        let fate = {
            let mut state = state.lock().unwrap();
            state.connections += 1;
            if take(&mut state.script.hang_ups) {
                Fate::HangUp
            } else if take(&mut state.script.silences) {
                Fate::Silence
            } else {
                Fate::Speak
            }
        };
        match fate {
            Fate::HangUp => drop(stream),
            Fate::Silence => silent.push(stream),
            Fate::Speak => {
                running.spawn(speak(stream, Arc::clone(&state)));
            }
        }
    }
}

async fn speak(stream: TcpStream, state: Arc<Mutex<State>>) {
    let config = {
        let script = &state.lock().unwrap().script;
        Arc::new(Config {
            auth_rejection_time: Duration::ZERO,
            auth_rejection_time_initial: Some(Duration::ZERO),
            keys: script.host_keys.clone(),
            methods: methods(script),
            nodelay: true,
            limits: match script.floods {
                Some(Flood::Keys) => russh::Limits::new(1 << 30, 1 << 30, Duration::ZERO),
                _ => russh::Limits::default(),
            },
            ..Config::default()
        })
    };
    let guest = Guest {
        state,
        channels: HashMap::new(),
        terminals: Vec::new(),
        round: 0,
    };
    // Ends in an error whenever a test drops the connection.
    if let Ok(session) = server::run_stream(config, stream, guest).await {
        let _ = session.await;
    }
}

/// Sends far more than any client takes.
async fn overflow(flood: Flood, guest: server::Handle) {
    let bulk = || "x".repeat(30_000);
    for _ in 0..10_000 {
        // What comes of it is the client's affair.
        match flood {
            // By its limits.
            Flood::Keys => return,
            Flood::Channels => drop(guest.channel_open_x11(bulk(), 1).await),
            Flood::Requests => drop(guest.forward_tcpip(bulk(), 1).await),
        }
    }
}

fn take(count: &mut usize) -> bool {
    let left = *count > 0;
    *count = count.saturating_sub(1);
    left
}

fn methods(script: &Script) -> MethodSet {
    let mut methods = MethodSet::empty();
    if script.key.is_some() {
        methods.push(MethodKind::PublicKey);
    }
    if script.questions {
        methods.push(MethodKind::KeyboardInteractive);
    } else if script.password.is_some() {
        methods.push(MethodKind::Password);
    }
    methods
}

struct Guest {
    state: Arc<Mutex<State>>,
    channels: HashMap<ChannelId, Channel<Msg>>,
    terminals: Vec<ChannelId>,
    /// Rounds of questions so far.
    round: usize,
}

impl Guest {
    fn decide(&self, kind: &str, right: impl Fn(&Script) -> bool) -> Auth {
        let mut state = self.state.lock().unwrap();
        state.logins.push(kind.to_owned());
        if right(&state.script) && !take(&mut state.script.refusals) {
            Auth::Accept
        } else {
            Auth::reject()
        }
    }
}

impl server::Handler for Guest {
    type Error = russh::Error;

    async fn auth_password(&mut self, _: &str, password: &str) -> Result<Auth, Self::Error> {
        Ok(self.decide("password", |script| {
            script.password.as_deref() == Some(password)
        }))
    }

    async fn auth_publickey(
        &mut self,
        _: &str,
        key: VerifiedPublicKey<'_>,
    ) -> Result<Auth, Self::Error> {
        let offered = key.public_key.key_data();
        let known = |script: &Script| script.key.as_ref().map(PublicKey::key_data) == Some(offered);
        Ok(self.decide(&format!("key {}", key.algorithm), known))
    }

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        _: &str,
        _: &str,
        response: Option<Response<'a>>,
    ) -> Result<Auth, Self::Error> {
        let rounds = {
            let mut state = self.state.lock().unwrap();
            let said = response.into_iter().flatten();
            let said = said.map(|answer| String::from_utf8_lossy(&answer).into_owned());
            state.answers.extend(said);
            match state.script.rounds.as_slice() {
                [] => vec![vec![("Password: ", false)]],
                rounds => rounds.to_vec(),
            }
        };
        let Some(prompts) = rounds.get(self.round) else {
            let last = self.state.lock().unwrap().answers.last().cloned();
            let right = |script: &Script| script.password == last;
            return Ok(self.decide("questions", right));
        };
        self.round += 1;
        let prompts: Vec<_> = prompts
            .iter()
            .map(|(text, shown)| ((*text).into(), *shown))
            .collect();
        Ok(Auth::Partial {
            name: "".into(),
            instructions: "".into(),
            prompts: prompts.into(),
        })
    }

    async fn auth_succeeded(&mut self, session: &mut Session) -> Result<(), Self::Error> {
        let (grabs, tried) = {
            let mut state = self.state.lock().unwrap();
            state.sessions.push(session.handle());
            (state.script.grabs_agent, Arc::clone(&state.tried))
        };
        let floods = self.state.lock().unwrap().script.floods;
        if let Some(flood) = floods {
            tokio::spawn(overflow(flood, session.handle()));
        }
        if grabs {
            let (guest, state) = (session.handle(), Arc::clone(&self.state));
            tokio::spawn(async move {
                let opened = guest.channel_open_agent().await.is_ok();
                state.lock().unwrap().agent.push(if opened {
                    "before: taken"
                } else {
                    "before: refused"
                });
                tried.notify_one();
            });
        }
        Ok(())
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

    async fn channel_open_direct_tcpip(
        &mut self,
        channel: Channel<Msg>,
        host: &str,
        port: u32,
        _: &str,
        _: u32,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        if !self.state.lock().unwrap().script.forwards {
            let reason = ChannelOpenFailure::AdministrativelyProhibited;
            reply.reject(reason).await;
            return Ok(());
        }
        let target = (host.to_owned(), u16::try_from(port).unwrap());
        tokio::spawn(async move {
            match TcpStream::connect(target).await {
                Ok(mut stream) => {
                    reply.accept().await;
                    // The end of one side is no failure of this test.
                    let _ = copy_bidirectional(&mut channel.into_stream(), &mut stream).await;
                }
                Err(_) => reply.reject(ChannelOpenFailure::ConnectFailed).await,
            }
        });
        Ok(())
    }

    async fn tcpip_forward(
        &mut self,
        _: &str,
        _: &mut u32,
        _: &mut Session,
    ) -> Result<bool, Self::Error> {
        Ok(self.state.lock().unwrap().script.forwards)
    }

    async fn pty_request(
        &mut self,
        channel: ChannelId,
        _: &str,
        _: u32,
        _: u32,
        _: u32,
        _: u32,
        _: &[(Pty, u32)],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        if self.state.lock().unwrap().script.terminal {
            self.terminals.push(channel);
            session.channel_success(channel)
        } else {
            session.channel_failure(channel)
        }
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        command: &[u8],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        let command = String::from_utf8(command.to_vec()).unwrap();
        if command == "mute" {
            return Ok(());
        }
        if command == "refuse" {
            return session.channel_failure(channel);
        }
        session.channel_success(channel)?;
        let terminal = self.terminals.contains(&channel);
        let channel = self.channels.remove(&channel).unwrap();
        let (given_up, scp) = {
            let state = self.state.lock().unwrap();
            (Arc::clone(&state.given_up), state.script.scp.clone())
        };
        if command == "keep the agent" {
            let (guest, state) = (session.handle(), Arc::clone(&self.state));
            tokio::spawn(async move {
                let said = keep_agent(channel, guest).await;
                let mut state = state.lock().unwrap();
                state.agent.extend(said);
                state.tried.notify_one();
            });
            return Ok(());
        }
        if command.contains("scp -") {
            tokio::spawn(copy_files(scp, channel));
            return Ok(());
        }
        tokio::spawn(execute(
            command,
            terminal,
            channel,
            session.handle(),
            given_up,
        ));
        Ok(())
    }

    async fn subsystem_request(
        &mut self,
        channel: ChannelId,
        name: &str,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        let trouble = self.state.lock().unwrap().script.files.clone();
        let Some(trouble) = trouble.filter(|_| name == "sftp") else {
            return session.channel_failure(channel);
        };
        if trouble == Trouble::Mute {
            return Ok(());
        }
        session.channel_success(channel)?;
        let stream = self.channels.remove(&channel).unwrap().into_stream();
        if let Trouble::Broken(broken) = trouble {
            tokio::spawn(serve_until(broken, stream, session.handle()));
            return Ok(());
        }
        let files = Files::new(trouble, session.handle());
        tokio::spawn(russh_sftp::server::run(stream, files));
        Ok(())
    }
}
