//! Telling a CLAP host that its project has changed.
//!
//! What is saved beside the parameters changes on threads of ours: a render ends. `clap_host_state.mark_dirty` belongs to
//! the host's main thread, so we ask the host for a call there, which any thread may, and tell it then.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use clap_sys::ext::state::{CLAP_EXT_STATE, clap_host_state};
use clap_sys::host::clap_host;

use crate::params::ContinuoParams;

/// What the host of an instance was told of its changes.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// The session's revision that it knows of.
    told: AtomicU64,
}

/// A host, of which any thread may ask for a callback.
struct Host(*const clap_host);

// SAFETY: only `request_callback` is called through it, which CLAP allows on any thread.
unsafe impl Send for Host {}

impl Host {
    fn request_callback(&self) {
        // SAFETY: the host outlives its plugins, and the instance dismisses whoever holds this before it goes.
        unsafe {
            if let Some(request) = (*self.0).request_callback {
                request(self.0);
            }
        }
    }
}

impl Changes {
    /// From now on, the host hears of changes.
    ///
    /// # Safety
    /// `host` must live until [`Self::end`].
    pub(super) unsafe fn begin(&self, params: &Arc<ContinuoParams>, host: *const clap_host) {
        self.forget(params);
        let host = Host(host);
        params.session.herald.appoint(move || host.request_callback());
    }

    /// What has changed up to now is the host's own doing.
    pub(super) fn forget(&self, params: &Arc<ContinuoParams>) {
        self.told.store(params.session.revision(), Ordering::Relaxed);
    }

    /// The host hears of no more changes.
    pub(super) fn end(params: &Arc<ContinuoParams>) {
        params.session.herald.dismiss();
    }

    /// Tells the host if something has changed since it was last told.
    ///
    /// # Safety
    /// `host` must be alive, and this its main thread.
    pub(super) unsafe fn tell(&self, params: &Arc<ContinuoParams>, host: *const clap_host) {
        let revision = params.session.revision();
        if self.told.swap(revision, Ordering::Relaxed) == revision {
            return;
        }
        // SAFETY: as the caller promises; a host's extension of that name has that structure.
        unsafe {
            let found = (*host).get_extension.map(|get| get(host, CLAP_EXT_STATE.as_ptr()).cast::<clap_host_state>());
            if let Some(mark) = found.and_then(|state| state.as_ref()).and_then(|state| state.mark_dirty) {
                mark(host);
            }
        }
    }
}
