//! Notes in zones: what a master channel says, and when.

use core::sync::atomic::AtomicU32;
use std::f64::consts::TAU;
use std::vec::Vec;

use super::*;
use crate::view::Segment;

const RATE_HZ: u32 = 48_000;
const SOURCE: Source = Source { slot: 0, variation: 0, with_seed: false, matched: false };

/// What happens at a frame.
#[derive(Debug, Clone, Copy)]
enum Act {
    On(u8, u8),
    Off(u8, u8),
    Bend(u8, f32),
    Pedal(u8, bool),
    Control(u8, u8, u8),
    Reset(u8),
    NotesOff(u8),
    SoundOff(u8),
}

fn act(player: &mut Player, act: Act) {
    let note = |channel, key| Note { channel: Some(channel), key: Some(key), id: None };
    match act {
        Act::On(channel, key) => player.note_on(note(channel, key), 1.0, SOURCE, false),
        Act::Off(channel, key) => player.note_off(&note(channel, key)),
        Act::Bend(channel, value) => player.bend(channel, value),
        Act::Pedal(channel, down) => player.pedal(channel, down),
        Act::Control(channel, controller, value) => player.control(channel, controller, value),
        Act::Reset(channel) => player.reset_controllers(channel),
        Act::NotesOff(channel) => player.all_notes_off(channel),
        Act::SoundOff(channel) => player.all_sound_off(channel),
    }
}

/// A registered parameter's whole message, at one frame.
fn register(at: usize, channel: u8, parameter: u8, value: u8) -> [(usize, Act); 3] {
    [(101, 0), (100, parameter), (6, value)].map(|(controller, value)| (at, Act::Control(channel, controller, value)))
}

fn zone(members: u8) -> Vec<(usize, Act)> {
    register(0, 0, 6, members).into()
}

/// A tone that lasts, of 500 Hz.
fn tone() -> Vec<AtomicU32> {
    let value = |frame: usize| 0.25 * (TAU * 500.0 * frame as f64 / f64::from(RATE_HZ)).sin();
    (0..RATE_HZ as usize * 4).map(|frame| AtomicU32::new((value(frame) as f32).to_bits())).collect()
}

/// Plays `acts` at their frames, mixed at most `block` frames at a time.
fn perform(acts: &[(usize, Act)], frames: usize, block: usize) -> Vec<f32> {
    let cells = tone();
    let both = Segment { left: &cells, right: &cells };
    let view = TakeView::new(Segment::EMPTY, Segment::EMPTY, both, cells.len());
    let mut player = Player::new(RATE_HZ);
    player.set_keys(KeySettings { root: Some(60), controllers: true, ..KeySettings::default() });
    let (mut left, mut right) = (std::vec![0.0; frames], std::vec![0.0; frames]);
    let mut at = 0;
    while at < frames {
        for (_, what) in acts.iter().filter(|(frame, _)| *frame == at) {
            act(&mut player, *what);
        }
        let next = acts.iter().map(|(frame, _)| *frame).filter(|frame| *frame > at).min().unwrap_or(frames);
        let end = next.min(at / block * block + block).min(frames);
        player.mix(|_| Some(view), &mut left[at..end], &mut right[at..end]);
        at = end;
    }
    left
}

/// By how many semitones the tone is transposed in `heard`.
fn semitones(heard: &[f32]) -> f64 {
    let rises: Vec<usize> = (1..heard.len()).filter(|&at| heard[at - 1] < 0.0 && heard[at] >= 0.0).collect();
    let (first, last) = (rises[0], rises[rises.len() - 1]);
    let hz = (rises.len() - 1) as f64 * f64::from(RATE_HZ) / (last - first) as f64;
    12.0 * (hz / 500.0).log2()
}

#[test]
fn members_bend_by_48_semitones_and_with_their_master_on_the_very_frame() {
    let mut acts = zone(3);
    acts.extend([
        (0, Act::On(2, 60)),
        (9_600, Act::Bend(2, 0.25)),
        (19_200, Act::Bend(0, -1.0)),
        // Another channel of the zone, and one outside.
        (28_800, Act::Bend(3, 1.0)),
        (28_800, Act::Bend(5, 1.0)),
    ]);
    acts.extend(register(38_400, 1, 0, 24));
    acts.extend(register(48_000, 0, 0, 12));
    acts.push((57_600, Act::Reset(0)));
    let heard = perform(&acts, 67_200, 512);
    for (step, wanted) in [0.0, 12.0, 10.0, 10.0, 4.0, -6.0, 0.0].into_iter().enumerate() {
        let found = semitones(&heard[step * 9_600 + 500..(step + 1) * 9_600]);
        assert!((found - wanted).abs() < 0.05, "{step}: {found} for {wanted}");
    }
    // Nothing is different before an act's frame, and something right after it.
    for without in [3, 4, 5, 10, 13, 14] {
        let mut fewer = acts.clone();
        let (at, what) = fewer.remove(without);
        let other = perform(&fewer, at + 500, 512);
        let differs = (0..at + 500).position(|frame| other[frame].to_bits() != heard[frame].to_bits());
        assert!(differs.is_some_and(|frame| (at..at + 4).contains(&frame)), "{what:?} at {at}: {differs:?}");
    }
}

