//! A web server for one folder, on loopback, which also shows what is in its folders.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// Serves the files of a folder until the test ends.
pub(crate) struct Server {
    port: u16,
    sent: Arc<AtomicU64>,
    redirects: Redirects,
}

/// Addresses by the names of files that have moved there.
type Redirects = Arc<Mutex<BTreeMap<String, String>>>;

impl Server {
    /// Starts on a free port.
    pub(crate) fn start(folder: &Path) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let sent = Arc::new(AtomicU64::new(0));
        let redirects = Redirects::default();
        let (folder, counter) = (folder.to_path_buf(), Arc::clone(&sent));
        let moved = Arc::clone(&redirects);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (folder, counter) = (folder.clone(), Arc::clone(&counter));
                let moved = Arc::clone(&moved);
                // A client that goes away is no failure of the server.
                std::thread::spawn(move || answer(&stream, &folder, &moved, &counter).ok());
            }
        });
        Self {
            port,
            sent,
            redirects,
        }
    }

    /// Sends those who ask for a file to another address.
    pub(crate) fn redirect(&self, name: &str, to: &str) {
        let mut redirects = self.redirects.lock().unwrap();
        redirects.insert(name.to_owned(), to.to_owned());
    }

    /// The address of a file.
    pub(crate) fn url(&self, name: &str) -> String {
        format!("http://127.0.0.1:{}/{name}", self.port)
    }

    /// Bytes of bodies sent so far.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::SeqCst)
    }
}

fn answer(
    mut stream: &TcpStream,
    folder: &Path,
    redirects: &Mutex<BTreeMap<String, String>>,
    sent: &AtomicU64,
) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream).lines();
    let request = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    let mut from = 0;
    for line in lines {
        let line = line?.to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(range) = line.strip_prefix("range: bytes=") {
            from = range.trim_end_matches('-').parse().unwrap_or(0);
        }
    }
    let name = request
        .split(' ')
        .nth(1)
        .unwrap_or("/")
        .trim_start_matches('/')
        .to_string();
    if let Some(to) = redirects.lock().unwrap().get(&name) {
        return write!(
            stream,
            "HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        );
    }
    if folder.join(&name).is_dir() {
        let page = listing(&folder.join(&name))?;
        sent.fetch_add(page.len() as u64, Ordering::SeqCst);
        return write!(
            stream,
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{page}",
            page.len()
        );
    }
    let Ok(mut file) = File::open(folder.join(&name)) else {
        return stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n");
    };
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(from))?;
    let status = if from == 0 {
        "200 OK"
    } else {
        "206 Partial Content"
    };
    write!(
        stream,
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\netag: \"{length}\"\r\n\
         content-range: bytes {from}-{}/{length}\r\naccept-ranges: bytes\r\n\
         connection: close\r\n\r\n",
        length - from,
        length - 1,
    )?;
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..read])?;
        sent.fetch_add(read as u64, Ordering::SeqCst);
    }
}

/// What is in a folder, as nginx shows it.
fn listing(folder: &Path) -> std::io::Result<String> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    let links: String = names
        .iter()
        .map(|name| format!("<a href=\"{name}\">{name}</a>\r\n"))
        .collect();
    Ok(format!(
        "<html><body><pre><a href=\"../\">../</a>\r\n{links}</pre></body></html>"
    ))
}
