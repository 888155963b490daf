//! The pinned take as it sounds: the pass that plays, those before it while they fade, and the one that comes next.

use crate::course::{Beat, Course, Next, Place, nearest};
use crate::head::{Fades, Head, Source};
use crate::kernel::UNITY;
use crate::tails::Tails;
use crate::timeline::Cue;

/// Passes that may still fade out when another one begins.
const OUTGOING: usize = 2;
/// Frames of the take by which it may be ahead of the song or behind without being sped up or slowed down for it.
const SLACK: f64 = 1.0;
/// By which part its speed is changed at most for that.
const MOST_CORRECTION: f64 = 0.02;
/// Seconds of the take that are too much to be caught up with: it goes there at once.
const LOST_DECLICKS: f64 = 10.0;

/// A pass that is to begin.
#[derive(Debug, Clone, Copy)]
struct Start {
    /// Frames until then.
    wait: u64,
    /// When it is, as the course says.
    at: Option<Next>,
    /// Whether it is the first.
    first: bool,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Pinned {
    head: Option<Head>,
    outgoing: [Option<Head>; OUTGOING],
    next: Option<Start>,
    /// Frames since the pin at which the next block goes on; `None` while nothing is followed.
    at: Option<i64>,
    source: Source,
    /// Whether the source begins in the middle of a sound.
    soft: bool,
    course: Course,
    beat: Beat,
    /// A beat and the position of the take there, from which on both go together where the take stays in bars.
    together: (f64, f64),
    /// Which pass plays; the first is 0.
    pass: u32,
    /// At which level what ends is heard.
    level: f32,
}

impl Pinned {
    pub(crate) const fn new() -> Self {
        Self {
            head: None,
            outgoing: [None; OUTGOING],
            next: None,
            at: None,
            source: Source { slot: 0, variation: 0, with_seed: false, matched: false },
            soft: false,
            course: Course::PLAIN,
            beat: Beat { since_pin: 0.0, frames: 1.0, tempo: 120.0, per_bar: 4.0 },
            together: (0.0, 0.0),
            pass: 0,
            level: 1.0,
        }
    }

    /// Says at which level all of it is heard, so that what ends goes on at that level while it fades out.
    pub(crate) fn heard_at(&mut self, level: f32) {
        self.level = level;
    }

    /// Begins no other pass.
    pub(crate) fn forget_next(&mut self) {
        self.next = None;
    }

    /// Frames of output that are left of what plays now.
    pub(crate) fn rest(&self) -> u64 {
        let next = self.next.map(|next| next.wait);
        self.head.as_ref().map_or(0, |head| self.course.rest(head.place(), next, &self.beat))
    }

    /// Follows the timeline for the next `frames` frames. What ends goes to `tails`.
    pub(crate) fn follow(
        &mut self,
        cue: Cue,
        (source, soft): (Source, bool),
        (course, beat): (Course, Beat),
        frames: usize,
        (fades, tails): (Fades, &mut Tails),
    ) {
        let Cue::At { frame, jumped } = cue else {
            self.release(fades, tails);
            self.at = None;
            return;
        };
        let same = !jumped && self.at == Some(frame) && self.source == source;
        let before = core::mem::replace(&mut self.course, course);
        (self.source, self.soft, self.beat, self.at) = (source, soft, beat, Some(frame));
        if frame < 0 {
            self.release(fades, tails);
            let wait = frame.unsigned_abs();
            self.next = (wait <= frames as u64).then_some(Start { wait, at: None, first: true });
            return;
        }
        if same && before == course && self.keeps_time(frames, fades) {
            return;
        }
        let place = course.place(frame, &beat, fades.declick);
        if same && self.stands_at(&place, &before) {
            if let Some(head) = &mut self.head {
                head.end = course.fade();
            }
            self.await_next(place.next, 0);
            if let (None, Some(head)) = (&self.next, &mut self.head) {
                head.end = head.end.or(course.last_fade());
            }
            return;
        }
        self.release(fades, tails);
        self.begin_at(&place, fades);
    }

    /// Begins with the take's first frame at the next frame, from which on it is followed.
    pub(crate) fn begin(&mut self, (source, soft): (Source, bool), (course, beat): (Course, Beat)) {
        (self.source, self.soft, self.course, self.beat, self.at) = (source, soft, course, beat, Some(0));
        self.next = Some(Start { wait: 0, at: None, first: true });
    }

