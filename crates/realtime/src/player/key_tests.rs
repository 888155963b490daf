//! Notes with pitch, pedal, envelope and everything else that keys do.

use core::sync::atomic::AtomicU32;
use std::f64::consts::TAU;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::view::Segment;

const RATE_HZ: u32 = 48_000;
const SOURCE: Source = Source { slot: 0, variation: 0, with_seed: false, matched: false };

/// A mono take of `frames` frames, of which `ready` are there.
struct Sound {
    cells: Vec<AtomicU32>,
    ready: usize,
}

impl Sound {
    fn new(frames: usize, value: impl Fn(usize) -> f64) -> Self {
        let cells = (0..frames).map(|frame| AtomicU32::new((value(frame) as f32).to_bits())).collect();
        Self { cells, ready: frames }
    }

    fn sine(hz: f64) -> Self {
        Self::new(48_000, |frame| 0.5 * (TAU * hz * frame as f64 / f64::from(RATE_HZ)).sin())
    }

    fn view(&self) -> TakeView<'_> {
        let both = Segment { left: &self.cells, right: &self.cells };
        TakeView::new(Segment::EMPTY, Segment::EMPTY, both, self.ready)
    }
}

fn note(key: u8) -> Note {
    Note { channel: Some(0), key: Some(key), id: None }
}

fn tracked() -> KeySettings {
    KeySettings { root: Some(60), controllers: true, ..KeySettings::default() }
}

fn player(settings: KeySettings) -> Player {
    let mut player = Player::new(RATE_HZ);
    player.set_keys(settings);
    player
}

fn hear(player: &mut Player, sound: &Sound, frames: usize) -> Vec<[f32; 2]> {
    let (mut left, mut right) = (std::vec![0.0; frames], std::vec![0.0; frames]);
    player.mix(|_| Some(sound.view()), &mut left, &mut right);
    left.into_iter().zip(right).map(|(l, r)| [l, r]).collect()
}

fn left(frames: &[[f32; 2]]) -> Vec<f32> {
    frames.iter().map(|[left, _]| *left).collect()
}

/// Level of `heard` in dB of a sine of 0.5.
fn level_db(heard: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = heard.fold((0.0, 0.0), |(sum, count), value| (sum + value * value, count + 1.0));
    10.0 * (sum / count / 0.125_f64).log10()
}

/// Plays a sine of `hz` transposed by `semitones`; the level of what differs from that sine, in dB of it.
fn error_db(hz: f64, semitones: i32) -> f64 {
    let sound = Sound::sine(hz);
    let mut player = player(tracked());
    player.note_on(note((60 + semitones) as u8), 1.0, SOURCE, false);
    let heard = hear(&mut player, &sound, 8_000);
    let ratio = (f64::from(semitones) / 12.0).exp2();
    let wanted = |frame: usize| 0.5 * (TAU * hz * ratio * frame as f64 / f64::from(RATE_HZ)).sin();
    level_db((500..8_000).map(|frame| f64::from(heard[frame][0]) - wanted(frame)))
}

#[test]
fn a_transposed_sine_is_that_sine_to_96_db() {
    for semitones in [-24, -12, -7, -1, 1, 7, 12, 24] {
        for hz in [100.0, 997.0, 4_003.0, 8_011.0] {
            // What would come out near half the rate or above is the next test's.
            if hz * (f64::from(semitones) / 12.0).exp2() < 17_000.0 {
                let error = error_db(hz, semitones);
                assert!(error < -96.0, "{hz} Hz by {semitones}: {error:.1} dB");
            }
        }
    }
}

#[test]
fn what_would_be_folded_back_is_90_db_below() {
    for (hz, semitones) in
        [(15_000.0, 12), (20_000.0, 12), (23_000.0, 12), (8_000.0, 24), (12_000.0, 24), (21_000.0, 7)]
    {
        let sound = Sound::sine(hz);
        let mut player = player(tracked());
        player.note_on(note((60 + semitones) as u8), 1.0, SOURCE, true);
        let heard = hear(&mut player, &sound, 8_000);
        let level = level_db(heard[1_000..].iter().map(|frame| f64::from(frame[0])));
        assert!(level < -90.0, "{hz} Hz by {semitones}: {level:.1} dB");
    }
}

