//! Takes coming and going: restoring a saved session, following the host's rate, concluding a render.

use std::sync::Arc;

use super::concern::Concern;
use super::file_choice::FileChoice;
use super::instance::Session;
use super::lock::lock;
use super::overview::{OverviewBuilder, TakeOverview};
use super::saved::SavedSession;
use super::snapshot::Storage;
use super::ticket::Ticket;
use crate::take::bench::{Finished, lay_out};
use crate::take::pack::{PackedTake, pack};
use crate::take::play::PlayTake;
use crate::take::store::{Store, StoreError};
use crate::take::{Take, bench::BenchError};

/// Everything that the user is to know after a session was opened.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join(". Also: "))]
struct RestoreProblems(Vec<String>);

/// A take that has all its frames and is not on the bench yet.
struct Completed {
    take: Take,
    play: Option<Arc<PlayTake>>,
    /// Which of the sessions that were restored here it was made for.
    session: u64,
}

impl Session {
    /// Replaces everything by a saved session.
    pub(crate) fn restore(&self, saved: SavedSession) {
        // Switches that the saved state leaves on are not turns of a switch, even if somebody has looked meanwhile.
        if let Some(params) = self.params() {
            let [render, cancel] = params.switches();
            self.link.turned_on(render, cancel);
        }
        self.link.forget_commands();
        self.cancel_all();
        let mut problems: Vec<String> = saved.unread.problems().iter().map(ToString::to_string).collect();
        *lock(&self.unread) = saved.unread;
        self.post(|snapshot| {
            snapshot.model = saved.model.map_or_else(FileChoice::factory_model, FileChoice::chosen);
            snapshot.seed = saved.seed.map_or_else(FileChoice::factory_seed, FileChoice::chosen);
            snapshot.inline_limit = saved.inline_limit;
            snapshot.error = None;
            snapshot.notice = None;
            snapshot.overwrite = None;
            snapshot.take = None;
            snapshot.storage = None;
        });
        let mut bench = lock(&self.bench);
        // What was growing belongs to the session that is being replaced.
        if let Some(live) = bench.live.take() {
            live.abandon();
        }
        bench.finished = None;
        bench.unreadable = None;
        bench.restored += 1;
        match saved.take {
            None => self.publish_silence(),
            Some(packed) => match packed.unpack(Store::of_user().as_ref()) {
                Ok(take) => {
                    let take = Arc::new(take);
                    self.show(&take, &packed);
                    bench.finished = Some(Finished { take, packed, play: None });
                }
                Err(error) => {
                    problems.push(error.to_string());
                    // Kept for the next save: the sound may be on another machine.
                    bench.unreadable = Some(packed);
                    self.publish_silence();
                }
            },
        }
        drop(bench);
        if !problems.is_empty() {
            self.complain(&RestoreProblems(problems));
        }
        self.lay_out_for_host();
    }

    /// Follows the host to another rate.
    pub(crate) fn set_host_rate(&self, rate_hz: f32) {
        self.link.set_host_rate(rate_hz);
        self.lay_out_for_host();
    }

