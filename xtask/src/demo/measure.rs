//! What a phrase must be, and the numbers that say whether it is.

use std::fmt;

use anyhow::{Result, bail};

use super::spectrum::{flatness, likeness, spectrogram};

/// Share of a second that counts as one stretch when looking for silence.
const STRETCH_SECONDS: f64 = 0.05;

/// Below this level a stretch is silent.
const SILENCE_DBFS: f64 = -60.0;

/// The clip's last 1/200 s is a crossfade.
const CROSSFADES_PER_SECOND: usize = 200;

/// Pattern lengths, in seconds, in which a copy of the seed's end is looked for.
const COPY_SECONDS: f64 = 1.0;

/// One number with the bounds in which it must lie.
#[derive(Debug, Clone)]
pub struct Check {
    name: &'static str,
    value: f64,
    unit: &'static str,
    low: f64,
    high: f64,
}

impl Check {
    fn passed(&self) -> bool {
        (self.low..=self.high).contains(&self.value)
    }
}

/// All checks of a phrase.
#[derive(Debug, Clone)]
pub struct Verdict {
    checks: Vec<Check>,
}

impl Verdict {
    /// Measures a phrase `[C][T]` that should begin with `seed` and go on for `seconds`.
    pub fn of(channels: &[Vec<f32>], seed: &[f32], seconds: f64, rate_hz: u32) -> Result<Self> {
        let wanted = seed.len() + (seconds * f64::from(rate_hz)).round() as usize;
        let Some(left) = channels.first() else { bail!("the phrase has no channels") };
        if left.len() != wanted {
            bail!("the phrase has {} frames, not {wanted}", left.len());
        }
        if seed.len() < 2 {
            bail!("the seed clip is empty");
        }
        let continuation = &left[seed.len()..];
        // The last milliseconds go over to what the model heard.
        let exact = seed.len() - (rate_hz as usize / CROSSFADES_PER_SECOND).min(seed.len());
        let seed_error =
            channels.iter().map(|channel| largest_difference(&channel[..exact], &seed[..exact])).fold(0.0, f64::max);
        let clip_step = seed.windows(2).map(|pair| step(pair[0], pair[1])).fold(0.0, f64::max);
        let seam_step =
            channels.iter().map(|channel| step(channel[seed.len() - 1], channel[seed.len()])).fold(0.0, f64::max);
        let peak = channels.iter().flatten().map(|sample| f64::from(sample.abs())).fold(0.0, f64::max);
        let clipped = share(continuation, |sample| sample.abs() >= 0.999);
        let mean = continuation.iter().map(|&x| f64::from(x)).sum::<f64>() / continuation.len() as f64;
        let level = decibels(rms(continuation));
        let stretch = (STRETCH_SECONDS * f64::from(rate_hz)) as usize;
        let silent = share_of(continuation.chunks(stretch), |part| decibels(rms(part)) < SILENCE_DBFS);
        let pattern = (COPY_SECONDS * f64::from(rate_hz)) as usize;
        let copied = seed
            .chunks(pattern)
            .filter(|part| part.len() == pattern)
            .map(|part| likeness(continuation, part))
            .collect::<Result<Vec<_>>>()?
            .into_iter()
            .fold(0.0, f64::max);
        let checks = vec![
            Check { name: "seed, largest difference", value: seed_error, unit: "", low: 0.0, high: 1e-4 },
            Check {
                name: "seam step (limit: the clip's largest)",
                value: seam_step,
                unit: "",
                low: 0.0,
                high: clip_step,
            },
            Check { name: "continuation, level", value: level, unit: " dBFS", low: -50.0, high: -3.0 },
            Check {
                name: "continuation, level against the seed",
                value: level - decibels(rms(seed)),
                unit: " dB",
                low: -20.0,
                high: 12.0,
            },
            Check { name: "phrase, peak", value: peak, unit: "", low: 0.001, high: 1.0 },
            Check { name: "continuation, clipped frames", value: 100.0 * clipped, unit: " %", low: 0.0, high: 0.1 },
            Check { name: "continuation, DC", value: mean, unit: "", low: -0.02, high: 0.02 },
            Check { name: "continuation, silent stretches", value: 100.0 * silent, unit: " %", low: 0.0, high: 50.0 },
            Check {
                name: "continuation, spectral flatness (noise: 0.56)",
                value: typical_flatness(continuation, rate_hz)?,
                unit: "",
                low: 0.0,
                high: 0.25,
            },
            Check {
                name: "continuation, correlation with the seed (copy: 1)",
                value: copied,
                unit: "",
                low: 0.0,
                high: 0.95,
            },
        ];
        Ok(Self { checks })
    }

