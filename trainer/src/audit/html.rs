//! The audit as a page.

use super::facts::{Facts, kind_in_words};
use super::findings::{Finding, Weight, verdict};
use super::spectrum::thirds;
use super::terminal::{forecast_lines, offset};
use crate::prepare::levels::dbfs;
use crate::prepare::words::{hours, percent};
use crate::report::{Axis, Band, Cell, Lines, Mark, Page, Part, Row, Series, bars, histogram};

/// Files that are named below a finding.
const MOST_FILES: usize = 40;
/// Recordings in the table: browsers lay out no more of them in a moment.
const MOST_ROWS: usize = 5_000;

/// The page.
pub(super) fn page(facts: &Facts, findings: &[Finding]) -> String {
    let mut page = Page::new(&format!("Audit of {}", facts.folder.to_string_lossy()));
    let class = match findings.first().map(|finding| finding.weight) {
        Some(Weight::Stop) => "bad",
        Some(Weight::Warning) => "warn",
        _ => "good",
    };
    page.marked(class, "Verdict:", &verdict(findings));
    let kept = facts.kept();
    page.paragraph(&format!(
        "{} recordings, {}, measured as {} Hz {}, as `prepare` would make them. Levels are RMS in dB below full scale.",
        kept.files,
        hours(kept.hours),
        facts.rate_hz,
        if facts.channels == 1 { "mono" } else { "stereo" }
    ));
    for line in facts.forecast.iter().flat_map(|forecast| forecast_lines(facts, forecast)) {
        page.paragraph(&line);
    }
    page.heading("What to do");
    if findings.is_empty() {
        page.paragraph("Nothing.");
    }
    for finding in findings {
        told(&mut page, finding);
    }
    amounts(&mut page, facts);
    if !facts.recordings.is_empty() {
        levels(&mut page, facts);
        spectrum(&mut page, facts);
        silence(&mut page, facts);
        table(&mut page, facts);
    }
    if !facts.skipped.is_empty() {
        page.heading("Left out");
        let row = |s: &crate::prepare::Skipped| {
            let length = s.frames.map_or("?".into(), |frames| hours(facts.hours(frames)));
            vec![Cell::text(&s.name), Cell::text(kind_in_words(s.kind)), Cell::number(length), Cell::text(&s.reason)]
        };
        let rows: Vec<_> = facts.skipped.iter().take(MOST_ROWS).map(row).collect();
        page.table(&["file", "kind", "length", "why"], &rows);
    }
    page.finish()
}

fn told(page: &mut Page, finding: &Finding) {
    let (class, lead) = match finding.weight {
        Weight::Stop => ("bad", "Mend this:"),
        Weight::Warning => ("warn", "Warning:"),
        Weight::Note => ("dim", "Note:"),
    };
    page.marked(class, lead, &finding.what);
    page.paragraph(&format!("→ {}", finding.advice));
    if !finding.files.is_empty() {
        let mut rows: Vec<_> = finding.files.iter().take(MOST_FILES).map(|file| vec![Cell::text(file)]).collect();
        if finding.files.len() > MOST_FILES {
            rows.push(vec![Cell::text(format!("… and {} more", finding.files.len() - MOST_FILES))]);
        }
        page.table(&["files"], &rows);
    }
}

fn amounts(page: &mut Page, facts: &Facts) {
    let part = |name: &str, files: usize, value: f64, unknown: usize| {
        let unknown = if unknown > 0 { format!(", {unknown} of them of unknown length") } else { String::new() };
        Part { name: name.to_owned(), value, text: format!("{}, {files} files{unknown}", hours(value)) }
    };
    let kept = facts.kept();
    let mut parts = vec![part("kept", kept.files, kept.hours, 0)];
    if facts.trim_silence_dbfs.is_some() {
        parts.push(Part {
            name: "cut off at ends".into(),
            value: facts.trimmed_hours(),
            text: hours(facts.trimmed_hours()),
        });
    }
    let left_out = facts.left_out();
    parts.extend(left_out.iter().map(|(&kind, a)| part(kind_in_words(kind), a.files, a.hours, a.of_unknown_length)));
    page.heading("Kept and discarded");
    page.figure(
        &bars("Hours kept and discarded", &[Row { name: "hours".into(), parts }]),
        "Hours, as far as lengths are known.",
    );
}

fn levels(page: &mut Page, facts: &Facts) {
    page.heading("Levels");
    let levels: Vec<f64> = facts.recordings.iter().map(|r| f64::from(dbfs(r.levels.rms))).collect();
    let [_, median, _] = facts.homogeneity.level_dbfs;
    let axis = Axis::new("RMS of a recording, dBFS").within(-80.0, 0.0);
    let mark = Mark { at: median, name: format!("median {median:.1}") };
    page.figure(
        &histogram(&axis, "recordings", &levels, 40, &[mark]),
        "How loud recordings are. A narrow hill is good; two hills are two kinds of recordings.",
    );
}

