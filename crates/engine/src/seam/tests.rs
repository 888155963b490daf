#![allow(clippy::unwrap_used, clippy::expect_used, clippy::float_cmp)]

use std::f64::consts::TAU;

use super::*;
use crate::audio::StreamResampler;

const MODEL: u32 = 16_000;
const HOSTS: [u32; 7] = [44_100, 48_000, 88_200, 96_000, 192_000, 22_050, 8_000];

/// A sine whose time 0 is the seam.
fn sine(hz: f64, rate: u32, phase: f64, from: i64, to: i64) -> Vec<f32> {
    (from..to).map(|t| (0.5 * (TAU * hz * t as f64 / f64::from(rate) + phase).sin()) as f32).collect()
}

fn upsampled(host: u32, history: &[f32], x: &[f32], blocks: &[usize]) -> Vec<f32> {
    let mut upsampler = Upsampler::new(MODEL, host, history, 0).unwrap();
    let (mut out, mut at, mut i) = (Vec::new(), 0, 0);
    while at < x.len() {
        let next = (at + blocks[i % blocks.len()]).min(x.len());
        upsampler.push(&x[at..next], &mut out).unwrap();
        (at, i) = (next, i + 1);
    }
    upsampler.finish(&mut out).unwrap();
    out
}

fn worst(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn the_continuation_begins_at_the_seam_without_a_fade() {
    for host in HOSTS {
        for hz in [110.0, 440.0, 1_500.0, 3_000.0] {
            let history = sine(hz, MODEL, 0.7, -20_000, 0);
            let model = sine(hz, MODEL, 0.7, 0, 4_000);
            let out = upsampled(host, &history, &model, &[160]);
            let ideal = sine(hz, host, 0.7, 0, out.len() as i64);
            let first = worst(&out[..out.len() / 2], &ideal);
            assert!(first < 2e-6, "{host} Hz host, {hz} Hz: {first} after the seam");
        }
    }
}

#[test]
fn without_the_history_it_would_fade_in() {
    // What the history is for: the same continuation after silence is wrong at the seam.
    let model = sine(440.0, MODEL, 1.5, 0, 4_000);
    let ideal = sine(440.0, 48_000, 1.5, 0, 300);
    assert!(worst(&upsampled(48_000, &[], &model, &[160])[..300], &ideal) > 0.05);
}

#[test]
fn a_phrase_out_of_nothing_begins_at_its_first_frame() {
    let mut model = vec![0.0; 100];
    model[0] = 0.5;
    let out = upsampled(48_000, &[], &model, &[7]);
    assert_eq!(out.len(), 300);
    assert!((out[0] - 0.5).abs() < 0.05, "{}", out[0]);
}

#[test]
fn the_seed_ends_one_model_frame_before_the_seam() {
    for host in HOSTS {
        // The reflection misses what a tone's curvature does after the end; a host below the model's rate sees more of it.
        let wide = if host < MODEL { 30.0 } else { 1.0 };
        for (hz, close) in [(55.0, 2e-5 * wide), (220.0, 2e-4 * wide), (1_000.0, 2.5e-3 * wide)] {
            for phase in [0.0, 0.7, TAU / 4.0] {
                // A length that is no whole number of periods of the two rates.
                let frames = i64::from(host) + 17;
                let clip = Clip { sample_rate_hz: host, channels: vec![sine(hz, host, phase, -frames, 0)] };
                let seed = model_seed(&clip, MODEL).unwrap();
                assert_eq!(seed.len() as i64, frames * i64::from(MODEL) / i64::from(host));
                let ideal = sine(hz, MODEL, phase, -(seed.len() as i64), 0);
                let n = seed.len();
                let last = worst(&seed[n - 40..], &ideal[n - 40..]);
                let rest = worst(&seed[600..n - 400], &ideal[600..n - 400]);
                assert!(last < close, "{host} Hz host, {hz} Hz, phase {phase}: {last} at the seam");
                assert!(rest < 2e-6, "{host} Hz host, {hz} Hz, phase {phase}: {rest} before it");
            }
        }
    }
}

#[test]
fn a_sine_goes_on_over_the_seam() {
    for host in HOSTS.into_iter().filter(|&h| h > MODEL) {
        for phase in [0.0, 0.7, TAU / 4.0] {
            let frames = i64::from(host) / 2 + 5;
            let clip = Clip { sample_rate_hz: host, channels: vec![sine(220.0, host, phase, -frames, 0); 2] };
            let seed = model_seed(&clip, MODEL).unwrap();
            // The continuation that a perfect model would give.
            let out = upsampled(host, &seed, &sine(220.0, MODEL, phase, 0, 4_000), &[64, 500]);
            let ideal = sine(220.0, host, phase, 0, out.len() as i64);
            let error = worst(&out[..out.len() / 2], &ideal);
            assert!(error < 1e-4, "{host}: {error}");
            // No step larger than the clip's own largest.
            let joined: Vec<f32> =
                clip.channels[0][frames as usize - 100..].iter().chain(&out[..100]).copied().collect();
            let step = |x: &[f32]| x.windows(2).map(|w| (w[1] - w[0]).abs()).fold(0.0, f32::max);
            let (own, at_seam) = (step(&clip.channels[0]), step(&joined[98..103]));
            assert!(at_seam <= own * 1.02, "{host}: a step of {at_seam}, the clip's largest is {own}");
        }
    }
}

#[test]
fn a_zero_beyond_the_end_would_bend_the_seed() {
    // What the reflection is for: a level that is held up to the end stays held.
    let clip = Clip { sample_rate_hz: 48_000, channels: vec![vec![0.5; 48_000]] };
    let seed = model_seed(&clip, MODEL).unwrap();
    assert!(seed[1_000..].iter().all(|x| (x - 0.5).abs() < 1e-5));
    let mut plain = Vec::new();
    let mut resampler = StreamResampler::new(48_000, MODEL, 1).unwrap();
    resampler.push(&clip.channels[0], &mut plain).unwrap();
    resampler.finish(&mut plain).unwrap();
    assert!((plain[plain.len() - 1] - 0.5).abs() > 0.02);
}

#[test]
fn the_end_of_a_take_is_held_too() {
    let out = upsampled(44_100, &vec![0.5; 5_000], &vec![0.5; 5_000], &[321]);
    assert!(out.iter().all(|x| (x - 0.5).abs() < 1e-5));
}

#[test]
fn lengths_are_exact_and_blocks_do_not_matter() {
    let noise: Vec<f32> = (0..7_001_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 8) as f32 / 1.6e7 - 0.5).collect();
    let history: Vec<f32> = noise.iter().rev().copied().collect();
    for host in [44_100, 48_000, 88_200, 96_000, 192_000, 22_050, 8_000, MODEL] {
        for frames in [0, 1, 2, 159, 161, 3_000, noise.len()] {
            let whole = upsampled(host, &history, &noise[..frames], &[usize::MAX / 2]);
            let wanted = (frames as f64 * f64::from(host) / f64::from(MODEL)).round() as usize;
            assert_eq!(whole.len(), wanted, "{host}, {frames} frames");
            for blocks in [&[1_usize][..], &[64, 3, 1_000], &[512]] {
                assert!(upsampled(host, &history, &noise[..frames], blocks) == whole, "{host}, blocks {blocks:?}");
            }
        }
    }
}

