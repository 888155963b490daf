//! What is played to the user without the host's transport.

use std::sync::Arc;

use super::instance::Session;
use super::link::Audition;
use super::lock::lock;
use super::sound::{Listening, Prepared, Sound};
use super::trim::SeedTrim;
use crate::files::File;
use crate::take::play::PlayTake;

impl Session {
    /// What is played to the user, and at which second of it; `None` where nothing is.
    pub fn heard(&self) -> Option<(Sound, f64)> {
        let (id, seconds) = self.link.auditioned()?;
        let listening = lock(&self.board).listening.clone().filter(|listening| listening.id == id)?;
        Some((listening.sound, seconds))
    }

    /// Plays a sound to the user from a second on.
    pub(crate) fn play(&self, sound: Sound, play: Arc<PlayTake>, from_seconds: f64) {
        let variation = match &sound {
            Sound::Take { variation } => *variation,
            _ => 0,
        };
        let frame = (from_seconds.max(0.0) * f64::from(play.rate_hz)) as i64;
        lock(&self.board).listening = Some(Listening { sound, id: play.id });
        let variation = variation.min(play.variations().saturating_sub(1)) as u8;
        self.link.audition(Audition { take: play, variation, with_seed: true, frame });
        self.repaint.request_repaint();
    }

    /// The take that is shown, at the host's rate.
    pub(crate) fn shown_take(&self) -> Option<Arc<PlayTake>> {
        lock(&self.bench).shown_play().cloned()
    }

    /// The sound of this part of a file that was played before, if the file is as it was and the host's rate too.
    pub(crate) fn prepared(&self, file: &File, trim: Option<SeedTrim>) -> Option<Arc<PlayTake>> {
        let rate_hz = self.link.host_rate_hz()?;
        let prepared = lock(&self.board).prepared.clone()?;
        let same = prepared.file == *file && prepared.trim == trim && prepared.play.rate_hz == rate_hz;
        same.then_some(prepared.play)
    }

    /// As if `process()` played this, one second from its start.
    #[cfg(test)]
    pub(crate) fn pretend_to_play(&self, sound: Sound) {
        self.link.set_host_rate(48_000.0);
        lock(&self.board).listening = Some(Listening { sound, id: 1 });
        self.link.set_auditioned(Some((1, 48_000)));
    }

    pub(crate) fn keep_prepared(&self, prepared: Prepared) {
        lock(&self.board).prepared = Some(prepared);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::take::bench::lay_out;
    use crate::take::pack::tests::take;

    #[test]
    fn what_is_heard_is_told_until_it_ends() {
        let session = Session::new();
        session.set_host_rate(48_000.0);
        let play = lay_out(&take(), 48_000).unwrap();
        assert_eq!(session.heard(), None);
        session.play(Sound::Take { variation: 7 }, Arc::clone(&play), 0.01);
        let audition = session.link.next_audition().unwrap();
        assert_eq!((audition.take.id, audition.variation, audition.frame), (play.id, 1, 480));
        assert_eq!(session.heard(), None, "it has not begun");
        session.link.set_auditioned(Some((play.id, 960)));
        assert_eq!(session.heard(), Some((Sound::Take { variation: 7 }, 0.02)));
        session.link.set_auditioned(None);
        assert_eq!(session.heard(), None);
        // Something else plays that nobody here has asked for.
        session.link.set_auditioned(Some((play.id + 1, 0)));
        assert_eq!(session.heard(), None);
    }

    #[test]
    fn an_end_takes_what_waits_with_it() {
        let session = Session::new();
        session.set_host_rate(48_000.0);
        let play = lay_out(&take(), 48_000).unwrap();
        session.play(Sound::Seed, Arc::clone(&play), 0.0);
        session.link.end_audition();
        assert!(session.link.next_audition().is_none() && session.link.takes_audition_end());
        assert!(!session.link.takes_audition_end());
        session.link.end_audition();
        session.play(Sound::Seed, play, -1.0);
        assert!(!session.link.takes_audition_end(), "the end was of what played before");
        assert_eq!(session.link.next_audition().unwrap().frame, 0);
    }
}
