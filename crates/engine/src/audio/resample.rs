//! Changing the rate: rubato's FFT resampler behind a buffer, so that the result does not depend on how the input was
//! cut into blocks, begins where the input begins, and has the exact length.

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Indexing, Resampler as _, WindowFunction};

use super::{AudioError, Clip, MAX_CHANNELS, RATES_HZ};

/// Least filter length in frames of the lower of the two rates. With a squared Blackman-Harris window this puts the
/// passband's edge at 0.95 of the lower rate's Nyquist frequency; what would alias is 120 dB down (measured in the tests).
const FILTER_FRAMES: u32 = 512;

/// Frames after resampling: `round(frames · to / from)`, halves up.
pub fn resampled_frames(frames: u64, from_hz: u32, to_hz: u32) -> u64 {
    let (n, from, to) = (u128::from(frames), u128::from(from_hz.max(1)), u128::from(to_hz));
    ((2 * n * to + from) / (2 * from)) as u64
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// The smallest numbers of frames that last equally long at the two rates.
pub(crate) fn period(from_hz: u32, to_hz: u32) -> (usize, usize) {
    let g = gcd(from_hz, to_hz).max(1);
    ((from_hz / g) as usize, (to_hz / g) as usize)
}

/// Resamples a stream of interleaved frames.
///
/// Output frame 0 lies where input frame 0 lies. Both ends of the stream meet silence.
pub struct StreamResampler {
    /// `None` when the rates are equal: the frames pass through untouched.
    fft: Option<Fft<f32>>,
    from_hz: u32,
    to_hz: u32,
    channels: usize,
    /// Input that does not fill a block yet, interleaved.
    pending: Vec<f32>,
    /// One block of output, interleaved.
    block: Vec<f32>,
    /// Output frames of the filter's delay that are still to be dropped.
    to_drop: usize,
    frames_in: u64,
    frames_out: u64,
}

impl std::fmt::Debug for StreamResampler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StreamResampler")
            .field("from_hz", &self.from_hz)
            .field("to_hz", &self.to_hz)
            .field("channels", &self.channels)
            .finish_non_exhaustive()
    }
}

impl StreamResampler {
    /// A resampler between two rates, for `channels` channels.
    ///
    /// # Errors
    /// [`AudioError::Resample`] for rates or numbers of channels outside [`RATES_HZ`] and 1–[`MAX_CHANNELS`].
    pub fn new(from_hz: u32, to_hz: u32, channels: usize) -> Result<Self, AudioError> {
        let refuse = |reason: String| AudioError::Resample { from_hz, to_hz, channels, reason };
        for hz in [from_hz, to_hz] {
            if !RATES_HZ.contains(&hz) {
                return Err(refuse(format!("{hz} Hz is outside {}–{} Hz", RATES_HZ.start(), RATES_HZ.end())));
            }
        }
        if channels == 0 || channels > MAX_CHANNELS {
            return Err(refuse(format!("1 to {MAX_CHANNELS} channels are supported")));
        }
        let mut new = Self {
            fft: None,
            from_hz,
            to_hz,
            channels,
            pending: Vec::new(),
            block: Vec::new(),
            to_drop: 0,
            frames_in: 0,
            frames_out: 0,
        };
        if from_hz != to_hz {
            let (period_in, period_out) = period(from_hz, to_hz);
            // An even number of periods: the filter's centre and its delay are then whole frames at both rates.
            let periods = (FILTER_FRAMES as usize).div_ceil(period_in.min(period_out)).next_multiple_of(2);
            let fft = Fft::new_custom(
                from_hz as usize,
                to_hz as usize,
                periods * period_in,
                1,
                channels,
                WindowFunction::BlackmanHarris2,
                FixedSync::Both,
            )
            .map_err(|e| refuse(e.to_string()))?;
            new.to_drop = fft.output_delay();
            new.block = vec![0.0; fft.output_frames_max() * channels];
            new.pending.reserve(fft.input_frames_next() * channels);
            new.fft = Some(fft);
        }
        Ok(new)
    }

