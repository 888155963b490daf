//! What is known of the chosen model from its package alone, without loading it.

use std::path::Path;

pub use continuo_engine::{Abilities, Setting};
use continuo_engine::{EngineError, Model};

use crate::settings::Mode;

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
    pub(super) fn read(path: &Path) -> Result<Self, EngineError> {
        let (manifest, abilities) = Model::abilities_of(path)?;
        let suggestion = Suggestion { temperature: manifest.defaults.temperature, top_k: manifest.defaults.top_k };
        Ok(Self::new(abilities, suggestion))
    }

    /// Of a model that can do this.
    pub(crate) fn new(abilities: Abilities, suggestion: Suggestion) -> Self {
        Self { abilities, suggestion }
    }

    /// Why a setting means nothing to the model; `None` where it means something.
    pub fn why_not(&self, setting: Setting) -> Option<&'static str> {
        self.abilities.why_not(setting)
    }

    /// Names of the kinds of recordings that the model knows; none where there is no choice.
    pub fn classes(&self) -> &[String] {
        &self.abilities.classes
    }

    /// Why a render cannot start in this way; `None` where it can.
    pub fn why_not_mode(&self, mode: Mode) -> Option<&'static str> {
        match mode {
            Mode::Continue if !self.abilities.can_continue => Some("This model cannot carry on from a clip."),
            Mode::Unconditional if !self.abilities.can_begin => Some("This model needs a clip to carry on from."),
            _ => None,
        }
    }
}
