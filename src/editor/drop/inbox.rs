//! Between whoever hears of a drop and whoever draws the window.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[derive(Debug, Default)]
struct Content {
    hovered: Vec<PathBuf>,
    dropped: Vec<PathBuf>,
}

/// What hangs over a window, and what was dropped on it and not looked at yet.
#[derive(Debug, Clone, Default)]
pub struct Inbox(Arc<Mutex<Content>>);

impl Inbox {
    fn content(&self) -> MutexGuard<'_, Content> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// These files are over the window now.
    pub fn hover(&self, files: Vec<PathBuf>) {
        self.content().hovered = files;
    }

    /// These files were dropped together. Nothing is over the window any more.
    #[cfg_attr(any(windows, target_os = "macos"), allow(dead_code, reason = "the window refuses drops there"))]
    pub fn drop(&self, files: Vec<PathBuf>) {
        *self.content() = Content { hovered: Vec::new(), dropped: files };
    }

    /// The files that are over the window.
    pub fn hovered(&self) -> Vec<PathBuf> {
        self.content().hovered.clone()
    }

    /// The files that were dropped last, once.
    pub fn take_dropped(&self) -> Vec<PathBuf> {
        std::mem::take(&mut self.content().dropped)
    }
}
