//! What went well, in words, for as long as that is news.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::session::Snapshot;

/// A notice goes by itself after this.
const NOTICE: Duration = Duration::from_secs(10);

/// Which notice is on show since when.
#[derive(Debug, Default)]
pub struct Notices {
    current: Option<(Arc<str>, Instant)>,
    dismissed: bool,
}

impl Notices {
    /// The notice to show, if there is one that is neither old nor dismissed.
    pub fn shown(&mut self, snapshot: &Snapshot) -> Option<Arc<str>> {
        let notice = snapshot.notice.as_ref()?;
        let same = self.current.as_ref().is_some_and(|(current, _)| Arc::ptr_eq(current, notice));
        if !same {
            self.current = Some((Arc::clone(notice), Instant::now()));
            self.dismissed = false;
        }
        let fresh = self.current.as_ref().is_some_and(|(_, since)| since.elapsed() < NOTICE);
        (fresh && !self.dismissed).then(|| Arc::clone(notice))
    }

    /// How long a notice is still on show; `None` where there is none.
    pub fn left(&self) -> Option<Duration> {
        let (_, since) = self.current.as_ref().filter(|_| !self.dismissed)?;
        // A little longer, so that whoever looks again then finds it gone.
        let left = NOTICE.checked_sub(since.elapsed())?;
        Some(left + Duration::from_millis(10))
    }

    /// The notice on show goes.
    pub fn dismiss(&mut self) {
        self.dismissed = true;
    }
}