/// Plays a sine of `hz` at `semitones`, which need not be whole.
fn between_keys(hz: f64, semitones: f64) -> Vec<[f32; 2]> {
    let sound = Sound::sine(hz);
    let mut player = player(tracked());
    let key = note((60.0 + semitones.floor()) as u8);
    player.note_on(key, 1.0, SOURCE, false);
    player.tune(&key, (semitones - semitones.floor()) as f32);
    hear(&mut player, &sound, 8_000)
}

#[test]
fn between_the_keys_it_is_as_good_as_on_them() {
    for semitones in [-7.3, -0.01, 0.25, 0.5, 1.37, 4.9, 9.2, 17.3, 23.99] {
        let ratio = (semitones / 12.0_f64).exp2();
        for out in [100.0, 997.0, 8_011.0, 15_000.0, 18_000.0] {
            let hz = out / ratio;
            if hz < 17_000.0 {
                let heard = between_keys(hz, semitones);
                // What is left over a key is said in f32.
                let turns = semitones.floor() + f64::from((semitones - semitones.floor()) as f32);
                let ratio = (turns / 12.0).exp2();
                let wanted = |frame: usize| 0.5 * (TAU * hz * ratio * frame as f64 / f64::from(RATE_HZ)).sin();
                let error = level_db((500..8_000).map(|frame| f64::from(heard[frame][0]) - wanted(frame)));
                assert!(error < -92.0, "{out} Hz at {semitones}: {error:.1} dB");
            }
        }
        // What would be folded back, from where the kernel has come to its stop band.
        for out in [29_000.0, 31_000.0, 40_000.0, 60_000.0, 90_000.0] {
            let hz = out / ratio;
            if semitones > 0.5 && hz < 23_500.0 {
                let heard = between_keys(hz, semitones);
                let level = level_db(heard[1_000..].iter().map(|frame| f64::from(frame[0])));
                assert!(level < -91.0, "{out} Hz at {semitones}: {level:.1} dB");
            }
        }
    }
}

#[test]
fn the_root_key_is_the_take_itself_bit_for_bit() {
    let sound = Sound::sine(3_000.0);
    let mut plain = player(KeySettings::default());
    plain.note_on(note(60), 0.7, SOURCE, true);
    let wanted = hear(&mut plain, &sound, 2_000);
    for settings in [tracked(), KeySettings { limits: true, ..tracked() }] {
        let mut keys = player(settings);
        keys.note_on(note(60), 0.7, SOURCE, true);
        assert!(hear(&mut keys, &sound, 2_000) == wanted);
    }
    // Any key is, without key tracking.
    plain.note_on(note(90), 0.7, SOURCE, true);
    plain.note_off(&note(60));
    hear(&mut plain, &sound, 4_000);
    plain.note_on(note(30), 0.7, SOURCE, true);
    plain.choke(&note(90));
    hear(&mut plain, &sound, 4_000);
    plain.note_on(note(30), 0.7, SOURCE, true);
    let again = hear(&mut plain, &sound, 2_000);
    assert!(again[500..] == wanted[500..]);
}

#[test]
fn a_growing_take_is_waited_for_and_what_is_missing_is_counted() {
    for (key, ratio) in [(60, 1.0), (72, 2.0), (48, 0.5), (67, 1.498)] {
        let mut sound = Sound::sine(500.0);
        let mut player = player(tracked());
        player.note_on(note(key), 1.0, SOURCE, false);
        let mut end = 0;
        player.needs(1_000, |_, needed| end = needed);
        sound.ready = end as usize;
        // Everything that was asked for is enough, but for the fade before the edge.
        let heard = hear(&mut player, &sound, 1_000);
        assert_eq!(player.take_missing(), 0, "key {key}");
        assert!((end as f64 - 1_000.0 * ratio) < 80.0, "key {key}: {end}");
        assert!(heard[100..700].iter().any(|frame| frame[0].abs() > 0.4));
        // Beyond it, frames are missing, faded on both sides, until they come.
        let mut more = heard[500..].to_vec();
        more.extend(hear(&mut player, &sound, 1_000));
        let missing = player.take_missing();
        assert!((900..=1_000).contains(&missing), "key {key}: {missing}");
        sound.ready = 48_000;
        more.extend(hear(&mut player, &sound, 1_000));
        let steepest = 0.5 * TAU as f32 * 1_000.0 / RATE_HZ as f32 + 0.5 / 240.0;
        assert!(more.windows(2).all(|pair| (pair[1][0] - pair[0][0]).abs() < steepest), "key {key}");
        assert!(more[2_000..].iter().any(|frame| frame[0].abs() > 0.4));
    }
}

