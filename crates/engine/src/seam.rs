//! The seam between a clip and its continuation, on the clip's side and on the host's.
//!
//! A continuation begins on the frame after the seed clip's last one. The two live at different rates: the clip at the
//! host's, the continuation at the model's. On the way in, [`model_seed`] lays the model's frames so that the last one is
//! exactly one model frame before the seam. On the way out, [`Upsampler`] takes what the model heard and what it made as
//! one signal, so the continuation does not fade in.
//!
//! What the model heard is not the clip: it is mono, has no more than the model's band, and is rounded to the model's
//! codes. So the clip's last milliseconds go over to it ([`crossfade`]): up to there the clip is exact, and at the seam
//! one signal goes on.

use continuo_package::Signal;

use crate::audio::{AudioError, Clip, StreamResampler, period, resampled_frames};

/// How long the clip's end goes over to what the model heard: 1/200 s.
const CROSSFADES_PER_SECOND: usize = 200;

/// The seed clip as the model hears it: mono, at `model_rate_hz`, the newest frame last.
///
/// If the clip has `n` frames, the seam is at the time of frame `n`, and the result's last frame lies exactly one model
/// frame before it. The result holds every model frame that lies within the clip: `floor(n · model / clip)`. Beyond the
/// clip's end the anti-alias filter sees its odd reflection about the last frame (value and slope go on), where silence
/// would bend the last frames towards zero.
///
/// # Errors
/// [`AudioError::Resample`] for rates that are not supported.
pub fn model_seed(clip: &Clip, model_rate_hz: u32) -> Result<Vec<f32>, AudioError> {
    let mono = clip.mono();
    if clip.sample_rate_hz == model_rate_hz {
        return Ok(mono);
    }
    // Backwards in time, a right-aligned grid is a left-aligned one. Time 0 of the reversed stream is the seam; in front
    // of it goes as much of the reflection as the filter can see, in whole periods so that the grids stay together.
    let mut resampler = StreamResampler::new(clip.sample_rate_hz, model_rate_hz, 1)?;
    let (period_in, period_out) = period(clip.sample_rate_hz, model_rate_hz);
    let lead = resampler.latency_frames().next_multiple_of(period_in);
    let lead_out = lead / period_in * period_out;
    let mut reversed = Vec::with_capacity(lead + 2 + mono.len());
    // Frame n of the clip, the seam, is the first of the reflection.
    reversed.extend((1..=lead + 1).rev().map(|k| reflected(&mono, k)));
    reversed.extend(mono.iter().rev());
    // The oldest model frame can lie up to one model frame before the clip's first: room for it.
    let model_frame = clip.sample_rate_hz.div_ceil(model_rate_hz) as usize;
    reversed.resize(reversed.len() + model_frame, 0.0);
    let mut out = Vec::new();
    resampler.push(&reversed, &mut out)?;
    resampler.finish(&mut out)?;

    let frames = (mono.len() as u128 * u128::from(model_rate_hz) / u128::from(clip.sample_rate_hz)) as usize;
    // After the lead comes the model frame at the seam, which belongs to the continuation.
    let mut seed: Vec<f32> = out.into_iter().skip(lead_out + 1).take(frames).collect();
    seed.reverse();
    Ok(seed)
}

/// The seed clip as a model of so many channels hears it: [`model_seed`] for each channel, and of the mix for one.
///
/// # Errors
/// As [`model_seed`].
pub fn model_seed_of(clip: &Clip, model_rate_hz: u32, channels: usize) -> Result<Vec<Vec<f32>>, AudioError> {
    if channels == 1 {
        return Ok(vec![model_seed(clip, model_rate_hz)?]);
    }
    // A clip of one channel sounds on all of the model's.
    let channel = |index: usize| clip.channels.get(index).or(clip.channels.first()).cloned().unwrap_or_default();
    (0..channels)
        .map(|index| {
            let mono = Clip { sample_rate_hz: clip.sample_rate_hz, channels: vec![channel(index)] };
            model_seed(&mono, model_rate_hz)
        })
        .collect()
}

/// Most codes that are rounded to: those of 16 bits. More would change nothing that can be heard.
const MOST_LEVELS: u32 = 1 << 16;

/// Rounds frames to the model's codes, as it hears them. Real values stay as they are, and so do all where the codes are
/// fewer than two or more than those of 16 bits, which no model has but a damaged project may say.
pub fn quantise(frames: &mut [f32], signal: Signal) {
    if !signal.levels().is_some_and(|levels| (2..=MOST_LEVELS).contains(&levels)) {
        return;
    }
    let amplitudes = signal.table();
    for frame in frames {
        if let Some(amplitude) = amplitudes.get(signal.encode(*frame) as usize) {
            *frame = *amplitude;
        }
    }
}

/// Frames before the seam in which a clip of `clip_frames` frames at `rate_hz` goes over to what the model heard.
pub fn crossfade_frames(rate_hz: u32, clip_frames: usize) -> usize {
    (rate_hz as usize / CROSSFADES_PER_SECOND).min(clip_frames)
}

/// Frame `index` of a crossfade of `frames` frames: from `clip`, which begins unchanged, to `heard`, which is all there is
/// in the last frame before the seam.
pub fn crossfade(clip: f32, heard: f32, index: usize, frames: usize) -> f32 {
    if index + 1 >= frames {
        return heard;
    }
    // Level at both ends, so that neither has a bend.
    let weight = (std::f32::consts::FRAC_PI_2 * (index + 1) as f32 / frames as f32).sin().powi(2);
    clip + (heard - clip) * weight
}

/// The frame `k ≥ 1` frames after the end: odd reflection, `2·last − x[last − k]`, holding on beyond the other end.
fn reflected(x: &[f32], k: usize) -> f32 {
    let Some(&last) = x.last() else { return 0.0 };
    2.0 * last - x[(x.len() - 1).saturating_sub(k)]
}

