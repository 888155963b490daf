//! The level at the seam: by how much a continuation is turned up or down so that it begins as loud as its clip ends.
//!
//! Loudness is measured as ITU-R BS.1770 does it (weighted as ears hear, in blocks of 400 ms, of which quiet ones do not
//! count), over [`WINDOW_SECONDS`] before and after the seam, of what is heard of either at the model's rate. It depends on
//! the take alone, so a take that is being rendered, one that was opened and one that is exported have the same level.

use continuo_engine::audio::Clip;
use continuo_engine::seam::model_seed;

/// How much of either side is measured, in seconds.
pub const WINDOW_SECONDS: f64 = 1.5;
/// What the filter has heard of the clip before that, in seconds.
const WARM_UP_SECONDS: f64 = 0.5;
/// A continuation is turned up or down by this at most.
const MOST_DB: f64 = 12.0;
/// What is turned up keeps its peaks, as far as they are measured, below this part of full scale.
const CEILING: f64 = 0.9;
/// Blocks begin every tenth of a second and last four of these.
const PARTS: usize = 4;
/// Mean square of blocks that are silence: -60 dB.
const SILENCE: f64 = 1e-6;
/// Blocks that are so much less than the others (10 dB) do not count.
const QUIET: f64 = 0.1;

/// Compares continuations with the end of their clip.
#[derive(Debug, Clone, Copy)]
pub struct Matcher {
    rate_hz: u32,
    /// Weighted mean square of the clip's end; `None` where there is no clip, or nothing to hear at its end.
    clip: Option<f64>,
}

impl Matcher {
    /// For continuations of `seed` at the model's rate.
    pub fn new(seed: Option<&Clip>, model_rate_hz: u32) -> Self {
        Self { rate_hz: model_rate_hz, clip: seed.and_then(|clip| end_of(clip, model_rate_hz)) }
    }

    /// Frames at the beginning of a continuation that decide its level; 0 where nothing is to be measured.
    pub fn frames(&self) -> usize {
        if self.clip.is_some() { frames(WINDOW_SECONDS, self.rate_hz) } else { 0 }
    }

    /// By how many dB the continuation that begins with `channels` is to be turned up, in tenths.
    pub fn decibels<C: AsRef<[f32]>>(&self, channels: &[C]) -> f32 {
        let most = self.frames();
        let window = |channel: &C| channel.as_ref()[..channel.as_ref().len().min(most)].to_vec();
        let channels: Vec<Vec<f32>> = channels.iter().map(window).collect();
        let Some((clip, own)) = self.clip.zip(loudness(&channels, self.rate_hz, 0)) else { return 0.0 };
        let peak = channels.iter().flatten().fold(0.0_f32, |most, value| most.max(value.abs()));
        let room = (20.0 * (CEILING / f64::from(peak.max(f32::MIN_POSITIVE))).log10()).max(0.0);
        let wanted = (10.0 * (clip / own).log10()).clamp(-MOST_DB, MOST_DB.min(room));
        // What is said is what is done. Towards 0, so that the room is not exceeded.
        let tenths = (wanted * 10.0).trunc() as f32;
        if tenths == 0.0 { 0.0 } else { tenths / 10.0 }
    }
}

/// The factor of so many dB; exactly 1 for none.
pub fn factor(decibels: f32) -> f32 {
    10_f64.powf(f64::from(decibels) / 20.0) as f32
}

/// Decibels as they are written everywhere: with their sign.
pub fn words(decibels: f32) -> String {
    format!("{decibels:+.1} dB").replace("+0.0", "0.0").replace('-', "−")
}

