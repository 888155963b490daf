//! `getState` and `setState` of the component.
//!
//! The framework's take a stream that moves few bytes at a time for a whole one: what was cut off on the way out looks
//! like a saved project. So each instance's `IComponent` has functions here that see the host's stream through, and hand
//! the framework a stream in memory.

use std::io::{Read, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use nice_plug::wrapper::vst3::vst3::Steinberg::IBStream_::IStreamSeekMode_::{kIBSeekCur, kIBSeekEnd, kIBSeekSet};
use nice_plug::wrapper::vst3::vst3::Steinberg::Vst::{IComponent, IComponentVtbl};
use nice_plug::wrapper::vst3::vst3::Steinberg::{
    IBStream, IBStreamTrait, int32, int64, kInvalidArgument, kResultFalse, kResultOk, tresult,
};
use nice_plug::wrapper::vst3::vst3::{Class, ComRef, ComWrapper};

use nice_plug::prelude::PluginState;

use super::changes::Changes;
use crate::params::ContinuoParams;
use crate::patch::patch_in;
use crate::plugin::{patches, state};

/// Most bytes that are moved in one call: hosts count them in 32 bits.
const MOST_AT_ONCE: usize = 1 << 20;

/// An instance's own virtual table of `IComponent`, freed with the instance.
#[derive(Debug, Default)]
pub(super) struct StateTable(OnceLock<Box<Table>>);

/// The table, and what its functions need.
#[repr(C)]
struct Table {
    /// First, so that a pointer to it is a pointer to the whole.
    functions: IComponentVtbl,
    set_state: unsafe extern "system" fn(*mut IComponent, *mut IBStream) -> tresult,
    params: Arc<ContinuoParams>,
    changes: Arc<Changes>,
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Table").finish_non_exhaustive()
    }
}

/// Gives a component a virtual table of its own with the functions below.
///
/// # Safety
/// No host may have seen the component yet, and its instance must own `place`.
pub(super) unsafe fn replace(
    component: ComRef<'_, IComponent>,
    place: &StateTable,
    params: &Arc<ContinuoParams>,
    changes: &Arc<Changes>,
) {
    let component = component.as_ptr();
    // SAFETY: `component` points to a valid `IComponent` (the bindings' promise), whose table is complete. As no host has
    // seen it, nothing reads the pointer while it is replaced.
    unsafe {
        let functions = *(*component).vtbl;
        let table = place.0.get_or_init(|| {
            Box::new(Table {
                functions: IComponentVtbl { setState: set_state, getState: get_state, ..functions },
                set_state: functions.setState,
                params: Arc::clone(params),
                changes: Arc::clone(changes),
            })
        });
        (&raw mut (*component).vtbl).write((&raw const **table).cast());
    }
}

/// The table of an instance.
///
/// # Safety
/// `this` must be a living component to which [`replace`] has given its table.
unsafe fn table<'a>(this: *mut IComponent) -> &'a Table {
    // SAFETY: as the caller promises; the table lives as long as the instance, which the host keeps alive during a call.
    unsafe { &*(*this).vtbl.cast::<Table>() }
}

unsafe extern "system" fn get_state(this: *mut IComponent, stream: *mut IBStream) -> tresult {
    // SAFETY: only `replace` puts this function into a table; a host's stream lives through the call.
    let (table, stream) = unsafe { (table(this), ComRef::from_raw(stream)) };
    let Some(stream) = stream else { return kInvalidArgument };
    let written = match state::write(&table.params) {
        Ok(written) => written,
        Err(error) => {
            table.params.session.complain(&error);
            return kResultFalse;
        }
    };
    match state::stream::write_all(HostStream(stream), &written) {
        Ok(()) => kResultOk,
        Err(error) => {
            tracing::error!("the state could not be saved: {error}");
            kResultFalse
        }
    }
}

unsafe extern "system" fn set_state(this: *mut IComponent, stream: *mut IBStream) -> tresult {
    // SAFETY: as above.
    let (table, stream) = unsafe { (table(this), ComRef::from_raw(stream)) };
    let Some(stream) = stream else { return kInvalidArgument };
    let received = state::stream::read_all(HostStream(stream));
    // A preset of ours is a patch as it is. Like any patch, it leaves the takes alone.
    if received.failure.is_none()
        && let Some(patch) = patch_in(&received.bytes)
    {
        let Some(state) = patches::load_from_host(patch, &table.params) else { return kResultFalse };
        // SAFETY: `this` is the component that the host called.
        let placed = unsafe { place(table, this, &state) };
        table.changes.forget();
        return placed;
    }
    let opened = state::read(received);
    // SAFETY: as above.
    let placed = unsafe { place(table, this, &opened.state) };
    opened.settle(&table.params);
    table.changes.forget();
    if opened.known { placed } else { kResultFalse }
}

