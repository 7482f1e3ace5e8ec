use std::sync::Mutex;

use tokio::time::Instant;

use super::*;
use crate::boot_command::tests::{TIMING, spelled};

/// Notes what is pressed and when, and can fail.
struct Notes {
    begun: Instant,
    presses: Mutex<Vec<(u128, String)>>,
    fails_after: usize,
}

impl Notes {
    fn new() -> Self {
        Self {
            begun: Instant::now(),
            presses: Mutex::default(),
            fails_after: usize::MAX,
        }
    }
}

#[async_trait]
impl Keyboard for Notes {
    async fn press(&self, codes: &[u32], hold: Duration) -> Result<(), lvhost_libvirt::Error> {
        let mut presses = self.presses.lock().unwrap();
        if presses.len() >= self.fails_after {
            return Err(lvhost_libvirt::Error::NoSuchPool {
                name: "any".to_string(),
                existing: Vec::new(),
            });
        }
        let codes = codes.to_vec();
        let press = spelled(&BootStep::Press { codes, hold });
        presses.push((self.begun.elapsed().as_millis(), press));
        Ok(())
    }
}

fn command(texts: &[&str]) -> BootCommand {
    BootCommand::parse(texts, &TIMING).unwrap()
}

#[tokio::test(start_paused = true)]
async fn keys_are_sent_when_the_ones_before_are_up_again() {
    let notes = Notes::new();
    let command = command(&["aB", "<wait5><enter>"]);
    let mut told = Vec::new();
    command
        .type_on(&notes, &CancellationToken::new(), |typing| {
            told.push(typing)
        })
        .await
        .unwrap();
    let presses = notes.presses.lock().unwrap().clone();
    let expected = [
        (10_000, "30".to_string()),
        (10_200, "42+48".to_string()),
        (15_500, "28".to_string()),
    ];
    assert_eq!(presses, expected);
    assert_eq!(notes.begun.elapsed(), command.duration());
    assert_eq!(
        told,
        [
            Typing::BootWait(Duration::from_secs(10)),
            Typing::Text {
                number: 1,
                of: 2,
                remaining: Duration::from_millis(5700)
            },
            Typing::Text {
                number: 2,
                of: 2,
                remaining: Duration::from_millis(5200)
            },
            Typing::Wait(Duration::from_secs(5)),
            Typing::Done { presses: 3 },
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn an_empty_command_does_nothing_at_once() {
    let notes = Notes::new();
    let mut told = 0;
    command(&["", ""])
        .type_on(&notes, &CancellationToken::new(), |_| told += 1)
        .await
        .unwrap();
    assert_eq!((notes.begun.elapsed(), told), (Duration::ZERO, 0));
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_command_ends_in_the_middle_of_a_wait() {
    let notes = Notes::new();
    let cancel = CancellationToken::new();
    let command = command(&["a<wait1h>b"]);
    let typing = command.type_on(&notes, &cancel, |_| ());
    let stop = async {
        tokio::time::sleep(Duration::from_secs(60)).await;
        cancel.cancel();
    };
    let (result, ()) = tokio::join!(typing, stop);
    assert!(matches!(result, Err(TypeError::Cancelled)), "{result:?}");
    assert_eq!(notes.begun.elapsed(), Duration::from_secs(60));
    assert_eq!(notes.presses.lock().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_keyboard_that_fails_ends_it_with_the_text_it_was_at() {
    let notes = Notes {
        fails_after: 2,
        ..Notes::new()
    };
    let result = command(&["ab", "secret"])
        .type_on(&notes, &CancellationToken::new(), |_| ())
        .await;
    let Err(error @ TypeError::Keyboard { text: 2, .. }) = result else {
        panic!("{result:?}")
    };
    assert_eq!(error.to_string(), "can't type text 2 of `boot_command`");
    assert!(!format!("{error:?}").contains("secret"));
}
