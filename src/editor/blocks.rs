//! Where the blocks of an arrangement lie, and where one is moved to. Numbers alone, so that they can be tested without a window.

use super::geometry::Axis;
use crate::session::{Block, MOST_TIMES, Peak, Placement, PlacementId};

/// Bars that are seen at least.
const LEAST_BARS: f64 = 16.0;
/// Bars that are seen after the end of what is there.
const MORE_BARS: f64 = 4.0;

/// How the song counts, and how takes go through it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Song {
    /// Quarter notes per bar.
    pub per_bar: f64,
    /// Quarter notes per minute.
    pub tempo: f64,
    /// Whether takes begin with their seed clips.
    pub plays_seed: bool,
    /// Whether takes stay in bars.
    pub in_bars: bool,
}

/// What the editor remembers of the strip between frames.
#[derive(Debug, Default)]
pub struct Strip {
    /// Whether it is open; until the user has said so, it is where there is something in it.
    pub open: Option<bool>,
    /// What is dragged.
    pub drag: Option<Drag>,
    /// A placement as its menu has it, until that is sent.
    pub edited: Option<Placement>,
    /// What was sent and has not come back yet, and the session's revision then.
    pub sent: Option<(Placement, u64)>,
}

/// A block that is dragged.
#[derive(Debug, Clone, PartialEq)]
pub struct Drag {
    /// As it is to be.
    pub to: Placement,
    /// Whether its right edge is dragged, and not all of it.
    pub edge: bool,
    /// Quarter notes from its begin, or its end, to where it was taken.
    pub grip: f64,
}

impl Song {
    /// Quarter notes of one time through a block's take by itself.
    pub fn own_beats(&self, block: &Block) -> f64 {
        block.own_beats(self.plays_seed, self.in_bars, self.tempo)
    }

    /// Begin and end of a placement of a block's take, where `next` is the begin of the one after it; without an end of its own
    /// and another one after it, it goes on to `last`.
    pub fn extent(&self, block: &Block, placement: &Placement, next: Option<f64>, last: f64) -> (f64, f64) {
        let end = placement.beats(self.per_bar, self.own_beats(block)).map(|beats| placement.begin + beats);
        let most = next.unwrap_or(if end.is_some() { f64::INFINITY } else { last });
        (placement.begin, end.unwrap_or(f64::INFINITY).min(most).max(placement.begin))
    }

    /// Quarter notes that the strip shows.
    pub fn shown(&self, blocks: &[Block]) -> f64 {
        let ends = blocks.iter().map(|block| {
            let placement = &block.placement;
            let own = self.own_beats(block);
            placement.begin + placement.beats(self.per_bar, own).unwrap_or(placement.pass_beats(self.per_bar, own))
        });
        let bars = ends.fold(0.0, f64::max) / self.per_bar + MORE_BARS;
        ((bars / MORE_BARS).ceil() * MORE_BARS).max(LEAST_BARS) * self.per_bar
    }

    /// The nearest bar, or the nearest quarter note, if `finely`.
    pub fn snapped(&self, beat: f64, finely: bool) -> f64 {
        let step = if finely { 1.0 } else { self.per_bar };
        ((beat / step).round() * step).max(0.0)
    }

    /// A placement whose end was dragged to a quarter note: as many bars for each time as is nearest.
    pub fn ending_at(&self, placement: &Placement, end: f64) -> Placement {
        let times = f64::from(placement.repeat.times().unwrap_or(1).max(1));
        let bars = ((end - placement.begin) / times / self.per_bar).round().clamp(1.0, f64::from(MOST_TIMES));
        Placement { bars: Some(bars as u32), ..placement.clone() }
    }

