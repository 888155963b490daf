//! Which part of the seed clip is used, as the user moves it. Knows no window.
//!
//! While a handle is dragged the session knows nothing of it; when it is let go, one command says what is used from then on.

use std::sync::Arc;

use super::zoom::View;
use crate::session::{Command, MAX_TRIM_SECONDS, MIN_TRIM_SECONDS, SeedPreview, SeedTrim};

/// A file that is longer than so many times what is used of it is not shown whole at first.
const MOST_AT_FIRST: f64 = 4.0;

/// Where a part begins and ends, in seconds from the file's first frame.
pub type Ends = (f64, f64);

/// One of the two ends of what is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handle {
    /// Where it begins.
    Begin,
    /// Where it ends, and the continuation begins.
    End,
}

/// A handle that is being dragged.
#[derive(Debug, Clone, Copy)]
pub struct Drag {
    /// Which.
    pub handle: Handle,
    /// From the pointer to the handle, in seconds.
    pub offset: f64,
    /// The part before.
    pub before: Ends,
    /// The part as it stands.
    pub now: Ends,
    /// What is seen stays as it is meanwhile.
    pub view: View,
}

/// What the editor remembers of trimming.
#[derive(Debug, Default)]
pub struct Trimming {
    /// The clip is shown in place of the take.
    pub open: bool,
    /// The stretch that the user looks at; `None` for the one at first.
    pub view: Option<View>,
    /// What is typed into the field for the last so many seconds.
    pub typed: String,
    /// The handle that is being dragged.
    pub drag: Option<Drag>,
    /// What the session had, and what it was asked for since: until it has heard, the editor shows what it was asked for.
    sent: Option<(Option<SeedTrim>, Option<SeedTrim>)>,
    /// The stretch that a project brings along for the clip that is about to be read.
    awaited: Option<View>,
    /// The clip that all of this is about.
    of: Option<Arc<SeedPreview>>,
}

impl Trimming {
    /// Looks at the clip that is chosen now and at its trim in the session: another clip begins anew.
    pub fn follow(&mut self, clip: &Arc<SeedPreview>, trim: Option<SeedTrim>) {
        if self.of.as_ref().is_none_or(|of| !Arc::ptr_eq(of, clip)) {
            *self = Self { open: self.open, view: self.awaited, of: Some(Arc::clone(clip)), ..Self::default() };
        }
        self.sent.take_if(|(before, _)| *before != trim);
    }

    /// Looks at a stretch as a project keeps it; of a clip that is still to be read, as soon as it is.
    pub fn look_at(&mut self, view: Option<View>) {
        self.view = view;
        self.awaited = view.filter(|_| self.of.is_none());
    }

    /// The stretch that the user looks at, as a project keeps it.
    pub fn looks_at(&self) -> Option<View> {
        self.view
    }

    /// The part that is used.
    pub fn used(&self, clip: &SeedPreview, trim: Option<SeedTrim>) -> Ends {
        self.drag.map_or_else(|| clip.used(self.asked(trim)), |drag| drag.now)
    }

    /// What is seen of `total` seconds: what the user has chosen, else the file and the room for `continuation` seconds, of a long file
    /// the part that is used.
    pub fn seen(&self, used: Ends, continuation: f64, total: f64) -> View {
        match (self.drag, self.view) {
            (Some(drag), _) => drag.view,
            (None, Some(view)) => view.scrolled(0.0, total),
            (None, None) => at_first(used, continuation, total),
        }
    }

    /// What to send so that this part is used; `None` where that is so already, or there is no such part.
    pub fn ask(&mut self, clip: &SeedPreview, trim: Option<SeedTrim>, (begin, end): Ends) -> Option<Command> {
        // All of it is no trim.
        let (first, last) = clip.used(None);
        let frame = 0.5 / f64::from(clip.rate_hz.max(1));
        let is_all = (begin - first).abs() < frame && (end - last).abs() < frame;
        let wanted = if is_all { None } else { Some(SeedTrim::new(begin, end)?) };
        if wanted == self.asked(trim) {
            return None;
        }
        self.sent = Some((trim, wanted));
        Some(Command::TrimSeed(wanted))
    }

    fn asked(&self, trim: Option<SeedTrim>) -> Option<SeedTrim> {
        self.sent.map_or(trim, |(_, wanted)| wanted)
    }
}

fn at_first((begin, end): Ends, continuation: f64, total: f64) -> View {
    let wanted = end - begin + continuation;
    if total <= MOST_AT_FIRST * wanted.max(1.0) {
        return View { from: 0.0, to: total };
    }
    let margin = wanted / 8.0;
    View { from: (begin - margin).max(0.0), to: (end + continuation + margin).min(total) }
}

/// The part after a handle was moved to a time. It stays within the file, and neither too short nor too long.
pub fn moved(handle: Handle, to: f64, (begin, end): Ends, file: f64) -> Ends {
    match handle {
        Handle::Begin => (to.min(end - MIN_TRIM_SECONDS).max(end - MAX_TRIM_SECONDS).max(0.0), end),
        Handle::End => {
            let end = to.max(begin + MIN_TRIM_SECONDS).min(file);
            // What is nearest to the end is what gets continued.
            (begin.max(end - MAX_TRIM_SECONDS), end)
        }
    }
}

