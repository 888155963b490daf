use super::super::*;
use super::{db, level_at, sine};

fn through(from: u32, to: u32, x: &[f32], blocks: &[usize]) -> Vec<f32> {
    let mut resampler = StreamResampler::new(from, to, 1).unwrap();
    let (mut out, mut at, mut i) = (Vec::new(), 0, 0);
    while at < x.len() {
        let next = (at + blocks[i % blocks.len()]).min(x.len());
        resampler.push(&x[at..next], &mut out).unwrap();
        (at, i) = (next, i + 1);
    }
    resampler.finish(&mut out).unwrap();
    out
}

const PAIRS: [(u32, u32); 10] = [
    (44_100, 16_000),
    (48_000, 16_000),
    (96_000, 16_000),
    (192_000, 16_000),
    (16_000, 44_100),
    (16_000, 48_000),
    (16_000, 88_200),
    (16_000, 192_000),
    (22_050, 16_000),
    (44_100, 48_000),
];

#[test]
fn the_length_is_exact_and_blocks_do_not_matter() {
    let noise: Vec<f32> = (0..9_973_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 8) as f32 / 1.6e7 - 0.5).collect();
    for (from, to) in PAIRS {
        for frames in [0, 1, 2, 1_000, noise.len()] {
            let whole = through(from, to, &noise[..frames], &[usize::MAX / 2]);
            let wanted = (frames as f64 * f64::from(to) / f64::from(from)).round() as usize;
            assert_eq!(whole.len(), wanted, "{from} → {to}, {frames} frames");
            for blocks in [&[1_usize, 7, 64][..], &[513], &[4_096, 3]] {
                assert!(through(from, to, &noise[..frames], blocks) == whole, "{from} → {to} in blocks {blocks:?}");
            }
        }
    }
}

#[test]
fn equal_rates_pass_through_untouched() {
    let x = sine(440.0, 48_000, 0.9, 0.0, 1_000);
    assert_eq!(through(48_000, 48_000, &x, &[33]), x);
}

#[test]
fn a_sine_stays_where_it_was() {
    for (from, to) in PAIRS {
        for hz in [100.0, 1_000.0, 3_000.0, 6_000.0, 7_300.0] {
            let seconds = 0.25;
            let x = sine(hz, from, 0.5, 0.3, (f64::from(from) * seconds) as usize);
            let y = through(from, to, &x, &[1_000]);
            let ideal = sine(hz, to, 0.5, 0.3, y.len());
            // Away from both ends, where the sine meets silence.
            let edge = to as usize / 20;
            let worst = (edge..y.len() - edge).map(|t| (y[t] - ideal[t]).abs()).fold(0.0, f32::max);
            assert!(worst < 1e-4, "{from} → {to}, {hz} Hz: {worst}");
        }
    }
}

#[test]
fn what_the_lower_rate_cannot_hold_is_gone() {
    for (from, to) in PAIRS.into_iter().filter(|(from, to)| from > to) {
        for hz in [8_050.0, 8_500.0, 9_500.0, 10_500.0] {
            let x = sine(hz, from, 0.5, 0.0, from as usize / 2);
            let y = through(from, to, &x, &[4_096]);
            let middle = &y[y.len() / 4..y.len() * 3 / 4];
            let peak = middle.iter().fold(0.0_f32, |m, x| m.max(x.abs()));
            assert!(db(f64::from(peak) / 0.5) < -100.0, "{from} → {to}, {hz} Hz aliases at {} dB", db(f64::from(peak)));
        }
    }
}

#[test]
fn the_higher_rate_holds_no_images() {
    for (from, to) in PAIRS.into_iter().filter(|&(from, to)| from == 16_000 && to > from) {
        for hz in [1_000.0, 5_000.0, 7_300.0] {
            let x = sine(hz, from, 0.5, 0.0, 8_000);
            let y = through(from, to, &x, &[4_096]);
            let middle = &y[y.len() / 4..y.len() * 3 / 4];
            for image in [16_000.0 - hz, 16_000.0 + hz, 32_000.0 - hz].into_iter().filter(|f| f * 2.0 < f64::from(to)) {
                let level = db(level_at(middle, image, to) / 0.5);
                assert!(level < -100.0, "{from} → {to}, {hz} Hz has an image at {image} Hz, {level} dB");
            }
        }
    }
}

#[test]
fn there_and_back_keeps_the_band() {
    for host in [44_100, 48_000, 96_000] {
        let clip = Clip { sample_rate_hz: 16_000, channels: vec![sine(2_500.0, 16_000, 0.5, 0.0, 8_000)] };
        let back = resample(&resample(&clip, host).unwrap(), 16_000).unwrap();
        assert_eq!(back.frames(), 8_000);
        let worst = (1_000..7_000).map(|t| (back.channels[0][t] - clip.channels[0][t]).abs()).fold(0.0, f32::max);
        assert!(worst < 1e-5, "{host}: {worst}");
    }
}

#[test]
fn channels_do_not_mix() {
    let (left, right) = (sine(440.0, 44_100, 0.5, 0.0, 5_000), sine(700.0, 44_100, 0.25, 0.0, 5_000));
    let interleaved: Vec<f32> = left.iter().zip(&right).flat_map(|(&l, &r)| [l, r]).collect();
    let mut resampler = StreamResampler::new(44_100, 16_000, 2).unwrap();
    let mut out = Vec::new();
    for block in interleaved.chunks(998) {
        resampler.push(block, &mut out).unwrap();
    }
    resampler.finish(&mut out).unwrap();
    let (l, r): (Vec<f32>, Vec<f32>) = out.chunks(2).map(|f| (f[0], f[1])).unzip();
    assert_eq!(l, through(44_100, 16_000, &left, &[100]));
    assert_eq!(r, through(44_100, 16_000, &right, &[100]));
}

#[test]
fn impossible_rates_are_refused() {
    for (from, to, channels) in [(0, 16_000, 1), (16_000, 0, 1), (16_000, u32::MAX, 1), (16_000, 48_000, 0)] {
        let error = StreamResampler::new(from, to, channels).unwrap_err();
        assert!(matches!(error, AudioError::Resample { .. }), "{error}");
    }
    // Rates without a common period work too.
    let x = sine(440.0, 44_101, 0.5, 0.0, 20_000);
    assert_eq!(through(44_101, 16_000, &x, &[5_000]).len(), 7_256);
}
