//! What is placed in the song, on the audio thread: the arrangement that plays, and the one before it while it fades out.

use std::ops::Range;
use std::sync::Arc;

use continuo_realtime::{AtEnd, Course, Every, PLACEMENTS, Placement, Player, Source};

use crate::params::{self, ContinuoParams, TempoMode};
use crate::session::AudioLink;
use crate::take::placed::{PlayArrangement, PlayPlacement};
use crate::take::play::PlayTake;

/// The first slot of placed takes; those before are the pinned take's, and what is played to the user.
const FIRST_SLOT: u8 = 3;
/// Slots of one arrangement.
const SLOTS: u8 = PLACEMENTS as u8;

/// The arrangements that can be read.
pub(super) struct Banks {
    loaded: [Option<Arc<PlayArrangement>>; 2],
    current: u8,
    /// One that waits until there is a free bank.
    next: Option<Arc<PlayArrangement>>,
}

/// How the parameters have placed takes played.
#[derive(Debug, Clone, Copy)]
pub(super) struct How {
    with_seed: bool,
    matched: bool,
    in_bars: bool,
    per_bar: f64,
    at_end: params::AtEnd,
    /// When a take is repeated that is as long as it is.
    every: Every,
    /// In seconds.
    loop_crossfade: f32,
    /// In seconds.
    end_fade: f32,
}

impl How {
    /// As they stand, in a song with `per_bar` quarter notes per bar.
    pub(super) fn of(params: &ContinuoParams, per_bar: f64) -> Self {
        let timeline = &params.timeline;
        Self {
            with_seed: params.play_seed.value(),
            matched: timeline.level_match.value(),
            in_bars: timeline.tempo.value() == TempoMode::StayInBars,
            per_bar,
            at_end: timeline.at_end.value(),
            every: if timeline.loop_bars.value() { Every::WholeBars } else { Every::Loop },
            loop_crossfade: timeline.loop_crossfade.value() / 1e3,
            end_fade: timeline.end_fade.value(),
        }
    }

    fn place(&self, placed: &PlayPlacement, slot: u8) -> Placement {
        let take = placed.take.as_deref();
        let seed = take.map_or(0, PlayTake::seed_frames);
        let heard = if self.with_seed { seed } else { 0 };
        let frames = |seconds: f32| {
            let rate_hz = take.map_or(0, |take| take.rate_hz);
            (f64::from(seconds.max(0.0)) * f64::from(rate_hz) + 0.5) as u32
        };
        let fade = if self.at_end == params::AtEnd::Fade { frames(self.end_fade) } else { 0 };
        let pass = placed.bars.map(|bars| f64::from(bars) * self.per_bar);
        let every = pass.map_or(self.every, Every::Beats);
        let at_end = match placed.repeat.times() {
            Some(1) if fade > 0 => AtEnd::Fade { frames: fade },
            Some(1) => AtEnd::Stop,
            times => AtEnd::Repeat {
                from: if self.at_end == params::AtEnd::LoopFromSeam { heard as i64 } else { 0 },
                crossfade: frames(self.loop_crossfade),
                every,
                passes: times.unwrap_or(0),
                fade,
            },
        };
        let length = pass.zip(placed.repeat.times()).map(|(beats, times)| beats * f64::from(times));
        Placement {
            begin: placed.begin,
            length,
            gain: placed.gain,
            source: Source { slot, variation: 0, with_seed: self.with_seed, matched: self.matched },
            // Without its seed clip a continuation begins in the middle of a sound.
            soft: !self.with_seed && seed > 0,
            course: Course {
                frames: (heard + take.map_or(0, PlayTake::frames)) as i64,
                at_end,
                // A take of before its tempo was kept can only keep its length.
                tempo: take.and_then(|take| take.tempo).filter(|_| self.in_bars),
            },
            fade,
        }
    }
}

impl Banks {
    pub(super) const fn new() -> Self {
        Self { loaded: [None, None], current: 0, next: None }
    }

    /// Not on the audio thread: lets go of what is at another rate.
    pub(super) fn keep_at(&mut self, rate_hz: u32) {
        for bank in &mut self.loaded {
            *bank = bank.take().filter(|arrangement| arrangement.is_at(rate_hz));
        }
        self.next = None;
    }

    /// Brings in what the session sent and hands back what nothing reads any more.
    pub(super) fn receive(&mut self, link: &AudioLink, player: &Player) {
        // Only with room for what it displaces: an arrangement must not be freed on this thread.
        while !link.retired_arrangements_are_full()
            && let Some(newer) = link.next_arrangement()
        {
            if let Some(unplayed) = self.next.replace(newer) {
                let _ = link.retire_arrangement(unplayed);
            }
        }
        let other = 1 - self.current;
        let place = usize::from(other);
        if self.loaded[place].is_some()
            && !player.uses_any(slots(other))
            && let Some(done) = self.loaded[place].take()
            && let Err(done) = link.retire_arrangement(done)
        {
            self.loaded[place] = Some(done);
        }
        if self.loaded[place].is_none()
            && let Some(next) = self.next.take()
        {
            self.loaded[place] = Some(next);
            self.current = other;
        }
    }

    /// What there is to play.
    pub(super) fn row<'a>(&'a self, how: &'a How) -> impl Iterator<Item = Placement> + 'a {
        let arrangement = self.loaded[usize::from(self.current)].as_deref();
        let placements = arrangement.map_or(&[][..], |arrangement| &arrangement.placements);
        placements.iter().zip(slots(self.current)).map(|(placed, slot)| how.place(placed, slot))
    }

    /// What a slot holds.
    pub(super) fn take(&self, slot: u8) -> Option<&PlayTake> {
        let place = slot.checked_sub(FIRST_SLOT)?;
        let arrangement = self.loaded.get(usize::from(place / SLOTS))?.as_deref()?;
        arrangement.placements.get(usize::from(place % SLOTS))?.take.as_deref()
    }
}

/// The slots of a bank.
fn slots(bank: u8) -> Range<u8> {
    let first = FIRST_SLOT + bank * SLOTS;
    first..first + SLOTS
}
