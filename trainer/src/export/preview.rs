//! A recording and how the model carries on from it, rendered by the engine that the plugin uses.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use continuo_engine::audio::{Clip, WavFormat, write_wav};
use continuo_engine::{Model, RenderRequest, Sampling, Workers};

use super::error::ExportError;
use crate::data::dataset::{Dataset, Split};

/// Seconds of the recording, and of its continuation.
const SEED_SECONDS: f64 = 2.0;
const SECONDS: f64 = 6.0;

/// A WAV file with the settings that the plugin starts with; `folder` is for temporary files.
pub fn wav(model: &Arc<Model>, dataset: &Dataset, sampling: Sampling, folder: &Path) -> Result<Vec<u8>, ExportError> {
    let rate = f64::from(model.sample_rate_hz());
    let seed = seed(dataset, (SEED_SECONDS * rate) as usize);
    let mut sound = seed.clone();
    let clip = Clip { sample_rate_hz: model.sample_rate_hz(), channels: vec![seed] };
    let request = RenderRequest {
        seed: (clip.frames() > 0).then_some(clip),
        frames: (SECONDS * rate) as u64,
        sampling: Sampling { rng_seed: 1, ..sampling },
        variations: 0..1,
        precision: None,
        workers: Workers::alone(),
    };
    continuo_engine::render(model, &request, &AtomicBool::new(false), &mut |block| {
        sound.extend(block.sound.iter().take(1).copied().flatten());
    })?;
    let wav = folder.join("preview.wav");
    let clip = Clip { sample_rate_hz: model.sample_rate_hz(), channels: vec![sound] };
    write_wav(&wav, &clip, WavFormat::I16)?;
    std::fs::read(&wav).map_err(|source| ExportError::Io { file: wav.clone(), action: "reading", source })
}

/// The loudest of a few places of `frames` frames in a recording, as mono: a preview should not begin in a rest. Empty if
/// no recording is twice as long.
fn seed(dataset: &Dataset, frames: usize) -> Vec<f32> {
    let mut recordings = dataset.recordings(Split::Heldout).chain(dataset.recordings(Split::Train));
    let Some(recording) = recordings.find(|recording| recording.frames >= 2 * frames as u64) else {
        return Vec::new();
    };
    let mono = mono(dataset.frames(recording), dataset.channels());
    let energy = |start: &usize| mono[*start..*start + frames].iter().map(|x| f64::from(*x).powi(2)).sum::<f64>();
    let places = (0..8).map(|i| i * (mono.len() - frames) / 8);
    let start = places.max_by(|a, b| energy(a).total_cmp(&energy(b))).unwrap_or(0);
    mono[start..start + frames].to_vec()
}

/// The mean of the channels of interleaved frames; full scale is 1.
pub fn mono(frames: &[i16], channels: usize) -> Vec<f32> {
    let scale = 32_768.0 * channels as f32;
    frames.chunks_exact(channels).map(|frame| frame.iter().map(|&x| f32::from(x)).sum::<f32>() / scale).collect()
}
