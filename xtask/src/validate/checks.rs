//! What a CLAP host may rely on, each checked on a fresh instance: parameters that convert both ways, states that bring
//! back what was saved, events that are not meant for the plugin leaving it alone.

use std::io::{self, Read};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use continuo_testhost::{ClapId, Parameter, Plugin, Setup, number_of};
use fastrand::Rng;

use super::random;

const SETUP: Setup = Setup { sample_rate_hz: 48_000, block: 256 };

/// Parameters that start something rather than hold a value; random states leave them off.
const SWITCHES: [&str; 3] = ["render", "cancel", "capture"];

type Check = fn(&Path) -> Result<()>;

const CHECKS: [(&str, Check); 9] = [
    ("the factory makes nothing of an unknown id", unknown_id),
    ("every parameter's default lies in its range, and ids are distinct", ranges),
    ("values become text and come back", conversions),
    ("text that is no value is refused", nonsense),
    ("a state brings every parameter back in a new instance", reproduces),
    ("a state read in small pieces is the same state", pieces),
    ("a state that is none is refused, leaves nothing of what was, and is saved again as it came", garbage),
    ("a parameter set while stopped is the one set while processing", flush_is_process),
    ("an event for an unknown parameter changes nothing", stray_event),
];

/// Runs all checks on the plugin file `clap`; returns how many passed.
pub fn run(clap: &Path) -> Result<usize> {
    for (name, check) in CHECKS {
        check(clap).with_context(|| format!("CLAP check failed: {name}"))?;
        println!("ok   {name}");
    }
    Ok(CHECKS.len())
}

fn unknown_id(clap: &Path) -> Result<()> {
    ensure!(!Plugin::knows(clap, c"org.continuo.no-such-plugin")?, "an instance was made");
    ensure!(Plugin::knows(clap, c"org.continuo.continuo")?, "the published id is unknown");
    ensure!(!Plugin::knows(clap, c"org.continuo.continuo ")?, "an id with a trailing space was taken");
    Ok(())
}

fn ranges(clap: &Path) -> Result<()> {
    let plugin = Plugin::load(clap)?;
    let mut seen = std::collections::HashSet::new();
    for parameter in plugin.parameters() {
        let Parameter { id, name, min, max, default, .. } = parameter;
        ensure!(min < max && (min..=max).contains(&default), "{name}: {default} in {min}..{max}");
        ensure!(seen.insert(id.get()), "{name}: its id {id} is used twice");
        ensure!(!name.is_empty(), "parameter {id} has no name");
    }
    Ok(())
}

fn conversions(clap: &Path) -> Result<()> {
    let mut plugin = Plugin::load(clap)?;
    let mut random = Rng::with_seed(3);
    for parameter in plugin.parameters().to_vec() {
        for step in 0..50 {
            let value = match step {
                0 => parameter.min,
                1 => parameter.max,
                _ => random::value(&parameter, &mut random),
            };
            let text = plugin.text(parameter.id, value)?;
            let back = plugin.parse(parameter.id, &text)?;
            let Some(back) = back else { bail!("{}: {text:?} is not understood", parameter.name) };
            let again = plugin.text(parameter.id, back)?;
            ensure!(text == again, "{}: {value} is {text:?}, which is {back}, which is {again:?}", parameter.name);
        }
    }
    Ok(())
}

fn nonsense(clap: &Path) -> Result<()> {
    let mut plugin = Plugin::load(clap)?;
    for parameter in plugin.parameters().to_vec() {
        for text in ["", "nonsense", "NaN", "1e999"] {
            if let Some(value) = plugin.parse(parameter.id, text)? {
                let range = parameter.min..=parameter.max;
                ensure!(range.contains(&value), "{}: {text:?} became {value}", parameter.name);
            }
        }
    }
    Ok(())
}

fn reproduces(clap: &Path) -> Result<()> {
    let mut random = Rng::with_seed(5);
    for _ in 0..4 {
        let mut first = Plugin::load(clap)?;
        randomise(&mut first, &mut random)?;
        let state = first.save()?;
        let mut second = Plugin::load(clap)?;
        ensure!(second.restore(&state)?, "the state is refused");
        same_values(&mut first, &mut second)?;
        ensure!(second.save()? == state, "saving again gives another state");
    }
    Ok(())
}

