//! Models whose speed somebody would like to know before choosing one.

use std::path::{Path, PathBuf};

use super::instance::Session;
use super::lock::lock;

impl Session {
    /// Says which models' speeds are shown just now; none when nobody looks at models any more.
    pub fn wonder(&self, models: Vec<PathBuf>) {
        lock(&self.board).curious = models;
    }

    /// The first of them whose speed is not known and `can` be measured.
    pub(crate) fn curious(&self, can: impl Fn(&Path) -> bool) -> Option<PathBuf> {
        let board = lock(&self.board);
        let (wanted, known) = (board.curious.clone(), board.snapshot.speeds.clone());
        // What asks about files is asked outside the lock.
        drop(board);
        wanted.into_iter().find(|path| !known.iter().any(|(measured, _)| measured == path) && can(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_or_cannot_be_measured_is_not_asked_for_again() {
        let session = Session::new();
        let path = |name: &str| PathBuf::from(name);
        assert_eq!(session.curious(|_| true), None);
        session.wonder(vec![path("a"), path("b"), path("c")]);
        assert_eq!(session.curious(|_| true), Some(path("a")));
        session.post(|snapshot| snapshot.speeds = [(path("a"), 2.0)].into());
        assert_eq!(session.curious(|_| true), Some(path("b")));
        assert_eq!(session.curious(|wanted| wanted != path("b")), Some(path("c")));
        session.wonder(Vec::new());
        assert_eq!(session.curious(|_| true), None);
    }
}