#[test]
fn what_is_held_back_is_bounded() {
    for host in HOSTS {
        let mut upsampler = Upsampler::new(MODEL, host, &[0.1; 100], 0).unwrap();
        let mut out = Vec::new();
        let bound = upsampler.latency_frames();
        assert!(bound <= 1_600, "{host}: {bound} model frames");
        for pushed in 1..=6_000_u64 {
            upsampler.push(&[0.1], &mut out).unwrap();
            let ready = (pushed as usize).saturating_sub(bound) as u64 * u64::from(host) / u64::from(MODEL);
            assert!(out.len() as u64 >= ready, "{host}: {} of {ready} after {pushed}", out.len());
        }
    }
}

#[test]
fn equal_rates_and_odd_clips() {
    let clip = Clip { sample_rate_hz: MODEL, channels: vec![vec![0.5, 0.25], vec![0.0, 0.25]] };
    assert_eq!(model_seed(&clip, MODEL).unwrap(), [0.25, 0.25]);
    assert_eq!(upsampled(MODEL, &[1.0; 9], &[0.1, 0.2, 0.3], &[2]), [0.1, 0.2, 0.3]);
    for frames in [0, 1, 2, 3, 5, 100] {
        let clip = Clip { sample_rate_hz: 48_000, channels: vec![vec![0.5; frames]] };
        assert_eq!(model_seed(&clip, MODEL).unwrap().len(), frames / 3);
    }
    assert!(model_seed(&Clip { sample_rate_hz: 48_000, channels: vec![] }, MODEL).unwrap().is_empty());
    assert!(model_seed(&Clip { sample_rate_hz: 0, channels: vec![vec![0.5]] }, MODEL).is_err());
    assert!(Upsampler::new(MODEL, 0, &[], 0).is_err());
}

