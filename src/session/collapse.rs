//! Where a variation stops being music: from some second on to its end, it is silent or it is noise.
//!
//! Models that draw frame by frame hear their own past. Once that is silence or noise, nothing brings them back.

use continuo_engine::audio::Clip;
use realfft::RealFftPlanner;

/// Length of a piece that is judged, in seconds.
const PIECE_SECONDS: f64 = 0.5;
/// A collapse lasts at least so long, or it is a rest.
const LEAST_SECONDS: f64 = 2.0;
/// A piece this quiet is silent, in dB under full scale.
const SILENT_DB: f64 = -66.0;
/// A piece as flat as this is noise: tones are near 0, white noise is 0.56.
const NOISY: f64 = 0.35;
/// Frames of a spectrum.
const WINDOW: usize = 1024;

/// What a variation has become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CollapseKind {
    /// It is silent.
    Silence,
    /// Its spectrum is flat.
    Noise,
}

/// Where a variation stops being music.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Collapse {
    /// What it is from there on.
    pub kind: CollapseKind,
    /// From the continuation's first frame, in seconds.
    pub at_seconds: f64,
}

/// Finds the collapse of a continuation that lasts to its end. What goes on from noise may be noise: then `seed` is flat too.
pub(super) fn collapse(continuation: &Clip, seed: Option<&Clip>) -> Option<Collapse> {
    let rate_hz = f64::from(continuation.sample_rate_hz.max(1));
    let piece = (PIECE_SECONDS * rate_hz) as usize;
    let mono = continuation.mono();
    let pieces: Vec<Option<CollapseKind>> = mono.chunks(piece.max(1)).map(judge).collect();
    let kind = (*pieces.last()?)?;
    let same = pieces.iter().rev().take_while(|found| **found == Some(kind)).count();
    let at = (pieces.len() - same) * piece;
    let lasts = (mono.len().saturating_sub(at)) as f64 / rate_hz;
    let noisy_seed = || seed.is_some_and(|clip| judge(&clip.mono()) == Some(CollapseKind::Noise));
    let counts = lasts >= LEAST_SECONDS && !(kind == CollapseKind::Noise && noisy_seed());
    counts.then_some(Collapse { kind, at_seconds: at as f64 / rate_hz })
}

/// What a piece is, if it is no music.
fn judge(piece: &[f32]) -> Option<CollapseKind> {
    let power = piece.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / piece.len().max(1) as f64;
    if power <= 10f64.powf(SILENT_DB / 10.0) {
        return Some(CollapseKind::Silence);
    }
    (flatness(piece)? > NOISY).then_some(CollapseKind::Noise)
}

/// Geometric over arithmetic mean of the power spectrum, the mean over all windows; nothing for less than one.
fn flatness(piece: &[f32]) -> Option<f64> {
    let transform = RealFftPlanner::<f32>::new().plan_fft_forward(WINDOW);
    let (mut input, mut output) = (transform.make_input_vec(), transform.make_output_vec());
    let (mut sum, mut count) = (0.0, 0.0);
    for window in piece.as_chunks::<WINDOW>().0 {
        for (index, (to, from)) in input.iter_mut().zip(window).enumerate() {
            let phase = index as f32 / WINDOW as f32 * std::f32::consts::TAU;
            *to = from * (0.5 - 0.5 * phase.cos());
        }
        transform.process(&mut input, &mut output).ok()?;
        // The lowest bins are an offset, not a sound.
        let bins = output.iter().skip(2).map(|bin| f64::from(bin.norm_sqr()).max(1e-20));
        let logs: f64 = bins.clone().map(f64::ln).sum();
        let (total, number): (f64, f64) = (bins.clone().sum(), bins.count() as f64);
        sum += (logs / number).exp() / (total / number);
        count += 1.0;
    }
    (count > 0.0).then(|| sum / count)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: usize = 16_000;

    fn tone(seconds: f64) -> Vec<f32> {
        (0..(seconds * RATE as f64) as usize).map(|t| 0.4 * (t as f32 * 0.17).sin()).collect()
    }

    fn noise(seconds: f64) -> Vec<f32> {
        let mut state = 1_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / 16_777_216.0 - 0.5
        };
        (0..(seconds * RATE as f64) as usize).map(|_| next()).collect()
    }

    fn found(parts: &[Vec<f32>], seed: Option<Vec<f32>>) -> Option<(CollapseKind, f64)> {
        let clip = |frames: Vec<f32>| Clip { sample_rate_hz: RATE as u32, channels: vec![frames] };
        let seed = seed.map(clip);
        collapse(&clip(parts.concat()), seed.as_ref()).map(|found| (found.kind, found.at_seconds))
    }

    #[test]
    fn music_that_ends_in_silence_or_noise_is_found_with_its_place() {
        let silence = |seconds: f64| vec![0.0; (seconds * RATE as f64) as usize];
        assert_eq!(found(&[tone(6.0)], None), None);
        assert_eq!(found(&[tone(3.0), silence(3.0)], None), Some((CollapseKind::Silence, 3.0)));
        assert_eq!(found(&[tone(3.0), noise(3.0)], None), Some((CollapseKind::Noise, 3.0)));
        // A rest is none, and neither is a short end.
        assert_eq!(found(&[tone(3.0), silence(3.0), tone(1.0)], None), None);
        assert_eq!(found(&[tone(5.0), silence(1.5)], None), None);
        assert_eq!(found(&[silence(4.0)], None), Some((CollapseKind::Silence, 0.0)));
        assert_eq!(found(&[Vec::new()], None), None);
    }

    #[test]
    fn what_goes_on_from_noise_may_be_noise() {
        assert_eq!(found(&[noise(4.0)], Some(noise(2.0))), None);
        assert_eq!(found(&[noise(4.0)], Some(tone(2.0))), Some((CollapseKind::Noise, 0.0)));
    }
}
