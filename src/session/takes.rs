//! The takes of a session: choosing one, giving it a name and stars, taking it away.

use std::sync::Arc;

use super::concern::Concern;
use super::deed::Deed;
use super::instance::Session;
use super::lock::lock;
use super::overview::{OverviewBuilder, TakeOverview};
use super::snapshot::Storage;
use super::take_entry::TakeEntry;
use crate::take::bench::{Bench, BenchError, lay_out};
use crate::take::id::TakeId;
use crate::take::pack::{PackError, PackedTake};
use crate::take::play::PlayTake;
use crate::take::shelf::Kept;
use crate::take::store::Store;

/// Why a take cannot be brought up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TakeError {
    /// Its sound cannot be had.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// It does not go with the host's rate, or there is no memory.
    #[error(transparent)]
    Bench(#[from] BenchError),
}

impl Session {
    /// Chooses a take: it is shown, plays and is exported. Takes as long as unpacking it does.
    pub(crate) fn choose_take(&self, id: TakeId) -> Result<(), TakeError> {
        let is_chosen = lock(&self.bench).shelf.chosen().is_some_and(|kept| kept.id == id);
        if !is_chosen {
            self.note(Deed::ChooseTake);
        }
        let mut bench = lock(&self.bench);
        bench.shelf.choose(id);
        bench.looks_away = bench.live.is_some();
        drop(bench);
        if !is_chosen {
            self.touch();
        }
        self.bring_up()
    }

    /// Goes to the take that was chosen before, and with the next call back again.
    pub(crate) fn compare_takes(&self) -> Result<(), TakeError> {
        let other = lock(&self.bench).shelf.other().map(|kept| kept.id);
        other.map_or(Ok(()), |id| self.choose_take(id))
    }

    /// Shows and plays the take that is being rendered again.
    pub(crate) fn show_live(&self) {
        let mut bench = lock(&self.bench);
        bench.looks_away = false;
        let live = bench.live.as_ref().map(|live| {
            let mut overview = OverviewBuilder::new(live.recipe(), live.seed().map(AsRef::as_ref));
            Arc::new(overview.update(live.frames()))
        });
        self.post_takes(&bench);
        drop(bench);
        if live.is_some() {
            self.post(|snapshot| snapshot.take = live);
            self.lay_out_for_host();
        }
    }

    /// Gives a variation a star or takes it away.
    pub(crate) fn star(&self, id: TakeId, variation: usize, on: bool) {
        self.relabel(Deed::Star, id, |kept| kept.label.set_star(variation, on));
    }

    /// Gives a take a name; an empty one gives it its number back.
    pub(crate) fn rename_take(&self, id: TakeId, name: &str) {
        self.relabel(Deed::RenameTake, id, |kept| kept.label.rename(name));
    }

    fn relabel(&self, deed: Deed, id: TakeId, change: impl Fn(&mut Kept)) {
        let Some(mut changed) = lock(&self.bench).shelf.get(id).cloned() else { return };
        let before = changed.label.clone();
        change(&mut changed);
        if changed.label == before {
            return;
        }
        self.note(deed);
        let mut bench = lock(&self.bench);
        bench.shelf.get_mut(id).into_iter().for_each(change);
        self.post_takes(&bench);
        drop(bench);
        self.touch();
    }

    /// Takes a take away, and where it is placed. Undo brings both back.
    pub(crate) fn delete_take(&self, id: TakeId) -> Result<(), TakeError> {
        if lock(&self.bench).shelf.get(id).is_none() {
            return Ok(());
        }
        self.note(Deed::DeleteTake);
        let mut bench = lock(&self.bench);
        let placed = bench.shelf.strip.holds(id);
        bench.shelf.remove(id);
        drop(bench);
        self.touch();
        let result = self.bring_up();
        if placed {
            self.show_arrangement();
        }
        result
    }

    /// Whether another take could only be kept in place of one that has a star.
    pub(crate) fn shelf_is_full(&self) -> bool {
        lock(&self.bench).shelf.is_full()
    }

