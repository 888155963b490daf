//! What a model can do, so that nobody outside of its family needs to know which family it is.

use std::collections::BTreeSet;

/// A setting of a render that not every model heeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Setting {
    /// How long the phrase is to be.
    Length,
    /// Divides the logits before the softmax.
    Temperature,
    /// Likeliest values that are drawn from.
    TopK,
    /// The same as the temperature, for the codes that a sound is made after.
    CodeTemperature,
    /// Likeliest codes that are drawn from, where a sound is made after codes.
    CodeTopK,
    /// The number that fixes the random choices.
    RngSeed,
    /// In what products are computed.
    Precision,
    /// How many variations are made.
    Variations,
    /// Which of the kinds of recordings that the model knows it plays like.
    Class,
}

impl Setting {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Length,
        Self::Temperature,
        Self::TopK,
        Self::CodeTemperature,
        Self::CodeTopK,
        Self::RngSeed,
        Self::Precision,
        Self::Variations,
        Self::Class,
    ];
}

/// What a model can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Abilities {
    /// Audio channels.
    pub channels: u16,
    /// Whether it can go on from a clip.
    pub can_continue: bool,
    /// Whether it can begin without one.
    pub can_begin: bool,
    /// Names of the kinds of recordings of which one is asked for; none where there is no choice.
    pub classes: Vec<String>,
    /// Frames of every phrase at the model's rate, where they cannot be chosen.
    pub fixed_frames: Option<u64>,
    /// The settings that mean something.
    pub settings: BTreeSet<Setting>,
}

impl Abilities {
    /// Why a setting means nothing, as a sentence for a user; `None` where it means something.
    pub fn why_not(&self, setting: Setting) -> Option<&'static str> {
        if self.settings.contains(&setting) {
            return None;
        }
        Some(match setting {
            Setting::Length => "This model makes phrases of one length.",
            Setting::Temperature => "This model computes each value instead of drawing it, so there is no temperature.",
            Setting::TopK => {
                "This model computes each value instead of drawing it, so there is nothing to choose from."
            }
            Setting::CodeTemperature | Setting::CodeTopK => {
                "This model draws its sound at once, without codes for what is to be played."
            }
            Setting::RngSeed => "This model leaves nothing to chance.",
            Setting::Precision => "This model is computed in one precision only.",
            Setting::Class => "This model knows one kind of recordings only.",
            Setting::Variations => "This model leaves nothing to chance, so all variations would be the same.",
        })
    }
}
