//! Amounts in words.

/// Hours, as minutes or seconds where they are few.
pub(crate) fn hours(hours: f64) -> String {
    let seconds = hours * 3_600.0;
    match seconds {
        s if s < 120.0 => format!("{s:.1} s"),
        s if s < 7_200.0 => format!("{:.1} min", s / 60.0),
        _ => format!("{hours:.2} h"),
    }
}

/// A share, in percent: a little is not nothing, and nearly all is not all.
pub(crate) fn percent(share: f64) -> String {
    match 100.0 * share {
        p if p <= 0.0 => "0 %".into(),
        p if p < 0.1 => "< 0.1 %".into(),
        p if p < 10.0 => format!("{p:.1} %"),
        p if p < 100.0 => format!("{:.0} %", p.min(99.0)),
        _ => "100 %".into(),
    }
}

/// A number of things, with the right ending: `counted(2, "recording")` is `2 recordings`.
pub(crate) fn counted(count: usize, thing: &str) -> String {
    if count == 1 { format!("1 {thing}") } else { format!("{count} {thing}s") }
}

/// A number of things with what they do: `numbered(2, "file is", "files are")` is `2 files are`.
pub(crate) fn numbered(count: usize, one: &str, more: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { more })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_short() {
        assert_eq!([0.2 / 3_600.0, 0.5, 47.0].map(hours), ["0.2 s", "30.0 min", "47.00 h"]);
        let shares = [0.0, 1e-5, 0.05, 0.63, 0.9999, 1.0].map(percent);
        assert_eq!(shares, ["0 %", "< 0.1 %", "5.0 %", "63 %", "99 %", "100 %"]);
        assert_eq!([numbered(1, "is", "are"), numbered(3, "is", "are")], ["1 is", "3 are"]);
        assert_eq!([counted(1, "file"), counted(0, "file")], ["1 file", "0 files"]);
    }
}
