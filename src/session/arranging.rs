//! Placing takes in the song: what the user changes of it, and what it takes to play it.

use std::ops::Deref;
use std::sync::Arc;

use super::arrange::Arranging;
use super::block::Block;
use super::concern::Concern;
use super::instance::Session;
use super::lock::lock;
use super::overview::{OverviewBuilder, TakeOverview};
use super::takes::TakeError;
use crate::take::arrangement::{Arrangement, MAX_PLACEMENTS, Placement};
use crate::take::bench::{Bench, Placed, lay_out, values_at};
use crate::take::id::TakeId;
use crate::take::level::factor;
use crate::take::pack::PackedTake;
use crate::take::placed::{PlayArrangement, PlayPlacement};
use crate::take::play::PlayTake;
use crate::take::shelf::Shelf;
use crate::take::store::Store;
use crate::take::{MAX_VALUES, Recipe, Take};

/// Most values that all placed takes have together at the host's rate: 1 GiB of `f32`.
const MOST_VALUES: u64 = MAX_VALUES;

/// Why an arrangement, or a part of it, cannot be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ArrangementError {
    /// There are too many placements.
    #[error("the arrangement holds {MAX_PLACEMENTS} takes, which is as many as it can; remove one of them first")]
    Full,
    /// The sound of a take cannot be had.
    #[error("“{title}” is silent in the arrangement")]
    Silent {
        /// What the take is called.
        title: String,
        /// Why.
        source: TakeError,
    },
    /// All takes together need too much memory.
    #[error(
        "“{title}” is silent in the arrangement: its takes would need {megabytes} MB of memory at {rate_hz} Hz, and Continuo takes {most} MB for them; remove some, or crop them to what is heard",
        most = MOST_VALUES >> 18
    )]
    Memory {
        /// What the take is called that is too much.
        title: String,
        /// What all would need.
        megabytes: u64,
        /// The host's rate.
        rate_hz: u32,
    },
}

/// Counts a change of the arrangement as underway, so that an offline host waits for it, until this is dropped.
pub(crate) struct Underway<S: Deref<Target = Session>>(S);

impl<S: Deref<Target = Session>> Underway<S> {
    /// One that was counted already, by [`Session::send`].
    pub(crate) fn counted(session: S) -> Self {
        Self(session)
    }

    fn begin(session: S) -> Self {
        session.link.begin_arranging();
        Self(session)
    }
}

impl<S: Deref<Target = Session>> Drop for Underway<S> {
    fn drop(&mut self) {
        self.0.link.end_arranging();
    }
}

/// A variation that is to be unpacked.
struct Wanted {
    take: TakeId,
    variation: usize,
    title: String,
    packed: Arc<PackedTake>,
    unpacked: Option<Arc<Take>>,
}

impl Session {
    /// Changes the arrangement. What is new of it sounds after [`Session::bring_up_arrangement`].
    pub(crate) fn arrange(&self, what: Arranging) -> Result<(), ArrangementError> {
        let (mut strip, deed) = (lock(&self.bench).shelf.strip.clone(), what.deed());
        match what {
            Arranging::Add { take, variation } => {
                let bench = lock(&self.bench);
                let Some(placement) = self.at_the_end(&bench.shelf, take, variation) else { return Ok(()) };
                drop(bench);
                if !strip.put(placement) {
                    return Err(ArrangementError::Full);
                }
            }
            Arranging::Change(placement) => {
                let Some(before) = strip.get(placement.id).cloned() else { return Ok(()) };
                // What a newer Continuo has said of it holds no longer where the user says something else.
                let mut placement = placement.checked();
                if placement.repeat != before.repeat {
                    placement.other.remove("repeat");
                }
                if placement == before {
                    return Ok(());
                }
                strip.put(placement);
            }
            Arranging::Remove(id) => {
                if strip.remove(id).is_none() {
                    return Ok(());
                }
            }
        }
        self.note(deed);
        let mut bench = lock(&self.bench);
        bench.shelf.strip = strip;
        self.post_takes(&bench);
        drop(bench);
        self.touch();
        Ok(())
    }

