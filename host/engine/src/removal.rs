//! Removing things that libvirt may still be busy with: for this process, or for one that is gone.
//!
//! A client that is killed leaves its calls behind. libvirt goes on to make, clone, fill or wipe a volume
//! and to start a guest, and refuses meanwhile to delete or undefine them. There are no events of that,
//! so it is asked again, less and less often, until it has come to an end or [`PATIENCE`] has.
//!
//! ```text
//!            busy ──► pause ──► ask again ──► … ──► PATIENCE is over: the error of the last answer
//!  ask ──┬── done
//!        └── any other error
//! ```

use std::fmt;
use std::time::Duration;

use lvhost_libvirt::{DomainId, DomainState, Error, Hypervisor, Result, VolumeId};
use tokio::time::Instant;

/// How long libvirt is waited for. It fills a volume of some hundred GiB in that time; a daemon that
/// takes longer hangs more probably than it works.
const PATIENCE: Duration = Duration::from_secs(300);

/// The first pause. What is small is done in milliseconds.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// The user hears of what is waited for when it takes longer than this.
const UNTOLD: Duration = Duration::from_secs(1);

/// How often something that is busy is asked again. Knows no clock of its own.
#[derive(Debug)]
struct Waiting {
    pause: Duration,
    is_told: bool,
}

/// What follows an answer.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    /// It is final.
    Over,
    /// Ask again after this pause; tell the user first, if so.
    Again { pause: Duration, tell: bool },
}

impl Waiting {
    fn new() -> Self {
        Self {
            pause: FIRST_PAUSE,
            is_told: false,
        }
    }

    /// What follows an error that came so long after the first question.
    fn after(&mut self, is_busy: bool, waited: Duration) -> Next {
        if !is_busy || waited >= PATIENCE {
            return Next::Over;
        }
        let pause = self.pause.min(PATIENCE.saturating_sub(waited));
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        let tell = waited >= UNTOLD && !self.is_told;
        self.is_told |= tell;
        Next::Again { pause, tell }
    }
}

/// Removes things of a hypervisor.
pub struct Removal<'a> {
    hypervisor: &'a dyn Hypervisor,
    /// Tells the user what is waited for.
    tell: &'a (dyn Fn(&str) + Send + Sync),
}

impl<'a> Removal<'a> {
    /// Removes things of `hypervisor`; `tell` hears what is waited for.
    pub fn new(hypervisor: &'a dyn Hypervisor, tell: &'a (dyn Fn(&str) + Send + Sync)) -> Self {
        Self { hypervisor, tell }
    }

    /// Deletes a volume.
    ///
    /// # Errors
    /// Those of [`Hypervisor::delete_volume`].
    pub async fn delete_volume(&self, id: &VolumeId) -> Result<()> {
        self.until_done(&Question::DeleteVolume(id)).await
    }

    /// Turns a guest off.
    ///
    /// # Errors
    /// Those of [`Hypervisor::destroy_domain`].
    pub async fn destroy_domain(&self, id: &DomainId) -> Result<()> {
        self.until_done(&Question::DestroyDomain(id)).await
    }

    /// Undefines a domain, and turns it off again should it be started at this moment.
    ///
    /// # Errors
    /// Those of [`Hypervisor::undefine_domain`].
    pub async fn undefine_domain(&self, id: &DomainId) -> Result<()> {
        self.until_done(&Question::UndefineDomain(id)).await
    }

    async fn ask(&self, question: &Question<'_>) -> Result<()> {
        let id = match *question {
            Question::DeleteVolume(id) => return self.hypervisor.delete_volume(id).await,
            Question::DestroyDomain(id) => return self.hypervisor.destroy_domain(id).await,
            Question::UndefineDomain(id) => id,
        };
        match self.hypervisor.undefine_domain(id).await {
            Ok(()) => {}
            Err(error @ Error::DomainState { .. }) => {
                self.hypervisor.destroy_domain(id).await?;
                return Err(error);
            }
            Err(error) => return Err(error),
        }
        // One that began to run in between goes on without its definition, until it is off.
        match self.hypervisor.domain_state(id).await {
            // It was removed, and who can't be asked can't be told either.
            Ok(DomainState::Gone) | Err(_) => Ok(()),
            Ok(_) => self.hypervisor.destroy_domain(id).await,
        }
    }

