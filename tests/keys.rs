//! Playing a take from keys in a CLAP host: pitch, pedal, level, old projects, and bounces with automation.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::float_cmp, clippy::ignored_unit_patterns)]

mod common;

use common::host::{ClapId, NoteExpressionType, Plugin, Setup};
use common::{Bundle, bits, finished_state, roll, sound, take};
use serde_json::{Value, json};

/// Something that happens at a frame of a performance.
#[derive(Debug, Clone, Copy)]
enum Act {
    Set((ClapId, f64)),
    On(u16, f64),
    Off(u16),
    Midi([u8; 3]),
    Express(u16, NoteExpressionType, f64),
}

/// Plays `frames` frames from bar 1 on in an offline host, in blocks of `block`, with what happens in them.
fn perform(plugin: &mut Plugin, block: u32, acts: &[(usize, Act)], frames: usize) -> Vec<[f32; 2]> {
    plugin.set_offline().unwrap();
    plugin
        .play(
            Setup { sample_rate_hz: 48_000, block },
            |_| {},
            |deck| {
                deck.playing = true;
                let mut heard = Vec::new();
                while heard.len() < frames {
                    let (start, count) = (heard.len(), (frames - heard.len()).min(block as usize));
                    for (at, act) in acts.iter().filter(|(at, _)| (start..start + count).contains(at)) {
                        let at = (at - start) as u32;
                        match *act {
                            Act::Set(value) => deck.set(at, value),
                            Act::On(key, velocity) => deck.note_on(at, key, velocity),
                            Act::Off(key) => deck.note_off(at, key),
                            Act::Midi(message) => deck.midi(at, message),
                            Act::Express(key, what, value) => deck.express(at, key, what, value),
                        }
                    }
                    heard.extend(roll(deck, count, block)?);
                }
                Ok(heard)
            },
        )
        .unwrap()
}

/// An instance with a finished take that plays it from keys, with all else as in a new instance.
fn instrument() -> (std::sync::Arc<Bundle>, Plugin, Act) {
    let (bundle, state) = finished_state();
    let mut plugin = bundle.load();
    assert!(plugin.restore(&state).unwrap());
    let midi = Act::Set(plugin.value("playback", "MIDI").unwrap());
    (bundle, plugin, midi)
}

/// How often the left channel swings in a second.
fn hz(heard: &[[f32; 2]]) -> f64 {
    let rises: Vec<usize> = (1..heard.len()).filter(|&at| heard[at - 1][0] < 0.0 && heard[at][0] >= 0.0).collect();
    (rises.len() - 1) as f64 * 48_000.0 / (rises[rises.len() - 1] - rises[0]) as f64
}

#[test]
fn keys_wheel_and_a_notes_own_tuning_set_the_pitch_at_every_block_size() {
    // The clip's left channel is a tone of 220 Hz, half a second long.
    let mut first: Option<Vec<[u32; 2]>> = None;
    for block in [32, 100, 1_024] {
        let (_bundle, mut plugin, midi) = instrument();
        let acts = [
            (0, midi),
            (100, Act::On(60, 0.5)),
            (4_900, Act::Off(60)),
            (10_000, Act::On(72, 0.5)),
            (14_800, Act::Off(72)),
            (20_000, Act::On(48, 0.5)),
            (24_800, Act::Off(48)),
            (30_000, Act::Midi([0xe0, 0x7f, 0x7f])),
            (30_000, Act::On(60, 0.5)),
            (34_800, Act::Off(60)),
            (35_000, Act::Midi([0xb0, 121, 0])),
            (40_000, Act::On(60, 0.5)),
            (40_000, Act::Express(60, NoteExpressionType::Tuning, 7.0)),
            (44_800, Act::Off(60)),
        ];
        let heard = perform(&mut plugin, block, &acts, 48_000);
        for (from, semitones) in [(100, 0.0), (10_000, 12.0), (20_000, -12.0), (30_000, 2.0), (40_000, 7.0)] {
            let (found, wanted) = (hz(&heard[from + 300..from + 4_700]), 220.0 * (semitones / 12.0_f64).exp2());
            assert!((found / wanted - 1.0).abs() < 0.01, "{found} Hz for {wanted}, blocks of {block}");
        }
        let heard = bits(&heard);
        assert!(*first.get_or_insert_with(|| heard.clone()) == heard, "blocks of {block}");
    }
}

