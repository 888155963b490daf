//! What to say to whom while a file is dragged out over other windows: the source's side of XDND, without a connection and without
//! a clock of its own.
//!
//! <https://www.freedesktop.org/wiki/Specifications/XDND/>

use std::time::Duration;

/// A window's number.
pub type Window = u32;

/// How long a window may take to say whether it takes a drop, before it counts as one that does not.
const STATUS: Duration = Duration::from_secs(2);
/// How long a window may take to fetch what was dropped on it: a host may ask its user something first.
const FINISHED: Duration = Duration::from_mins(1);

/// Somebody who may take a drop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// The window under the pointer.
    pub window: Window,
    /// Who is spoken to: the window itself, or its proxy.
    pub spoken_to: Window,
    /// The version of the protocol that both know.
    pub version: u32,
}

/// What to do next, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Say {
    /// Tell that a file has come over the window.
    Enter(Target),
    /// Tell where it is, in pixels of the screen.
    Position(Target, (i16, i16)),
    /// Tell that it has gone again.
    Leave(Target),
    /// Tell that it was let go.
    Drop(Target),
    /// It is over.
    End(End),
}

/// What came of a drag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Somebody has taken the file.
    Taken,
    /// It was let go over somebody who said nothing of it in the end, and may have taken it.
    Unsaid,
    /// It was let go where nobody takes it.
    Refused,
    /// It was given up.
    Cancelled,
}

/// The window under the pointer.
#[derive(Debug)]
struct Over {
    target: Target,
    /// The place that it was told last.
    told: (i16, i16),
    /// Since when it owes an answer to that.
    owes: Option<Duration>,
    accepts: bool,
}

#[derive(Debug, PartialEq)]
enum Stage {
    Held,
    /// The button was let go, and the window under the pointer owes an answer.
    LetGo,
    /// The window was told so at this time.
    Dropped(Duration),
    Ended,
}

/// One drag.
#[derive(Debug)]
pub struct Source {
    over: Option<Over>,
    stage: Stage,
}

impl Source {
    /// A drag that has begun over nothing.
    pub fn new() -> Self {
        Self { over: None, stage: Stage::Held }
    }

    /// Whether the button is down as far as is known, so that it matters what is under the pointer.
    pub fn is_held(&self) -> bool {
        self.stage == Stage::Held
    }

    /// Whether a drop here and now would be taken.
    pub fn is_accepted(&self) -> bool {
        self.over.as_ref().is_some_and(|over| over.accepts)
    }

    /// The pointer is at a place of the screen, over `target`. To be called again and again: what nobody answers ends here.
    pub fn look(&mut self, now: Duration, place: (i16, i16), target: Option<Target>) -> Vec<Say> {
        match self.stage {
            Stage::Held => {}
            Stage::LetGo | Stage::Dropped(_) => return self.wait(now),
            Stage::Ended => return Vec::new(),
        }
        self.forgive(now);
        let mut say = Vec::new();
        if self.over.as_ref().map(|over| over.target) != target {
            say.extend(self.over.take().map(|over| Say::Leave(over.target)));
            if let Some(target) = target {
                self.over = Some(Over { target, told: place, owes: Some(now), accepts: false });
                say.extend([Say::Enter(target), Say::Position(target, place)]);
            }
            return say;
        }
        // One question at a time, as the protocol wants it.
        if let Some(over) = self.over.as_mut().filter(|over| over.owes.is_none() && over.told != place) {
            (over.told, over.owes) = (place, Some(now));
            say.push(Say::Position(over.target, place));
        }
        say
    }

    /// The button was let go.
    pub fn let_go(&mut self, now: Duration) -> Vec<Say> {
        if self.stage != Stage::Held {
            return Vec::new();
        }
        self.stage = Stage::LetGo;
        self.wait(now)
    }

    /// The user wants nothing of it any more.
    pub fn give_up(&mut self) -> Vec<Say> {
        match self.stage {
            Stage::Held | Stage::LetGo => self.leave(End::Cancelled),
            // It is in the other's hands.
            Stage::Dropped(_) => self.end(End::Unsaid),
            Stage::Ended => Vec::new(),
        }
    }

    /// A window says whether it takes a drop at the place that it was told last.
    pub fn hear_status(&mut self, now: Duration, window: Window, accepts: bool) -> Vec<Say> {
        let Some(over) = self.over.as_mut().filter(|over| over.target.window == window) else { return Vec::new() };
        (over.accepts, over.owes) = (accepts, None);
        if self.stage == Stage::LetGo { self.wait(now) } else { Vec::new() }
    }

    /// A window says that it has what was dropped on it, or that it has refused it.
    pub fn hear_finished(&mut self, window: Window, accepted: bool) -> Vec<Say> {
        let is_it = self.over.as_ref().is_some_and(|over| over.target.window == window);
        if !is_it || !matches!(self.stage, Stage::Dropped(_)) {
            return Vec::new();
        }
        self.end(if accepted { End::Taken } else { End::Refused })
    }

    /// Somebody who was spoken to is not there any more.
    pub fn is_gone(&mut self, spoken_to: Window) -> Vec<Say> {
        if self.over.take_if(|over| over.target.spoken_to == spoken_to).is_none() {
            return Vec::new();
        }
        match self.stage {
            Stage::Held | Stage::Ended => Vec::new(),
            Stage::LetGo => self.end(End::Refused),
            Stage::Dropped(_) => self.end(End::Unsaid),
        }
    }

