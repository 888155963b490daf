//! The settings that the plugin starts with, found by listening for pops.
//!
//! Drawn at a temperature of 1 from all codes, a model now and then draws one from far out in the tail of its distribution:
//! a single frame that stands out of its surroundings, which a listener hears as a pop. The settings are the highest temperature,
//! and then the most codes, at which 8 takes of 30 s have no more pops than as much real audio.

use std::sync::Arc;

use continuo_engine::{Model, RenderRequest, Sampling, Workers};
use continuo_package::Reach;
use indicatif::{ProgressBar, ProgressStyle};

use super::error::ExportError;
use crate::data::dataset::{Dataset, Split};
use crate::data::excerpt::mono;
use crate::training::stop;

/// What is rendered for each setting.
const TAKES: u32 = 8;
const SECONDS: f64 = 30.0;
/// Temperatures that are tried, from what the model learnt downwards.
const TEMPERATURES: [f32; 6] = [1.0, 0.95, 0.9, 0.85, 0.8, 0.7];
/// Of all codes, the share that is drawn from; all of them first.
const TOP_SHARES: [u32; 3] = [1, 4, 8];

/// A pop is a frame that stands out from both of its neighbours by so many times the mean step around it …
const STEPS: f32 = 12.0;
/// … by at least this much (full scale is 1) …
const HEIGHT: f32 = 0.02;
/// … the mean being that of so many steps on either side.
const AROUND: usize = 80;

/// Settings that were given by hand; what is missing is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Choice {
    /// The temperature.
    pub temperature: Option<f32>,
    /// The number of likeliest codes; 0 = all.
    pub top_k: Option<u32>,
}

/// Finds the settings for a model; those that were given are taken as they are. A model that is not drawn from code by code
/// has none. `recordings` is real audio of one channel at the model's rate.
///
/// # Errors
/// If rendering fails or is interrupted.
pub fn find(
    model: &Arc<Model>,
    recordings: impl Iterator<Item = Vec<f32>>,
    choice: Choice,
) -> Result<Option<Sampling>, ExportError> {
    let given = |temperature, top_k| Sampling { temperature, top_k, ..Sampling::default() };
    let manifest = model.manifest();
    let levels = manifest.signal.levels().filter(|_| !matches!(manifest.reach, Reach::None { .. }));
    let Some(levels) = levels else { return Ok(None) };
    if let (Some(temperature), Some(top_k)) = (choice.temperature, choice.top_k) {
        return Ok(Some(given(temperature, top_k)));
    }
    let wanted = (f64::from(TAKES) * SECONDS * f64::from(model.sample_rate_hz())) as u64;
    let (real, listened) = real_pops(recordings, wanted);
    // As many as real audio has in the same time, where there is enough of it to say.
    let allowed = if listened == 0 { 0 } else { (real * wanted).div_ceil(listened) };
    println!(
        "looking for default settings: real audio has {allowed} pops in {TAKES} × {SECONDS} s; --temperature and --top-k skip this"
    );
    let candidates = candidates(levels, choice);
    let workers = Workers::new(std::thread::available_parallelism().map_or(1, std::num::NonZero::get), || {})?;
    stop::listen(stop::Hangup::Stops);
    let mut best: Option<(u64, Sampling)> = None;
    for (temperature, top_k) in candidates {
        let sampling = given(temperature, top_k);
        let found = rendered_pops(model, sampling, &workers)?;
        println!("temperature {temperature}, top_k {top_k}: {found} pops");
        if best.is_none_or(|(fewest, _)| found < fewest) {
            best = Some((found, sampling));
        }
        if found <= allowed {
            return Ok(Some(sampling));
        }
    }
    let (fewest, sampling) = best.unwrap_or((0, given(1.0, 0)));
    eprintln!("no setting has as few pops as real audio; the one with the fewest ({fewest}) is taken");
    Ok(Some(sampling))
}

/// What is tried, in order.
fn candidates(levels: u32, choice: Choice) -> Vec<(f32, u32)> {
    let temperatures = choice.temperature.map_or_else(|| TEMPERATURES.to_vec(), |given| vec![given]);
    let top_ks = choice.top_k.map_or_else(
        || TOP_SHARES.iter().map(|&share| if share == 1 { 0 } else { (levels / share).max(2) }).collect(),
        |given| vec![given],
    );
    temperatures.iter().flat_map(|&temperature| top_ks.iter().map(move |&top_k| (temperature, top_k))).collect()
}

/// Pops in recordings, over at most `wanted` frames; and over how many.
fn real_pops(recordings: impl Iterator<Item = Vec<f32>>, wanted: u64) -> (u64, u64) {
    let (mut pops, mut listened) = (0, 0);
    for mut sound in recordings {
        if listened >= wanted {
            break;
        }
        sound.truncate((wanted - listened) as usize);
        pops += count_pops(&sound);
        listened += sound.len() as u64;
    }
    (pops, listened)
}