    /// Unpacks what is placed and not unpacked yet, lets go of the rest, and hands all of it to `process()`. Takes as long as
    /// unpacking does, without the lock: others may change the arrangement meanwhile, and the last change holds.
    pub(crate) fn bring_up_arrangement(&self) -> Result<(), ArrangementError> {
        let _underway = Underway::begin(self);
        // What could not be had before is tried once more: there may be room for it now.
        lock(&self.bench).placed.retain(|placed| placed.play.is_some() || placed.rate_hz.is_none());
        let mut failure = Ok(());
        loop {
            let rate_hz = self.link.host_rate_hz();
            let mut bench = lock(&self.bench);
            let wanted = wanted(&bench.shelf);
            bench.placed.retain(|placed| placed.rate_hz == rate_hz && wanted.iter().any(|one| one.is(placed)));
            lock(&self.board).drawn.retain(|(take, variation, _)| {
                wanted.iter().any(|one| (one.take, one.variation) == (*take, *variation))
            });
            let next = wanted.into_iter().find(|one| !bench.placed.iter().any(|placed| one.is(placed)));
            let Some(next) = next else {
                self.link.publish_arrangement(Arc::new(playable(&bench)));
                self.post_takes(&bench);
                return failure;
            };
            let used = bench.placed.iter().map(|placed| placed.values).sum();
            drop(bench);
            let made = next.make(rate_hz, used);
            let mut bench = lock(&self.bench);
            if self.link.host_rate_hz() != rate_hz || bench.placed.iter().any(|placed| next.is(placed)) {
                continue;
            }
            let (drawn, play, values) = match made {
                Ok((drawn, play, values)) => (Some(drawn), play, values),
                Err(error) => {
                    failure = Err(error);
                    (None, None, 0)
                }
            };
            let Wanted { take, variation, .. } = next;
            bench.placed.push(Placed { take, variation, rate_hz, play, values });
            if let Some(drawn) = drawn {
                lock(&self.board).drawn.push((take, variation, drawn));
            }
        }
    }

    /// Brings the arrangement up and tells what is silent in it.
    pub(crate) fn show_arrangement(&self) {
        match self.bring_up_arrangement() {
            Ok(()) => self.settle(Concern::Arrangement),
            Err(error) => self.complain_of(Concern::Arrangement, &error),
        }
    }

    /// The arrangement as it is shown.
    pub(super) fn blocks(&self, bench: &Bench) -> Arc<[Block]> {
        let drawn = lock(&self.board).drawn.clone();
        let block = |placement: &Placement| {
            let of = |take: TakeId, variation: usize| (take, variation) == (placement.take, placement.variation);
            let placed = bench.placed.iter().find(|placed| of(placed.take, placed.variation));
            let drawn =
                drawn.iter().find(|(take, variation, _)| of(*take, *variation)).map(|(.., drawn)| drawn.clone());
            let kept = bench.shelf.get(placement.take)?;
            let silent = placed.is_some_and(|placed| placed.rate_hz.is_some() && placed.play.is_none());
            Some(Block::of(placement, kept, drawn, silent))
        };
        bench.shelf.strip.placements().iter().filter_map(block).collect()
    }

