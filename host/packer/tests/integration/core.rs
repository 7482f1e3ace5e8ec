//! A core of the tests' own: Packer's side of the protocol, with the steps of a build in the hands of a test.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rmpv::Value;
use tokio::sync::{mpsc, oneshot};

use crate::session::{Session, Stream};

/// How long a test waits for anything, before it takes it for lost.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for something that has to come.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("{what} did not come"),
    }
}

/// A map with text for keys.
pub(crate) fn map<'a>(entries: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    let entries = entries.into_iter();
    Value::Map(entries.map(|(name, value)| (name.into(), value)).collect())
}

/// What a map has under `name`.
pub(crate) fn field<'a>(value: &'a Value, name: &str) -> &'a Value {
    let entries = value
        .as_map()
        .unwrap_or_else(|| panic!("{value} is no map"));
    let entry = entries.iter().find(|(key, _)| key.as_str() == Some(name));
    &entry.unwrap_or_else(|| panic!("{value} has no {name}")).1
}

/// Packer's core.
#[derive(Clone)]
pub(crate) struct Core {
    pub(crate) session: Session,
    last: Arc<AtomicU32>,
    waiting: Arc<Mutex<HashMap<u32, oneshot::Sender<Stream>>>>,
}

impl Core {
    /// Takes its side of a connection.
    pub(crate) fn start(session: Session) -> Self {
        let core = Self {
            session,
            last: Arc::default(),
            waiting: Arc::default(),
        };
        let router = core.clone();
        tokio::spawn(async move {
            while let Some(mut stream) = router.session.accept().await {
                // As Go does: in line, before it looks at the next stream.
                let id = u32::from_le_bytes(stream.read_exact().await);
                let waiting = router.waiting.lock().unwrap().remove(&id);
                match waiting {
                    Some(waiting) => drop(waiting.send(stream)),
                    None => stream.finish(),
                }
            }
        });
        core
    }

    /// Opens the stream of this number of the plugin's.
    pub(crate) async fn dial(&self, id: u32) -> Stream {
        let mut stream = self.session.open();
        stream.write(&id.to_le_bytes()).await;
        let echo: [u8; 4] = soon("the echo of a number", stream.read_exact()).await;
        assert_eq!(u32::from_le_bytes(echo), id);
        stream
    }

    /// A number for the plugin to dial, and the stream once it has, not echoed yet.
    pub(crate) fn listen(&self) -> (u32, oneshot::Receiver<Stream>) {
        let id = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let (sender, stream) = oneshot::channel();
        self.waiting.lock().unwrap().insert(id, sender);
        (id, stream)
    }

    /// The same for a stream that is accepted as soon as the plugin dials.
    pub(crate) fn accept(&self) -> (u32, impl Future<Output = Stream> + use<>) {
        let (id, stream) = self.listen();
        let accepted = tokio::spawn(async move {
            let mut stream = stream.await.unwrap();
            stream.write(&id.to_le_bytes()).await;
            stream
        });
        (id, async { soon("a dial", accepted).await.unwrap() })
    }

    /// A number for a stream that is listened to, and that the plugin may talk into.
    pub(crate) async fn run(&self, builder: &Client) -> Running {
        let (id, stream) = self.accept();
        let builder = builder.clone();
        let result = tokio::spawn(async move { builder.call("Builder.Run", id.into()).await });
        Running {
            requests: serve(stream.await),
            result,
        }
    }
}

/// A build that runs: what the plugin asks for, and what it says in the end.
pub(crate) struct Running {
    pub(crate) requests: mpsc::UnboundedReceiver<Request>,
    pub(crate) result: tokio::task::JoinHandle<Result<Value, String>>,
}

impl Running {
    /// The next request, which must be this one.
    pub(crate) async fn expect(&mut self, method: &str) -> Request {
        let request = soon(method, self.requests.recv()).await;
        let request = request.unwrap_or_else(|| panic!("no {method}: the stream is over"));
        assert_eq!(request.method, method, "{}", request.argument);
        request
    }

    /// Answers the next line that is said and returns it.
    pub(crate) async fn said(&mut self) -> String {
        let request = self.expect("Ui.Say").await;
        let text = request.argument.as_str().unwrap().to_owned();
        request.answer(Ok(Value::Nil));
        text
    }

    /// What the build says in the end.
    pub(crate) async fn result(self) -> Result<Value, String> {
        soon("the end of the build", self.result).await.unwrap()
    }
}

/// A request of the plugin's.
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) argument: Value,
    sequence: u64,
    answers: mpsc::UnboundedSender<Vec<u8>>,
}

