//! How fast training goes and how long it will take, calm enough to be read.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Moments that are remembered, and how far apart they are: ten minutes, so that a preview or a measurement is spread over
/// many steps.
const MOST: usize = 60;
const APART: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, Copy)]
struct Moment {
    at: Instant,
    step: u64,
    frames: u64,
}

/// Moments of a sitting.
#[derive(Debug, Clone, Default)]
pub struct Pace {
    past: VecDeque<Moment>,
    now: Option<Moment>,
}

impl Pace {
    /// Where training stands at a moment.
    pub fn note(&mut self, at: Instant, step: u64, frames: u64) {
        let now = Moment { at, step, frames };
        if self.past.back().is_none_or(|last| at.saturating_duration_since(last.at) >= APART) {
            self.past.push_back(now);
            if self.past.len() > MOST {
                self.past.pop_front();
            }
        }
        self.now = Some(now);
    }

    /// Frames per second over the last ten seconds or so; `None` before the second moment.
    pub fn frames_per_second(&self) -> Option<f64> {
        let now = self.now?;
        let calm = |then: &&Moment| now.at.saturating_duration_since(then.at) >= APART;
        let then = self.past.iter().rev().find(calm).or(self.past.front())?;
        let seconds = now.at.saturating_duration_since(then.at).as_secs_f64();
        (seconds > 0.0).then(|| (now.frames - then.frames.min(now.frames)) as f64 / seconds)
    }

    /// Seconds until `steps` steps are made, counted from the newest moment; `None` while no step was made.
    pub fn seconds_left(&self, steps: u64) -> Option<f64> {
        let (now, then) = (self.now?, self.past.front()?);
        let made = now.step.saturating_sub(then.step);
        let seconds = now.at.saturating_duration_since(then.at).as_secs_f64();
        (made > 0).then(|| steps.saturating_sub(now.step) as f64 * seconds / made as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pace_is_of_the_last_minutes() {
        let (begin, mut pace) = (Instant::now(), Pace::default());
        assert_eq!((pace.frames_per_second(), pace.seconds_left(9)), (None, None));
        pace.note(begin, 100, 0);
        assert_eq!((pace.frames_per_second(), pace.seconds_left(900)), (None, None));
        // Two hours at a step per second, then ten times as fast.
        for second in 1..=7_200 {
            pace.note(begin + Duration::from_secs(second), 100 + second, second * 1_000);
        }
        assert_eq!((pace.frames_per_second(), pace.seconds_left(7_400)), (Some(1_000.0), Some(100.0)));
        for second in 1..=700 {
            pace.note(begin + Duration::from_secs(7_200 + second), 7_300 + 10 * second, (7_200 + 10 * second) * 1_000);
        }
        assert_eq!((pace.frames_per_second(), pace.seconds_left(14_400)), (Some(10_000.0), Some(10.0)));
        assert!(pace.past.len() <= MOST);
        assert_eq!(pace.seconds_left(5), Some(0.0));
    }
}
