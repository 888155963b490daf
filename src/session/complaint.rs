//! What went wrong, in a sentence that stays until the user has read it or its cause is gone.

use std::path::PathBuf;

use super::{Session, lock};
use crate::files::File;
use crate::params::{Mode, SeedSource, Settings};
use crate::resources;

/// What an error is about. It goes when that has changed, or when [`Session::settle`] says that all is well with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Concern {
    /// The chosen model's file.
    Model,
    /// The chosen seed clip's file.
    Seed,
    /// What was captured from the sidechain.
    Capture,
    /// The parameters of a render, or the host's rate.
    Settings,
    /// A file that the take is written to.
    Export,
    /// Where the take is kept.
    Storage,
    /// The renderer's settings.
    Preferences,
    /// A file dialog.
    Dialog,
    /// Anything else: only the user, a new render or another session takes it away.
    Other,
}

/// An error's concern, and everything that it could be about as it was then.
#[derive(Debug)]
pub(super) struct Cause {
    concern: Concern,
    then: Ingredients,
}

/// What a render would be made of.
#[derive(Debug, PartialEq)]
struct Ingredients {
    settings: Option<Settings>,
    host_rate_hz: Option<u32>,
    model: (Option<PathBuf>, Option<File>),
    seed: (Option<PathBuf>, Option<File>),
    captured_frames: u64,
}

impl Ingredients {
    /// Whether nothing has changed that an error of this concern can come from.
    fn agree(&self, now: &Self, concern: Concern) -> bool {
        let source = |these: &Self| -> Option<(Mode, SeedSource)> {
            these.settings.map(|settings| (settings.mode, settings.seed_source))
        };
        match concern {
            Concern::Model => self.model == now.model,
            Concern::Seed => self.seed == now.seed && source(self) == source(now),
            Concern::Capture => self.captured_frames == now.captured_frames && source(self) == source(now),
            Concern::Settings => self.settings == now.settings && self.host_rate_hz == now.host_rate_hz,
            Concern::Export | Concern::Storage | Concern::Preferences | Concern::Dialog | Concern::Other => true,
        }
    }
}

impl Session {
    /// Puts a sentence for the user on the board.
    pub(crate) fn complain(&self, error: &dyn std::error::Error) {
        self.complain_of(Concern::Other, error);
    }

    /// As [`Session::complain`], until what it is about has changed.
    pub(crate) fn complain_of(&self, concern: Concern, error: &dyn std::error::Error) {
        let sentence = sentence(error);
        tracing::warn!("{sentence}");
        let then = self.ingredients();
        let mut board = lock(&self.board);
        board.snapshot.error = Some(sentence.into());
        board.cause = Some(Cause { concern, then });
        drop(board);
        self.repaint.request_repaint();
    }

    /// All is well with `concern`: an error about it goes.
    pub(crate) fn settle(&self, concern: Concern) {
        let mut board = lock(&self.board);
        if board.cause.take_if(|cause| cause.concern == concern).is_some() {
            board.snapshot.error = None;
            drop(board);
            self.repaint.request_repaint();
        }
    }

    /// Takes an error away whose cause is not what it was. Looks at no file unless there is one.
    pub(crate) fn settle_what_changed(&self) {
        if lock(&self.board).cause.is_none() {
            return;
        }
        let now = self.ingredients();
        let mut board = lock(&self.board);
        // Somebody may have taken the sentence away, or put up another one, which has a cause of its own.
        if board.snapshot.error.is_none() {
            board.cause = None;
        } else if board.cause.take_if(|cause| !cause.then.agree(&now, cause.concern)).is_some() {
            board.snapshot.error = None;
            drop(board);
            self.repaint.request_repaint();
        }
    }

    fn ingredients(&self) -> Ingredients {
        let snapshot = self.snapshot();
        let with_file = |chosen: Option<PathBuf>, factory: Option<PathBuf>| {
            let file = chosen.clone().or(factory).and_then(|path| File::at(&path));
            (chosen, file)
        };
        Ingredients {
            settings: self.settings(),
            host_rate_hz: self.link.host_rate_hz(),
            model: with_file(snapshot.model.path, resources::default_model().ok()),
            seed: with_file(snapshot.seed.path, resources::default_seed().ok()),
            captured_frames: self.link.captured().map_or(0, |ring| ring.frames() as u64),
        }
    }
}

/// An error and its causes in one sentence, without repeating what an outer message already says.
fn sentence(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::session::FileChoice;

    #[derive(Debug, thiserror::Error)]
    #[error("{0} is wrong")]
    struct Wrong(&'static str);

    fn error(session: &Session) -> Option<String> {
        session.settle_what_changed();
        session.snapshot().error.as_deref().map(ToOwned::to_owned)
    }

    #[test]
    fn an_error_goes_when_its_cause_is_gone_and_not_before() {
        let folder = tempfile::tempdir().unwrap();
        let model = folder.path().join("a.continuo");
        std::fs::write(&model, "one").unwrap();
        let session = Session::new();
        let choose = |path: &std::path::Path| {
            session.post(|snapshot| snapshot.model = FileChoice::chosen(path.to_path_buf()));
        };
        choose(&model);

        session.complain_of(Concern::Model, &Wrong("the model"));
        session.settle(Concern::Seed);
        session.post(|snapshot| snapshot.seed = FileChoice::chosen(folder.path().join("a.wav")));
        assert_eq!(error(&session).as_deref(), Some("the model is wrong"));
        // The file is put right where it lies.
        std::fs::write(&model, "another").unwrap();
        assert_eq!(error(&session), None);

        session.complain_of(Concern::Model, &Wrong("the model"));
        assert!(error(&session).is_some());
        choose(&folder.path().join("b.continuo"));
        assert_eq!(error(&session), None);

        session.complain_of(Concern::Seed, &Wrong("the clip"));
        choose(&model);
        assert!(error(&session).is_some());
        session.post(|snapshot| snapshot.seed = FileChoice::factory_seed());
        assert_eq!(error(&session), None);

        session.complain_of(Concern::Settings, &Wrong("the rate"));
        session.link.set_host_rate(48_000.0);
        assert_eq!(error(&session), None);

        session.complain_of(Concern::Export, &Wrong("the disk"));
        choose(&folder.path().join("c.continuo"));
        assert!(error(&session).is_some());
        session.settle(Concern::Export);
        assert_eq!(error(&session), None);
    }

    #[test]
    fn a_newer_error_does_not_go_with_the_cause_of_the_one_before() {
        let session = Session::new();
        session.complain_of(Concern::Export, &Wrong("the disk"));
        session.complain(&Wrong("something"));
        session.settle(Concern::Export);
        assert_eq!(error(&session).as_deref(), Some("something is wrong"));
        // What the user has read is gone, and so is its cause.
        session.post(|snapshot| snapshot.error = None);
        assert_eq!(error(&session), None);
        session.post(|snapshot| snapshot.error = Some(Arc::from("put up by another")));
        session.settle(Concern::Other);
        assert_eq!(error(&session).as_deref(), Some("put up by another"));
    }
}