/// Gives the framework a state.
///
/// # Safety
/// `this` must be the living component of `table`.
unsafe fn place(table: &Table, this: *mut IComponent, state: &PluginState) -> tresult {
    let Ok(text) = serde_json::to_vec(state) else { return kResultFalse };
    let memory = ComWrapper::new(Memory { bytes: text, position: AtomicUsize::new(0) });
    let Some(memory) = memory.as_com_ref::<IBStream>() else { return kResultFalse };
    // SAFETY: the framework's own function, with a stream that lives through the call.
    unsafe { (table.set_state)(this, memory.as_ptr()) }
}

/// A host's stream.
struct HostStream<'a>(ComRef<'a, IBStream>);

impl Read for HostStream<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let asked = buffer.len().min(MOST_AT_ONCE);
        let mut count = 0;
        // SAFETY: the buffer has the room that is announced.
        let result = unsafe { self.0.read(buffer.as_mut_ptr().cast(), asked as int32, &raw mut count) };
        // Hosts call the end of a stream a failure or not, as they like; what comes is there all the same.
        if result != kResultOk && count == 0 && !self.is_at_end() {
            return state::stream::moved(-1, asked);
        }
        state::stream::moved(count.into(), asked)
    }
}

impl HostStream<'_> {
    /// Whether the stream, as far as it knows, has nothing more.
    fn is_at_end(&self) -> bool {
        let (mut here, mut end) = (0, 0);
        // SAFETY: plain calls with room for what they give.
        unsafe {
            if self.0.tell(&raw mut here) != kResultOk || self.0.seek(0, kIBSeekEnd as int32, &raw mut end) != kResultOk
            {
                return true;
            }
            self.0.seek(here, kIBSeekSet as int32, std::ptr::null_mut());
        }
        here >= end
    }
}

impl Write for HostStream<'_> {
    fn write(&mut self, buffer: &[u8]) -> std::io::Result<usize> {
        let asked = buffer.len().min(MOST_AT_ONCE);
        // A host that says yes and counts nothing has taken all.
        let mut count = asked as int32;
        // SAFETY: the buffer holds as many bytes as are announced, and a host only reads them.
        let result = unsafe { self.0.write(buffer.as_ptr().cast_mut().cast(), asked as int32, &raw mut count) };
        state::stream::moved(if result == kResultOk { count.into() } else { -1 }, asked)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A stream in memory, to be read.
struct Memory {
    bytes: Vec<u8>,
    position: AtomicUsize,
}

impl Class for Memory {
    type Interfaces = (IBStream,);
}

impl IBStreamTrait for Memory {
    unsafe fn read(&self, buffer: *mut std::ffi::c_void, asked: int32, count: *mut int32) -> tresult {
        let position = self.position.load(Ordering::Relaxed);
        let rest = self.bytes.get(position..).unwrap_or_default();
        let given = rest.len().min(usize::try_from(asked).unwrap_or(0));
        // SAFETY: the reader has the room that it announces, and room for a count or null.
        unsafe {
            std::ptr::copy_nonoverlapping(rest.as_ptr(), buffer.cast(), given);
            if let Some(count) = count.as_mut() {
                *count = given as int32;
            }
        }
        self.position.store(position + given, Ordering::Relaxed);
        kResultOk
    }

    unsafe fn write(&self, _buffer: *mut std::ffi::c_void, _asked: int32, _count: *mut int32) -> tresult {
        kResultFalse
    }

    #[allow(clippy::unnecessary_cast, reason = "the constants' type differs between systems")]
    unsafe fn seek(&self, offset: int64, mode: int32, result: *mut int64) -> tresult {
        let from = match mode {
            mode if mode == kIBSeekSet as int32 => 0,
            mode if mode == kIBSeekCur as int32 => self.position.load(Ordering::Relaxed),
            mode if mode == kIBSeekEnd as int32 => self.bytes.len(),
            _ => return kInvalidArgument,
        };
        let Some(position) = (from as i64).checked_add(offset).and_then(|position| usize::try_from(position).ok())
        else {
            return kInvalidArgument;
        };
        self.position.store(position, Ordering::Relaxed);
        // SAFETY: the caller gives room for a position or null.
        if let Some(result) = unsafe { result.as_mut() } {
            *result = position as i64;
        }
        kResultOk
    }

    unsafe fn tell(&self, position: *mut int64) -> tresult {
        // SAFETY: the caller gives room for a position or null.
        match unsafe { position.as_mut() } {
            Some(position) => {
                *position = self.position.load(Ordering::Relaxed) as i64;
                kResultOk
            }
            None => kInvalidArgument,
        }
    }
}