#[test]
fn frames_before_the_seam_are_those_of_one_signal() {
    let noise: Vec<f32> = (0..9_001_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 8) as f32 / 1.6e7 - 0.5).collect();
    let (history, model) = noise.split_at(6_000);
    for host in [44_100, 48_000, 88_200, 96_000, 192_000, 22_050, 8_000, 44_099, MODEL] {
        let plain = upsampled(host, history, model, &[160]);
        for before in [0, 1, 7, host as usize / 200, host as usize / 20, 2 * host as usize] {
            let mut upsampler = Upsampler::new(MODEL, host, history, before).unwrap();
            let mut out = Vec::new();
            for block in model.chunks(160) {
                upsampler.push(block, &mut out).unwrap();
            }
            upsampler.finish(&mut out).unwrap();
            assert_eq!(out.len(), before + plain.len(), "{host} Hz, {before} before");
            // A few milliseconds before it change nothing of what comes after the seam.
            let bits = |frames: &[f32]| frames.iter().map(|frame| frame.to_bits()).collect::<Vec<_>>();
            if before <= host as usize / 200 {
                assert!(bits(&out[before..]) == bits(&plain), "{host} Hz, {before} before");
            }
            // The same signal whose beginning lies further back, so that the seam is none.
            if host != 44_099 && before <= host as usize / 200 {
                let mut whole = Upsampler::new(MODEL, host, &history[..4_400], 0).unwrap();
                let mut one = Vec::new();
                whole.push(&noise[4_400..], &mut one).unwrap();
                whole.finish(&mut one).unwrap();
                let seam = 1_600 * host as usize / MODEL as usize;
                assert!(worst(&out, &one[seam - before..]) < 1e-5, "{host} Hz, {before} before");
            }
        }
    }
}

#[test]
fn a_crossfade_begins_with_the_clip_and_ends_with_what_was_heard() {
    assert_eq!((crossfade_frames(48_000, 24_000), crossfade_frames(48_000, 100)), (240, 100));
    let fade: Vec<f32> = (0..240).map(|index| crossfade(1.0, -1.0, index, 240)).collect();
    assert!(fade[0] > 0.999 && fade[0] < 1.0);
    assert_eq!(fade[239].to_bits(), (-1.0_f32).to_bits());
    assert!(fade.windows(2).all(|pair| pair[1] <= pair[0] && pair[0] - pair[1] < 0.02));
    assert_eq!(crossfade(0.3, 0.4, 0, 1).to_bits(), 0.4_f32.to_bits());
}

#[test]
fn the_history_is_rounded_to_codes_and_to_none_that_cannot_be() {
    let frames = [-2.0, -0.31, 0.0, 0.004, 0.3, 1.0];
    let rounded = |signal: Signal| {
        let mut frames = frames;
        quantise(&mut frames, signal);
        frames
    };
    let codes = Signal::MuLaw { levels: 256 };
    assert_eq!(rounded(codes), frames.map(|frame| codes.decode(codes.encode(frame))));
    for signal in
        [Signal::Real, Signal::MuLaw { levels: 0 }, Signal::MuLaw { levels: 1 }, Signal::Linear { levels: u32::MAX }]
    {
        assert_eq!(rounded(signal), frames, "{signal:?}");
    }
}
