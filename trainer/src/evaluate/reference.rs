//! What models are held against: the same places of held-out recordings for all models of one rate, and training audio.

use continuo_engine::audio::{AudioError, Clip};
use continuo_engine::seam::model_seed;

use super::error::EvaluateError;
use super::sound::{Listening, listen};
use crate::data::dataset::{Dataset, Recording, Split};
use crate::data::excerpt::mono;

/// Seconds of training audio that the Fréchet distances are measured from.
const TRAINING_SECONDS: f64 = 600.0;
/// Seconds on either side of an excerpt that is resampled, so that the resampler's edges are not in it.
const MARGIN_SECONDS: f64 = 0.1;

/// What is to be cut out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cuts {
    /// Held-out clips.
    pub clips: usize,
    /// Seconds of a clip that models are given.
    pub seed_seconds: f64,
    /// Seconds that follow it.
    pub seconds: f64,
    /// Seconds of the long continuation; 0 for none.
    pub drift_seconds: f64,
    /// Held-out chunks for the likelihood.
    pub chunks: usize,
    /// Frames of each that count, at the dataset's rate.
    pub chunk_frames: usize,
}

/// A place in a recording: its index, and a frame at the dataset's rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Index in [`crate::data::dataset::Index::recordings`].
    pub recording: usize,
    /// The first frame after what models are given.
    pub start: u64,
}

/// Up to `count` places of one split, spread evenly over all of its audio, each with `before` frames before and `frames`
/// from it on; so few that they need not overlap. The same on every call.
pub fn places(dataset: &Dataset, split: Split, before: u64, frames: u64, count: usize) -> Vec<Place> {
    let all = dataset.index().recordings.iter().enumerate().filter(|(_, recording)| recording.split == split);
    let long: Vec<(usize, u64)> = all
        .filter(|(_, recording)| recording.frames >= before + frames)
        .map(|(at, recording)| (at, recording.frames))
        .collect();
    let room = |length: u64| length - before - frames + 1;
    let total: u64 = long.iter().map(|&(_, length)| room(length)).sum();
    let apart: u64 = long.iter().map(|&(_, length)| length / (before + frames).max(1)).sum();
    let count = (count as u64).min(apart);
    let place = |at: u64| {
        let mut rest = (u128::from(2 * at + 1) * u128::from(total) / u128::from(2 * count.max(1))) as u64;
        for &(recording, length) in &long {
            if rest < room(length) {
                return Some(Place { recording, start: before + rest });
            }
            rest -= room(length);
        }
        None
    };
    (0..count).filter_map(place).collect()
}

/// The audio of a dataset as mono at some rate.
#[derive(Debug, Clone, Copy)]
pub struct Audio<'a> {
    /// The dataset.
    pub dataset: &'a Dataset,
    /// Frames per second that come out.
    pub rate_hz: u32,
}

impl Audio<'_> {
    /// `before` + `frames` frames, of which the first after `before` is the one at a place; silence where the recording is
    /// not.
    ///
    /// # Errors
    /// If the audio cannot be brought to the rate.
    pub fn around(&self, place: Place, before: usize, frames: usize) -> Result<Vec<f32>, AudioError> {
        let Some(recording) = self.dataset.recording(place.recording) else { return Ok(vec![0.0; before + frames]) };
        let own = self.dataset.sample_rate_hz();
        if own == self.rate_hz {
            return Ok(self.cut(recording, place.start as i64 - before as i64, before + frames));
        }
        let ratio = f64::from(own) / f64::from(self.rate_hz);
        let frames_of = |count: usize| (count as f64 * ratio).ceil() as usize;
        let margin = (MARGIN_SECONDS * f64::from(own)) as usize;
        let lead = margin + frames_of(before);
        let cut = self.cut(recording, place.start as i64 - lead as i64, lead + frames_of(frames) + margin);
        let sound = resampled(cut, own, self.rate_hz)?;
        let first = ((lead as f64 / ratio).round() as usize).saturating_sub(before);
        let mut sound = sound.get(first..).unwrap_or_default().to_vec();
        sound.resize(before + frames, 0.0);
        Ok(sound)
    }

    /// A whole recording.
    ///
    /// # Errors
    /// If the audio cannot be brought to the rate.
    pub fn whole(&self, recording: &Recording) -> Result<Vec<f32>, AudioError> {
        let sound = mono(self.dataset.frames(recording), self.dataset.channels());
        resampled(sound, self.dataset.sample_rate_hz(), self.rate_hz)
    }

    /// Frames at the dataset's rate from any place on.
    fn cut(&self, recording: &Recording, from: i64, count: usize) -> Vec<f32> {
        let channels = self.dataset.channels();
        let all = self.dataset.frames(recording);
        let missing = (-from).clamp(0, count as i64) as usize;
        let first = from.max(0) as usize * channels;
        let there = all.get(first..).unwrap_or_default();
        let there = &there[..there.len().min((count - missing) * channels)];
        let mut sound = vec![0.0; missing];
        sound.extend(mono(there, channels));
        sound.resize(count, 0.0);
        sound
    }
}

