//! Proxies of the tests' own: SOCKS5, HTTP, and one that only passes bytes on until it is told to
//! stop.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// A listening proxy; it and all that goes through it end when this is dropped.
pub(super) struct Proxy {
    pub(super) address: SocketAddr,
    _task: JoinSet<()>,
}

/// What a proxy does besides its duty.
#[derive(Clone, Default)]
pub(super) struct Rules {
    /// The user and password it wants.
    pub(super) credentials: Option<(String, String)>,
    /// It connects to nothing.
    pub(super) forbids: bool,
}

impl Proxy {
    async fn start<F>(serve: impl Fn(TcpStream) -> F + Send + 'static) -> Self
    where
        F: Future<Output = std::io::Result<()>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut running = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                running.spawn(serve(stream));
            }
        });
        Self {
            address,
            _task: task,
        }
    }

    pub(super) async fn socks5(rules: Rules) -> Self {
        Self::start(move |stream| socks5(stream, rules.clone())).await
    }

    pub(super) async fn http(rules: Rules) -> Self {
        Self::start(move |stream| http(stream, rules.clone())).await
    }
}

async fn socks5(mut client: TcpStream, rules: Rules) -> std::io::Result<()> {
    let version = client.read_u8().await?;
    assert_eq!(version, 5);
    let mut methods = vec![0; client.read_u8().await?.into()];
    client.read_exact(&mut methods).await?;
    let wanted = if rules.credentials.is_some() { 2 } else { 0 };
    if !methods.contains(&wanted) {
        return client.write_all(&[5, 0xff]).await;
    }
    client.write_all(&[5, wanted]).await?;
    if let Some((user, password)) = rules.credentials {
        assert_eq!(client.read_u8().await?, 1);
        let mut said = Vec::new();
        for _ in 0..2 {
            let mut text = vec![0; client.read_u8().await?.into()];
            client.read_exact(&mut text).await?;
            said.push(String::from_utf8(text).unwrap());
        }
        let right = said == [user, password];
        client.write_all(&[1, u8::from(!right)]).await?;
        if !right {
            return Ok(());
        }
    }
    let mut head = [0; 4];
    client.read_exact(&mut head).await?;
    assert_eq!(head[..3], [5, 1, 0]);
    let host = match head[3] {
        1 => {
            let mut address = [0; 4];
            client.read_exact(&mut address).await?;
            std::net::Ipv4Addr::from(address).to_string()
        }
        3 => {
            let mut name = vec![0; client.read_u8().await?.into()];
            client.read_exact(&mut name).await?;
            String::from_utf8(name).unwrap()
        }
        other => panic!("address type {other}"),
    };
    let port = client.read_u16().await?;
    let answer = |code| [5, code, 0, 1, 0, 0, 0, 0, 0, 0];
    if rules.forbids {
        return client.write_all(&answer(2)).await;
    }
    match TcpStream::connect((host, port)).await {
        Ok(mut guest) => {
            client.write_all(&answer(0)).await?;
            copy_bidirectional(&mut client, &mut guest).await?;
            Ok(())
        }
        Err(_) => client.write_all(&answer(5)).await,
    }
}

async fn http(mut client: TcpStream, rules: Rules) -> std::io::Result<()> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(client.read_u8().await?);
    }
    let request = String::from_utf8(request).unwrap();
    let target = request
        .strip_prefix("CONNECT ")
        .and_then(|rest| rest.split_once(" HTTP/1.1\r\n"))
        .map(|(target, _)| target.to_owned())
        .unwrap();
    if let Some((user, password)) = rules.credentials {
        use base64::Engine as _;
        let encoded = base64::prelude::BASE64_STANDARD.encode(format!("{user}:{password}"));
        if !request.contains(&format!("Proxy-Authorization: Basic {encoded}\r\n")) {
            let answer = b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n";
            return client.write_all(answer).await;
        }
    }
    if rules.forbids {
        return client.write_all(b"HTTP/1.1 403 Forbidden\r\n\r\n").await;
    }
    match TcpStream::connect(target).await {
        Ok(mut guest) => {
            // The guest's first line right behind the headers, in one piece with them.
            let mut answer = b"HTTP/1.1 200 Connection established\r\n\r\n".to_vec();
            let mut first = [0; 256];
            let length = guest.read(&mut first).await?;
            answer.extend_from_slice(&first[..length]);
            client.write_all(&answer).await?;
            copy_bidirectional(&mut client, &mut guest).await?;
            Ok(())
        }
        Err(_) => client.write_all(b"HTTP/1.1 502 Bad Gateway\r\n\r\n").await,
    }
}

/// Passes bytes on to one address, and stands still when it is told to.
pub(super) struct Relay {
    proxy: Proxy,
    flows: watch::Sender<bool>,
    passed: watch::Receiver<usize>,
}

impl Relay {
    pub(super) async fn start(target: SocketAddr) -> Self {
        let (flows, flowing) = watch::channel(true);
        let (count, passed) = watch::channel(0);
        let count = Arc::new(count);
        let proxy =
            Proxy::start(move |client| pass(client, target, flowing.clone(), Arc::clone(&count)))
                .await;
        Self {
            proxy,
            flows,
            passed,
        }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.proxy.address
    }

    /// Lets nothing through any more, or everything again.
    pub(super) fn flow(&self, flows: bool) {
        self.flows.send_replace(flows);
    }

    /// Waits until the guest has sent so many more pieces.
    pub(super) async fn pieces(&self, count: usize) {
        let mut passed = self.passed.clone();
        let enough = *passed.borrow() + count;
        passed.wait_for(|passed| *passed >= enough).await.unwrap();
    }
}

async fn pass(
    client: TcpStream,
    target: SocketAddr,
    flowing: watch::Receiver<bool>,
    count: Arc<watch::Sender<usize>>,
) -> std::io::Result<()> {
    let guest = TcpStream::connect(target).await?;
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_guest, mut to_guest) = guest.into_split();
    let gate = flowing.clone();
    let up = async move {
        let mut gate = gate;
        let mut piece = vec![0; 64 * 1024];
        loop {
            let length = from_client.read(&mut piece).await?;
            gate.wait_for(|flows| *flows).await.unwrap();
            if length == 0 {
                return to_guest.shutdown().await;
            }
            to_guest.write_all(&piece[..length]).await?;
        }
    };
    let down = async move {
        let mut gate = flowing;
        let mut piece = vec![0; 64 * 1024];
        loop {
            let length = from_guest.read(&mut piece).await?;
            gate.wait_for(|flows| *flows).await.unwrap();
            if length == 0 {
                return to_client.shutdown().await;
            }
            to_client.write_all(&piece[..length]).await?;
            count.send_modify(|count| *count += 1);
        }
    };
    tokio::try_join!(up, down).map(|_| ())
}
