//! The seam of real clips at a host's rates: one signal goes on, and the clip is exact up to its last milliseconds.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use continuo::take::bench::lay_out;
use continuo::take::{Recipe, Take};
use continuo_engine::audio::{Clip, read, resample};
use continuo_engine::seam::model_seed;
use continuo_engine::{LoadOptions, Model, RenderRequest, Sampling, Workers, render};
use continuo_realtime::Frame;

/// How much of a clip is listened to, in seconds: more than the model hears.
const CLIP_SECONDS: usize = 1;
/// How much is generated, in seconds.
const SECONDS: f64 = 0.1;
/// Variations.
const TAKES: u32 = 4;

fn presets(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("presets").join(folder)
}

/// A second of a shipped seed clip at a host's rate, ending in the middle of the music. The second channel is the first one
/// upside down and softer, so that the clip is no mono sound.
fn clip(file: &Path, rate_hz: u32, end_seconds: f64) -> Clip {
    let whole = resample(&read(file).unwrap(), rate_hz).unwrap();
    let end = (end_seconds * f64::from(rate_hz)) as usize;
    let part = whole.channels[0][end - CLIP_SECONDS * rate_hz as usize..end].to_vec();
    let other = part.iter().map(|value| value * -0.4).collect();
    Clip { sample_rate_hz: rate_hz, channels: vec![part, other] }
}

/// A take of the shipped model after `seed`.
fn take(model: &Arc<Model>, seed: Clip) -> Take {
    let frames = (SECONDS * f64::from(model.sample_rate_hz())) as u64;
    let sampling = Sampling { rng_seed: 1, ..Sampling::default() };
    let request = RenderRequest {
        seed: Some(seed.clone()),
        frames,
        sampling,
        class: 0,
        variations: 0..TAKES,
        precision: None,
        workers: Workers::alone(),
    };
    let mut sounds = vec![Vec::new(); TAKES as usize];
    render(model, &request, &AtomicBool::new(false), &mut |block| {
        for (all, new) in sounds.iter_mut().zip(block.sound) {
            all.extend_from_slice(new);
        }
    })
    .unwrap();
    let manifest = model.manifest();
    let recipe = Recipe {
        model_name: manifest.name.clone(),
        model_rate_hz: manifest.sample_rate_hz,
        channels: 1,
        variations: TAKES,
        frames,
        signal: Some(manifest.signal),
        ..Recipe::default()
    };
    let clip = |sound| Arc::new(Clip { sample_rate_hz: manifest.sample_rate_hz, channels: vec![sound] });
    Take { recipe, seed: Some(Arc::new(seed)), variations: sounds.into_iter().map(clip).collect() }
}

/// A variation as it plays, `[C][T]`.
fn heard(take: &Take, rate_hz: u32, index: usize) -> [Vec<f32>; 2] {
    let play = lay_out(take, rate_hz).unwrap();
    let view = play.view(index, true, false).unwrap();
    let frames = (0..view.frames() as i64).map(|frame| match view.frame(frame) {
        Frame::Ready([left, right]) => (left, right),
        other => panic!("frame {frame}: {other:?}"),
    });
    let (left, right) = frames.unzip();
    [left, right]
}

/// The largest difference of two neighbours among `frames`.
fn largest_step(frames: &[f32]) -> f32 {
    frames.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max)
}

#[test]
fn no_step_at_the_seam_is_larger_than_those_around_it_and_the_clip_is_exact_before() {
    let model = Model::load(&presets("models").join("piano-16k.continuo"), &LoadOptions::default()).unwrap();
    let mut seeds: Vec<_> = std::fs::read_dir(presets("seeds")).unwrap().map(|file| file.unwrap().path()).collect();
    seeds.sort();
    assert!(seeds.len() >= 3);
    let (mut seams, mut jumps_without) = (0, 0);
    for file in &seeds {
        for (rate_hz, end_seconds) in [(44_100, 2.0), (48_000, 2.5), (88_200, 1.7), (96_000, 3.1), (192_000, 2.2)] {
            let seed = clip(file, rate_hz, end_seconds);
            let take = take(&model, seed.clone());
            let (seam, near) = (seed.frames(), rate_hz as usize / 200);
            for index in 0..TAKES as usize {
                for (heard, clip) in heard(&take, rate_hz, index).iter().zip(&seed.channels) {
                    let place = format!("{}, {rate_hz} Hz, take {index}", file.display());
                    assert_eq!(heard[..seam - near], clip[..seam - near], "{place}: the clip");
                    let step = (heard[seam] - heard[seam - 1]).abs();
                    let around = largest_step(&heard[seam - near..seam]).max(largest_step(&heard[seam..seam + near]));
                    assert!(step <= around, "{place}: a step of {step} at the seam, {around} around it");
                    // What the same take does where the clip is exact to its end.
                    let bare = (heard[seam] - clip[seam - 1]).abs();
                    let before = largest_step(&clip[seam - near..]).max(largest_step(&heard[seam..seam + near]));
                    (seams, jumps_without) = (seams + 1, jumps_without + usize::from(bare > before));
                }
            }
        }
    }
    assert!(jumps_without * 2 > seams, "only {jumps_without} of {seams} seams would jump: this test sees nothing");
}

#[test]
fn at_the_models_own_rate_the_clip_goes_over_to_its_codes() {
    let model = Model::load(&presets("models").join("piano-16k.continuo"), &LoadOptions::default()).unwrap();
    let rate_hz = model.sample_rate_hz();
    let seed = clip(&presets("seeds").join("01-gounod-o-ma-belle-rebelle.wav"), rate_hz, 2.0);
    let take = take(&model, seed.clone());
    let [left, right] = heard(&take, rate_hz, 0);
    let (seam, codes) = (seed.frames(), model.manifest().signal);
    let last = model_seed(&seed, rate_hz).unwrap()[seam - 1];
    assert_eq!(left[seam - 1].to_bits(), codes.decode(codes.encode(last)).to_bits());
    assert_eq!(left[seam - 1].to_bits(), right[seam - 1].to_bits());
    assert_eq!(left[seam..], take.variations[0].channels[0][..]);
}