    /// What is read now.
    pub(crate) fn head(&self) -> Option<&Head> {
        self.head.as_ref()
    }

    /// Ends all at once, without fades.
    pub(crate) fn reset(&mut self) {
        *self = Self::new();
    }

    /// Ends what is read from a slot.
    pub(crate) fn close_slot(&mut self, slot: u8, fades: Fades, tails: &mut Tails) {
        if self.source.slot == slot {
            self.release(fades, tails);
            self.at = None;
        }
    }

    pub(crate) fn uses(&self, reads: impl Fn(Source) -> bool) -> bool {
        self.heads().any(|head| reads(head.source)) || (self.next.is_some() && reads(self.source))
    }

    /// As [`crate::Player::needs`].
    pub(crate) fn needs(&self, frames: i64, mut visit: impl FnMut(Source, i64)) {
        for head in self.heads() {
            visit(head.source, head.needs(frames));
        }
        if let Some(next) = &self.next {
            let rest = frames.saturating_sub(i64::try_from(next.wait).unwrap_or(i64::MAX));
            let from = if next.first { 0 } else { self.course.looped(0).map_or(0, |lap| lap.from) };
            if rest > 0 {
                visit(self.source, self.fresh(from, false, Fades::NONE).needs(rest));
            }
        }
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
            if self.next.is_some_and(|next| next.wait == 0) {
                self.begin_next(fades);
            }
            let rest = left.len() - done;
            let count = self.next.map_or(rest, |next| usize::try_from(next.wait).unwrap_or(rest).clamp(1, rest));
            let (l, r) = (&mut left[done..done + count], &mut right[done..done + count]);
            for slot in self.outgoing.iter_mut().chain([&mut self.head]) {
                if let Some(head) = slot
                    && !mix(head, l, r)
                {
                    *slot = None;
                }
            }
            done += count;
            self.beat = self.beat.later(count);
            self.at = self.at.map(|at| at + count as i64);
            if let Some(next) = &mut self.next {
                next.wait = next.wait.saturating_sub(count as u64);
            }
        }
    }

    fn heads(&self) -> impl Iterator<Item = &Head> {
        self.head.iter().chain(self.outgoing.iter().flatten())
    }

    fn release(&mut self, fades: Fades, tails: &mut Tails) {
        self.next = None;
        for mut head in self.outgoing.iter_mut().chain([&mut self.head]).filter_map(Option::take) {
            head.turn(self.level);
            tails.fade_out(head, fades);
        }
    }

    /// A head of its own at a frame of the take, at the present speed.
    fn fresh(&self, position: i64, soft: bool, fades: Fades) -> Head {
        let mut head = Head::new(self.source, position, 1.0, soft, fades);
        head.pitch.set_step(step_of(self.course.speed(&self.beat)));
        head.end = self.course.fade();
        head
    }

    /// Begins a pass at that time, but not before `least` frames of output.
    fn await_next(&mut self, at: Option<Next>, least: u32) {
        self.next = at.map(|next| {
            let wait = match next {
                Next::Frames(frames) => frames,
                Next::Beat(at) => self.beat.until(at),
            };
            Start { wait: wait.max(u64::from(least)), at, first: false }
        });
    }

    /// Goes on in a block that follows the one before. Says whether it could: it is lost where the song is somewhere else.
    fn keeps_time(&mut self, frames: usize, fades: Fades) -> bool {
        if let Some(Start { wait, at: Some(Next::Beat(at)), .. }) = &mut self.next {
            *wait = self.beat.until(*at);
        }
        if self.course.tempo.is_none() {
            return true;
        }
        let mut speed = self.course.speed(&self.beat);
        let (beat, position) = self.together;
        let wanted = position + self.course.frames_in(self.beat.since_pin - beat, &self.beat);
        if let Some(head) = &self.head {
            let behind = wanted - head.place();
            if behind.abs() > LOST_DECLICKS * f64::from(fades.declick) {
                return false;
            }
            // A host whose tempo glides says where the song is; its tempo alone would lead elsewhere.
            if behind.abs() > SLACK {
                let most = MOST_CORRECTION * speed;
                speed += (behind / frames.max(1) as f64).clamp(-most, most);
            }
        }
        let step = step_of(speed);
        for head in self.outgoing.iter_mut().chain([&mut self.head]).flatten() {
            head.pitch.set_step(step);
        }
        true
    }

