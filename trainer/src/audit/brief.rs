//! The audit in short, of a dataset: what `prepare` says at its end, and `train` and `resume` before they begin.
//!
//! Nearly all of it is in the index. Beyond that a few minutes of audio are read, always the same ones, spread evenly: so it
//! takes a moment, whatever the dataset's size, and says the same every time.

use std::collections::HashMap;

use super::homogeneity::quantile;
use super::spectrum::AverageSpectrum;
use crate::data::batches::BatchPlan;
use crate::data::dataset::{Dataset, Recording, Split};
use crate::prepare::levels::dbfs;
use crate::prepare::words::{counted, hours, numbered, percent};

/// Places that are listened to, and how long each is, in seconds.
const PLACES: usize = 180;
const PLACE_SECONDS: f64 = 1.0;
/// A sample below this (-60 dBFS RMS) is silent.
const SILENT: f64 = 1e-3;

/// A dataset in a few lines: amounts first, then warnings, if there is something to warn of. With a plan of batches, also
/// what is too short for it.
pub fn brief(dataset: &Dataset, plan: Option<&BatchPlan>) -> Vec<String> {
    let rate = f64::from(dataset.sample_rate_hz());
    let in_hours = |frames: u64| hours(frames as f64 / rate / 3_600.0);
    let heard = listen(dataset);
    let all = &dataset.index().recordings;
    let levels: Vec<f64> = all.iter().map(|r| f64::from(dbfs(r.levels.rms))).collect();
    let mut lines = vec![
        format!(
            "data      {} to train on in {}, {} held out in {}",
            in_hours(dataset.total_frames(Split::Train)),
            counted(dataset.recordings(Split::Train).count(), "recording"),
            in_hours(dataset.total_frames(Split::Heldout)),
            counted(dataset.recordings(Split::Heldout).count(), "recording"),
        ),
        format!(
            "          {} silent; levels {:.0} dBFS (RMS, median), eight of ten within {:.0} to {:.0}; sound up to {:.1} kHz (in \
             {} of {PLACE_SECONDS:.0} s, spread evenly)",
            percent(silent_share(all)),
            quantile(&levels, 0.5),
            quantile(&levels, 0.1),
            quantile(&levels, 0.9),
            heard.edge_hz / 1e3,
            counted(heard.places, "place")
        ),
    ];
    lines.extend(warnings(dataset, plan, &heard).into_iter().map(|warning| format!("warning   {warning}")));
    lines
}

fn silent_share(recordings: &[Recording]) -> f64 {
    let all: f64 = recordings.iter().map(|r| r.frames as f64).sum();
    recordings.iter().map(|r| r.frames as f64 * f64::from(r.levels.silent_share)).sum::<f64>() / all.max(1.0)
}

