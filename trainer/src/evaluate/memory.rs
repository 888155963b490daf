//! Whether a model plays what it has heard: the place in the training audio that is most like a second of its sound.
//!
//! Two steps. The second's mel spectra (16 bands every 32 ms, each band less its mean over the training audio) are held
//! against every place of the training audio by the normalised correlation, which level does not change. At the three best
//! places the waveforms are correlated at every shift within two spectra: a copy has nearly 1 there, and two performances of
//! the same notes do not. What held-out audio finds is chance.

use continuo_engine::audio::AudioError;
use rayon::prelude::*;
use serde::Serialize;

use super::mel::MelBands;
use super::progress::Progress;
use super::reference::{self, Audio};
use super::statistics::median;
use crate::data::dataset::{Recording, Split};
use crate::training::stop;

const BANDS: usize = 16;
const HOP_SECONDS: f64 = 0.032;
/// Seconds that are looked for.
pub const WINDOW_SECONDS: f64 = 1.0;
/// Places whose waveforms are compared.
const CANDIDATES: usize = 3;
/// Variance of a patch (square of natural logarithms of power) under which there is nothing in it to recognise.
const LEAST_VARIANCE: f32 = 0.05;
/// Mean square of a sound under which it is silence.
const SILENT_POWER: f32 = 1e-7;

/// What some seconds of sound find in the training audio.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Memory {
    /// Seconds of sound that were looked for.
    pub windows: usize,
    /// Median and largest correlation of mel spectra.
    pub mel_median: f64,
    /// The largest.
    pub mel_largest: f64,
    /// Median and largest correlation of waveforms.
    pub waveform_median: f64,
    /// The largest.
    pub waveform_largest: f64,
    /// The finds, the likest waveform first.
    pub found: Vec<Found>,
}

/// The place that is most like a second of sound.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Found {
    /// Index of the sound that was looked for.
    pub window: usize,
    /// Correlation of mel spectra at the likest place by them.
    pub mel: f64,
    /// Size of the largest correlation of waveforms.
    pub waveform: f64,
    /// The recording where that is.
    pub recording: String,
    /// Where in it, in seconds.
    pub seconds: f64,
}

/// How much training audio was searched for copies.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Searched {
    /// Recordings.
    pub recordings: usize,
    /// Of so many.
    pub of: usize,
    /// Hours.
    pub hours: f64,
}

/// A sum-up of finds; `None` of none.
pub fn sum_up(mut found: Vec<Found>) -> Option<Memory> {
    found.sort_by(|a, b| b.waveform.total_cmp(&a.waveform).then(a.window.cmp(&b.window)));
    let all = |of: fn(&Found) -> f64| found.iter().map(of).collect::<Vec<f64>>();
    let (mel, waveform) = (all(|found| found.mel), all(|found| found.waveform));
    Some(Memory {
        windows: found.len(),
        mel_median: median(&mel)?,
        mel_largest: mel.iter().copied().fold(f64::MIN, f64::max),
        waveform_median: median(&waveform)?,
        waveform_largest: waveform.first().copied()?,
        found,
    })
}

/// Seconds of a sound that are looked for: at a quarter and at three quarters of it.
pub fn windows(sound: &[f32], rate_hz: u32) -> Vec<Vec<f32>> {
    let window = (WINDOW_SECONDS * f64::from(rate_hz)) as usize;
    let Some(room) = sound.len().checked_sub(window) else { return Vec::new() };
    [room / 4, 3 * room / 4].into_iter().map(|start| sound[start..start + window].to_vec()).collect()
}

/// A mel patch with mean 0 and norm 1; `None` of one in which there is nothing.
fn patch(rows: &[f32]) -> Option<Vec<f32>> {
    let count = rows.len() as f32;
    let mean = rows.iter().sum::<f32>() / count;
    let squares = rows.iter().map(|value| (value - mean).powi(2)).sum::<f32>();
    (squares / count >= LEAST_VARIANCE).then(|| rows.iter().map(|value| (value - mean) / squares.sqrt()).collect())
}

/// The recordings that are searched, with their places in the index: all, or evenly chosen ones that have so many hours
/// together.
fn chosen<'a>(audio: &Audio<'a>, hours: f64) -> Vec<(usize, &'a Recording)> {
    let all = audio.dataset.index().recordings.iter().enumerate();
    let all: Vec<(usize, &Recording)> = all.filter(|(_, recording)| recording.split == Split::Train).collect();
    let total: u64 = all.iter().map(|(_, recording)| recording.frames).sum();
    let most = hours * 3600.0 * f64::from(audio.dataset.sample_rate_hz());
    let share = (most / total.max(1) as f64).min(1.0);
    // A recording is taken where the share, added up, passes a whole number.
    let passes = |at: usize| ((at + 1) as f64 * share).floor() > (at as f64 * share).floor();
    all.into_iter().enumerate().filter(|(at, _)| passes(*at)).map(|(_, recording)| recording).collect()
}

