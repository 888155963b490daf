use core::sync::atomic::{AtomicU32, AtomicUsize};
use std::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::view::{Frame, Segment};

const RATE_HZ: u32 = 8_000;

/// Frames before the seam that are written with the continuation.
const CROSSFADE: usize = 40;

/// A take with a different value at every frame.
struct Sound {
    seed: Vec<AtomicU32>,
    crossfade: Vec<AtomicU32>,
    continuation: Vec<AtomicU32>,
    ready: AtomicUsize,
}

impl Sound {
    fn new(seed: usize, frames: usize, ready: usize, sign: f32) -> Self {
        let ramp = |from: usize, to: usize| {
            (from..to).map(|frame| AtomicU32::new((sign * (0.25 + frame as f32 * 1e-5)).to_bits())).collect()
        };
        let crossfade = seed.min(CROSSFADE);
        Self {
            seed: ramp(0, seed - crossfade),
            crossfade: ramp(seed - crossfade, seed),
            continuation: ramp(seed, seed + frames),
            ready: AtomicUsize::new(crossfade + ready),
        }
    }

    fn view(&self, with_seed: bool) -> TakeView<'_> {
        let ready = self.ready.load(core::sync::atomic::Ordering::Acquire);
        let both = |cells| Segment { left: cells, right: cells };
        let continuation = both(&self.continuation[..]);
        if with_seed {
            TakeView::new(both(&self.seed), both(&self.crossfade), continuation, ready)
        } else {
            TakeView::new(Segment::EMPTY, Segment::EMPTY, continuation, ready.saturating_sub(self.crossfade.len()))
        }
    }
}

fn source(slot: u8) -> Source {
    Source { slot, variation: 0, with_seed: true, matched: false }
}

fn note(key: u8) -> Note {
    Note { channel: Some(0), key: Some(key), id: None }
}

/// Plays `frames` frames from `cue` on in blocks of `block`.
fn play(player: &mut Player, sound: &Sound, mut cue: Cue, frames: usize, block: usize) -> Vec<f32> {
    let mut left = std::vec![0.0; frames];
    let mut right = left.clone();
    let mut done = 0;
    while done < frames {
        let end = (done + block).min(frames);
        player.follow(cue, source(0), false, end - done);
        player.mix(|_| Some(sound.view(true)), &mut left[done..end], &mut right[done..end]);
        if let Cue::At { frame, .. } = cue {
            cue = Cue::At { frame: frame + (end - done) as i64, jumped: false };
        }
        done = end;
    }
    assert_eq!(left, right);
    left
}

#[test]
fn the_seed_starts_on_its_frame_untouched() {
    let sound = Sound::new(1_000, 1_000, 1_000, 1.0);
    for block in [1, 7, 32, 100, 4096] {
        let mut player = Player::new(RATE_HZ);
        let heard = play(&mut player, &sound, Cue::At { frame: -333, jumped: true }, 2_400, block);
        assert!(heard[..333].iter().all(|value| *value == 0.0));
        for (frame, value) in heard[333..333 + 1_900].iter().enumerate() {
            if frame < 2_000 - 40 {
                assert_eq!(*value, 0.25 + frame as f32 * 1e-5, "frame {frame}, block {block}");
            }
        }
        assert_eq!(player.take_missing(), 0);
    }
}

#[test]
fn the_end_and_a_stop_and_a_jump_fade() {
    let sound = Sound::new(1_000, 1_000, 1_000, 1.0);
    let mut player = Player::new(RATE_HZ);
    let step = 0.27 / player.declick_frames() as f32 + 1e-4;
    let mut heard = play(&mut player, &sound, Cue::At { frame: 500, jumped: true }, 300, 64);
    heard.extend(play(&mut player, &sound, Cue::At { frame: 1_700, jumped: true }, 100, 64));
    heard.extend(play(&mut player, &sound, Cue::Stopped, 200, 64));
    heard.extend(play(&mut player, &sound, Cue::At { frame: 1_900, jumped: true }, 200, 64));
    let mut before = 0.0;
    for (frame, value) in heard.iter().enumerate() {
        assert!((value - before).abs() < step, "frame {frame}: {before} → {value}");
        before = *value;
    }
    assert_eq!(before, 0.0);
    assert!(!player.uses(0));
}

