//! TCP connections to hosts that may be given by name, whose name server may never answer.
//!
//! ```text
//!  an address ─────────────────────────────────────────┐
//!  a name ─► a place among the look-ups ─► the system ─┴─► a connection      all within one bound
//! ```
//!
//! The system looks a name up on a thread that nobody can stop, and that may wait for minutes. Who has waited
//! for long enough leaves it; so that those which are left don't use up all threads, there are few at a time.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

/// Look-ups of this process at a time, those among them that nobody waits for any more. A wait for a guest
/// has six, and the runtime five hundred threads for everything.
const LOOK_UPS: usize = 32;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreached {
    /// Nobody has said within the time where the host is.
    #[error("the name {host} was not resolved within {} s: no name server answers", bound.as_secs())]
    Unresolved {
        /// The host.
        host: String,
        /// The time there was.
        bound: Duration,
    },
    /// The host says neither yes nor no.
    #[error("no answer to a TCP connection")]
    NoAnswer,
    /// The name is unknown, or the host refuses.
    #[error("cannot connect: {0}")]
    Failed(io::Error),
}

impl From<Unreached> for io::Error {
    fn from(unreached: Unreached) -> Self {
        match unreached {
            Unreached::Failed(error) => error,
            other => Self::new(io::ErrorKind::TimedOut, other.to_string()),
        }
    }
}

/// Connects to a host within a time.
pub(crate) async fn connect(
    host: &str,
    port: u16,
    bound: Duration,
) -> Result<TcpStream, Unreached> {
    static SYSTEM: Names = Names {
        places: Semaphore::const_new(LOOK_UPS),
        look_up: |host, port| Ok((host, port).to_socket_addrs()?.collect()),
    };
    let deadline = Instant::now() + bound;
    let addresses = match host.parse::<IpAddr>() {
        Ok(address) => vec![SocketAddr::new(address, port)],
        Err(_) => match timeout_at(deadline, SYSTEM.resolve(host, port)).await {
            Ok(addresses) => addresses.map_err(Unreached::Failed)?,
            Err(_) => {
                return Err(Unreached::Unresolved {
                    host: host.to_owned(),
                    bound,
                });
            }
        },
    };
    match timeout_at(deadline, TcpStream::connect(&addresses[..])).await {
        Ok(connected) => connected.map_err(Unreached::Failed),
        Err(_) => Err(Unreached::NoAnswer),
    }
}

/// Who knows where hosts are.
struct Names {
    places: Semaphore,
    look_up: fn(&str, u16) -> io::Result<Vec<SocketAddr>>,
}

impl Names {
    /// Where a host is. Waits for as long as it takes; dropped, it leaves the thread to itself.
    async fn resolve(&'static self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let place = self.places.acquire().await.map_err(io::Error::other)?;
        let host = host.to_owned();
        let looking = tokio::task::spawn_blocking(move || {
            // Free again when the system has answered, whoever waits for it.
            let _place = place;
            (self.look_up)(&host, port)
        });
        looking.await.map_err(io::Error::other)?
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Condvar, Mutex};

    use super::*;

    /// Look-ups that have begun.
    static BEGUN: AtomicUsize = AtomicUsize::new(0);
    /// Whether the name server answers.
    static ANSWERS: (Mutex<bool>, Condvar) = (Mutex::new(false), Condvar::new());

    static SILENT: Names = Names {
        places: Semaphore::const_new(3),
        look_up: |_, port| {
            BEGUN.fetch_add(1, Ordering::SeqCst);
            let (answers, change) = &ANSWERS;
            let waiting = change.wait_while(answers.lock().unwrap(), |answers| !*answers);
            drop(waiting.unwrap());
            Ok(vec![SocketAddr::from(([127, 0, 0, 1], port))])
        },
    };

    #[tokio::test]
    async fn a_name_server_that_never_answers_holds_few_threads() {
        let many = (0..20).map(|_| async {
            let bound = Instant::now() + Duration::from_millis(50);
            timeout_at(bound, SILENT.resolve("guest", 22))
                .await
                .is_err()
        });
        for is_given_up in futures_of(many).await {
            assert!(is_given_up);
        }
        assert_eq!(BEGUN.load(Ordering::SeqCst), 3);
        *ANSWERS.0.lock().unwrap() = true;
        ANSWERS.1.notify_all();
        let found = SILENT.resolve("guest", 22).await.unwrap();
        assert_eq!(found, [SocketAddr::from(([127, 0, 0, 1], 22))]);
        assert_eq!(BEGUN.load(Ordering::SeqCst), 4);
    }

    /// What all of them come to, side by side.
    async fn futures_of<T: Send + 'static>(
        futures: impl Iterator<Item = impl Future<Output = T> + Send + 'static>,
    ) -> Vec<T> {
        let set: tokio::task::JoinSet<T> = futures.collect();
        set.join_all().await
    }

    #[tokio::test]
    async fn names_and_addresses_are_connected_to() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let bound = Duration::from_secs(30);
        for host in ["127.0.0.1", "localhost"] {
            connect(host, port, bound).await.unwrap();
        }
        drop(listener);
        let refused = connect("127.0.0.1", port, bound).await.unwrap_err();
        assert!(matches!(refused, Unreached::Failed(_)), "{refused}");
        let said = refused.to_string();
        assert!(said.starts_with("cannot connect: "), "{said}");
        let unknown = connect("no.such.name.invalid", port, Duration::from_secs(30)).await;
        assert!(unknown.is_err());
        let unresolved = Unreached::Unresolved {
            host: "guest".to_owned(),
            bound,
        };
        let error = io::Error::from(unresolved);
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(
            error
                .to_string()
                .contains("guest was not resolved within 30 s")
        );
    }
}
