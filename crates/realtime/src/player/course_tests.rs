//! The pinned take at its end and under tempo: loops, fades, bars.

use core::sync::atomic::AtomicU32;
use std::vec::Vec;

use super::*;
use crate::course::AtEnd;
use crate::timeline::{Timeline, Transport};
use crate::view::Segment;

const RATE_HZ: f64 = 8_000.0;
const SOURCE: Source = Source { slot: 0, variation: 0, with_seed: true, matched: false };

/// A whole take; how much of it can be read is said for each block.
struct Sound([Vec<AtomicU32>; 2]);

impl Sound {
    fn new(frames: usize, value: impl Fn(usize) -> [f32; 2]) -> Self {
        Self([0, 1].map(|side| (0..frames).map(|frame| AtomicU32::new(value(frame)[side].to_bits())).collect()))
    }

    fn tone(frames: usize, hz: f64) -> Self {
        let value = |frame: usize| (core::f64::consts::TAU * hz * frame as f64 / RATE_HZ).sin() as f32 * 0.5;
        Self::new(frames, |frame| [value(frame); 2])
    }

    fn view(&self, ready: usize) -> TakeView<'_> {
        let [left, right] = &self.0;
        TakeView::new(Segment::EMPTY, Segment::EMPTY, Segment { left, right }, ready)
    }
}

/// A song whose tempo changes at frames, the first of them 0.
struct Song<'a>(&'a [(i64, f64)]);

impl Song<'_> {
    fn tempo(&self, at: i64) -> f64 {
        self.0.iter().rev().find(|(from, _)| *from <= at).unwrap_or(&self.0[0]).1
    }

    fn beats(&self, at: i64) -> f64 {
        let Some(now) = self.0.iter().rposition(|(from, _)| *from < at) else {
            return at as f64 / RATE_HZ / 60.0 * self.0[0].1;
        };
        let (from, tempo) = self.0[now];
        let before = if now == 0 { 0.0 } else { self.beats(from) };
        before + (at - from) as f64 / RATE_HZ / 60.0 * tempo
    }

    fn at(&self, at: i64) -> Transport {
        let seconds = Some(at as f64 / RATE_HZ);
        // As exact as CLAP is.
        let beats = (self.beats(at) * f64::from(1_u32 << 31)).round() / f64::from(1_u32 << 31);
        Transport { playing: true, tempo: self.tempo(at), beats: Some(beats), seconds, frames: Some(at) }
    }

    /// Where the block that begins at `at` ends: a host says a new tempo with a new block.
    fn end(&self, at: i64, most: i64) -> i64 {
        self.0.iter().map(|(from, _)| *from).filter(|from| *from > at).fold(at + most, i64::min)
    }
}

/// Plays a song from a frame on in blocks, of a take that has every frame that was asked for and no other.
fn play(
    sound: &Sound,
    song: &Song<'_>,
    course: Course,
    pin: f64,
    from: i64,
    frames: usize,
    block: usize,
) -> Vec<[f32; 2]> {
    let mut player = Player::new(RATE_HZ as u32);
    play_on(&mut player, &mut Timeline::new(), (sound, song, course, pin), from, frames, block)
}