#[test]
fn midi_of_polyphonic_expression_bends_a_note_and_its_zone_at_every_block_size() {
    // All of it is heard within the clip's half second, which is the tone.
    let mut first: Option<Vec<[u32; 2]>> = None;
    for block in [32, 100, 1_024] {
        let (_bundle, mut plugin, midi) = instrument();
        let data = |at: usize, channel: u8, parameter: u8, value: u8| {
            [[101, 0], [100, parameter], [6, value]]
                .map(|[controller, value]| (at, Act::Midi([0xb0 | channel, controller, value])))
        };
        // A zone of three members; a quarter of a member's 48 semitones; the master's wheel by the user's two, then by twelve.
        let mut acts = vec![(0, midi)];
        acts.extend(data(0, 0, 6, 3));
        acts.extend([
            (100, Act::Midi([0x92, 60, 64])),
            (3_000, Act::Midi([0xe2, 0, 80])),
            (6_000, Act::Midi([0xe0, 0, 0])),
            // Not a word to this note.
            (7_000, Act::Midi([0xe3, 0x7f, 0x7f])),
            (7_000, Act::Midi([0xb4, 123, 0])),
            (12_000, Act::Midi([0xb0, 123, 0])),
        ]);
        acts.extend(data(9_000, 0, 0, 12));
        let heard = perform(&mut plugin, block, &acts, 18_000);
        for (from, semitones) in [(100, 0.0), (3_000, 12.0), (6_000, 10.0), (9_000, 0.0)] {
            let (found, wanted) = (hz(&heard[from + 300..from + 2_700]), 220.0 * (semitones / 12.0_f64).exp2());
            assert!((found / wanted - 1.0).abs() < 0.01, "{found} Hz for {wanted}, blocks of {block}");
        }
        assert!(heard[12_000 + 48_000 / 50 * 3..].iter().flatten().all(|value| *value == 0.0), "blocks of {block}");
        let heard = bits(&heard);
        assert!(*first.get_or_insert_with(|| heard.clone()) == heard, "blocks of {block}");
    }
}

#[test]
fn the_root_key_plays_the_take_itself_and_can_be_moved() {
    let (_, state) = finished_state();
    let [left, _] = sound(&take(&state), 48_000, 0, true);
    for (root, key) in [("C4", 60), ("F#3", 54)] {
        let (_bundle, mut plugin, midi) = instrument();
        let root = Act::Set(plugin.value("root_key", root).unwrap());
        let heard = perform(&mut plugin, 256, &[(0, midi), (0, root), (0, Act::On(key, 1.0))], 20_000);
        assert!((0..20_000).all(|frame| heard[frame][0] == left[frame]), "key {key}");
    }
}

#[test]
fn a_project_from_before_sounds_as_before_whatever_its_tracks_hold() {
    // Two keys, the pedal, the wheel and a host's tuning, of which only the keys were heeded, each at the take's own pitch.
    let golden = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/states/1b/inline.state")).unwrap();
    let mut whole: Value = serde_json::from_slice(&zstd::decode_all(&golden[8..]).unwrap()).unwrap();
    whole["params"] = json!({});
    let packed = zstd::encode_all(whole.to_string().as_bytes(), 1).unwrap();
    let state = [&(packed.len() as u64).to_le_bytes(), packed.as_slice()].concat();
    let [left, right] = sound(&take(&state), 48_000, 0, true);
    let bundle = Bundle::new();
    let mut plugin = bundle.load();
    assert!(plugin.restore(&state).unwrap());
    let midi = Act::Set(plugin.value("playback", "MIDI").unwrap());
    let acts = [
        (0, midi),
        (0, Act::On(40, 1.0)),
        (1_000, Act::On(90, 0.5)),
        (2_000, Act::Midi([0xb0, 64, 127])),
        (3_000, Act::Midi([0xe0, 0, 0])),
        (3_000, Act::Express(40, NoteExpressionType::Tuning, 3.0)),
        (8_000, Act::Off(40)),
        (8_000, Act::Off(90)),
    ];
    let heard = perform(&mut plugin, 333, &acts, 12_000);
    for frame in 0..8_000 {
        for (side, sound) in [&left, &right].into_iter().enumerate() {
            let second = if frame < 1_000 { 0.0 } else { sound[frame - 1_000] * 0.5 };
            assert_eq!(heard[frame][side], sound[frame] + second, "frame {frame}");
        }
    }
    assert!(heard[8_000 + 48_000 / 50 * 3..].iter().flatten().all(|value| *value == 0.0), "the pedal held a key");
}

