//! Takes placed one after another in the song.
//!
//! A placement says which variation of which take, from which quarter note of the song on, for how long and how often. It ends at
//! its own end or where the next one begins, so the order of the begins is the order in which they sound.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use super::MAX_VARIATIONS;
use super::id::TakeId;
use crate::json::Object;

/// Most placements of an arrangement.
pub const MAX_PLACEMENTS: usize = continuo_realtime::PLACEMENTS;
/// Longest length of a placement, in bars, and most times that it is played.
pub const MOST_TIMES: u32 = 999;
/// Last quarter note of the song at which one may begin.
const LAST_BEAT: f64 = 16_000.0;
/// The loudest and the quietest that one is played, in dB.
pub const GAIN_DB: (f32, f32) = (-60.0, 12.0);

/// Tells a placement from all others of this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PlacementId(u64);

/// How often a placed take is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Repeat {
    /// Once.
    #[default]
    Once,
    /// So many times.
    Times(u32),
    /// Over and over, until the next one begins.
    UntilNext,
}

/// A take at its place in the song.
#[derive(Debug, Clone, PartialEq)]
pub struct Placement {
    /// Which placement.
    pub id: PlacementId,
    /// Which take.
    pub take: TakeId,
    /// Which variation of it, from 0.
    pub variation: usize,
    /// Quarter notes from the song's start to its first frame.
    pub begin: f64,
    /// Bars of one time through it; `None`: as long as the take is.
    pub bars: Option<u32>,
    /// How often it is played.
    pub repeat: Repeat,
    /// Its level in dB.
    pub gain_db: f32,
    /// What a newer Continuo has saved of it.
    pub other: Object,
}

/// The placements of a session in the order of their begins.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Arrangement(Vec<Placement>);

impl PlacementId {
    /// One that nobody has yet.
    pub fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

impl Default for PlacementId {
    fn default() -> Self {
        Self::new()
    }
}

impl Repeat {
    /// How many times; `None`: until the next one begins.
    pub fn times(self) -> Option<u32> {
        match self {
            Self::Once => Some(1),
            Self::Times(times) => Some(times),
            Self::UntilNext => None,
        }
    }
}

impl Placement {
    /// A take once, from a quarter note on, for so many bars.
    pub fn new(take: TakeId, variation: usize, begin: f64, bars: Option<u32>) -> Self {
        Self {
            id: PlacementId::new(),
            take,
            variation,
            begin,
            bars,
            repeat: Repeat::Once,
            gain_db: 0.0,
            other: Object::default(),
        }
        .checked()
    }

    /// The same with every value in its range.
    #[must_use]
    pub fn checked(mut self) -> Self {
        let number = |value: f64| if value.is_nan() { 0.0 } else { value };
        self.variation = self.variation.min(MAX_VARIATIONS - 1);
        self.begin = number(self.begin).clamp(0.0, LAST_BEAT);
        self.bars = self.bars.map(|bars| bars.clamp(1, MOST_TIMES));
        self.gain_db = number(self.gain_db.into()).clamp(GAIN_DB.0.into(), GAIN_DB.1.into()) as f32;
        self.repeat = match self.repeat {
            Repeat::Times(0 | 1) => Repeat::Once,
            Repeat::Times(times) => Repeat::Times(times.min(MOST_TIMES)),
            other => other,
        };
        self
    }

    /// Quarter notes of one time through it, in bars of `per_bar` of them; `own_beats` is what the take itself takes.
    pub fn pass_beats(&self, per_bar: f64, own_beats: f64) -> f64 {
        self.bars.map_or(own_beats, |bars| f64::from(bars) * per_bar)
    }

    /// Quarter notes from its begin to its end; `None`: until the next one begins.
    pub fn beats(&self, per_bar: f64, own_beats: f64) -> Option<f64> {
        Some(self.pass_beats(per_bar, own_beats) * f64::from(self.repeat.times()?))
    }
}

impl Arrangement {
    /// All of them, the first of the song first.
    pub fn placements(&self) -> &[Placement] {
        &self.0
    }

    /// A placement.
    pub fn get(&self, id: PlacementId) -> Option<&Placement> {
        self.0.iter().find(|placement| placement.id == id)
    }

    /// Takes a placement in, in place of the one of the same id if there is one. Says whether there was room for it.
    pub fn put(&mut self, placement: Placement) -> bool {
        let placement = placement.checked();
        self.remove(placement.id);
        if self.0.len() >= MAX_PLACEMENTS {
            return false;
        }
        let at = self.0.partition_point(|other| other.begin <= placement.begin);
        self.0.insert(at, placement);
        true
    }

    /// Takes a placement away.
    pub fn remove(&mut self, id: PlacementId) -> Option<Placement> {
        let at = self.0.iter().position(|placement| placement.id == id)?;
        Some(self.0.remove(at))
    }

    /// Takes all placements of a take away.
    pub fn forget(&mut self, take: TakeId) {
        self.0.retain(|placement| placement.take != take);
    }

    /// Whether a take is placed.
    pub fn holds(&self, take: TakeId) -> bool {
        self.0.iter().any(|placement| placement.take == take)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placements_stand_in_the_order_of_their_begins_and_in_range() {
        let (one, two) = (TakeId::new(), TakeId::new());
        let mut strip = Arrangement::default();
        for (take, begin) in [(one, 8.0), (two, 0.0), (one, 4.0), (two, f64::NAN)] {
            assert!(strip.put(Placement::new(take, 0, begin, Some(2))));
        }
        let begins = |strip: &Arrangement| strip.placements().iter().map(|one| one.begin).collect::<Vec<_>>();
        assert_eq!(begins(&strip), [0.0, 0.0, 4.0, 8.0]);
        let moved = Placement {
            begin: 1e9,
            bars: Some(0),
            gain_db: f32::NAN,
            variation: 99,
            repeat: Repeat::Times(1),
            ..strip.placements()[0].clone()
        };
        assert!(strip.put(moved.clone()));
        assert_eq!(begins(&strip), [0.0, 4.0, 8.0, LAST_BEAT]);
        let placed = strip.get(moved.id).unwrap();
        assert_eq!((placed.bars, placed.gain_db, placed.variation), (Some(1), 0.0, MAX_VARIATIONS - 1));
        assert_eq!(placed.repeat, Repeat::Once);
        strip.forget(two);
        assert!(strip.holds(one) && !strip.holds(two) && strip.placements().len() == 2);
        let first = strip.placements()[0].id;
        assert!(strip.remove(first).is_some() && strip.remove(first).is_none());
        while strip.put(Placement::new(one, 0, 0.0, None)) {}
        assert_eq!(strip.placements().len(), MAX_PLACEMENTS);
    }

    #[test]
    fn lengths_count_bars_or_what_the_take_takes() {
        let placed = |bars, repeat| Placement { repeat, ..Placement::new(TakeId::new(), 0, 0.0, bars) };
        assert_eq!(placed(Some(2), Repeat::Once).beats(3.0, 100.0), Some(6.0));
        assert_eq!(placed(Some(2), Repeat::Times(4)).beats(3.0, 100.0), Some(24.0));
        assert_eq!(placed(None, Repeat::Times(2)).beats(4.0, 9.5), Some(19.0));
        assert_eq!(placed(None, Repeat::UntilNext).beats(4.0, 9.5), None);
    }
}
