//! Findings about how recordings sound: silence, clipping, offset, level, bandwidth, channels.

use std::collections::BTreeMap;

use super::finding::{Finding, Weight};
use crate::audit::facts::Facts;
use crate::audit::homogeneity::quantile;
use crate::audit::measure::Measured;
use crate::prepare::SkipKind;
use crate::prepare::levels::dbfs;
use crate::prepare::words::{counted, hours, numbered, percent};

/// Share of silence above which a recording, or the whole, is told.
const SILENT_RECORDING: f32 = 0.5;
const SILENT_WHOLE: f64 = 0.15;
/// Clipped samples per second above which a recording is told: a click in ten seconds.
const CLIPPED_PER_SECOND: f64 = 0.3;
/// An offset above this (-40 dBFS) is told.
const OFFSET: f32 = 0.01;
/// Median levels outside these are told, in dBFS RMS.
const QUIET_DBFS: f64 = -42.0;
const LOUD_DBFS: f64 = -9.0;
/// A recording that ends below this share of the highest frequency of the dataset lacks something.
const DULL: f64 = 0.85;
/// More than this is lost where channels cancel out when they are mixed, in dB.
const CANCELLED_DB: f64 = 6.0;

/// Everything about sound.
pub(super) fn find(facts: &Facts) -> Vec<Finding> {
    let found = [silent_files(facts), silence(facts), trimming(facts), clipping(facts), offset(facts), level(facts)];
    let more = [bandwidth(facts), upsampled(facts), cancelled(facts), dead(facts), layouts(facts)];
    found.into_iter().chain(more).flatten().collect()
}

/// Recordings for which a figure is above a bound, the largest first.
fn above(facts: &Facts, bound: f64, figure: impl Fn(&Measured) -> f64) -> Vec<(&Measured, f64)> {
    let mut found: Vec<_> =
        facts.recordings.iter().map(|r| (r, figure(r))).filter(|(_, value)| *value > bound).collect();
    found.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.name.cmp(&b.0.name)));
    found
}

fn share_of_hours(facts: &Facts, found: &[(&Measured, f64)]) -> f64 {
    let all: u64 = facts.recordings.iter().map(|r| r.frames).sum();
    found.iter().map(|(r, _)| r.frames).sum::<u64>() as f64 / all.max(1) as f64
}

fn weight(share: f64) -> Weight {
    if share > 0.02 { Weight::Warning } else { Weight::Note }
}

fn silent_files(facts: &Facts) -> Option<Finding> {
    let silent: Vec<_> = facts.skipped.iter().filter(|skipped| skipped.kind == SkipKind::Silent).collect();
    if silent.is_empty() || facts.trim_silence_dbfs.is_some() {
        return None;
    }
    let amount = hours(facts.hours(silent.iter().filter_map(|skipped| skipped.frames).sum()));
    let what =
        format!("{} nothing but silence ({amount}) and left out", numbered(silent.len(), "file is", "files are"));
    let advice = "look whether the right track or channel was exported; a stereo file whose channels cancel out needs one of \
                  them turned over";
    let share = silent.len() as f64 / (silent.len() + facts.recordings.len()) as f64;
    let names = silent.iter().map(|skipped| format!("{}: {}", skipped.name, skipped.reason));
    Some(Finding::new(Weight::Warning, "silent-files", what, advice).of(share).about(names))
}

fn silence(facts: &Facts) -> Option<Finding> {
    let share = facts.silent_share();
    let found = above(facts, f64::from(SILENT_RECORDING), |r| f64::from(r.levels.silent_share));
    if share < SILENT_WHOLE && found.is_empty() {
        return None;
    }
    let weight = match share {
        s if s > 0.6 => Weight::Stop,
        s if s > SILENT_WHOLE => Weight::Warning,
        _ => weight(share_of_hours(facts, &found)),
    };
    let what = format!(
        "{} of the audio is silent (under -60 dBFS); {} than half silent",
        percent(share),
        numbered(found.len(), "recording is more", "recordings are more")
    );
    let careful = facts.thresholds.iter().find(|threshold| threshold.dbfs.total_cmp(&-60.0).is_eq());
    let cut =
        careful.map(|threshold| format!(" (it would cut {} off)", percent(threshold.discarded))).unwrap_or_default();
    let advice = format!(
        "a model that hears silence learns silence: cut rests out, or prepare with --trim-silence -60{cut}, which shortens the \
         ends of recordings and nothing else"
    );
    let names = found.iter().map(|(r, share)| format!("{}: {} silent", r.name, percent(*share)));
    Some(Finding::new(weight, "silence", what, advice).of(share.max(share_of_hours(facts, &found))).about(names))
}

