//! How often the editor is drawn while something moves: as often as costs little.
//!
//! With a graphics card a frame is nothing. Without one it is tens of milliseconds on several threads, which are a render's or the host's. How
//! long a frame takes shows in how much later the next one begins than the window looks for a reason to draw.

use std::time::{Duration, Instant};

/// Frames by which the pace is found each time something begins to move.
const TRIES: u32 = 6;
/// Pause for the time that a frame takes: what is drawn in software keeps two threads busy, and may have a seventh of a core.
const FACTOR: u32 = 14;
/// Longest pause: slower than that, nothing moves any more, it jumps.
const LONGEST: Duration = Duration::from_millis(250);

/// The time between frames, as far as it is known.
#[derive(Debug, Default)]
pub struct Pace {
    last: Option<Instant>,
    tries: u32,
    quickest: Option<Duration>,
}

impl Pace {
    /// A frame begins `now`; the window looks for a reason to draw every `look`. `moves` says whether something moves, `asked` whether the
    /// user's hand is what it is drawn for. Gives the pause until what moves is to be drawn again.
    pub fn drawn(&mut self, now: Instant, look: Duration, moves: bool, asked: bool) -> Duration {
        let last = self.last.replace(now);
        if !moves {
            *self = Self::default();
            return Duration::ZERO;
        }
        if self.tries < TRIES {
            let late = last.and_then(|last| now.duration_since(last).checked_sub(look));
            if let Some(late) = late.filter(|_| !asked) {
                self.tries += 1;
                self.quickest = Some(self.quickest.map_or(late, |quickest| quickest.min(late)));
            }
            return Duration::ZERO;
        }
        (self.quickest.unwrap_or_default() * FACTOR).min(LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOK: Duration = Duration::from_millis(66);

    /// The pause after twenty frames, of which each takes so long.
    fn pause(pace: &mut Pace, frame_ms: u64) -> Duration {
        let mut now = Instant::now();
        let mut pause = Duration::ZERO;
        for at in 0..20 {
            pause = pace.drawn(now, LOOK, true, false);
            // The user's hand asks for frames in between.
            if at % 3 == 0 {
                assert_eq!(pace.drawn(now + Duration::from_millis(1), LOOK, true, true), pause);
                now += Duration::from_millis(1);
            }
            now += LOOK.max(pause) + Duration::from_millis(frame_ms);
        }
        pause
    }

    #[test]
    fn what_is_dear_is_drawn_less_often() {
        let mut pace = Pace::default();
        assert_eq!(pause(&mut pace, 0), Duration::ZERO);
        assert_eq!(pace.drawn(Instant::now(), LOOK, false, false), Duration::ZERO);
        assert_eq!(pause(&mut pace, 10), Duration::from_millis(140));
        // It is found anew each time.
        pace.drawn(Instant::now(), LOOK, false, false);
        assert_eq!(pause(&mut pace, 100), LONGEST);
        pace.drawn(Instant::now(), LOOK, false, false);
        assert_eq!(pause(&mut pace, 1), Duration::from_millis(14));
    }
}