fn play_on(
    player: &mut Player,
    timeline: &mut Timeline,
    (sound, song, course, pin): (&Sound, &Song<'_>, Course, f64),
    from: i64,
    frames: usize,
    block: usize,
) -> Vec<[f32; 2]> {
    let (mut heard, mut at) = (Vec::new(), from);
    while heard.len() < frames {
        let end = song.end(at, block.min(frames - heard.len()) as i64);
        let count = (end - at) as usize;
        let cue = timeline.advance(&song.at(at), pin, RATE_HZ, count);
        player.go(cue, (SOURCE, false), (course, timeline.beat(4.0)), count);
        let mut ready = 0;
        player.needs(count + player.declick_frames() + 1, |_, end| ready = ready.max(end));
        let mut out = [std::vec![0.0; count], std::vec![0.0; count]];
        let [left, right] = &mut out;
        player.mix(|_| Some(sound.view(ready.max(0) as usize)), left, right);
        heard.extend((0..count).map(|frame| [out[0][frame], out[1][frame]]));
        at = end;
    }
    assert_eq!(player.take_missing(), 0, "frames were read that nobody had asked for");
    heard
}

fn largest_step(heard: &[[f32; 2]]) -> f32 {
    heard.windows(2).map(|pair| (pair[1][0] - pair[0][0]).abs()).fold(0.0, f32::max)
}

fn looped(frames: i64, from: i64, crossfade: u32, whole_bars: bool) -> Course {
    Course { frames, at_end: AtEnd::Loop { from, crossfade, whole_bars }, tempo: None }
}

const STEADY: Song<'_> = Song(&[(0, 120.0)]);

#[test]
fn a_loop_keeps_its_power_where_end_and_beginning_meet() {
    // What is looped begins on the right and ends on the left: each alone at one.
    let sound = Sound::new(8_000, |frame| if frame < 5_000 { [0.0, 1.0] } else { [1.0, 0.0] });
    for from in [0, 2_000] {
        let heard = play(&sound, &STEADY, looped(8_000, from, 800, false), 0.0, 0, 30_000, 256);
        for (frame, [left, right]) in heard.iter().enumerate() {
            assert!((left * left + right * right - 1.0).abs() < 1e-5, "frame {frame} of {from}: {left}, {right}");
        }
        // In the very middle of the crossfade both are as loud.
        let [left, right] = heard[8_000 - 800 + 400];
        assert!((left - right).abs() < 0.01 && left > 0.7, "{left}, {right}");
        let period = (8_000 - 800 - from) as usize;
        assert!(heard[9_000..9_000 + period].iter().zip(&heard[9_000 + period..]).all(|(a, b)| a == b));
    }
}

#[test]
fn blocks_of_any_size_give_the_same_and_no_frame_is_missed() {
    let sound = Sound::tone(20_011, 333.3);
    let song = Song(&[(0, 120.0), (9_003, 97.0), (31_007, 140.3), (50_000, 120.0)]);
    let fade = Course { frames: 20_011, at_end: AtEnd::Fade { frames: 9_000 }, tempo: None };
    let mut courses = std::vec![fade, Course { tempo: Some(110.0), ..fade }, Course { tempo: Some(120.0), ..fade }];
    for whole_bars in [false, true] {
        for from in [0, 5_003] {
            for tempo in [None, Some(110.0), Some(120.0)] {
                courses.push(Course { tempo, ..looped(20_011, from, 400, whole_bars) });
            }
        }
    }
    courses.push(looped(20_011, 19_000, 400, false));
    for course in courses {
        let first = play(&sound, &song, course, 1.3, -700, 90_000, 1_024);
        assert!(largest_step(&first) < 0.25, "{course:?} clicks: {}", largest_step(&first));
        for block in [32, 64, 441, 30_000] {
            let heard = play(&sound, &song, course, 1.3, -700, 90_000, block);
            let other = heard.iter().zip(&first).position(|(a, b)| a.map(f32::to_bits) != b.map(f32::to_bits));
            assert_eq!(other, None, "{course:?} in blocks of {block}");
        }
    }
}

#[test]
fn another_course_begins_on_its_frame_whatever_the_blocks() {
    let sound = Sound::tone(20_011, 333.3);
    let song = Song(&[(0, 120.0), (9_003, 97.0), (31_007, 140.3), (90_001, 71.0), (140_000, 120.0)]);
    let mut courses = std::vec![looped(20_011, 0, 900, false)];
    for tempo in [None, Some(120.0), Some(101.3)] {
        for (from, crossfade, whole_bars) in [(0, 900, true), (5_003, 40, true), (5_003, 900, false), (0, 40, false)] {
            courses.push(Course { tempo, ..looped(20_011, from, crossfade, whole_bars) });
        }
    }
    let whole = |block: usize| {
        let (mut player, mut timeline) = (Player::new(RATE_HZ as u32), Timeline::new());
        let mut heard: Vec<[f32; 2]> = Vec::new();
        for course in &courses {
            let what = (&sound, &song, *course, 0.7);
            heard.extend(play_on(&mut player, &mut timeline, what, heard.len() as i64, 17_011, block));
        }
        heard
    };
    let first = whole(1_024);
    // Two passes of a tone that is read up to 1.4 times as fast.
    assert!(largest_step(&first) < 0.3, "{}", largest_step(&first));
    for block in [32, 64, 441] {
        let other = whole(block).iter().zip(&first).position(|(a, b)| a.map(f32::to_bits) != b.map(f32::to_bits));
        assert_eq!(other, None, "blocks of {block}");
    }
}

#[test]
fn passes_of_whole_bars_begin_at_bars_and_those_that_are_too_short_wait_for_them() {
    // Bars of 2 s. The value says the frame.
    let ramp = |frames: usize| Sound::new(frames, |frame| [frame as f32 * 1e-5 + 0.1; 2]);
    let frame_of = |value: f32| ((value - 0.1) / 1e-5).round() as i64;
    for (frames, bars, ends) in [(37_000, 2, false), (28_000, 2, true), (5_000, 1, true)] {
        let sound = ramp(frames as usize);
        let heard = play(&sound, &STEADY, looped(frames, 0, 400, true), 0.0, 0, 3 * bars * 16_000, 512);
        for pass in 0..3 {
            let at = pass * bars * 16_000 + 2_000;
            assert_eq!(frame_of(heard[at][0]), 2_000, "pass {pass} of {frames} frames");
        }
        let rest = &heard[(frames as usize).min(bars * 16_000)..bars * 16_000];
        assert_eq!(ends, !rest.is_empty() && rest.iter().all(|frame| frame[0] == 0.0));
        assert!(largest_step(&heard[1..]) < 0.02 || ends);
    }
    // At another tempo, passes are as many of its bars; the take itself is no faster.
    let heard = play(&ramp(37_000), &Song(&[(0, 60.0)]), looped(37_000, 0, 400, true), 0.0, 0, 70_000, 512);
    assert_eq!([2_000, 34_000].map(|at| frame_of(heard[at][0])), [2_000, 2_000]);
    // The tempo changes on the way: the next pass still begins at its bar.
    let song = Song(&[(0, 120.0), (16_000, 60.0)]);
    let heard = play(&ramp(37_000), &song, looped(37_000, 0, 400, true), 0.0, 0, 60_000, 512);
    assert_eq!([16_001, 48_000 + 2_000].map(|at| frame_of(heard[at][0])), [16_001, 2_000]);
}

#[test]
fn a_seek_into_a_loop_finds_what_would_play_there() {
    let sound = Sound::tone(20_011, 333.3);
    for course in [
        looped(20_011, 0, 800, false),
        looped(20_011, 7_000, 800, false),
        looped(20_011, 7_000, 800, true),
        Course { tempo: Some(120.0), ..looped(20_011, 7_000, 800, false) },
        Course { tempo: Some(101.0), ..looped(20_011, 7_000, 800, true) },
    ] {
        let whole = play(&sound, &STEADY, course, 2.0, 0, 120_000, 512);
        // Within a pass, and in the middle of where two of them meet.
        for from in [15_000, 40_000, 8_000 + 19_211 + 300, 8_000 + 19_211 + 12_211 + 100, 77_777] {
            let sought = play(&sound, &STEADY, course, 2.0, from, 20_000, 512);
            // A place between two frames is found to the nearer one.
            let (settled, near) = (41 + 60, if course.tempo == Some(101.0) { 0.07 } else { 2e-3 });
            for (frame, (a, b)) in whole[from as usize..].iter().zip(&sought).enumerate().skip(settled) {
                assert!((a[0] - b[0]).abs() < near, "{course:?}: {frame} after {from}: {} and {}", a[0], b[0]);
            }
        }
    }
}

#[test]
fn a_take_in_bars_goes_as_fast_as_the_song_and_stands_where_its_beats_are() {
    // A slow ramp: the value tells the place in the take.
    let sound = Sound::new(64_000, |frame| [frame as f32 * 1e-5; 2]);
    let course = Course { frames: 64_000, at_end: AtEnd::Stop, tempo: Some(100.0) };
    let song = Song(&[(0, 100.0), (10_000, 150.0), (20_000, 75.0), (30_000, 100.0)]);
    let heard = play(&sound, &song, course, 0.0, 0, 60_000, 512);
    // Frames of the take per beat: 60 / 100 s.
    for at in (100..60_000).step_by(997) {
        let place = song.beats(at) * 0.6 * RATE_HZ;
        let found = f64::from(heard[at as usize][0]) * 1e5;
        assert!(place > 63_900.0 || (found - place).abs() < 1.0, "{found} for {place} at {at}");
    }
    // At its own tempo it is what it is, to the bit.
    let plain = play(&sound, &STEADY, Course { tempo: Some(120.0), ..course }, 1.0, 0, 60_000, 512);
    let kept = play(&sound, &STEADY, Course { tempo: None, ..course }, 1.0, 0, 60_000, 512);
    assert!(plain == kept);
}

#[test]
fn a_host_whose_tempo_glides_is_followed_without_a_jump() {
    let sound = Sound::new(120_000, |frame| [frame as f32 * 1e-5; 2]);
    let course = Course { frames: 120_000, at_end: AtEnd::Stop, tempo: Some(120.0) };
    for block in [32, 64, 441, 1_024] {
        let (mut player, mut timeline) = (Player::new(RATE_HZ as u32), Timeline::new());
        // Beats of a tempo that rises from 100 by 10 a second; it is reported as it is at a block's first frame.
        let beats = |at: i64| {
            let seconds = at as f64 / RATE_HZ;
            (100.0 * seconds + 5.0 * seconds * seconds) / 60.0
        };
        let (mut before, mut at) = (0.0_f32, 0_i64);
        while at < 48_000 {
            let seconds = at as f64 / RATE_HZ;
            let tempo = 100.0 + 10.0 * seconds;
            let now =
                Transport { playing: true, tempo, beats: Some(beats(at)), seconds: Some(seconds), frames: Some(at) };
            let cue = timeline.advance(&now, 0.0, RATE_HZ, block);
            player.go(cue, (SOURCE, false), (course, timeline.beat(4.0)), block);
            let mut out = [std::vec![0.0; block], std::vec![0.0; block]];
            let [left, right] = &mut out;
            player.mix(|_| Some(sound.view(120_000)), left, right);
            for value in left {
                assert!((*value - before).abs() < 3e-5, "a jump from {before} to {value}, blocks of {block}");
                before = *value;
            }
            at += block as i64;
        }
        let (found, wanted) = (f64::from(before) * 1e5, beats(at) * 0.5 * RATE_HZ);
        assert!((found - wanted).abs() < 30.0, "{found} frames for {wanted}, blocks of {block}");
    }
}

#[test]
fn a_fade_ends_in_silence_at_the_takes_end() {
    let sound = Sound::new(16_000, |_| [0.5; 2]);
    let course = Course { frames: 16_000, at_end: AtEnd::Fade { frames: 8_000 }, tempo: None };
    let heard = play(&sound, &STEADY, course, 0.0, 0, 20_000, 512);
    assert!(heard[..8_000].iter().all(|frame| frame[0] == 0.5));
    assert!(
        heard[8_001..16_000].is_sorted_by(|a, b| a[0] >= b[0]) && heard[16_000..].iter().all(|frame| frame[0] == 0.0)
    );
    assert!((heard[12_000][0] - 0.5 * core::f32::consts::FRAC_1_SQRT_2).abs() < 1e-3);
}

#[test]
fn another_course_on_the_way_goes_on_from_the_same_place() {
    let sound = Sound::tone(24_000, 100.0);
    let stop = Course { frames: 24_000, at_end: AtEnd::Stop, tempo: None };
    let (mut player, mut timeline) = (Player::new(RATE_HZ as u32), Timeline::new());
    let mut heard = play_on(&mut player, &mut timeline, (&sound, &STEADY, stop, 0.0), 0, 10_000, 100);
    for course in [looped(24_000, 0, 400, false), looped(24_000, 8_000, 400, true), stop] {
        let from = heard.len() as i64;
        heard.extend(play_on(&mut player, &mut timeline, (&sound, &STEADY, course, 0.0), from, 2_000, 100));
    }
    let plain = play(&sound, &STEADY, stop, 0.0, 0, 16_000, 64);
    assert!(heard == plain, "nothing of it matters before the end");
    // Loops that are there in time are played, and those that are taken away end.
    let go = |player: &mut Player, timeline: &mut Timeline, course, from, frames| {
        play_on(player, timeline, (&sound, &STEADY, course, 0.0), from, frames, 100)
    };
    let on = go(&mut player, &mut timeline, looped(24_000, 0, 400, false), 16_000, 10_000);
    assert!(on[9_000..].iter().any(|frame| frame[0].abs() > 0.4) && largest_step(&on) < 0.06);
    let off = go(&mut player, &mut timeline, stop, 26_000, 1_000);
    assert!(off[100..].iter().all(|frame| frame[0] == 0.0) && largest_step(&off) < 0.06);
}

#[test]
fn nonsense_of_a_host_or_a_project_is_survived() {
    let sound = Sound::tone(9_000, 100.0);
    let ends = [
        AtEnd::Loop { from: i64::MIN, crossfade: u32::MAX, whole_bars: true },
        AtEnd::Loop { from: i64::MAX, crossfade: 0, whole_bars: false },
        AtEnd::Loop { from: 0, crossfade: 0, whole_bars: true },
        AtEnd::Fade { frames: u32::MAX },
    ];
    for at_end in ends {
        for tempo in [None, Some(1e-3), Some(1e9)] {
            let mut player = Player::new(RATE_HZ as u32);
            let mut timeline = Timeline::new();
            for (index, beats) in [0.0, -1e300, f64::NAN, 1e300, 3.0, 1e17].into_iter().enumerate() {
                let tempo_now = [120.0, 1e300, 1e-300, f64::NAN, -3.0][index % 5];
                let now =
                    Transport { playing: true, tempo: tempo_now, beats: Some(beats), seconds: None, frames: None };
                for per_bar in [4.0, 0.0, f64::NAN, 1e300, 1e-300] {
                    let cue = timeline.advance(&now, 1.0, RATE_HZ, 700);
                    let course = Course { frames: 9_000, at_end, tempo };
                    player.go(cue, (SOURCE, false), (course, timeline.beat(per_bar)), 700);
                    player.needs(1_000, |_, _| {});
                    let mut out = [[0.0; 700], [0.0; 700]];
                    let [left, right] = &mut out;
                    player.mix(|_| Some(sound.view(9_000)), left, right);
                    assert!(out.iter().flatten().all(|value| value.is_finite()));
                }
            }
        }
    }
}
