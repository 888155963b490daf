//! The audit for a terminal.

use std::fmt::Write as _;

use super::facts::{Facts, Forecast, kind_in_words};
use super::findings::{Finding, Weight, verdict};
use super::measure::Measured;
use crate::names::printable;
use crate::prepare::levels::dbfs;
use crate::prepare::words::{hours, percent};

/// Recordings in the table; the page has them all.
const MOST_ROWS: usize = 24;
/// Files that are named below a finding.
const MOST_FILES: usize = 6;
/// Width of names in the table.
const NAME: usize = 30;

/// Everything, for people: what is kept, the recordings, the findings and what to do, the forecast, the verdict.
pub(super) fn text(facts: &Facts, findings: &[Finding]) -> String {
    let mut text = String::new();
    amounts(&mut text, facts);
    table(&mut text, facts, findings);
    likeness(&mut text, facts);
    thresholds(&mut text, facts);
    if let Some(forecast) = &facts.forecast {
        for line in forecast_lines(facts, forecast) {
            let _ = writeln!(text, "forecast  {line}");
        }
    }
    text.push('\n');
    for finding in findings {
        told(&mut text, finding);
    }
    let _ = writeln!(text, "verdict   {}", verdict(findings));
    text
}

fn amounts(text: &mut String, facts: &Facts) {
    let kept = facts.kept();
    let _ = writeln!(text, "folder    {}", printable(&facts.folder.to_string_lossy()));
    let _ = writeln!(
        text,
        "kept      {:>6} recordings, {}, as {} Hz {}",
        kept.files,
        hours(kept.hours),
        facts.rate_hz,
        if facts.channels == 1 { "mono" } else { "stereo" }
    );
    if facts.trim_silence_dbfs.is_some() {
        let _ = writeln!(text, "cut off   {:>6} at the ends of recordings", hours(facts.trimmed_hours()));
    }
    for (kind, amount) in facts.left_out() {
        let unknown = match amount.of_unknown_length {
            0 => String::new(),
            count if count == amount.files => " of unknown length".into(),
            count => format!(" and {count} of unknown length"),
        };
        let length =
            if amount.of_unknown_length == amount.files { String::new() } else { format!(", {}", hours(amount.hours)) };
        let _ = writeln!(text, "left out  {:>6} {}{length}{unknown}", amount.files, kind_in_words(kind));
    }
    let took = facts.took_seconds.max(1e-9);
    let _ = writeln!(
        text,
        "read      {:.1} MB in {took:.1} s, {:.0} times real time",
        facts.source_bytes as f64 / 1e6,
        kept.hours * 3_600.0 / took
    );
}

fn table(text: &mut String, facts: &Facts, findings: &[Finding]) {
    if facts.recordings.is_empty() {
        return;
    }
    let _ = writeln!(
        text,
        "\n{:<NAME$} {:>8} {:>6} {:>2} {:>6} {:>6} {:>6} {:>7} {:>7} {:>6}",
        "recording", "length", "Hz", "ch", "RMS", "LUFS", "silent", "clipped", "DC", "to kHz"
    );
    // Those that findings name come first, since the table is short.
    let named = |r: &Measured| {
        findings.iter().any(|f| f.weight != Weight::Note && f.files.iter().any(|file| file.starts_with(&r.name)))
    };
    let (mut rows, others): (Vec<&Measured>, Vec<&Measured>) =
        facts.recordings.iter().partition(|r| facts.recordings.len() > MOST_ROWS && named(r));
    rows.truncate(MOST_ROWS);
    rows.extend(others.into_iter().take(MOST_ROWS - rows.len()));
    for r in &rows {
        let _ = writeln!(
            text,
            "{:<NAME$} {:>8} {:>6} {:>2} {:>6.1} {:>6} {:>6} {:>7} {:>7} {:>6}",
            shortened(&printable(&r.name)),
            hours(facts.hours(r.frames)),
            r.source_rate_hz,
            r.source_channels,
            dbfs(r.levels.rms),
            r.loudness_lufs.map_or("-".into(), |lufs| format!("{lufs:.1}")),
            percent(f64::from(r.levels.silent_share)),
            r.levels.source_clipped,
            offset(r),
            format!("{:.1}{}", r.bandwidth_hz / 1e3, if r.cut_off { "!" } else { "" }),
        );
    }
    if rows.iter().any(|r| r.cut_off) {
        text.push_str("to kHz: above this a file holds nothing; ! = cut off there, as by a low-pass, an upsampler or an encoder\n");
    }
    if rows.len() < facts.recordings.len() {
        let _ = writeln!(text, "… and {} more: --html FILE shows them all", facts.recordings.len() - rows.len());
    }
    text.push('\n');
}