/// A place in a recording that is like a window.
#[derive(Debug, Clone, Copy)]
struct Place {
    recording: usize,
    row: usize,
    likeness: f32,
}

/// Looks for seconds of sound in the training audio; what is silent finds nothing. `training` is some of it, for the bands' means.
///
/// # Errors
/// If a recording cannot be brought to the rate. After Ctrl-C, what was found by then comes back.
pub fn search(
    audio: Audio<'_>,
    windows: &[Vec<f32>],
    training: &[Vec<f32>],
    hours: f64,
) -> Result<(Vec<Option<Found>>, Searched), AudioError> {
    let bands = MelBands::new(audio.rate_hz, HOP_SECONDS, BANDS);
    let means = means(&bands, training);
    let spectra = |sound: &[f32]| {
        let mut mel = bands.of(sound);
        mel.chunks_exact_mut(BANDS).for_each(|row| row.iter_mut().zip(&means).for_each(|(value, mean)| *value -= mean));
        mel
    };
    let is_heard = |window: &[f32]| dot(window, window) >= SILENT_POWER * window.len() as f32;
    let of_window = |window: &Vec<f32>| is_heard(window).then(|| patch(&spectra(window))).flatten();
    let wanted: Vec<Option<Vec<f32>>> = windows.iter().map(of_window).collect();
    let recordings = chosen(&audio, hours);
    let frames: u64 = recordings.iter().map(|(_, recording)| recording.frames).sum();
    let progress = Progress::visible("training audio", frames);
    let searched = Searched {
        recordings: recordings.len(),
        of: audio.dataset.recordings(Split::Train).count(),
        hours: frames as f64 / f64::from(audio.dataset.sample_rate_hz()) / 3600.0,
    };
    // The likest place of each recording for each window.
    let places = recordings.par_iter().enumerate().map(|(at, (_, recording))| {
        if stop::requested() {
            return Ok(Vec::new());
        }
        let mel = spectra(&audio.whole(recording)?);
        let found = wanted.iter().map(|wanted| likest(wanted.as_deref()?, &mel, at)).collect();
        progress.add(recording.frames);
        Ok(found)
    });
    let places = places.collect::<Result<Vec<Vec<Option<Place>>>, AudioError>>()?;
    progress.done();
    let compared = windows.par_iter().enumerate().map(|(window, sound)| {
        let mut likely: Vec<Place> = places.iter().filter_map(|places| *places.get(window)?).collect();
        likely.sort_by(|a, b| b.likeness.total_cmp(&a.likeness).then(a.recording.cmp(&b.recording)));
        likely.truncate(CANDIDATES);
        let Some(mel) = likely.first().map(|place| f64::from(place.likeness)) else { return Ok(None) };
        let mut best: Option<Found> = None;
        for place in likely {
            let (index, recording) = recordings[place.recording];
            let (seconds, waveform) = waveform(audio, index, place.row * bands.hop(), sound, 2 * bands.hop())?;
            if best.as_ref().is_none_or(|best| waveform > best.waveform) {
                best = Some(Found { window, mel, waveform, recording: recording.name.clone(), seconds });
            }
        }
        Ok(best)
    });
    Ok((compared.collect::<Result<_, AudioError>>()?, searched))
}

/// Each band's mean over some audio.
fn means(bands: &MelBands, sounds: &[Vec<f32>]) -> Vec<f32> {
    let mut sums = [0.0; BANDS];
    let mut count = 0.0;
    for sound in sounds {
        for row in bands.of(sound).chunks_exact(BANDS) {
            sums.iter_mut().zip(row).for_each(|(sum, &value)| *sum += f64::from(value));
            count += 1.0;
        }
    }
    sums.iter().map(|sum| (sum / f64::max(count, 1.0)) as f32).collect()
}

