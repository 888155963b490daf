//! Pieces of recordings to listen to.

use super::dataset::{Dataset, Split};

/// The loudest of a few places of `frames` frames in the recording of this place among those that are long enough (held-out
/// ones first), as mono: what is listened to should not begin in a rest. `None` if there are not so many recordings of twice
/// the length.
pub fn excerpt(dataset: &Dataset, frames: usize, index: usize) -> Option<Vec<f32>> {
    let recordings = dataset.recordings(Split::Heldout).chain(dataset.recordings(Split::Train));
    let recording = recordings.filter(|recording| recording.frames >= 2 * frames as u64).nth(index)?;
    let mono = mono(dataset.frames(recording), dataset.channels());
    let energy = |start: &usize| mono[*start..*start + frames].iter().map(|x| f64::from(*x).powi(2)).sum::<f64>();
    let places = (0..8).map(|i| i * (mono.len() - frames) / 8);
    let start = places.max_by(|a, b| energy(a).total_cmp(&energy(b))).unwrap_or(0);
    Some(mono[start..start + frames].to_vec())
}

/// The mean of the channels of interleaved frames; full scale is 1.
pub fn mono(frames: &[i16], channels: usize) -> Vec<f32> {
    let scale = 32_768.0 * channels as f32;
    frames.chunks_exact(channels).map(|frame| frame.iter().map(|&x| f32::from(x)).sum::<f32>() / scale).collect()
}
