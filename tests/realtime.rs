//! `process()` under an allocator that fails, through the framework's own CLAP entry.
//!
//! The plugin is linked into this program, so that its allocations meet this program's allocator.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::float_cmp, clippy::ignored_unit_patterns)]

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use clack_host::events::EventFlags;
use clack_host::events::event_types::{
    MidiEvent, NoteOffEvent, NoteOnEvent, ParamValueEvent, TransportEvent, TransportFlags,
};
use clack_host::prelude::*;
use clack_host::utils::{BeatTime, SecondsTime};
use common::host::number_of;

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

struct Studio;
struct Shared;
impl SharedHandler<'_> for Shared {
    fn request_restart(&self) {}
    fn request_process(&self) {}
    fn request_callback(&self) {}
}
impl HostHandlers for Studio {
    type Shared<'a> = Shared;
    type MainThread<'a> = ();
    type AudioProcessor<'a> = ();
}

fn transport(position: i64, playing: bool) -> TransportEvent {
    let seconds = position as f64 / 48_000.0;
    let mut flags =
        TransportFlags::HAS_TEMPO | TransportFlags::HAS_BEATS_TIMELINE | TransportFlags::HAS_SECONDS_TIMELINE;
    flags.set(TransportFlags::IS_PLAYING, playing);
    TransportEvent {
        header: EventHeader::new_core(0, EventFlags::empty()),
        flags,
        song_pos_beats: BeatTime::from_float(seconds * 2.0),
        song_pos_seconds: SecondsTime::from_float(seconds),
        tempo: 120.0,
        tempo_inc: 0.0,
        loop_start_beats: BeatTime::from_int(0),
        loop_end_beats: BeatTime::from_int(0),
        loop_start_seconds: SecondsTime::from_int(0),
        loop_end_seconds: SecondsTime::from_int(0),
        bar_start: BeatTime::from_int(0),
        bar_number: 0,
        time_signature_numerator: 4,
        time_signature_denominator: 4,
    }
}

/// Powers of two and odd sizes up to 4096.
const THOROUGH: [usize; 24] =
    [1, 2, 3, 4, 7, 8, 13, 16, 31, 32, 63, 64, 100, 127, 128, 255, 256, 441, 512, 1_000, 1_024, 2_047, 2_048, 4_096];

#[test]
fn process_takes_and_frees_no_memory_at_any_block_size() {
    let (_bundle, state) = common::finished_state();
    // SAFETY: the descriptor is this program's own, made by the framework's export macro.
    let entry = unsafe { PluginEntry::load_from_raw(entry_of_this_program(), c"/") }.unwrap();
    let host = HostInfo::new("test", "test", "", "0").unwrap();
    let id = c"org.continuo.continuo";
    let mut instance = PluginInstance::<Studio>::new(|()| Shared, |_| (), &entry, id, &host).unwrap();
    let saves = instance.plugin_handle().get_extension::<clack_extensions::state::PluginState>().unwrap();
    let configuration =
        PluginAudioConfiguration { sample_rate: 48_000.0, min_frames_count: 1, max_frames_count: 4_096 };
    let mut processor = Some(instance.activate(|_, _| (), configuration).unwrap().start_processing().unwrap());

    let mut audio = [vec![0.0_f32; 4_096], vec![0.0; 4_096]];
    let mut side = [vec![0.25_f32; 4_096], vec![0.25; 4_096]];
    let mut inputs = AudioPorts::with_capacity(2, 1);
    let mut outputs = AudioPorts::with_capacity(2, 1);
    let mut replies = EventBuffer::with_capacity(1_024);
    let parameter = |id: &str| ClapId::from_raw(number_of(id)).unwrap();
    let mut heard = 0.0_f32;
    let (mut caught, mut blocks) = (0, 0);
    // Every size there is, and some of them through all that can happen.
    for frames in 1..=4_096 {
        let steps = if THOROUGH.contains(&frames) { 40 } else { 4 };
        if steps == 40 || frames % 512 == 0 {
            // New takes come in while the plugin runs: what they replace must leave this thread alive.
            saves.load(&instance.plugin_handle(), &mut { state.as_slice() }).unwrap();
        }
        for step in (0..40_i64).step_by(40 / steps) {
            let mut events = EventBuffer::with_capacity(64);
            let mut set = |at: usize, id: &str, value: f64| {
                events.push(&ParamValueEvent::new(at.min(frames - 1) as u32, parameter(id), Pckn::match_all(), value));
            };
            // Everything that a host can turn while audio runs: playback, alternative, seed clip, gain, capture, pin.
            set(0, "playback", f64::from(u8::from(step >= 20)));
            set(0, "take", if step % 3 == 0 { 0.0 } else { 1.0 });
            set(0, "play_seed", f64::from(u8::from(step % 5 != 0)));
            set(0, "gain", f64::from(step as u8 % 4) / 4.0);
            set(0, "capture", f64::from(u8::from(step % 7 > 3)));
            set(0, "start", if step % 11 == 10 { 0.001 } else { 0.0 });
            if step % 2 == 0 {
                let key = 40 + (step % 30) as u16;
                events.push(&NoteOnEvent::new((frames / 2) as u32, Pckn::new(0_u16, 0_u16, key, 1_u32), 0.8));
                events.push(&NoteOffEvent::new((frames - 1) as u32, Pckn::new(0_u16, 0_u16, key - 1, 1_u32), 0.0));
            }
            if step % 6 == 5 {
                // The same key again, and a panic.
                events.push(&NoteOnEvent::new(0, Pckn::new(0_u16, 0_u16, 40_u16, 2_u32), 0.8));
                events.push(&NoteOnEvent::new((frames - 1) as u32, Pckn::new(0_u16, 0_u16, 40_u16, 3_u32), 0.8));
                let controller = if step % 4 == 1 { 120 } else { 123 };
                events.push(&MidiEvent::new((frames / 2) as u32, 0, [0xb0, controller, 0]));
            }
            events.sort();
            // A loop, a stop and a pre-roll besides plain running.
            let position = if step % 9 == 8 { -100 } else { 10_000 + step * frames as i64 };
            let transport = transport(position, step % 10 != 9);
            let side = inputs.with_input_buffers([AudioPortBuffer {
                latency: 0,
                channels: AudioPortBufferType::f32_input_only(
                    side.iter_mut().map(|channel| InputChannel::variable(&mut channel[..frames])),
                ),
            }]);
            let mut out = outputs.with_output_buffers([AudioPortBuffer {
                latency: 0,
                channels: AudioPortBufferType::f32_output_only(audio.iter_mut().map(|channel| &mut channel[..frames])),
            }]);
            let running = processor.as_mut().unwrap();
            let (status, count) = watched(|| {
                running.process(&side, &mut out, &events.as_input(), &mut replies.as_output(), None, Some(&transport))
            });
            status.unwrap();
            replies.clear();
            caught += count;
            blocks += 1;
            assert_eq!(count, 0, "blocks of {frames}, step {step}");
            heard =
                audio.iter().flat_map(|channel| &channel[..frames]).fold(heard, |high, value| high.max(value.abs()));
        }
    }
    assert_eq!((caught, blocks), (0, 4_096 * 4 + THOROUGH.len() * 36));
    assert!(heard > 0.1, "the takes were never heard");
    instance.deactivate(processor.take().unwrap().stop_processing());
}