/// The loudness of a clip's end.
fn end_of(clip: &Clip, rate_hz: u32) -> Option<f64> {
    let rate = clip.sample_rate_hz;
    let keep = frames(WINDOW_SECONDS + WARM_UP_SECONDS, rate);
    // More than two channels are heard as their mix.
    let channels = if clip.channels.len() > 2 { vec![clip.mono()] } else { clip.channels.clone() };
    let ends = channels.iter().map(|channel| {
        let end = channel[channel.len().saturating_sub(keep)..].to_vec();
        model_seed(&Clip { sample_rate_hz: rate, channels: vec![end] }, rate_hz).ok()
    });
    let ends: Vec<Vec<f32>> = ends.collect::<Option<_>>()?;
    let length = ends.iter().map(Vec::len).min()?;
    loudness(&ends, rate_hz, length.saturating_sub(frames(WINDOW_SECONDS, rate_hz)))
}

fn frames(seconds: f64, rate_hz: u32) -> usize {
    (seconds * f64::from(rate_hz)) as usize
}

/// Weighted mean square per channel from frame `from` on; `None` of silence. Mono sounds on both sides as it does on one.
fn loudness(channels: &[Vec<f32>], rate_hz: u32, from: usize) -> Option<f64> {
    let length = channels.iter().map(Vec::len).min().filter(|length| *length > from)?;
    let part = (rate_hz as usize / 10).clamp(1, length - from);
    let mut parts = vec![0.0; (length - from) / part];
    for channel in channels {
        let (mut head, mut rumble) = (Filter::head(f64::from(rate_hz)), Filter::rumble(f64::from(rate_hz)));
        for (frame, value) in channel[..length].iter().enumerate() {
            let weighted = rumble.next(head.next(f64::from(*value)));
            if let Some(sum) = frame.checked_sub(from).and_then(|frame| parts.get_mut(frame / part)) {
                *sum += weighted * weighted / (part * channels.len()) as f64;
            }
        }
    }
    let block = PARTS.min(parts.len());
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
    let mut blocks: Vec<f64> = parts.windows(block).map(mean).filter(|block| *block > SILENCE).collect();
    let least = mean(&blocks) * QUIET;
    blocks.retain(|block| *block >= least);
    (!blocks.is_empty()).then(|| mean(&blocks))
}

/// A filter of second order.
struct Filter {
    b: [f64; 3],
    a: [f64; 2],
    state: [f64; 2],
}

impl Filter {
    /// The standard's shelf, which is for the head: its analogue form at this rate.
    fn head(rate_hz: f64) -> Self {
        let (gain, q) = (10_f64.powf(3.999_843_853_973_347 / 20.0), 0.707_175_236_955_419_6);
        let k = warped(1_681.974_450_955_533, rate_hz);
        let middle = gain.powf(0.499_666_774_154_541_6) * k / q;
        let whole = 1.0 + k / q + k * k;
        Self::of(
            [gain + middle + k * k, 2.0 * (k * k - gain), gain - middle + k * k].map(|b| b / whole),
            [2.0 * (k * k - 1.0), 1.0 - k / q + k * k].map(|a| a / whole),
        )
    }

    /// The standard's high-pass.
    fn rumble(rate_hz: f64) -> Self {
        let (k, q) = (warped(38.135_470_876_024_44, rate_hz), 0.500_327_037_323_877_3);
        let whole = 1.0 + k / q + k * k;
        Self::of([1.0, -2.0, 1.0], [2.0 * (k * k - 1.0), 1.0 - k / q + k * k].map(|a| a / whole))
    }

    fn of(b: [f64; 3], a: [f64; 2]) -> Self {
        Self { b, a, state: [0.0; 2] }
    }

    fn next(&mut self, x: f64) -> f64 {
        let y = self.b[0] * x + self.state[0];
        self.state = [self.b[1] * x - self.a[0] * y + self.state[1], self.b[2] * x - self.a[1] * y];
        y
    }
}