#[test]
fn missing_frames_are_faded_silence_and_counted() {
    let sound = Sound::new(100, 1_000, 100, 1.0);
    let mut player = Player::new(RATE_HZ);
    let step = 0.26 / player.declick_frames() as f32 + 1e-4;
    let heard = play(&mut player, &sound, Cue::At { frame: 0, jumped: true }, 300, 50);
    assert!(heard[200..].iter().all(|value| *value == 0.0));
    assert_eq!(player.take_missing(), 100);
    sound.ready.store(CROSSFADE + 1_000, core::sync::atomic::Ordering::Release);
    let more = play(&mut player, &sound, Cue::At { frame: 300, jumped: false }, 200, 50);
    let mut before = heard[0];
    for value in heard.iter().chain(&more).skip(1) {
        assert!((value - before).abs() < step);
        before = *value;
    }
    assert_eq!(before, 0.25 + 499.0 * 1e-5);
    assert_eq!(player.take_missing(), 0);
}

#[test]
fn the_seventeenth_note_takes_the_place_of_the_oldest_without_a_click() {
    let sound = Sound::new(0, 4_000, 4_000, 1.0);
    let mut player = Player::new(RATE_HZ);
    let mut left = std::vec![0.0; 100];
    let mut right = left.clone();
    for key in 0..=VOICES_AND_ONE {
        player.note_on(note(key), 0.05, source(0), true);
        left.fill(0.0);
        player.mix(|_| Some(sound.view(true)), &mut left, &mut right);
    }
    // Sixteen voices of about 0.25 · 0.05 each, and no jump where the first one went.
    assert!(left.iter().all(|value| *value < 17.0 * 0.05 * 0.27));
    assert!(left.windows(2).all(|pair| (pair[1] - pair[0]).abs() < 0.02));
    for key in 0..=VOICES_AND_ONE {
        player.note_off(&note(key));
    }
    let mut long = std::vec![0.0; 1_000];
    let mut other = long.clone();
    player.mix(|_| Some(sound.view(true)), &mut long, &mut other);
    assert_eq!(long[999], 0.0);
    assert!(!player.uses(0));
}

/// Plays `frames` frames of notes alone.
fn hear(player: &mut Player, sound: &Sound, frames: usize) -> Vec<f32> {
    let (mut left, mut right) = (std::vec![0.0; frames], std::vec![0.0; frames]);
    player.mix(|_| Some(sound.view(true)), &mut left, &mut right);
    left
}

#[test]
fn a_key_that_is_pressed_again_ends_its_note_before() {
    let sound = Sound::new(0, 40_000, 40_000, 1.0);
    let mut player = Player::new(RATE_HZ);
    let mut heard = Vec::new();
    for press in 0..20 {
        // Some hosts number each press, others none; either way it is the same key.
        player.note_on(Note { id: (press % 2 == 0).then_some(press), ..note(60) }, 1.0, source(0), true);
        heard.extend(hear(&mut player, &sound, 500));
        // The take's own level and no more, once the note before has gone.
        let most = 0.25 + 500.0 * 1e-5;
        assert!(heard[heard.len() - 400..].iter().all(|value| *value <= most + 1e-6), "press {press}");
    }
    let step = 2.0 * 0.26 / player.declick_frames() as f32 + 1e-4;
    assert!(heard.windows(2).all(|pair| (pair[1] - pair[0]).abs() < step));
    // Another key, and the same key of another channel, are other notes.
    player.note_on(note(61), 1.0, source(0), true);
    player.note_on(Note { channel: Some(1), ..note(60) }, 1.0, source(0), true);
    assert!(hear(&mut player, &sound, 200)[199] > 0.7);
}

