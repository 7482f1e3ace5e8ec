//! The other end of the connection, as Packer's own yamux behaves, watching every frame.
//!
//! It opens, accepts and ends streams with empty window updates and cuts what it sends into 4096 bytes, as
//! the Go implementation does. What a plugin must not do is written down as a violation: a second ACK or
//! FIN, a reset, data after a FIN or beyond the window, frames for streams that are not there.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{Notify, mpsc};

const WINDOW: usize = 256 * 1024;
const FRAME: usize = 4096;

const DATA: u8 = 0;
const WINDOW_UPDATE: u8 = 1;
const PING: u8 = 2;
const GO_AWAY: u8 = 3;

const SYN: u16 = 1;
const ACK: u16 = 2;
const FIN: u16 = 4;
const RST: u16 = 8;

/// A connection. Dropping all of it, streams included, hangs up.
#[derive(Clone)]
pub(crate) struct Session {
    shared: Arc<Shared>,
    /// Gone when core has died.
    frames: Arc<Mutex<Option<mpsc::UnboundedSender<Vec<u8>>>>>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    streams: HashMap<u32, StreamState>,
    opened: VecDeque<u32>,
    last: Option<u32>,
    violations: Vec<String>,
    over: bool,
}

#[derive(Default)]
struct StreamState {
    acknowledged: bool,
    their_fin: bool,
    our_fin: bool,
    received: VecDeque<u8>,
    /// What the plugin may still send, and we.
    their_window: usize,
    our_window: usize,
}

impl Session {
    pub(crate) fn start(socket: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Self {
        let (reader, mut writer) = tokio::io::split(socket);
        let (frames, mut queue) = mpsc::unbounded_channel::<Vec<u8>>();
        tokio::spawn(async move {
            while let Some(frame) = queue.recv().await {
                if writer.write_all(&frame).await.is_err() {
                    break;
                }
            }
            let _ = writer.shutdown().await;
        });
        let session = Self {
            shared: Arc::default(),
            frames: Arc::new(Mutex::new(Some(frames))),
        };
        let (shared, frames) = (Arc::clone(&session.shared), Arc::clone(&session.frames));
        tokio::spawn(async move {
            receive(reader, &shared, &frames).await;
            shared.state.lock().unwrap().over = true;
            shared.changed.notify_waiters();
        });
        session
    }

    /// Opens a stream.
    pub(crate) fn open(&self) -> Stream {
        let mut state = self.shared.state.lock().unwrap();
        let id = state.last.map_or(1, |last| last + 2);
        state.last = Some(id);
        state.streams.insert(id, StreamState::new());
        drop(state);
        self.send(WINDOW_UPDATE, SYN, id, 0, &[]);
        self.stream(id)
    }

    /// The next stream that the plugin opens.
    pub(crate) async fn accept(&self) -> Option<Stream> {
        let id = self
            .wait(|state| match state.opened.pop_front() {
                Some(id) => Some(Some(id)),
                None => state.over.then_some(None),
            })
            .await?;
        Some(self.stream(id))
    }

    /// Dies: the socket is closed and nothing is answered any more.
    pub(crate) fn die(&self) {
        self.frames.lock().unwrap().take();
    }

    /// Waits until the plugin has ended every stream that we have ended, and no other, and returns what
    /// it did wrong.
    pub(crate) async fn violations(&self) -> Vec<String> {
        self.wait(|state| {
            let ended = |stream: &StreamState| stream.their_fin || !stream.our_fin;
            (state.over || state.streams.values().all(ended)).then_some(())
        })
        .await;
        let state = self.shared.state.lock().unwrap();
        let mut violations = state.violations.clone();
        for (id, stream) in &state.streams {
            if !stream.acknowledged {
                violations.push(format!("stream {id} was never acknowledged"));
            }
        }
        violations
    }

    fn stream(&self, id: u32) -> Stream {
        Stream {
            id,
            session: self.clone(),
        }
    }

    fn send(&self, kind: u8, flags: u16, stream: u32, length: u32, body: &[u8]) {
        send(&self.frames, kind, flags, stream, length, body);
    }

    async fn wait<T>(&self, mut ready: impl FnMut(&mut State) -> Option<T>) -> T {
        loop {
            let changed = self.shared.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if let Some(value) = ready(&mut self.shared.state.lock().unwrap()) {
                return value;
            }
            changed.await;
        }
    }
}

/// One stream, which is ended by [`finish`](Stream::finish) only.
#[derive(Clone)]
pub(crate) struct Stream {
    id: u32,
    session: Session,
}

impl Stream {
    /// Bytes from the plugin, none at its end.
    pub(crate) async fn read(&mut self) -> Vec<u8> {
        let id = self.id;
        let bytes: Vec<u8> = self
            .session
            .wait(|state| {
                let over = state.over;
                let stream = state.streams.get_mut(&id)?;
                if stream.received.is_empty() && !stream.their_fin && !over {
                    return None;
                }
                Some(stream.received.drain(..).collect())
            })
            .await;
        let mut state = self.session.shared.state.lock().unwrap();
        let stream = state.streams.get_mut(&id).unwrap();
        let grant = WINDOW - stream.received.len() - stream.their_window;
        // As Go does: not for every little thing.
        if grant >= WINDOW / 2 {
            stream.their_window += grant;
            drop(state);
            self.session.send(WINDOW_UPDATE, 0, id, grant as u32, &[]);
        }
        bytes
    }

