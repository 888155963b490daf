//! Where takes are made and kept: the one that grows, the one that is finished, and both at the host's rate.

use std::sync::Arc;

use continuo_engine::audio::{AudioError, Clip, resampled_frames};
use continuo_engine::seam::{Upsampler, model_seed, quantise};

use super::pack::PackedTake;
use super::play::PlayTake;
use super::{Recipe, Take};

/// Largest size of a take's buffers at the host's rate, in bytes.
const MAX_PLAY_BYTES: u64 = 1 << 30;

/// Why a take cannot be laid out at the host's rate.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// It would take too much memory.
    #[error(
        "{takes} takes of {seconds:.0} s at {rate_hz} Hz need {megabytes} MB of memory, more than Continuo takes; choose a shorter length or fewer takes"
    )]
    TooLarge {
        /// Alternatives.
        takes: usize,
        /// Length of each in seconds.
        seconds: f64,
        /// The host's rate.
        rate_hz: u32,
        /// What they need.
        megabytes: u64,
    },
    /// The rates do not go together.
    #[error("the take cannot be converted to the host's rate; set the host to 44.1, 48 or 96 kHz")]
    Rate(#[from] AudioError),
}

/// What an instance holds of takes. Behind a lock that `process()` never takes.
#[derive(Debug, Default)]
pub struct Bench {
    /// The last take that was finished or restored.
    pub finished: Option<Finished>,
    /// The take that is being rendered.
    pub live: Option<LiveTake>,
    /// A restored take whose sound could not be read here; it is saved again as it was.
    pub unreadable: Option<Arc<PackedTake>>,
    /// Counts the sessions that were restored: what was made for one of them does not go on the bench of the next.
    pub restored: u64,
}

/// A finished take in all its forms.
#[derive(Debug)]
pub struct Finished {
    /// Recipe and sound.
    pub take: Arc<Take>,
    /// As the host saves it.
    pub packed: Arc<PackedTake>,
    /// At the host's rate, once that is known.
    pub play: Option<Arc<PlayTake>>,
}

/// A take that is being rendered.
#[derive(Debug)]
pub struct LiveTake {
    /// The request that it belongs to.
    pub ticket: u64,
    recipe: Recipe,
    seed: Option<Arc<Clip>>,
    /// Frames so far at the model's rate, per alternative.
    frames: Vec<Vec<f32>>,
    output: Option<Output>,
}

/// A take on its way to the host's rate. Dropped before it is finished, whatever the reason, it gives the take up: an
/// offline host waits for frames until somebody says that no more will come.
#[derive(Debug)]
struct Output {
    play: Arc<PlayTake>,
    upsamplers: Vec<Upsampler>,
    scratch: Vec<f32>,
}

impl LiveTake {
    /// An empty take. `rate_hz` is the host's, if it is known.
    pub fn new(ticket: u64, recipe: Recipe, seed: Option<Arc<Clip>>, rate_hz: Option<u32>) -> Result<Self, BenchError> {
        let frames = vec![Vec::with_capacity(recipe.frames as usize); recipe.takes as usize];
        let mut live = Self { ticket, recipe, seed, frames, output: None };
        if let Some(rate_hz) = rate_hz {
            live.set_rate(rate_hz)?;
        }
        Ok(live)
    }

    /// Lays the take out at the host's rate; frames that are there already come along.
    pub fn set_rate(&mut self, rate_hz: u32) -> Result<(), BenchError> {
        if self.play().is_some_and(|play| play.rate_hz == rate_hz) {
            return Ok(());
        }
        let mut output = Output::new(&self.recipe, self.seed.as_deref(), rate_hz)?;
        for (index, frames) in self.frames.iter().enumerate() {
            output.push(index, frames)?;
        }
        self.output = Some(output);
        Ok(())
    }

    /// Takes the next frames of alternative `index` at the model's rate.
    pub fn push(&mut self, index: usize, frames: &[f32]) -> Result<(), BenchError> {
        if let Some(alternative) = self.frames.get_mut(index) {
            alternative.extend_from_slice(frames);
        }
        match &mut self.output {
            Some(output) => output.push(index, frames),
            None => Ok(()),
        }
    }

    /// At the host's rate.
    pub fn play(&self) -> Option<&Arc<PlayTake>> {
        self.output.as_ref().map(|output| &output.play)
    }

    /// Frames that every alternative has.
    pub fn ready_frames(&self) -> usize {
        self.frames.iter().map(Vec::len).min().unwrap_or(0)
    }

    /// Frames so far at the model's rate, per alternative.
    pub fn frames(&self) -> &[Vec<f32>] {
        &self.frames
    }

    /// How it is made.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// The seed clip.
    pub fn seed(&self) -> Option<&Arc<Clip>> {
        self.seed.as_ref()
    }

    /// Ends it as a whole take.
    pub fn finish(self) -> Result<(Take, Option<Arc<PlayTake>>), BenchError> {
        let play = self.output.map(Output::finish).transpose()?;
        let continuations = self.frames.into_iter().map(Arc::new).collect();
        Ok((Take { recipe: self.recipe, seed: self.seed, continuations }, play))
    }

    /// Ends it without a result, as dropping it does. What plays of it fades out at the last frame that is there.
    pub fn abandon(self) {}
}