#[test]
fn a_transposed_take_ends_with_a_fade_where_it_ends() {
    for (key, frames) in [(72, 2_000), (48, 8_000), (96, 500)] {
        let sound = Sound::new(4_000, |_| 0.5);
        let mut player = player(tracked());
        player.note_on(note(key), 1.0, SOURCE, false);
        let heard = left(&hear(&mut player, &sound, 9_000));
        let last = heard.iter().rposition(|value| *value != 0.0).unwrap();
        assert!(last.abs_diff(frames) <= 2, "key {key}: {last}");
        assert!(heard[40..].windows(2).all(|pair| (pair[1] - pair[0]).abs() < 0.01), "key {key}");
        assert!(player.playing().is_none());
    }
}

/// The frequency that `heard` swings with.
fn hz(heard: &[[f32; 2]]) -> f64 {
    let rises: Vec<usize> = (1..heard.len()).filter(|&at| heard[at - 1][0] < 0.0 && heard[at][0] >= 0.0).collect();
    let (first, last) = (rises[0], rises[rises.len() - 1]);
    (rises.len() - 1) as f64 * f64::from(RATE_HZ) / (last - first) as f64
}

#[test]
fn bends_tunings_and_their_ends_move_the_pitch_without_a_click() {
    let sound = Sound::sine(1_000.0);
    let mut player = player(tracked());
    player.note_on(note(60), 1.0, SOURCE, false);
    let mut all = hear(&mut player, &sound, 4_800);
    let mut expect = |player: &mut Player, ratio: f64| {
        let heard = hear(player, &sound, 4_800);
        let found = hz(&heard[480..]);
        assert!((found / 1_000.0 / ratio - 1.0).abs() < 0.003, "{found} Hz for {ratio}");
        all.extend(heard);
    };
    // Another channel's wheel is none of this note's business.
    player.bend(1, 1.0);
    expect(&mut player, 1.0);
    player.bend(0, 1.0);
    expect(&mut player, (2.0_f64 / 12.0).exp2());
    player.set_keys(KeySettings { bend_semitones: 12.0, ..tracked() });
    expect(&mut player, 2.0);
    player.tune(&note(60), -12.0);
    expect(&mut player, 1.0);
    player.reset_controllers(0);
    expect(&mut player, 0.5);
    player.tune(&note(60), 0.0);
    expect(&mut player, 1.0);
    let steepest = 0.5 * TAU as f32 * 2_000.0 / RATE_HZ as f32 * 1.05;
    assert!(all.windows(2).all(|pair| (pair[1][0] - pair[0][0]).abs() < steepest));
    // A wheel that is up when the key goes down is heard from the first frame on.
    player.choke(&note(60));
    hear(&mut player, &sound, 480);
    player.bend(0, -1.0);
    player.note_on(note(72), 1.0, SOURCE, false);
    assert!((hz(&hear(&mut player, &sound, 2_400)) - 1_000.0).abs() < 3.0);
}

/// Frames of the release to begin with.
const RELEASE: usize = RATE_HZ as usize / 50 * 3;

fn sounds(player: &mut Player, sound: &Sound) -> bool {
    hear(player, sound, RELEASE);
    hear(player, sound, 10).iter().any(|frame| frame[0] != 0.0)
}

#[test]
fn the_pedal_holds_what_is_released_on_its_channel() {
    let sound = Sound::new(48_000 * 4, |_| 0.1);
    let all = |channel| Note { channel: Some(channel), key: None, id: None };
    let struck = || {
        let mut player = player(tracked());
        player.note_on(note(60), 1.0, SOURCE, false);
        player.pedal(0, true);
        player.note_off(&note(60));
        player
    };
    let mut player = struck();
    assert!(sounds(&mut player, &sound));
    player.pedal(1, true);
    player.pedal(1, false);
    assert!(sounds(&mut player, &sound), "another channel's pedal let go of it");
    player.pedal(0, false);
    assert!(!sounds(&mut player, &sound));

    // All notes off respects it, all sound off and a reset of controllers do not.
    let mut player = struck();
    player.note_off(&all(0));
    assert!(sounds(&mut player, &sound));
    player.reset_controllers(1);
    assert!(sounds(&mut player, &sound));
    player.reset_controllers(0);
    assert!(!sounds(&mut player, &sound));
    let mut player = struck();
    player.choke(&all(0));
    assert!(!sounds(&mut player, &sound));

    // A key that is still down outlives the pedal, and one that is struck again under it is one voice.
    let mut player = struck();
    player.note_on(note(64), 1.0, SOURCE, false);
    player.note_on(note(60), 1.0, SOURCE, false);
    hear(&mut player, &sound, 480);
    assert_eq!(player.keys.voices.heads().count(), 2);
    player.pedal(0, false);
    assert!(sounds(&mut player, &sound));
    player.note_off(&all(0));
    assert!(!sounds(&mut player, &sound));

    // Where controllers are not heeded, a pedal is none; and one that was down goes up.
    let mut player = struck();
    player.set_keys(KeySettings::default());
    assert!(!sounds(&mut player, &sound));
    player.note_on(note(60), 1.0, SOURCE, false);
    player.pedal(0, true);
    player.note_off(&note(60));
    assert!(!sounds(&mut player, &sound));
}

