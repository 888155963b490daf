//! The editor's window as the project keeps it.

use super::instance::Session;
use super::lock::lock;
use super::look_kept::Look;

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
