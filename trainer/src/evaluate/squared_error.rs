//! Kresge & Ratzlaff's measure (*Generative Gated Convolutional Networks for Raw Audio*): the generator is given a held-out
//! recording up to some moment, and what it plays is held against what really follows, by the squared error.
//!
//! A model that plays well, but something else, is far away: beyond the first milliseconds, twice the energy of what follows
//! is as good as any music that is not the recording, and silence is better. So the figures stand beside those of silence and of
//! the clip's own last second, and the error is shown as it grows with time.

use serde::Serialize;

use super::reference::HeldoutClip;
use super::statistics::{Mean, jackknife};

/// Seconds after the clip that count.
pub const SECONDS: f64 = 1.0;
/// Seconds from the clip's end to which the growing error is told.
const CURVE: [f64; 10] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0];

/// The error of what is played after the clips.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SquaredError {
    /// Mean squared error of a frame (full scale is 1) in the first second, the mean over a clip's takes; the standard error is
    /// over clips.
    pub error: Mean,
    /// The same over the mean energy of what follows: 1 is as good as silence.
    pub relative: Mean,
    /// Standard deviation of a clip's takes around their mean, over all clips; `None` of single takes.
    pub between_takes: Option<f64>,
    /// Seconds after the clip, and the relative error up to there.
    pub curve: Vec<(f64, f64)>,
}

/// The errors of what is no model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct References {
    /// Silence: the mean energy of what follows.
    pub zero: Option<Mean>,
    /// The clip's own last second once more: music of the same energy that knows nothing of what follows.
    pub again: Option<SquaredError>,
}

/// The error of the next frame alone, after everything before it as it really was.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OneStep {
    /// Mean squared error of the likeliest value; the standard error is over clips.
    pub error: Mean,
    /// The same of saying that the next frame is as the last one.
    pub as_before: Mean,
    /// Frames that were asked for.
    pub frames: usize,
}

/// Mean of the squares of the first frames.
fn energy(sound: &[f32], frames: usize) -> f64 {
    let some = &sound[..frames.min(sound.len())];
    some.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / some.len().max(1) as f64
}

/// Mean of the squared differences of the first frames.
fn error(played: &[f32], real: &[f32], frames: usize) -> f64 {
    let frames = frames.min(real.len()).min(played.len());
    let squares = played.iter().zip(real).take(frames).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2));
    squares.sum::<f64>() / frames.max(1) as f64
}

/// Of the takes of each clip, in the clips' order; `None` if a clip has none, or all that follows is silence.
pub fn of_takes(clips: &[HeldoutClip], takes: &[Vec<&[f32]>], rate_hz: u32) -> Option<SquaredError> {
    if takes.len() != clips.len() || takes.iter().any(Vec::is_empty) {
        return None;
    }
    let frames_of = |seconds: f64| ((seconds * f64::from(rate_hz)).round() as usize).max(1);
    let frames = frames_of(SECONDS);
    let errors = |at: usize, frames: usize| takes[at].iter().map(move |take| error(take, &clips[at].following, frames));
    let mean = |at: usize, frames: usize| errors(at, frames).sum::<f64>() / takes[at].len() as f64;
    let relative = |frames: usize, stays: &dyn Fn(usize) -> bool| {
        let kept = (0..clips.len()).filter(|at| stays(*at));
        let (error, energy) = kept.fold((0.0, 0.0), |(error, all), at| {
            (error + mean(at, frames), all + energy(&clips[at].following, frames))
        });
        (energy > 0.0).then(|| error / energy)
    };
    let per_clip: Vec<f64> = (0..clips.len()).map(|at| mean(at, frames)).collect();
    let spare: usize = takes.iter().map(|takes| takes.len() - 1).sum();
    let apart = |at: usize| errors(at, frames).map(|error| (error - per_clip[at]).powi(2)).sum::<f64>();
    let between: f64 = (0..clips.len()).map(apart).sum();
    let curve = CURVE.iter().filter_map(|&seconds| Some((seconds, relative(frames_of(seconds), &|_| true)?)));
    Some(SquaredError {
        error: Mean::of(&per_clip)?,
        relative: jackknife(clips.len(), |stays| relative(frames, stays))?,
        between_takes: (spare > 0).then(|| (between / spare as f64).sqrt()),
        curve: curve.collect(),
    })
}

