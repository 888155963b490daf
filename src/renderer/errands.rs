//! What sessions ask for and takes long: each errand has a thread of its own, and the other instances go on.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use continuo_engine::audio::{Clip, WavFormat, write_wav};
use continuo_realtime::Frame;

use super::error::RenderError;
use super::preferences;
use super::shared::Shared;
use crate::session::{Chosen, Concern, FileChoice, Session, lock};
use crate::take::Take;
use crate::take::bench::lay_out;
use crate::threads;

/// Rate of an exported take while no host has named one.
const EXPORT_RATE_HZ: u32 = 48_000;

/// Takes a model, and takes it back if its package cannot be opened.
pub(super) fn choose_model(shared: &Arc<Shared>, session: &Arc<Session>, path: PathBuf) -> Result<(), RenderError> {
    let shared = Arc::clone(shared);
    choose(session, Chosen::Model, path, move |path| shared.models.load(path, shared.watched()).map(drop))
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
    let choice = session.choose(what, path.clone());
    session.touch();
    errand(session, "continuo-choose", move |session| {
        match check(&path) {
            Ok(()) => {
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

/// Reads what a model can do out of its package; with `suggest`, an open editor then sets what suits it.
pub(super) fn describe(session: &Arc<Session>, choice: FileChoice, suggest: bool) -> Result<(), RenderError> {
    errand(session, "continuo-describe", move |session| {
        session.describe(&choice, suggest);
        Ok(())
    })
}

/// Writes the variation that plays now. A file that is there is replaced only if the user has said so.
pub(super) fn export(
    shared: &Arc<Shared>,
    session: &Arc<Session>,
    path: PathBuf,
    replace: bool,
) -> Result<(), RenderError> {
    session.post(|snapshot| snapshot.overwrite = None);
    let take = lock(&session.bench).finished.as_ref().map(|finished| Arc::clone(&finished.take));
    let take = take.ok_or(RenderError::NothingToExport)?;
    let chosen = session.params().map_or(0, |params| params.variation());
    let shared = Arc::clone(shared);
    errand(session, "continuo-export", move |session| {
        // One at a time: of two to one file, the second has to ask.
        let _one = lock(&shared.exporting);
        if !replace && path.exists() {
            session.post(|snapshot| snapshot.overwrite = Some(path.into()));
            return Ok(());
        }
        write(&take, chosen, session.link.host_rate_hz(), &path)?;
        session.settle(Concern::Export);
        session.post(|snapshot| snapshot.notice = Some(format!("Exported to {}.", path.display()).into()));
        Ok(())
    })
}

/// Writes a variation from the seed clip's first frame to the take's end.
fn write(take: &Take, index: usize, rate_hz: Option<u32>, path: &Path) -> Result<(), RenderError> {
    let rate_hz = rate_hz.unwrap_or(EXPORT_RATE_HZ);
    let play = lay_out(take, rate_hz)?;
    let view = play.view(index, true).ok_or(RenderError::NothingToExport)?;
    let (left, right) = (0..view.frames() as i64)
        .filter_map(|frame| match view.frame(frame) {
            Frame::Ready([left, right]) => Some((left, right)),
            _ => None,
        })
        .unzip();
    let clip = Clip { sample_rate_hz: rate_hz, channels: vec![left, right] };
    write_wav(path, &clip, WavFormat::I24).map_err(RenderError::Export)
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
    use std::time::{Duration, Instant};

    use super::*;
    use crate::renderer::Renderer;
    use crate::session::Command;
    use crate::take::bench::Finished;
    use crate::take::pack::pack;
    use crate::take::pack::tests::take;

    fn soon(what: &str, is: impl Fn() -> bool) {
        let since = Instant::now();
        while !is() {
            assert!(since.elapsed() < Duration::from_secs(20), "{what} does not come");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn nobody_waits_for_another_instances_export() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("take.wav");
        let renderer = Renderer::acquire();
        let (one, other) = (Session::new(), Session::new());
        let (sound, (packed, _)) = (Arc::new(take()), pack(&take(), u64::MAX, None));
        lock(&one.bench).finished = Some(Finished { take: sound, packed: Arc::new(packed), play: None });
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