fn pieces(clap: &Path) -> Result<()> {
    /// Gives at most a few bytes at a time, as a host's buffer may.
    struct Drip<'a>(&'a [u8]);
    impl Read for Drip<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let most = buffer.len().min(23);
            self.0.read(&mut buffer[..most])
        }
    }
    let mut first = Plugin::load(clap)?;
    randomise(&mut first, &mut Rng::with_seed(7))?;
    let state = first.save()?;
    let mut second = Plugin::load(clap)?;
    ensure!(second.restore_from(Drip(&state))?, "the state is refused");
    same_values(&mut first, &mut second)
}

fn garbage(clap: &Path) -> Result<()> {
    let mut plugin = Plugin::load(clap)?;
    randomise(&mut plugin, &mut Rng::with_seed(9))?;
    let fresh = Plugin::load(clap)?.values()?;
    let mut random = Rng::with_seed(11);
    let noise: Vec<u8> = (0..4096).map(|_| random.u8(..)).collect();
    let huge = [&u64::MAX.to_le_bytes()[..], &[0; 64]].concat();
    for state in [&[][..], &[0], b"not a state", &noise, &huge] {
        ensure!(!plugin.restore(state)?, "{} bytes of garbage were taken as a state", state.len());
        // What the project before had set is no part of this one.
        ensure!(plugin.values()? == fresh, "after {} bytes of garbage, a parameter is not at its default", state.len());
        let saved = plugin.save()?;
        ensure!(state.is_empty() || saved == state, "{} bytes of garbage were not saved as they came", state.len());
        randomise(&mut plugin, &mut Rng::with_seed(9))?;
    }
    Ok(())
}

fn flush_is_process(clap: &Path) -> Result<()> {
    let (mut flushed, mut processed) = (Plugin::load(clap)?, Plugin::load(clap)?);
    let mut random = Rng::with_seed(13);
    let events = random_values(&flushed, &mut random)?;
    flushed.flush(&events)?;
    processed.play(
        SETUP,
        |_| {},
        |deck| {
            for event in events {
                deck.set(0, event);
            }
            deck.run(SETUP.block).map(drop)
        },
    )?;
    same_values(&mut flushed, &mut processed)
}

fn stray_event(clap: &Path) -> Result<()> {
    let mut plugin = Plugin::load(clap)?;
    let before = plugin.values()?;
    let known: Vec<u32> = plugin.parameters().iter().map(|parameter| parameter.id.get()).collect();
    let unknown = (1..1000).map(ClapId::new).find(|id| !known.contains(&id.get()));
    let unknown = unknown.context("every number is a parameter")?;
    plugin.play(
        SETUP,
        |_| {},
        |deck| {
            deck.set(0, (unknown, 0.5));
            deck.run(SETUP.block).map(drop)
        },
    )?;
    ensure!(plugin.values()? == before, "a parameter changed");
    Ok(())
}

/// A random value for each parameter that a host may change and that starts nothing.
fn random_values(plugin: &Plugin, random: &mut Rng) -> Result<Vec<(ClapId, f64)>> {
    let switches = SWITCHES.map(number_of);
    let events: Vec<_> = plugin
        .parameters()
        .iter()
        .filter(|parameter| parameter.writable && !switches.contains(&parameter.id.get()))
        .map(|parameter| (parameter.id, random::value(parameter, random)))
        .collect();
    ensure!(!events.is_empty(), "there is nothing to set");
    Ok(events)
}

fn randomise(plugin: &mut Plugin, random: &mut Rng) -> Result<()> {
    let events = random_values(plugin, random)?;
    plugin.flush(&events)
}

fn same_values(first: &mut Plugin, second: &mut Plugin) -> Result<()> {
    let (a, b) = (first.values()?, second.values()?);
    for ((parameter, a), b) in first.parameters().iter().zip(a).zip(b) {
        // A state may keep single precision.
        let close = (a - b).abs() <= 1e-6 * (parameter.max - parameter.min);
        ensure!(close, "{}: {a} became {b}", parameter.name);
    }
    Ok(())
}