/// Of silence, and of the clips' own last second.
pub fn references(clips: &[HeldoutClip], rate_hz: u32) -> References {
    let frames = ((SECONDS * f64::from(rate_hz)).round() as usize).max(1);
    let zero: Vec<f64> = clips.iter().map(|clip| energy(&clip.following, frames)).collect();
    let again: Vec<Vec<&[f32]>> =
        clips.iter().map(|clip| vec![&clip.seed[clip.seed.len().saturating_sub(frames)..]]).collect();
    References { zero: Mean::of(&zero), again: of_takes(clips, &again, rate_hz) }
}

/// Of pairs of said and real values, clip by clip, each with the value before; `None` of none.
pub fn one_step(clips: &[Vec<Step>]) -> Option<OneStep> {
    let mean = |of: fn(&Step) -> f32| {
        let per_clip: Vec<f64> = clips
            .iter()
            .filter(|steps| !steps.is_empty())
            .map(|steps| steps.iter().map(|step| f64::from(of(step)).powi(2)).sum::<f64>() / steps.len() as f64)
            .collect();
        Mean::of(&per_clip)
    };
    Some(OneStep {
        error: mean(|step| step.said - step.real)?,
        as_before: mean(|step| step.before - step.real)?,
        frames: clips.iter().map(Vec::len).sum(),
    })
}

/// One frame that a model was asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// The likeliest value.
    pub said: f32,
    /// What really came.
    pub real: f32,
    /// The frame before.
    pub before: f32,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn clip(seed: f32, following: f32) -> HeldoutClip {
        let (seed, following) = (vec![seed; 2_000], vec![following; 1_000]);
        HeldoutClip { recording: "x".into(), start_seconds: 0.0, seed, following }
    }

    #[test]
    fn silence_is_one_the_recording_zero_and_other_music_twice_its_energy() {
        let clips = [clip(-0.5, 0.5), clip(-0.3, 0.3)];
        let of = |sign: f32| {
            let sounds: Vec<Vec<f32>> =
                clips.iter().map(|clip| clip.following.iter().map(|x| sign * x).collect()).collect();
            let takes: Vec<Vec<&[f32]>> = sounds.iter().map(|sound| vec![sound.as_slice(); 2]).collect();
            of_takes(&clips, &takes, 1_000).unwrap()
        };
        assert!(of(1.0).error.mean < 1e-12);
        let silence = of(0.0);
        assert!((silence.relative.mean - 1.0).abs() < 1e-12 && (silence.error.mean - 0.17).abs() < 1e-6, "{silence:?}");
        assert!(
            silence.curve.iter().all(|(_, error)| (error - 1.0).abs() < 1e-9) && silence.curve.len() == CURVE.len()
        );
        assert_eq!(silence.between_takes, Some(0.0));
        let known = references(&clips, 1_000);
        assert!((known.zero.unwrap().mean - 0.17).abs() < 1e-6);
        assert!((known.again.unwrap().relative.mean - 4.0).abs() < 1e-6, "the seed's sign is the other one");
        assert!(of_takes(&clips, &[vec![], vec![]], 1_000).is_none() && of_takes(&clips, &[], 1_000).is_none());
    }

    #[test]
    fn takes_that_differ_spread() {
        let clips = [clip(0.0, 0.0)];
        let (a, b) = (vec![1.0; 1_000], vec![0.0; 1_000]);
        assert!(of_takes(&clips, &[vec![&a, &b]], 1_000).is_none(), "there is nothing to be relative to");
        let clips = [clip(0.0, 1.0)];
        let found = of_takes(&clips, &[vec![&a, &b]], 1_000).unwrap();
        assert!((found.error.mean - 0.5).abs() < 1e-12);
        assert!((found.between_takes.unwrap() - 0.5_f64.sqrt()).abs() < 1e-12);
        let step = |said, real, before| Step { said, real, before };
        let found = one_step(&[vec![step(1.0, 0.5, 0.0)], vec![], vec![step(0.0, 0.5, 0.0)]]).unwrap();
        assert!((found.error.mean - 0.25).abs() < 1e-12 && (found.as_before.mean - 0.25).abs() < 1e-12);
        assert_eq!((found.frames, one_step(&[])), (2, None));
    }
}
