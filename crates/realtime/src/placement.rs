//! Takes placed one after another in the song: what there is to play, and where one goes over to the next.

use crate::course::{Beat, Course};
use crate::head::Source;

/// Most takes in an arrangement.
pub const PLACEMENTS: usize = 64;

/// Quarter notes by which places are the same: far less than a frame, and more than what hosts round off.
const SAME: f64 = 1e-6;

/// A take at its place in the song. It sounds until its end, until the end of its `length`, or until the next one begins.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Placement {
    /// Quarter notes from the song's start to its first frame.
    pub begin: f64,
    /// Quarter notes after which it ends, whatever of it is left. `None`: at its own end, if it has one.
    pub length: Option<f64>,
    /// Its level, a factor.
    pub gain: f32,
    /// What is read.
    pub source: Source,
    /// Whether its first frame is already in the middle of a sound.
    pub soft: bool,
    /// How it goes through the song from its begin on.
    pub course: Course,
    /// Frames over which it fades out before the end of its `length`, where no other one follows there; 0: it stops.
    pub fade: u32,
}

/// The placements of an arrangement in the order of their begins.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    placements: [Placement; PLACEMENTS],
    count: usize,
}

/// What comes next in a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Event {
    /// A placement begins.
    Begin(usize),
    /// The one before ends, and none follows at once.
    End,
}

impl Row {
    pub(crate) const fn new() -> Self {
        let source = Source { slot: 0, variation: 0, with_seed: false, matched: false };
        let none =
            Placement { begin: 0.0, length: None, gain: 1.0, source, soft: false, course: Course::PLAIN, fade: 0 };
        Self { placements: [none; PLACEMENTS], count: 0 }
    }

    /// Takes other placements in; what has no place, or is no number, is left out. Says whether what was played cannot go on:
    /// another one is where it was, or it is somewhere else.
    pub(crate) fn set(&mut self, placements: impl Iterator<Item = Placement>) -> bool {
        let (before, mut changed) = (self.count, false);
        self.count = 0;
        for placement in placements.filter(|placement| placement.begin.is_finite()).take(PLACEMENTS) {
            let own = &mut self.placements[self.count];
            let same = own.begin.to_bits() == placement.begin.to_bits()
                && own.length.map(f64::to_bits) == placement.length.map(f64::to_bits)
                && own.source.slot == placement.source.slot;
            changed |= !same || self.count >= before;
            *own = placement;
            self.count += 1;
        }
        changed || self.count != before
    }

    pub(crate) fn get(&self, index: usize) -> Option<&Placement> {
        self.placements[..self.count].get(index)
    }

    /// The last placement that has begun.
    pub(crate) fn begun(&self, beat: &Beat) -> Option<usize> {
        self.placements[..self.count].iter().rposition(|placement| beat.until(placement.begin) == 0)
    }

    /// Where a placement ends before the next one begins; `None` where it goes on until then, or by itself.
    pub(crate) fn end(&self, index: usize) -> Option<f64> {
        let placement = self.get(index)?;
        let end = placement.begin + placement.length?;
        let follows = self.get(index + 1).is_some_and(|next| next.begin <= end + SAME);
        (!follows).then_some(end)
    }

    /// What comes after a placement, which has ended or not; `None` of a placement: before the first one.
    pub(crate) fn next(&self, index: Option<usize>, ended: bool) -> Option<(f64, Event)> {
        if let Some(end) = index.filter(|_| !ended).and_then(|index| self.end(index)) {
            return Some((end, Event::End));
        }
        let next = index.map_or(0, |index| index + 1);
        self.get(next).map(|placement| (placement.begin, Event::Begin(next)))
    }

    /// Frames of output from a placement's begin to where it must have ended, if anywhere.
    pub(crate) fn room(&self, index: usize, beat: &Beat) -> Option<f64> {
        let placement = self.get(index)?;
        let next = self.get(index + 1).map(|next| next.begin - placement.begin);
        let room = match (next, placement.length) {
            (Some(next), Some(length)) => next.min(length),
            (next, length) => next.or(length)?,
        };
        Some(room.max(0.0) * beat.frames)
    }

    /// The course of a placement: without a fade at the take's end where it does not come to it, or where the next one begins so
    /// soon after (`slack` frames) that it is a part of what goes on.
    pub(crate) fn course(&self, index: usize, beat: &Beat, slack: u32, least: u32) -> Option<Course> {
        let placement = self.get(index)?;
        let length = placement.course.length(beat, least);
        let follows = self.get(index + 1).map(|next| (next.begin - placement.begin) * beat.frames - f64::from(slack));
        let ends = placement.length.map(|length| length * beat.frames);
        let cut = |room: Option<f64>| length.zip(room).is_some_and(|(length, room)| length >= room);
        let fades = !cut(follows) && !cut(ends.map(|frames| frames - 0.5));
        Some(if fades { placement.course } else { placement.course.without_fade() })
    }

    /// Whether any of it is read from a slot.
    pub(crate) fn reads(&self, slot: u8) -> bool {
        self.placements[..self.count].iter().any(|placement| placement.source.slot == slot)
    }
}
