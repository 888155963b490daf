//! Takes coming and going: restoring a saved session, following the host's rate, concluding a render.

use std::sync::Arc;

use super::complaint::sentence;
use super::concern::Concern;
use super::deed::Deed;
use super::file_choice::FileChoice;
use super::instance::Session;
use super::lock::lock;
use super::overview::OverviewBuilder;
use super::saved::{SavedSession, SavedShelf};
use super::saved_arrangement::arrangement_of;
use super::ticket::Ticket;
use super::trim::Trimmed;
use crate::take::Take;
use crate::take::bench::{BenchError, lay_out};
use crate::take::id::TakeId;
use crate::take::pack::{MAX_INLINE_BYTES, PackedTake, pack_within};
use crate::take::play::PlayTake;
use crate::take::shelf::{Kept, Label, Shelf};
use crate::take::store::{Store, StoreError};

/// Everything that the user is to know after a session was opened.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join(". Also: "))]
struct RestoreProblems(Vec<String>);

/// A take that has all its frames and is not on the bench yet.
pub(super) struct NewTake {
    pub(super) take: Take,
    pub(super) play: Option<Arc<PlayTake>>,
    /// Which of the sessions that were restored here it was made for.
    pub(super) session: u64,
    /// What was done to make it.
    pub(super) deed: Deed,
    /// A name that it has from the beginning.
    pub(super) name: Option<String>,
}

impl Session {
    /// Replaces everything by a saved session.
    pub(crate) fn restore(&self, mut saved: SavedSession) {
        let mut shelf = shelf_of(saved.take, saved.shelf);
        let (strip, lost) = arrangement_of(&saved.arrangement, &shelf);
        shelf.strip = strip;
        let gone = lost.len();
        saved.unread.placements.extend(lost);
        // Switches that the saved state leaves on are not turns of a switch, even if somebody has looked meanwhile.
        if let Some(params) = self.params() {
            let [render, cancel] = params.switches();
            self.link.turned_on(render, cancel);
        }
        self.link.forget_commands();
        self.cancel_all();
        let mut problems: Vec<String> = saved.unread.problems(gone).iter().map(ToString::to_string).collect();
        *lock(&self.unread) = saved.unread;
        let mut board = lock(&self.board);
        board.trimmed = Trimmed { trim: saved.seed_trim, path: saved.seed.clone() };
        board.look = saved.look.checked();
        board.model_hash = saved.model.clone().zip(saved.model_sha256);
        // The host has set every parameter by now.
        board.wishes.clear();
        drop(board);
        self.post(|snapshot| {
            snapshot.model = saved.model.map_or_else(FileChoice::factory_model, FileChoice::chosen);
            snapshot.seed = saved.seed.map_or_else(FileChoice::factory_seed, FileChoice::chosen);
            snapshot.inline_limit = saved.inline_limit;
            snapshot.error = None;
            snapshot.notice = None;
            snapshot.patch = None;
            snapshot.overwrite = None;
            snapshot.other_model = None;
            snapshot.take = None;
            snapshot.storage = None;
        });
        self.forget_history();
        let mut bench = lock(&self.bench);
        // What was growing belongs to the session that is being replaced.
        if let Some(live) = bench.live.take() {
            live.abandon();
        }
        bench.looks_away = false;
        bench.shelf = shelf;
        bench.placed.clear();
        bench.restored += 1;
        drop(bench);
        if let Err(error) = self.bring_up() {
            // It stays on the shelf, for the next save: the sound may be on another machine.
            problems.push(error.to_string());
        }
        if let Err(error) = self.bring_up_arrangement() {
            problems.push(sentence(&error));
        }
        if !problems.is_empty() {
            self.complain(&RestoreProblems(problems));
        }
    }

    /// Follows the host to another rate.
    pub(crate) fn set_host_rate(&self, rate_hz: f32) {
        self.link.set_host_rate(rate_hz);
        self.lay_out_for_host();
        self.show_arrangement();
    }

