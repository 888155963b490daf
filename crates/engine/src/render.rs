//! Offline rendering: a clip in, takes out, block by block.

use crate::audio::Clip;
use crate::error::EngineError;
use crate::forecast::Workload;
use crate::generator::Generator;
use crate::kernels::Precision;
use crate::model::Model;
use crate::sampler::Sampling;
use crate::seam;
use crate::workers::Workers;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// Frames per block: what a listener waits for is short, what a block costs besides its frames is little.
const BLOCK_FRAMES: u64 = 256;

/// Most frames of a render: a day at 48 kHz.
const MOST_FRAMES: u64 = 48_000 * 86_400;

/// What to render.
#[derive(Debug, Clone)]
pub struct RenderRequest {
    /// The clip to go on from, at any rate; `None` starts in silence.
    pub seed: Option<Clip>,
    /// Frames to generate per take, at the model's rate.
    pub frames: u64,
    /// How codes are drawn.
    pub sampling: Sampling,
    /// The takes' numbers.
    pub takes: Range<u32>,
    /// In what the products are computed; `None` leaves it to [`Model::best_precision`].
    pub precision: Option<Precision>,
    /// The threads that may be used.
    pub workers: Workers,
}

impl RenderRequest {
    /// The request as a forecast sees it, with so many frames of the seed clip at the model's rate.
    pub fn workload(&self, seed_frames: u64) -> Workload {
        Workload {
            seed_frames,
            frames: self.frames,
            takes: self.takes.len() as u32,
            precision: self.precision,
            workers: self.workers.clone(),
        }
    }
}

/// Frames that have just been generated.
#[derive(Debug, Clone, Copy)]
pub struct RenderBlock<'a> {
    /// Index of the first of them; 0 is the frame after the seed clip.
    pub first_frame: u64,
    /// Amplitudes in [−1, 1] at the model's rate, take by take; all of one length.
    pub takes: &'a [&'a [f32]],
}

/// How a render went.
#[derive(Debug, Clone, PartialEq)]
pub struct RenderSummary {
    /// Frames generated per take.
    pub frames: u64,
    /// Takes.
    pub takes: u32,
    /// Frames of the seed clip at the model's rate.
    pub primed_frames: u64,
    /// Time for priming, in seconds.
    pub prime_seconds: f64,
    /// Time for generating, in seconds; the sink's own time is in it.
    pub generate_seconds: f64,
    /// Frames per second of one take, all takes running together.
    pub frames_per_second: f64,
    /// `frames_per_second` over the model's rate: above 1 is faster than real time.
    pub real_time_factor: f64,
}

/// Renders takes and hands them to `sink` in blocks of up to 256 frames, in order and without gaps.
///
/// `cancel` is looked at before every frame.
///
/// # Errors
/// [`EngineError::Cancelled`]: the sink then has whole blocks only, and nothing else remains. [`EngineError::Request`] for
/// settings out of range, [`EngineError::Audio`] for a seed clip that cannot be brought to the model's rate, and what
/// [`Generator::step`] gives.
pub fn render(
    model: &Arc<Model>,
    request: &RenderRequest,
    cancel: &AtomicBool,
    sink: &mut dyn FnMut(RenderBlock<'_>),
) -> Result<RenderSummary, EngineError> {
    if request.frames == 0 || request.frames > MOST_FRAMES {
        let reason = format!("is {} frames; it must be from 1 to {MOST_FRAMES}", request.frames);
        return Err(EngineError::Request { setting: "the length", reason });
    }
    let generator = Generator::in_precision(model, request.precision, request.sampling, request.takes.clone())?;
    let mut generator = generator.on(&request.workers);
    let started = Instant::now();
    if let Some(clip) = &request.seed {
        if cancel.load(Ordering::Relaxed) {
            return Err(EngineError::Cancelled);
        }
        let seed = seam::model_seed(clip, model.sample_rate_hz())?;
        generator.prime_unless(&seed, cancel)?;
    }
    generator.begin(cancel)?;
    let primed_frames = generator.position();
    let prime_seconds = started.elapsed().as_secs_f64();

    let started = Instant::now();
    let takes = request.takes.len();
    let mut block = vec![Vec::with_capacity(BLOCK_FRAMES as usize); takes];
    let mut first_frame = 0;
    while first_frame < request.frames {
        block.iter_mut().for_each(Vec::clear);
        let count = (request.frames - first_frame).min(BLOCK_FRAMES);
        generator.generate_unless(count as usize, &mut block, cancel)?;
        let takes: Vec<&[f32]> = block.iter().map(Vec::as_slice).collect();
        sink(RenderBlock { first_frame, takes: &takes });
        first_frame += count;
    }
    let generating = started.elapsed();
    let generate_seconds = generating.as_secs_f64();
    model.has_taken(&request.workload(primed_frames), generating);
    let frames_per_second = request.frames as f64 / generate_seconds.max(f64::MIN_POSITIVE);
    Ok(RenderSummary {
        frames: request.frames,
        takes: takes as u32,
        primed_frames,
        prime_seconds,
        generate_seconds,
        frames_per_second,
        real_time_factor: frames_per_second / f64::from(model.sample_rate_hz()),
    })
}
