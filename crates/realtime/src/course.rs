//! How a pinned take goes through the song: what it does at its end, and how it goes with the tempo.
//!
//! A take that loops is a row of passes. The first begins at the pin with the take's first frame, each later one at the frame
//! to which the loop goes back. Where a take keeps its length and is looped as it is, passes are counted in frames; where the
//! loop is rounded to bars, or the take stays in bars, each begins at a beat of its own. Either way the place at a position
//! of the song depends on that position alone, and not on how the transport came there.

/// What becomes of a pinned take at its end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum AtEnd {
    /// It stops.
    Stop,
    /// It fades out.
    Fade {
        /// Frames of the take over which it does.
        frames: u32,
    },
    /// It goes on from an earlier frame.
    Loop {
        /// From which one.
        from: i64,
        /// Frames over which its end and its next beginning sound together, each at such a level that the power stays.
        crossfade: u32,
        /// Whether passes begin at bars, as many bars apart as is nearest to the loop's own length.
        whole_bars: bool,
    },
    /// The same a number of times, or in another time than the loop's own.
    Repeat {
        /// From which frame later passes begin.
        from: i64,
        /// As of [`AtEnd::Loop`].
        crossfade: u32,
        /// When the next pass begins.
        every: Every,
        /// Passes in all; 0: without end.
        passes: u32,
        /// Frames of the take over which the last pass fades out at the take's end; 0: it stops there.
        fade: u32,
    },
}

/// How far the passes of a take that is repeated lie apart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Every {
    /// As far as what is looped is long.
    Loop,
    /// As many bars as is nearest to that.
    WholeBars,
    /// So many quarter notes.
    Beats(f64),
}

/// How a pinned take goes through the song.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Course {
    /// Frames of what is played, with the seed clip if it is played.
    pub frames: i64,
    /// What it does at its end.
    pub at_end: AtEnd,
    /// The tempo in quarter notes per minute at which it plays at its own speed, and at others faster or slower, so that it
    /// stays in bars. `None`: it keeps its length.
    pub tempo: Option<f64>,
}

/// Where the song stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Beat {
    /// Quarter notes since the pin.
    pub since_pin: f64,
    /// Frames per quarter note at the present tempo.
    pub frames: f64,
    /// Quarter notes per minute.
    pub tempo: f64,
    /// Quarter notes per bar.
    pub per_bar: f64,
}

/// When the next pass begins.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Next {
    /// In so many frames.
    Frames(u64),
    /// At so many quarter notes after the pin.
    Beat(f64),
}

/// Where a take stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Place {
    /// In frames of the take.
    pub(crate) position: f64,
    /// Where the pass before stood when this one began; `None` in the first pass.
    pub(crate) before: Option<f64>,
    /// Frames of output since this pass began.
    pub(crate) since: f64,
    pub(crate) next: Option<Next>,
    /// Which pass it is; the first is 0.
    pub(crate) pass: u32,
}

/// A loop that can be played.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Loop {
    pub(crate) from: i64,
    pub(crate) crossfade: u32,
    every: Every,
    /// Passes in all.
    passes: u32,
}

/// The fastest and the slowest that a take is played.
const MOST_SPEED: f64 = 16.0;
/// Lengths beyond this are never reached.
const FAR: f64 = (1_u64 << 52) as f64;

impl Course {
    /// A take that stops at its end and keeps its length.
    pub const PLAIN: Self = Self { frames: i64::MAX, at_end: AtEnd::Stop, tempo: None };

    /// The loop, if it is one that can be played: `least` is the shortest fade.
    pub(crate) fn looped(&self, least: u32) -> Option<Loop> {
        let (from, crossfade, every, passes) = match self.at_end {
            AtEnd::Loop { from, crossfade, whole_bars } => {
                (from, crossfade, if whole_bars { Every::WholeBars } else { Every::Loop }, u32::MAX)
            }
            AtEnd::Repeat { from, crossfade, every, passes, .. } if passes != 1 => {
                (from, crossfade, every, if passes == 0 { u32::MAX } else { passes })
            }
            _ => return None,
        };
        let from = from.clamp(0, self.frames);
        let half = (self.frames - from) / 2;
        // No longer than half of what is looped, so that three passes never sound together.
        let crossfade = i64::from(crossfade).min(half).max(i64::from(least));
        (half >= 4 * i64::from(least)).then_some(Loop { from, crossfade: crossfade as u32, every, passes })
    }

