//! "Did you mean": the closest of the names that would have been right.

/// How many edits apart two names may be and still be taken for each other: one for every three
/// characters, at least one, so `vcup` finds `vcpu` while `x` does not find `y`.
fn tolerance(name: &str) -> usize {
    (name.chars().count() / 3).max(1)
}

/// Longest name that is compared; what is longer is no slip of the finger.
const MAX_NAME_LENGTH: usize = 64;

/// The candidate closest to `name`, if one is close enough to be what was meant.
pub fn suggest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if name.len() > MAX_NAME_LENGTH {
        return None;
    }
    let plain = normalised(name);
    if plain.len() > MAX_NAME_LENGTH || plain.chars().count() < 2 {
        return None;
    }
    candidates
        .into_iter()
        .filter(|candidate| *candidate != name && candidate.len() <= MAX_NAME_LENGTH)
        .map(|candidate| (distance(&plain, &normalised(candidate)), candidate))
        .filter(|(distance, _)| *distance <= tolerance(name))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Case and the choice between dash and underscore are forgotten most easily: they cost nothing.
fn normalised(name: &str) -> String {
    name.to_lowercase().replace('-', "_")
}

/// Edits (insert, delete, replace, swap of neighbours) that turn `a` into `b`.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().collect();
    let b: Vec<char> = b.chars().collect();
    let mut before_previous = vec![0; b.len() + 1];
    let mut previous: Vec<usize> = (0..=b.len()).collect();
    for i in 0..a.len() {
        let mut current = vec![i + 1; b.len() + 1];
        for j in 0..b.len() {
            let replaced = previous[j] + usize::from(a[i] != b[j]);
            current[j + 1] = replaced.min(previous[j + 1] + 1).min(current[j] + 1);
            if i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j] {
                current[j + 1] = current[j + 1].min(before_previous[j - 1] + 1);
            }
        }
        before_previous = previous;
        previous = current;
    }
    previous[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_meant_and_nothing_far_fetched() {
        let names = ["vcpu", "memory", "network_interface", "volume", "local"];
        let cases = [
            ("vcup", Some("vcpu")),
            ("memroy", Some("memory")),
            ("network-interface", Some("network_interface")),
            ("network_interfaces", Some("network_interface")),
            ("Volume", Some("volume")),
            ("locals", Some("local")),
            ("disk", None),
            ("x", None),
            ("", None),
        ];
        for (name, expected) in cases {
            assert_eq!(suggest(name, names), expected, "{name}");
        }
    }
}
