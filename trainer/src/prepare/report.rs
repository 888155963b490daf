//! The summary in words.

use std::fmt::Write as _;

use super::levels::dbfs;
use super::words::{hours, percent};
use super::{SkipKind, Skipped, Summary};
use crate::data::dataset::Split;
use crate::names::printable;

/// What was imported, what is odd about it, and what was left out and why.
pub fn summary_text(summary: &Summary) -> String {
    let mut text = skipped_text(&summary.skipped);
    let index = &summary.index;
    for r in &index.recordings {
        for warning in &r.warnings {
            let _ = writeln!(text, "note     {}: {}", printable(&r.name), printable(warning));
        }
        if r.levels.source_clipped > 0 {
            let seconds = r.frames as f64 / f64::from(index.sample_rate_hz);
            let clipped = r.levels.source_clipped;
            let _ = writeln!(text, "note     {}: {clipped} clipped samples in {seconds:.0} s", printable(&r.name));
        }
    }
    let count = |split| index.recordings.iter().filter(|r| r.split == split).count();
    let total = summary.hours(Split::Train) + summary.hours(Split::Heldout);
    let took = summary.took.as_secs_f64();
    let _ = writeln!(
        text,
        "dataset  {}: {} Hz, {}, {}",
        printable(&summary.out.to_string_lossy()),
        index.sample_rate_hz,
        if index.channels == 1 { "mono" } else { "stereo" },
        hours(total)
    );
    for split in [Split::Train, Split::Heldout] {
        let _ = writeln!(
            text,
            "         {:<8} {:>6} recordings, {}",
            split.to_string(),
            count(split),
            hours(summary.hours(split))
        );
    }
    text.push_str(&trimmed_text(summary));
    let loudness = |pick: fn(&crate::data::dataset::Levels) -> f32| {
        let mut all: Vec<f32> = index.recordings.iter().map(|r| pick(&r.levels)).collect();
        all.sort_by(f32::total_cmp);
        all.get(all.len() / 2).copied().unwrap_or(0.0)
    };
    let _ = writeln!(
        text,
        "         levels   peak {:.1} dBFS, RMS {:.1} dBFS (medians)",
        dbfs(loudness(|l| l.peak)),
        dbfs(loudness(|l| l.rms))
    );
    let _ = writeln!(
        text,
        "         {} files skipped; {:.1} MB read in {took:.1} s, {:.0} times real time",
        summary.skipped.len(),
        summary.source_bytes as f64 / 1e6,
        total * 3_600.0 / took.max(1e-9)
    );
    text
}

/// What the cutting of silence cost, if it was asked for; more than half is a warning.
fn trimmed_text(summary: &Summary) -> String {
    let index = &summary.index;
    let Some(level) = index.trim_silence_dbfs else { return String::new() };
    let in_hours = |frames: u64| hours(frames as f64 / f64::from(index.sample_rate_hz) / 3_600.0);
    let ends: u64 = index.recordings.iter().filter_map(|r| Some(r.trimmed?.frames())).sum();
    let lost = summary.skipped.iter().filter(|s| s.kind == SkipKind::Silent);
    let (files, frames) = lost.fold((0, 0), |(files, frames), s| (files + 1, frames + s.frames.unwrap_or(0)));
    let share = (ends + frames) as f64 / (index.frames_total + ends + frames).max(1) as f64;
    let mut text = format!(
        "         silence  {} below {level} dBFS cut off at the ends, {files} files without anything louder ({}): {} in all\n",
        in_hours(ends),
        in_hours(frames),
        percent(share)
    );
    if share > 0.5 {
        text.push_str(
            "warning  more than half was discarded as silence: take a lower --trim-silence, or none; `audit` tells what each costs\n",
        );
    }
    text
}

/// One line per skipped file.
pub(super) fn skipped_text(skipped: &[Skipped]) -> String {
    let mut text = String::new();
    for s in skipped {
        let kind = match s.kind {
            SkipKind::NotAudio | SkipKind::Unsupported | SkipKind::Damaged | SkipKind::Unreadable => "skipped ",
            SkipKind::Empty => "empty   ",
            SkipKind::Silent => "silent  ",
            SkipKind::Duplicate => "double  ",
        };
        let _ = writeln!(text, "{kind} {}: {}", printable(&s.name), printable(&s.reason));
    }
    text
}