#[test]
fn an_envelope_is_as_long_as_it_says_and_never_clicks() {
    let sound = Sound::new(48_000 * 4, |_| 1.0);
    let settings = KeySettings { attack_ms: 100.0, decay_ms: 200.0, sustain: 0.5, release_ms: 300.0, ..tracked() };
    let mut player = player(settings);
    player.note_on(note(60), 1.0, SOURCE, false);
    let mut heard = left(&hear(&mut player, &sound, 24_000));
    assert!((heard[2_400] - 0.5).abs() < 0.01 && (heard[4_799] - 1.0).abs() < 1e-6);
    assert!((heard[9_600] - 0.75).abs() < 0.01 && heard[14_400..].iter().all(|value| *value == 0.5));
    player.note_off(&note(60));
    heard.extend(left(&hear(&mut player, &sound, 20_000)));
    assert!((heard[24_000 + 7_200] - 0.25).abs() < 0.01 && heard[24_000 + 14_400..].iter().all(|value| *value == 0.0));
    // Released in the middle of its attack, and struck again in the middle of its release.
    player.note_on(note(60), 1.0, SOURCE, false);
    heard.extend(left(&hear(&mut player, &sound, 1_000)));
    player.note_off(&note(60));
    heard.extend(left(&hear(&mut player, &sound, 1_000)));
    player.note_on(note(60), 1.0, SOURCE, false);
    heard.extend(left(&hear(&mut player, &sound, 1_000)));
    assert!(heard.windows(2).all(|pair| (pair[1] - pair[0]).abs() < 1.0 / 240.0 + 1e-4));
    // Without sustain a note is over after its decay, and leaves its voice.
    player.set_keys(KeySettings { decay_ms: 20.0, sustain: 0.0, ..tracked() });
    player.choke(&note(60));
    player.note_on(note(62), 1.0, SOURCE, false);
    hear(&mut player, &sound, 1_000);
    assert!(player.playing().is_none());
}

#[test]
fn a_start_offset_leaves_the_beginning_out() {
    let sound = Sound::new(48_000, |frame| frame as f64 / 48_000.0);
    let mut player = player(KeySettings { start_seconds: 0.25, ..KeySettings::default() });
    player.note_on(note(60), 1.0, SOURCE, false);
    let heard = left(&hear(&mut player, &sound, 1_000));
    assert!(heard[0] < 0.01, "it begins in the middle of a sound");
    assert!((240..1_000).all(|frame| heard[frame] == (12_000 + frame) as f32 / 48_000.0));
    player.set_keys(KeySettings { start_seconds: 2.0, ..KeySettings::default() });
    player.choke(&note(60));
    hear(&mut player, &sound, 1_000);
    player.note_on(note(60), 1.0, SOURCE, false);
    assert!(hear(&mut player, &sound, 100).iter().all(|frame| frame[0] == 0.0));
    assert!(player.playing().is_none());
}

