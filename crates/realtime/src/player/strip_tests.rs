//! Takes one after another: where one goes over to the next, what ends, and that it is the same however it is cut and come to.

use core::sync::atomic::AtomicU32;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::course::{AtEnd, Every};
use crate::timeline::{Timeline, Transport};
use crate::view::Segment;

const RATE_HZ: f64 = 8_000.0;
/// Frames of a quarter note at 120.
const BEAT: usize = 4_000;
const DECLICK: usize = 40;

/// What lies in one slot: a level on each side.
struct Sound([Vec<AtomicU32>; 2]);

impl Sound {
    fn new(frames: usize, value: impl Fn(usize) -> [f32; 2]) -> Self {
        Self([0, 1].map(|side| (0..frames).map(|frame| AtomicU32::new(value(frame)[side].to_bits())).collect()))
    }

    fn view(&self) -> TakeView<'_> {
        let [left, right] = &self.0;
        TakeView::new(Segment::EMPTY, Segment::EMPTY, Segment { left, right }, left.len())
    }
}

/// 16 beats on the left, 16 on the right, and one and a half of a ramp on both.
fn sounds() -> [Sound; 3] {
    [
        Sound::new(16 * BEAT, |_| [1.0, 0.0]),
        Sound::new(16 * BEAT, |_| [0.0, 1.0]),
        Sound::new(6_000, |frame| [frame as f32 / 6_000.0; 2]),
    ]
}

fn placed(slot: u8, begin: f64, length: Option<f64>) -> Placement {
    let frames = if slot == 2 { 6_000 } else { 16 * BEAT as i64 };
    Placement {
        begin,
        length,
        gain: 1.0,
        source: Source { slot, variation: 0, with_seed: true, matched: false },
        soft: false,
        course: Course { frames, at_end: AtEnd::Stop, tempo: None },
        fade: 0,
    }
}

fn repeated(slot: u8, begin: f64, every: Every, passes: u32) -> Placement {
    let plain = placed(slot, begin, None);
    let at_end = AtEnd::Repeat { from: 0, crossfade: 80, every, passes, fade: 0 };
    Placement { course: Course { at_end, ..plain.course }, ..plain }
}

/// A song that goes on from a frame, with tempo changes at frames of it.
#[derive(Clone)]
struct Song {
    tempos: Vec<(i64, f64)>,
    /// Frames at which the transport goes elsewhere.
    jumps: Vec<(i64, i64)>,
}

impl Song {
    fn steady() -> Self {
        Self { tempos: std::vec![(-100_000, 120.0)], jumps: Vec::new() }
    }

    fn tempo(&self, at: i64) -> f64 {
        self.tempos.iter().rev().find(|(from, _)| *from <= at).map_or(120.0, |(_, tempo)| *tempo)
    }

    fn beats(&self, at: i64) -> f64 {
        let mut beats = at.min(0) as f64 / RATE_HZ / 60.0 * 120.0;
        let mut from = 0;
        while from < at {
            let next = self.tempos.iter().map(|(next, _)| *next).filter(|next| *next > from).min();
            let end = next.unwrap_or(at).min(at);
            beats += (end - from) as f64 / RATE_HZ / 60.0 * self.tempo(from);
            from = end;
        }
        beats
    }

    fn at(&self, at: i64) -> Transport {
        // As exact as CLAP is.
        let beats = (self.beats(at) * f64::from(1_u32 << 31)).round() / f64::from(1_u32 << 31);
        let seconds = Some(at as f64 / RATE_HZ);
        Transport { playing: true, tempo: self.tempo(at), beats: Some(beats), seconds, frames: Some(at) }
    }
}

/// Plays a row through a song, in blocks of these sizes over and over.
fn play(row: &[Placement], song: &Song, from: i64, frames: usize, blocks: &[usize], crossfade: u32) -> Vec<[f32; 2]> {
    let sounds = sounds();
    let (mut player, mut timeline) = (Player::new(RATE_HZ as u32), Timeline::new());
    let (mut heard, mut at, mut blocks) = (Vec::new(), from, blocks.iter().cycle());
    while heard.len() < frames {
        let done = heard.len() as i64;
        let jump = song.jumps.iter().find(|(when, _)| *when == done);
        at = jump.map_or(at, |(_, to)| *to);
        let most = blocks.next().copied().unwrap_or(64).min(frames - heard.len()) as i64;
        let tempo = song.tempos.iter().map(|(next, _)| next - at).filter(|left| *left > 0).min().unwrap_or(most);
        let jump = song.jumps.iter().map(|(when, _)| when - done).filter(|left| *left > 0).min().unwrap_or(most);
        let count = most.min(tempo).min(jump) as usize;
        player.arrange(row.iter().copied());
        let cue = timeline.advance(&song.at(at), 0.0, RATE_HZ, count);
        player.go_along(cue, timeline.beat(4.0), crossfade, count);
        let mut out = [std::vec![0.0; count], std::vec![0.0; count]];
        let [left, right] = &mut out;
        player.mix(|source| Some(sounds[usize::from(source.slot)].view()), left, right);
        heard.extend((0..count).map(|frame| [out[0][frame], out[1][frame]]));
        at += count as i64;
    }
    assert_eq!(player.take_missing(), 0);
    heard
}