    /// A variation after everything that is there, on a bar of its own: for as many whole bars as it has.
    fn at_the_end(&self, shelf: &Shelf, take: TakeId, variation: usize) -> Option<Placement> {
        let (meter, controls) = (self.link.meter(), self.params());
        let (plays_seed, in_bars, pin) = controls.map_or((true, false, 0.0), |controls| {
            (controls.plays_seed(), controls.stays_in_bars(), controls.pin_bars())
        });
        let per_bar = meter.beats_per_bar;
        let own = |placement: &Placement| {
            let block = shelf.get(placement.take).map(|kept| Block::of(placement, kept, None, false));
            block.map_or(0.0, |block| block.own_beats(plays_seed, in_bars, meter.tempo))
        };
        let kept = shelf.get(take).filter(|kept| variation < kept.packed.variations.len())?;
        let ends = shelf.strip.placements().iter().map(|placement| {
            let pass = placement.pass_beats(per_bar, own(placement));
            placement.begin + placement.beats(per_bar, own(placement)).unwrap_or(pass)
        });
        let begin = ends.reduce(f64::max).map_or(pin * per_bar, |end| (end / per_bar - 1e-6).ceil() * per_bar);
        let whole = Placement::new(kept.id, variation, begin, None);
        let bars = (own(&whole) / per_bar + 1e-6).floor().max(1.0) as u32;
        Some(Placement { bars: Some(bars), ..whole })
    }
}

impl Wanted {
    fn is(&self, placed: &Placed) -> bool {
        (self.take, self.variation) == (placed.take, placed.variation)
    }

    /// Unpacks it and lays it out, where there are `used` values already.
    #[allow(clippy::type_complexity)]
    fn make(
        &self,
        rate_hz: Option<u32>,
        used: u64,
    ) -> Result<(Arc<TakeOverview>, Option<Arc<PlayTake>>, u64), ArrangementError> {
        let silent = |source| ArrangementError::Silent { title: self.title.clone(), source };
        let take = match self.unpacked.as_ref().and_then(|take| alone(take, self.variation)) {
            Some(take) => take,
            None => self
                .packed
                .unpack_variation(self.variation, Store::of_user().as_ref())
                .map_err(|error| silent(error.into()))?,
        };
        let drawn = Arc::new(OverviewBuilder::of(&take));
        let Some(rate_hz) = rate_hz else { return Ok((drawn, None, 0)) };
        let values = values_at(&take, rate_hz).map_err(|error| silent(error.into()))?;
        if used + values > MOST_VALUES {
            let (title, megabytes) = (self.title.clone(), (used + values) >> 18);
            return Err(ArrangementError::Memory { title, megabytes, rate_hz });
        }
        let play = lay_out(&take, rate_hz).map_err(|error| silent(error.into()))?;
        Ok((drawn, Some(play), values))
    }
}

/// The variations that are placed, each once.
fn wanted(shelf: &Shelf) -> Vec<Wanted> {
    let mut all: Vec<Wanted> = Vec::new();
    for Placement { take, variation, .. } in shelf.strip.placements() {
        if all.iter().any(|one| (one.take, one.variation) == (*take, *variation)) {
            continue;
        }
        if let Some(kept) = shelf.get(*take) {
            all.push(Wanted {
                take: *take,
                variation: *variation,
                title: kept.label.title(),
                packed: Arc::clone(&kept.packed),
                unpacked: kept.take.clone(),
            });
        }
    }
    all
}

/// A take of one variation of it.
fn alone(take: &Take, variation: usize) -> Option<Take> {
    let clip = take.variations.get(variation)?;
    let bits_per_frame = take.recipe.bits_per_frame.get(variation).copied().into_iter().collect();
    let recipe = Recipe { variations: 1, bits_per_frame, ..take.recipe.clone() };
    Some(Take { recipe, seed: take.seed.clone(), variations: vec![Arc::clone(clip)] })
}

/// What `process()` plays.
fn playable(bench: &Bench) -> PlayArrangement {
    let strip: &Arrangement = &bench.shelf.strip;
    let play = |placement: &Placement| {
        let is = |placed: &&Placed| (placed.take, placed.variation) == (placement.take, placement.variation);
        PlayPlacement {
            take: bench.placed.iter().find(is).and_then(|placed| placed.play.clone()),
            begin: placement.begin,
            bars: placement.bars,
            repeat: placement.repeat,
            gain: factor(placement.gain_db),
        }
    };
    PlayArrangement { placements: strip.placements().iter().map(play).collect() }
}

#[cfg(test)]
mod tests;
