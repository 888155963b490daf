//! The level of all that a placed take sounds: its own, and how it comes in and goes.

use crate::curve::quarter;
use crate::gain::SmoothedGain;

/// A fade-out.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Closing {
    left: u32,
    whole: u32,
    /// Whether it keeps the power together with what opens; else it is a straight line.
    evenly: bool,
}

/// Levels of one placed take, frame by frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Gate {
    level: SmoothedGain,
    /// Frames done of a fade-in that keeps the power together with what closes, and its whole length.
    opening: Option<(u32, u32)>,
    closing: Option<Closing>,
    /// Frames until its end, and over how many of them it fades out before it.
    ending: Option<(u64, u32)>,
    /// What the last frame was multiplied with; `None` before the first one.
    now: Option<f32>,
}

impl Gate {
    /// Open, at `level`; a change of that takes `frames` frames.
    pub(crate) fn new(level: f32, frames: u32) -> Self {
        Self { level: SmoothedGain::new(level, frames), opening: None, closing: None, ending: None, now: None }
    }

    /// Opens over `whole` frames, of which `done` are over, as another gate closes by [`Gate::close_evenly`].
    pub(crate) fn open_evenly(&mut self, done: u32, whole: u32) {
        self.opening = (done < whole).then_some((done, whole));
    }

    /// Closes over `whole` frames, of which `done` are over.
    pub(crate) fn close_evenly(&mut self, done: u32, whole: u32) {
        self.ending = None;
        self.closing = Some(Closing { left: whole.saturating_sub(done), whole: whole.max(1), evenly: true });
    }

    /// Closes over `frames` frames from where it is, or goes on with what ends sooner.
    pub(crate) fn close(&mut self, frames: u32) {
        if self.closing.is_some_and(|closing| closing.left <= frames) {
            return;
        }
        *self = Self {
            closing: Some(Closing { left: frames, whole: frames.max(1), evenly: false }),
            now: self.now,
            ..Self::new(self.now.unwrap_or(0.0), 0)
        };
    }

    /// Fades out over the last `whole` of the `left` frames until its end; with none, it does not.
    pub(crate) fn end_in(&mut self, left: u64, whole: u32) {
        self.ending = (whole > 0).then_some((left, whole));
    }

    /// Its own level from here on.
    pub(crate) fn set_level(&mut self, level: f32) {
        if self.closing.is_none_or(|closing| closing.evenly) {
            self.level.set(level);
        }
    }

    /// The level of the last frame.
    pub(crate) fn now(&self) -> f32 {
        self.now.unwrap_or(0.0)
    }

    /// Whether it is on its way to silence.
    pub(crate) fn is_closing(&self) -> bool {
        self.closing.is_some()
    }

    /// Frames until it is closed.
    pub(crate) fn left(&self) -> u32 {
        self.closing.map_or(u32::MAX, |closing| closing.left)
    }

    /// The level of the next frame; `None` once it is closed.
    pub(crate) fn advance(&mut self) -> Option<f32> {
        let mut gain = self.level.advance();
        if let Some((done, whole)) = self.opening {
            gain *= quarter(2 * u64::from(done) + 1, 2 * u64::from(whole));
            self.open_evenly(done + 1, whole);
        }
        if let Some((left, whole)) = self.ending {
            gain *= quarter(left, u64::from(whole));
            self.ending = Some((left.saturating_sub(1), whole));
        }
        if let Some(Closing { left, whole, evenly }) = self.closing {
            if left == 0 {
                return None;
            }
            gain *= if evenly {
                quarter((2 * u64::from(left)).saturating_sub(1), 2 * u64::from(whole))
            } else {
                left as f32 / whole as f32
            };
            self.closing = Some(Closing { left: left - 1, whole, evenly });
        }
        self.now = Some(gain);
        Some(gain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_in_and_what_goes_keep_the_power() {
        let (mut one, mut other) = (Gate::new(0.5, 10), Gate::new(0.5, 10));
        one.close_evenly(0, 400);
        other.open_evenly(0, 400);
        for frame in 0..400 {
            let (falling, rising) = (one.advance().unwrap(), other.advance().unwrap());
            assert!((falling * falling + rising * rising - 0.25).abs() < 1e-6, "frame {frame}");
        }
        assert_eq!((one.advance(), other.advance()), (None, Some(0.5)));
    }

    #[test]
    fn closes_from_wherever_it_is_without_a_step() {
        let mut gate = Gate::new(1.0, 10);
        gate.open_evenly(0, 1_000);
        let before = (0..500).map(|_| gate.advance().unwrap()).last().unwrap();
        gate.close(40);
        let levels: std::vec::Vec<f32> = core::iter::from_fn(|| gate.advance()).collect();
        assert_eq!(levels.len(), 40);
        assert!((levels[0] - before).abs() < 1e-6 && levels[39] < 0.02);
        assert!(levels.windows(2).all(|pair| pair[1] < pair[0]));
        // One that ends sooner goes on.
        let mut gate = Gate::new(1.0, 10);
        gate.close_evenly(95, 100);
        gate.close(40);
        assert_eq!(core::iter::from_fn(|| gate.advance()).count(), 5);
        // What was never heard has nothing to fade.
        let mut gate = Gate::new(1.0, 10);
        gate.close(40);
        assert!(core::iter::from_fn(|| gate.advance()).all(|level| level == 0.0));
    }

    #[test]
    fn fades_out_before_its_end() {
        let mut gate = Gate::new(1.0, 10);
        gate.end_in(300, 100);
        let levels: std::vec::Vec<f32> = (0..300).map(|_| gate.advance().unwrap()).collect();
        assert!(levels[..200].iter().all(|level| *level == 1.0));
        assert!(levels[200..].windows(2).all(|pair| pair[1] < pair[0]) && levels[299] < 0.03);
    }
}
