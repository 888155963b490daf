//! The session among the parameters that the host saves.

use std::sync::Arc;

use nice_plug::params::persist::PersistentField;

use super::file_choice::{FileChoice, Origin};
use super::instance::Session;
use super::lock::lock;
use super::saved::{SavedPlacement, SavedSession, SavedShelf};
use crate::take::shelf::Kept;

/// The session as a persistent field of the parameters.
#[derive(Debug, Clone)]
pub struct PersistentSession(Arc<Session>);

impl Default for PersistentSession {
    fn default() -> Self {
        Self(Session::new())
    }
}

impl std::ops::Deref for PersistentSession {
    type Target = Arc<Session>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl PersistentField<'_, SavedSession> for PersistentSession {
    /// Restores a session. Hosts call this on their main thread, so the take is unpacked and laid out here and now: when
    /// it returns, the next block plays it.
    fn set(&self, saved: SavedSession) {
        self.0.restore(saved);
    }

    fn map<F, R>(&self, f: F) -> R
    where
        F: Fn(&SavedSession) -> R,
    {
        f(&self.0.saved())
    }
}

impl Session {
    /// The session as it is to be saved: at any moment, with the takes that are finished.
    pub(crate) fn saved(&self) -> SavedSession {
        let snapshot = self.snapshot();
        let chosen = |choice: &FileChoice| choice.path.clone().filter(|_| choice.origin == Origin::Chosen);
        let (take, shelf, arrangement) = {
            let bench = lock(&self.bench);
            let takes = bench.shelf.takes();
            let chosen = bench.shelf.chosen();
            let is_chosen = |kept: &Kept| chosen.is_some_and(|chosen| chosen.id == kept.id);
            let saved = |kept: &Kept| (kept.label.clone(), Arc::clone(&kept.packed));
            let shelf = SavedShelf {
                label: chosen.map(|kept| kept.label.clone()).unwrap_or_default(),
                at: takes.iter().position(is_chosen).unwrap_or(0),
                others: takes.iter().filter(|kept| !is_chosen(kept)).map(saved).collect(),
            };
            let placed = bench.shelf.strip.placements().iter();
            let arrangement = placed.filter_map(|placement| SavedPlacement::of(placement, &bench.shelf)).collect();
            (chosen.map(|kept| Arc::clone(&kept.packed)), shelf, arrangement)
        };
        let model = chosen(&snapshot.model);
        let hash = lock(&self.board).model_hash.clone().filter(|(of, _)| Some(of) == model.as_ref());
        SavedSession {
            model,
            model_sha256: hash.map(|(_, sha256)| sha256),
            seed: chosen(&snapshot.seed),
            seed_trim: snapshot.seed_trim,
            inline_limit: snapshot.inline_limit,
            look: self.look(),
            take,
            shelf,
            arrangement,
            unread: lock(&self.unread).clone(),
        }
    }

    /// Notes down what would be saved if no state had been kept.
    pub(crate) fn mark_unchanged(&self, document: String) {
        if let Some(state) = &mut lock(&self.unread).kept.state {
            state.unchanged = Some(document);
        }
    }
}