    /// Shows the chosen take and hands it to `process()`, unless a take that is being rendered is shown. What is missing of
    /// it is unpacked and laid out, without the lock: others may choose meanwhile, and the last choice holds.
    pub(crate) fn bring_up(&self) -> Result<(), TakeError> {
        loop {
            let bench = lock(&self.bench);
            self.post_takes(&bench);
            let Some(Kept { id, packed, take, play, .. }) = bench.shelf.chosen().cloned() else {
                let live = bench.shown_live().is_some();
                drop(bench);
                if !live {
                    self.post(|snapshot| (snapshot.take, snapshot.storage) = (None, None));
                    self.publish_silence();
                }
                return Ok(());
            };
            drop(bench);
            let rate_hz = self.link.host_rate_hz();
            let have = (|| {
                let take = match take {
                    Some(take) => take,
                    None => Arc::new(packed.unpack(Store::of_user().as_ref())?),
                };
                let play = match (play.filter(|play| Some(play.rate_hz) == rate_hz), rate_hz) {
                    (None, Some(rate_hz)) => Some(lay_out(&take, rate_hz)?),
                    (play, _) => play,
                };
                Ok::<_, TakeError>((take, play))
            })();
            let mut bench = lock(&self.bench);
            if bench.shelf.chosen().is_none_or(|kept| kept.id != id) || self.link.host_rate_hz() != rate_hz {
                continue;
            }
            let shows = bench.shown_live().is_none();
            let (take, play) = match have {
                Ok(have) => have,
                Err(error) => {
                    drop(bench);
                    if shows {
                        self.post(|snapshot| snapshot.take = None);
                        self.show_storage(&packed);
                        self.publish_silence();
                    }
                    return Err(error);
                }
            };
            if let Some(kept) = bench.shelf.chosen_mut() {
                kept.take = Some(Arc::clone(&take));
                kept.play.clone_from(&play);
            }
            if shows {
                // Under the lock, so that what is shown is what is on the bench.
                self.show_packed(Some(Arc::new(OverviewBuilder::of(&take))), &packed);
                if let Some(play) = play {
                    self.link.publish(play);
                }
            }
            return Ok(());
        }
    }

    /// Shows the list of takes as it stands.
    pub(crate) fn post_takes(&self, bench: &Bench) {
        let shelf = &bench.shelf;
        let entries = shelf.takes().iter().map(|kept| TakeEntry::of(kept, shelf)).collect();
        let live = bench.live.as_ref().map(|_| !bench.looks_away);
        let blocks = self.blocks(bench);
        let bytes = bench.placed.iter().map(|placed| 4 * placed.values).sum();
        self.post(|snapshot| {
            (snapshot.takes, snapshot.live) = (entries, live);
            (snapshot.arrangement, snapshot.arrangement_bytes) = (blocks, bytes);
        });
    }

    pub(super) fn publish_silence(&self) {
        self.link.publish(Arc::new(PlayTake::silence()));
    }

    /// Shows where a take is kept, and the take itself unless it is shown already.
    pub(super) fn show_packed(&self, overview: Option<Arc<TakeOverview>>, packed: &PackedTake) {
        if overview.is_some() {
            self.post(|snapshot| snapshot.take = overview);
        }
        self.show_storage(packed);
    }

    fn show_storage(&self, packed: &PackedTake) {
        let bytes = packed.bytes();
        let storage = match Store::of_user() {
            Some(store) if packed.is_stored_outside() => Storage::Store { bytes, folder: store.folder().to_path_buf() },
            _ => Storage::Inline { bytes },
        };
        self.post(|snapshot| snapshot.storage = Some(storage));
    }

