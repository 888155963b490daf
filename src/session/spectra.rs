//! Drawing the spectrum of a variation when an editor asks for it.

use std::sync::Arc;

use super::instance::Session;
use super::lock::lock;
use super::spectrogram::spectrogram;
use crate::take::id::TakeId;
use crate::threads;

impl Session {
    /// Draws the spectrum of a variation of the chosen take; [`super::Snapshot::spectrogram`] shows it when done. Asking again for
    /// the same one does nothing.
    pub fn draw_spectrogram(self: &Arc<Self>, take: TakeId, variation: usize) {
        let wanted = Some((take, variation));
        let bench = lock(&self.bench);
        let chosen = bench.shelf.chosen().filter(|kept| kept.id == take);
        // A take that is not laid out yet is asked for again.
        let Some((play, top_hz)) = chosen.and_then(|kept| {
            let model_rate_hz = kept.packed.recipe.model_rate_hz;
            Some((Arc::clone(kept.play.as_ref()?), model_rate_hz as f32 / 2.0))
        }) else {
            return;
        };
        drop(bench);
        let before = std::mem::replace(&mut lock(&self.board).spectrogram, wanted);
        if before == wanted {
            return;
        }
        self.post(|snapshot| snapshot.spectrogram = None);
        let session = Arc::downgrade(self);
        let thread = threads::start("continuo-spectrum", move || {
            let wants = || session.upgrade().is_some_and(|session| lock(&session.board).spectrogram == wanted);
            let Some(drawn) = spectrogram(&play, (take, variation), top_hz, wants) else { return };
            let Some(session) = session.upgrade() else { return };
            if lock(&session.board).spectrogram == wanted {
                session.post(|snapshot| snapshot.spectrogram = Some(Arc::new(drawn)));
            }
        });
        if let Err(error) = thread {
            tracing::warn!("the spectrum cannot be drawn: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chosen_takes_spectrum_is_shown_once_it_is_asked_for() {
        use crate::take::shelf::tests::kept;
        let session = Session::new();
        session.set_host_rate(48_000.0);
        lock(&session.bench).shelf.add(kept(1), true);
        session.bring_up().unwrap();
        let take = session.snapshot().takes[0].id;
        session.draw_spectrogram(take, 1);
        crate::threads::join_all();
        let shown = session.snapshot().spectrogram.unwrap();
        assert_eq!((shown.take, shown.variation), (take, 1));
        session.draw_spectrogram(take, 0);
        crate::threads::join_all();
        assert_eq!(session.snapshot().spectrogram.unwrap().variation, 0);
    }
}