/// A frequency as the bilinear transform sees it; a rate that does not hold it has its highest.
fn warped(hz: f64, rate_hz: f64) -> f64 {
    (std::f64::consts::PI * (hz / rate_hz).min(0.45)).tan()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(hz: f32, level: f32, rate_hz: u32, seconds: f32) -> Vec<f32> {
        let frames = (seconds * rate_hz as f32) as usize;
        (0..frames).map(|t| level * (hz * t as f32 / rate_hz as f32 * std::f32::consts::TAU).sin()).collect()
    }

    fn clip(rate_hz: u32, channels: Vec<Vec<f32>>) -> Clip {
        Clip { sample_rate_hz: rate_hz, channels }
    }

    #[test]
    fn a_tone_is_brought_to_the_clips_level_at_any_rate_and_number_of_channels() {
        for rate_hz in [16_000, 44_100, 48_000] {
            let mono = clip(rate_hz, vec![tone(440.0, 0.2, rate_hz, 3.0)]);
            let stereo = clip(rate_hz, vec![mono.channels[0].clone(); 2]);
            for seed in [mono, stereo] {
                let matcher = Matcher::new(Some(&seed), 16_000);
                assert_eq!(matcher.frames(), 24_000);
                for (level, wanted) in [(0.2, 0.0), (0.1, 6.0), (0.4, -6.0), (0.02, 12.0), (1.0, -12.0)] {
                    let found = matcher.decibels(&[tone(440.0, level, 16_000, 4.0)]);
                    assert!((found - wanted).abs() <= 0.11, "{found} dB for {wanted}, clip at {rate_hz} Hz");
                }
            }
        }
    }

    #[test]
    fn only_the_clips_end_and_the_continuations_beginning_count_and_rests_in_them_do_not() {
        let mut seed = tone(440.0, 0.9, 16_000, 5.0);
        seed.extend(tone(440.0, 0.1, 16_000, 2.5));
        seed.extend(vec![0.0; 4_000]);
        let matcher = Matcher::new(Some(&clip(16_000, vec![seed])), 16_000);
        let mut continuation = vec![0.0; 8_000];
        continuation.extend(tone(440.0, 0.2, 16_000, 1.0));
        continuation.extend(tone(440.0, 0.9, 16_000, 5.0));
        let found = matcher.decibels(&[continuation]);
        // The blocks that a rest begins or ends in are quieter on both sides.
        assert!((found + 6.0).abs() < 1.0, "{found}");
    }

    #[test]
    fn silence_changes_nothing_and_peaks_keep_their_room() {
        let loud = clip(16_000, vec![tone(440.0, 0.5, 16_000, 2.0)]);
        assert_eq!(Matcher::new(None, 16_000).frames(), 0);
        let silent = clip(16_000, vec![vec![1e-5; 32_000]]);
        assert_eq!(Matcher::new(Some(&silent), 16_000).frames(), 0);
        assert_eq!(Matcher::new(Some(&clip(16_000, vec![Vec::new()])), 16_000).frames(), 0);
        let matcher = Matcher::new(Some(&loud), 16_000);
        assert_eq!((matcher.decibels(&[vec![0.0; 24_000]]), matcher.decibels::<Vec<f32>>(&[vec![]])), (0.0, 0.0));
        let mut peaked = tone(440.0, 0.1, 16_000, 1.5);
        peaked[7_000] = 0.45;
        let found = matcher.decibels(&[peaked]);
        assert!((5.8..=6.021).contains(&found), "{found}");
        let mut full = tone(440.0, 0.1, 16_000, 1.5);
        full[7_000] = 1.0;
        assert_eq!(matcher.decibels(&[full]).to_bits(), 0.0_f32.to_bits());
    }

    #[test]
    fn tenths_are_what_is_said_and_none_is_exactly_one() {
        assert_eq!(factor(0.0), 1.0);
        assert!((factor(-6.0) - 0.501_187).abs() < 1e-6);
        assert_eq!([words(0.0), words(2.34), words(-11.96)], ["0.0 dB", "+2.3 dB", "−12.0 dB"]);
    }
}