#[test]
fn of_too_many_notes_the_released_then_the_oldest_go_without_a_click() {
    let sound = Sound::new(48_000 * 4, |_| 0.1);
    let mut player = player(KeySettings { voices: 3, release_ms: 2_000.0, ..KeySettings::default() });
    let mut heard = Vec::new();
    let mut keys = |player: &mut Player, act: &dyn Fn(&mut Player), wanted: &[u8]| {
        act(player);
        heard.extend(left(&hear(player, &sound, 480)));
        let mut keys: Vec<u8> = player.keys.voices.all().filter_map(|voice| voice.note.key).collect();
        keys.sort_unstable();
        assert_eq!(keys, wanted);
    };
    let press = |key| move |player: &mut Player| player.note_on(note(key), 1.0, SOURCE, true);
    keys(&mut player, &press(60), &[60]);
    keys(&mut player, &press(61), &[60, 61]);
    keys(&mut player, &press(62), &[60, 61, 62]);
    keys(&mut player, &|player| player.note_off(&note(61)), &[60, 61, 62]);
    keys(&mut player, &press(63), &[60, 62, 63]);
    keys(&mut player, &press(64), &[62, 63, 64]);
    let fewer = KeySettings { voices: 1, ..KeySettings::default() };
    keys(&mut player, &|player| player.set_keys(fewer), &[62, 63, 64]);
    keys(&mut player, &press(65), &[65]);
    assert!(heard.windows(2).all(|pair| (pair[1] - pair[0]).abs() < 4.0 * 0.1 / 240.0 + 1e-5));
}

#[test]
fn a_single_voice_plays_the_last_key_and_goes_back_to_one_that_is_down() {
    // A take whose level tells how long ago it began.
    let sound = Sound::new(48_000, |frame| 0.1 + frame as f64 * 1e-5);
    let mut player = player(KeySettings { mono: true, ..tracked() });
    let played = |player: &mut Player, act: &dyn Fn(&mut Player)| {
        act(player);
        hear(player, &sound, 480);
        let heard = player.keys.voices.all().map(|voice| (voice.note.key.unwrap(), voice.hold)).collect::<Vec<_>>();
        assert!(heard.len() < 2);
        heard.first().filter(|(_, hold)| *hold != crate::voices::Hold::Nothing).map(|(key, _)| *key)
    };
    let press = |key| move |player: &mut Player| player.note_on(note(key), 1.0, SOURCE, true);
    let lift = |key| move |player: &mut Player| player.note_off(&note(key));
    assert_eq!(played(&mut player, &press(60)), Some(60));
    assert_eq!(played(&mut player, &press(64)), Some(64));
    assert_eq!(played(&mut player, &press(67)), Some(67));
    assert_eq!(played(&mut player, &lift(64)), Some(67));
    assert_eq!(played(&mut player, &lift(67)), Some(60));
    // From its start.
    assert_eq!(player.playing().unwrap().frame, 480);
    assert_eq!(played(&mut player, &lift(60)), None);
    // The pedal holds the last one; with it goes what is up.
    played(&mut player, &press(60));
    played(&mut player, &press(64));
    assert_eq!(played(&mut player, &|player| player.pedal(0, true)), Some(64));
    assert_eq!(played(&mut player, &lift(64)), Some(64));
    assert_eq!(played(&mut player, &|player| player.pedal(0, false)), Some(60));
    assert_eq!(played(&mut player, &|player| player.choke(&Note { channel: Some(0), key: None, id: None })), None);
    assert_eq!(played(&mut player, &lift(60)), None);
}

#[test]
fn a_note_has_a_volume_and_a_place_of_its_own() {
    let sound = Sound::new(48_000, |_| 0.25);
    let mut player = player(tracked());
    player.note_on(note(60), 1.0, SOURCE, false);
    player.volume(&note(60), 0.5);
    assert_eq!(hear(&mut player, &sound, 240)[0], [0.125; 2], "set before it was heard, it is so at once");
    player.pan(&note(60), -1.0);
    let heard = hear(&mut player, &sound, 480);
    assert!((heard[0][1] - 0.125).abs() < 0.001 && heard[479] == [0.125, 0.0]);
    player.pan(&note(60), 0.5);
    player.volume(&Note { channel: None, key: None, id: None }, 1.0);
    assert_eq!(hear(&mut player, &sound, 480)[479], [0.125, 0.25]);
    player.volume(&note(61), 0.0);
    player.volume(&note(60), f32::NAN);
    assert_eq!(hear(&mut player, &sound, 480)[479], [0.125, 0.25]);
}

