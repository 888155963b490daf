//! `process()` under an allocator that fails, through the plugin's CLAP entry.
//!
//! The plugin is linked into this program, so that its allocations meet this program's allocator.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::float_cmp, clippy::ignored_unit_patterns)]

mod common;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[path = "common/syscalls.rs"]
mod syscalls;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use continuo::session::{Command, Repeat, Sound};

use common::host::{ClapId, Deck, EntryDescriptor, NoteExpressionType, Plugin, Setup, number_of};

/// Counts what a watched thread allocates or frees, and refuses it the memory.
struct Watchful;

thread_local! {
    static WATCHED: Cell<bool> = const { Cell::new(false) };
    static CAUGHT: Cell<usize> = const { Cell::new(0) };
}

/// Allocations and frees on watched threads of the whole program.
static CAUGHT_IN_ALL: AtomicUsize = AtomicUsize::new(0);

fn note() -> bool {
    let watched = WATCHED.try_with(Cell::get).unwrap_or(false);
    if watched {
        CAUGHT.with(|caught| caught.set(caught.get() + 1));
        CAUGHT_IN_ALL.fetch_add(1, Ordering::Relaxed);
    }
    watched
}

// SAFETY: everything goes to the system's allocator, except that a watched thread gets null, which an allocator may give
// at any time.
unsafe impl GlobalAlloc for Watchful {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if note() {
            return std::ptr::null_mut();
        }
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
static ALLOCATOR: Watchful = Watchful;

/// Runs `work` on this thread without memory; what it took or gave back is counted.
fn watched<T>(work: impl FnOnce() -> T) -> (T, usize) {
    CAUGHT.with(|caught| caught.set(0));
    WATCHED.with(|watched| watched.set(true));
    let result = work();
    WATCHED.with(|watched| watched.set(false));
    (result, CAUGHT.with(Cell::get))
}

#[test]
fn the_allocator_catches_an_allocation_and_a_free() {
    let ((), caught) = watched(|| {
        let mut vector: Vec<u8> = Vec::new();
        assert!(vector.try_reserve_exact(100).is_err());
    });
    assert_eq!(caught, 1);
    let boxed = Box::new([0_u8; 100]);
    let ((), caught) = watched(|| drop(boxed));
    assert_eq!(caught, 1);
    let ((), caught) = watched(|| {
        std::hint::black_box([0_u8; 100]);
    });
    assert_eq!(caught, 0);
}

/// An instance of the plugin that is linked into this program.
fn instance() -> Plugin {
    // SAFETY: the entry is this program's own, made by the framework's export macro.
    unsafe { Plugin::linked(entry_of_this_program()) }.unwrap()
}

/// Runs a block without memory; gives the loudest sample and what was taken or given back.
fn watched_block(deck: &mut Deck, frames: usize) -> (f32, usize) {
    let mut caught = 0;
    let channels = deck.run_within(frames as u32, |process| caught = watched(process).1).unwrap();
    (channels.into_iter().flatten().fold(0.0, |high, value| high.max(value.abs())), caught)
}

fn parameter(id: &str) -> ClapId {
    ClapId::new(number_of(id))
}

/// Powers of two and odd sizes up to 4096.
const THOROUGH: [usize; 24] =
    [1, 2, 3, 4, 7, 8, 13, 16, 31, 32, 63, 64, 100, 127, 128, 255, 256, 441, 512, 1_000, 1_024, 2_047, 2_048, 4_096];

/// All that keys do besides notes: pitch, pedal, wheel, envelope, more notes than voices, one voice, single notes' own ways.
fn play_keys(deck: &mut Deck, frames: u32, step: u16) {
    let (middle, last) = (frames / 2, frames - 1);
    let switch = |on: bool| f64::from(u8::from(on));
    for (id, value) in [
        ("key_tracking", switch(step % 4 != 3)),
        ("root_key", f64::from(36 + step)),
        ("bend_range", f64::from(step % 25)),
        ("attack", f64::from(step % 3) / 10.0),
        ("sustain", f64::from(step % 5) / 4.0),
        ("release", f64::from(step % 7) / 10.0),
        ("velocity_curve", f64::from(step % 3) / 2.0),
        ("start_offset", f64::from(step % 2) / 20.0),
        ("voices", f64::from(15 - step % 16)),
        ("mono", switch(step % 8 >= 6)),
        ("controllers", switch(step % 20 != 19)),
        ("key_limiter", switch(step % 6 != 4)),
    ] {
        deck.set(0, (parameter(id), value));
    }
    let key = 40 + step % 30;
    if step % 5 == 2 {
        for more in 0..20 {
            deck.note_on(middle, 30 + 3 * more, 1.0);
        }
    }
    deck.midi(middle, [0xe0, 0, (step % 128) as u8]);
    deck.midi(middle, [0xb0, 64, if step % 4 < 2 { 127 } else { 0 }]);
    if step % 10 == 9 {
        deck.midi(last, [0xb0, 121, 0]);
    }
    deck.express(middle, key, NoteExpressionType::Tuning, f64::from(step) / 3.0 - 5.0);
    deck.express(middle, key, NoteExpressionType::Volume, f64::from(step % 4));
    deck.express(last, key, NoteExpressionType::Pan, f64::from(step % 5) / 4.0);
}

/// A take that is placed in the song again and again.
fn placed_state() -> (std::sync::Arc<common::Bundle>, Vec<u8>) {
    let (bundle, state) = common::finished_state();
    let repeats = [Repeat::Once, Repeat::Times(2), Repeat::UntilNext];
    let place = |at: u32| {
        let bars = at.is_multiple_of(2).then_some(1);
        common::placement(&state, at as usize % 2, f64::from(at) / 3.0, bars, repeats[at as usize % 3])
    };
    let placed = common::place(&state, &(0..40).map(place).collect::<Vec<_>>());
    (bundle, placed)
}

#[test]
fn process_takes_and_frees_no_memory_at_any_block_size() {
    let (_bundle, state) = placed_state();
    let mut plugin = instance();
    let mut deck = plugin.start(Setup { sample_rate_hz: 48_000, block: 4_096 }).unwrap();
    deck.feed(|_| 0.25);
    let mut heard = 0.0_f32;
    let (mut caught, mut blocks) = (0, 0);
    // Every size there is, and some of them through all that can happen.
    for frames in 1..=4_096 {
        let steps = if THOROUGH.contains(&frames) { 40 } else { 4 };
        if steps == 40 || frames % 512 == 0 {
            // New takes come in while the plugin runs: what they replace must leave this thread alive.
            assert!(plugin.restore(&state).unwrap());
        }
        for step in (0..40_i64).step_by(40 / steps) {
            let mut set = |id: &str, value: f64| deck.set(0, (parameter(id), value));
            // Everything that a host can turn while audio runs: playback, variation, seed clip, gain, capture, pin.
            set("playback", f64::from(u8::from(step >= 20)));
            set("take", if step % 3 == 0 { 0.0 } else { 1.0 });
            set("play_seed", f64::from(u8::from(step % 5 != 0)));
            set("gain", f64::from(step as u8 % 4) / 4.0);
            set("capture", f64::from(u8::from(step % 7 > 3)));
            set("capture_loop", f64::from(u8::from(step % 5 > 2)));
            set("start", if step % 11 == 10 { 0.001 } else { 0.0 });
            set("at_end", f64::from(step as u8 % 4));
            set("loop_bars", f64::from(u8::from(step % 3 == 1)));
            set("loop_crossfade", f64::from(step as u8 % 5) / 4.0);
            set("tempo_mode", f64::from(u8::from(step % 4 >= 2)));
            set("level_match", f64::from(u8::from(step % 13 != 12)));
            set("arrangement", f64::from(u8::from(step % 4 < 2)));
            set("arrangement_crossfade", f64::from(step as u8 % 3) / 4.0);
            if step % 2 == 0 {
                let key = 40 + (step % 30) as u16;
                deck.note_on((frames / 2) as u32, key, 0.8);
                deck.note_off((frames - 1) as u32, key - 1);
            }
            if step % 6 == 5 {
                // The same key again, and a panic.
                deck.note_on(0, 40, 0.8);
                deck.note_on((frames - 1) as u32, 40, 0.8);
                deck.midi((frames / 2) as u32, [0xb0, if step % 4 == 1 { 120 } else { 123 }, 0]);
            }
            play_keys(&mut deck, frames as u32, step as u16);
            // A loop, a stop and a pre-roll besides plain running.
            deck.position = if step % 9 == 8 { -100 } else { 10_000 + step * frames as i64 };
            deck.playing = step % 10 != 9;
            deck.tempo = if step % 8 < 5 { 120.0 } else { 180.0 };
            let (loudest, count) = watched_block(&mut deck, frames);
            caught += count;
            blocks += 1;
            assert_eq!(count, 0, "blocks of {frames}, step {step}");
            heard = heard.max(loudest);
        }
    }
    assert_eq!((caught, blocks), (0, 4_096 * 4 + THOROUGH.len() * 36));
    assert!(heard > 0.1, "the takes were never heard");
    plugin.stop(deck);
}

#[test]
fn a_take_is_heard_without_the_hosts_transport_and_takes_no_memory() {
    let (_bundle, state) = common::finished_state();
    let mut plugin = instance();
    let params = continuo::plugin::newest_params().unwrap();
    let session = &params.session;
    let mut deck = plugin.start(Setup { sample_rate_hz: 48_000, block: 256 }).unwrap();
    assert!(plugin.restore(&state).unwrap());
    deck.playing = false;
    let run = |deck: &mut Deck, until: &dyn Fn(f32) -> bool| {
        for _ in 0..30_000 {
            let (loudest, caught) = watched_block(deck, 256);
            assert_eq!(caught, 0);
            if until(loudest) {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        panic!("it does not come");
    };
    for round in 0..20 {
        let sound = Sound::Take { variation: round % 2 };
        session.send(Command::Listen { sound: sound.clone(), from_seconds: 0.0 });
        run(&mut deck, &|loudest| loudest > 0.0);
        let (heard, seconds) = session.heard().unwrap();
        assert!(heard == sound && seconds < 2.0, "{heard:?} at {seconds} s");
        if round % 3 == 0 {
            // From elsewhere, while it plays.
            session.send(Command::Listen { sound, from_seconds: 0.02 });
            run(&mut deck, &|_| session.heard().is_some_and(|(_, seconds)| seconds > 0.02));
        }
        session.send(Command::StopListening);
        run(&mut deck, &|loudest| loudest == 0.0 && session.heard().is_none());
        // The take that plays is replaced meanwhile.
        assert!(plugin.restore(&state).unwrap());
    }
    for _ in 0..50 {
        assert_eq!(watched_block(&mut deck, 256), (0.0, 0), "nothing but what is asked for sounds");
    }
    plugin.stop(deck);
}

#[test]
fn a_bounce_is_the_same_whatever_is_played_to_the_user() {
    let (_bundle, state) = common::finished_state();
    let bounce = |listens: bool| {
        let mut plugin = instance();
        let params = continuo::plugin::newest_params().unwrap();
        assert!(plugin.restore(&state).unwrap());
        plugin.set_offline().unwrap();
        let mut deck = plugin.start(Setup { sample_rate_hz: 48_000, block: 256 }).unwrap();
        let mut heard: Vec<Vec<f32>> = vec![Vec::new(); 2];
        for block in 0..100 {
            if listens {
                let sound = Sound::Take { variation: 1 };
                params.session.send(Command::Listen { sound, from_seconds: 0.01 });
                std::thread::sleep(std::time::Duration::from_millis(2));
            }
            (deck.playing, deck.position) = (true, block * 256);
            let channels = deck.run_within(256, |process| process()).unwrap();
            heard.iter_mut().zip(channels).for_each(|(all, channel)| all.extend(channel));
            assert_eq!(params.session.heard(), None);
        }
        plugin.stop(deck);
        heard
    };
    let alone = bounce(false);
    assert!(alone[0].iter().any(|value| *value != 0.0));
    assert!(bounce(true) == alone, "it is in the bounce");
}

#[test]
fn asking_for_a_render_takes_no_memory_either() {
    let mut plugin = instance();
    let mut deck = plugin.start(Setup { sample_rate_hz: 48_000, block: 64 }).unwrap();
    deck.playing = true;
    for step in 0..100_u32 {
        for (id, on) in [("render", step % 4 == 1), ("cancel", step % 4 == 3)] {
            deck.set(0, (parameter(id), f64::from(u8::from(on))));
        }
        assert_eq!(watched_block(&mut deck, 64).1, 0, "step {step}");
    }
    plugin.stop(deck);
}

/// A lock that somebody else holds, a wait, a log, a file: all of them are system calls.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[test]
fn process_makes_no_system_call() {
    let (_bundle, state) = placed_state();
    // SAFETY: it only asks.
    let (_, control) = syscalls::watched(|| unsafe { libc::syscall(libc::SYS_getppid) });
    if control == syscalls::Asked::Unknown {
        eprintln!("this kernel does not give system calls back: not checked");
        return;
    }
    assert_eq!(control, syscalls::Asked::Call(libc::SYS_getppid as i32));
    let mut plugin = instance();
    let mut deck = plugin.start(Setup { sample_rate_hz: 48_000, block: 256 }).unwrap();
    deck.feed(|_| 0.25);
    for round in 0..20 {
        assert!(plugin.restore(&state).unwrap());
        for step in 0..40_u16 {
            let switch = |on: bool| f64::from(u8::from(on));
            deck.set(0, (parameter("playback"), switch(round % 2 == 1)));
            deck.set(0, (parameter("arrangement"), switch(step % 3 != 2)));
            deck.set(0, (parameter("capture"), switch(step % 7 > 3)));
            deck.set(0, (parameter("render"), switch(step % 20 == 1)));
            deck.set(0, (parameter("cancel"), switch(step % 20 == 3)));
            deck.note_on(128, 40 + step, 0.8);
            play_keys(&mut deck, 256, step);
            deck.playing = step % 10 != 9;
            let mut asked = syscalls::Asked::Unknown;
            deck.run_within(256, |process| asked = syscalls::watched(process).1).unwrap();
            assert_eq!(asked, syscalls::Asked::Nothing, "round {round}, step {step}");
        }
    }
    plugin.stop(deck);
}

/// The CLAP entry of the library that is linked in.
fn entry_of_this_program() -> &'static EntryDescriptor {
    static FOUND: Mutex<Option<&'static EntryDescriptor>> = Mutex::new(None);
    FOUND.lock().unwrap().get_or_insert_with(|| {
        // SAFETY: `clap_entry` is a plain, static, `repr(C)` descriptor; both crates name the same C type.
        unsafe { &*(&raw const continuo::plugin::clap::clap_entry).cast() }
    })
}
