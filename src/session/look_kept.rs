//! How the editor's window looks, in a saved session.

use serde::{Deserialize, Serialize};

/// Zooms that are believed.
const ZOOMS: std::ops::RangeInclusive<f32> = 0.5..=4.0;
/// Lengths of a window that are believed, in logical pixels.
const LENGTHS: std::ops::RangeInclusive<f32> = 100.0..=16_384.0;

/// How the editor's window looks. What is `None` is as in a new instance.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Look {
    /// How much larger everything is drawn; 1 as designed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zoom: Option<f32>,
    /// Width and height of the window in logical pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<(f32, f32)>,
    /// The stretch of the seed clip that is looked at while it is trimmed: first and last second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trim_view: Option<(f64, f64)>,
}

impl Look {
    /// Without what nobody can want: a saved state may hold anything.
    #[must_use]
    pub(super) fn checked(self) -> Self {
        Self {
            zoom: self.zoom.filter(|zoom| ZOOMS.contains(zoom)),
            window: self.window.filter(|(width, height)| LENGTHS.contains(width) && LENGTHS.contains(height)),
            trim_view: self.trim_view.filter(|(from, to)| *from >= 0.0 && to > from && to.is_finite()),
        }
    }
}