    /// Over how many frames of output passes may sound together at most: half of the time between them, where that is set.
    pub(crate) fn most_overlap(&self, beat: &Beat) -> u64 {
        match self.at_end {
            AtEnd::Repeat { every: Every::Beats(every), .. } => nearest(every * beat.frames / 2.0),
            _ => u64::MAX,
        }
    }

    /// Where and how long the last pass fades out, as [`Course::fade`] says of a take that is played once.
    pub(crate) fn last_fade(&self) -> Option<(i64, u32)> {
        match self.at_end {
            AtEnd::Repeat { fade, .. } if fade > 0 => Some((self.frames, fade)),
            _ => None,
        }
    }

    /// The same without a fade at the end.
    pub(crate) fn without_fade(self) -> Self {
        let at_end = match self.at_end {
            AtEnd::Fade { .. } => AtEnd::Stop,
            AtEnd::Repeat { from, crossfade, every, passes, .. } => {
                AtEnd::Repeat { from, crossfade, every, passes, fade: 0 }
            }
            other => other,
        };
        Self { at_end, ..self }
    }

    /// Frames of output until it has come to its end by itself; `None`: never.
    pub(crate) fn length(&self, beat: &Beat, least: u32) -> Option<f64> {
        let once = self.frames as f64 / self.speed(beat);
        let Some(lap) = self.looped(least) else { return Some(once) };
        if lap.passes == u32::MAX {
            return None;
        }
        let (end, period) = self.in_beats(&lap, beat);
        let later = (self.frames - lap.from) as f64 / self.speed(beat);
        Some((end + f64::from(lap.passes - 2) * period) * beat.frames + later)
    }

    /// Frames of output that are left of a take that stands at `position` and begins anew in `next` frames, if it does.
    pub(crate) fn rest(&self, position: f64, next: Option<u64>, beat: &Beat) -> u64 {
        let left = nearest((self.frames as f64 - position) / self.speed(beat));
        if left > 0 && next.is_some_and(|next| next <= left) { u64::MAX } else { left }
    }

    /// Where a fade at the take's end begins to end it, and how long it is.
    pub(crate) fn fade(&self) -> Option<(i64, u32)> {
        match self.at_end {
            AtEnd::Fade { frames } if frames > 0 => Some((self.frames, frames)),
            _ => None,
        }
    }

    /// Frames of the take per frame of output.
    pub(crate) fn speed(&self, beat: &Beat) -> f64 {
        self.tempo.map_or(1.0, |own| (beat.tempo / own).clamp(1.0 / MOST_SPEED, MOST_SPEED))
    }

    /// Frames of the take per quarter note, and whether the place in the take follows the song's beats.
    fn pace(&self, beat: &Beat) -> (f64, bool) {
        self.tempo.map_or((beat.frames, false), |own| (beat.frames * beat.tempo / own, true))
    }

    /// By how much the song has moved on, in frames of the take, after so many quarter notes.
    pub(crate) fn frames_in(&self, beats: f64, beat: &Beat) -> f64 {
        beats * self.pace(beat).0
    }

