//! Files of checksums, as `sha256sum` and its kin write them.

/// Digits of a SHA-256 and of a SHA-512.
const LENGTHS: [usize; 2] = [64, 128];

/// The digits for the file `name`, by which lvhost also tells the algorithm.
pub(crate) fn find(sums: &str, name: &str) -> Option<String> {
    sums.lines().find_map(|line| {
        let (digits, file) = gnu(line).or_else(|| bsd(line))?;
        let file = file.strip_prefix("./").unwrap_or(file);
        let is_digest = LENGTHS.contains(&digits.len())
            && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        (is_digest && file == name).then(|| digits.to_owned())
    })
}

/// `DIGITS  NAME`, or `DIGITS *NAME` for files read as binary.
fn gnu(line: &str) -> Option<(&str, &str)> {
    let (digits, rest) = line.split_once(' ')?;
    let name = rest.strip_prefix([' ', '*'])?;
    Some((digits, name.trim_end()))
}

/// `SHA256 (NAME) = DIGITS`.
fn bsd(line: &str) -> Option<(&str, &str)> {
    let (_, rest) = line.split_once(" (")?;
    let (name, digits) = rest.rsplit_once(") = ")?;
    Some((digits.trim_end(), name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_found_by_its_whole_name() {
        let (a, b) = ("a".repeat(64), "B".repeat(128));
        let sums = format!(
            "# a comment\n{a}  disk.img\r\n{b} *./other.img\n\
             SHA256 (with space (1).img) = {a}\nabc  short.img\n{}  odd.img\n",
            "z".repeat(64)
        );
        assert_eq!(find(&sums, "disk.img"), Some(a.clone()));
        assert_eq!(find(&sums, "other.img"), Some(b));
        assert_eq!(find(&sums, "with space (1).img"), Some(a));
        for missing in ["isk.img", "disk.img ", "short.img", "odd.img", ""] {
            assert_eq!(find(&sums, missing), None, "{missing}");
        }
    }
}
