//! A clip to prime and to compare with: notes with partials, attacks and decays, some noise, and silence between them.

use super::graph::Random;
use std::f32::consts::TAU;

/// `frames` frames at `rate_hz`, from −1 to 1, the same everywhere.
pub fn notes(frames: usize, rate_hz: f32, rng_seed: u64) -> Vec<f32> {
    let mut random = Random(rng_seed);
    let mut clip = vec![0f32; frames];
    let mut start = 0;
    while start < frames {
        let chord = 1 + random.bits() as usize % 3;
        for _ in 0..chord {
            let key = 36.0 + (random.bits() % 48) as f32;
            let pitch = 440.0 * ((key - 69.0) / 12.0).exp2();
            let level = 0.08 + 0.1 * random.signed().abs();
            for partial in 1..=8u8 {
                let frequency = pitch * f32::from(partial) * (1.0 + 4e-4 * f32::from(partial).powi(2)).sqrt();
                if frequency > 0.45 * rate_hz {
                    break;
                }
                let phase = random.signed() * TAU;
                let decay = (1.5 + f32::from(partial)) / rate_hz;
                for (frame, value) in clip[start..].iter_mut().enumerate() {
                    let time = frame as f32;
                    let attack = (time / (0.004 * rate_hz)).min(1.0);
                    let wave = (phase + TAU * frequency * time / rate_hz).sin();
                    *value += level / f32::from(partial) * attack * (-decay * time).exp() * wave;
                }
            }
        }
        // A hammer's knock.
        for (frame, value) in clip[start..].iter_mut().take(400).enumerate() {
            *value += 0.05 * random.signed() * (-(frame as f32) / 60.0).exp();
        }
        start += (rate_hz * (0.15 + 0.2 * random.signed().abs())) as usize;
    }
    clip.into_iter().map(|value| value.clamp(-1.0, 1.0)).collect()
}