fn resampled(sound: Vec<f32>, from_hz: u32, to_hz: u32) -> Result<Vec<f32>, AudioError> {
    if from_hz == to_hz {
        return Ok(sound);
    }
    model_seed(&Clip { sample_rate_hz: from_hz, channels: vec![sound] }, to_hz)
}

/// A held-out clip and what follows it, at a model's rate.
#[derive(Debug, Clone)]
pub struct HeldoutClip {
    /// The recording's name.
    pub recording: String,
    /// Where what follows begins, in seconds.
    pub start_seconds: f64,
    /// What models are given.
    pub seed: Vec<f32>,
    /// What follows.
    pub following: Vec<f32>,
}

/// All that models of one rate are held against.
#[derive(Debug)]
pub struct Reference {
    /// Frames per second.
    pub rate_hz: u32,
    /// The clips.
    pub clips: Vec<HeldoutClip>,
    /// Training audio, spread over all of it.
    pub training: Vec<Vec<f32>>,
    /// A clip that much follows; `None` if none was asked for.
    pub long: Option<HeldoutClip>,
    /// Where the likelihood is measured.
    pub chunks: Vec<Place>,
    /// What follows the clips, listened to as a whole.
    pub heard: Listening,
}

impl Reference {
    /// Cuts it out of a dataset.
    ///
    /// # Errors
    /// If nothing is held out, or recordings are too short.
    pub fn new(audio: Audio<'_>, cuts: &Cuts) -> Result<Self, EvaluateError> {
        let dataset = audio.dataset;
        let dir = || dataset.dir().to_path_buf();
        if dataset.total_frames(Split::Heldout) == 0 {
            return Err(EvaluateError::NothingHeldOut { dir: dir() });
        }
        let own = f64::from(dataset.sample_rate_hz());
        let (seed, after) = ((cuts.seed_seconds * own).ceil() as u64, (cuts.seconds * own).ceil() as u64);
        let some = |split, before: u64, frames: u64, count| {
            let found = places(dataset, split, before, frames, count);
            if found.is_empty() {
                let longest = dataset.recordings(split).map(|recording| recording.frames).max().unwrap_or(0);
                return Err(EvaluateError::TooShort {
                    dir: dir(),
                    split: if split == Split::Heldout { "held-out" } else { "training" },
                    needed_seconds: (before + frames) as f64 / own,
                    longest_seconds: longest as f64 / own,
                });
            }
            Ok(found)
        };
        let frames_of = |seconds: f64| (seconds * f64::from(audio.rate_hz)).round() as usize;
        let clip = |place: Place, seconds: f64| -> Result<HeldoutClip, EvaluateError> {
            let seed_frames = frames_of(cuts.seed_seconds);
            let mut seed = audio.around(place, seed_frames, frames_of(seconds))?;
            let following = seed.split_off(seed_frames);
            let recording = dataset.recording(place.recording).map_or_else(String::new, |found| found.name.clone());
            Ok(HeldoutClip { recording, start_seconds: place.start as f64 / own, seed, following })
        };
        let clips = some(Split::Heldout, seed, after, cuts.clips)?
            .into_iter()
            .map(|place| clip(place, cuts.seconds))
            .collect::<Result<Vec<_>, _>>()?;
        let count = (TRAINING_SECONDS / cuts.seconds).ceil() as usize;
        let training = some(Split::Train, 0, after, count)?
            .into_iter()
            .map(|place| audio.around(place, 0, frames_of(cuts.seconds)))
            .collect::<Result<Vec<_>, _>>()?;
        let long = if cuts.drift_seconds > 0.0 {
            let wanted = (cuts.drift_seconds * own).ceil() as u64;
            let long = places(dataset, Split::Heldout, seed, wanted, 1);
            // A short recording is continued as long as any; what really follows is then shorter.
            let short = || some(Split::Heldout, seed, after, 1);
            let place = long
                .first()
                .copied()
                .map_or_else(|| short().map(|found| found.first().copied()), |found| Ok(Some(found)));
            place?
                .map(|place| {
                    let recording = dataset.recording(place.recording);
                    let left = recording.map_or(0, |recording| recording.frames - place.start);
                    clip(place, cuts.drift_seconds.min(left as f64 / own))
                })
                .transpose()?
        } else {
            None
        };
        let chunks = some(Split::Heldout, 0, cuts.chunk_frames as u64, cuts.chunks)?;
        let all: Vec<f32> = clips.iter().flat_map(|clip| &clip.following).copied().collect();
        let heard = listen(&all, audio.rate_hz);
        Ok(Self { rate_hz: audio.rate_hz, clips, training, long, chunks, heard })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::data::dataset::tests::write;

    #[test]
    fn places_are_spread_evenly_and_never_overlap() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), 2, &[(100, Split::Train), (50, Split::Heldout), (9, Split::Heldout), (170, Split::Heldout)]);
        let dataset = Dataset::open(dir.path()).unwrap();
        let found = places(&dataset, Split::Heldout, 10, 10, 5);
        assert_eq!(found.len(), 5);
        for pair in found.windows(2) {
            assert!(pair[0].recording < pair[1].recording || pair[0].start + 20 <= pair[1].start, "{found:?}");
        }
        let length = |place: &Place| dataset.recording(place.recording).unwrap().frames;
        assert!(found.iter().all(|place| place.start >= 10 && place.start + 10 <= length(place)));
        assert!(found.iter().any(|place| place.recording == 1) && found.iter().any(|place| place.recording == 3));
        assert_eq!(places(&dataset, Split::Heldout, 10, 10, 100).len(), 2 + 8);
        assert!(places(&dataset, Split::Heldout, 100, 100, 1).is_empty());
        // Silence where the recording is not, and the recording where it is.
        let audio = Audio { dataset: &dataset, rate_hz: dataset.sample_rate_hz() };
        let frames = mono(dataset.frames(dataset.recording(1).unwrap()), 2);
        let cut = audio.around(Place { recording: 1, start: 2 }, 5, 60).unwrap();
        assert_eq!((&cut[..3], &cut[3..53], &cut[53..]), (&[0.0; 3][..], &frames[..], &[0.0; 12][..]));
    }

    #[test]
    fn another_rate_is_cut_at_the_same_moment() {
        let dir = tempfile::tempdir().unwrap();
        crate::data::synthetic::write(dir.path(), 16_000, 1, 3.0).unwrap();
        let dataset = Dataset::open(dir.path()).unwrap();
        let place = Place { recording: 1, start: 16_000 };
        let own = Audio { dataset: &dataset, rate_hz: 16_000 }.around(place, 8_000, 8_000).unwrap();
        let twice = Audio { dataset: &dataset, rate_hz: 32_000 }.around(place, 16_000, 16_000).unwrap();
        assert_eq!(twice.len(), 2 * own.len());
        let power = |sound: &[f32]| sound.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>();
        let apart: Vec<f32> = own.iter().zip(twice.iter().step_by(2)).map(|(a, b)| a - b).collect();
        assert!(power(&apart) < 1e-3 * power(&own), "{} of {}", power(&apart), power(&own));
    }
}
