//! Findings about what training will make of it: likeness, time and memory.

use super::finding::{Finding, Weight};
use crate::audit::facts::Facts;
use crate::audit::homogeneity::Kind;
use crate::prepare::words::{hours, numbered, percent};

/// Most levels may lie apart, from the tenth to the ninetieth hundredth, in dB.
const MOST_SPREAD_DB: f64 = 15.0;
/// Folders whose median spectra are further apart hold different sounds, in dB.
const FOLDERS_APART_DB: f64 = 7.0;
/// A training of more hours is told.
const LONG_HOURS: f64 = 24.0 * 7.0;

/// Everything about training.
pub(super) fn find(facts: &Facts) -> Vec<Finding> {
    let found =
        [likeness(facts), outliers(facts), levels(facts), folders(facts), time(facts), memory(facts), epochs(facts)];
    found.into_iter().flatten().collect()
}

fn likeness(facts: &Facts) -> Option<Finding> {
    let distance = facts.homogeneity.typical_distance_db?;
    let (weight, what, advice) = match facts.homogeneity.kind()? {
        Kind::One => return None,
        Kind::Related => (
            Weight::Note,
            "recordings differ in sound like related instruments, or one in several rooms",
            "a homogeneous set trains better: see the outliers, and try the largest group of like recordings first",
        ),
        Kind::Mixed => (
            Weight::Warning,
            "recordings differ in sound like different instruments",
            "train on one instrument and room at a time: models of raw audio that hear many things learn none of them well",
        ),
    };
    let what = format!("{what} (typically {distance:.1} dB from the median spectrum)");
    Some(Finding::new(weight, "mixed", what, advice))
}

fn outliers(facts: &Facts) -> Option<Finding> {
    let outliers = &facts.homogeneity.outliers;
    if outliers.is_empty() {
        return None;
    }
    let frames: u64 = outliers.iter().map(|outlier| outlier.frames).sum();
    let share = facts.hours(frames) / facts.kept().hours.max(1e-12);
    let what = format!(
        "{} not like the rest ({}, {} of the hours)",
        numbered(outliers.len(), "recording is", "recordings are"),
        hours(facts.hours(frames)),
        percent(share)
    );
    let advice = "listen to them, and leave out what is of another kind (talk, applause, another instrument, noise)";
    let names = outliers.iter().map(|outlier| format!("{}: {}", outlier.name, outlier.reasons.join(", ")));
    Some(Finding::new(Weight::Warning, "outliers", what, advice).of(share).about(names))
}

fn levels(facts: &Facts) -> Option<Finding> {
    let [low, _, high] = facts.homogeneity.level_dbfs;
    if facts.recordings.len() < 4 || high - low < MOST_SPREAD_DB {
        return None;
    }
    let what = format!(
        "levels lie far apart: the quietest tenth is under {low:.0} dBFS, the loudest above {high:.0} dBFS (RMS)"
    );
    let advice = "bring recordings of equal music to equal loudness; leave differences that are the music's own";
    Some(Finding::new(Weight::Warning, "uneven-levels", what, advice))
}

fn folders(facts: &Facts) -> Option<Finding> {
    let pair = facts.homogeneity.folders.first().filter(|pair| pair.distance_db > FOLDERS_APART_DB)?;
    let [a, b] = &pair.folders;
    let what =
        format!("the folders {a} and {b} sound different: {:.1} dB between their median spectra", pair.distance_db);
    let advice = "train a model on each";
    Some(Finding::new(Weight::Note, "folders-differ", what, advice))
}

fn time(facts: &Facts) -> Option<Finding> {
    let forecast = facts.forecast.as_ref().filter(|forecast| forecast.hours > LONG_HOURS)?;
    let what = format!("training would take {:.0} days on {}", forecast.hours / 24.0, forecast.device);
    let advice =
        "take a smaller configuration, fewer steps, or another --device; `train --minutes` and `resume` split it";
    Some(Finding::new(Weight::Warning, "long-training", what, advice))
}

fn memory(facts: &Facts) -> Option<Finding> {
    let needed = facts.forecast.as_ref()?.peak_memory_bytes?;
    let total = memory_total()?;
    if needed < total / 5 * 4 {
        return None;
    }
    let what = format!("training needs {} MiB of this machine's {} MiB", needed >> 20, total >> 20);
    Some(Finding::new(Weight::Warning, "memory", what, "lower batch or chunk_frames in the configuration"))
}

/// Memory of this machine, in bytes, where the system tells.
fn memory_total() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kilobytes| kilobytes << 10)
}

fn epochs(facts: &Facts) -> Option<Finding> {
    let needs = facts.needs.as_ref()?;
    let frames: u64 = facts.recordings.iter().map(|r| r.frames).filter(|&f| f >= needs.chunk_frames as u64).sum();
    if frames == 0 {
        return None;
    }
    let epochs = needs.steps as f64 * needs.batch as f64 * needs.chunk_frames as f64 / frames as f64;
    if epochs > 200.0 {
        let what = format!(
            "{} steps go through these recordings {epochs:.0} times: they will be learnt by heart",
            needs.steps
        );
        let advice = "take fewer steps or more recordings, and the checkpoint that measured best on what is held out";
        return Some(Finding::new(Weight::Note, "many-epochs", what, advice));
    }
    if epochs < 0.5 {
        let what = format!("{} steps hear only {} of these recordings", needs.steps, percent(epochs));
        return Some(Finding::new(
            Weight::Note,
            "few-epochs",
            what,
            "more steps, or a larger batch, would use all of them",
        ));
    }
    None
}
