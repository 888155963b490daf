//! An arrangement as it sounds: the placed take whose turn it is, and those before it while they fade out.
//!
//! One sounds at a time. Where the next one begins, both sound together over the crossfade, as far as there is anything left of
//! the one before. Which one it is, and where it stands, follows from the song's position alone; while the transport runs on,
//! frames are counted.

use crate::course::{Beat, Next};
use crate::gate::Gate;
use crate::head::{Fades, Head, Source};
use crate::pinned::Pinned;
use crate::placement::{Event, Placement, Row};
use crate::tails::Tails;
use crate::timeline::Cue;

/// Takes that may sound at once: the one whose turn it is, the one before it, and those that make room in a hurry.
const LANES: usize = 6;
/// Frames that are mixed at once.
const CHUNK: usize = 64;

#[derive(Debug, Clone, Copy)]
struct Lane {
    /// Which placement; of a lane that makes room, nobody asks.
    index: usize,
    /// Frames since its begin.
    at: i64,
    pinned: Pinned,
    gate: Gate,
    /// Whether it follows the song, and does not only fade out.
    follows: bool,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Strip {
    row: Row,
    lanes: [Option<Lane>; LANES],
    /// The placement that has begun last, and whether its end has come.
    place: (Option<usize>, bool),
    /// Frames until the next one.
    next: Option<(u64, Event)>,
    beat: Beat,
    /// Whether what sounds is what the row wants here.
    settled: bool,
    crossfade: u32,
}

impl Strip {
    pub(crate) const fn new() -> Self {
        Self {
            row: Row::new(),
            lanes: [None; LANES],
            place: (None, false),
            next: None,
            beat: Beat { since_pin: 0.0, frames: 1.0, tempo: 120.0, per_bar: 4.0 },
            settled: false,
            crossfade: 0,
        }
    }

    /// What there is to play.
    pub(crate) fn set(&mut self, placements: impl Iterator<Item = Placement>) {
        if self.row.set(placements) {
            self.settled = false;
        }
    }

    /// Follows the song, which stands at `beat` quarter notes from its start, for the next `frames` frames. One placement goes
    /// over to the next in `crossfade` frames.
    pub(crate) fn follow(
        &mut self,
        cue: Cue,
        (beat, crossfade): (Beat, u32),
        frames: usize,
        (fades, tails): (Fades, &mut Tails),
    ) {
        let Cue::At { jumped, .. } = cue else { return self.stop(fades) };
        (self.beat, self.crossfade) = (beat, crossfade);
        if self.settled && !jumped {
            for lane in self.lanes.iter_mut().flatten().filter(|lane| lane.follows) {
                let (Some(placement), Some(course)) =
                    (self.row.get(lane.index), self.row.course(lane.index, &beat, crossfade, fades.declick))
                else {
                    continue;
                };
                lane.gate.set_level(placement.gain);
                lane.pinned.heard_at(lane.gate.now());
                let since = Beat { since_pin: beat.since_pin - placement.begin, ..beat };
                let cue = Cue::At { frame: lane.at, jumped: false };
                lane.pinned.follow(cue, (placement.source, placement.soft), (course, since), frames, (fades, tails));
            }
        } else {
            self.make_room(fades);
            self.settle(fades);
        }
        self.await_next();
        self.end_softly();
    }

    /// Lets everything fade out.
    pub(crate) fn stop(&mut self, fades: Fades) {
        self.make_room(fades);
        (self.settled, self.next) = (false, None);
    }

    /// Ends all at once, without fades.
    pub(crate) fn reset(&mut self) {
        (self.lanes, self.settled, self.next) = ([None; LANES], false, None);
    }

    /// Ends what is read from a slot.
    pub(crate) fn close_slot(&mut self, slot: u8, fades: Fades) {
        if self.uses(|source| source.slot == slot) || self.row.reads(slot) {
            self.stop(fades);
        }
    }

    pub(crate) fn uses(&self, reads: impl Fn(Source) -> bool) -> bool {
        self.lanes.iter().flatten().any(|lane| lane.pinned.uses(&reads))
    }

    /// Mixes all of it with `mix`, which says whether a head goes on.
    pub(crate) fn mix(
        &mut self,
        fades: Fades,
        left: &mut [f32],
        right: &mut [f32],
        mut mix: impl FnMut(&mut Head, &mut [f32], &mut [f32]) -> bool,
    ) {
        let mut done = 0;
        while done < left.len() {
            while let Some((0, event)) = self.next {
                self.act(event, fades);
                self.await_next();
                self.end_softly();
            }
            let rest = (left.len() - done).min(CHUNK);
            let count = self.next.map_or(rest, |(wait, _)| usize::try_from(wait).unwrap_or(rest).clamp(1, rest));
            for slot in &mut self.lanes {
                if let Some(lane) = slot
                    && !lane.mix(fades, &mut left[done..done + count], &mut right[done..done + count], &mut mix)
                {
                    *slot = None;
                }
            }
            done += count;
            self.beat = self.beat.later(count);
            if let Some((wait, _)) = &mut self.next {
                *wait = wait.saturating_sub(count as u64);
            }
        }
    }

    /// Does what is due now.
    fn act(&mut self, event: Event, fades: Fades) {
        let Event::Begin(index) = event else {
            self.make_room(fades);
            self.place.1 = true;
            return;
        };
        let before = self.lanes.iter_mut().flatten().filter(|lane| lane.follows && !lane.gate.is_closing());
        let rest = before.map(|lane| lane.pinned.rest()).max().unwrap_or(0);
        let whole = self.overlap(index, rest, fades);
        for lane in self.lanes.iter_mut().flatten() {
            if whole > 0 && lane.follows && !lane.gate.is_closing() {
                lane.gate.close_evenly(0, whole);
            } else {
                lane.hurry(fades);
            }
        }
        self.place = (Some(index), false);
        self.begin(index, 0, (0, whole), fades);
    }

