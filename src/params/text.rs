//! Numbers as hosts and the editor write them, and back.

/// `value` with at most `places` decimals and no trailing zeros, so that the text parses back to what it shows.
pub(super) fn decimals(value: f64, places: usize) -> String {
    let text = format!("{value:.places$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// The number in `text`, with one of the `units` before or after it.
pub(super) fn number(text: &str, units: &[&str]) -> Option<f32> {
    let text = text.trim().to_ascii_lowercase();
    let text =
        units.iter().find_map(|unit| text.strip_suffix(unit).or_else(|| text.strip_prefix(unit))).unwrap_or(&text);
    text.trim().parse::<f32>().ok().filter(|value| value.is_finite())
}

/// Milliseconds, also where the text has seconds.
pub(super) fn in_milliseconds(text: &str) -> Option<f32> {
    let text = text.trim().to_ascii_lowercase();
    if text.ends_with("ms") || !text.ends_with('s') {
        number(&text, &["ms"])
    } else {
        Some(number(&text, &["s"])? * 1e3)
    }
}
