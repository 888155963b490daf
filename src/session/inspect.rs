//! Looking at the chosen files before anything is rendered: the model's card and the seed clip's preview.

use std::sync::Arc;

use super::card::{ModelCard, Suggestion};
use super::concern::Concern;
use super::file_choice::FileChoice;
use super::instance::Session;
use super::lock::lock;
use super::preview::SeedPreview;
use crate::resources;
use crate::threads;

impl Session {
    /// Whether nobody has read the card of the chosen model yet; says so once for each choice.
    pub(crate) fn wants_card(&self) -> Option<FileChoice> {
        let mut board = lock(&self.board);
        let board = &mut *board;
        if board.described.as_ref() == Some(&board.snapshot.model) {
            return None;
        }
        board.described = Some(board.snapshot.model.clone());
        board.described.clone()
    }

    /// Reads the card of a model, and shows it if that is still the chosen one. With `suggest`, an open editor then sets the
    /// settings that suit it: the user has chosen it just now. Opens a file.
    pub(crate) fn describe(&self, choice: &FileChoice, suggest: bool) {
        if let Some(path) = choice.path.as_deref().filter(|path| !path.exists()) {
            self.miss_model(path);
        }
        let path = choice.path.clone().or_else(|| resources::default_model().ok());
        // Why a model cannot be read is told where it is chosen or rendered with.
        let card = path.and_then(|path| ModelCard::read(&path).ok()).map(Arc::new);
        let mut board = lock(&self.board);
        if board.snapshot.model != *choice {
            return;
        }
        board.suggestion = card.as_ref().filter(|_| suggest).map(|card| card.suggestion);
        board.described = Some(choice.clone());
        board.snapshot.card = card;
        drop(board);
        self.repaint.request_repaint();
    }

    /// The settings of a model that was chosen just now, once.
    pub fn take_suggestion(&self) -> Option<Suggestion> {
        lock(&self.board).suggestion.take()
    }

    /// Draws the seed clip that is chosen now, or the factory's; [`super::Snapshot::seed_preview`] shows it when done.
    ///
    /// The file is read by a thread of its own. An editor asks for this when it shows another choice; nobody else does, so
    /// that nothing is opened while a host scans.
    pub fn preview_seed(self: &Arc<Self>) {
        // What is shown is what will be used: never another clip, while this one is read.
        self.post(|snapshot| snapshot.seed_preview = None);
        // A file may be hours long: an instance that goes does not wait for that.
        let session = Arc::downgrade(self);
        let thread = threads::start("continuo-preview", move || {
            let Some(chosen) = session.upgrade().map(|session| session.snapshot().seed.path) else { return };
            // A factory clip that is missing is told when a render needs it, not when a window opens.
            let Some(path) = chosen.clone().or_else(|| resources::default_seed().ok()) else { return };
            // A pipe would never end; a render refuses it in words.
            if path.exists() && !path.is_file() {
                return;
            }
            // Another clip may be chosen while this one is read; that one has a thread of its own.
            let current = || session.upgrade().filter(|session| session.snapshot().seed.path == chosen);
            let preview = SeedPreview::read(&path, || current().is_some()).transpose();
            let (Some(preview), Some(session)) = (preview, current()) else { return };
            match &preview {
                Ok((_, None)) => session.settle(Concern::Seed),
                Ok((_, Some(damage))) => session.complain_of(Concern::Seed, damage),
                Err(error) => session.complain_of(Concern::Seed, error),
            }
            session.post(|snapshot| {
                if snapshot.seed.path == chosen {
                    snapshot.seed_preview = preview.ok().map(|(preview, _)| Arc::new(preview));
                }
            });
        });
        if let Err(error) = thread {
            tracing::warn!("the seed clip cannot be drawn: {error}");
        }
    }
}