impl Output {
    fn new(recipe: &Recipe, seed: Option<&Clip>, rate_hz: u32) -> Result<Self, BenchError> {
        let takes = recipe.takes as usize;
        let frames = resampled_frames(recipe.frames, recipe.model_rate_hz, rate_hz);
        let seed_values = seed.map_or(0, |clip| {
            resampled_frames(clip.frames() as u64, clip.sample_rate_hz, rate_hz) * clip.channels.len().min(2) as u64
        });
        let bytes = frames.saturating_mul(takes as u64).saturating_add(seed_values).saturating_mul(4);
        if bytes > MAX_PLAY_BYTES {
            return Err(BenchError::TooLarge {
                takes,
                seconds: recipe.frames as f64 / f64::from(recipe.model_rate_hz),
                rate_hz,
                megabytes: bytes >> 20,
            });
        }
        let (seed_channels, mut heard) = match seed {
            Some(clip) => (at_rate(clip, rate_hz)?, model_seed(clip, recipe.model_rate_hz)?),
            None => (Vec::new(), Vec::new()),
        };
        if let Some(quantisation) = recipe.quantisation {
            quantise(&mut heard, quantisation);
        }
        let play = Arc::new(PlayTake::new(rate_hz, &seed_channels, takes, frames as usize));
        let upsampler = || Upsampler::new(recipe.model_rate_hz, rate_hz, &heard, play.crossfade_frames());
        let upsamplers = (0..takes).map(|_| upsampler()).collect::<Result<_, _>>()?;
        Ok(Self { play, upsamplers, scratch: Vec::new() })
    }

    fn push(&mut self, index: usize, frames: &[f32]) -> Result<(), BenchError> {
        if let Some(upsampler) = self.upsamplers.get_mut(index) {
            self.scratch.clear();
            upsampler.push(frames, &mut self.scratch)?;
            self.play.append(index, &self.scratch);
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Arc<PlayTake>, BenchError> {
        for (index, upsampler) in self.upsamplers.drain(..).enumerate() {
            self.scratch.clear();
            upsampler.finish(&mut self.scratch)?;
            self.play.append(index, &self.scratch);
        }
        self.play.close();
        Ok(Arc::clone(&self.play))
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        self.play.abandon();
    }
}

/// The channels of `clip` at `rate_hz`, the last frame exactly one frame before the seam. At most two: more are mixed down.
fn at_rate(clip: &Clip, rate_hz: u32) -> Result<Vec<Vec<f32>>, AudioError> {
    let channels = if clip.channels.len() > 2 { vec![clip.mono()] } else { clip.channels.clone() };
    channels
        .into_iter()
        .map(|channel| {
            // `model_seed` aligns with the seam at any rate and continues the filter's view beyond the clip's end.
            model_seed(&Clip { sample_rate_hz: clip.sample_rate_hz, channels: vec![channel] }, rate_hz)
        })
        .collect()
}

/// A finished take at the host's rate.
pub fn lay_out(take: &Take, rate_hz: u32) -> Result<Arc<PlayTake>, BenchError> {
    let mut output = Output::new(&take.recipe, take.seed.as_deref(), rate_hz)?;
    for (index, frames) in take.continuations.iter().enumerate() {
        output.push(index, frames)?;
    }
    output.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::take::pack::tests::take;

    fn heard(play: &PlayTake, index: usize) -> Vec<u32> {
        let view = play.view(index, true).unwrap();
        (0..view.frames() as i64)
            .map(|frame| match view.frame(frame) {
                continuo_realtime::Frame::Ready([left, _]) => left.to_bits(),
                other => panic!("{frame}: {other:?}"),
            })
            .collect()
    }

    #[test]
    fn growing_in_pieces_changing_rate_and_restoring_give_the_same_frames() {
        let take = take();
        for rate_hz in [44_100, 48_000, 96_000] {
            let mut live = LiveTake::new(1, take.recipe.clone(), take.seed.clone(), Some(22_050)).unwrap();
            for start in (0..2_000).step_by(130) {
                if start > 900 {
                    live.set_rate(rate_hz).unwrap();
                }
                for (index, frames) in take.continuations.iter().enumerate() {
                    live.push(index, &frames[start..(start + 130).min(2_000)]).unwrap();
                }
            }
            let (finished, play) = live.finish().unwrap();
            assert_eq!(finished, take);
            let play = play.unwrap();
            let restored = lay_out(&take, rate_hz).unwrap();
            for index in 0..2 {
                assert_eq!(heard(&play, index), heard(&restored, index));
            }
            assert_eq!(play.frames() as u64, resampled_frames(2_000, 16_000, rate_hz));
            assert_eq!(play.seed_frames(), 2_000 * rate_hz as usize / 44_100);
        }
    }

    #[test]
    fn a_take_that_is_not_finished_is_given_up_whatever_the_reason() {
        let take = take();
        let growing = || {
            let mut live = LiveTake::new(1, take.recipe.clone(), take.seed.clone(), Some(48_000)).unwrap();
            live.push(0, &take.continuations[0][..500]).unwrap();
            let play = Arc::clone(live.play().unwrap());
            assert!(!play.is_complete());
            (live, play)
        };
        let (live, play) = growing();
        drop(live);
        assert!(play.is_complete());
        let (mut live, play) = growing();
        live.set_rate(44_100).unwrap();
        assert!(play.is_complete() && !live.play().unwrap().is_complete());
        // A fault on the way to the end: whoever waits for frames is told that none will come.
        let (live, play) = growing();
        let fault = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
            let _live = live;
            panic!("a fault in finishing");
        }));
        assert!(fault.is_err() && play.is_complete());
        assert!(play.ready(0) < play.seed_frames() + play.frames(), "given up, not whole");
    }

    #[test]
    fn a_take_larger_than_memory_is_refused_in_words() {
        let mut recipe = take().recipe;
        recipe.takes = 8;
        recipe.frames = 16_000 * 3_600;
        // Only the layout is refused; `LiveTake` would reserve the model-rate frames first.
        let error = Output::new(&recipe, None, 192_000).unwrap_err();
        assert!(error.to_string().contains("shorter length"), "{error}");
    }
}