impl Request {
    pub(crate) fn answer(self, result: Result<Value, &str>) {
        let (error, body) = match result {
            Ok(value) => ("", value),
            Err(error) => (error, Value::Map(Vec::new())),
        };
        let header = map([
            ("ServiceMethod", self.method.into()),
            ("Seq", self.sequence.into()),
            ("Error", error.into()),
        ]);
        let _ = self.answers.send(encode(&[header, body]));
    }
}

/// Serves a stream: requests come out, whoever takes them answers.
fn serve(stream: Stream) -> mpsc::UnboundedReceiver<Request> {
    let (sender, requests) = mpsc::unbounded_channel();
    let (answers, outgoing) = mpsc::unbounded_channel();
    let mut incoming = exchange(stream, outgoing);
    tokio::spawn(async move {
        while let Some((header, argument)) = incoming.recv().await {
            let request = Request {
                method: field(&header, "ServiceMethod").as_str().unwrap().to_owned(),
                sequence: field(&header, "Seq").as_u64().unwrap(),
                argument,
                answers: answers.clone(),
            };
            let _ = sender.send(request);
        }
    });
    requests
}

type Calls = HashMap<u64, oneshot::Sender<Result<Value, String>>>;

/// Calls the plugin on one stream.
#[derive(Clone)]
pub(crate) struct Client {
    last: Arc<AtomicU64>,
    /// Calls that are not answered, until there are no answers any more.
    waiting: Arc<Mutex<Option<Calls>>>,
    requests: mpsc::UnboundedSender<Vec<u8>>,
}

impl Client {
    pub(crate) fn new(stream: Stream) -> Self {
        let (requests, outgoing) = mpsc::unbounded_channel();
        let mut incoming = exchange(stream, outgoing);
        let client = Self {
            last: Arc::default(),
            waiting: Arc::new(Mutex::new(Some(HashMap::new()))),
            requests,
        };
        let waiting = Arc::clone(&client.waiting);
        tokio::spawn(async move {
            while let Some((header, body)) = incoming.recv().await {
                let sequence = field(&header, "Seq").as_u64().unwrap();
                let error = field(&header, "Error").as_str().unwrap();
                let result = if error.is_empty() {
                    Ok(body)
                } else {
                    Err(error.to_owned())
                };
                let waiter = waiting.lock().unwrap().as_mut().unwrap().remove(&sequence);
                let _ = waiter.expect("an answer to no call").send(result);
            }
            waiting.lock().unwrap().take();
        });
        client
    }

    pub(crate) async fn call(&self, method: &str, argument: Value) -> Result<Value, String> {
        let sequence = self.last.fetch_add(1, Ordering::Relaxed);
        let header = map([("ServiceMethod", method.into()), ("Seq", sequence.into())]);
        let (sender, answer) = oneshot::channel();
        match &mut *self.waiting.lock().unwrap() {
            Some(waiting) => drop(waiting.insert(sequence, sender)),
            None => return Err("unexpected EOF".to_owned()),
        }
        let _ = self.requests.send(encode(&[header, argument]));
        answer.await.unwrap_or(Err("unexpected EOF".to_owned()))
    }
}

fn encode(values: &[Value]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for value in values {
        rmpv::encode::write_value(&mut bytes, value).unwrap();
    }
    bytes
}

/// Sends what comes out of `outgoing`, ends the stream after it, and returns what is received in pairs.
fn exchange(
    mut stream: Stream,
    mut outgoing: mpsc::UnboundedReceiver<Vec<u8>>,
) -> mpsc::UnboundedReceiver<(Value, Value)> {
    let (sender, incoming) = mpsc::unbounded_channel();
    let mut writer = stream.clone();
    tokio::spawn(async move {
        while let Some(message) = outgoing.recv().await {
            writer.write(&message).await;
        }
        writer.finish();
    });
    tokio::spawn(async move {
        let mut buffer: Vec<u8> = Vec::new();
        loop {
            let mut rest = &buffer[..];
            let pair = (
                rmpv::decode::read_value(&mut rest),
                rmpv::decode::read_value(&mut rest),
            );
            if let (Ok(header), Ok(body)) = pair {
                let taken = buffer.len() - rest.len();
                buffer.drain(..taken);
                let _ = sender.send((header, body));
                continue;
            }
            let bytes = stream.read().await;
            if bytes.is_empty() {
                assert!(buffer.is_empty(), "the stream ends within a message");
                stream.finish();
                return;
            }
            buffer.extend(bytes);
        }
    });
    incoming
}
