//! A part of a take as another one; the old one stays.

use std::fmt::Write as _;
use std::sync::Arc;

use super::deed::Deed;
use super::instance::Session;
use super::lock::lock;
use super::restore::NewTake;
use super::takes::TakeError;
use crate::take::crop::crop;
use crate::take::store::Store;

/// Why a take cannot be cropped.
#[derive(Debug)]
pub(crate) enum CropError {
    /// Its sound cannot be had.
    Take(TakeError),
    /// There is no take.
    Nothing,
    /// Hardly anything would be left.
    TooShort,
    /// Every take that is kept has a star, so there is no room for another.
    Full,
}

impl Session {
    /// Makes a take of a part of the chosen one's variation, and chooses it. The part lies between two seconds from the seed clip's
    /// first frame. Takes as long as unpacking and packing do.
    pub(crate) fn crop_take(
        &self,
        variation: usize,
        begin_seconds: Option<f64>,
        end_seconds: Option<f64>,
    ) -> Result<(), CropError> {
        if self.shelf_is_full() {
            return Err(CropError::Full);
        }
        let (kept, session) = {
            let bench = lock(&self.bench);
            (bench.shelf.chosen().cloned().ok_or(CropError::Nothing)?, bench.restored)
        };
        let take = match kept.take {
            Some(take) => take,
            None => {
                Arc::new(kept.packed.unpack(Store::of_user().as_ref()).map_err(|error| CropError::Take(error.into()))?)
            }
        };
        let variation = variation.min(take.variations.len().saturating_sub(1));
        let (begin, end) = (begin_seconds.unwrap_or(0.0), end_seconds.unwrap_or(f64::INFINITY));
        let mut part = crop(&take, variation, begin, end).ok_or(CropError::TooShort)?;
        let title = kept.label.title();
        part.recipe.set("part_of", &words(&title, variation, begin_seconds, end_seconds));
        self.shelve(NewTake {
            take: part,
            play: None,
            session,
            deed: Deed::CropTake,
            name: Some(format!("{title}, part")),
        });
        self.bring_up().map_err(CropError::Take)
    }
}

/// Which part it is, for people.
fn words(title: &str, variation: usize, begin_seconds: Option<f64>, end_seconds: Option<f64>) -> String {
    let mut words = format!("{title}, variation {}", variation + 1);
    if let Some(seconds) = begin_seconds {
        let _ = write!(words, " from {seconds:.2} s");
    }
    if let Some(seconds) = end_seconds {
        let _ = write!(words, " to {seconds:.2} s");
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::take::pack::tests::take;
    use crate::take::shelf::MAX_TAKES;
    use crate::take::shelf::tests::kept;

    #[test]
    fn a_part_becomes_a_take_of_its_own_and_undo_takes_it_away() {
        let session = Session::new();
        session.set_host_rate(48_000.0);
        lock(&session.bench).shelf.add(kept(1), true);
        session.bring_up().unwrap();
        let seed_seconds = take().seed.unwrap().seconds();
        session.crop_take(1, None, Some(seed_seconds + 0.1)).unwrap();
        let titles = || session.snapshot().takes.iter().map(|entry| entry.title.clone()).collect::<Vec<_>>();
        assert_eq!(titles(), ["Take 1", "Take 1, part"]);
        let snapshot = session.snapshot();
        assert!(snapshot.takes[1].chosen && (snapshot.takes[1].seconds - 0.1).abs() < 1e-9);
        assert!(snapshot.takes[1].recipe.contains("part of Take 1, variation 2 to 0."), "{}", snapshot.takes[1].recipe);
        assert_eq!(snapshot.undo, Some(Deed::CropTake));
        let playing = std::iter::from_fn(|| session.link.next_take()).last().unwrap();
        assert_eq!((playing.variations(), playing.frames()), (1, 4_800));
        let saved = session.saved();
        assert_eq!(saved.take.unwrap().unpack(None).unwrap().variations[0].frames(), 1_600);

        session.go(true).unwrap();
        assert_eq!(titles(), ["Take 1"]);
        session.go(false).unwrap();
        assert_eq!(titles().len(), 2);
        let refusal = session.crop_take(0, None, Some(0.0)).unwrap_err();
        assert!(matches!(refusal, CropError::TooShort), "{refusal:?}");
    }

    #[test]
    fn where_nothing_is_and_where_nothing_fits_it_is_refused() {
        let session = Session::new();
        assert!(matches!(session.crop_take(0, Some(0.1), None), Err(CropError::Nothing)));
        for number in 1..=MAX_TAKES as u32 {
            let mut kept = kept(number);
            kept.label.set_star(0, true);
            lock(&session.bench).shelf.add(kept, true);
        }
        assert!(matches!(session.crop_take(0, Some(0.1), None), Err(CropError::Full)));
    }
}
