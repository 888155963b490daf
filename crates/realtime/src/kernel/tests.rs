use super::table::{CROSSINGS, MOST_STRETCH};
use super::*;

/// The take at a fraction of a frame after the one at `half - 1`.
fn read<const CHANNELS: usize>(kernel: &Kernel, fraction: u32, frames: [&[f32]; CHANNELS]) -> [f32; CHANNELS] {
    kernel.eighths(fraction, frames).map(|eighths| {
        let mut total = [0.0];
        totals(&[eighths], &mut total);
        total[0]
    })
}

/// What each frame counts: what is read of a take that is silent but for that frame.
fn weights(step: u64, fraction: u32) -> std::vec::Vec<f32> {
    let kernel = Kernel::at(step);
    (0..2 * kernel.half())
        .map(|at| {
            let mut frames = std::vec![0.0; 2 * kernel.half()];
            frames[at] = 1.0;
            let [one] = read(&kernel, fraction, [&frames]);
            let both = read(&kernel, fraction, [&frames, &frames]);
            assert_eq!(both, [one; 2]);
            one
        })
        .collect()
}

#[test]
fn on_a_frame_it_is_that_frame_and_weights_add_up_to_one_everywhere() {
    let still = weights(UNITY, 0);
    assert_eq!((still.len(), still[CROSSINGS - 1]), (2 * CROSSINGS, 1.0));
    assert!(still.iter().enumerate().all(|(at, weight)| at == CROSSINGS - 1 || weight.abs() < 1e-7));
    for speed in [0.25, 0.97, 1.0, 1.01, 1.5, 2.0, 3.999, 4.0, 9.0] {
        let step = (speed * UNITY as f64) as u64;
        for fraction in (0..=u32::MAX).step_by(0x0223_4567) {
            let weights = weights(step, fraction);
            assert!(weights.len() <= 2 * CROSSINGS * MOST_STRETCH && weights.len().is_multiple_of(8));
            let total: f32 = weights.iter().sum();
            assert!((total - 1.0).abs() < 1e-4, "{total} at {speed}, {fraction}");
        }
    }
}

#[test]
fn sums_take_every_frame_once() {
    for step in [UNITY, UNITY * 2, UNITY * 3] {
        let kernel = Kernel::at(step);
        let frames: std::vec::Vec<f32> = (0..2 * kernel.half()).map(|frame| frame as f32).collect();
        let wanted: f64 = weights(step, 0x5432_1000).iter().zip(&frames).map(|(w, f)| f64::from(w * f)).sum();
        let [sum] = read(&kernel, 0x5432_1000, [&frames]);
        assert!((f64::from(sum) - wanted).abs() < 1e-3, "{sum}, {wanted}");
    }
}

#[test]
fn a_speed_has_the_narrowest_kernel_that_folds_nothing_back() {
    // Whole semitones have kernels of their own, whatever rounding makes of them; others at most a quarter tone's more.
    for semitone in 0..=24 {
        let stretch = (f64::from(semitone) / 12.0).exp2();
        let step = (stretch * UNITY as f64 + 0.5) as u64;
        for step in [step - 1, step, step + 1] {
            let kernel = Kernel::at(step);
            assert!(kernel.serves(step));
            let wanted = (CROSSINGS as f64 * stretch).ceil() as usize;
            assert_eq!(kernel.half(), wanted.next_multiple_of(4), "{semitone}");
            let middle = f64::from(read(&kernel, 0, [&one_at(kernel.half() - 1, kernel.half())])[0]);
            assert!((middle * stretch - 1.0).abs() < 1e-6, "{semitone}: {middle}");
        }
    }
    let mut step = UNITY / 8;
    let mut before = Kernel::at(step);
    while step < UNITY * 8 {
        let kernel = Kernel::at(step);
        assert!(kernel.half() >= before.half() && before.serves(step) == (kernel.steps == before.steps));
        (before, step) = (kernel, step + step / 500);
    }
    assert_eq!(before.half(), CROSSINGS * MOST_STRETCH);
}

fn one_at(at: usize, half: usize) -> std::vec::Vec<f32> {
    (0..2 * half).map(|frame| if frame == at { 1.0 } else { 0.0 }).collect()
}

/// How much of a sine of `cycles` per frame of output comes through when a take is read at `step`, wherever between two frames.
fn gain(kernel: &Kernel, step: u64, cycles: f64) -> f64 {
    let cycles = cycles * UNITY as f64 / step as f64;
    let places = 32;
    let sum: f64 = (0..places)
        .map(|place| {
            let part = f64::from(place) / f64::from(places);
            let frames: std::vec::Vec<f32> = (0..2 * kernel.half())
                .map(|at| {
                    (std::f64::consts::TAU * cycles * (at as f64 + 1.0 - kernel.half() as f64 - part)).cos() as f32
                })
                .collect();
            f64::from(read(kernel, (part * UNITY as f64) as u32, [&frames])[0])
        })
        .sum();
    sum / f64::from(places)
}

#[test]
fn from_kernel_to_kernel_nothing_is_heard_of_a_glide() {
    for rung in 1..RUNG_COUNT {
        let [before, after] = [STEPS[rung - 1], STEPS[rung]].map(Kernel::at);
        // What the take has up to three quarters of half the rate that comes out: the change is a ten-thousandth (-80 dB).
        for cycles in [0.0, 0.01, 0.1, 0.2, 0.3, 0.375] {
            let [before, after] = [&before, &after].map(|kernel| gain(kernel, STEPS[rung - 1], cycles));
            assert!(
                (before - 1.0).abs() < 1e-4 && (before - after).abs() < 1e-4,
                "{rung}, {cycles}: {before}, {after}"
            );
        }
        // At nine tenths a decibel is lost at most.
        let left = gain(&after, STEPS[rung - 1], 0.45);
        assert!(left > 0.89, "{rung}: {left}");
    }
}
