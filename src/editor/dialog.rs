//! The system's file dialogs, on threads of their own.
//!
//! A dialog stays open for as long as the user looks around, so it must never run on the thread that draws the host's
//! windows. Its answer goes to the session as a command, also when the editor has been closed meanwhile.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::session::{Command, Session};

/// Audio files that can be a seed clip.
const AUDIO: [&str; 10] = ["wav", "aif", "aiff", "flac", "mp3", "ogg", "oga", "m4a", "mp4", "aac"];

/// A dialog that closes without a file faster than anyone can press its button was never open.
const NEVER_OPEN: Duration = Duration::from_millis(300);

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
    /// What to do with the file.
    pub fn command(self, path: PathBuf) -> Command {
        match self {
            Self::Model => Command::ChooseModel(path),
            Self::Seed => Command::ChooseSeed(path),
            Self::Export => Command::ExportTake(with_wav(path)),
        }
    }
}

/// Why there is no dialog.
#[derive(Debug, thiserror::Error)]
enum DialogError {
    #[error(
        "no file dialog could be opened here (neither a desktop portal nor zenity answers); type or paste the file's path below the list instead"
    )]
    NoDialog,
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
        if self.open.swap(true, Ordering::AcqRel) {
            return;
        }
        let closing = Closing(Arc::clone(&self.open));
        let folder = near.and_then(Path::parent).map(Path::to_path_buf);
        let asking = Arc::clone(session);
        let thread = std::thread::Builder::new().name("continuo-dialog".to_owned()).spawn(move || {
            let _closing = closing;
            let began = Instant::now();
            match show(purpose, folder) {
                Some(path) => asking.send(purpose.command(path)),
                None if cfg!(target_os = "linux") && began.elapsed() < NEVER_OPEN => {
                    asking.complain(&DialogError::NoDialog);
                }
                None => {}
            }
            // The button may be pressed again.
            asking.repaint.request_repaint();
        });
        if let Err(error) = thread {
            session.complain(&DialogError::from(error));
        }
    }
}

fn show(purpose: Purpose, folder: Option<PathBuf>) -> Option<PathBuf> {
    let mut dialog = rfd::FileDialog::new();
    if let Some(folder) = folder {
        dialog = dialog.set_directory(folder);
    }
    match purpose {
        Purpose::Model => dialog
            .set_title("Choose a model")
            .add_filter("Continuo models", &["continuo"])
            .add_filter("All files", &["*"])
            .pick_file(),
        Purpose::Seed => dialog
            .set_title("Choose a seed clip")
            .add_filter("Audio", &AUDIO)
            .add_filter("All files", &["*"])
            .pick_file(),
        Purpose::Export => {
            dialog.set_title("Export the take").set_file_name(EXPORT_NAME).add_filter("WAV", &["wav"]).save_file()
        }
    }
}

/// What an exported take is called unless the user says otherwise.
pub const EXPORT_NAME: &str = "continuo-take.wav";

/// The path that somebody typed or pasted: quotes, `file://` and `~` are understood. `None` for nothing.
pub fn typed_path(text: &str, home: Option<&Path>) -> Option<PathBuf> {
    let text = text.trim();
    let unquoted = ['"', '\''].into_iter().find_map(|quote| text.strip_prefix(quote)?.strip_suffix(quote));
    let text = unquoted.unwrap_or(text);
    if let Some(address) = text.strip_prefix("file://") {
        return Some(PathBuf::from(percent_decoded(address)));
    }
    match (text.strip_prefix("~/"), home) {
        _ if text.is_empty() => None,
        (Some(rest), Some(home)) => Some(home.join(rest)),
        _ => Some(PathBuf::from(text)),
    }
}

/// What file managers copy has spaces and accents as `%20` and the like.
fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped =
            if *first == b'%' { tail.get(..2).and_then(|digits| std::str::from_utf8(digits).ok()) } else { None };
        if let Some(byte) = escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            bytes.push(byte);
            rest = &tail[2..];
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// An export is a WAV file whatever it is called, so that it is called that.
fn with_wav(path: PathBuf) -> PathBuf {
    let is_wav = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("wav"));
    if is_wav || path.file_name().is_none() {
        return path;
    }
    let mut name = path.into_os_string();
    name.push(".wav");
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pasted_paths_are_understood() {
        let home = Some(Path::new("/home/u"));
        assert_eq!(typed_path("  /a/b c.wav \n", home), Some(PathBuf::from("/a/b c.wav")));
        assert_eq!(typed_path("\"/a/b.wav\"", home), Some(PathBuf::from("/a/b.wav")));
        assert_eq!(typed_path("'/a/b.wav'", home), Some(PathBuf::from("/a/b.wav")));
        assert_eq!(typed_path("~/b.wav", home), Some(PathBuf::from("/home/u/b.wav")));
        assert_eq!(typed_path("~/b.wav", None), Some(PathBuf::from("~/b.wav")));
        assert_eq!(typed_path("file:///a/b%20c%C3%A9.wav", home), Some(PathBuf::from("/a/b cé.wav")));
        assert_eq!(typed_path("file:///a/100%.wav", home), Some(PathBuf::from("/a/100%.wav")));
        assert_eq!(typed_path("   ", home), None);
        assert_eq!(typed_path("\"", home), Some(PathBuf::from("\"")));
    }

    #[test]
    fn an_export_is_called_wav() {
        let exported = |path: &str| Purpose::Export.command(PathBuf::from(path));
        assert_eq!(exported("/a/take"), Command::ExportTake(PathBuf::from("/a/take.wav")));
        assert_eq!(exported("/a/take.WAV"), Command::ExportTake(PathBuf::from("/a/take.WAV")));
        assert_eq!(exported("/a/take.1"), Command::ExportTake(PathBuf::from("/a/take.1.wav")));
        assert_eq!(exported("/"), Command::ExportTake(PathBuf::from("/")));
    }
}