fn trimming(facts: &Facts) -> Option<Finding> {
    let level = facts.trim_silence_dbfs?;
    let lost: Vec<_> = facts.skipped.iter().filter(|skipped| skipped.kind == SkipKind::Silent).collect();
    let lost_frames: u64 = lost.iter().filter_map(|skipped| skipped.frames).sum();
    let cut: u64 = facts.recordings.iter().map(|r| r.trimmed.frames()).sum();
    let all: u64 = facts.recordings.iter().map(|r| r.frames).sum::<u64>() + cut + lost_frames;
    let share = (cut + lost_frames) as f64 / all.max(1) as f64;
    let what = format!(
        "{level} dBFS would discard {} of the hours: {} at the ends of recordings, and {} of which nothing is louder ({})",
        percent(share),
        hours(facts.hours(cut)),
        counted(lost.len(), "recording"),
        hours(facts.hours(lost_frames))
    );
    // What is cut off even far below is no quiet music.
    let real = facts.thresholds.iter().any(|t| t.dbfs <= -70.0 && t.discarded > 0.7 * share);
    let gentle = facts
        .thresholds
        .iter()
        .filter(|t| t.dbfs < level && t.discarded < 0.1)
        .map(|t| t.dbfs)
        .fold(f64::NAN, f64::max);
    let (weight, advice) = if share > 0.2 && real {
        (Weight::Warning, "the silence is real: even -70 dBFS would cut most of it off, so take that".to_owned())
    } else if share > 0.5 {
        let instead = if gentle.is_nan() {
            "leave --trim-silence out".to_owned()
        } else {
            format!("take {gentle} dBFS, or leave --trim-silence out")
        };
        (
            Weight::Stop,
            format!("{instead}: a threshold that throws most away is a common cause of models that only make noise"),
        )
    } else if share > 0.2 {
        (Weight::Warning, "listen to what would go; a lower threshold keeps the ends of notes".to_owned())
    } else {
        (Weight::Note, "nothing to do: rests within recordings stay as they are".to_owned())
    };
    let mut ends = above(facts, 0.25, |r| r.trimmed.frames() as f64 / (r.frames + r.trimmed.frames()).max(1) as f64);
    ends.truncate(100);
    let names = lost.iter().map(|skipped| format!("{}: {}", skipped.name, skipped.reason));
    let ends = ends.iter().map(|(r, share)| format!("{}: {} cut off", r.name, percent(*share)));
    Some(Finding::new(weight, "trim-silence", what, advice).of(share).about(names.chain(ends)))
}

fn clipping(facts: &Facts) -> Option<Finding> {
    let per_second =
        |r: &Measured| r.levels.source_clipped as f64 / (r.frames as f64 / f64::from(facts.rate_hz)).max(1e-3);
    let found = above(facts, CLIPPED_PER_SECOND, per_second);
    if found.is_empty() {
        return None;
    }
    let share = share_of_hours(facts, &found);
    let what = format!(
        "{} clipped ({} of the hours)",
        numbered(found.len(), "recording is", "recordings are"),
        percent(share)
    );
    let advice = "export them again with less gain; what was clipped in recording is learnt as crackle: leave it out";
    let names = found
        .iter()
        .map(|(r, rate)| format!("{}: {} clipped samples, {rate:.0} per second", r.name, r.levels.source_clipped));
    Some(Finding::new(weight(share), "clipping", what, advice).of(share).about(names))
}

fn offset(facts: &Facts) -> Option<Finding> {
    let found = above(facts, f64::from(OFFSET), |r| f64::from(r.levels.dc.abs()));
    if found.is_empty() {
        return None;
    }
    let share = share_of_hours(facts, &found);
    let what = format!(
        "{} a constant offset (DC) above -40 dBFS ({} of the hours)",
        numbered(found.len(), "recording has", "recordings have"),
        percent(share)
    );
    let advice =
        "high-pass them at 20 Hz: an offset moves every sample into coarser codes, and silence becomes a level";
    let names = found.iter().map(|(r, dc)| format!("{}: {:.0} dBFS", r.name, dbfs(*dc as f32)));
    Some(Finding::new(weight(share), "offset", what, advice).of(share).about(names))
}

fn level(facts: &Facts) -> Option<Finding> {
    if facts.recordings.is_empty() {
        return None;
    }
    let [_, median, _] = facts.homogeneity.level_dbfs;
    if median < QUIET_DBFS {
        let what = format!("the recordings are quiet: their median level is {median:.0} dBFS (RMS)");
        let advice = "raise them all by the same gain, so that peaks reach about -3 dBFS: what is near silence is lost in the \
                      noise of 256 codes";
        return Some(Finding::new(Weight::Warning, "quiet", what, advice));
    }
    if median > LOUD_DBFS {
        let what = format!("the recordings are very loud: their median level is {median:.0} dBFS (RMS)");
        let advice = "use recordings from before mastering, if there are any: heavy limiting leaves distortion that is learnt too";
        return Some(Finding::new(Weight::Warning, "loud", what, advice));
    }
    None
}

