//! A session's steps back and forth.

use std::sync::Arc;

use super::deed::Deed;
use super::history::{Document, History};
use super::instance::Session;
use super::lock::lock;
use super::takes::TakeError;

impl Session {
    /// Notes down how everything is before something is done, so that it can be undone.
    pub(crate) fn note(&self, deed: Deed) {
        self.note_since(deed, self.document());
    }

    /// As [`Session::note`], of something that was done since `before`.
    pub(crate) fn note_since(&self, deed: Deed, before: Document) {
        self.with_history(|history| history.note(deed, before));
    }

    /// Notes down that the user has turned a parameter, from one normalised value to another.
    pub fn note_turn(&self, id: &str, before: f32, after: f32) {
        self.with_history(|history| history.note_turn(id, before, after));
    }

    /// If the last step (`back`), or the one that was undone last, was a turn of a parameter, it is undone or done again: gives the
    /// parameter's id and the normalised value that the host is to set.
    pub fn turn(&self, back: bool) -> Option<(Arc<str>, f32)> {
        self.with_history(|history| history.turn(back))
    }

    /// Undoes the last step, or does again what was undone last. Takes as long as unpacking a take does.
    pub(crate) fn go(&self, back: bool) -> Result<(), TakeError> {
        if self.go_over_patch(back) {
            return Ok(());
        }
        let now = self.document();
        let step = self.with_history(|history| history.step(back, now));
        let Some(Document { shelf, model, seed, trimmed }) = step else { return Ok(()) };
        let mut bench = lock(&self.bench);
        let placed = bench.shelf.strip != shelf.strip;
        bench.shelf.become_like(shelf);
        drop(bench);
        lock(&self.board).trimmed = trimmed;
        self.post(|snapshot| {
            snapshot.model = model;
            snapshot.seed = seed;
        });
        self.touch();
        let result = self.bring_up();
        if placed {
            self.show_arrangement();
        }
        result
    }

    /// Does something with the history, and shows what can be undone then.
    pub(super) fn with_history<R>(&self, what: impl FnOnce(&mut History) -> R) -> R {
        let mut history = lock(&self.history);
        let result = what(&mut history);
        let (undo, redo) = history.next();
        drop(history);
        self.post(|snapshot| (snapshot.undo, snapshot.redo) = (undo, redo));
        result
    }

    /// There is nothing to be undone any more: another session is in this one's place.
    pub(super) fn forget_history(&self) {
        *lock(&self.history) = History::default();
        self.post(|snapshot| (snapshot.undo, snapshot.redo) = (None, None));
    }

    /// Everything that can be brought back, as it is.
    pub(crate) fn document(&self) -> Document {
        let shelf = lock(&self.bench).shelf.rested();
        let snapshot = self.snapshot();
        let trimmed = lock(&self.board).trimmed.clone();
        Document { shelf, model: snapshot.model, seed: snapshot.seed, trimmed }
    }
}