    /// Whether every number lies in its bounds.
    pub fn passed(&self) -> bool {
        self.checks.iter().all(Check::passed)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for check in &self.checks {
            let mark = if check.passed() { "ok  " } else { "FAIL" };
            let Check { name, value, unit, low, high, .. } = check;
            writeln!(f, "{mark} {name:<52} {value:>9.4}{unit:<6} ({} to {})", short(*low), short(*high))?;
        }
        Ok(())
    }
}

fn short(value: f64) -> String {
    let text = format!("{value:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The median flatness of the stretches that sound, between 50 Hz and 7.5 kHz: what the factory model can put out.
fn typical_flatness(signal: &[f32], rate_hz: u32) -> Result<f64> {
    const SIZE: usize = 2048;
    let bin = |hz: f64| (hz * SIZE as f64 / f64::from(rate_hz)).round() as usize;
    let spectra = spectrogram(signal, SIZE, SIZE / 2)?;
    let mut values: Vec<f64> = spectra
        .power
        .iter()
        .zip(signal.chunks(spectra.hop))
        .filter(|(_, part)| decibels(rms(part)) >= SILENCE_DBFS)
        .map(|(power, _)| flatness(&power[bin(50.0)..bin(7_500.0)]))
        .collect();
    values.sort_by(f64::total_cmp);
    // Nothing that sounds is as bad as noise.
    Ok(values.get(values.len() / 2).copied().unwrap_or(1.0))
}

fn step(a: f32, b: f32) -> f64 {
    (f64::from(a) - f64::from(b)).abs()
}

fn largest_difference(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(&a, &b)| step(a, b)).fold(0.0, f64::max)
}

fn rms(signal: &[f32]) -> f64 {
    (signal.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / signal.len().max(1) as f64).sqrt()
}

fn decibels(amplitude: f64) -> f64 {
    20.0 * amplitude.max(1e-10).log10()
}

fn share(signal: &[f32], matches: impl Fn(f32) -> bool) -> f64 {
    share_of(signal.iter(), |&sample| matches(sample))
}

fn share_of<T>(items: impl Iterator<Item = T>, matches: impl Fn(T) -> bool) -> f64 {
    let (mut all, mut found) = (0_u64, 0_u64);
    for item in items {
        all += 1;
        found += u64::from(matches(item));
    }
    found as f64 / all.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE_HZ: u32 = 48_000;

    /// A decaying tone of `hz`, restarted every half second.
    fn tone(seconds: usize, hz: f32) -> Vec<f32> {
        (0..seconds * RATE_HZ as usize)
            .map(|i| {
                let t = i as f32 / RATE_HZ as f32;
                0.3 * (std::f32::consts::TAU * hz * t).sin() * (-3.0 * (t % 0.5)).exp()
            })
            .collect()
    }

    fn verdict(continuation: &[f32]) -> Verdict {
        let seed = tone(2, 220.0);
        let phrase = [seed.as_slice(), continuation].concat();
        Verdict::of(&[phrase.clone(), phrase], &seed, continuation.len() as f64 / f64::from(RATE_HZ), RATE_HZ).unwrap()
    }

    fn failures(verdict: &Verdict) -> Vec<&'static str> {
        verdict.checks.iter().filter(|check| !check.passed()).map(|check| check.name).collect()
    }

    #[test]
    fn a_good_phrase_passes() {
        let verdict = verdict(&tone(2, 330.0));
        assert!(verdict.passed(), "{verdict}");
    }

    #[test]
    fn each_fault_is_found() {
        assert!(failures(&verdict(&vec![0.0; 96_000])).contains(&"continuation, silent stretches"));
        assert!(failures(&verdict(&tone(2, 220.0))).contains(&"continuation, correlation with the seed (copy: 1)"));
        let mut random = fastrand::Rng::with_seed(1);
        let noise: Vec<f32> = (0..96_000).map(|_| 0.4 * random.f32() - 0.2).collect();
        assert!(failures(&verdict(&noise)).contains(&"continuation, spectral flatness (noise: 0.56)"));
        let mut click = tone(2, 330.0);
        click[0] = 0.9;
        assert_eq!(failures(&verdict(&click)), ["seam step (limit: the clip's largest)"]);
        let offset: Vec<f32> = tone(2, 330.0).iter().map(|sample| sample + 0.05).collect();
        assert!(failures(&verdict(&offset)).contains(&"continuation, DC"));
    }

    #[test]
    fn a_changed_seed_is_found() {
        let seed = tone(2, 220.0);
        let mut phrase = [seed.clone(), tone(1, 330.0)].concat();
        phrase[1000] += 0.01;
        let verdict = Verdict::of(&[phrase], &seed, 1.0, RATE_HZ).unwrap();
        assert_eq!(failures(&verdict), ["seed, largest difference"]);
    }

    #[test]
    fn a_phrase_of_another_length_is_refused() {
        let seed = tone(1, 220.0);
        assert!(Verdict::of(std::slice::from_ref(&seed), &seed, 1.0, RATE_HZ).is_err());
    }
}