#[test]
fn presses_in_one_frame_are_one_note() {
    let sound = Sound::new(0, 40_000, 40_000, 1.0);
    let (mut once, mut often) = (Player::new(RATE_HZ), Player::new(RATE_HZ));
    once.note_on(note(60), 1.0, source(0), false);
    for _ in 0..20 {
        often.note_on(note(60), 1.0, source(0), false);
    }
    assert_eq!(hear(&mut once, &sound, 300), hear(&mut often, &sound, 300));
    // As a note that is choked where it begins is none.
    let mut none = Player::new(RATE_HZ);
    none.note_on(note(60), 1.0, source(0), false);
    none.choke(&note(60));
    assert!(hear(&mut none, &sound, 300).iter().all(|value| *value == 0.0));
}

#[test]
fn what_is_before_the_seam_comes_with_the_continuation() {
    let sound = Sound::new(100, 1_000, 0, 1.0);
    sound.ready.store(0, core::sync::atomic::Ordering::Release);
    assert_eq!((sound.view(true).ready(), sound.view(true).seed_frames()), (100 - CROSSFADE, 100));
    assert_eq!(sound.view(false).ready(), 0);
    sound.ready.store(CROSSFADE + 5, core::sync::atomic::Ordering::Release);
    assert_eq!((sound.view(true).ready(), sound.view(false).ready()), (105, 5));
    for frame in 0..105 {
        assert_eq!(sound.view(true).frame(frame), Frame::Ready([0.25 + frame as f32 * 1e-5; 2]));
    }
    assert_eq!(sound.view(true).frame(105), Frame::Missing);
    assert_eq!(sound.view(false).frame(0), sound.view(true).frame(100));
}

const VOICES_AND_ONE: u8 = crate::VOICES as u8;

/// Something that happens at a frame.
#[derive(Debug, Clone)]
enum Event {
    On(u8, f32),
    Off(u8),
    Choke(u8),
}

fn events() -> impl Strategy<Value = Vec<(usize, Event)>> {
    let event = prop_oneof![
        (0_u8..24, 0.0_f32..1.0).prop_map(|(key, velocity)| Event::On(key, velocity)),
        (0_u8..24).prop_map(Event::Off),
        (0_u8..24).prop_map(Event::Choke),
    ];
    proptest::collection::vec((0_usize..6_000, event), 0..60).prop_map(|mut events| {
        events.sort_by_key(|(at, _)| *at);
        events
    })
}

/// Plays notes and a pinned take, cut into blocks of the given sizes in turn.
fn perform(events: &[(usize, Event)], sizes: &[usize], pin: i64) -> Vec<u32> {
    let sounds = [Sound::new(700, 2_000, 1_500, 1.0), Sound::new(0, 900, 900, -1.0)];
    let mut player = Player::new(RATE_HZ);
    let (mut left, mut right) = (std::vec![0.0; 6_000], std::vec![0.0; 6_000]);
    let (mut done, mut events, mut sizes) = (0, events.iter().peekable(), sizes.iter().cycle());
    while done < 6_000 {
        let end = (done + sizes.next().unwrap()).min(6_000);
        player.follow(Cue::At { frame: done as i64 - pin, jumped: done == 0 }, source(0), false, end - done);
        while done < end {
            while let Some((_, event)) = events.next_if(|(at, _)| *at <= done) {
                match event {
                    Event::On(key, velocity) => player.note_on(note(*key), *velocity, source(1), key % 2 == 0),
                    Event::Off(key) => player.note_off(&note(*key)),
                    Event::Choke(key) => player.choke(&note(*key)),
                }
            }
            let stop = events.peek().map_or(end, |(at, _)| *at).min(end);
            let view = |source: Source| Some(sounds[usize::from(source.slot)].view(true));
            player.mix(view, &mut left[done..stop], &mut right[done..stop]);
            done = stop;
        }
    }
    left.iter().chain(&right).map(|value| value.to_bits()).collect()
}