    /// Input frames that are held back at most before they show in the output: one block and half the filter.
    pub fn latency_frames(&self) -> usize {
        self.fft.as_ref().map_or(0, |fft| fft.fft_size_in() + fft.fft_size_in() / 2)
    }

    /// Takes interleaved frames and appends what is ready to `out`, interleaved. A last incomplete frame is left out.
    ///
    /// # Errors
    /// [`AudioError::Resample`] if rubato refuses, which it has no reason to.
    pub fn push(&mut self, input: &[f32], out: &mut Vec<f32>) -> Result<(), AudioError> {
        let mut input = &input[..input.len() / self.channels * self.channels];
        self.frames_in += (input.len() / self.channels) as u64;
        let Some(fft) = &self.fft else {
            self.frames_out = self.frames_in;
            out.extend_from_slice(input);
            return Ok(());
        };
        let block = fft.input_frames_next() * self.channels;
        while !input.is_empty() {
            let (now, later) = input.split_at(input.len().min(block - self.pending.len()));
            self.pending.extend_from_slice(now);
            input = later;
            if self.pending.len() == block {
                self.process(None, u64::MAX, out)?;
            }
        }
        Ok(())
    }

    /// Ends the stream: appends what the filter still holds, so that the whole output has [`resampled_frames`] frames.
    ///
    /// # Errors
    /// [`AudioError::Resample`] if rubato refuses, which it has no reason to.
    pub fn finish(mut self, out: &mut Vec<f32>) -> Result<(), AudioError> {
        if self.fft.is_none() {
            return Ok(());
        }
        let total = resampled_frames(self.frames_in, self.from_hz, self.to_hz);
        while self.frames_out < total {
            let left = self.pending.len() / self.channels;
            self.process(Some(left), total, out)?;
        }
        Ok(())
    }

    /// Resamples `pending` (its first `partial` frames, silence after them) and appends up to `total` frames in all.
    fn process(&mut self, partial: Option<usize>, total: u64, out: &mut Vec<f32>) -> Result<(), AudioError> {
        let Some(fft) = &mut self.fft else { return Ok(()) };
        let (from_hz, to_hz, channels) = (self.from_hz, self.to_hz, self.channels);
        let refuse = |reason: String| AudioError::Resample { from_hz, to_hz, channels, reason };
        let indexing = Indexing { partial_len: partial, ..Indexing::new() };
        let frames = self.pending.len() / channels;
        let input =
            InterleavedSlice::new(self.pending.as_slice(), channels, frames).map_err(|e| refuse(e.to_string()))?;
        let room = self.block.len() / channels;
        let mut output =
            InterleavedSlice::new_mut(self.block.as_mut_slice(), channels, room).map_err(|e| refuse(e.to_string()))?;
        let (_, made) =
            fft.process_into_buffer(&input, &mut output, Some(&indexing)).map_err(|e| refuse(e.to_string()))?;
        self.pending.clear();
        let dropped = self.to_drop.min(made);
        self.to_drop -= dropped;
        let kept = ((made - dropped) as u64).min(total - self.frames_out) as usize;
        out.extend_from_slice(&self.block[dropped * channels..(dropped + kept) * channels]);
        self.frames_out += kept as u64;
        Ok(())
    }
}

/// Resamples a clip in memory; the result has `round(frames · to / from)` frames.
///
/// # Errors
/// [`AudioError::Resample`].
pub fn resample(clip: &Clip, to_hz: u32) -> Result<Clip, AudioError> {
    let mut channels = Vec::with_capacity(clip.channels.len());
    for channel in &clip.channels {
        let mut resampler = StreamResampler::new(clip.sample_rate_hz, to_hz, 1)?;
        let total = resampled_frames(channel.len() as u64, clip.sample_rate_hz, to_hz);
        let mut out = Vec::with_capacity(total as usize);
        resampler.push(channel, &mut out)?;
        resampler.finish(&mut out)?;
        channels.push(out);
    }
    Ok(Clip { sample_rate_hz: to_hz, channels })
}