    async fn until_done(&self, question: &Question<'_>) -> Result<()> {
        let begun = Instant::now();
        let mut waiting = Waiting::new();
        loop {
            let Err(error) = self.ask(question).await else {
                return Ok(());
            };
            match waiting.after(question.is_busy(&error), begun.elapsed()) {
                Next::Over => return Err(error),
                Next::Again { pause, tell } => {
                    if tell {
                        (self.tell)(&format!(
                            "Waiting for libvirt, which is still busy with {question}: {error} (for \
                             at most {} s)",
                            PATIENCE.as_secs()
                        ));
                    }
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }
}

/// What libvirt is asked to remove.
enum Question<'a> {
    DeleteVolume(&'a VolumeId),
    DestroyDomain(&'a DomainId),
    UndefineDomain(&'a DomainId),
}

impl Question<'_> {
    /// Whether an answer says that the same question is worth asking again.
    fn is_busy(&self, error: &Error) -> bool {
        let starts_again =
            matches!(self, Self::UndefineDomain(_)) && matches!(error, Error::DomainState { .. });
        error.is_busy() || starts_again
    }
}

impl fmt::Display for Question<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DeleteVolume(id) => write!(formatter, "the volume {id}"),
            Self::DestroyDomain(id) | Self::UndefineDomain(id) => {
                write!(formatter, "the domain {id}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use lvhost_libvirt::fake::{Call, FakeHypervisor};
    use lvhost_libvirt::{DomainSpec, VolumeSpec};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn waiting_ends_and_tells_once(slowness in prop::collection::vec(0..60_000_u64, 1..500)) {
            let mut waiting = Waiting::new();
            let (mut waited, mut told, mut asked) = (Duration::ZERO, 0, 0);
            for slow in slowness.iter().cycle() {
                match waiting.after(true, waited) {
                    Next::Over => break,
                    Next::Again { pause, tell } => {
                        prop_assert!(pause <= LONGEST_PAUSE && !pause.is_zero());
                        told += u32::from(tell);
                        asked += 1;
                        waited += pause + Duration::from_millis(*slow);
                    }
                }
            }
            prop_assert!(waited >= PATIENCE && told <= 1 && asked < 200, "{asked}");
        }
    }

    #[test]
    fn what_is_not_busy_is_final() {
        assert_eq!(Waiting::new().after(false, Duration::ZERO), Next::Over);
    }

    async fn scene() -> (FakeHypervisor, VolumeId, DomainId) {
        let fake = FakeHypervisor::new();
        let volume = VolumeSpec {
            id: VolumeId::new("default", "disk"),
            capacity: 1,
            allocation: Some(0),
            format: None,
            backing: None,
        };
        fake.add_volume(&volume, b"").unwrap();
        let domain = fake.define_domain(&DomainSpec::new("vm")).await.unwrap();
        (fake, volume.id, domain)
    }

    #[tokio::test(start_paused = true)]
    async fn libvirt_is_waited_for_while_it_is_busy() {
        for looks in [0, 1, 3, 20] {
            let (fake, volume, domain) = scene().await;
            fake.start_domain(&domain).await.unwrap();
            for call in [
                Call::DeleteVolume,
                Call::DestroyDomain,
                Call::UndefineDomain,
            ] {
                fake.stay_busy(call, looks);
            }
            let told = Mutex::new(Vec::new());
            let tell = |text: &str| told.lock().unwrap().push(text.to_owned());
            let removal = Removal::new(&fake, &tell);
            removal.destroy_domain(&domain).await.unwrap();
            removal.delete_volume(&volume).await.unwrap();
            removal.undefine_domain(&domain).await.unwrap();
            assert!(fake.volumes().is_empty() && fake.domains().is_empty());
            let told = told.lock().unwrap();
            assert_eq!(told.len(), if looks == 20 { 3 } else { 0 }, "{told:?}");
            assert!(
                told.iter()
                    .all(|text| text.contains("still busy with the "))
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn patience_ends() {
        let (fake, volume, _) = scene().await;
        fake.stay_busy(Call::DeleteVolume, u32::MAX);
        let begun = Instant::now();
        let error = Removal::new(&fake, &|_| ()).delete_volume(&volume).await;
        assert!(error.unwrap_err().is_busy());
        assert!((PATIENCE..PATIENCE + LONGEST_PAUSE).contains(&begun.elapsed()));
    }

    #[tokio::test(start_paused = true)]
    async fn other_errors_are_told_at_once() {
        let (fake, volume, _) = scene().await;
        fake.fail_on(Call::DeleteVolume);
        let begun = Instant::now();
        let removal = Removal::new(&fake, &|_| ());
        removal.delete_volume(&volume).await.unwrap_err();
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }

    /// The start was asked for by a client that is gone, and comes late.
    #[tokio::test(start_paused = true)]
    async fn a_guest_that_starts_in_between_is_turned_off() {
        let (fake, _, domain) = scene().await;
        fake.start_domain(&domain).await.unwrap();
        Removal::new(&fake, &|_| ())
            .undefine_domain(&domain)
            .await
            .unwrap();
        assert!(fake.domains().is_empty());
    }
}