    /// Everything to the end.
    pub(crate) async fn read_to_end(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        loop {
            let bytes = self.read().await;
            if bytes.is_empty() {
                return all;
            }
            all.extend(bytes);
        }
    }

    /// Exactly so many bytes; none of what follows is lost.
    pub(crate) async fn read_exact<const N: usize>(&mut self) -> [u8; N] {
        let id = self.id;
        self.session
            .wait(|state| {
                let stream = state.streams.get_mut(&id)?;
                let bytes = stream.received.iter().copied().take(N).collect::<Vec<_>>();
                let bytes = <[u8; N]>::try_from(bytes).ok()?;
                stream.received.drain(..N);
                Some(bytes)
            })
            .await
    }

    /// Sends bytes as the window allows.
    pub(crate) async fn write(&mut self, mut bytes: &[u8]) {
        let id = self.id;
        while !bytes.is_empty() {
            let room = self
                .session
                .wait(|state| {
                    let over = state.over;
                    let stream = state.streams.get_mut(&id)?;
                    let room = stream.our_window.min(bytes.len()).min(FRAME);
                    if room == 0 && !over {
                        return None;
                    }
                    stream.our_window -= room;
                    Some(room)
                })
                .await;
            if room == 0 {
                return;
            }
            self.session.send(DATA, 0, id, room as u32, &bytes[..room]);
            bytes = &bytes[room..];
        }
    }

    /// Says that nothing more comes.
    pub(crate) fn finish(&mut self) {
        let mut state = self.session.shared.state.lock().unwrap();
        let stream = state.streams.get_mut(&self.id).unwrap();
        if !std::mem::replace(&mut stream.our_fin, true) {
            drop(state);
            self.session.send(WINDOW_UPDATE, FIN, self.id, 0, &[]);
        }
    }
}

impl StreamState {
    fn new() -> Self {
        Self {
            their_window: WINDOW,
            our_window: WINDOW,
            ..Self::default()
        }
    }
}

fn send(
    frames: &Mutex<Option<mpsc::UnboundedSender<Vec<u8>>>>,
    kind: u8,
    flags: u16,
    stream: u32,
    length: u32,
    body: &[u8],
) {
    let mut frame = vec![0, kind];
    frame.extend(flags.to_be_bytes());
    frame.extend(stream.to_be_bytes());
    frame.extend(length.to_be_bytes());
    frame.extend(body);
    if let Some(frames) = &*frames.lock().unwrap() {
        let _ = frames.send(frame);
    }
}

async fn receive(
    mut reader: impl AsyncRead + Unpin,
    shared: &Shared,
    frames: &Mutex<Option<mpsc::UnboundedSender<Vec<u8>>>>,
) {
    let mut header = [0; 12];
    while reader.read_exact(&mut header).await.is_ok() {
        let [version, kind, flags @ .., a, b, c, d, e, f, g, h] = header;
        let flags = u16::from_be_bytes(flags);
        let id = u32::from_be_bytes([a, b, c, d]);
        let length = u32::from_be_bytes([e, f, g, h]);
        let mut body = vec![0; if kind == DATA { length as usize } else { 0 }];
        if reader.read_exact(&mut body).await.is_err() {
            break;
        }
        if frames.lock().unwrap().is_none() {
            break;
        }
        let mut state = shared.state.lock().unwrap();
        let mut wrong = Vec::new();
        match kind {
            PING if flags == SYN => send(frames, PING, ACK, 0, length, &[]),
            PING => {}
            DATA | WINDOW_UPDATE => {
                if flags & SYN != 0 {
                    if id == 0 || id % 2 == 1 || state.streams.contains_key(&id) {
                        wrong.push("opens a stream under a number that is not free");
                    }
                    let mut stream = StreamState::new();
                    stream.acknowledged = true;
                    state.streams.insert(id, stream);
                    state.opened.push_back(id);
                    send(frames, WINDOW_UPDATE, ACK, id, 0, &[]);
                }
                match state.streams.get_mut(&id) {
                    None => wrong.push("is for no stream"),
                    Some(stream) => stream.take(kind, flags, length as usize, &body, &mut wrong),
                }
            }
            GO_AWAY => wrong.push("goes away"),
            _ => wrong.push("is of no type"),
        }
        if version != 0 {
            wrong.push("is of another version");
        }
        for wrong in wrong {
            let frame = format!("frame {kind} of stream {id}, flags {flags}, length {length}");
            state.violations.push(format!("{frame}: {wrong}"));
        }
        drop(state);
        shared.changed.notify_waiters();
    }
}

impl StreamState {
    fn take(
        &mut self,
        kind: u8,
        flags: u16,
        length: usize,
        body: &[u8],
        wrong: &mut Vec<&'static str>,
    ) {
        if flags & RST != 0 {
            wrong.push("resets a stream");
        }
        if flags & ACK != 0 && std::mem::replace(&mut self.acknowledged, true) {
            wrong.push("acknowledges a stream again");
        }
        if kind == DATA {
            if length > 0 && self.their_fin {
                wrong.push("sends data after FIN");
            }
            match self.their_window.checked_sub(length) {
                Some(rest) => self.their_window = rest,
                None => wrong.push("sends more than the window allows"),
            }
            self.received.extend(body);
        } else {
            self.our_window += length;
        }
        if flags & FIN != 0 && std::mem::replace(&mut self.their_fin, true) {
            wrong.push("sends FIN again");
        }
    }
}
