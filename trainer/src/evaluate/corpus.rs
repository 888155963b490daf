//! What is measured of the recordings themselves, to hold models against.

use std::collections::BTreeSet;

use rayon::prelude::*;

use super::drift;
use super::figures::SoundFigures;
use super::memory;
use super::memory::Searched;
use super::model::{Bench, Embedded};
use super::reference::Place;
use super::results::{ClipPlace, CorpusResult, FrechetReferences, SoundMeans};
use super::squared_error;
use crate::random::{Purpose, Random};

const NOISE: Purpose = Purpose::named("white noise of an evaluation");

/// Everything but what is found in the training audio; and the seconds of sound to look for there. `None` where what follows
/// the clips is shorter than the embedding's windows.
pub fn measure(bench: &Bench<'_>) -> Option<(CorpusResult, Vec<Vec<f32>>)> {
    let reference = &bench.reference;
    let rate = reference.rate_hz;
    let following: Vec<&[f32]> = reference.clips.iter().map(|clip| clip.following.as_slice()).collect();
    let figures: Vec<SoundFigures> = following.par_iter().map(|sound| SoundFigures::of(sound, rate)).collect();
    let embed = |sounds: &[Vec<f32>]| -> Embedded {
        bench.embed(&sounds.iter().map(|sound| vec![sound.as_slice()]).collect::<Vec<_>>())
    };
    // Uniform noise of the same power.
    let amplitude = (10_f64.powf(reference.heard.level_db / 20.0) * 3_f64.sqrt()) as f32;
    let noise = |at: usize| -> Vec<f32> {
        let mut random = Random::new(bench.settings.rng_seed, NOISE, at as u64);
        following[at].iter().map(|_| amplitude * (2.0 * random.uniform() - 1.0)).collect()
    };
    let noise: Vec<Vec<f32>> = (0..following.len()).map(noise).collect();
    let silence: Vec<Vec<f32>> = following.iter().map(|sound| vec![0.0; sound.len()]).collect();
    let heldout = bench.embed(&following.iter().map(|&sound| vec![sound]).collect::<Vec<_>>());
    let frechet = FrechetReferences {
        training_windows: bench.yardstick.windows(),
        windows: heldout.iter().flatten().map(Vec::len).sum(),
        heldout: bench.distance(&heldout)?,
        noise: bench.distance(&embed(&noise))?.mean,
        silence: bench.distance(&embed(&silence))?.mean,
    };
    let dataset = bench.audio.dataset;
    let place = |place: &Place| ClipPlace {
        recording: dataset.recording(place.recording).map_or_else(String::new, |found| found.name.clone()),
        start_seconds: place.start as f64 / f64::from(dataset.sample_rate_hz()),
    };
    let clip = |clip: &super::reference::HeldoutClip| ClipPlace {
        recording: clip.recording.clone(),
        start_seconds: clip.start_seconds,
    };
    let windows = following.iter().flat_map(|sound| memory::windows(sound, rate)).collect();
    let result = CorpusResult {
        rate_hz: rate,
        clips: reference.clips.iter().map(clip).collect(),
        chunks: reference.chunks.iter().map(place).collect(),
        sound: SoundMeans::of(&figures)?,
        squared_error: squared_error::references(&reference.clips, rate),
        frechet,
        drift: reference.long.as_ref().map(|long| drift::of(&[&long.following], rate)),
        memory: None,
        searched: Searched::default(),
        spectrum_db: bench.embedding.mean_spectrum_db(following.iter().copied())?,
    };
    Some((result, windows))
}

/// The recordings that held-out clips come from.
pub fn recordings(corpus: &CorpusResult) -> usize {
    corpus.clips.iter().map(|clip| &clip.recording).collect::<BTreeSet<_>>().len()
}
