//! Files that are dropped on the window.
//!
//! The windowing library knows of them on every system, but what stands between it and egui (egui-baseview 0.9.0) passes nothing on: on
//! Windows and macOS it refuses every drop, which the pointer shows. On X11 the library accepts whatever comes and nobody hears of it,
//! so there the window has a target of its own ([`x11`]). What egui itself may get one day is heeded too.

mod inbox;
mod intent;
#[cfg(all(unix, not(target_os = "macos")))]
mod x11;
#[cfg(all(unix, not(target_os = "macos")))]
mod xdnd;

use std::path::PathBuf;
#[cfg(all(unix, not(target_os = "macos")))]
use std::sync::{Arc, Mutex, PoisonError};

use egui::InputState;
pub use inbox::Inbox;
pub use intent::{Intent, intent};
use nice_plug_egui::RepaintNotifier;
use nice_plug_egui::baseview::WindowContext;

/// What hangs over the window and what was dropped on it.
#[derive(Debug, Default, Clone)]
pub struct Drops {
    inbox: Inbox,
    #[cfg(all(unix, not(target_os = "macos")))]
    target: Arc<Mutex<Option<x11::Target>>>,
}

impl Drops {
    /// Takes what is dropped on this window from now on. To be called with every frame.
    #[cfg(all(unix, not(target_os = "macos")))]
    pub fn attach(&mut self, window: &WindowContext, repaint: &RepaintNotifier) {
        let mut target = self.target.lock().unwrap_or_else(PoisonError::into_inner);
        if target.is_none() {
            *target = x11::Target::on(window, self.inbox.clone(), repaint.clone());
        }
    }

    /// The window refuses drops here.
    #[cfg(not(all(unix, not(target_os = "macos"))))]
    pub fn attach(&mut self, _: &WindowContext, _: &RepaintNotifier) {}

    /// The windows on which what is dropped comes here, by their numbers.
    #[cfg(all(unix, not(target_os = "macos")))]
    pub fn windows(&self) -> Vec<u32> {
        let target = self.target.lock().unwrap_or_else(PoisonError::into_inner);
        target.as_ref().map(x11::Target::windows).unwrap_or_default()
    }

    /// The window is gone.
    pub fn detach(&self) {
        #[cfg(all(unix, not(target_os = "macos")))]
        drop(self.target.lock().unwrap_or_else(PoisonError::into_inner).take());
        self.inbox.hover(Vec::new());
    }

    /// The files over the window now.
    pub fn hovered(&self, input: &InputState) -> Vec<PathBuf> {
        let of_egui = input.raw.hovered_files.iter().filter_map(|file| file.path.clone());
        of_egui.chain(self.inbox.hovered()).collect()
    }

    /// The files that were dropped since the last call.
    pub fn dropped(&self, input: &InputState) -> Vec<PathBuf> {
        let of_egui = input.raw.dropped_files.iter().map(|file| file.path().to_path_buf());
        of_egui.chain(self.inbox.take_dropped()).collect()
    }
}
