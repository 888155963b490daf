//! One opening of the window: what begins with it ends with it.
//!
//! The framework promises to say when an editor closes and never does (nice-plug-egui 0.6.0). But a window owns the only copies of its egui
//! context, so what lies in there goes with the window. On X11 that is on the window's own thread, for which nobody waits (baseview 0.4.2): by
//! then the next window may be open.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use egui::{Context, Id};

use super::drop::Drops;
use crate::session::Session;

/// Counts an instance's openings.
#[derive(Debug, Clone, Default)]
pub(super) struct Openings(Arc<AtomicU64>);

struct Opening {
    number: u64,
    openings: Openings,
    session: Arc<Session>,
    drops: Drops,
}

impl Drop for Opening {
    fn drop(&mut self) {
        if self.openings.0.load(Ordering::Acquire) == self.number {
            // Nobody is there any more who could stop what is heard.
            self.session.look_away();
            self.drops.detach();
        }
    }
}

impl Openings {
    /// The window of this context opens.
    pub(super) fn begin(&self, context: &Context, session: &Arc<Session>, drops: &Drops) {
        let number = self.0.fetch_add(1, Ordering::AcqRel) + 1;
        let (session, drops) = (Arc::clone(session), drops.clone());
        let opening = Arc::new(Opening { number, openings: self.clone(), session, drops });
        context.data_mut(|data| data.insert_temp(Id::unique("continuo-opening"), opening));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_editor_looks_until_its_window_is_gone() {
        let (session, openings) = (Session::new(), Openings::default());
        let open = || {
            let context = Context::default();
            openings.begin(&context, &session, &Drops::default());
            session.watch();
            context
        };
        let looks = || session.is_watched() && session.link.is_looked_at();
        let context = open();
        let copy = context.clone();
        drop(context);
        assert!(looks());
        drop(copy);
        assert!(!looks());
        // A window that takes its time to go does not take the next one's look with it.
        let (late, next) = (open(), open());
        drop(late);
        assert!(looks());
        drop(next);
        assert!(!looks());
    }
}
