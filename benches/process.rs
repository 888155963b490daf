//! How long `process()` takes at 64 frames with sixteen transposed voices, while nothing else runs and while a render saturates every core.
//! `cargo xtask bench process`.
//!
//! Blocks come as an audio device asks for them. Beside the time by the clock, in which the system may do something else, stands the thread's
//! own processor time. Memory is taken from an allocator that counts what this thread takes or frees, and Linux gives this thread's system
//! calls back to it (`tests/common/syscalls.rs`); both are tried out first.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[path = "../tests/common/syscalls.rs"]
mod syscalls;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use continuo::params::ContinuoParams;
use continuo::plugin::newest_params;
use continuo::session::{Command, Preferences, SavedSession, Status};
use continuo::take::pack::pack;
use continuo::take::{Recipe, Take};
use continuo_engine::audio::Clip;
use continuo_testhost::{ClapId, Deck, EntryDescriptor, Plugin, Setup};
use serde_json::json;

const RATE_HZ: u32 = 48_000;
const BLOCK: u32 = 64;
const VOICES: u16 = 16;
const SECONDS: u32 = 20;
/// All keys are pressed again after so many blocks.
const AGAIN: u32 = 200;
/// Blocks in which twice as many voices sound then: those before fade out.
const FADING: u32 = RATE_HZ / 200 / BLOCK + 1;

/// The system's allocator, and a count of what a watched thread asks of it.
struct Counting;

thread_local! {
    static WATCHED: Cell<bool> = const { Cell::new(false) };
    static CALLS: Cell<u64> = const { Cell::new(0) };
}

fn note() {
    if WATCHED.try_with(Cell::get).unwrap_or(false) {
        CALLS.with(|calls| calls.set(calls.get() + 1));
    }
}

// SAFETY: everything goes to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note();
        // SAFETY: as the caller promises for this method.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        note();
        // SAFETY: as the caller promises for this method; all memory comes from `System`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What `work` took or freed.