#[test]
fn asking_for_a_render_takes_no_memory_either() {
    // SAFETY: as above.
    let entry = unsafe { PluginEntry::load_from_raw(entry_of_this_program(), c"/") }.unwrap();
    let host = HostInfo::new("test", "test", "", "0").unwrap();
    let mut instance =
        PluginInstance::<Studio>::new(|()| Shared, |_| (), &entry, c"org.continuo.continuo", &host).unwrap();
    let configuration = PluginAudioConfiguration { sample_rate: 48_000.0, min_frames_count: 1, max_frames_count: 64 };
    let mut processor = instance.activate(|_, _| (), configuration).unwrap().start_processing().unwrap();
    let mut audio = [[0.0_f32; 64]; 2];
    let mut side = [[0.0_f32; 64]; 2];
    let mut inputs = AudioPorts::with_capacity(2, 1);
    let mut outputs = AudioPorts::with_capacity(2, 1);
    let mut replies = EventBuffer::with_capacity(16);
    for step in 0..100_u32 {
        let mut events = EventBuffer::with_capacity(4);
        for (id, on) in [("render", step % 4 == 1), ("cancel", step % 4 == 3)] {
            let parameter = ClapId::from_raw(number_of(id)).unwrap();
            events.push(&ParamValueEvent::new(0, parameter, Pckn::match_all(), f64::from(u8::from(on))));
        }
        let transport = transport(i64::from(step) * 64, true);
        let side = inputs.with_input_buffers([AudioPortBuffer {
            latency: 0,
            channels: AudioPortBufferType::f32_input_only(
                side.iter_mut().map(|channel| InputChannel::variable(channel.as_mut_slice())),
            ),
        }]);
        let mut out = outputs.with_output_buffers([AudioPortBuffer {
            latency: 0,
            channels: AudioPortBufferType::f32_output_only(audio.iter_mut().map(<[f32; 64]>::as_mut_slice)),
        }]);
        let (status, count) = watched(|| {
            processor.process(&side, &mut out, &events.as_input(), &mut replies.as_output(), None, Some(&transport))
        });
        status.unwrap();
        assert_eq!(count, 0, "step {step}");
    }
    instance.deactivate(processor.stop_processing());
}

/// The CLAP entry that the export macro made.
fn entry_of_this_program() -> &'static clack_host::entry::EntryDescriptor {
    static FOUND: Mutex<Option<&'static clack_host::entry::EntryDescriptor>> = Mutex::new(None);
    FOUND.lock().unwrap().get_or_insert_with(|| {
        // SAFETY: `clap_entry` is a plain, static, `repr(C)` descriptor; both crates name the same C type.
        unsafe { &*(&raw const continuo::clap_entry).cast() }
    })
}
