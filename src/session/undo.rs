//! A session's steps back and forth.

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
        let mut history = lock(&self.history);
        history.note(deed, before);
        let (undo, redo) = history.next();
        drop(history);
        self.post(|snapshot| (snapshot.undo, snapshot.redo) = (undo, redo));
    }

    /// Undoes the last step, or does again what was undone last. Takes as long as unpacking a take does.
    pub(crate) fn go(&self, back: bool) -> Result<(), TakeError> {
        let now = self.document();
        let mut history = lock(&self.history);
        let Some(Document { shelf, model, seed }) = history.step(back, now) else { return Ok(()) };
        let (undo, redo) = history.next();
        drop(history);
        lock(&self.bench).shelf.become_like(shelf);
        self.post(|snapshot| {
            (snapshot.undo, snapshot.redo) = (undo, redo);
            snapshot.model = model;
            snapshot.seed = seed;
        });
        self.touch();
        self.bring_up()
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
        Document { shelf, model: snapshot.model, seed: snapshot.seed }
    }
}
