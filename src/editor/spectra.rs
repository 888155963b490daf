//! Whether spectra are shown, and the one that was drawn last.

use std::sync::Arc;

use egui::TextureHandle;

use crate::session::Spectrogram;

/// Whether spectra are shown, and the one that was last.
#[derive(Default)]
pub(super) struct Spectra {
    /// Whether they are.
    pub(super) on: bool,
    pub(super) drawn: Option<(Arc<Spectrogram>, f32, TextureHandle)>,
}

impl std::fmt::Debug for Spectra {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Spectra").field("on", &self.on).finish_non_exhaustive()
    }
}

impl Spectra {
    /// Forgets what belongs to a window that is gone.
    pub(super) fn detach(&mut self) {
        self.drawn = None;
    }
}
