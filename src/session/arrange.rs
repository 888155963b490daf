//! What can be changed of the arrangement.

use super::deed::Deed;
use crate::take::arrangement::{Placement, PlacementId};
use crate::take::id::TakeId;

/// What the user changes of the arrangement.
#[derive(Debug, Clone, PartialEq)]
pub enum Arranging {
    /// Place a variation of a take at the end of what is there.
    Add {
        /// The take.
        take: TakeId,
        /// Which variation, from 0.
        variation: usize,
    },
    /// Change the placement of that id to this.
    Change(Placement),
    /// Take a placement away.
    Remove(PlacementId),
}

impl Arranging {
    /// What is done by it.
    pub(super) fn deed(&self) -> Deed {
        match self {
            Self::Add { .. } => Deed::PlaceTake,
            Self::Change(_) => Deed::MovePlacement,
            Self::Remove(_) => Deed::RemovePlacement,
        }
    }
}