#[test]
fn the_pedal_holds_and_sixteen_keys_stay_below_full_scale() {
    let (_bundle, mut plugin, midi) = instrument();
    let off = Act::Set(plugin.value("key_tracking", "off").unwrap());
    let mut acts = vec![(0, midi), (0, off), (10, Act::Midi([0xb0, 64, 127]))];
    for key in 40..56 {
        acts.push((100, Act::On(key, 1.0)));
        acts.push((1_000, Act::Off(key)));
    }
    acts.push((9_000, Act::Midi([0xb0, 64, 0])));
    let heard = perform(&mut plugin, 128, &acts, 20_000);
    let peak =
        |from: usize, to: usize| heard[from..to].iter().flatten().fold(0.0_f32, |high, value| high.max(value.abs()));
    assert!(peak(0, 20_000) <= 1.0 + 1e-6 && peak(5_000, 9_000) > 0.9, "{}", peak(0, 20_000));
    assert_eq!(peak(9_000 + 48_000 / 50 * 3, 20_000), 0.0);
}

#[test]
fn automation_acts_on_its_own_frame_so_a_bounce_is_the_same_at_every_block_size() {
    let (bundle, state) = finished_state();
    let [first, second] = [0, 1].map(|variation| sound(&take(&state), 48_000, variation, true)[0].clone());
    for midi in [false, true] {
        let mut whole: Option<Vec<[u32; 2]>> = None;
        for block in [32, 64, 441, 1_024] {
            let mut plugin = bundle.load();
            assert!(plugin.restore(&state).unwrap());
            let mut set = |at: usize, id: &str, text: &str| (at, Act::Set(plugin.value(id, text).unwrap()));
            let mut acts = vec![
                set(0, "playback", if midi { "MIDI" } else { "Timeline" }),
                set(5_003, "gain", "-12"),
                set(5_700, "gain", "-3"),
                set(9_001, "gain", "0"),
                set(12_345, "take", "2"),
                set(20_011, "take", "1"),
                set(26_007, "play_seed", "off"),
                set(30_001, "start", "1.125"),
                set(14_000, "release", "500 ms"),
                set(14_001, "root_key", "C3"),
                set(16_003, "bend_range", "7 st"),
            ];
            for step in 0..40 {
                acts.push(set(31_000 + step * 97, "gain", if step % 2 == 0 { "-6" } else { "-9" }));
            }
            acts.extend([
                (0, Act::On(60, 0.8)),
                (13_001, Act::On(64, 0.8)),
                (14_000, Act::Off(60)),
                (14_001, Act::On(55, 0.5)),
                (15_000, Act::Midi([0xe0, 0, 90])),
                (25_000, Act::Off(64)),
                (26_007, Act::On(72, 0.7)),
            ]);
            let heard = perform(&mut plugin, block, &acts, 40_000);
            if !midi {
                assert!((0..5_003).all(|frame| heard[frame][0] == first[frame]), "blocks of {block}");
                assert!((5_003..5_020).any(|frame| heard[frame][0] != first[frame]), "blocks of {block}");
                assert!((9_600..12_345).all(|frame| (heard[frame][0] - first[frame]).abs() < 1e-6));
                assert!((12_345 + 240..20_011).all(|frame| (heard[frame][0] - second[frame]).abs() < 1e-6));
                assert!(
                    heard[12_346] != heard[12_345] && heard[20_011 + 240..26_000].iter().any(|frame| frame[0] != 0.0)
                );
            }
            let heard = bits(&heard);
            assert!(*whole.get_or_insert_with(|| heard.clone()) == heard, "blocks of {block}, keys: {midi}");
        }
    }
}
