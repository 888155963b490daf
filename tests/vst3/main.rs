//! The built plugin through its VST3 entry: what an offline host hears, what a real-time host is spared, what is saved.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::float_cmp, clippy::ignored_unit_patterns)]

mod changes;
#[path = "../common/mod.rs"]
mod common;
mod controllers;
mod host;
mod shipped;
mod stream;
// The bundler's own, which needs nothing of it.
#[path = "../../bundler/src/vstpreset.rs"]
mod vstpreset;

use nice_plug::wrapper::vst3::vst3::Steinberg::Vst::ProcessModes_::{kOffline, kRealtime};
use nice_plug::wrapper::vst3::vst3::Steinberg::{kResultFalse, kResultOk};

use host::{BLOCK, Instance};
use stream::Stream;

#[test]
fn an_offline_block_waits_for_its_frames_whatever_mode_was_set_up() {
    let bundle = common::Bundle::new();
    // The framework would report "real time" here: the mode before the last one.
    let instance = Instance::new(&bundle, &[kRealtime, kOffline], &[("rng_seed", 0.25), ("render", 1.0)]);
    let blocks = 24_000 / BLOCK + 150;
    let growing = instance.play(kOffline, blocks);
    instance.block(kOffline, 0, false);
    let finished = instance.play(kOffline, blocks);
    assert!(common::bits(&growing) == common::bits(&finished));
    assert!(finished[30_000..].iter().any(|frame| frame[0] != 0.0), "no continuation was heard");
}

#[test]
fn a_real_time_block_never_waits_whatever_mode_was_set_up() {
    let bundle = common::Bundle::new();
    // The framework would report "offline" here.
    let values = [("length", 1.0), ("takes", 1.0), ("render", 1.0)];
    let instance = Instance::new(&bundle, &[kOffline, kRealtime], &values);
    // Two minutes in: a block that waited would bring sound, after a long time.
    for block in 0..100 {
        let heard = instance.block(kRealtime, 48_000 * 100 + block * BLOCK, true);
        assert!(heard.iter().flatten().all(|value| *value == 0.0));
    }
}

/// The session in a state.
fn saved(state: &[u8]) -> continuo::session::SavedSession {
    common::saved(&[&[0; 8], state].concat())
}

#[test]
fn a_state_is_read_to_its_end_in_whatever_pieces_it_comes() {
    let bundle = common::Bundle::new();
    let golden = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/states/1b/inline.state")).unwrap();
    // In a CLAP stream, the length comes first.
    let golden = &golden[8..];
    let take = saved(golden).take;
    assert!(take.is_some());
    for piece in [1, 23, 4096, usize::MAX] {
        for seeks in [true, false] {
            let instance = Instance::new(&bundle, &[kRealtime], &[]);
            assert!(instance.restore(Stream { seeks, ..Stream::new(golden, piece) }));
            let (saved_well, state) = instance.save(Stream { seeks, ..Stream::new(&[], piece) });
            assert!(saved_well && saved(&state).take == take, "{piece} bytes per call");
            // What follows the place from which a host has it read is all there is; what is before it is the host's.
            let stream = Stream::new(&[b"host's own", state.as_slice()].concat(), piece);
            stream.inner.lock().unwrap().position = 10;
            assert!(instance.restore(stream));
            assert_eq!(saved(&instance.save(Stream::new(&[], piece)).1).take, take);
        }
    }
}

#[test]
fn a_full_disk_is_no_saved_project_and_half_a_state_is_none() {
    let bundle = common::Bundle::new();
    let golden = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/states/1b/inline.state")).unwrap();
    let golden = &golden[8..];
    let instance = Instance::new(&bundle, &[kRealtime], &[]);
    for fails_at in [0, 1, golden.len() / 2] {
        assert!(instance.restore(Stream::new(golden, 4096)));
        // A host may also say that all is well and count nothing.
        for failure in [kResultFalse, kResultOk] {
            let (saved_well, _) = instance.save(Stream { fails_at, failure, ..Stream::new(&[], 23) });
            assert!(!saved_well, "{fails_at} of {} bytes", golden.len());
        }
        for seeks in [true, false] {
            assert!(instance.restore(Stream::new(golden, 4096)));
            assert!(!instance.restore(Stream { fails_at, seeks, ..Stream::new(golden, 23) }));
            let (saved_well, again) = instance.save(Stream::new(&[], 4096));
            assert!(saved_well);
            if fails_at == 0 {
                assert_eq!(saved(&again).take, None, "the take of before is still there");
            } else {
                assert!(again == golden[..fails_at], "what came is saved again as it came");
            }
        }
    }
    assert!(instance.restore(Stream::new(golden, 4096)));
    assert!(saved(&instance.save(Stream::new(&[], 4096)).1).take.is_some());
}
