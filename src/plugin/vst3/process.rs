//! The mode of each block.
//!
//! A VST3 host says with every block whether it is rendered offline. The framework passes on the mode of the *last but
//! one* `setupProcessing` call instead, which can claim "offline" in a real-time thread, and the other way round. So each
//! instance's `IAudioProcessor` has a `process` here that notes the mode down before it calls the framework's. After that,
//! the block says whether the session has changed ([`super::changes`]).

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

use nice_plug::wrapper::vst3::vst3::ComRef;
use nice_plug::wrapper::vst3::vst3::Steinberg::Vst::{
    IAudioProcessor, IAudioProcessorVtbl, ProcessData, ProcessModes_::kOffline,
};
use nice_plug::wrapper::vst3::vst3::Steinberg::{int32, tresult};

use super::changes::Changes;
use super::controllers::ControllerTables;
use super::state::StateTable;

/// The mode of the block that an instance is processing.
#[derive(Debug, Default)]
pub(in crate::plugin) struct BlockMode {
    offline: AtomicBool,
    /// The instance's virtual tables, freed with the instance.
    table: AtomicPtr<Table>,
    states: StateTable,
    controllers: ControllerTables,
    changes: Arc<Changes>,
}

impl BlockMode {
    pub(in crate::plugin) fn is_offline(&self) -> bool {
        self.offline.load(Ordering::Relaxed)
    }

    /// Where the instance's own `getState` and `setState` are kept.
    pub(super) fn states(&self) -> &StateTable {
        &self.states
    }

    /// Where the instance's own list of MIDI controllers is kept.
    pub(super) fn controllers(&self) -> &ControllerTables {
        &self.controllers
    }

    /// What the instance's host knows of its changes.
    pub(super) fn changes(&self) -> &Arc<Changes> {
        &self.changes
    }

    /// What an instance that is being made for a VST3 host finds; `None` for other hosts.
    pub(in crate::plugin) fn of_new_instance() -> Option<Arc<Self>> {
        NEW.with_borrow_mut(Option::take)
    }
}

impl Drop for BlockMode {
    fn drop(&mut self) {
        let table = *self.table.get_mut();
        if !table.is_null() {
            // SAFETY: `watch` made it with `Box::into_raw` and nobody else frees it. The instance that owns this
            // `BlockMode` is going, so nobody looks its functions up any more.
            drop(unsafe { Box::from_raw(table) });
        }
    }
}

thread_local! {
    /// Handed from the factory to the instance that it is making, on the way through the framework.
    static NEW: RefCell<Option<Arc<BlockMode>>> = const { RefCell::new(None) };
}

/// Gives the instance that is about to be made on this thread its mode.
pub(super) fn hand_over(mode: &Arc<BlockMode>) {
    NEW.set(Some(Arc::clone(mode)));
}

/// An instance's own virtual table of `IAudioProcessor`, and what its `process` needs.
#[repr(C)]
struct Table {
    /// First, so that a pointer to it is a pointer to the whole.
    functions: IAudioProcessorVtbl,
    process: unsafe extern "system" fn(*mut IAudioProcessor, *mut ProcessData) -> tresult,
    /// Owned by the instance, which outlives its table.
    mode: *const BlockMode,
}

unsafe extern "system" fn process(this: *mut IAudioProcessor, data: *mut ProcessData) -> tresult {
    // SAFETY: only `watch` puts this function into a table, and that table is a `Table`. The host keeps the
    // instance alive during the call.
    unsafe {
        let table = &*(*this).vtbl.cast::<Table>();
        let offline = !data.is_null() && (*data).processMode == kOffline as int32;
        let mode = &*table.mode;
        mode.offline.store(offline, Ordering::Relaxed);
        let result = (table.process)(this, data);
        mode.changes.put_out(data);
        result
    }
}

/// Gives a processor a virtual table of its own whose `process` notes down the block's mode.
///
/// # Safety
/// No host may have seen the processor yet, and its instance must own `mode`.
pub(super) unsafe fn watch(processor: ComRef<'_, IAudioProcessor>, mode: &Arc<BlockMode>) {
    let processor = processor.as_ptr();
    // SAFETY: `processor` points to a valid `IAudioProcessor` (the bindings' promise), whose table is complete. As no host
    // has seen it, nothing reads the pointer while it is replaced.
    unsafe {
        let functions = *(*processor).vtbl;
        let table = Box::into_raw(Box::new(Table {
            functions: IAudioProcessorVtbl { process, ..functions },
            process: functions.process,
            mode: Arc::as_ptr(mode),
        }));
        mode.table.store(table, Ordering::Release);
        (&raw mut (*processor).vtbl).write(table.cast_const().cast());
    }
}