fn bandwidth(facts: &Facts) -> Option<Finding> {
    let highest = f64::from(facts.rate_hz) / 2.0;
    let lacks =
        |r: &Measured| if r.cut_off && r.bandwidth_hz < DULL * highest { 1.0 - r.bandwidth_hz / highest } else { 0.0 };
    let found = above(facts, 0.0, lacks);
    if found.is_empty() {
        return None;
    }
    let share = share_of_hours(facts, &found);
    let edges: Vec<f64> = found.iter().map(|(r, _)| r.bandwidth_hz).collect();
    let what = format!(
        "{} cut off at {:.1} kHz (median) where the dataset reaches {:.1} kHz: low-passed, upsampled, or out of a lossy \
         encoder ({} of the hours)",
        numbered(found.len(), "recording is", "recordings are"),
        quantile(&edges, 0.5) / 1e3,
        highest / 1e3,
        percent(share)
    );
    let advice = if share > 0.9 {
        format!("nothing is lost at --rate {}: training is cheaper there", suitable_rate(quantile(&edges, 0.9)))
    } else {
        "leave them out or find better copies: a set that is bright here and dull there is learnt as neither".into()
    };
    let names = found
        .iter()
        .map(|(r, _)| format!("{}: ends at {:.1} kHz ({} Hz file)", r.name, r.bandwidth_hz / 1e3, r.source_rate_hz));
    Some(Finding::new(weight(share), "bandwidth", what, advice).of(share).about(names))
}

/// The lowest usual rate that holds this bandwidth.
fn suitable_rate(bandwidth_hz: f64) -> u32 {
    let rates = [4_000, 8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000];
    rates.into_iter().find(|&rate| 0.47 * f64::from(rate) >= bandwidth_hz).unwrap_or(48_000)
}

fn upsampled(facts: &Facts) -> Option<Finding> {
    let found = above(facts, 0.0, |r| f64::from(facts.rate_hz.saturating_sub(r.source_rate_hz)));
    // What is told as cut off is told once.
    if found.is_empty() {
        return None;
    }
    let share = share_of_hours(facts, &found);
    let what = format!(
        "{} a lower rate than the dataset's {} Hz ({} of the hours)",
        numbered(found.len(), "file has", "files have"),
        facts.rate_hz,
        percent(share)
    );
    let advice = "they have nothing in the highest part: choose a lower --rate, or leave them out";
    let names = found.iter().map(|(r, _)| format!("{}: {} Hz", r.name, r.source_rate_hz));
    Some(Finding::new(weight(share), "low-rate", what, advice).of(share).about(names))
}

fn cancelled(facts: &Facts) -> Option<Finding> {
    let found = above(facts, CANCELLED_DB, |r| r.mixing_loss_db.unwrap_or(0.0));
    if found.is_empty() {
        return None;
    }
    let share = share_of_hours(facts, &found);
    let what = format!(
        "{} most of the sound when mixed down to mono, because channels cancel out ({} of the hours)",
        numbered(found.len(), "recording loses", "recordings lose"),
        percent(share)
    );
    let advice = "turn one channel's polarity over, or export one channel alone";
    let names = found.iter().map(|(r, loss)| format!("{}: {loss:.0} dB lost", r.name));
    Some(Finding::new(weight(share), "cancelling", what, advice).of(share).about(names))
}

fn dead(facts: &Facts) -> Option<Finding> {
    let found: Vec<_> = facts.recordings.iter().filter(|r| r.dead_channel).collect();
    if found.is_empty() {
        return None;
    }
    let what =
        format!("{} nothing in one of several channels", numbered(found.len(), "recording has", "recordings have"));
    let advice = "export the other channel alone: mixed with silence it is 6 dB too quiet beside the rest";
    Some(Finding::new(Weight::Note, "dead-channel", what, advice).about(found.iter().map(|r| r.name.clone())))
}

fn layouts(facts: &Facts) -> Option<Finding> {
    let mut kinds: BTreeMap<(u32, usize), usize> = BTreeMap::new();
    facts.recordings.iter().for_each(|r| *kinds.entry((r.source_rate_hz, r.source_channels)).or_default() += 1);
    if kinds.len() < 2 {
        return None;
    }
    let mut kinds: Vec<_> = kinds.into_iter().collect();
    kinds.sort_by_key(|&(kind, count)| (std::cmp::Reverse(count), kind));
    let text: Vec<String> = kinds
        .iter()
        .map(|((rate, channels), count)| format!("{count} × {rate} Hz, {}", counted(*channels, "channel")))
        .collect();
    let what = format!("the files are of {} kinds: {}", kinds.len(), text.join("; "));
    let advice = "nothing to do: `prepare` brings all to one rate and number of channels";
    Some(Finding::new(Weight::Note, "layouts", what, advice))
}
