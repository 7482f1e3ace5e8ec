//! What fits on the line of a transfer: a terminal has 80 columns more often than not, and what a user
//! wants to know most stands at the end of the line.

/// How much, how fast, how long still.
const NUMBERS: &str = "{binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec}{left}";

/// How much and how fast, of a transfer whose end nobody knows.
const NUMBERS_WITHOUT_TOTAL: &str = "{spinner} {binary_bytes} {binary_bytes_per_sec}";

/// Columns that the numbers take, with the spaces around them:
/// `1023.99 MiB/1023.99 MiB 999.99 MiB/s, 59m left`.
const NUMBERS_WIDTH: usize = 56;

/// Columns of a bar. A longer one says no more.
const BAR_WIDTH: usize = 24;

/// Columns of the shortest bar that is worth its place.
const SHORTEST_BAR: usize = 8;

/// Columns that what is transferred is named in at least.
const SHORTEST_LABEL: usize = 16;

/// A label and the template of the line below it, for a terminal of `width` columns: the numbers come
/// first, then the label, of which the end says most, and a bar where there is room.
pub(super) fn layout(label: &str, has_total: bool, width: usize) -> (String, String) {
    let room = width.saturating_sub(NUMBERS_WIDTH).max(SHORTEST_LABEL);
    let label = if console::measure_text_width(label) <= room {
        label.to_owned()
    } else {
        let end: Vec<char> = label.chars().rev().take(room - 1).collect();
        format!("…{}", end.into_iter().rev().collect::<String>())
    };
    let left = room.saturating_sub(console::measure_text_width(&label) + "[] ".len());
    let bar = left.min(BAR_WIDTH);
    let template = match (has_total, bar >= SHORTEST_BAR) {
        (true, true) => format!("    {{prefix}} [{{bar:{bar}.green}}] {NUMBERS}"),
        (true, false) => format!("    {{prefix}} {NUMBERS}"),
        (false, _) => format!("    {{prefix}} {NUMBERS_WITHOUT_TOTAL}"),
    };
    (label, template)
}

#[cfg(test)]
mod tests {
    use indicatif::ProgressStyle;

    use super::*;

    const LABEL: &str = "libvirt.example: web-artifact: download";

    #[test]
    fn the_numbers_always_fit_and_the_rest_takes_what_is_left() {
        let cases = [
            (140, LABEL, "    {prefix} [{bar:24.green}] "),
            (110, LABEL, "    {prefix} [{bar:12.green}] "),
            (100, LABEL, "    {prefix} {binary_bytes}/"),
            (
                80,
                "… web-artifact: download",
                "    {prefix} {binary_bytes}/",
            ),
            (20, "…ifact: download", "    {prefix} {binary_bytes}/"),
        ];
        for (width, expected, begins) in cases {
            let (label, template) = layout(LABEL, true, width);
            assert!(label.ends_with(expected), "{width}: {label}");
            assert!(template.starts_with(begins), "{width}: {template}");
            let taken = console::measure_text_width(&label) + NUMBERS_WIDTH;
            assert!(
                taken <= width.max(NUMBERS_WIDTH + SHORTEST_LABEL),
                "{width}: {label}"
            );
        }
    }

    #[test]
    fn the_templates_are_right() {
        for width in [20, 80, 200] {
            for has_total in [true, false] {
                let (_, template) = layout(LABEL, has_total, width);
                assert!(
                    ProgressStyle::with_template(&template).is_ok(),
                    "{template}"
                );
            }
        }
    }
}