/// The place in `[T, bands]` whose patch correlates most with a patch of norm 1 and mean 0.
fn likest(wanted: &[f32], mel: &[f32], recording: usize) -> Option<Place> {
    let rows = wanted.len() / BANDS;
    // Sums and squares of the rows before each, so that a patch's variance costs nothing.
    let mut before = vec![(0.0_f64, 0.0_f64)];
    for row in mel.chunks_exact(BANDS) {
        let (sum, squares) = before.last().copied().unwrap_or_default();
        let of_row = row.iter().fold((0.0, 0.0), |(sum, squares), value| (sum + value, squares + value * value));
        before.push((sum + f64::from(of_row.0), squares + f64::from(of_row.1)));
    }
    let count = wanted.len() as f64;
    let mut best: Option<Place> = None;
    for row in 0..before.len().saturating_sub(rows) {
        let (first, last) = (before[row], before[row + rows]);
        let (sum, squares) = (last.0 - first.0, last.1 - first.1);
        let apart = squares - sum * sum / count;
        if apart < f64::from(LEAST_VARIANCE) * count {
            continue;
        }
        let likeness = (f64::from(dot(wanted, &mel[row * BANDS..])) / apart.sqrt()) as f32;
        if best.is_none_or(|best| likeness > best.likeness) {
            best = Some(Place { recording, row, likeness });
        }
    }
    best
}

/// In as many sums as a vector has lanes, so that the compiler can use them.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0_f32; BANDS];
    for (a, b) in a.chunks_exact(BANDS).zip(b.chunks_exact(BANDS)) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    sums.iter().sum()
}

/// The largest correlation, by size, of a sound with a recording within some frames of a place, and where, in seconds.
fn waveform(
    audio: Audio<'_>,
    recording: usize,
    place: usize,
    sound: &[f32],
    around: usize,
) -> Result<(f64, f64), AudioError> {
    let ratio = f64::from(audio.dataset.sample_rate_hz()) / f64::from(audio.rate_hz);
    let start = (place as f64 * ratio).round() as u64;
    let there = audio.around(reference::Place { recording, start }, around, sound.len() + around)?;
    let norm = f64::from(dot(sound, sound)).sqrt();
    let mut best = (0, 0.0_f64);
    for shift in 0..=2 * around {
        let Some(there) = there.get(shift..shift + sound.len()) else { break };
        let size = (f64::from(dot(there, sound)) / (norm * f64::from(dot(there, there)).sqrt()).max(1e-9)).abs();
        if size > best.1 {
            best = (shift, size);
        }
    }
    Ok(((place + best.0) as f64 / f64::from(audio.rate_hz) - around as f64 / f64::from(audio.rate_hz), best.1))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::data::dataset::Dataset;
    use crate::data::synthetic;

    #[test]
    fn a_copy_is_found_where_it_is_and_other_music_is_no_copy() {
        let dir = tempfile::tempdir().unwrap();
        synthetic::write(dir.path(), 8_000, 1, 40.0).unwrap();
        let dataset = Dataset::open(dir.path()).unwrap();
        let audio = Audio { dataset: &dataset, rate_hz: 8_000 };
        let [train, held] = [0, 1].map(|at| audio.whole(dataset.recording(at).unwrap()).unwrap());
        // At another level, and between two spectra.
        let copy: Vec<f32> = train[123_457..131_457].iter().map(|x| 0.3 * x).collect();
        let other = held[100_000..108_000].to_vec();
        let windows = [copy, other, vec![0.0; 8_000]];
        let (found, searched) = search(audio, &windows, &[train], 1.0).unwrap();
        assert_eq!((searched.recordings, searched.of), (1, 1));
        let copy = found[0].clone().unwrap();
        assert!(copy.mel > 0.9 && copy.waveform > 0.999, "{copy:?}");
        assert!((copy.seconds - 123_457.0 / 8_000.0).abs() < 1e-9, "{copy:?}");
        let other = found[1].clone().unwrap();
        assert!(other.waveform < 0.8, "{other:?}");
        assert_eq!(found[2], None);
        let memory = sum_up(vec![other.clone(), copy.clone()]).unwrap();
        assert_eq!((memory.windows, memory.found), (2, vec![copy.clone(), other]));
        assert!((memory.waveform_largest - copy.waveform).abs() < 1e-12 && sum_up(vec![]).is_none());
    }

    #[test]
    fn no_more_hours_are_searched_than_asked_for_and_they_are_spread() {
        let dir = tempfile::tempdir().unwrap();
        let lengths: Vec<(u64, Split)> = (0..10).map(|_| (3_600, Split::Train)).collect();
        crate::data::dataset::tests::write(dir.path(), 1, &lengths);
        let dataset = Dataset::open(dir.path()).unwrap();
        let rate = dataset.sample_rate_hz();
        let audio = Audio { dataset: &dataset, rate_hz: rate };
        let hours = |share: f64| share * 36_000.0 / 3600.0 / f64::from(rate);
        for (share, count) in [(1.0, 10), (5.0, 10), (0.5, 5), (0.25, 2), (0.0, 0)] {
            assert_eq!(chosen(&audio, hours(share)).len(), count, "{share}");
        }
    }
}
