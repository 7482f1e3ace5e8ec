//! How fast this machine computes, for tests that hold time against work: a bound in seconds is met by one machine
//! and missed by the next.

use std::hint::black_box;
use std::sync::LazyLock;
use std::time::Duration;

/// What the yardstick took, without optimisation, on the machine that the bounds of the tests were found on.
const THERE: Duration = Duration::from_millis(50);

/// Time that this thread has been on a processor: what else the machine does is not the code's fault.
pub(crate) fn computed() -> Duration {
    let text =
        std::fs::read_to_string("/proc/thread-self/schedstat").expect("a kernel that counts");
    let time = text.split(' ').next().and_then(|time| time.parse().ok());
    Duration::from_nanos(time.expect("a number"))
}

/// How many times as long as there the yardstick takes here: never less than once, so that a fast machine makes
/// no bound tighter than it was found.
pub(crate) fn slowness() -> f64 {
    static SLOWNESS: LazyLock<f64> = LazyLock::new(measure);
    *SLOWNESS
}

fn measure() -> f64 {
    let text = "a%2} é\n".repeat(150_000);
    let begun = computed();
    let mut made = String::new();
    for character in text.chars() {
        match character {
            '%' => made.push_str("%%"),
            character if character.is_alphanumeric() => made.extend(character.to_uppercase()),
            character => made.push(character),
        }
    }
    black_box(made);
    let took = computed() - begun;
    (took.as_secs_f64() / THERE.as_secs_f64()).max(1.0)
}