#[test]
fn sixteen_equal_keys_peak_at_full_scale_and_one_is_as_it_was() {
    let sound = Sound::new(48_000, |frame| 0.9 * (TAU * 440.0 * frame as f64 / f64::from(RATE_HZ)).cos());
    let limited = KeySettings { limits: true, ..KeySettings::default() };
    let peak = |settings: KeySettings, keys: u8| {
        let mut player = player(settings);
        (0..keys).for_each(|key| player.note_on(note(40 + key), 1.0, SOURCE, false));
        let heard = left(&hear(&mut player, &sound, 24_000));
        (heard.iter().fold(0.0_f32, |high, value| high.max(value.abs())), heard)
    };
    assert!(peak(KeySettings::default(), 16).0 > 14.0, "what it is there for");
    assert!(peak(limited, 16).0 <= 1.0 + 1e-6);
    assert!(peak(limited, 16).0 > 0.99);
    assert!(peak(limited, 1).1 == peak(KeySettings::default(), 1).1);
    // Beyond full scale a key alone is untouched too, and keys that together stay below it are.
    let loud = Sound::new(48_000, |frame| 1.7 * (TAU * 440.0 * frame as f64 / f64::from(RATE_HZ)).cos());
    let [alone, plain] = [limited, KeySettings::default()].map(|settings| {
        let mut player = player(settings);
        player.note_on(note(60), 1.0, SOURCE, false);
        hear(&mut player, &loud, 10_000)
    });
    assert!(alone == plain);
    // When the others have gone, the level comes back to the bit.
    let mut player = player(limited);
    (0..16).for_each(|key| player.note_on(note(40 + key), 1.0, SOURCE, false));
    hear(&mut player, &sound, 2_000);
    (1..16).for_each(|key| player.choke(&note(40 + key)));
    let heard = left(&hear(&mut player, &sound, 40_000));
    assert!(
        (30_000..40_000)
            .all(|frame| heard[frame].to_bits()
                == sound.cells[2_000 + frame].load(core::sync::atomic::Ordering::Relaxed))
    );
}

#[test]
fn a_note_after_silence_has_its_own_level_at_once() {
    let sound = Sound::new(48_000, |frame| 0.9 * (TAU * 440.0 * frame as f64 / f64::from(RATE_HZ)).cos());
    let mut player = player(KeySettings { limits: true, ..KeySettings::default() });
    (0..16).for_each(|key| player.note_on(note(40 + key), 1.0, SOURCE, false));
    hear(&mut player, &sound, 1_000);
    player.choke(&Note { channel: None, key: None, id: None });
    hear(&mut player, &sound, 241);
    player.note_on(note(60), 1.0, SOURCE, false);
    assert!((hear(&mut player, &sound, 10)[0][0] - 0.9).abs() < 1e-6);
}

/// Something that happens at a frame.
#[derive(Debug, Clone)]
enum Event {
    On(u8, u8, f32),
    Off(u8, u8),
    Choke(u8),
    Bend(u8, f32),
    Pedal(u8, bool),
    Reset(u8),
    Tune(u8, f32),
    Volume(u8, f32),
    Pan(u8, f32),
    Set(KeySettings),
}

fn settings() -> impl Strategy<Value = KeySettings> {
    let levels = (0.0_f32..50.0, 0.0_f32..50.0, 0.0_f32..1.0, 1.0_f32..100.0);
    let counts = (1_usize..=16, any::<bool>(), any::<bool>(), any::<bool>(), proptest::option::of(0_u8..128));
    (levels, counts, 0.0_f32..24.0, 0.0_f32..0.05).prop_map(|(levels, counts, bend_semitones, start_seconds)| {
        let (attack_ms, decay_ms, sustain, release_ms) = levels;
        let (voices, mono, controllers, limits, root) = counts;
        KeySettings {
            root,
            bend_semitones,
            attack_ms,
            decay_ms,
            sustain,
            release_ms,
            start_seconds,
            voices,
            mono,
            controllers,
            limits,
        }
    })
}

fn events() -> impl Strategy<Value = Vec<(usize, Event)>> {
    let (channel, key) = (0_u8..2, || 40_u8..80);
    let event = prop_oneof![
        8 => (channel.clone(), key(), 0.0_f32..1.0).prop_map(|(channel, key, level)| Event::On(channel, key, level)),
        4 => (channel.clone(), key()).prop_map(|(channel, key)| Event::Off(channel, key)),
        1 => channel.clone().prop_map(Event::Choke),
        2 => (channel.clone(), -1.0_f32..1.0).prop_map(|(channel, value)| Event::Bend(channel, value)),
        2 => (channel.clone(), any::<bool>()).prop_map(|(channel, down)| Event::Pedal(channel, down)),
        1 => channel.prop_map(Event::Reset),
        1 => (key(), -24.0_f32..24.0).prop_map(|(key, semitones)| Event::Tune(key, semitones)),
        1 => (key(), 0.0_f32..4.0).prop_map(|(key, factor)| Event::Volume(key, factor)),
        1 => (key(), -1.0_f32..1.0).prop_map(|(key, place)| Event::Pan(key, place)),
        1 => settings().prop_map(Event::Set),
    ];
    proptest::collection::vec((0_usize..6_000, event), 0..80).prop_map(|mut events| {
        events.sort_by_key(|(at, _)| *at);
        events
    })
}