    /// Where the take stands `frame` frames after the pin.
    pub(crate) fn place(&self, frame: i64, beat: &Beat, least: u32) -> Place {
        let (pace, in_bars) = self.pace(beat);
        let since_pin = beat.since_pin.max(0.0);
        let plain = if in_bars { since_pin * pace } else { frame as f64 };
        let first = Place { position: plain, before: None, since: frame as f64, next: None, pass: 0 };
        let Some(lap) = self.looped(least) else { return first };
        let last = lap.passes.saturating_sub(2);
        if !in_bars && lap.every == Every::Loop {
            let (end, period) = self.in_frames(&lap);
            let Some(after) = frame.checked_sub(end).filter(|after| *after >= 0) else {
                return Place { next: Some(Next::Frames((end - frame).unsigned_abs())), ..first };
            };
            let number = (after / period).min(i64::from(last));
            let since = after - number * period;
            return Place {
                position: (lap.from + since) as f64,
                before: Some(end as f64),
                since: since as f64,
                next: (number < i64::from(last)).then_some(Next::Frames((period - since).unsigned_abs())),
                pass: number as u32 + 1,
            };
        }
        let (end, period) = self.in_beats(&lap, beat);
        // What is nearer to a pass's first frame than to the one before has begun it.
        let after = since_pin + MIDDLE / beat.frames - end;
        if after < 0.0 {
            return Place { next: Some(Next::Beat(end)), ..first };
        }
        let number = whole(after / period).min(f64::from(last));
        let begin = end + number * period;
        let since = (since_pin - begin).max(0.0);
        Place {
            position: lap.from as f64 + since * pace,
            before: Some(if number > 0.0 { lap.from as f64 + period * pace } else { end * pace }),
            since: since * beat.frames,
            next: (number < f64::from(last)).then_some(Next::Beat(begin + period)),
            pass: number as u32 + 1,
        }
    }

    /// When the pass after one that begins now, the `pass`th from 0 on, begins; `at` is when this one was to begin.
    pub(crate) fn following(&self, pass: u32, at: Option<Next>, beat: &Beat, least: u32) -> Option<Next> {
        let lap = self.looped(least).filter(|lap| pass + 1 < lap.passes)?;
        let first = pass == 0;
        let counts_frames = !self.pace(beat).1 && lap.every == Every::Loop;
        if counts_frames {
            let (end, period) = self.in_frames(&lap);
            return Some(Next::Frames(if first { end } else { period }.unsigned_abs()));
        }
        let (end, period) = self.in_beats(&lap, beat);
        Some(Next::Beat(match at {
            _ if first => end,
            Some(Next::Beat(at)) => at + period,
            _ => beat.since_pin + period,
        }))
    }

    /// Frames of the first pass, and of each later one, up to where the next begins.
    fn in_frames(&self, lap: &Loop) -> (i64, i64) {
        let end = self.frames - i64::from(lap.crossfade);
        (end, (end - lap.from).max(1))
    }

    /// The same in quarter notes.
    fn in_beats(&self, lap: &Loop, beat: &Beat) -> (f64, f64) {
        let (pace, _) = self.pace(beat);
        let (end, period) = self.in_frames(lap);
        let [end, period] = [end, period].map(|frames| frames as f64 / pace);
        match lap.every {
            Every::Loop => return (end, period),
            Every::Beats(every) => return (every, every),
            Every::WholeBars => {}
        }
        let bar = if beat.per_bar > 0.0 { beat.per_bar } else { 4.0 };
        let bars = |beats: f64| whole(beats / bar + 0.5).max(1.0) * bar;
        (bars(end), bars(period))
    }
}

impl Beat {
    /// Frames of output until the song is `at` quarter notes after the pin.
    pub(crate) fn until(&self, at: f64) -> u64 {
        nearest((at - self.since_pin) * self.frames)
    }

    /// Frames of output since the song was `at` quarter notes after the pin: what [`Beat::until`] has counted down from there on.
    pub(crate) fn since(&self, at: f64) -> i64 {
        let late = ((self.since_pin - at) * self.frames - MIDDLE).min(FAR);
        let frames = whole(late);
        frames as i64 + i64::from(frames < late)
    }

    /// The same song so many frames later.
    pub(crate) fn later(&self, frames: usize) -> Self {
        Self { since_pin: self.since_pin + frames as f64 / self.frames, ..*self }
    }
}

/// The middle between two frames, but for a hair: bars often end in the very middle, where the last bit of what a host says
/// would decide, and so the size of its blocks.
const MIDDLE: f64 = 0.5 - 1.0 / 4_096.0;

/// The whole number that is nearest to what is not negative.
pub(crate) fn nearest(value: f64) -> u64 {
    whole(value + MIDDLE) as u64
}

/// The part before the point of what is not negative; 0 of what is. (`f64::floor` is not in `core`.)
fn whole(value: f64) -> f64 {
    if value > 0.0 { value.min(FAR) as u64 as f64 } else { 0.0 }
}