    /// Brings what is on the bench to the host's rate and hands what is shown of it to `process()`.
    pub(crate) fn lay_out_for_host(&self) {
        while let Some(rate_hz) = self.link.host_rate_hz() {
            match self.lay_out_at(rate_hz) {
                Ok(true) => return,
                // Meanwhile there is another rate or another take.
                Ok(false) => {}
                Err(error) => return self.complain_of(Concern::Settings, &error),
            }
        }
    }

    /// Brings what is on the bench to a rate and publishes it, unless the bench or the host's rate has changed meanwhile.
    fn lay_out_at(&self, rate_hz: u32) -> Result<bool, BenchError> {
        let mut bench = lock(&self.bench);
        for kept in bench.shelf.takes_mut() {
            kept.play.take_if(|play| play.rate_hz != rate_hz);
        }
        let bare = bench.shelf.chosen().filter(|kept| kept.play.is_none());
        if let Some((id, take)) = bare.and_then(|kept| Some((kept.id, kept.take.clone()?))) {
            // Minutes of audio take a second or more. Who saves, and so wants to see the bench, does not wait for that.
            drop(bench);
            let play = lay_out(&take, rate_hz)?;
            bench = lock(&self.bench);
            match bench.shelf.chosen_mut().filter(|kept| kept.id == id) {
                Some(kept) => kept.play = Some(play),
                None => return Ok(false),
            }
        }
        // Under the lock: if the host changes its rate from here on, it waits, and lays out after this.
        if self.link.host_rate_hz() != Some(rate_hz) {
            return Ok(false);
        }
        if let Some(live) = &mut bench.live {
            live.set_rate(rate_hz)?;
        }
        let play = bench.shown_play().cloned();
        if let Some(play) = play {
            self.link.publish(play);
        }
        Ok(true)
    }

    /// Ends the growing take of a request as the finished one: on the bench, on the board and in what is saved.
    ///
    /// From here on it is too late to cancel the request: the take is whole and plays, so it is also what is saved.
    /// `bits_per_frame` says how unlikely each variation is under the model; nothing, where that is not known.
    pub(crate) fn keep(&self, ticket: &Ticket, bits_per_frame: Vec<f32>) -> Result<(), BenchError> {
        if let Some(completed) = self.complete(ticket, bits_per_frame)? {
            self.shelve(completed);
        }
        Ok(())
    }

    /// Ends the growing take. Its sound plays on.
    fn complete(&self, ticket: &Ticket, bits_per_frame: Vec<f32>) -> Result<Option<NewTake>, BenchError> {
        let mut bench = lock(&self.bench);
        let Some(mut live) = bench.live.take_if(|live| live.ticket == ticket.id) else { return Ok(None) };
        live.set_bits(bits_per_frame);
        let (take, play) = live.finish()?;
        Ok(Some(NewTake { take, play, session: bench.restored, deed: Deed::Render, name: None }))
    }

    /// Packs a completed take, which takes a moment in which nobody should wait for the lock, and puts it on the shelf.
    pub(super) fn shelve(&self, NewTake { take, play, session, deed, name }: NewTake) {
        let limit = self.snapshot().inline_limit;
        let inline = lock(&self.bench).shelf.inline_bytes_beside(None);
        let (packed, failure) = pack_beside(&take, limit, inline);
        let packed = Arc::new(packed);
        let overview = Arc::new(OverviewBuilder::of(&take));
        if lock(&self.bench).restored == session {
            self.note(deed);
        }
        let mut bench = lock(&self.bench);
        if bench.restored != session {
            // The host has put another session in this one's place, with takes of its own or with none.
            return;
        }
        let label = Label { number: bench.shelf.next_number(), name, ..Label::default() };
        let stored = failure.is_none();
        let kept = Kept { take: Some(Arc::new(take)), play, stored, ..Kept::new(label, Arc::clone(&packed)) };
        if deed == Deed::CropTake {
            // What is shown from here on is the part, whatever is being rendered.
            bench.looks_away = bench.live.is_some();
        }
        // Who looks at another take meanwhile goes on doing so.
        let shows = deed != Deed::Render || !std::mem::take(&mut bench.looks_away) || bench.shelf.chosen().is_none();
        bench.shelf.add(kept, shows);
        self.post_takes(&bench);
        if shows {
            // Under the lock, so that what is shown is what is on the bench.
            self.show_packed(Some(overview), &packed);
        }
        drop(bench);
        self.say_whether_stored(failure.as_ref());
        self.touch();
        // The host may have changed its rate since the last frame, and the user the limit.
        self.lay_out_for_host();
        if self.snapshot().inline_limit != limit {
            self.repack();
        }
    }

