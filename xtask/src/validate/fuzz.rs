//! A host in a bad mood: block sizes, sample rates, parameters, notes, transport jumps and input change at random, states
//! are saved, restored and damaged between runs.
//!
//! Every block must be whole: written, finite, without subnormal numbers, and no louder than the loudest setting explains.
//! The same seed gives the same sequence.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use continuo_testhost::{Deck, Parameter, Plugin, Setup};
use fastrand::Rng;

use super::random::{pick, value};

/// Louder than any take (±1) at the largest gain (+12 dB) with several voices.
const LOUDEST: f32 = 64.0;

/// How long one activation lasts, in audio seconds.
const RUN_SECONDS: f64 = 2.0;

/// Most blocks in one activation: tiny blocks would take the whole time for one.
const MOST_BLOCKS: usize = 2_000;

/// What the fuzzer did.
#[derive(Debug, Default)]
pub struct Tally {
    pub activations: u64,
    pub blocks: u64,
    pub frames: u64,
    pub changes: u64,
    pub notes: u64,
    pub states: u64,
}

/// Fuzzes the plugin in the file `clap` for `time`.
pub fn fuzz(clap: &Path, time: Duration) -> Result<Tally> {
    let mut random = Rng::with_seed(0x0C04_7140);
    let mut tally = Tally::default();
    let mut plugin = Plugin::load(clap)?;
    let parameters: Vec<Parameter> =
        plugin.parameters().iter().filter(|parameter| parameter.writable).cloned().collect();
    if parameters.is_empty() {
        bail!("the plugin has no parameters that a host can change");
    }
    let began = Instant::now();
    while began.elapsed() < time {
        let setup = Setup {
            sample_rate_hz: pick(&[22_050, 44_100, 48_000, 88_200, 96_000, 192_000], &mut random),
            block: pick(&[1, 16, 33, 64, 256, 512, 1000, 4096], &mut random),
        };
        let activation = tally.activations;
        let (random, tally) = (&mut random, &mut tally);
        let parameters = &parameters;
        plugin
            .play(setup, |_| {}, |deck| storm(deck, setup, parameters, random, tally))
            .with_context(|| format!("activation {activation} at {setup:?}"))?;
        tally.activations += 1;
        for parameter in parameters {
            let value = plugin.current(parameter.id)?;
            if !(parameter.min..=parameter.max).contains(&value) {
                bail!("{} is {value}, outside {}..{}", parameter.name, parameter.min, parameter.max);
            }
        }
        // Not every time: each damaged state is one line in the plugin's log.
        if random.u32(..16) == 0 {
            rattle_state(&mut plugin, random)?;
            tally.states += 1;
        }
        // Now and then from scratch, so that creation and destruction are shaken too.
        if random.u32(..8) == 0 {
            drop(plugin);
            plugin = Plugin::load(clap)?;
        }
    }
    Ok(tally)
}

/// One activation: blocks of random size with random events.
fn storm(deck: &mut Deck, setup: Setup, parameters: &[Parameter], random: &mut Rng, tally: &mut Tally) -> Result<()> {
    let total = (RUN_SECONDS * f64::from(setup.sample_rate_hz)) as u64;
    let mut done = 0;
    for _ in 0..MOST_BLOCKS {
        if done >= total {
            break;
        }
        let frames = 1 + random.u32(..setup.block);
        if random.u32(..4) == 0 {
            let parameter = &parameters[random.usize(..parameters.len())];
            let value = value(parameter, random);
            deck.set(random.u32(..frames), (parameter.id, value));
            tally.changes += 1;
        }
        if random.u32(..16) == 0 {
            let key = random.u16(..128);
            deck.note_on(random.u32(..frames), key, random.f64());
            deck.note_off(frames - 1, key);
            tally.notes += 1;
        }
        if random.u32(..64) == 0 {
            deck.playing = random.u32(..3) > 0;
            deck.position = i64::from(random.u32(..60 * setup.sample_rate_hz)) - i64::from(setup.sample_rate_hz);
            deck.tempo = pick(&[20.0, 60.0, 120.0, 133.7, 400.0], random);
        }
        let level = pick(&[0.0, 0.0, 0.5, 1.0], random) as f32;
        deck.feed(|_| level * (random.f32() * 2.0 - 1.0));
        let output = deck.run(frames)?;
        for (channel, samples) in output.iter().enumerate() {
            if let Some((frame, fault)) = samples.iter().enumerate().find_map(|(frame, &x)| Some((frame, fault(x)?))) {
                bail!("block {}, channel {channel}, frame {frame}: {fault}", tally.blocks);
            }
        }
        tally.blocks += 1;
        tally.frames += u64::from(frames);
        done += u64::from(frames);
    }
    Ok(())
}

/// A state must survive a round trip; a damaged one may be refused, but must not take the plugin down.
fn rattle_state(plugin: &mut Plugin, random: &mut Rng) -> Result<()> {
    let state = plugin.save()?;
    let mut damaged = state.clone();
    match random.u32(..3) {
        0 => damaged.truncate(random.usize(..damaged.len().max(1))),
        1 => damaged.clear(),
        _ => {
            for _ in 0..16 {
                if !damaged.is_empty() {
                    let at = random.usize(..damaged.len());
                    damaged[at] ^= 1 << random.u32(..8);
                }
            }
        }
    }
    plugin.restore(&damaged)?;
    if !plugin.restore(&state)? {
        bail!("the plugin refuses the state that it just saved ({} bytes)", state.len());
    }
    Ok(())
}

/// What is wrong with an output sample.
fn fault(sample: f32) -> Option<&'static str> {
    if sample.is_nan() {
        Some("not a number (or never written)")
    } else if sample.is_infinite() {
        Some("infinite")
    } else if sample.is_subnormal() {
        Some("a subnormal number")
    } else if sample.abs() > LOUDEST {
        Some("far too loud")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_has_a_name_and_sound_has_none() {
        for fine in [0.0, -0.0, 1.0, -3.9, f32::MIN_POSITIVE] {
            assert_eq!(fault(fine), None);
        }
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e-40, -100.0] {
            assert!(fault(bad).is_some(), "{bad}");
        }
    }
}
