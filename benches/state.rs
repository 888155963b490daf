//! What a project with 8 takes of 60 s costs: bytes of its state, and milliseconds per save, beside the plain way to write the
//! same state in the same run. `cargo xtask bench state`, or with a filter `cargo bench -p continuo --bench state -- noise`.
//!
//! Saves go through the plugin's CLAP entry, as a host's do. The model's sound is measured where `CONTINUO_RESOURCES` names a
//! folder with `presets`, such as the repository: the plugin renders it, and is saved meanwhile.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use continuo::session::SavedSession;
use continuo::take::pack::pack;
use continuo::take::{Recipe, Take};
use continuo_engine::audio::Clip;
use continuo_testhost::{EntryDescriptor, Plugin, Setup};
use serde_json::{Value, json};

const RATE_HZ: u32 = 16_000;
const SECONDS: usize = 60;
const TAKES: usize = 8;
const SAVES: usize = 1_000;

/// The value of a code of µ-law with 256 levels.
fn mu_law(code: u8) -> f32 {
    let level = f32::from(code) / 127.5 - 1.0;
    level.signum() * (256.0_f32.powf(level.abs()) - 1.0) / 255.0
}

fn code(value: f32) -> u8 {
    let level = value.signum() * (255.0 * value.abs()).ln_1p() / 256.0_f32.ln();
    ((level + 1.0) * 127.5).round() as u8
}

/// A take of sounds whose frames `frame` gives, by variation and place.
fn take(mut frame: impl FnMut(usize, usize) -> u8) -> Take {
    let frames = RATE_HZ as usize * SECONDS;
    let mut variation = |index| {
        let channel = (0..frames).map(|at| mu_law(frame(index, at))).collect();
        Arc::new(Clip { sample_rate_hz: RATE_HZ, channels: vec![channel] })
    };
    let variations = (0..TAKES).map(&mut variation).collect();
    let recipe = Recipe {
        model_name: "none".to_owned(),
        model_rate_hz: RATE_HZ,
        channels: 1,
        variations: TAKES as u32,
        frames: frames as u64,
        ..Recipe::default()
    };
    Take { recipe, seed: None, variations }
}

fn noise() -> impl FnMut() -> u32 {
    let mut number = 1_u32;
    move || {
        number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        number >> 16
    }
}

/// All codes as often: what compresses least.
fn white() -> Take {
    let mut draw = noise();
    take(|_, _| draw() as u8)
}

/// Five partials that die away and begin again, over a floor of noise.
fn tones() -> Take {
    let mut draw = noise();
    take(|index, at| {
        let seconds = at as f32 / RATE_HZ as f32;
        let fundamental = 110.0 * (1.0 + index as f32 / 8.0) * std::f32::consts::TAU;
        let loud = 0.5 * (-3.0 * seconds.fract()).exp();
        let tone: f32 = (1..6_u8).map(|n| (fundamental * f32::from(n) * seconds).sin() / f32::from(n)).sum();
        code(loud * tone + (draw() as f32 / 32_768.0 - 1.0) * 0.01)
    })
}

/// A state's document and the session in it.
fn parse(state: &[u8]) -> Result<(Value, SavedSession)> {
    let document: Value = serde_json::from_slice(&zstd::decode_all(&state[8..])?)?;
    let session = document["fields"]["session"].as_str().context("a state has a session")?;
    let session = serde_json::from_str(session)?;
    Ok((document, session))
}

/// Writes a state's text out in full and compresses all of it.
fn plain(document: &mut Value, session: &SavedSession) -> Result<Vec<u8>> {
    document["fields"]["session"] = serde_json::to_string(session)?.into();
    let packed = zstd::encode_all(serde_json::to_string(document)?.as_bytes(), zstd::DEFAULT_COMPRESSION_LEVEL)?;
    Ok([&(packed.len() as u64).to_le_bytes(), packed.as_slice()].concat())
}

