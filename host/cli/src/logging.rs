//! The log for developers and bug reports: `tracing` on standard error, off unless asked for.

use std::io::{self, Write};

use lvhost_engine::Secrets;
use tracing_subscriber::EnvFilter;

use crate::shown::continued;
use crate::surroundings::Surroundings;

/// Says which parts log how much, as in `lvhost_engine=debug,warn`.
const VARIABLE: &str = "LVHOST_LOG";

/// Whether anything is logged.
pub(crate) fn is_wanted(verbose: u8, surroundings: &Surroundings) -> bool {
    verbose > 0 || surroundings.set(VARIABLE).is_some()
}

/// Starts the log.
pub(crate) fn start(verbose: u8, surroundings: &Surroundings) {
    let filter = match surroundings.set(VARIABLE) {
        Some(directives) => EnvFilter::new(directives),
        // Only our own: the libraries below say far more than anybody reads.
        None => EnvFilter::new(match verbose {
            1 => "warn,lvhost=info",
            2 => "info,lvhost=debug",
            _ => "trace",
        }),
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(Filtered::stderr(surroundings))
        .with_ansi(false)
        .init();
}

/// Starts the log of the plugin if Packer has one, which takes what stands on standard error.
pub(crate) fn start_for_packer(surroundings: &Surroundings) {
    let is_wanted = surroundings.set("PACKER_LOG").is_some_and(|set| set != "0");
    let directives = match surroundings.set(VARIABLE) {
        Some(directives) => directives,
        None if is_wanted => "warn,lvhost=info",
        None => return,
    };
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(directives))
        .with_writer(Filtered::stderr(surroundings))
        .with_ansi(false)
        // Packer stamps each line, and may be gone before the last one.
        .without_time()
        .log_internal_errors(false)
        .init();
}

/// Writes what may be shown and can be seen of each event, on lines that don't look like another one's.
struct Filtered<W> {
    out: W,
    secrets: Secrets,
}

impl Filtered<io::Stderr> {
    /// Makes one for each event.
    fn stderr(surroundings: &Surroundings) -> impl Fn() -> Self + Send + Sync + 'static {
        let secrets = surroundings.secrets.clone();
        move || Self {
            out: io::stderr(),
            secrets: secrets.clone(),
        }
    }
}

impl<W: Write> Write for Filtered<W> {
    /// Events come whole.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        let text = self.secrets.mask(text.strip_suffix('\n').unwrap_or(&text));
        let line = continued(&text);
        self.out.write_all(format!("{line}\n").as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_logged_steers_and_forges_and_tells_nothing() {
        let secrets = Secrets::default();
        secrets.add(["swordfish".into()]);
        let mut log = Filtered {
            out: Vec::new(),
            secrets,
        };
        let event = b"INFO said=\x1b[31mred\n==> libvirt.x: swordfish Finished\xc2\x9b2J\xff\n";
        log.write_all(event).unwrap();
        let said = String::from_utf8(log.out).unwrap();
        assert_eq!(
            said,
            "INFO said=red\n      ==> libvirt.x: <sensitive> Finished\u{fffd}\n"
        );
    }
}