proptest! {
    /// The same events at the same frames sound the same, bit for bit, however time is cut into blocks.
    #[test]
    fn block_sizes_do_not_matter(
        events in events(),
        sizes in proptest::collection::vec(1_usize..700, 1..20),
        pin in -500_i64..3_000,
    ) {
        prop_assert_eq!(perform(&events, &sizes, pin), perform(&events, &[6_000], pin));
    }
}

#[test]
fn an_audition_sounds_beside_the_timeline_and_ends_by_itself() {
    let (pinned, heard) = (Sound::new(500, 2_000, 2_000, 1.0), Sound::new(0, 600, 600, -1.0));
    let run = |audition: bool, block: usize| {
        let mut player = Player::new(RATE_HZ);
        let (mut left, mut right) = (std::vec![0.0; 2_000], std::vec![0.0; 2_000]);
        let mut done = 0;
        while done < 2_000 {
            let end = (done + block).min(2_000);
            player.follow(Cue::At { frame: done as i64, jumped: done == 0 }, source(0), false, end - done);
            if audition && done == 0 {
                player.audition(source(2), 100, false);
                assert!(player.uses(2));
            }
            let view = |from: Source| Some(if from.slot == 2 { heard.view(true) } else { pinned.view(true) });
            player.mix(view, &mut left[done..end], &mut right[done..end]);
            done = end;
        }
        assert!(!player.uses(2) && player.auditioning().is_none());
        assert_eq!(player.take_missing(), 0);
        left
    };
    let alone = run(false, 64);
    for block in [1, 13, 64, 512] {
        let both = run(true, block);
        let added: Vec<f32> = both.iter().zip(&alone).map(|(both, alone)| both - alone).collect();
        // From frame 100 of 600 on: faded in, as it is, faded out before its end, and nothing after it.
        assert!(added[0].abs() < 0.01 && added[..500].iter().all(|value| *value <= 1e-6));
        for (frame, value) in added.iter().enumerate().take(450).skip(50) {
            assert!((value + 0.25 + (frame + 100) as f32 * 1e-5).abs() < 1e-6, "frame {frame}: {value}");
        }
        assert!(added[500..].iter().all(|value| value.abs() < 1e-6));
    }
}

#[test]
fn an_audition_that_is_stopped_or_replaced_fades_out_and_one_of_frames_to_come_counts_none_missing() {
    let sound = Sound::new(0, 4_000, 1_000, 1.0);
    let mut player = Player::new(RATE_HZ);
    let heard = |player: &mut Player, frames: usize| {
        let (mut left, mut right) = (std::vec![0.0; frames], std::vec![0.0; frames]);
        player.mix(|_| Some(sound.view(true)), &mut left, &mut right);
        left
    };
    player.audition(source(2), 500, true);
    let before = heard(&mut player, 200);
    player.audition(source(2), 0, false);
    let after = heard(&mut player, 200);
    // Both sound during the fade, so the step between two frames stays small but for the new one's own first frame.
    assert!((after[0] - before[199] - 0.25).abs() < 0.02, "{} after {}", after[0], before[199]);
    player.stop_audition();
    let end = heard(&mut player, 100);
    assert!((end[0] - after[199]).abs() < 0.02 && end[60..].iter().all(|value| *value == 0.0));
    assert!(!player.uses(2));
    // Neither a fade nor the sound itself is left of one that is forgotten.
    player.audition(source(2), 0, false);
    heard(&mut player, 100);
    player.audition(source(2), 500, false);
    player.forget_audition(2);
    assert!(heard(&mut player, 100).iter().all(|value| *value == 0.0) && !player.uses(2));
    player.audition(source(2), 900, false);
    heard(&mut player, 600);
    assert!(player.auditioning().is_some(), "it waits for what is being made");
    assert_eq!(player.take_missing(), 0);
}