fn instance() -> Result<Plugin> {
    // SAFETY: both are the structure that CLAP's headers define, and the entry is this program's own.
    let entry = unsafe { &*(&raw const continuo::plugin::clap::clap_entry).cast::<EntryDescriptor>() };
    // SAFETY: the framework's functions and ours keep to the CLAP headers.
    unsafe { Plugin::linked(entry) }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn timed<T>(work: impl FnOnce() -> Result<T>) -> Result<(T, f64)> {
    let start = Instant::now();
    let done = work()?;
    Ok((done, milliseconds(start.elapsed())))
}

/// The median and the largest.
fn figures(mut times: Vec<f64>) -> (f64, f64) {
    times.sort_by(f64::total_cmp);
    (times[times.len() / 2], times[times.len() - 1])
}

/// Saves into memory that is there already, and says how long that took.
fn save(plugin: &mut Plugin, target: &mut Vec<u8>) -> Result<f64> {
    target.clear();
    let (saved, time) = timed(|| plugin.save_to(&mut *target))?;
    ensure!(saved, "the plugin cannot save");
    Ok(time)
}

fn measure(name: &str, state: &[u8], pack_ms: Option<f64>) -> Result<()> {
    let (mut document, session) = parse(state)?;
    let packed = session.take.clone().context("the state has a take")?;
    let values: u64 = packed.variations.iter().map(|sound| sound.frames * u64::from(sound.channels)).sum();
    let seconds = values as f64 / f64::from(packed.variations[0].rate_hz);

    let mut plugin = instance()?;
    let (restored, restore_ms) = timed(|| plugin.restore(state))?;
    ensure!(restored, "the plugin refuses its own state");
    let mut target = Vec::with_capacity(2 * state.len() + (1 << 20));
    let first = save(&mut plugin, &mut target)?;
    let times = (0..SAVES).map(|_| save(&mut plugin, &mut target)).collect::<Result<Vec<_>>>()?;
    let (median, most) = figures(times);
    let own = (0..SAVES).map(|_| Ok(timed(|| plugin.save_to(std::io::sink()))?.1)).collect::<Result<_>>()?;
    let (own, _) = figures(own);
    ensure!(parse(&target)?.1.take == session.take, "the take has changed");

    let mut sizes = 0;
    let plain_times = (0..5).map(|_| {
        let (bytes, time) = timed(|| plain(&mut document, &session))?;
        sizes = bytes.len();
        Ok(time)
    });
    let (plain_median, _) = figures(plain_times.collect::<Result<_>>()?);
    println!(
        "| {name} | {:.2} | {:.1} | {:.2} | {} | {restore_ms:.0} | {first:.1} | {median:.2}, {most:.2} | {own:.2} | {:.2} | {plain_median:.0} |",
        8.0 * packed.bytes() as f64 / values as f64,
        target.len() as f64 / seconds / 1e3,
        target.len() as f64 / 1e6,
        pack_ms.map_or_else(|| "–".to_owned(), |time| format!("{time:.0}")),
        sizes as f64 / 1e6,
    );
    Ok(())
}

/// The state of an instance that was given a take.
fn state_of(take: &Take) -> Result<(Vec<u8>, f64)> {
    let ((packed, failure), pack_ms) = timed(|| Ok(pack(take, u64::MAX, None)))?;
    ensure!(failure.is_none(), "packed with {failure:?}");
    let session = SavedSession { take: Some(Arc::new(packed)), ..SavedSession::default() };
    Ok((plain(&mut json!({"state_version": 2, "params": {}, "fields": {}}), &session)?, pack_ms))
}

/// Has the factory model render, saves meanwhile, and gives the state after that.
fn rendered() -> Result<Vec<u8>> {
    let mut plugin = instance()?;
    plugin.set_offline()?;
    let values = [("length", SECONDS.to_string()), ("takes", TAKES.to_string()), ("render", "on".to_owned())];
    let values: Vec<_> = values.iter().map(|(id, text)| plugin.value(id, text)).collect::<Result<_>>()?;
    // A take before it, so that there is something to save.
    let (state, _) = state_of(&tones())?;
    ensure!(plugin.restore(&state)?, "the plugin refuses its own state");
    plugin.play(
        Setup { sample_rate_hz: 48_000, block: 512 },
        |_| {},
        |deck| {
            for value in values {
                deck.set(0, value);
            }
            deck.run(512).map(drop)
        },
    )?;
    let mut target = Vec::with_capacity(32 << 20);
    let (mut times, mut seen) = (Vec::new(), Vec::new());
    let begun = Instant::now();
    loop {
        times.push(save(&mut plugin, &mut target)?);
        // Reading a state takes the processor away from the render, so it is read when it is another one.
        if target != seen {
            if parse(&target)?.1.take.is_some_and(|take| take.recipe.model_name != "none") {
                break;
            }
            seen.clone_from(&target);
        }
        ensure!(begun.elapsed() < Duration::from_mins(10), "the render does not end");
        std::thread::sleep(Duration::from_millis(10));
    }
    let count = times.len();
    // The first makes what is kept, the last has another take.
    let (median, most) = figures(times[1..count - 1].to_vec());
    println!(
        "\n{count} saves in {:.1} s of rendering: {median:.2} ms, {most:.2} ms at most\n",
        begun.elapsed().as_secs_f64()
    );
    Ok(target)
}

fn main() -> Result<()> {
    let filter = std::env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
    let wanted = |name: &str| name.contains(&filter);
    let heads = [
        "sound",
        "bits per value",
        "KB per second of audio",
        "state, MB",
        "packing, ms",
        "opening, ms",
        "first save, ms",
        "a save, median and most of 1 000, ms",
        "without the host's copy, ms",
        "plain state, MB",
        "plain save, ms",
    ];
    let table = || println!("| {} |\n|{}", heads.join(" | "), "---|".repeat(heads.len()));
    println!("{TAKES} takes of {SECONDS} s at {RATE_HZ} Hz\n");
    table();
    for (name, make) in [("noise", white as fn() -> Take), ("tones", tones)] {
        if wanted(name) {
            let (state, pack_ms) = state_of(&make())?;
            measure(name, &state, Some(pack_ms))?;
        }
    }
    if wanted("model") && std::env::var_os("CONTINUO_RESOURCES").is_some() {
        let state = rendered()?;
        table();
        measure("model", &state, None)?;
    }
    Ok(())
}