    /// Gives up the take that is being rendered; the one before it comes back.
    pub(crate) fn give_up_live(&self, ticket: u64) {
        let mut bench = lock(&self.bench);
        let Some(live) = bench.live.take_if(|live| live.ticket == ticket) else { return };
        live.abandon();
        if std::mem::take(&mut bench.looks_away) {
            // Something else is shown and plays already.
            self.post_takes(&bench);
            return;
        }
        drop(bench);
        let result = self.bring_up();
        self.complain_of_take(result);
    }

    /// Decides anew where takes are kept: in the host's session up to the limit, the chosen one first, then the newest. Takes
    /// as long as packing those does that move.
    pub(crate) fn repack(&self) {
        let order = || {
            let bench = lock(&self.bench);
            let chosen = bench.shelf.chosen().map(|kept| kept.id);
            let rest = bench.shelf.takes().iter().rev().map(|kept| kept.id).filter(|id| Some(*id) != chosen);
            chosen.into_iter().chain(rest).collect::<Vec<TakeId>>()
        };
        let mut room = self.snapshot().inline_limit;
        let mut failure = None;
        for id in order() {
            let Some(kept) = lock(&self.bench).shelf.get(id).cloned() else { continue };
            let bytes = kept.packed.bytes();
            let inside = bytes <= room;
            if inside {
                room -= bytes;
            }
            // What is unpacked is written again in any case: the store may have lost it.
            if inside == kept.packed.is_stored_outside() || !kept.stored || (!inside && kept.take.is_some()) {
                failure = self.move_take(&kept, if inside { bytes } else { 0 }).or(failure);
            }
        }
        let bench = lock(&self.bench);
        if let Some(chosen) = bench.shelf.chosen() {
            self.show_packed(None, &chosen.packed);
        }
        drop(bench);
        self.say_whether_stored(failure.as_ref());
        self.touch();
    }

    /// Packs a take anew, into the session if it needs at most `limit` bytes.
    fn move_take(&self, kept: &Kept, limit: u64) -> Option<StoreError> {
        let take = match &kept.take {
            Some(take) => Arc::clone(take),
            // One whose sound cannot be had stays where it is.
            None => Arc::new(kept.packed.unpack(Store::of_user().as_ref()).ok()?),
        };
        let inline = lock(&self.bench).shelf.inline_bytes_beside(Some(kept.id));
        let (packed, failure) = pack_beside(&take, limit.saturating_add(inline), inline);
        let mut bench = lock(&self.bench);
        if let Some(kept) = bench.shelf.get_mut(kept.id) {
            kept.stored = failure.is_none();
            kept.packed = Arc::new(packed);
            if !kept.stored {
                kept.take = Some(take);
            }
        }
        failure
    }

    fn say_whether_stored(&self, failure: Option<&StoreError>) {
        match failure {
            Some(error) => self.complain_of(Concern::Storage, error),
            None => self.settle(Concern::Storage),
        }
    }

    /// Cancels every request of this instance.
    pub(crate) fn cancel_all(&self) {
        for ticket in lock(&self.tickets).iter() {
            ticket.stop();
        }
    }
}

/// Packs a take that lies beside others which take `inline` bytes of the host's session, of which `limit` are for all.
fn pack_beside(take: &Take, limit: u64, inline: u64) -> (PackedTake, Option<StoreError>) {
    let most = MAX_INLINE_BYTES.saturating_sub(inline);
    pack_within(take, limit.saturating_sub(inline), most, Store::of_user().as_ref())
}