    /// Lowest and highest value of what sounds between two quarter notes after a block's begin.
    pub fn peak(&self, block: &Block, placement: &Placement, from: f64, to: f64) -> Option<Peak> {
        let drawn = block.drawn.as_deref()?;
        let own = self.own_beats(block);
        let pass = placement.pass_beats(self.per_bar, own);
        let peaks = drawn.peaks.first().filter(|_| own > 0.0 && pass > 0.0)?;
        let begin = from - (from / pass).floor() * pass;
        if begin >= own {
            return None;
        }
        let first = if self.plays_seed { 0.0 } else { f64::from(drawn.seam) };
        let column = |beats: f64| ((first + beats / own * (1.0 - first)) * drawn.columns as f64) as usize;
        let (from, to) = (column(begin), column((begin + to - from).min(own)));
        let (one, rest) = peaks.get(from..to.clamp(from + 1, peaks.len().max(from + 1)))?.split_first()?;
        Some(rest.iter().fold(*one, |all, peak| Peak { min: all.min.min(peak.min), max: all.max.max(peak.max) }))
    }
}

impl Strip {
    /// A placement as it is to be shown: as it is dragged, or as it was sent a moment ago.
    pub fn shown<'a>(&'a self, placement: &'a Placement) -> &'a Placement {
        let dragged = self.drag.as_ref().map(|drag| &drag.to);
        [dragged, self.edited.as_ref(), self.sent.as_ref().map(|(sent, _)| sent)]
            .into_iter()
            .flatten()
            .find(|other| other.id == placement.id)
            .unwrap_or(placement)
    }

    /// Whether a block is dragged.
    pub fn drags(&self, id: PlacementId) -> bool {
        self.drag.as_ref().is_some_and(|drag| drag.to.id == id)
    }
}

/// The quarter note at a pixel, also outside of the axis.
pub fn beat_at(axis: Axis, x: f32) -> f64 {
    f64::from(x - axis.left) / f64::from(axis.width.max(1.0)) * axis.seconds
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::{Repeat, TakeId};

    const SONG: Song = Song { per_bar: 4.0, tempo: 120.0, plays_seed: true, in_bars: false };

    fn block(begin: f64, bars: Option<u32>, repeat: Repeat) -> Block {
        Block {
            placement: Placement { repeat, ..Placement::new(TakeId::new(), 0, begin, bars) },
            title: "Take 1".into(),
            variations: 1,
            seed_seconds: 1.0,
            continuation_seconds: 3.0,
            tempo: Some(60.0),
            drawn: None,
            silent: false,
        }
    }

    #[test]
    fn a_block_ends_by_itself_or_where_the_next_one_begins() {
        let extent = |block: &Block, next| SONG.extent(block, &block.placement, next, 64.0);
        assert_eq!(extent(&block(4.0, None, Repeat::Once), None), (4.0, 12.0));
        assert_eq!(extent(&block(4.0, Some(3), Repeat::Times(2)), Some(16.0)), (4.0, 16.0));
        assert_eq!(extent(&block(4.0, Some(3), Repeat::UntilNext), None), (4.0, 64.0));
        assert_eq!(extent(&block(4.0, Some(3), Repeat::UntilNext), Some(20.0)), (4.0, 20.0));
        let in_bars = Song { in_bars: true, plays_seed: false, ..SONG };
        let own = block(0.0, None, Repeat::Once);
        assert_eq!(in_bars.extent(&own, &own.placement, None, 64.0), (0.0, 3.0));
        assert_eq!(SONG.shown(&[]), 64.0);
        assert_eq!(SONG.shown(&[block(80.0, Some(2), Repeat::Once)]), 28.0 * 4.0);
    }

    #[test]
    fn what_is_dragged_snaps() {
        assert_eq!([SONG.snapped(5.9, false), SONG.snapped(5.9, true), SONG.snapped(-3.0, true)], [4.0, 6.0, 0.0]);
        let thrice = block(4.0, None, Repeat::Times(3)).placement;
        assert_eq!(SONG.ending_at(&thrice, 27.0).bars, Some(2));
        assert_eq!(SONG.ending_at(&thrice, 0.0).bars, Some(1));
        let axis = Axis { left: 100.0, width: 400.0, seconds: 64.0 };
        assert_eq!([beat_at(axis, 100.0), beat_at(axis, 300.0), beat_at(axis, 0.0)], [0.0, 32.0, -16.0]);
    }
}