/// An offset in dBFS; nothing of what is inaudible and harmless.
pub(super) fn offset(r: &Measured) -> String {
    if r.levels.dc.abs() < 1e-4 { "-".into() } else { format!("{:.0} dB", dbfs(r.levels.dc.abs())) }
}

/// A name that fits into its column: its end tells more than its beginning.
fn shortened(name: &str) -> String {
    let count = name.chars().count();
    if count <= NAME {
        return name.to_owned();
    }
    std::iter::once('…').chain(name.chars().skip(count - NAME + 1)).collect()
}

fn likeness(text: &mut String, facts: &Facts) {
    let found = &facts.homogeneity;
    let Some(distance) = found.typical_distance_db else { return };
    let [low, median, high] = found.level_dbfs;
    let _ = writeln!(text, "levels    {median:.1} dBFS (RMS, median), eight of ten within {low:.1} to {high:.1}");
    let [low, median, high] = found.centroid_hz;
    let _ = writeln!(text, "colour    centre at {median:.0} Hz, eight of ten within {low:.0} to {high:.0}");
    let _ = writeln!(
        text,
        "likeness  a recording's spectrum is typically {distance:.1} dB from the median (under 4.5: one kind; over 7: mixed)"
    );
}

fn thresholds(text: &mut String, facts: &Facts) {
    if facts.recordings.is_empty() {
        return;
    }
    let told = facts
        .thresholds
        .iter()
        .filter(|t| [-60.0, -50.0, -40.0, -30.0, -10.5].iter().any(|at| t.dbfs.total_cmp(at).is_eq()));
    let each: Vec<String> = told.map(|t| format!("{} dBFS {}", t.dbfs, percent(t.discarded))).collect();
    let _ = writeln!(
        text,
        "silence   {} of it; --trim-silence would cut off: {}",
        percent(facts.silent_share()),
        each.join(", ")
    );
}

/// What training costs, line by line.
pub(super) fn forecast_lines(facts: &Facts, forecast: &Forecast) -> Vec<String> {
    let mebibytes = |bytes: Option<u64>| bytes.map(|bytes| format!("{} MiB", bytes >> 20));
    let mut memory = mebibytes(forecast.peak_memory_bytes).unwrap_or_else(|| "unknown memory".into());
    if let Some(device) = mebibytes(forecast.device_memory_bytes) {
        let _ = write!(memory, ", {device} on the device");
    }
    let steps = facts.needs.as_ref().map_or(0, |needs| needs.steps);
    vec![
        format!(
            "{}: {:.0} frames/s, {:.3} s a step ({} steps measured), {memory}",
            forecast.device, forecast.frames_per_second, forecast.seconds_per_step, forecast.measured_steps
        ),
        format!(
            "{steps} steps take about {}, and go through the recordings {:.1} times",
            time(forecast.hours),
            forecast.epochs
        ),
    ]
}

fn time(hours: f64) -> String {
    match hours {
        h if h < 2.0 => format!("{:.0} minutes", (60.0 * h).max(1.0)),
        h if h < 72.0 => format!("{h:.1} hours"),
        h => format!("{:.1} days", h / 24.0),
    }
}

fn told(text: &mut String, finding: &Finding) {
    let weight = match finding.weight {
        Weight::Stop => "mend this",
        Weight::Warning => "warning",
        Weight::Note => "note",
    };
    let _ = writeln!(text, "{weight:<9} {}", printable(&finding.what));
    let _ = writeln!(text, "          → {}", printable(&finding.advice));
    for file in finding.files.iter().take(MOST_FILES) {
        let _ = writeln!(text, "            {}", printable(file));
    }
    if finding.files.len() > MOST_FILES {
        let _ = writeln!(text, "            … and {} more", finding.files.len() - MOST_FILES);
    }
}