    /// Who takes so long to answer takes no drop.
    fn forgive(&mut self, now: Duration) {
        if let Some(over) = &mut self.over
            && over.owes.is_some_and(|since| now.saturating_sub(since) >= STATUS)
        {
            (over.owes, over.accepts) = (None, false);
        }
    }

    fn wait(&mut self, now: Duration) -> Vec<Say> {
        self.forgive(now);
        match (&self.stage, &self.over) {
            (Stage::LetGo, Some(over)) if over.owes.is_some() => Vec::new(),
            (Stage::LetGo, Some(over)) if over.accepts => {
                self.stage = Stage::Dropped(now);
                vec![Say::Drop(over.target)]
            }
            (Stage::LetGo, _) => self.leave(End::Refused),
            (Stage::Dropped(since), _) if now.saturating_sub(*since) >= FINISHED => self.end(End::Unsaid),
            _ => Vec::new(),
        }
    }

    fn leave(&mut self, end: End) -> Vec<Say> {
        let left = self.over.take().map(|over| Say::Leave(over.target));
        left.into_iter().chain(self.end(end)).collect()
    }

    fn end(&mut self, end: End) -> Vec<Say> {
        self.stage = Stage::Ended;
        vec![Say::End(end)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Target = Target { window: 7, spoken_to: 7, version: 5 };
    const OTHER: Target = Target { window: 8, spoken_to: 9, version: 4 };

    fn at(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn a_file_is_dragged_over_two_windows_and_dropped_on_the_second() {
        let mut source = Source::new();
        assert_eq!(source.look(at(0), (1, 1), None), []);
        assert_eq!(source.look(at(1), (2, 2), Some(ONE)), [Say::Enter(ONE), Say::Position(ONE, (2, 2))]);
        assert_eq!(source.look(at(2), (3, 3), Some(ONE)), [], "it owes an answer");
        assert_eq!(source.hear_status(at(3), 7, true), []);
        assert!(source.is_accepted());
        assert_eq!(source.look(at(4), (3, 3), Some(ONE)), [Say::Position(ONE, (3, 3))]);
        let over = [Say::Leave(ONE), Say::Enter(OTHER), Say::Position(OTHER, (4, 4))];
        assert_eq!(source.look(at(5), (4, 4), Some(OTHER)), over);
        assert_eq!(source.hear_status(at(6), 7, true), [], "that one has been left");
        assert!(!source.is_accepted());
        assert_eq!(source.let_go(at(7)), [], "the answer is waited for");
        assert_eq!(source.hear_status(at(8), 8, true), [Say::Drop(OTHER)]);
        assert_eq!(source.hear_finished(7, true), []);
        assert_eq!(source.look(at(9), (5, 5), Some(ONE)), [], "what comes under the pointer now is of no concern");
        assert_eq!(source.hear_finished(8, true), [Say::End(End::Taken)]);
        assert_eq!((source.give_up(), source.let_go(at(10))), (vec![], vec![]));
    }

    #[test]
    fn where_nobody_takes_it_nothing_comes_of_it() {
        let mut source = Source::new();
        assert_eq!(source.let_go(at(0)), [Say::End(End::Refused)]);

        let mut source = Source::new();
        source.look(at(0), (1, 1), Some(ONE));
        source.hear_status(at(1), 7, false);
        assert_eq!(source.let_go(at(2)), [Say::Leave(ONE), Say::End(End::Refused)]);

        let mut source = Source::new();
        source.look(at(0), (1, 1), Some(ONE));
        assert_eq!(source.give_up(), [Say::Leave(ONE), Say::End(End::Cancelled)]);

        let mut source = Source::new();
        source.look(at(0), (1, 1), Some(ONE));
        source.hear_status(at(1), 7, true);
        source.let_go(at(2));
        assert_eq!(source.hear_finished(7, false), [Say::End(End::Refused)]);
    }

    #[test]
    fn who_says_nothing_or_dies_is_not_waited_for_for_ever() {
        let mut source = Source::new();
        source.look(at(0), (1, 1), Some(ONE));
        assert_eq!(source.look(at(1_999), (2, 2), Some(ONE)), []);
        assert_eq!(source.look(at(2_000), (2, 2), Some(ONE)), [Say::Position(ONE, (2, 2))], "it gets another chance");
        assert_eq!(source.let_go(at(2_001)), []);
        assert_eq!(source.look(at(4_000), (2, 2), Some(ONE)), [Say::Leave(ONE), Say::End(End::Refused)]);

        let mut source = Source::new();
        source.look(at(0), (1, 1), Some(ONE));
        source.hear_status(at(1), 7, true);
        assert_eq!(source.let_go(at(2)), [Say::Drop(ONE)]);
        assert_eq!(source.look(at(60_001), (1, 1), None), []);
        assert_eq!(source.look(at(60_002), (1, 1), None), [Say::End(End::Unsaid)]);

        let mut source = Source::new();
        source.look(at(0), (1, 1), Some(OTHER));
        assert_eq!(source.is_gone(7), []);
        assert_eq!(source.is_gone(9), [], "the drag goes on");
        assert_eq!(source.look(at(1), (1, 1), Some(ONE)), [Say::Enter(ONE), Say::Position(ONE, (1, 1))]);
        source.let_go(at(2));
        assert_eq!(source.is_gone(7), [Say::End(End::Refused)]);
    }
}