    /// Brings what is on the bench to the host's rate and hands it to `process()`.
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
        let other = bench.finished.as_ref().filter(|finished| !finished.is_at(rate_hz));
        if let Some(take) = other.map(|finished| Arc::clone(&finished.take)) {
            // Minutes of audio take a second or more. Who saves, and so wants to see the bench, does not wait for that.
            drop(bench);
            let play = lay_out(&take, rate_hz)?;
            bench = lock(&self.bench);
            match bench.finished.as_mut().filter(|finished| Arc::ptr_eq(&finished.take, &take)) {
                Some(finished) => finished.play = Some(play),
                None => return Ok(false),
            }
        }
        // Under the lock: if the host changes its rate from here on, it waits, and lays out after this.
        if self.link.host_rate_hz() != Some(rate_hz) {
            return Ok(false);
        }
        let play = match &mut bench.live {
            Some(live) => {
                live.set_rate(rate_hz)?;
                live.play().cloned()
            }
            None => bench.finished.as_ref().and_then(|finished| finished.play.clone()),
        };
        if let Some(play) = play {
            self.link.publish(play);
        }
        Ok(true)
    }

    /// Ends the growing take of a request as the finished one: on the bench, on the board and in what is saved.
    ///
    /// From here on it is too late to cancel the request: the take is whole and plays, so it is also what is saved.
    pub(crate) fn keep(&self, ticket: &Ticket) -> Result<(), BenchError> {
        if let Some(completed) = self.complete(ticket)? {
            self.shelve(completed);
        }
        Ok(())
    }

    /// Ends the growing take. Its sound plays on.
    fn complete(&self, ticket: &Ticket) -> Result<Option<Completed>, BenchError> {
        let mut bench = lock(&self.bench);
        let Some(live) = bench.live.take_if(|live| live.ticket == ticket.id) else { return Ok(None) };
        let (take, play) = live.finish()?;
        Ok(Some(Completed { take, play, session: bench.restored }))
    }

    /// Packs a completed take, which takes a moment in which nobody should wait for the lock, and puts it on the bench.
    fn shelve(&self, Completed { take, play, session }: Completed) {
        let limit = self.snapshot().inline_limit;
        let (packed, failure) = pack(&take, limit, Store::of_user().as_ref());
        let (take, packed) = (Arc::new(take), Arc::new(packed));
        let overview = Arc::new(OverviewBuilder::of(&take));
        let mut bench = lock(&self.bench);
        if bench.restored != session {
            // The host has put another session in this one's place, with a take of its own or with none.
            return;
        }
        bench.unreadable = None;
        bench.finished = Some(Finished { take, packed: Arc::clone(&packed), play });
        // Under the lock, so that what is shown is what is on the bench.
        self.show_packed(Some(overview), &packed);
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
        let overview = bench.finished.as_ref().map(|finished| Arc::new(OverviewBuilder::of(&finished.take)));
        let none_before = bench.finished.is_none();
        drop(bench);
        self.post(|snapshot| snapshot.take = overview);
        if none_before { self.publish_silence() } else { self.lay_out_for_host() }
    }

    /// Decides anew where the finished take is kept. Takes as long as packing does.
    pub(crate) fn repack(&self) {
        loop {
            let Some(take) = lock(&self.bench).finished.as_ref().map(|finished| Arc::clone(&finished.take)) else {
                return;
            };
            let limit = self.snapshot().inline_limit;
            let (packed, failure) = pack(&take, limit, Store::of_user().as_ref());
            let packed = Arc::new(packed);
            let mut bench = lock(&self.bench);
            let finished = bench.finished.as_mut().filter(|finished| Arc::ptr_eq(&finished.take, &take));
            // Meanwhile there may be another take, which was packed as it came, or another limit.
            let Some(finished) = finished else { return };
            if self.snapshot().inline_limit == limit {
                finished.packed = Arc::clone(&packed);
                self.show_packed(None, &packed);
                drop(bench);
                self.say_whether_stored(failure.as_ref());
                self.touch();
                return;
            }
        }
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

    fn publish_silence(&self) {
        self.link.publish(Arc::new(PlayTake::silence()));
    }

    fn show(&self, take: &Take, packed: &PackedTake) {
        self.show_packed(Some(Arc::new(OverviewBuilder::of(take))), packed);
    }

    /// Shows where a take is kept, and the take itself unless it is shown already.
    fn show_packed(&self, overview: Option<Arc<TakeOverview>>, packed: &PackedTake) {
        let bytes = packed.bytes();
        let storage = match Store::of_user() {
            Some(store) if packed.is_stored_outside() => Storage::Store { bytes, folder: store.folder().to_path_buf() },
            _ => Storage::Inline { bytes },
        };
        self.post(|snapshot| {
            if overview.is_some() {
                snapshot.take = overview;
            }
            snapshot.storage = Some(storage);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
        session.keep(&ticket).unwrap();
        let playing = std::iter::from_fn(|| session.link.next_take()).last().unwrap();
        let bench = lock(&session.bench);
        let finished = bench.finished.as_ref().unwrap();
        assert_eq!(*finished.take, take());
        assert_eq!(finished.play.as_ref().unwrap().id, playing.id);
        assert_eq!(finished.packed.unpack(None).unwrap(), take());
    }

    #[test]
    fn what_was_made_for_a_session_is_not_kept_in_the_one_that_replaced_it() {
        let ticket = Ticket::new();
        let session = about_to_keep(&ticket);
        let completed = session.complete(&ticket).unwrap().unwrap();
        session.restore(SavedSession::default());
        session.shelve(completed);
        assert!(lock(&session.bench).finished.is_none());
        assert!(session.snapshot().take.is_none());
    }

    #[test]
    fn a_new_limit_does_not_show_an_older_take() {
        let ticket = Ticket::new();
        let session = about_to_keep(&ticket);
        session.keep(&ticket).unwrap();
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
