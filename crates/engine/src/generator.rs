//! Takes, frame by frame.

use crate::error::EngineError;
use crate::kernels::Precision;
use crate::model::Model;
use crate::sampler::{Sampler, Sampling};
use crate::takes::Takes;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Most takes of one generator.
pub const MOST_TAKES: u32 = 64;

/// Most memory that the takes of one generator may remember.
const MOST_BYTES: u64 = 4 << 30;

/// Frames between two looks at the cancel flag while priming: a few milliseconds.
const FRAMES_PER_LOOK: usize = 128;

/// Generates several takes of one continuation together.
///
/// Each frame of a take depends on the primed clip, the model, the settings, the take's number and the frame's index
/// alone: not on which takes are generated together, nor on how priming and generating were cut into calls.
#[derive(Debug)]
pub struct Generator {
    model: Arc<Model>,
    sampling: Sampling,
    takes: Range<u32>,
    /// One state for all takes as long as they are the same, else one for each.
    states: Box<dyn Takes>,
    /// Per take the newest frame's code, which has not gone through the network yet.
    newest: Vec<u32>,
    /// Whether the network has heard nothing yet, not even the silence before the first frame.
    fresh: bool,
    position: u64,
    sampler: Sampler,
    amplitudes: Vec<f32>,
}

impl Generator {
    /// A generator at frame 0 for these takes, after one receptive field of silence: where a recording begins in training.
    ///
    /// # Errors
    /// [`EngineError::Request`] for settings out of range, for no takes for more than [`MOST_TAKES`], or for so many
    /// that they would take more than 4 GiB.
    pub fn new(model: &Arc<Model>, sampling: Sampling, takes: Range<u32>) -> Result<Self, EngineError> {
        Self::in_precision(model, None, sampling, takes)
    }

    /// As [`Generator::new`], in a precision (`None`: [`Model::best_precision`]).
    ///
    /// # Errors
    /// As [`Generator::new`]; [`EngineError::NeedsRuntime`] where packing would take more memory than there should be.
    pub fn in_precision(
        model: &Arc<Model>,
        precision: Option<Precision>,
        sampling: Sampling,
        takes: Range<u32>,
    ) -> Result<Self, EngineError> {
        sampling.validate()?;
        let count = takes.end.saturating_sub(takes.start);
        if count == 0 || count > MOST_TAKES {
            let reason = format!("is {count}; it must be from 1 to {MOST_TAKES}");
            return Err(EngineError::Request { setting: "the number of takes", reason });
        }
        let needed = model.bytes_per_take() * u64::from(count);
        if needed > MOST_BYTES {
            let reason = format!(
                "is {count}, which needs {} MB of memory; at most {} MB are taken",
                needed >> 20,
                MOST_BYTES >> 20
            );
            return Err(EngineError::Request { setting: "the number of takes", reason });
        }
        let silence = model.manifest().quantisation.silence();
        Ok(Self {
            states: model.one_take(precision)?,
            model: Arc::clone(model),
            sampling,
            takes,
            newest: vec![silence; count as usize],
            fresh: true,
            position: 0,
            sampler: Sampler::default(),
            amplitudes: vec![0.0; count as usize],
        })
    }

    /// The number of the next frame, counted from the first primed one.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The takes' numbers.
    pub fn takes(&self) -> Range<u32> {
        self.takes.clone()
    }

    /// Feeds frames in [−1, 1] at the model's rate, as if every take had generated them. A clip may come in pieces.
    ///
    /// Of a piece longer than the receptive field only the end goes through the network: the state that it leaves is the
    /// same.
    ///
    /// # Errors
    /// [`EngineError::Session`] from ONNX Runtime; the generator is then of no more use.
    pub fn prime(&mut self, clip: &[f32]) -> Result<(), EngineError> {
        self.prime_unless(clip, &AtomicBool::new(false))
    }