fn warnings(dataset: &Dataset, plan: Option<&BatchPlan>, heard: &Heard) -> Vec<String> {
    let rate = f64::from(dataset.sample_rate_hz());
    let in_hours = |frames: u64| hours(frames as f64 / rate / 3_600.0);
    let all = &dataset.index().recordings;
    let total: u64 = all.iter().map(|r| r.frames).sum();
    let share = |frames: u64| percent(frames as f64 / total.max(1) as f64);
    let mut warnings = Vec::new();
    if dataset.total_frames(Split::Heldout) == 0 {
        warnings.push(
            "nothing is held out: nothing will tell when to stop. Prepare with --holdout, from two files or more"
                .into(),
        );
    }
    let silent = silent_share(all).max(heard.silent);
    if silent > 0.25 {
        warnings.push(format!(
            "{} of the audio is silent, and a model that hears silence learns silence: cut rests out, or prepare with \
             --trim-silence -60",
            percent(silent)
        ));
    }
    let seconds = |r: &Recording| r.frames as f64 / rate;
    let clipped: Vec<_> = all.iter().filter(|r| r.levels.source_clipped as f64 > 0.3 * seconds(r)).collect();
    let frames: u64 = clipped.iter().map(|r| r.frames).sum();
    if frames * 50 > total {
        let count = numbered(clipped.len(), "recording is", "recordings are");
        warnings
            .push(format!("{count} clipped ({} of the hours): use better copies, or leave them out", share(frames)));
    }
    let mut sounds: HashMap<&str, (usize, u64)> = HashMap::new();
    for r in all.iter().filter(|r| !r.source_sha256.is_empty()) {
        let known = sounds.entry(&r.source_sha256).or_default();
        *known = (known.0 + 1, r.frames);
    }
    let doubles: usize = sounds.values().map(|(count, _)| count - 1).sum();
    if doubles > 0 {
        warnings.push(format!("{} twice in the dataset: prepare it again", numbered(doubles, "file is", "files are")));
    }
    if let Some(plan) = plan {
        let used: Vec<&Recording> = dataset.recordings(Split::Train).collect();
        let short: Vec<&&Recording> = used.iter().filter(|r| r.frames < plan.frames as u64).collect();
        let frames: u64 = short.iter().map(|r| r.frames).sum();
        if !short.is_empty() {
            warnings.push(format!(
                "{} shorter than a sequence of {:.2} s and never used ({}, {} of the hours): lower chunk_frames, or join them",
                numbered(short.len(), "recording is", "recordings are"),
                plan.frames as f64 / rate,
                in_hours(frames),
                share(frames)
            ));
        }
        let whole = (plan.frames + plan.context) as u64;
        let alone = used.iter().filter(|r| (plan.frames as u64..whole).contains(&r.frames)).count();
        if alone * 4 > used.len() {
            warnings.push(format!(
                "{} shorter than sequence and receptive field together ({:.2} s): the model mostly hears silence before what \
                 it learns",
                numbered(alone, "recording is", "recordings are"),
                whole as f64 / rate
            ));
        }
    }
    let levels: Vec<f64> = all.iter().map(|r| f64::from(dbfs(r.levels.rms))).collect();
    let (low, median, high) = (quantile(&levels, 0.1), quantile(&levels, 0.5), quantile(&levels, 0.9));
    // Datasets that others made may have no levels in their index.
    if all.iter().any(|r| r.levels.rms > 0.0) {
        if median < -42.0 {
            warnings.push(format!("the recordings are quiet ({median:.0} dBFS RMS): raise them all by the same gain"));
        }
        if all.len() >= 4 && high - low > 15.0 {
            warnings.push(format!(
                "levels lie far apart ({low:.0} to {high:.0} dBFS RMS): bring equal music to equal loudness"
            ));
        }
    }
    if heard.cut_off && heard.edge_hz < 0.4 * rate {
        warnings.push(format!(
            "the audio is cut off at {:.1} kHz: a lower --rate loses nothing and trains faster",
            heard.edge_hz / 1e3
        ));
    }
    warnings
}

/// What was heard at a few places.
struct Heard {
    places: usize,
    silent: f64,
    edge_hz: f64,
    cut_off: bool,
}

fn listen(dataset: &Dataset) -> Heard {
    let (rate, channels) = (dataset.sample_rate_hz(), dataset.channels());
    let length = ((PLACE_SECONDS * f64::from(rate)) as u64).max(1);
    let total = dataset.index().frames_total;
    let places = (total / length).min(PLACES as u64);
    let mut spectrum = AverageSpectrum::new(rate, channels);
    let (mut silent, mut heard) = (0, 0);
    let mut at = 0;
    let recordings = &dataset.index().recordings;
    for place in 0..places.max(u64::from(total > 0)) {
        let frame = total * place / places.max(1);
        while recordings.get(at).is_some_and(|r| r.offset + r.frames <= frame) {
            at += 1;
        }
        let Some(recording) = recordings.get(at) else { break };
        let frames = dataset.frames(recording);
        // A stretch of this recording, ending with it at the latest.
        let first = (frame - recording.offset).min(recording.frames.saturating_sub(length));
        let last = (first + length).min(recording.frames);
        let part = &frames[first as usize * channels..last as usize * channels];
        let part: Vec<f32> = part.iter().map(|&x| f32::from(x) / 32_768.0).collect();
        let square = part.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / part.len().max(1) as f64;
        silent += usize::from(square.sqrt() < SILENT);
        heard += 1;
        spectrum.push(&part);
    }
    let edge = spectrum.finish().edge();
    Heard { places: heard, silent: silent as f64 / heard.max(1) as f64, edge_hz: edge.hz, cut_off: edge.sharp }
}