/// The held-out recordings of a dataset and then the others, as [`find`] listens to them.
pub fn recordings(dataset: &Dataset) -> impl Iterator<Item = Vec<f32>> {
    let all = dataset.recordings(Split::Heldout).chain(dataset.recordings(Split::Train));
    all.map(|recording| mono(dataset.frames(recording), dataset.channels()))
}

/// Pops in all takes of a render from silence.
fn rendered_pops(model: &Arc<Model>, sampling: Sampling, workers: &Workers) -> Result<u64, ExportError> {
    let request = RenderRequest {
        seed: None,
        frames: (SECONDS * f64::from(model.sample_rate_hz())) as u64,
        sampling: Sampling { rng_seed: 1, ..sampling },
        class: 0,
        variations: 0..TAKES,
        precision: None,
        workers: workers.clone(),
    };
    let bar = ProgressBar::new(request.frames);
    // A template of our own that is written down here and cannot be wrong.
    if let Ok(style) = ProgressStyle::with_template("listening {bar:30} {percent} %, {eta} left") {
        bar.set_style(style);
    }
    let mut sounds = vec![Vec::new(); TAKES as usize * usize::from(model.manifest().channels)];
    let rendered = continuo_engine::render(model, &request, stop::flag(), &mut |block| {
        for (sound, take) in sounds.iter_mut().zip(block.sound) {
            sound.extend_from_slice(take);
        }
        bar.set_position(block.first_frame);
    });
    bar.finish_and_clear();
    rendered?;
    Ok(sounds.iter().map(|sound| count_pops(sound)).sum())
}

/// Single frames that stand far out of their surroundings.
pub fn count_pops(sound: &[f32]) -> u64 {
    let steps: Vec<f32> = sound.windows(2).map(|pair| pair[1] - pair[0]).collect();
    // Sums of the steps' sizes before each.
    let mut sums = Vec::with_capacity(steps.len() + 1);
    let mut sum = 0.0;
    sums.push(sum);
    for step in &steps {
        sum += f64::from(step.abs());
        sums.push(sum);
    }
    let stands_out = |(at, pair): &(usize, &[f32])| {
        let (there, back) = (pair[0], pair[1]);
        let height = there.abs().min(back.abs());
        if there * back >= 0.0 || height < HEIGHT {
            return false;
        }
        let (from, to) = (at.saturating_sub(AROUND), (at + 2 + AROUND).min(steps.len()));
        let around = sums[to] - sums[from] - f64::from(there.abs() + back.abs());
        let count = (to - from).saturating_sub(2).max(1);
        f64::from(height) > f64::from(STEPS) * around / count as f64
    };
    steps.windows(2).enumerate().filter(stands_out).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(amplitude: f32) -> Vec<f32> {
        (0..16_000).map(|t| amplitude * (t as f32 * 0.3).sin()).collect()
    }

    #[test]
    fn pops_are_counted_and_music_is_none() {
        let mut sound = tone(0.2);
        assert_eq!(count_pops(&sound), 0);
        // The beginning of a note: a step, and no way back.
        sound[8_000..].iter_mut().for_each(|x| *x += 0.5);
        assert_eq!(count_pops(&sound), 0);
        for at in [1, 5_000, 12_345, 15_998] {
            sound[at] += 0.7;
        }
        assert_eq!(count_pops(&sound), 4);
        // In silence the flicker of the lowest codes is none, and a small click is one.
        let mut quiet = vec![0.0; 16_000];
        quiet[100] = 0.000_2;
        assert_eq!(count_pops(&quiet), 0);
        quiet[5_000] = 0.05;
        assert_eq!(count_pops(&quiet), 1);
        assert_eq!([0, 1, 2, 3].map(|frames| count_pops(&quiet[..frames])), [0; 4]);
    }

    #[test]
    fn noise_has_no_pops() {
        let mut random = crate::random::Random::new(1, crate::random::Purpose::named("test"), 0);
        let noise: Vec<f32> = (0..100_000).map(|_| 0.3 * (random.uniform() - 0.5)).collect();
        assert_eq!(count_pops(&noise), 0);
    }

    #[test]
    fn settings_are_tried_from_what_the_model_learnt_downwards() {
        let all = candidates(256, Choice::default());
        assert_eq!(all[..4], [(1.0, 0), (1.0, 64), (1.0, 32), (0.95, 0)]);
        assert_eq!(all.len(), TEMPERATURES.len() * TOP_SHARES.len());
        let given = Choice { temperature: Some(0.5), top_k: None };
        assert_eq!(candidates(16, given), [(0.5, 0), (0.5, 4), (0.5, 2)]);
    }
}
