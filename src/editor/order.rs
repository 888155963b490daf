//! In which order takes and variations are listed.

use std::cmp::Ordering;

use crate::session::TakeEntry;

/// In which order the list of takes is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TakeOrder {
    /// The newest first.
    #[default]
    Newest,
    /// The one with the likeliest variation first.
    Likeliest,
    /// The longest first.
    Longest,
    /// Those with the most stars first.
    Stars,
    /// By their names.
    Name,
}

impl TakeOrder {
    /// Every order and what it is called.
    pub const ALL: [(Self, &str); 5] = [
        (Self::Newest, "Newest first"),
        (Self::Likeliest, "Likeliest first"),
        (Self::Longest, "Longest first"),
        (Self::Stars, "Stars first"),
        (Self::Name, "By name"),
    ];

    /// Places of the takes, which come the oldest first, in this order. Where it makes no difference, the newer one is first.
    pub fn of(self, takes: &[TakeEntry]) -> Vec<usize> {
        let mut places: Vec<usize> = (0..takes.len()).rev().collect();
        let by = |one: &TakeEntry, other: &TakeEntry| match self {
            Self::Newest => Ordering::Equal,
            Self::Likeliest => likeliest(one).total_cmp(&likeliest(other)),
            Self::Longest => other.seconds.total_cmp(&one.seconds),
            Self::Stars => other.stars.count_ones().cmp(&one.stars.count_ones()),
            Self::Name => one.title.to_lowercase().cmp(&other.title.to_lowercase()),
        };
        places.sort_by(|one, other| by(&takes[*one], &takes[*other]));
        places
    }
}

/// Bits per frame of the likeliest variation; infinite where nothing is known.
fn likeliest(take: &TakeEntry) -> f32 {
    take.bits_per_frame.iter().copied().fold(f32::INFINITY, f32::min)
}

/// The variations of a take from top to bottom: by their numbers, or the likeliest first.
pub fn variations(count: usize, bits_per_frame: &[f32], by_likelihood: bool) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    if by_likelihood && bits_per_frame.len() == count {
        order.sort_by(|one, other| bits_per_frame[*one].total_cmp(&bits_per_frame[*other]));
    }
    order
}
