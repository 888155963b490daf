//! What sessions ask for and takes long: each errand has a thread of its own, and the other instances go on.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::RenderError;
use super::preferences;
use super::shared::Shared;
use crate::resources;
use crate::session::{Chosen, Concern, Deed, FileChoice, Session, TakeError, lock};
use crate::threads;

/// Takes a model, and takes it back if its package cannot be opened.
pub(super) fn choose_model(shared: &Arc<Shared>, session: &Arc<Session>, path: PathBuf) -> Result<(), RenderError> {
    session.post(|snapshot| snapshot.other_model = None);
    let (shared, knows) = (Arc::clone(shared), Arc::clone(session));
    choose(session, Chosen::Model, path, move |path| {
        let loaded = shared.models.load(path, shared.watched())?;
        knows.know_model(path, loaded.model.content_hash());
        Ok(())
    })
}

/// Takes a seed clip, and takes it back if there is no such file.
pub(super) fn choose_seed(session: &Arc<Session>, path: PathBuf) -> Result<(), RenderError> {
    choose(session, Chosen::Seed, path, |path| {
        if path.is_file() { Ok(()) } else { Err(RenderError::NoFile(path.to_path_buf())) }
    })
}

fn choose(
    session: &Arc<Session>,
    what: Chosen,
    path: PathBuf,
    check: impl FnOnce(&Path) -> Result<(), RenderError> + Send + 'static,
) -> Result<(), RenderError> {
    let before = session.document();
    let choice = session.choose(what, path.clone());
    session.touch();
    errand(session, "continuo-choose", move |session| {
        match check(&path) {
            Ok(()) => {
                session.note_since(if what == Chosen::Model { Deed::ChooseModel } else { Deed::ChooseSeed }, before);
                session.accept(what, &choice);
                session.settle(if what == Chosen::Model { Concern::Model } else { Concern::Seed });
                if what == Chosen::Model {
                    session.describe(&choice, true);
                }
            }
            Err(error) => {
                session.refuse(what, &choice);
                session.touch();
                return Err(error);
            }
        }
        Ok(())
    })
}

/// Looks at the factory's model, which was chosen just now. One that cannot be opened is told at once, not at Render.
pub(super) fn factory_model(shared: &Arc<Shared>, session: &Arc<Session>) -> Result<(), RenderError> {
    let shared = Arc::clone(shared);
    errand(session, "continuo-choose", move |session| {
        session.describe(&FileChoice::factory_model(), true);
        shared.models.load(&resources::default_model()?, shared.watched())?;
        session.settle(Concern::Model);
        Ok(())
    })
}

/// Reads what a model can do out of its package; with `suggest`, an open editor then sets what suits it.
pub(super) fn describe(session: &Arc<Session>, choice: FileChoice, suggest: bool) -> Result<(), RenderError> {
    errand(session, "continuo-describe", move |session| {
        session.describe(&choice, suggest);
        Ok(())
    })
}

/// Does something with the takes that may have to unpack one.
pub(super) fn with_takes(
    session: &Arc<Session>,
    what: impl FnOnce(&Session) -> Result<(), TakeError> + Send + 'static,
) -> Result<(), RenderError> {
    errand(session, "continuo-takes", move |session| {
        let result = what(session);
        session.complain_of_take(result);
        Ok(())
    })
}

/// Decides anew where the finished take is kept.
pub(super) fn repack(session: &Arc<Session>) -> Result<(), RenderError> {
    errand(session, "continuo-repack", |session| {
        session.repack();
        Ok(())
    })
}

/// Writes down what the user wants of the renderer.
pub(super) fn note_preferences(shared: &Arc<Shared>, session: &Arc<Session>) -> Result<(), RenderError> {
    let shared = Arc::clone(shared);
    errand(session, "continuo-preferences", move |session| {
        // One at a time, and each writes what holds by then: the last one to write has the last word.
        let _one = lock(&shared.noting);
        preferences::write(&shared.preferences(None))?;
        session.settle(Concern::Preferences);
        Ok(())
    })
}

/// Runs an errand for a session, which is told what went wrong.
pub(super) fn errand(
    session: &Arc<Session>,
    name: &str,
    run: impl FnOnce(&Session) -> Result<(), RenderError> + Send + 'static,
) -> Result<(), RenderError> {
    let session = Arc::clone(session);
    let guarded = move || {
        let run = std::panic::AssertUnwindSafe(|| run(&session));
        if let Err(error) = std::panic::catch_unwind(run).unwrap_or(Err(RenderError::Fault)) {
            session.complain_of(error.concern(), &error);
        }
    };
    threads::start(name, guarded).map_err(|error| RenderError::NoThread(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::renderer::Renderer;
    use crate::renderer::soon::soon;
    use crate::session::Command;
    use crate::take::shelf::tests::kept;

    #[test]
    fn nobody_waits_for_another_instances_export() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("take.wav");
        let renderer = Renderer::acquire();
        let (one, other) = (Session::new(), Session::new());
        lock(&one.bench).shelf.add(kept(1), true);
        renderer.register(&one);
        renderer.register(&other);

        // A disk that takes its time.
        let slow = lock(&renderer.shared.exporting);
        one.send(Command::ExportTake(file.clone()));
        for session in [&other, &one] {
            session.complain(&RenderError::NothingToExport);
            session.send(Command::DismissError);
            soon("an answer", || session.snapshot().error.is_none());
        }
        assert!(!file.exists());
        drop(slow);
        soon("the file", || file.exists());
        soon("the notice", || one.snapshot().notice.is_some_and(|words| words.contains("take.wav")));

        // The last instance goes while a file is being written: it is written, and nothing runs any longer.
        std::fs::remove_file(&file).unwrap();
        let shared = Arc::clone(&renderer.shared);
        let slow = lock(&shared.exporting);
        one.post(|snapshot| snapshot.overwrite = Some(Path::new("an older question").into()));
        one.send(Command::ExportTake(file.clone()));
        soon("the command", || one.snapshot().overwrite.is_none());
        drop(slow);
        for session in [&one, &other] {
            renderer.unregister(session);
        }
        // Other tests may have instances of their own.
        let last = Arc::strong_count(&renderer) == 1;
        drop(renderer);
        assert!(!last || file.exists(), "who drops the last instance waits");
        soon("the file", || file.exists());
    }
}