    /// Begins where the song stands, whatever sounded before.
    fn settle(&mut self, fades: Fades) {
        self.settled = true;
        let place = self.row.begun(&self.beat);
        self.place = (place, false);
        let Some(index) = place else { return };
        if self.row.end(index).is_some_and(|end| self.beat.until(end) == 0) {
            self.place.1 = true;
            return;
        }
        let Some(begin) = self.row.get(index).map(|placement| placement.begin) else { return };
        let at = self.beat.since(begin);
        let before = index.checked_sub(1).filter(|before| self.row.end(*before).is_none());
        let whole = before.map_or(0, |before| self.overlap(index, self.rest_at(before, begin, fades), fades));
        if let (Some((before, placement)), Ok(done)) =
            (before.and_then(|before| Some((before, *self.row.get(before)?))), u32::try_from(at))
            && done < whole
        {
            self.begin(before, self.beat.since(placement.begin), (0, 0), fades);
            for lane in self.lanes.iter_mut().flatten().filter(|lane| lane.follows) {
                lane.gate.close_evenly(done, whole);
            }
        }
        let done = u32::try_from(at).unwrap_or(u32::MAX);
        self.begin(index, at, (done, whole), fades);
    }

    /// What is left of a placement at a place in the song, in frames of output.
    fn rest_at(&self, index: usize, place: f64, fades: Fades) -> u64 {
        let Some(placement) = self.row.get(index) else { return 0 };
        let beat = Beat { since_pin: place - placement.begin, ..self.beat };
        let stands = placement.course.place(beat.since(0.0), &beat, fades.declick);
        let next = stands.next.map(|next| match next {
            Next::Frames(frames) => frames,
            Next::Beat(at) => beat.until(at),
        });
        placement.course.rest(stands.position, next, &beat)
    }

    /// Frames over which the one before, of which `rest` frames are left, goes over to a placement; 0 if it has ended.
    fn overlap(&self, index: usize, rest: u64, fades: Fades) -> u32 {
        let room = self.row.room(index, &self.beat).map_or(u64::MAX, |room| room as u64);
        let whole = u64::from(self.crossfade).min(rest).min(room);
        if whole < u64::from(fades.declick) { 0 } else { whole as u32 }
    }

    /// Begins a placement `at` frames after its begin; it comes in over a fade, so much of which is done.
    fn begin(&mut self, index: usize, at: i64, (done, whole): (u32, u32), fades: Fades) {
        let (Some(placement), Some(course)) =
            (self.row.get(index), self.row.course(index, &self.beat, self.crossfade, fades.declick))
        else {
            return;
        };
        let mut lane =
            Lane { index, at, pinned: Pinned::new(), gate: Gate::new(placement.gain, fades.declick), follows: true };
        lane.gate.open_evenly(done, whole);
        let since = Beat { since_pin: self.beat.since_pin - placement.begin, ..self.beat };
        if at == 0 {
            // The first frame is the take's first one, wherever between two frames its beat lies.
            lane.pinned.begin((placement.source, placement.soft && whole == 0), (course, since));
        } else {
            let cue = Cue::At { frame: at, jumped: true };
            // A new one has nothing that would end.
            let tails = &mut Tails::new();
            lane.pinned.follow(cue, (placement.source, placement.soft), (course, since), 1, (fades, tails));
        }
        let place = self.lanes.iter().position(Option::is_none).or_else(|| {
            // All taken: the one nearest to its end makes room.
            (0..LANES).min_by_key(|place| self.lanes[*place].map_or(0, |lane| lane.gate.left()))
        });
        if let Some(place) = place {
            self.lanes[place] = Some(lane);
        }
    }

    fn make_room(&mut self, fades: Fades) {
        for lane in self.lanes.iter_mut().flatten() {
            lane.hurry(fades);
        }
    }

    fn await_next(&mut self) {
        let (index, ended) = self.place;
        self.next = self.row.next(index, ended).map(|(at, event)| (self.beat.until(at), event));
    }

    /// Has what ends by its length, with nothing after it, fade out before.
    fn end_softly(&mut self) {
        let left = match self.next {
            Some((wait, Event::End)) => Some(wait),
            _ => None,
        };
        let current = self.place.0;
        for lane in self.lanes.iter_mut().flatten().filter(|lane| lane.follows && Some(lane.index) == current) {
            let fade = left.and_then(|_| self.row.get(lane.index)).map_or(0, |placement| placement.fade);
            lane.gate.end_in(left.unwrap_or(0), fade);
        }
    }
}

impl Lane {
    /// Fades out as fast as can be without a click.
    fn hurry(&mut self, fades: Fades) {
        self.gate.close(fades.declick);
        self.pinned.forget_next();
        self.follows = false;
    }

    /// Mixes the next frames, at most [`CHUNK`]; `false` when it has faded out.
    fn mix(
        &mut self,
        fades: Fades,
        left: &mut [f32],
        right: &mut [f32],
        mix: impl FnMut(&mut Head, &mut [f32], &mut [f32]) -> bool,
    ) -> bool {
        let count = left.len();
        let mut own = [[0.0; CHUNK]; 2];
        let [l, r] = &mut own;
        self.pinned.mix(fades, &mut l[..count], &mut r[..count], mix);
        self.at += count as i64;
        for ((left, right), (l, r)) in left.iter_mut().zip(right).zip(l.iter().zip(r.iter())) {
            let Some(gain) = self.gate.advance() else { return false };
            *left += l * gain;
            *right += r * gain;
        }
        true
    }
}
