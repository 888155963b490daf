//! Trimming the chosen seed clip.

use super::concern::Concern;
use super::deed::Deed;
use super::instance::Session;
use super::lock::lock;
use super::sound::Sound;
use super::trim::{SeedTrim, Trimmed};

impl Session {
    /// Uses this part of the chosen seed clip from the next render on; `None` for all of it.
    pub(crate) fn trim_seed(&self, trim: Option<SeedTrim>) {
        if self.snapshot().seed_trim == trim {
            return;
        }
        self.note(Deed::TrimSeed);
        let mut board = lock(&self.board);
        let path = board.snapshot.seed.path.clone();
        board.trimmed = Trimmed { trim, path };
        let listening =
            board.listening.as_ref().filter(|listening| listening.sound == Sound::Seed).map(|heard| heard.id);
        drop(board);
        // What is heard is what will be used.
        if self.link.auditioned().is_some_and(|(id, _)| Some(id) == listening) {
            self.link.end_audition();
        }
        self.settle(Concern::Seed);
        self.touch();
        self.repaint.request_repaint();
    }

    /// Forgets the trim of a file that is not the chosen one any more.
    pub(crate) fn forget_trim_of_another(&self) {
        let mut board = lock(&self.board);
        if board.trimmed.path != board.snapshot.seed.path {
            board.trimmed = Trimmed::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::session::{Chosen, FileChoice};

    #[test]
    fn a_trim_goes_with_its_file_and_comes_back_where_another_is_refused() {
        let session = Session::new();
        let choose = |name: &str| session.choose(Chosen::Seed, PathBuf::from(name));
        let trim = SeedTrim::new(2.0, 6.0);
        let clip = choose("/a.wav");
        session.accept(Chosen::Seed, &clip);
        let before = session.revision();
        session.trim_seed(trim);
        assert!(session.revision() > before, "the host's project has changed");
        assert_eq!(session.snapshot().seed_trim, trim);
        assert_eq!(session.saved().seed_trim, trim);
        session.go(true).unwrap();
        assert_eq!(session.snapshot().seed_trim, None, "undone");
        session.go(false).unwrap();
        assert_eq!(session.snapshot().seed_trim, trim, "and done again");

        let gone = choose("/gone.wav");
        assert_eq!(session.snapshot().seed_trim, None, "it is another file's");
        session.refuse(Chosen::Seed, &gone);
        assert_eq!(session.snapshot().seed_trim, trim);

        let other = choose("/b.wav");
        session.accept(Chosen::Seed, &other);
        assert_eq!(session.snapshot().seed_trim, None);
        let again = choose("/a.wav");
        session.accept(Chosen::Seed, &again);
        assert_eq!(session.snapshot().seed_trim, None, "it was given up with the file");

        session.trim_seed(trim);
        session.post(|snapshot| snapshot.seed = FileChoice::factory_seed());
        session.forget_trim_of_another();
        assert_eq!(session.saved().seed_trim, None);
        session.trim_seed(trim);
        assert_eq!(session.snapshot().seed_trim, trim, "the factory's clip can be trimmed too");
    }

    #[test]
    fn a_trim_comes_back_with_its_session() {
        let session = Session::new();
        let clip = session.choose(Chosen::Seed, PathBuf::from("/a.wav"));
        session.accept(Chosen::Seed, &clip);
        session.trim_seed(SeedTrim::new(0.25, 1.75));
        let text = serde_json::to_string(&session.saved()).unwrap();
        assert!(text.contains(r#""seed_trim":{"begin_seconds":0.25,"end_seconds":1.75}"#), "{text}");
        let other = Session::new();
        other.restore(serde_json::from_str(&text).unwrap());
        assert_eq!(other.snapshot().seed_trim, SeedTrim::new(0.25, 1.75));
        assert_eq!(serde_json::to_string(&other.saved()).unwrap(), text);
        // A session without one has none, and one that is not understood is kept and not used.
        other.restore(serde_json::from_str(r#"{"seed":"/a.wav"}"#).unwrap());
        assert_eq!(other.snapshot().seed_trim, None);
        let odd = r#"{"inline_limit":1,"model":null,"seed":"/a.wav","seed_trim":{"bars":[1,2]},"take":null}"#;
        other.restore(serde_json::from_str(odd).unwrap());
        assert_eq!(other.snapshot().seed_trim, None);
        assert!(other.snapshot().error.is_some_and(|words| words.contains("seed_trim")));
        assert_eq!(serde_json::to_string(&other.saved()).unwrap(), odd);
    }

    #[test]
    fn the_seed_falls_silent_when_it_is_trimmed_and_the_take_plays_on() {
        let session = Session::new();
        session.pretend_to_play(Sound::Take { variation: 0 });
        session.trim_seed(SeedTrim::new(0.0, 1.0));
        assert!(!session.link.takes_audition_end());
        session.pretend_to_play(Sound::Seed);
        session.trim_seed(None);
        assert!(session.link.takes_audition_end());
    }
}