fn steady(row: &[Placement], frames: usize, crossfade: u32) -> Vec<[f32; 2]> {
    play(row, &Song::steady(), 0, frames, &[256], crossfade)
}

#[test]
fn one_take_goes_over_to_the_next_with_equal_power_on_its_beat() {
    // Adjoining, overlapping, and a take that would go on for ever.
    for first in [placed(0, 0.0, Some(4.0)), placed(0, 0.0, Some(6.0)), repeated(0, 0.0, Every::Beats(8.0), 0)] {
        let heard = steady(&[first, placed(1, 4.0, None)], 6 * BEAT, 800);
        let begin = 4 * BEAT;
        assert!(heard[..begin].iter().all(|frame| *frame == [1.0, 0.0]));
        for (frame, [left, right]) in heard[begin..begin + 800].iter().enumerate() {
            assert!((left * left + right * right - 1.0).abs() < 1e-5, "frame {frame}: {left}, {right}");
            assert!(*left < 1.0 && *right > 0.0);
        }
        assert!(heard[begin + 800..].iter().all(|frame| *frame == [0.0, 1.0]));
    }
}

#[test]
fn what_has_ended_leaves_silence_and_the_next_begins_as_it_is() {
    let heard = steady(&[placed(2, 1.0, None), placed(1, 3.0, None)], 4 * BEAT, 800);
    assert!(heard[..BEAT].iter().all(|frame| *frame == [0.0; 2]));
    for frame in 0..6_000 - DECLICK {
        assert_eq!(heard[BEAT + frame], [frame as f32 / 6_000.0; 2]);
    }
    assert!(heard[BEAT + 6_000..3 * BEAT].iter().all(|frame| *frame == [0.0; 2]));
    assert!(heard[3 * BEAT..].iter().all(|frame| *frame == [0.0, 1.0]), "nothing is left that would go over to it");
    // Of half a crossfade that is left, half a crossfade is made.
    let heard = steady(&[placed(2, 1.0, None), placed(1, 2.4, None)], 4 * BEAT, 800);
    let begin = BEAT * 24 / 10;
    assert!(heard[begin][1] < 0.95 && heard[begin + 400..].iter().all(|frame| *frame == [0.0, 1.0]));
}

#[test]
fn a_length_ends_a_take_and_a_fade_comes_before_that_end_alone() {
    let cut = placed(0, 0.0, Some(3.0));
    let heard = steady(&[cut], 5 * BEAT, 800);
    assert!(heard[..3 * BEAT].iter().all(|frame| *frame == [1.0, 0.0]));
    assert!(heard[3 * BEAT..3 * BEAT + DECLICK].windows(2).all(|pair| pair[1][0] < pair[0][0]));
    assert!(heard[3 * BEAT + DECLICK..].iter().all(|frame| *frame == [0.0; 2]));
    let faded = Placement { fade: 2_000, ..cut };
    let heard = steady(&[faded, placed(1, 4.0, None)], 5 * BEAT, 800);
    assert!(heard[..3 * BEAT - 2_000].iter().all(|frame| *frame == [1.0, 0.0]));
    assert!(heard[3 * BEAT - 2_000..3 * BEAT].windows(2).all(|pair| pair[1][0] < pair[0][0]));
    assert!(heard[3 * BEAT][0] < 0.01);
    // Where another one follows at once, there is no end.
    let heard = steady(&[faded, placed(1, 3.0, None)], 5 * BEAT, 800);
    assert!(heard[..3 * BEAT].iter().all(|frame| *frame == [1.0, 0.0]));
    // The same of a take that comes to its own end.
    let own = placed(2, 0.0, None);
    let fading = Placement { course: Course { at_end: AtEnd::Fade { frames: 2_000 }, ..own.course }, ..own };
    let heard = steady(&[fading, placed(1, 8.0, None)], 3 * BEAT, 800);
    assert!(heard[5_000][0] < 0.8 * 5_000.0 / 6_000.0);
    let heard = steady(&[fading, placed(1, 1.5, None)], 3 * BEAT, 800);
    assert_eq!(heard[5_000][0], 5_000.0 / 6_000.0);
}

