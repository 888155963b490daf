//! Telling a VST3 host that its project has changed.
//!
//! What is saved beside the parameters changes on threads of ours: a render ends. `IComponentHandler2::setDirty` belongs to
//! the host's UI thread, on which nobody calls us while no editor is open; and the framework knows no such call. But what a
//! block puts out for a parameter, a host brings to the controller there. So `process` puts out the hidden parameter
//! `revision` when the session has another one, and on its way to the controller we tell the host. A host that processes
//! nothing, or has no place for what a block puts out, hears nothing; an open editor sets that parameter itself.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use nice_plug::wrapper::vst3::vst3::Steinberg::Vst::{
    IComponentHandler, IComponentHandler2, IComponentHandler2Trait as _, IParamValueQueueTrait as _,
    IParameterChangesTrait as _, ParamID, ProcessData,
};
use nice_plug::wrapper::vst3::vst3::{ComPtr, ComRef};

use crate::params::{ContinuoParams, MAX_REVISION};

/// The framework's number of the parameter `revision`: its letters as a number in base 31, without the highest bit.
const REVISION: ParamID = {
    let letters = b"revision";
    let (mut number, mut at) = (0_u32, 0);
    while at < letters.len() {
        number = number.wrapping_mul(31).wrapping_add(letters[at] as u32);
        at += 1;
    }
    number & !(1 << 31)
};

/// What the host of an instance knows of its changes.
#[derive(Default)]
pub(super) struct Changes {
    params: OnceLock<Arc<ContinuoParams>>,
    /// The session's revision that a block has put out last.
    put_out: AtomicU64,
    /// The one that the host was told of last.
    told: AtomicU64,
    host: Mutex<Option<ComPtr<IComponentHandler2>>>,
}

impl std::fmt::Debug for Changes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Changes").field("told", &self.told).finish_non_exhaustive()
    }
}

impl Changes {
    /// From now on, these are the parameters of whose session the host hears.
    pub(super) fn begin(&self, params: &Arc<ContinuoParams>) {
        // A second call could only come from the same instance.
        let _ = self.params.set(Arc::clone(params));
        self.forget();
    }

    /// What has changed up to now is the host's own doing.
    pub(super) fn forget(&self) {
        self.put_out.store(self.revision(), Ordering::Relaxed);
        self.told.store(self.revision(), Ordering::Relaxed);
    }

    fn revision(&self) -> u64 {
        self.params.get().map_or(0, |params| params.session.revision())
    }

    /// Puts the session's revision out with a block if it has changed. Takes no memory and waits for nobody.
    ///
    /// # Safety
    /// `data` is null or what a host gives to a block.
    pub(super) unsafe fn put_out(&self, data: *mut ProcessData) {
        let revision = self.revision();
        if self.put_out.load(Ordering::Relaxed) == revision {
            return;
        }
        let number = (revision % (u64::from(MAX_REVISION.unsigned_abs()) + 1)) as f64 / f64::from(MAX_REVISION);
        // SAFETY: as the caller promises; the host's objects live through the block.
        unsafe {
            let Some(changes) = data.as_ref().and_then(|data| ComRef::from_raw(data.outputParameterChanges)) else {
                return;
            };
            let (id, mut index) = (REVISION, 0);
            if let Some(queue) = ComRef::from_raw(changes.addParameterData(&raw const id, &raw mut index)) {
                queue.addPoint(0, number, &raw mut index);
                self.put_out.store(revision, Ordering::Relaxed);
            }
        }
    }

    /// Takes the host that is to hear of changes, or none.
    ///
    /// # Safety
    /// `handler` is null or a host's own.
    pub(super) unsafe fn listen(&self, handler: *mut IComponentHandler) {
        // SAFETY: as the caller promises.
        let host = unsafe { ComRef::from_raw(handler) }.and_then(|handler| handler.cast::<IComponentHandler2>());
        // What was there is dropped when the lock is open again.
        let _before = std::mem::replace(&mut *self.host.lock().unwrap_or_else(PoisonError::into_inner), host);
    }

    /// Tells the host if something has changed since it was last told. To be called where hosts set parameters, which they
    /// do on their UI thread.
    pub(super) fn tell(&self) {
        let revision = self.revision();
        if self.told.swap(revision, Ordering::Relaxed) == revision {
            return;
        }
        let host = self.host.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(host) = host {
            // SAFETY: a plain call of a living object.
            unsafe { host.setDirty(1) };
        }
    }
}