#[test]
fn a_zone_is_the_same_however_blocks_are_cut() {
    let mut acts = zone(5);
    acts.extend([
        (13, Act::On(1, 60)),
        (700, Act::On(2, 67)),
        (701, Act::Bend(1, 0.11)),
        (1_503, Act::Bend(0, 0.7)),
        (2_000, Act::Pedal(0, true)),
        (2_100, Act::Off(1, 60)),
        (3_333, Act::On(3, 72)),
        (5_001, Act::Pedal(0, false)),
        (7_000, Act::Reset(0)),
        (9_100, Act::NotesOff(0)),
    ]);
    acts.extend(register(4_001, 3, 0, 12));
    acts.extend(register(8_001, 0, 6, 2));
    let whole = perform(&acts, 14_000, 14_000);
    assert!(whole.iter().any(|value| value.abs() > 0.5));
    for block in [1, 32, 441, 1_024] {
        let heard = perform(&acts, 14_000, block);
        assert!(heard.iter().zip(&whole).all(|(a, b)| a.to_bits() == b.to_bits()), "blocks of {block}");
    }
}

/// Whether anything sounds after what has ended has faded out.
fn sounds_after(acts: &[(usize, Act)]) -> bool {
    perform(acts, 8_000, 256)[7_000..].iter().any(|value| *value != 0.0)
}

#[test]
fn a_masters_pedal_and_modes_are_its_zones() {
    let struck = |more: &[(usize, Act)]| {
        let mut acts = zone(3);
        acts.extend([(10, Act::On(1, 60)), (10, Act::On(3, 64))]);
        acts.extend_from_slice(more);
        sounds_after(&acts)
    };
    let off = [(1_000, Act::Off(1, 60)), (1_000, Act::Off(3, 64))];
    assert!(struck(&[]) && !struck(&off));
    let pedal = |channel| [&[(900, Act::Pedal(channel, true))][..], &off].concat();
    assert!(struck(&pedal(0)) && struck(&pedal(3)) && !struck(&pedal(4)));
    // Both pedals of a note must be up.
    let both = [&[(900, Act::Pedal(3, true))][..], &pedal(0), &[(2_000, Act::Pedal(0, false))]].concat();
    assert!(struck(&both));
    assert!(!struck(&[&both[..], &[(2_000, Act::Pedal(3, false))]].concat()));
    assert!(!struck(&[&pedal(0)[..], &[(2_000, Act::Reset(0))]].concat()));
    assert!(struck(&[&pedal(0)[..], &[(2_000, Act::Reset(1))]].concat()), "a member resets itself alone");
    assert!(!struck(&[(1_000, Act::NotesOff(0))]) && struck(&[(1_000, Act::NotesOff(1))]));
    assert!(!struck(&[(1_000, Act::SoundOff(0))]) && struck(&[(1_000, Act::SoundOff(4))]));
    assert!(struck(&[&pedal(0)[..], &[(2_000, Act::NotesOff(0))]].concat()), "the pedal holds them");
    // Where the zone goes, so do its notes; those that it keeps stay.
    assert!(!struck(&register(1_000, 0, 6, 0)) && struck(&register(1_000, 0, 6, 1)));
    // Without a zone each channel is by itself.
    let alone = [(10, Act::On(1, 60)), (1_000, Act::NotesOff(0))];
    assert!(sounds_after(&alone));
}

#[test]
fn what_was_set_up_outlives_a_reset_and_another_rate_but_not_the_users_own_range() {
    let cells = tone();
    let both = Segment { left: &cells, right: &cells };
    let view = TakeView::new(Segment::EMPTY, Segment::EMPTY, both, cells.len());
    let settings = KeySettings { root: Some(60), controllers: true, ..KeySettings::default() };
    let bent = |player: &mut Player| {
        act(player, Act::On(4, 60));
        act(player, Act::Bend(4, 1.0));
        let (mut left, mut right) = (std::vec![0.0; 9_600], std::vec![0.0; 9_600]);
        player.mix(|_| Some(view), &mut left, &mut right);
        act(player, Act::SoundOff(4));
        semitones(&left[500..])
    };
    let mut player = Player::new(44_100);
    player.set_keys(settings);
    for (_, what) in register(0, 4, 0, 7) {
        act(&mut player, what);
    }
    let mut player = player.at_rate(RATE_HZ);
    assert!((bent(&mut player) - 7.0).abs() < 0.05);
    player.reset();
    assert!((bent(&mut player) - 7.0).abs() < 0.05);
    player.set_keys(settings);
    assert!((bent(&mut player) - 7.0).abs() < 0.05, "nothing has changed");
    player.set_keys(KeySettings { bend_semitones: 5.0, ..settings });
    assert!((bent(&mut player) - 5.0).abs() < 0.05);
    // Where controllers are not heeded, no parameter is.
    player.set_keys(KeySettings { controllers: false, ..settings });
    for (_, what) in register(0, 4, 0, 7) {
        act(&mut player, what);
    }
    player.set_keys(settings);
    assert!((bent(&mut player) - 2.0).abs() < 0.05);
}