    /// Tells that a take could not be brought up.
    pub(crate) fn complain_of_take(&self, result: Result<(), TakeError>) {
        match result {
            Ok(()) => {}
            Err(TakeError::Bench(error)) => self.complain_of(Concern::Settings, &error),
            Err(TakeError::Pack(error)) => self.complain(&error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::saved::SavedSession;
    use crate::take::bench::LiveTake;
    use crate::take::pack::tests::stereo_take;
    use crate::take::shelf::tests::kept;

    /// A session with so many takes, the last of them chosen.
    fn with_takes(count: u32) -> Arc<Session> {
        let session = Session::new();
        session.set_host_rate(48_000.0);
        for number in 1..=count {
            lock(&session.bench).shelf.add(kept(number), true);
        }
        session.bring_up().unwrap();
        session
    }

    fn titles(session: &Session) -> Vec<(String, bool)> {
        session.snapshot().takes.iter().map(|entry| (entry.title.clone(), entry.chosen)).collect()
    }

    fn published(session: &Session) -> Option<u64> {
        std::iter::from_fn(|| session.link.next_take()).last().map(|take| take.id)
    }

    fn id_of(session: &Session, title: &str) -> TakeId {
        session.snapshot().takes.iter().find(|entry| entry.title == title).unwrap().id
    }

    #[test]
    fn another_take_is_shown_plays_and_is_saved_when_it_is_chosen() {
        let session = with_takes(4);
        let first = published(&session).unwrap();
        let wanted = id_of(&session, "Take 1");
        session.choose_take(wanted).unwrap();
        let second = published(&session).unwrap();
        assert_ne!(first, second);
        assert_eq!(lock(&session.bench).shown_play().unwrap().id, second);
        assert!(session.snapshot().take.is_some());
        let saved = session.saved();
        assert_eq!((saved.shelf.label.number, saved.shelf.at, saved.shelf.others.len()), (1, 0, 3));
        // Back and forth without unpacking anything: both are there.
        session.compare_takes().unwrap();
        assert_eq!(published(&session), Some(first));
        session.compare_takes().unwrap();
        assert_eq!(published(&session), Some(second));
        assert!(titles(&session)[0].1);
    }

    #[test]
    fn what_is_done_to_takes_is_undone_and_done_again() {
        let session = with_takes(2);
        let (one, two) = (id_of(&session, "Take 1"), id_of(&session, "Take 2"));
        session.rename_take(two, "Bridge");
        session.star(two, 1, true);
        session.star(two, 1, true);
        session.delete_take(two).unwrap();
        assert_eq!(titles(&session), [("Take 1".to_owned(), true)]);
        assert_eq!(session.snapshot().undo, Some(Deed::DeleteTake));
        session.go(true).unwrap();
        assert_eq!(titles(&session)[1], ("Bridge".to_owned(), true));
        assert!(session.snapshot().takes[1].has_star(1) && lock(&session.bench).shown_play().is_some());
        session.go(true).unwrap();
        assert!(!session.snapshot().takes[1].has_star(1), "one step: the second star changed nothing");
        session.go(true).unwrap();
        assert_eq!(titles(&session)[1].0, "Take 2");
        session.go(true).unwrap();
        assert_eq!(session.snapshot().undo, None);
        for _ in 0..3 {
            session.go(false).unwrap();
        }
        assert_eq!(titles(&session), [("Take 1".to_owned(), true)]);
        session.delete_take(one).unwrap();
        assert!(session.snapshot().take.is_none() && session.saved().take.is_none());
        assert_eq!(lock(&session.bench).shelf.takes().len(), 0);
        session.go(true).unwrap();
        assert!(session.saved().take.is_some());
    }

    #[test]
    fn a_session_with_several_takes_is_saved_and_opened() {
        let session = with_takes(3);
        let two = id_of(&session, "Take 2");
        session.choose_take(two).unwrap();
        session.rename_take(two, "Chorus");
        session.star(two, 0, true);
        let text = serde_json::to_string(&session.saved()).unwrap();
        let other = Session::new();
        other.set_host_rate(44_100.0);
        other.restore(serde_json::from_str(&text).unwrap());
        let names = [("Take 1".to_owned(), false), ("Chorus".to_owned(), true), ("Take 3".to_owned(), false)];
        assert_eq!(titles(&other), names);
        assert_eq!(other.snapshot().takes[1].stars, 1);
        assert_eq!(other.snapshot().undo, None);
        assert_eq!(published(&other), lock(&other.bench).shown_play().map(|play| play.id));
        assert_eq!(serde_json::to_string(&other.saved()).unwrap(), text);
        // A version that knows of one take opens the chosen one.
        let mut value: serde_json::Value = serde_json::from_str(&text).unwrap();
        value.as_object_mut().unwrap().remove("takes");
        let alone: SavedSession = serde_json::from_value(value).unwrap();
        assert_eq!(alone.take, session.saved().take);
    }

    #[test]
    fn a_take_whose_sound_is_gone_stays_in_the_list_and_others_can_be_chosen() {
        let session = with_takes(2);
        let lost = id_of(&session, "Take 1");
        let mut bench = lock(&session.bench);
        let kept = bench.shelf.get_mut(lost).unwrap();
        let mut packed = (*kept.packed).clone();
        packed.variations[0].inline = None;
        packed.variations[0].sha256 = "0".repeat(64);
        (kept.packed, kept.take) = (Arc::new(packed), None);
        drop(bench);
        let result = session.choose_take(lost);
        assert!(matches!(result, Err(TakeError::Pack(_))));
        session.complain_of_take(result);
        let snapshot = session.snapshot();
        assert!(snapshot.error.is_some() && snapshot.take.is_none());
        assert_eq!(titles(&session), [("Take 1".to_owned(), true), ("Take 2".to_owned(), false)]);
        assert_eq!(session.saved().take.unwrap().variations.len(), 2, "it is saved as it was");
        session.choose_take(id_of(&session, "Take 2")).unwrap();
        assert!(session.snapshot().take.is_some());
    }

    #[test]
    fn who_looks_at_another_take_while_one_is_made_goes_on_looking() {
        let session = with_takes(2);
        let live = |session: &Session| {
            let sound = stereo_take();
            let mut live = LiveTake::new(7, sound.recipe, sound.seed, Some(48_000)).unwrap();
            for (index, variation) in sound.variations.iter().enumerate() {
                live.push(index, &variation.channels).unwrap();
            }
            let mut bench = lock(&session.bench);
            bench.live = Some(live);
            session.post_takes(&bench);
        };
        live(&session);
        assert_eq!(session.snapshot().live, Some(true));
        let growing = lock(&session.bench).shown_play().unwrap().id;
        session.choose_take(id_of(&session, "Take 1")).unwrap();
        assert_eq!(session.snapshot().live, Some(false));
        let chosen = published(&session);
        assert_ne!(chosen, Some(growing));
        session.show_live();
        assert_eq!((session.snapshot().live, published(&session)), (Some(true), Some(growing)));
        session.choose_take(id_of(&session, "Take 1")).unwrap();
        session.give_up_live(7);
        assert_eq!(session.snapshot().live, None);
        assert_eq!(lock(&session.bench).shown_play().map(|play| play.id), chosen);
        // One that comes to its end goes into the list and leaves what is looked at.
        live(&session);
        session.choose_take(id_of(&session, "Take 2")).unwrap();
        let ticket = crate::session::Ticket::with_id(7);
        session.keep(&ticket, vec![2.5, 3.0]).unwrap();
        assert_eq!(titles(&session)[2], ("Take 3".to_owned(), false));
        assert!(titles(&session)[1].1 && session.snapshot().undo == Some(Deed::Render));
        session.choose_take(id_of(&session, "Take 3")).unwrap();
        let bench = lock(&session.bench);
        let made = bench.shelf.chosen().unwrap().take.as_ref().unwrap();
        assert_eq!(made.variations, stereo_take().variations);
        assert_eq!(made.recipe.bits_per_frame, [2.5, 3.0]);
    }
}