#[test]
fn a_take_is_repeated_as_often_as_is_said() {
    let ramp = |heard: &[[f32; 2]], begin: usize| {
        (100..5_800).all(|frame| heard[begin + frame] == [frame as f32 / 6_000.0; 2])
    };
    // Every two beats: it waits for its beat, three times in all.
    let heard = steady(&[repeated(2, 0.0, Every::Beats(2.0), 3)], 10 * BEAT, 800);
    assert!((0..3).all(|pass| ramp(&heard, pass * 2 * BEAT)));
    assert!(heard[4 * BEAT + 6_000..].iter().all(|frame| *frame == [0.0; 2]));
    // At its own length: the crossfade of 80 frames is in it.
    let heard = steady(&[repeated(2, 0.0, Every::Loop, 4)], 10 * BEAT, 800);
    assert!((0..4).all(|pass| ramp(&heard, pass * 5_920)));
    assert!(heard[4 * 5_920 + 80..].iter().all(|frame| *frame == [0.0; 2]));
    // Until the next one.
    let heard = steady(&[repeated(2, 0.0, Every::Beats(2.0), 0), placed(1, 12.0, None)], 13 * BEAT, 800);
    assert!((0..6).all(|pass| ramp(&heard, pass * 2 * BEAT)) && heard[12 * BEAT + 1] == [0.0, 1.0]);
    // The last pass fades out at the take's end.
    let fading = repeated(2, 0.0, Every::Loop, 2);
    let at_end = AtEnd::Repeat { from: 0, crossfade: 80, every: Every::Loop, passes: 2, fade: 3_000 };
    let fading = Placement { course: Course { at_end, ..fading.course }, ..fading };
    let heard = steady(&[fading], 10 * BEAT, 800);
    assert!(ramp(&heard, 0) && heard[5_920 + 5_000][0] < 0.8 * 5_000.0 / 6_000.0);
}

#[test]
fn a_level_is_its_own() {
    let quiet = Placement { gain: 0.25, ..placed(0, 0.0, Some(2.0)) };
    let heard = steady(&[quiet, placed(1, 2.0, None)], 4 * BEAT, 400);
    assert!(heard[..2 * BEAT].iter().all(|frame| *frame == [0.25, 0.0]));
    assert!(heard[2 * BEAT + 400..].iter().all(|frame| *frame == [0.0, 1.0]));
}

/// Rows of all kinds.
fn row() -> Vec<Placement> {
    std::vec![
        Placement { soft: true, ..placed(0, 0.5, Some(2.0)) },
        repeated(2, 2.5, Every::Beats(1.0), 2),
        Placement { gain: 0.5, ..placed(1, 4.0, Some(1.5)) },
        Placement { fade: 900, ..placed(0, 5.25, Some(1.0)) },
        repeated(2, 8.0, Every::WholeBars, 0),
        repeated(2, 13.0, Every::Loop, 3),
        placed(1, 20.0, None),
    ]
}

#[test]
fn where_the_song_goes_to_is_where_it_would_have_come() {
    let row = row();
    let whole = steady(&row, 24 * BEAT, 400);
    for to in (0..23).flat_map(|beat| [beat * 4_000 + 10, beat * 4_000 + 200, beat * 4_000 + 2_177]) {
        let there = play(&row, &Song::steady(), to, BEAT, &[256], 400);
        for frame in DECLICK..BEAT {
            let (a, b) = (there[frame], whole[to as usize + frame]);
            let near = (a[0] - b[0]).abs() < 1e-5 && (a[1] - b[1]).abs() < 1e-5;
            assert!(near, "frame {frame} after {to}: {a:?}, {b:?}");
        }
    }
    // The host's loop: back from beat 6 to beat 2, without a click.
    let song = Song { jumps: std::vec![(24_000, 8_000), (40_000, 8_000)], ..Song::steady() };
    let heard = play(&row, &song, 0, 14 * BEAT, &[250], 400);
    assert!((24_000 + DECLICK..40_000).all(|at| (heard[at][0] - whole[at - 16_000][0]).abs() < 1e-5));
    for jump in [24_000, 40_000] {
        let steps = heard[jump - 1..jump + DECLICK].windows(2);
        assert!(
            steps.flat_map(|pair| [0, 1].map(|side| (pair[1][side] - pair[0][side]).abs())).all(|step| step < 0.06)
        );
    }
}