fn memory_calls(work: impl FnOnce()) -> u64 {
    CALLS.with(|calls| calls.set(0));
    WATCHED.with(|watched| watched.set(true));
    work();
    WATCHED.with(|watched| watched.set(false));
    CALLS.with(Cell::get)
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn system_call(work: impl FnOnce()) -> Option<u64> {
    match syscalls::watched(work).1 {
        syscalls::Asked::Nothing => Some(0),
        syscalls::Asked::Call(_) => Some(1),
        syscalls::Asked::Unknown => None,
    }
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
fn system_call(work: impl FnOnce()) -> Option<u64> {
    work();
    None
}

/// Both counters count.
fn controls() -> Result<()> {
    ensure!(memory_calls(|| drop(std::hint::black_box(Box::new(1)))) == 2, "the allocator does not count");
    #[cfg(target_os = "linux")]
    {
        // SAFETY: it only asks.
        let asks = system_call(|| assert_ne!(unsafe { libc::syscall(libc::SYS_getppid) }, 0));
        ensure!(asks != Some(0), "system calls are not counted");
    }
    Ok(())
}

/// The thread's processor time.
#[cfg(unix)]
fn own_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: there is room for the answer.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

#[cfg(not(unix))]
fn own_time() -> Duration {
    Duration::ZERO
}

/// As a host's audio thread is, if the system lets us.
#[cfg(unix)]
fn raise_priority() -> bool {
    let priority = libc::sched_param { sched_priority: 50 };
    // SAFETY: the structure is whole, and the thread is this one.
    unsafe { libc::pthread_setschedparam(libc::pthread_self(), libc::SCHED_FIFO, &raw const priority) == 0 }
}

#[cfg(not(unix))]
fn raise_priority() -> bool {
    false
}

fn instance() -> Result<(Plugin, Arc<ContinuoParams>)> {
    // SAFETY: both are the structure that CLAP's headers define, and the entry is this program's own.
    let entry = unsafe { &*(&raw const continuo::plugin::clap::clap_entry).cast::<EntryDescriptor>() };
    // SAFETY: the framework's functions and ours keep to the CLAP headers.
    let plugin = unsafe { Plugin::linked(entry) }?;
    Ok((plugin, newest_params().context("no instance")?))
}

/// A state with a stereo take that lasts as long as a key is held at twice its speed.
fn state() -> Result<Vec<u8>> {
    let frames = 16_000 * 12;
    let tone = |hz: f32| (0..frames).map(|at| 0.2 * (hz * at as f32 / 16_000.0 * 6.283_185_5).sin()).collect();
    let clip = Clip { sample_rate_hz: 16_000, channels: vec![tone(220.0), tone(331.0)] };
    let recipe = Recipe {
        model_name: "none".to_owned(),
        model_rate_hz: 16_000,
        channels: 2,
        variations: 1,
        frames: frames as u64,
        ..Recipe::default()
    };
    let (packed, failure) = pack(&Take { recipe, seed: None, variations: vec![Arc::new(clip)] }, u64::MAX, None);
    ensure!(failure.is_none(), "packed with {failure:?}");
    let session = SavedSession { take: Some(Arc::new(packed)), ..SavedSession::default() };
    let fields = json!({ "session": serde_json::to_string(&session)? });
    let text = json!({ "state_version": 2, "params": {}, "fields": fields }).to_string();
    let packed = zstd::encode_all(text.as_bytes(), 1)?;
    Ok([&(packed.len() as u64).to_le_bytes(), packed.as_slice()].concat())
}

#[derive(Default)]
struct Figures {
    clock: Vec<f64>,
    own: Vec<f64>,
    /// Those of [`Figures::own`] in which the voices before fade out.
    again: Vec<f64>,
    memory: u64,
    calls: Option<u64>,
    late: u64,
    loudest: f32,
}

/// Runs blocks for a while, each when its time has come.
fn play(deck: &mut Deck) -> Result<Figures> {
    let period = Duration::from_secs_f64(f64::from(BLOCK) / f64::from(RATE_HZ));
    let blocks = SECONDS * RATE_HZ / BLOCK;
    let mut figures = Figures { calls: Some(0), ..Figures::default() };
    let mut due = Instant::now();
    for block in 0..blocks {
        if block % AGAIN == 0 {
            for voice in 0..VOICES {
                // Four below the take's own speed, the others above it, the highest at twice it.
                let key = 56 + voice + u16::from(voice >= 4);
                deck.note_off(0, key);
                deck.note_on(1, key, 0.7);
            }
        }
        let (mut clock, mut own, mut memory, mut call) = (0.0, 0.0, 0, None);
        let channels = deck.run_within(BLOCK, |process| {
            let (cpu, since) = (own_time(), Instant::now());
            memory = memory_calls(|| call = system_call(process));
            clock = since.elapsed().as_secs_f64();
            own = own_time().saturating_sub(cpu).as_secs_f64();
        })?;
        let loudest =
            channels.iter().flat_map(|channel| channel.iter()).fold(0.0_f32, |high, value| high.max(value.abs()));
        figures.loudest = figures.loudest.max(loudest);
        figures.clock.push(clock);
        figures.own.push(own);
        if block % AGAIN < FADING {
            figures.again.push(own);
        }
        figures.memory += memory;
        figures.calls = figures.calls.zip(call).map(|(all, one)| all + one);
        due += period;
        let now = Instant::now();
        figures.late += u64::from(now > due);
        std::thread::sleep(due.saturating_duration_since(now));
        due = due.max(now);
    }
    Ok(figures)
}

fn tell(what: &str, figures: Figures, missing: u64) {
    let period = f64::from(BLOCK) / f64::from(RATE_HZ);
    let at = |times: &[f64], part: f64| times[((times.len() - 1) as f64 * part) as usize];
    let row = |times: &mut Vec<f64>| {
        times.sort_by(f64::total_cmp);
        let at = |part: f64| at(times, part);
        let share = |time: f64| format!("{:.1} µs ({:.1} %)", time * 1e6, time / period * 100.0);
        format!("{} | {} | {}", share(at(0.5)), share(at(0.99)), share(at(1.0)))
    };
    let calls = figures.calls.map_or_else(|| "not counted here".to_owned(), |calls| calls.to_string());
    let Figures { mut clock, mut own, mut again, memory, late, .. } = figures;
    println!("| {what} | clock | {} | {memory} | {calls} | {late} | {missing} |", row(&mut clock));
    println!("| | own | {} | | | | |", row(&mut own));
    println!("| | own, all keys pressed again | {} | | | | |", row(&mut again));
    println!(
        "| | of it a voice and frame | {:.1} ns | | | | | | |",
        at(&own, 0.5) * 1e9 / f64::from(u32::from(VOICES) * BLOCK)
    );
}

fn main() -> Result<()> {
    controls()?;
    // The user's own settings of the renderer stay as they are.
    let folder = tempfile::tempdir()?;
    // SAFETY: no other thread runs yet.
    unsafe { std::env::set_var("XDG_DATA_HOME", folder.path()) };
    let (mut plugin, params) = instance()?;
    ensure!(plugin.restore(&state()?)?, "the plugin refuses its state");
    let (mut other, busy) = instance()?;
    let threads = std::thread::available_parallelism()?.get();
    busy.session.send(Command::Prefer(Preferences { threads, ..Preferences::default() }));
    let more = [other.value("length", "120")?, other.value("takes", "16")?];
    other.flush(&more)?;
    let values = [("playback", "MIDI"), ("voices", "16"), ("key_tracking", "on"), ("root_key", "60")];
    let values: Vec<(ClapId, f64)> =
        values.iter().map(|(id, text)| plugin.value(id, text)).collect::<Result<_>>().context("a parameter")?;

    plugin.play(
        Setup { sample_rate_hz: RATE_HZ, block: BLOCK },
        |_| {},
        |deck| {
            let raised = raise_priority();
            println!(
                "Blocks of {BLOCK} frames at {RATE_HZ} Hz ({:.3} ms), {SECONDS} s each, {VOICES} voices; the audio thread {}.\n",
                f64::from(BLOCK) / f64::from(RATE_HZ) * 1e3,
                if raised { "has real-time priority" } else { "has no real-time priority here: the system grants none" }
            );
            for value in values {
                deck.set(0, value);
            }
            deck.run(BLOCK)?;
            println!("| while | time | p50 | p99 | max | allocations and frees | system calls | late blocks | missing frames |");
            println!("|---|---|---|---|---|---|---|---|---|");
            let figures = play(deck)?;
            ensure!(figures.loudest > 0.3, "the voices are not heard: {}", figures.loudest);
            tell("nothing else runs", figures, params.session.missing_frames());

            // The other instance's host asks for more than can be done in the time.
            busy.session.send(Command::Render);
            let since = Instant::now();
            let renders = || matches!(busy.session.snapshot().status, Status::Rendering { progress, .. } if progress > 0.0);
            while !renders() {
                ensure!(since.elapsed() < Duration::from_mins(2), "no render: {:?}", busy.session.snapshot().error);
                std::thread::sleep(Duration::from_millis(20));
            }
            let figures = play(deck)?;
            ensure!(renders(), "the render has ended before the measurement");
            tell("a render saturates every core", figures, params.session.missing_frames());
            busy.session.send(Command::Cancel);
            Ok(())
        },
    )
}