    /// Whether what plays is what another course wants at this very place, so that it can go on.
    fn stands_at(&self, place: &Place, before: &Course) -> bool {
        let Some(head) = &self.head else { return false };
        let fades = [before.fade(), self.course.fade()];
        let fading = fades.iter().flatten().any(|(end, frames)| head.position >= end - i64::from(*frames));
        let alone = self.outgoing.iter().all(Option::is_none) && head.is_open();
        let same_speed = before.tempo.map(f64::to_bits) == self.course.tempo.map(f64::to_bits);
        same_speed && alone && !fading && (head.place() - place.position).abs() < 1.0
    }

    /// Begins in the middle of a pass.
    fn begin_at(&mut self, place: &Place, fades: Fades) {
        self.await_next(place.next, 0);
        self.pass = place.pass;
        let mut head = self.fresh(0, self.soft || place.position > 0.0, fades);
        // Whole frames: what a host says of its position is exact to a small part of a frame, and that part is another one in
        // blocks of another size.
        head.go_to(place.position);
        self.together = (self.beat.since_pin, head.place());
        let since = u32::try_from(nearest(place.since)).unwrap_or(u32::MAX);
        if let Some((position, whole)) = place.before.map(|before| (before, self.overlap(before, fades)))
            && since < whole
        {
            let speed = self.course.speed(&self.beat);
            let mut other = self.fresh(0, true, fades);
            other.go_to(position + place.since * speed);
            other.close_evenly(since, whole);
            self.outgoing[0] = Some(other);
            head.open_evenly(since, whole);
        }
        self.head = Some(self.ends(head, fades));
    }

    /// Begins the pass that is due.
    fn begin_next(&mut self, fades: Fades) {
        let Some(start) = self.next.take() else { return };
        let lap = self.course.looped(fades.declick);
        let from = if start.first { 0 } else { lap.map_or(0, |lap| lap.from) };
        let before = self.head.take();
        let whole = match &before {
            Some(head) if !start.first => self.overlap(head.place(), fades),
            _ => 0,
        };
        if let Some(mut before) = before {
            if whole > 0 {
                before.close_evenly(0, whole);
            }
            // What has no room here has the least to say.
            let place = self.outgoing.iter().position(Option::is_none).unwrap_or(0);
            self.outgoing[place] = Some(before);
        }
        let mut head = self.fresh(from, whole == 0 && (self.soft || from > 0), fades);
        if whole > 0 {
            head.open_evenly(0, whole);
        }
        self.together = (self.beat.since_pin, from as f64);
        self.pass = if start.first { 0 } else { self.pass + 1 };
        let following = self.course.following(self.pass, start.at, &self.beat, fades.declick);
        // However short passes are, time goes on between them.
        self.await_next(following, fades.declick.max(1));
        self.head = Some(self.ends(head, fades));
    }

    /// Frames of output over which a pass that stands at `position` goes over to the next one; 0 if it has ended.
    fn overlap(&self, position: f64, fades: Fades) -> u32 {
        let Some(lap) = self.course.looped(fades.declick) else { return 0 };
        let left = nearest((self.course.frames as f64 - position) / self.course.speed(&self.beat));
        let most = self.course.most_overlap(&self.beat).max(u64::from(fades.declick));
        if left < u64::from(fades.declick) { 0 } else { u64::from(lap.crossfade).min(left).min(most) as u32 }
    }

    /// A pass that comes to the take's end before the next one begins fades out as it would have gone over to it.
    fn ends(&self, mut head: Head, fades: Fades) -> Head {
        if self.next.is_none() {
            head.end = head.end.or(self.course.last_fade());
        }
        if let (Some(next), Some(lap)) = (&self.next, self.course.looped(fades.declick)) {
            let reached = head.place() + next.wait as f64 * self.course.speed(&self.beat);
            if reached > (self.course.frames - i64::from(fades.declick)) as f64 {
                head.end = Some((self.course.frames, lap.crossfade));
            }
        }
        head
    }
}

/// Frames of the take per frame of output, of 2^32.
fn step_of(speed: f64) -> u64 {
    (speed * UNITY as f64 + 0.5) as u64
}
