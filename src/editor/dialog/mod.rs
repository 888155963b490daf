//! The system's file dialogs, on threads of their own.
//!
//! A dialog stays open for as long as the user looks around, so it must never run on the thread that draws the host's
//! windows. Its answer goes to the session as a command, also when the editor has been closed meanwhile.

#[cfg(all(unix, not(target_os = "macos")))]
mod desktop;
#[cfg(any(windows, target_os = "macos"))]
mod native;
mod path;
mod request;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

#[cfg(all(unix, not(target_os = "macos")))]
use desktop as system;
#[cfg(any(windows, target_os = "macos"))]
use native as system;

pub use path::{typed_path, with_ending};
use request::DialogError;
pub use request::{Purpose, export_name};

use crate::session::{Concern, Session};
use crate::threads;

/// The one dialog that an instance may have open.
#[derive(Debug, Clone, Default)]
pub struct Dialogs {
    open: Arc<AtomicBool>,
}

/// Marks the dialog as closed, also when its thread panics.
struct Closing(Arc<AtomicBool>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl Dialogs {
    /// Whether a dialog is open.
    pub fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire)
    }

    /// Opens a dialog unless one is open. `near` is the file in use: the dialog starts in its folder.
    pub fn ask(&self, purpose: Purpose, near: Option<&Path>, session: &Arc<Session>) {
        let folder = near.and_then(Path::parent).filter(|folder| folder.is_absolute()).map(Path::to_path_buf);
        self.ask_with(purpose, session, move || system::show(purpose, folder.as_deref()));
    }

    /// As [`Dialogs::ask`], with the dialog itself: it gives a file, or none if the user wants none.
    fn ask_with(
        &self,
        purpose: Purpose,
        session: &Arc<Session>,
        show: impl FnOnce() -> Result<Option<PathBuf>, DialogError> + Send + 'static,
    ) {
        if self.open.swap(true, Ordering::AcqRel) {
            return;
        }
        let closing = Closing(Arc::clone(&self.open));
        let asking = Arc::clone(session);
        let thread = threads::start_unbounded("continuo-dialog", move || {
            let closing = closing;
            let answer = show();
            // The button may be pressed again before anybody hears of the answer.
            drop(closing);
            match answer {
                Ok(file) => {
                    asking.settle(Concern::Dialog);
                    if let Some(path) = file {
                        asking.send(purpose.command_after_dialog(&path));
                    }
                }
                Err(error) => asking.complain_of(Concern::Dialog, &error),
            }
            asking.repaint.request_repaint();
        });
        if let Err(error) = thread {
            session.complain_of(Concern::Dialog, &DialogError::from(error));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::session::{Command, ExportFormat};

    #[test]
    fn an_export_is_called_wav_and_asks_unless_a_dialog_has() {
        let path = |path: &str| PathBuf::from(path);
        let export = Purpose::Export(ExportFormat::Wav24);
        let typed = |text: &str| export.command(path(text));
        assert_eq!(typed("/a/take"), Command::ExportTake(path("/a/take.wav")));
        assert_eq!(typed("/a/take.wav"), Command::ExportTake(path("/a/take.wav")));
        let picked = |text: &str| export.command_after_dialog(&path(text));
        assert_eq!(picked("/a/take.wav"), Command::ExportOver(path("/a/take.wav")));
        assert_eq!(picked("/a/take"), Command::ExportTake(path("/a/take.wav")), "nobody was asked about this name");
        assert_eq!(Purpose::Seed.command_after_dialog(&path("/a/b.wav")), Command::ChooseSeed(path("/a/b.wav")));
    }

    /// Waits for a dialog to close and for what came of it.
    fn answered(dialogs: &Dialogs, session: &Session) -> (Option<Command>, Option<String>) {
        for _ in 0..500 {
            let (command, error) = (session.take_command().map(|(command, _)| command), session.snapshot().error);
            if !dialogs.is_open() && (command.is_some() || error.is_some()) {
                return (command, error.as_deref().map(ToOwned::to_owned));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        (None, None)
    }

    #[test]
    fn a_dialog_that_fails_says_so_however_long_that_takes_and_a_cancel_says_nothing() {
        let (dialogs, session) = (Dialogs::default(), Session::new());
        dialogs.ask_with(Purpose::Model, &session, || {
            std::thread::sleep(Duration::from_millis(500));
            Err(DialogError::NoDialog { portal: "timed out".into(), zenity: "not found".into() })
        });
        assert!(dialogs.is_open());
        let (command, error) = answered(&dialogs, &session);
        let error = error.unwrap();
        assert!(command.is_none() && error.contains("timed out") && error.contains("paste the file's path"), "{error}");

        dialogs.ask_with(Purpose::Model, &session, || Ok(None));
        while dialogs.is_open() || session.snapshot().error.is_some() {
            std::thread::sleep(Duration::from_millis(2));
        }
        assert!(session.take_command().is_none());
        dialogs.ask_with(Purpose::Model, &session, || Ok(Some(PathBuf::from("/a.continuo"))));
        let (command, error) = answered(&dialogs, &session);
        assert_eq!((command, error), (Some(Command::ChooseModel(PathBuf::from("/a.continuo"))), None));
        // A fault does not leave the button dead.
        dialogs.ask_with(Purpose::Model, &session, || panic!("a fault in the dialog"));
        while dialogs.is_open() {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}