    /// As [`Generator::prime`], with an eye on a flag.
    ///
    /// # Errors
    /// [`EngineError::Cancelled`] when `cancel` became true; the generator is then of no more use.
    pub fn prime_unless(&mut self, clip: &[f32], cancel: &AtomicBool) -> Result<(), EngineError> {
        // The clip's last frame goes through the network when the next one is asked for.
        let Some((&last, before)) = clip.split_last() else { return Ok(()) };
        let model = Arc::clone(&self.model);
        let failed = |reason| model.session_failed(reason);
        let quantisation = model.manifest().quantisation;
        let reach = usize::try_from(model.manifest().receptive_field_frames).unwrap_or(usize::MAX);
        let heard = if before.len() >= reach {
            // Nothing earlier is heard any more, so the takes are the same again.
            self.states.reset().map_err(failed)?;
            self.fresh = false;
            &before[before.len() - reach..]
        } else {
            self.hear_silence(cancel)?;
            self.states.feed(&self.newest[..self.states.count()]).map_err(failed)?;
            before
        };
        for piece in heard.chunks(FRAMES_PER_LOOK) {
            if cancel.load(Ordering::Relaxed) {
                return Err(EngineError::Cancelled);
            }
            let codes: Vec<u32> = piece.iter().map(|&amplitude| quantisation.encode(amplitude)).collect();
            self.states.feed(&codes.repeat(self.states.count())).map_err(failed)?;
        }
        self.newest.fill(quantisation.encode(last));
        self.position += clip.len() as u64;
        Ok(())
    }

    /// Does what comes before the first frame: the network hears the silence that precedes every recording. Generating or
    /// priming does it as well, but cannot be cancelled meanwhile.
    ///
    /// # Errors
    /// [`EngineError::Cancelled`] when `cancel` became true, [`EngineError::Session`] from ONNX Runtime; the generator is
    /// then of no more use.
    pub fn begin(&mut self, cancel: &AtomicBool) -> Result<(), EngineError> {
        self.hear_silence(cancel)
    }

    /// Feeds the silence before the first frame, once. The trainer pads the beginning of a recording with the code of
    /// silence, so the state of all zeros that a graph starts from is one that the network has never seen.
    fn hear_silence(&mut self, cancel: &AtomicBool) -> Result<(), EngineError> {
        if !std::mem::take(&mut self.fresh) {
            return Ok(());
        }
        let model = Arc::clone(&self.model);
        let silence = model.manifest().quantisation.silence();
        let reach = usize::try_from(model.manifest().receptive_field_frames).unwrap_or(usize::MAX);
        // Nothing has parted the takes yet: one state stands for all of them.
        let codes = vec![silence; reach.min(FRAMES_PER_LOOK)];
        let mut left = reach;
        while left > 0 {
            if cancel.load(Ordering::Relaxed) {
                return Err(EngineError::Cancelled);
            }
            let frames = left.min(codes.len());
            self.states.feed(&codes[..frames]).map_err(|reason| model.session_failed(reason))?;
            left -= frames;
        }
        Ok(())
    }

    /// Generates one frame of every take; amplitudes in [−1, 1] in the order of the takes.
    ///
    /// # Errors
    /// [`EngineError::NotFinite`] from a damaged model, [`EngineError::Session`] from ONNX Runtime. The generator is then
    /// of no more use.
    pub fn step(&mut self) -> Result<&[f32], EngineError> {
        self.hear_silence(&AtomicBool::new(false))?;
        let model = &self.model;
        let failed = |reason| model.session_failed(reason);
        let count = self.newest.len();
        if self.states.count() < count {
            self.states.part(count).map_err(failed)?;
        }
        let stride = self.states.step(&self.newest).map_err(failed)?;
        let levels = model.levels() as usize;
        if stride < levels {
            return Err(failed(format!("{stride} logits came out; there are {levels} levels")));
        }
        let frame = self.position;
        let logits = self.states.logits().chunks_exact(stride);
        for (((take, logits), newest), amplitude) in
            self.takes.clone().zip(logits).zip(&mut self.newest).zip(&mut self.amplitudes)
        {
            let code = self.sampler.draw(&logits[..levels], &self.sampling, take, frame);
            *newest = code.ok_or_else(|| EngineError::NotFinite { path: model.path().to_owned(), take, frame })?;
            *amplitude = model.amplitude(*newest);
        }
        self.position += 1;
        Ok(&self.amplitudes)
    }

    /// Generates `frames` frames and appends them to the vectors, one per take.
    ///
    /// # Errors
    /// [`EngineError::Request`] where there is not one vector per take; as [`Generator::step`].
    pub fn generate(&mut self, frames: usize, out: &mut [Vec<f32>]) -> Result<(), EngineError> {
        if out.len() != self.newest.len() {
            let reason = format!("are {}; there are {} takes", out.len(), self.newest.len());
            return Err(EngineError::Request { setting: "the output vectors", reason });
        }
        for _ in 0..frames {
            let amplitudes = self.step()?;
            out.iter_mut().zip(amplitudes).for_each(|(out, &amplitude)| out.push(amplitude));
        }
        Ok(())
    }

    /// The codes of the newest frame, in the order of the takes.
    pub fn codes(&self) -> &[u32] {
        &self.newest
    }
}
