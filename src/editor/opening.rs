//! One opening of the window: what begins with it ends with it.
//!
//! The framework promises to say when an editor closes and never does (nice-plug-egui 0.6.0). But a window owns the only copies of its egui
//! context, so what lies in there goes with the window, before whoever closes it goes on.

use std::sync::Arc;

use egui::{Context, Id};

use super::drop::Drops;
use crate::session::Session;

struct Opening {
    session: Arc<Session>,
    drops: Drops,
}

impl Drop for Opening {
    fn drop(&mut self) {
        // Nobody is there any more who could stop what is heard.
        self.session.look_away();
        self.drops.detach();
    }
}

/// The window of this context opens.
pub(super) fn begin(context: &Context, session: &Arc<Session>, drops: &Drops) {
    let opening = Arc::new(Opening { session: Arc::clone(session), drops: drops.clone() });
    context.data_mut(|data| data.insert_temp(Id::unique("continuo-opening"), opening));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_editor_looks_until_its_window_is_gone() {
        let session = Session::new();
        let context = Context::default();
        begin(&context, &session, &Drops::default());
        session.watch();
        let copy = context.clone();
        drop(context);
        assert!(session.is_watched() && session.link.is_looked_at());
        drop(copy);
        assert!(!session.is_watched() && !session.link.is_looked_at());
    }
}
