//! What is known of the chosen model from its package alone, without loading it.

use std::path::Path;
use std::sync::Arc;

pub use continuo_engine::Setting;
use continuo_engine::{Abilities, EngineError, Model};

use super::{FileChoice, Session, lock};
use crate::resources;

/// What a model can do, and the settings that suit it.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelCard {
    abilities: Abilities,
    /// The settings that its package says a render should start with.
    pub suggestion: Suggestion,
}

/// Settings that suit a model; what is not there stays as it is.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Suggestion {
    /// Sampling temperature.
    pub temperature: Option<f32>,
    /// Likeliest values to sample from; 0 = all.
    pub top_k: Option<u32>,
}

impl ModelCard {
    fn read(path: &Path) -> Result<Self, EngineError> {
        let (manifest, abilities) = Model::abilities_of(path)?;
        let suggestion = Suggestion { temperature: manifest.defaults.temperature, top_k: manifest.defaults.top_k };
        Ok(Self { abilities, suggestion })
    }

    /// Why a setting means nothing to the model; `None` where it means something.
    pub fn why_not(&self, setting: Setting) -> Option<&'static str> {
        self.abilities.why_not(setting)
    }
}

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
}
