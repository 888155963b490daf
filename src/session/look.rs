//! How the editor's window looks, as the project keeps it.

use serde::{Deserialize, Serialize};

use super::instance::Session;
use super::lock::lock;

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

impl Session {
    /// How the editor's window looks, by what was opened or by [`Session::keep_look`].
    pub fn look(&self) -> Look {
        lock(&self.board).look
    }

    /// Keeps how the window looks. It is saved with the next save; for that alone, the project does not count as changed.
    pub fn keep_look(&self, look: Look) {
        lock(&self.board).look = look;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::SavedSession;

    #[test]
    fn it_is_saved_opened_and_not_believed_blindly() {
        let session = Session::new();
        assert!(!serde_json::to_string(&session.saved()).unwrap().contains("editor"));
        let look = Look { zoom: Some(1.25), window: Some((1_000.0, 700.5)), trim_view: Some((0.5, 2.25)) };
        session.keep_look(look);
        let text = serde_json::to_string(&session.saved()).unwrap();
        assert!(text.contains(r#""editor":{"zoom":1.25,"window":[1000.0,700.5],"trim_view":[0.5,2.25]}"#), "{text}");
        let other = Session::new();
        other.restore(serde_json::from_str(&text).unwrap());
        assert_eq!(other.look(), look);
        assert_eq!(serde_json::to_string(&other.saved()).unwrap(), text);
        other.restore(SavedSession::default());
        assert_eq!(other.look(), Look::default());
        let odd = r#"{"editor":{"zoom":1e9,"window":[-1,5],"trim_view":[3,2]}}"#;
        other.restore(serde_json::from_str(odd).unwrap());
        assert_eq!(other.look(), Look::default());
    }
}
