//! Recording exactly one pass of the host's loop.

use core::ops::Range;

/// Where the host's loop lies, counted in frames from the next one on: its begin is behind where `begin` is negative.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pass {
    /// Frames to its begin.
    pub begin: f64,
    /// Frames to its end.
    pub end: f64,
}

/// How far an armed recording is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Armed {
    /// It waits for the loop's begin.
    #[default]
    Waits,
    /// It records.
    Records,
    /// It has recorded one whole pass.
    Done,
}

/// What of the next frames is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    /// Whether it begins here: what was recorded before is forgotten.
    pub begins: bool,
    /// The frames.
    pub frames: Range<usize>,
}

/// Follows the host's loop and says which frames are one pass of it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Arm {
    state: Armed,
    /// Where the loop lies if the transport just runs on.
    expected: Option<Pass>,
}

/// Two reports of the same place differ by less, in frames: rounding, and a tempo that glides within a block.
const TOLERANCE: f64 = 64.0;

impl Arm {
    /// One that waits.
    pub const fn new() -> Self {
        Self { state: Armed::Waits, expected: None }
    }

    /// How far it is.
    pub const fn state(&self) -> Armed {
        self.state
    }

    /// Where the loop lies if the transport just runs on.
    pub const fn expected(&self) -> Option<Pass> {
        self.expected
    }

    /// What of the next `frames` frames is recorded. `pass` is `None` where the transport stands still or the host has no loop.
    pub fn advance(&mut self, pass: Option<Pass>, frames: usize) -> Recording {
        const NOTHING: Recording = Recording { begins: false, frames: 0..0 };
        let expected = self.expected.take();
        let Some(pass) = pass.filter(|pass| pass.end - pass.begin >= 1.0 && pass.begin.is_finite()) else {
            // A pass that was broken off is none.
            if self.state == Armed::Records {
                self.state = Armed::Waits;
            }
            return NOTHING;
        };
        let moved = |by: f64| Pass { begin: pass.begin - by, end: pass.end - by };
        self.expected = Some(moved(frames as f64));
        if self.state == Armed::Records && expected.is_none_or(|expected| !near(expected.end, pass.end)) {
            // The host has gone back to the loop's begin where a fraction of a frame was left, or somewhere else.
            let whole = expected.is_some_and(|expected| expected.end.abs() < TOLERANCE) && pass.begin.abs() < TOLERANCE;
            self.state = if whole { Armed::Done } else { Armed::Waits };
        }
        match self.state {
            // Also where the host reports the begin a hair too late.
            Armed::Waits if pass.begin > -0.5 && nearest(pass.begin) < frames => {
                let from = nearest(pass.begin);
                let until = self.record_until(pass, frames);
                Recording { begins: true, frames: from..until.max(from) }
            }
            Armed::Records => Recording { begins: false, frames: 0..self.record_until(pass, frames) },
            Armed::Waits | Armed::Done => NOTHING,
        }
    }

    /// The frame in front of which it stops within the next `frames`.
    fn record_until(&mut self, pass: Pass, frames: usize) -> usize {
        let end = nearest(pass.end);
        self.state = if end <= frames { Armed::Done } else { Armed::Records };
        end.min(frames)
    }
}

/// The nearest whole number from 0 on.
fn nearest(value: f64) -> usize {
    (value + 0.5).max(0.0) as usize
}

fn near(one: f64, other: f64) -> bool {
    (one - other).abs() < TOLERANCE
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    /// Runs a transport from `position` over a loop, in blocks, and gives the positions that were recorded. The host goes back to the
    /// begin at block borders, or, if `splits`, exactly at the loop's end.
    fn recorded(mut position: i64, range: (i64, i64), block: usize, blocks: usize, splits: bool) -> (Vec<i64>, Armed) {
        let mut arm = Arm::new();
        let mut heard = Vec::new();
        let mut done = 0;
        while done < blocks * block {
            if position >= range.1 {
                position = range.0 + if splits { 0 } else { position - range.1 };
            }
            let room = if splits && position < range.1 { (range.1 - position) as usize } else { block };
            let frames = block.min(room);
            let pass = Pass { begin: (range.0 - position) as f64, end: (range.1 - position) as f64 };
            let recording = arm.advance(Some(pass), frames);
            if recording.begins {
                heard.clear();
            }
            heard.extend(recording.frames.map(|frame| position + frame as i64));
            position += frames as i64;
            done += frames;
        }
        (heard, arm.state())
    }

    #[test]
    fn one_whole_pass_is_recorded_to_the_frame_at_every_block_size() {
        let wanted: Vec<i64> = (1_000..5_321).collect();
        for block in [1, 32, 64, 441, 1_024, 8_192] {
            for splits in [true, false] {
                for from in [0, 1_000] {
                    let (heard, state) = recorded(from, (1_000, 5_321), block, 20_000 / block + 2, splits);
                    assert_eq!(state, Armed::Done, "blocks of {block}");
                    assert_eq!(heard, wanted, "blocks of {block} from {from}");
                }
            }
        }
    }

    #[test]
    fn what_begins_within_the_loop_waits_for_the_next_pass() {
        let (heard, state) = recorded(3_000, (1_000, 5_000), 256, 100, true);
        assert_eq!((heard.len(), heard[0], state), (4_000, 1_000, Armed::Done));
    }

    #[test]
    fn a_stop_or_a_jump_within_the_pass_waits_again() {
        let pass = |begin: f64| Some(Pass { begin, end: begin + 1_000.0 });
        for broken in [None, pass(-900.0), pass(5_000.0)] {
            let mut arm = Arm::new();
            assert_eq!(arm.advance(pass(0.0), 300), Recording { begins: true, frames: 0..300 });
            assert_eq!(arm.state(), Armed::Records);
            assert_eq!(arm.advance(broken, 300).frames.len(), 0, "{broken:?}");
            assert_eq!(arm.state(), Armed::Waits);
            assert_eq!(arm.advance(pass(10.0), 300), Recording { begins: true, frames: 10..300 });
        }
    }

    #[test]
    fn rounding_in_the_hosts_reports_loses_no_pass() {
        let mut arm = Arm::new();
        let mut frames = 0;
        for at in 0..4 {
            // The last report before the loop's end is a fraction of a frame short.
            let begin = -250.0 * f64::from(at) - 0.3;
            frames += arm.advance(Some(Pass { begin, end: begin + 1_000.6 }), 250).frames.len();
        }
        assert_eq!(arm.advance(Some(Pass { begin: -0.2, end: 1_000.4 }), 250).frames.len(), 0);
        assert_eq!((frames, arm.state()), (1_000, Armed::Done));
    }

    #[test]
    fn a_loop_that_is_none_records_nothing() {
        for (begin, end) in [(0.0, 0.0), (0.0, -5.0), (f64::NAN, 10.0), (0.0, f64::NAN)] {
            let mut arm = Arm::new();
            assert_eq!(arm.advance(Some(Pass { begin, end }), 64).frames.len(), 0);
            assert_eq!(arm.state(), Armed::Waits);
        }
    }
}
