//! A take in the list of takes.

use crate::take::id::TakeId;
use crate::take::shelf::{Kept, Shelf};

/// A take in the list, as it is shown.
#[derive(Debug, Clone, PartialEq)]
pub struct TakeEntry {
    /// Which.
    pub id: TakeId,
    /// What it is called.
    pub title: String,
    /// Whether the user has given it that name.
    pub named: bool,
    /// Variations.
    pub variations: usize,
    /// A bit for each variation that has a star, the lowest for the first one.
    pub stars: u32,
    /// How unlikely each variation is under the model, in bits per frame; empty where that is not known.
    pub bits_per_frame: Vec<f32>,
    /// Length of the continuation in seconds.
    pub seconds: f64,
    /// What made it, for people.
    pub recipe: String,
    /// Whether it is the chosen one.
    pub chosen: bool,
    /// Whether it was chosen before: what A/B goes to.
    pub before: bool,
}

impl TakeEntry {
    pub(super) fn of(kept: &Kept, shelf: &Shelf) -> Self {
        let recipe = &kept.packed.recipe;
        let is = |other: Option<&Kept>| other.is_some_and(|other| other.id == kept.id);
        Self {
            id: kept.id,
            title: kept.label.title(),
            named: kept.label.name.is_some(),
            variations: kept.packed.variations.len(),
            stars: kept.label.stars,
            bits_per_frame: recipe.bits_per_frame.clone(),
            seconds: recipe.frames as f64 / f64::from(recipe.model_rate_hz.max(1)),
            recipe: recipe.describe(),
            chosen: is(shelf.chosen()),
            before: is(shelf.other()),
        }
    }

    /// Whether a variation has a star.
    pub fn has_star(&self, variation: usize) -> bool {
        variation < 32 && self.stars >> variation & 1 == 1
    }
}