/// The last so many seconds of a part, or of the file before its end.
pub fn last((_, end): Ends, seconds: f64) -> Ends {
    ((end - seconds.clamp(MIN_TRIM_SECONDS, MAX_TRIM_SECONDS)).max(0.0), end)
}

/// What was typed as a number of seconds: `2`, `1.5 s`, `0,25`.
pub fn typed_seconds(text: &str) -> Option<f64> {
    let number = text.trim().trim_end_matches(['s', 'S']).trim().replace(',', ".");
    number.parse::<f64>().ok().filter(|seconds| seconds.is_finite() && *seconds > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clip(seconds: u64) -> Arc<SeedPreview> {
        Arc::new(SeedPreview { rate_hz: 1_000, frames: 1_000 * seconds, frames_per_column: 1, peaks: Vec::new() })
    }

    #[test]
    fn a_handle_stays_within_the_file_and_the_part_within_its_bounds() {
        assert_eq!(moved(Handle::Begin, 3.0, (0.0, 8.0), 10.0), (3.0, 8.0));
        assert_eq!(moved(Handle::Begin, -3.0, (1.0, 8.0), 10.0), (0.0, 8.0));
        assert_eq!(moved(Handle::Begin, 9.0, (1.0, 8.0), 10.0), (8.0 - MIN_TRIM_SECONDS, 8.0));
        assert_eq!(moved(Handle::Begin, 0.0, (50.0, 100.0), 200.0), (40.0, 100.0), "a minute at most");
        assert_eq!(moved(Handle::End, 3.0, (0.0, 8.0), 10.0), (0.0, 3.0));
        assert_eq!(moved(Handle::End, 30.0, (1.0, 8.0), 10.0), (1.0, 10.0));
        assert_eq!(moved(Handle::End, 0.0, (1.0, 8.0), 10.0), (1.0, 1.0 + MIN_TRIM_SECONDS));
        assert_eq!(moved(Handle::End, 150.0, (40.0, 90.0), 200.0), (90.0, 150.0), "the begin follows");
        assert_eq!(last((1.0, 8.0), 2.0), (6.0, 8.0));
        assert_eq!(last((7.0, 8.0), 60.0), (0.0, 8.0), "also what was cut off before");
    }

    #[test]
    fn a_long_file_is_shown_where_it_is_used_and_a_short_one_whole() {
        assert_eq!(at_first((0.0, 8.0), 8.0, 16.0), View { from: 0.0, to: 16.0 });
        assert_eq!(at_first((1.0, 2.0), 8.0, 16.0), View { from: 0.0, to: 16.0 });
        let view = at_first((3_540.0, 3_600.0), 4.0, 3_604.0);
        assert!(view.from > 3_500.0 && view.from < 3_540.0 && (view.to - 3_604.0).abs() < 1e-9, "{view:?}");
    }

    #[test]
    fn what_was_asked_for_is_shown_until_the_session_says_what_it_has() {
        let (short, mut state) = (clip(10), Trimming::default());
        state.follow(&short, None);
        assert_eq!(state.used(&short, None), (0.0, 10.0));
        let trim = SeedTrim::new(2.0, 6.0);
        assert_eq!(state.ask(&short, None, (2.0, 6.0)), Some(Command::TrimSeed(trim)));
        assert_eq!(state.ask(&short, None, (2.0, 6.0)), None, "once is enough");
        state.follow(&short, None);
        assert_eq!(state.used(&short, None), (2.0, 6.0));
        state.follow(&short, trim);
        assert_eq!(state.used(&short, trim), (2.0, 6.0));
        // Another session has been opened meanwhile.
        state.follow(&short, SeedTrim::new(1.0, 3.0));
        assert_eq!(state.used(&short, SeedTrim::new(1.0, 3.0)), (1.0, 3.0));
        assert_eq!(state.ask(&short, trim, (0.000_1, 9.999_9)), Some(Command::TrimSeed(None)), "all of it is no trim");
        assert_eq!(state.ask(&short, trim, (5.0, 4.0)), None);
        let other = clip(20);
        state.follow(&other, None);
        assert_eq!(state.used(&other, None), (0.0, 20.0));
    }

    #[test]
    fn of_a_long_file_all_that_can_be_used_is_its_last_minute() {
        let (long, mut state) = (clip(200), Trimming::default());
        state.follow(&long, None);
        assert_eq!(state.used(&long, None), (140.0, 200.0));
        assert_eq!(state.ask(&long, None, (140.0, 200.0)), None);
        assert_eq!(state.ask(&long, None, (0.0, 60.0)), Some(Command::TrimSeed(SeedTrim::new(0.0, 60.0))));
        assert_eq!(state.used(&long, None), (0.0, 60.0));
    }

    #[test]
    fn seconds_are_typed_as_people_type_them() {
        for (text, seconds) in [("2", 2.0), (" 1.5 s", 1.5), ("0,25", 0.25), ("3S", 3.0)] {
            assert_eq!(typed_seconds(text), Some(seconds), "{text}");
        }
        for text in ["", "s", "two", "-1", "0", "inf", "nan"] {
            assert_eq!(typed_seconds(text), None, "{text}");
        }
    }
}
