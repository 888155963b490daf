//! What went wrong, in a sentence that stays until the user has read it or its cause is gone.

use std::path::PathBuf;

use super::concern::{Cause, Concern, Subject};
use super::instance::Session;
use super::lock::lock;
use crate::files::File;
use crate::resources::{self, ResourceError};
use crate::settings::Settings;

impl Session {
    /// Puts a sentence for the user on the board.
    pub(crate) fn complain(&self, error: &dyn std::error::Error) {
        self.complain_of(Concern::Other, error);
    }

    /// As [`Session::complain`], until what it is about has changed.
    pub(crate) fn complain_of(&self, concern: Concern, error: &dyn std::error::Error) {
        let sentence = sentence(error);
        tracing::warn!("{sentence}");
        let then = self.subject(concern);
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
        let Some(concern) = lock(&self.board).cause.as_ref().map(|cause| cause.concern) else { return };
        let now = self.subject(concern);
        let mut board = lock(&self.board);
        // Somebody may have taken the sentence away, or put up another one, which has a cause of its own.
        if board.snapshot.error.is_none() {
            board.cause = None;
        } else if board.cause.take_if(|cause| cause.concern == concern && cause.then != now).is_some() {
            board.snapshot.error = None;
            drop(board);
            self.repaint.request_repaint();
        }
    }

    fn subject(&self, concern: Concern) -> Subject {
        // A tempo that changes is no other wish.
        let settings = self.settings().map(|settings| Settings { tempo: 0.0, ..settings });
        let source = settings.map(|settings| (settings.mode, settings.seed_source));
        let file = |chosen: Option<PathBuf>, factory: fn() -> Result<PathBuf, ResourceError>, source| {
            let file = chosen.clone().or_else(|| factory().ok()).and_then(|path| File::at(&path));
            Subject::File(chosen, file, source)
        };
        match concern {
            Concern::Model => file(self.snapshot().model.path, resources::default_model, None),
            Concern::Seed => file(self.snapshot().seed.path, resources::default_seed, source),
            Concern::Capture => Subject::Capture(self.link.captured().map_or(0, |ring| ring.frames() as u64), source),
            Concern::Settings => Subject::Settings(settings, self.link.host_rate_hz()),
            Concern::Listening => Subject::Rest(self.link.is_off()),
            Concern::Export
            | Concern::Storage
            | Concern::Arrangement
            | Concern::Patch
            | Concern::Preferences
            | Concern::Dialog
            | Concern::Other => Subject::Fixed,
        }
    }
}

/// An error and its causes in one sentence, without repeating what an outer message already says.
pub(super) fn sentence(error: &dyn std::error::Error) -> String {
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

        std::thread::sleep(std::time::Duration::from_millis(2_100));
        session.complain_of(Concern::Listening, &Wrong("the host's audio"));
        assert!(error(&session).is_some());
        session.link.tick();
        assert_eq!(error(&session), None, "it runs again");

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