/// Turns a continuation at the model's rate into one at the host's, while it is being generated.
///
/// First come the frames before the seam that were asked for, then the host frame at the seam. `n` model frames give
/// `round(n · host / model)` host frames besides, the same whatever the blocks. It works downwards too. Not for
/// `process()`: it allocates.
pub struct Upsampler {
    resampler: StreamResampler,
    /// Frames of history given to the filter, in whole periods of the two rates; `None` when the rates are equal.
    lead: Option<usize>,
    model_rate_hz: u32,
    host_rate_hz: u32,
    /// Output frames that belong to the history and were not asked for.
    to_drop: usize,
    /// Frames before the seam that are asked for, and those of them that are there already.
    before: usize,
    early: Vec<f32>,
    frames_in: u64,
    frames_out: u64,
    /// The newest input frames, for the reflection at the end.
    tail: Vec<f32>,
    scratch: Vec<f32>,
}

impl std::fmt::Debug for Upsampler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upsampler")
            .field("model_rate_hz", &self.model_rate_hz)
            .field("host_rate_hz", &self.host_rate_hz)
            .field("frames_in", &self.frames_in)
            .field("frames_out", &self.frames_out)
            .finish_non_exhaustive()
    }
}

impl Upsampler {
    /// An upsampler that has taken `history`: the primed seed at the model's rate as the model heard it, newest frame last
    /// (as [`model_seed`] and [`quantise`] give it; only the newest frames matter). Empty for a phrase out of nothing. Of
    /// its output, the last `before` frames before the seam are given.
    ///
    /// # Errors
    /// [`AudioError::Resample`] for rates that are not supported.
    pub fn new(model_rate_hz: u32, host_rate_hz: u32, history: &[f32], before: usize) -> Result<Self, AudioError> {
        let mut resampler = StreamResampler::new(model_rate_hz, host_rate_hz, 1)?;
        let (period_in, period_out) = period(model_rate_hz, host_rate_hz);
        let newest = |frames: usize| {
            let newest = &history[history.len().saturating_sub(frames)..];
            let mut padded = vec![0.0; frames - newest.len()];
            padded.extend_from_slice(newest);
            padded
        };
        let (mut lead, mut to_drop, mut tail, mut early) = (None, 0, Vec::new(), Vec::new());
        if model_rate_hz == host_rate_hz {
            early = newest(before);
        } else {
            let seen = resampler.latency_frames().max(before.div_ceil(period_out) * period_in);
            let seen = seen.next_multiple_of(period_in);
            tail = newest(seen);
            resampler.push(&tail, &mut early)?;
            // Most of the history's output is already out; the rest is dropped as it comes.
            let unwanted = seen / period_in * period_out - before;
            to_drop = unwanted.saturating_sub(early.len());
            early.drain(..unwanted.min(early.len()));
            lead = Some(seen);
        }
        Ok(Self {
            resampler,
            lead,
            model_rate_hz,
            host_rate_hz,
            to_drop,
            before,
            early,
            frames_in: 0,
            frames_out: 0,
            tail,
            scratch: Vec::new(),
        })
    }

    /// Model frames that are held back at most before they show in the output.
    pub fn latency_frames(&self) -> usize {
        self.resampler.latency_frames()
    }

    /// Takes model frames and appends the host frames that are ready.
    ///
    /// # Errors
    /// [`AudioError::Resample`] if rubato refuses, which it has no reason to.
    pub fn push(&mut self, model_frames: &[f32], out: &mut Vec<f32>) -> Result<(), AudioError> {
        self.frames_in += model_frames.len() as u64;
        if let Some(lead) = self.lead {
            if model_frames.len() >= lead {
                self.tail.clear();
                self.tail.extend_from_slice(&model_frames[model_frames.len() - lead..]);
            } else {
                self.tail.drain(..model_frames.len());
                self.tail.extend_from_slice(model_frames);
            }
        }
        self.feed(model_frames, u64::MAX, out)
    }

    /// Ends the take: appends the host frames that are still missing. After the last model frame the filter sees the odd
    /// reflection of the end, as in [`model_seed`]: the take stops, it does not ring.
    ///
    /// # Errors
    /// [`AudioError::Resample`] if rubato refuses, which it has no reason to.
    pub fn finish(mut self, out: &mut Vec<f32>) -> Result<(), AudioError> {
        let Some(lead) = self.lead else {
            out.append(&mut self.early);
            return Ok(());
        };
        let total = self.before as u64 + resampled_frames(self.frames_in, self.model_rate_hz, self.host_rate_hz);
        let after: Vec<f32> = (1..=lead).map(|k| reflected(&self.tail, k)).collect();
        self.feed(&after, total, out)?;
        let Self { resampler, to_drop, mut scratch, frames_out, .. } = self;
        resampler.finish(&mut scratch)?;
        out.extend(scratch.into_iter().skip(to_drop).take((total - frames_out) as usize));
        Ok(())
    }

    /// Feeds the resampler and passes on what is not history, up to `total` frames in all.
    fn feed(&mut self, frames: &[f32], total: u64, out: &mut Vec<f32>) -> Result<(), AudioError> {
        self.frames_out += self.early.len() as u64;
        out.append(&mut self.early);
        self.scratch.clear();
        self.resampler.push(frames, &mut self.scratch)?;
        let dropped = self.to_drop.min(self.scratch.len());
        self.to_drop -= dropped;
        let kept = ((self.scratch.len() - dropped) as u64).min(total - self.frames_out) as usize;
        out.extend_from_slice(&self.scratch[dropped..dropped + kept]);
        self.frames_out += kept as u64;
        self.scratch.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests;