#[test]
fn a_placement_begins_on_its_beat_whatever_the_tempo_was_before() {
    let row = [placed(0, 0.0, None), placed(1, 6.0, None)];
    // Four beats at 120, one at 60, and one at 240.
    let tempos = std::vec![(-100_000, 120.0), (16_000, 60.0), (24_000, 240.0)];
    let heard = play(&row, &Song { tempos, jumps: Vec::new() }, -500, 30_000, &[333], 400);
    let begin = heard.iter().position(|frame| frame[1] > 0.0).unwrap();
    assert_eq!(begin, 500 + 16_000 + 8_000 + 2_000);
    // In bars, a take runs with the tempo: one of six beats at 120 goes on for as long.
    let mut ramp = placed(2, 0.0, None);
    ramp.course.tempo = Some(60.0);
    let tempos = std::vec![(-100_000, 120.0)];
    let heard = play(&[ramp], &Song { tempos, jumps: Vec::new() }, 0, 8_000, &[333], 400);
    assert!((heard[1_500][0] - 0.5).abs() < 0.01 && heard[3_100..].iter().all(|frame| *frame == [0.0; 2]));
}

#[test]
fn another_row_takes_over_without_a_step_and_the_same_one_goes_on() {
    let sounds = sounds();
    let (mut player, mut timeline) = (Player::new(RATE_HZ as u32), Timeline::new());
    let mut heard = Vec::new();
    for block in 0..200_i64 {
        let row = match block {
            // A level is turned, another one moves, and what plays is in another slot.
            0..60 => [placed(0, 0.0, None), placed(1, 30.0, None)],
            60..100 => [Placement { gain: 0.5, ..placed(0, 0.0, None) }, placed(1, 30.0, None)],
            100..150 => [Placement { gain: 0.5, ..placed(0, 0.0, None) }, placed(1, 31.0, None)],
            _ => [Placement { gain: 0.5, ..placed(1, 0.0, None) }, placed(1, 31.0, None)],
        };
        player.arrange(row.into_iter());
        let cue = timeline.advance(&Song::steady().at(block * 64), 0.0, RATE_HZ, 64);
        player.go_along(cue, timeline.beat(4.0), 400, 64);
        let mut out = [[0.0; 64]; 2];
        let [left, right] = &mut out;
        player.mix(|source| Some(sounds[usize::from(source.slot)].view()), left, right);
        heard.extend((0..64).map(|frame| out[0][frame] + out[1][frame]));
    }
    assert!(heard.windows(2).all(|pair| (pair[1] - pair[0]).abs() < 0.03), "no step");
    assert!(heard[60 * 64 + DECLICK..].iter().all(|value| (0.45..=0.55).contains(value)), "it goes on");
    assert!(player.uses(1) && !player.uses(0));
    player.stop_arrangement();
    let mut out = [[0.0; 64]; 2];
    let [left, right] = &mut out;
    player.mix(|source| Some(sounds[usize::from(source.slot)].view()), left, right);
    assert!(out[1][0] > 0.45 && out[1][DECLICK] == 0.0 && !player.uses(1));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// However the host cuts time into blocks, whatever the tempo does and wherever the song goes.
    #[test]
    fn block_sizes_do_not_matter(
        blocks in proptest::collection::vec(1_usize..3_000, 1..20),
        places in proptest::collection::vec((0_u8..3, 1_u32..24, 0_u32..24, 0_u32..4), 1..12),
        changes in proptest::collection::vec((0_i64..60_000, 40.0_f64..240.0), 0..4),
        jumps in proptest::collection::vec((1_i64..80_000, 0_i64..60_000), 0..3),
        crossfade in 0_u32..1_500,
        in_bars: bool,
    ) {
        let mut begin = 0.0;
        let row: Vec<Placement> = places.iter().map(|(slot, gap, length, passes)| {
            let mut placement = if *passes == 0 {
                placed(*slot, begin, (*length > 0).then(|| f64::from(*length) / 4.0))
            } else {
                let every = [Every::Loop, Every::WholeBars, Every::Beats(f64::from(1 + length) / 4.0)][*length as usize % 3];
                repeated(*slot, begin, every, passes % 3)
            };
            placement.fade = length * 50;
            if placement.course.at_end == AtEnd::Stop && length % 3 == 1 {
                placement.course.at_end = AtEnd::Fade { frames: 700 };
            }
            placement.course.tempo = in_bars.then_some(120.0);
            begin += f64::from(*gap) / 4.0;
            placement
        }).collect();
        let mut tempos = std::vec![(-100_000, 120.0)];
        tempos.extend(changes);
        tempos.sort_by_key(|(at, _)| *at);
        tempos.dedup_by_key(|(at, _)| *at);
        let song = Song { tempos, jumps };
        let bits = |heard: Vec<[f32; 2]>| heard.into_iter().map(|frame| frame.map(f32::to_bits)).collect::<Vec<_>>();
        let whole = bits(play(&row, &song, -300, 90_000, &[4_096], crossfade));
        let parts = bits(play(&row, &song, -300, 90_000, &blocks, crossfade));
        let differs = whole.iter().zip(&parts).position(|(a, b)| a != b);
        prop_assert_eq!(differs, None);
    }
}