/// Plays notes cut into blocks of the given sizes in turn; also how many frames were missing.
fn perform(first: KeySettings, events: &[(usize, Event)], sizes: &[usize]) -> (Vec<u32>, u64) {
    let mut sound = Sound::new(9_000, |frame| 0.7 * (frame as f64 * 0.07).sin());
    sound.ready = 5_000;
    let mut player = player(first);
    let (mut left, mut right) = (std::vec![0.0; 6_000], std::vec![0.0; 6_000]);
    let (mut done, mut events, mut sizes) = (0, events.iter().peekable(), sizes.iter().cycle());
    while done < 6_000 {
        let end = (done + sizes.next().unwrap()).min(6_000);
        while done < end {
            while let Some((_, event)) = events.next_if(|(at, _)| *at <= done) {
                let key_of = |key: &u8| Note { channel: None, key: Some(*key), id: None };
                match event {
                    Event::On(channel, key, level) => {
                        let note = Note { channel: Some(*channel), key: Some(*key), id: None };
                        player.note_on(note, *level, SOURCE, key % 2 == 0);
                    }
                    Event::Off(channel, key) => {
                        player.note_off(&Note { channel: Some(*channel), key: Some(*key), id: None });
                    }
                    Event::Choke(channel) => player.choke(&Note { channel: Some(*channel), key: None, id: None }),
                    Event::Bend(channel, value) => player.bend(*channel, *value),
                    Event::Pedal(channel, down) => player.pedal(*channel, *down),
                    Event::Reset(channel) => player.reset_controllers(*channel),
                    Event::Tune(key, semitones) => player.tune(&key_of(key), *semitones),
                    Event::Volume(key, factor) => player.volume(&key_of(key), *factor),
                    Event::Pan(key, place) => player.pan(&key_of(key), *place),
                    Event::Set(settings) => player.set_keys(*settings),
                }
            }
            let stop = events.peek().map_or(end, |(at, _)| *at).min(end);
            player.mix(|_| Some(sound.view()), &mut left[done..stop], &mut right[done..stop]);
            done = stop;
        }
    }
    assert!(left.iter().chain(&right).all(|value| value.is_finite()));
    (left.iter().chain(&right).map(|value| value.to_bits()).collect(), player.take_missing())
}

proptest! {
    /// The same events at the same frames sound the same, bit for bit, however time is cut into blocks.
    #[test]
    fn block_sizes_do_not_matter(
        first in settings(),
        events in events(),
        sizes in proptest::collection::vec(1_usize..700, 1..20),
    ) {
        prop_assert!(perform(first, &events, &sizes) == perform(first, &events, &[6_000]));
    }

    /// What is asked for before a block is all that it reads, whatever bends.
    #[test]
    fn nothing_is_missing_of_what_was_waited_for(first in settings(), events in events()) {
        let mut sound = Sound::new(400_000, |frame| 0.7 * (frame as f64 * 0.07).sin());
        let mut player = player(KeySettings { controllers: true, ..first });
        sound.ready = 0;
        for (_, event) in &events {
            match event {
                Event::On(channel, key, level) => {
                    player.note_on(Note { channel: Some(*channel), key: Some(*key), id: None }, *level, SOURCE, true);
                }
                Event::Bend(channel, value) => player.bend(*channel, *value),
                Event::Tune(key, semitones) => {
                    player.tune(&Note { channel: None, key: Some(*key), id: None }, *semitones);
                }
                _ => {}
            }
            let mut end = 0;
            player.needs(37, |_, needed| end = end.max(needed));
            sound.ready = sound.ready.max(end as usize);
            hear(&mut player, &sound, 37);
            prop_assert_eq!(player.take_missing(), 0);
        }
    }
}
