//! A recording and how the model carries on from it, rendered by the engine that the plugin uses.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use continuo_engine::audio::{Clip, WavFormat, write_wav};
use continuo_engine::{Model, RenderRequest, Sampling, Workers};

use super::error::ExportError;
use crate::data::dataset::Dataset;
use crate::data::excerpt::excerpt;

/// Seconds of the recording, and of its continuation.
const SEED_SECONDS: f64 = 2.0;
const SECONDS: f64 = 6.0;

/// A WAV file with the settings that the plugin starts with; `folder` is for temporary files.
pub fn wav(model: &Arc<Model>, dataset: &Dataset, sampling: Sampling, folder: &Path) -> Result<Vec<u8>, ExportError> {
    let rate = f64::from(model.sample_rate_hz());
    let seed = excerpt(dataset, (SEED_SECONDS * rate) as usize, 0).unwrap_or_default();
    let mut sound = seed.clone();
    let clip = Clip { sample_rate_hz: model.sample_rate_hz(), channels: vec![seed] };
    let request = RenderRequest {
        class: 0,
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
