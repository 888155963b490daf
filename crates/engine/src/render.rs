//! Offline rendering: a clip in, variations out, block by block.

use crate::audio::Clip;
use crate::error::EngineError;
use crate::forecast::Workload;
use crate::kernels::Precision;
use crate::model::Model;
use crate::sampling::Sampling;
use crate::seam;
use crate::voice::VoiceRequest;
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
    /// Frames to generate, at the model's rate.
    pub frames: u64,
    /// How symbols are drawn.
    pub sampling: Sampling,
    /// Which of the model's classes is asked for; see [`crate::Abilities::classes`].
    pub class: u32,
    /// The variations' numbers.
    pub variations: Range<u32>,
    /// In what the products are computed; `None` leaves it to the model.
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
            variations: self.variations.len() as u32,
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
    /// Audio channels.
    pub channels: usize,
    /// Amplitudes in [−1, 1] at the model's rate, all of one length: channel by channel of each variation.
    pub sound: &'a [&'a [f32]],
}

impl<'a> RenderBlock<'a> {
    /// The channels of each variation.
    pub fn variations(&self) -> impl Iterator<Item = &'a [&'a [f32]]> {
        self.sound.chunks_exact(self.channels)
    }
}

/// How a render went.
#[derive(Debug, Clone, PartialEq)]
pub struct RenderSummary {
    /// Frames generated.
    pub frames: u64,
    /// Variations.
    pub variations: u32,
    /// Frames of the seed clip at the model's rate.
    pub primed_frames: u64,
    /// Time for priming, in seconds.
    pub prime_seconds: f64,
    /// Time for generating, in seconds; the sink's own time is in it.
    pub generate_seconds: f64,
    /// Frames per second of one variation, all of them running together.
    pub frames_per_second: f64,
    /// `frames_per_second` over the model's rate: above 1 is faster than real time.
    pub real_time_factor: f64,
    /// See [`Voice::bits_per_symbol`](crate::Voice::bits_per_symbol).
    pub bits_per_symbol: Vec<f64>,
}

/// Renders variations and hands them to `sink` in blocks of up to 256 frames, in order and without gaps.
///
/// `cancel` is looked at before every frame.
///
/// # Errors
/// [`EngineError::Cancelled`]: the sink then has whole blocks only, and nothing else remains. [`EngineError::Request`] for
/// settings out of range or for what the model cannot do, [`EngineError::Audio`] for a seed clip that cannot be brought to
/// the model's rate, and what [`Voice::generate`](crate::Voice::generate) gives.
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
    let abilities = model.abilities();
    if let Some(frames) = abilities.fixed_frames.filter(|&frames| request.frames > frames) {
        let reason = format!("is {} frames; this model makes {frames}", request.frames);
        return Err(EngineError::Request { setting: "the length", reason });
    }
    let cannot = |reason: &str| Err(EngineError::Request { setting: "the seed clip", reason: reason.into() });
    match &request.seed {
        Some(_) if !abilities.can_continue => return cannot("cannot be continued by this model; render without one"),
        None if !abilities.can_begin => return cannot("is missing; this model needs one to go on from"),
        _ => {}
    }
    let mut voice = model.voice(&VoiceRequest {
        sampling: request.sampling,
        class: request.class,
        variations: request.variations.clone(),
        precision: request.precision,
        workers: request.workers.clone(),
    })?;
    let started = Instant::now();
    if let Some(clip) = &request.seed {
        if cancel.load(Ordering::Relaxed) {
            return Err(EngineError::Cancelled);
        }
        let seed = seam::model_seed_of(clip, model.sample_rate_hz(), voice.channels())?;
        let channels: Vec<&[f32]> = seed.iter().map(Vec::as_slice).collect();
        voice.prime(&channels, cancel)?;
    }
    voice.begin(cancel)?;
    let primed_frames = voice.position();
    let prime_seconds = started.elapsed().as_secs_f64();

    let started = Instant::now();
    let variations = request.variations.len();
    let channels = voice.channels();
    let mut block: Vec<_> = (0..variations * channels).map(|_| Vec::with_capacity(BLOCK_FRAMES as usize)).collect();
    let mut first_frame = 0;
    while first_frame < request.frames {
        block.iter_mut().for_each(Vec::clear);
        let count = (request.frames - first_frame).min(BLOCK_FRAMES);
        voice.generate(count as usize, &mut block, cancel)?;
        let sound: Vec<&[f32]> = block.iter().map(Vec::as_slice).collect();
        sink(RenderBlock { first_frame, channels, sound: &sound });
        first_frame += count;
    }
    let generate_seconds = started.elapsed().as_secs_f64();
    let frames_per_second = request.frames as f64 / generate_seconds.max(f64::MIN_POSITIVE);
    Ok(RenderSummary {
        frames: request.frames,
        variations: variations as u32,
        primed_frames,
        prime_seconds,
        generate_seconds,
        frames_per_second,
        real_time_factor: frames_per_second / f64::from(model.sample_rate_hz()),
        bits_per_symbol: voice.bits_per_symbol(),
    })
}
