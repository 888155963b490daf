//! Sounds of a model, whatever its family.

use std::ops::Range;
use std::sync::Arc;

use continuo_engine::{EngineError, Model, Precision, Sampling, Voice, VoiceRequest};

use super::progress::Progress;
use crate::training::stop;

/// Frames between two looks at the progress.
const BLOCK: usize = 1_024;

/// Plays a model with certain settings. Sounds are the mean of its channels.
#[derive(Debug, Clone, Copy)]
pub struct Player<'a> {
    /// The model.
    pub model: &'a Arc<Model>,
    /// How symbols are drawn.
    pub sampling: Sampling,
    /// In what products are computed.
    pub precision: Option<Precision>,
    /// What has been done is told here, in frames.
    pub progress: &'a Progress,
}

impl Player<'_> {
    /// What these variations play after a clip, or out of nothing. Draws depend on the variation's number: clips that should
    /// not share them need variations of their own.
    ///
    /// # Errors
    /// As [`Voice::generate`]; [`EngineError::Cancelled`] after Ctrl-C.
    pub fn play(
        &self,
        seed: Option<&[f32]>,
        frames: usize,
        variations: Range<u32>,
    ) -> Result<Vec<Vec<f32>>, EngineError> {
        let mut voice = self.voice(seed, variations)?;
        let channels = voice.channels();
        let mut out = vec![Vec::with_capacity(frames); voice.variations().len() * channels];
        let mut left = frames;
        while left > 0 {
            let count = left.min(BLOCK);
            voice.generate(count, &mut out, stop::flag())?;
            left -= count;
            self.progress.add(count as u64);
        }
        Ok(out.chunks_exact(channels).map(mean_of_channels).collect())
    }

    /// A voice that has heard a clip.
    ///
    /// # Errors
    /// As [`Model::voice`] and [`Voice::prime`].
    pub fn voice(&self, seed: Option<&[f32]>, variations: Range<u32>) -> Result<Box<dyn Voice>, EngineError> {
        let request = VoiceRequest { precision: self.precision, ..VoiceRequest::new(self.sampling, variations) };
        let mut voice = self.model.voice(&request)?;
        if let Some(seed) = seed {
            let clip = vec![seed; voice.channels()];
            voice.prime(&clip, stop::flag())?;
        }
        Ok(voice)
    }
}

fn mean_of_channels(channels: &[Vec<f32>]) -> Vec<f32> {
    let [first, others @ ..] = channels else { return Vec::new() };
    let mut sound = first.clone();
    for channel in others {
        sound.iter_mut().zip(channel).for_each(|(sum, value)| *sum += value);
    }
    let count = channels.len() as f32;
    for value in &mut sound {
        *value /= count;
    }
    sound
}