fn spectrum(page: &mut Page, facts: &Facts) {
    page.heading("Average spectrum");
    let found = &facts.homogeneity;
    let hz: Vec<f64> = thirds(facts.rate_hz).iter().map(|third| third.hz).collect();
    let curve = |name: String, levels: &[f64], dashed| Series {
        name,
        points: hz.iter().copied().zip(levels.iter().copied()).collect(),
        dashed,
    };
    let band = hz.iter().zip(&found.low_db).zip(&found.high_db).map(|((&hz, &low), &high)| (hz, low, high)).collect();
    let mut series = vec![curve("median of all recordings".into(), &found.median_db, false)];
    for outlier in found.outliers.iter().take(4) {
        if let Some(recording) = facts.recordings.get(outlier.recording) {
            let levels: Vec<f64> = recording.thirds_db.iter().map(|&level| f64::from(level).max(-80.0)).collect();
            series.push(curve(outlier.name.clone(), &levels, true));
        }
    }
    let lines = Lines {
        x: Axis::log("Hz"),
        y: Axis::new("dB of the whole power, per third of an octave").within(-70.0, 0.0),
        bands: vec![Band { name: "eight of ten recordings".into(), points: band }],
        series,
        marks: Vec::new(),
    };
    let told = match found.typical_distance_db {
        Some(distance) => format!(
            "A recording is typically {distance:.1} dB from the median (root mean square over the thirds). Up to 4.5 dB is \
             one kind of recording, above 7 dB a mixture. Dashed: what is least like the rest."
        ),
        None => "Too few recordings to compare them with each other.".into(),
    };
    page.figure(&lines.svg(), &told);
}

fn silence(page: &mut Page, facts: &Facts) {
    page.heading("Silence");
    let points = facts.thresholds.iter().map(|t| (t.dbfs, 100.0 * t.discarded)).collect();
    let marks =
        facts.trim_silence_dbfs.map(|at| Mark { at, name: format!("--trim-silence {at}") }).into_iter().collect();
    let lines = Lines {
        x: Axis::new("threshold, dBFS (RMS of windows of 2048 frames)").within(-90.0, -10.0),
        y: Axis::new("% of the hours cut off").within(0.0, 100.0),
        series: vec![Series { name: "cut off".into(), points, dashed: false }],
        marks,
        ..Lines::default()
    };
    page.figure(
        &lines.svg(),
        &format!(
            "What --trim-silence would cut off the ends of recordings, whole recordings included. {} of the audio is silent \
             (windows of 50 ms under -60 dBFS). The default of tensorflow-wavenet, 0.3, is the point at -10.5 dBFS.",
            percent(facts.silent_share())
        ),
    );
}

fn table(page: &mut Page, facts: &Facts) {
    page.heading("Recordings");
    let headings = [
        "file",
        "format",
        "length",
        "Hz",
        "ch",
        "RMS",
        "LUFS",
        "peak",
        "silent",
        "clipped",
        "DC",
        "to kHz",
        "centre Hz",
        "from median",
    ];
    let marked = |bad: bool, text: String| if bad { Cell::Marked("warn", text) } else { Cell::number(text) };
    let row = |(at, r): (usize, &super::measure::Measured)| {
        let distance = facts.homogeneity.distances_db.get(at).copied().unwrap_or(0.0);
        vec![
            Cell::text(&r.name),
            Cell::text(&r.format),
            Cell::number(hours(facts.hours(r.frames))),
            Cell::number(r.source_rate_hz.to_string()),
            Cell::number(r.source_channels.to_string()),
            Cell::number(format!("{:.1}", dbfs(r.levels.rms))),
            Cell::number(r.loudness_lufs.map_or("-".into(), |lufs| format!("{lufs:.1}"))),
            Cell::number(format!("{:.1}", dbfs(r.levels.peak))),
            marked(r.levels.silent_share > 0.5, percent(f64::from(r.levels.silent_share))),
            marked(r.levels.source_clipped > 0, r.levels.source_clipped.to_string()),
            marked(r.levels.dc.abs() > 0.01, offset(r)),
            marked(r.cut_off, format!("{:.1}{}", r.bandwidth_hz / 1e3, if r.cut_off { " (cut off)" } else { "" })),
            Cell::number(r.centroid_hz.map_or("-".into(), |hz| format!("{hz:.0}"))),
            Cell::number(format!("{distance:.1} dB")),
        ]
    };
    let rows: Vec<_> = facts.recordings.iter().enumerate().take(MOST_ROWS).map(row).collect();
    page.table(&headings, &rows);
    if facts.recordings.len() > MOST_ROWS {
        page.paragraph(&format!("… and {} more: --json FILE holds them all.", facts.recordings.len() - MOST_ROWS));
    }
}
