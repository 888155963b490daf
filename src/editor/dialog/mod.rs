//! The system's file dialogs, on threads of their own.
//!
//! A dialog stays open for as long as the user looks around, so it must never run on the thread that draws the host's
//! windows. Its answer goes to the session as a command, also when the editor has been closed meanwhile.

#[cfg(all(unix, not(target_os = "macos")))]
mod desktop;
#[cfg(any(windows, target_os = "macos"))]
mod native;
mod path;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

#[cfg(all(unix, not(target_os = "macos")))]
use desktop as system;
#[cfg(any(windows, target_os = "macos"))]
use native as system;

pub use path::typed_path;

use crate::session::{Command, Concern, Session};
use crate::threads;

/// Audio files that can be a seed clip.
const AUDIO: [&str; 10] = ["wav", "aif", "aiff", "flac", "mp3", "ogg", "oga", "m4a", "mp4", "aac"];

/// What an exported take is called unless the user says otherwise.
pub const EXPORT_NAME: &str = "continuo-take.wav";

/// What a file is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A model package to open.
    Model,
    /// A seed clip to open.
    Seed,
    /// A WAV file to write the take to.
    Export,
}

impl Purpose {
    /// What to do with a file that somebody has named.
    pub fn command(self, path: PathBuf) -> Command {
        match self {
            Self::Model => Command::ChooseModel(path),
            Self::Seed => Command::ChooseSeed(path),
            Self::Export => Command::ExportTake(path::with_wav(path)),
        }
    }

    /// What to do with a file that a dialog gave. It has asked before it gave one that is there, but not about another name.
    fn command_after_dialog(self, path: &Path) -> Command {
        match self.command(path.to_path_buf()) {
            Command::ExportTake(named) if named == path => Command::ExportOver(named),
            command => command,
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Model => "Choose a model",
            Self::Seed => "Choose a seed clip",
            Self::Export => "Export the take",
        }
    }

    /// The kinds of file to offer, with their extensions; none for all files.
    fn filters(self) -> Vec<(&'static str, &'static [&'static str])> {
        const ALL: (&str, &[&str]) = ("All files", &[]);
        match self {
            Self::Model => vec![("Continuo models", &["continuo"]), ALL],
            Self::Seed => vec![("Audio", &AUDIO), ALL],
            Self::Export => vec![("WAV", &["wav"])],
        }
    }
}

/// Why there is no dialog.
#[derive(Debug, thiserror::Error)]
pub(super) enum DialogError {
    /// Neither way of opening one works.
    #[error(
        "no file dialog could be opened: the desktop portal says \"{portal}\", zenity \"{zenity}\"; type or paste the file's path below the list instead"
    )]
    #[cfg_attr(
        any(windows, target_os = "macos"),
        allow(dead_code, reason = "these systems have a dialog of their own")
    )]
    NoDialog {
        /// What the portal said.
        portal: String,
        /// What the program said.
        zenity: String,
    },
    /// No thread.
    #[error("no file dialog could be opened ({0}); type or paste the file's path below the list instead")]
    NoThread(#[from] std::io::Error),
}

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

    #[test]
    fn an_export_is_called_wav_and_asks_unless_a_dialog_has() {
        let path = |path: &str| PathBuf::from(path);
        let typed = |text: &str| Purpose::Export.command(path(text));
        assert_eq!(typed("/a/take"), Command::ExportTake(path("/a/take.wav")));
        assert_eq!(typed("/a/take.wav"), Command::ExportTake(path("/a/take.wav")));
        let picked = |text: &str| Purpose::Export.command_after_dialog(&path(text));
        assert_eq!(picked("/a/take.wav"), Command::ExportOver(path("/a/take.wav")));
        assert_eq!(picked("/a/take"), Command::ExportTake(path("/a/take.wav")), "nobody was asked about this name");
        assert_eq!(Purpose::Seed.command_after_dialog(&path("/a/b.wav")), Command::ChooseSeed(path("/a/b.wav")));
    }

    /// Waits for a dialog to close and for what came of it.
    fn answered(dialogs: &Dialogs, session: &Session) -> (Option<Command>, Option<String>) {
        for _ in 0..500 {
            let (command, error) = (session.take_command(), session.snapshot().error);
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
        assert_eq!(session.take_command(), None);
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