/// The takes of a saved session.
fn shelf_of(take: Option<Arc<PackedTake>>, saved: SavedShelf) -> Shelf {
    let mut takes: Vec<Kept> = saved.others.into_iter().map(|(label, packed)| Kept::new(label, packed)).collect();
    let at = saved.at.min(takes.len());
    if let Some(packed) = take {
        takes.insert(at, Kept::new(saved.label, packed));
    }
    Shelf::of(takes, at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::{Storage, TakeOverview};
    use crate::take::bench::LiveTake;
    use crate::take::pack::tests::take;

    /// A session whose take has all its frames and waits to be kept.
    fn about_to_keep(ticket: &Ticket) -> Arc<Session> {
        let session = Session::new();
        session.set_host_rate(48_000.0);
        let sound = take();
        let mut live = LiveTake::new(ticket.id, sound.recipe, sound.seed, Some(48_000)).unwrap();
        for (index, variation) in sound.variations.iter().enumerate() {
            live.push(index, &variation.channels).unwrap();
        }
        session.link.publish(Arc::clone(live.play().unwrap()));
        lock(&session.bench).live = Some(live);
        session
    }

    #[test]
    fn a_cancel_that_comes_too_late_leaves_one_take_to_play_and_to_save() {
        let ticket = Ticket::new();
        let session = about_to_keep(&ticket);
        ticket.stop();
        session.keep(&ticket, Vec::new()).unwrap();
        let playing = std::iter::from_fn(|| session.link.next_take()).last().unwrap();
        let bench = lock(&session.bench);
        let finished = bench.shelf.chosen().unwrap();
        assert_eq!(**finished.take.as_ref().unwrap(), take());
        assert_eq!(finished.play.as_ref().unwrap().id, playing.id);
        assert_eq!(finished.packed.unpack(None).unwrap(), take());
    }

    #[test]
    fn what_was_made_for_a_session_is_not_kept_in_the_one_that_replaced_it() {
        let ticket = Ticket::new();
        let session = about_to_keep(&ticket);
        let completed = session.complete(&ticket, Vec::new()).unwrap().unwrap();
        session.restore(SavedSession::default());
        session.shelve(completed);
        assert!(lock(&session.bench).shelf.takes().is_empty());
        assert!(session.snapshot().take.is_none());
    }

    #[test]
    fn a_new_limit_does_not_show_an_older_take() {
        let ticket = Ticket::new();
        let session = about_to_keep(&ticket);
        session.keep(&ticket, Vec::new()).unwrap();
        // The next take grows meanwhile.
        let growing = Arc::new(TakeOverview { recipe: "growing".into(), ..OverviewBuilder::of(&take()) });
        session.post(|snapshot| {
            snapshot.take = Some(Arc::clone(&growing));
            snapshot.storage = None;
            snapshot.inline_limit = u64::MAX;
        });
        session.repack();
        let snapshot = session.snapshot();
        assert!(Arc::ptr_eq(&snapshot.take.unwrap(), &growing));
        assert!(matches!(snapshot.storage, Some(Storage::Inline { .. })));
    }

    #[test]
    fn a_request_ends_where_nobody_serves_it() {
        let session = Session::new();
        session.link.begin_request();
        assert!(session.link.rendering());
        session.link.end_all_requests();
        assert!(!session.link.rendering());
        session.link.refuse_requests();
        session.link.begin_request();
        assert!(!session.link.rendering(), "an offline host would wait for ever");
    }

    #[test]
    fn a_host_that_stops_calling_is_at_rest_without_saying_so() {
        let session = Session::new();
        session.link.tick();
        assert!(!session.link.at_rest());
        std::thread::sleep(std::time::Duration::from_millis(300));
        assert!(session.link.at_rest());
        session.link.tick();
        assert!(!session.link.at_rest());
    }
}
