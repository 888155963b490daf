//! The VST3 entry, with the one thing that the framework keeps to itself: each block's process mode.
//!
//! A VST3 host says with every block whether it is rendered offline. The framework passes on the mode of the *last but
//! one* `setupProcessing` call instead, which can claim "offline" in a real-time thread, and the other way round. So the
//! factory here (otherwise the framework's own, which is a macro) gives each instance's `IAudioProcessor` a `process`
//! that notes the mode down before it calls the framework's.

use std::cell::RefCell;
use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

use nice_plug::wrapper::vst3::vst3::Steinberg::Vst::{
    IAudioProcessor, IAudioProcessorVtbl, ProcessData, ProcessModes_::kOffline,
};
use nice_plug::wrapper::vst3::vst3::Steinberg::{
    FIDString, FUnknown, IPluginFactory, IPluginFactory2, IPluginFactory2Trait, IPluginFactory3, IPluginFactory3Trait,
    IPluginFactoryTrait, PClassInfo, PClassInfo2, PClassInfoW, PFactoryInfo, TUID, int32, kInternalError,
    kInvalidArgument, kResultOk, tresult,
};
use nice_plug::wrapper::vst3::vst3::{Class, ComWrapper};
use nice_plug::wrapper::vst3::{PluginInfo, Wrapper};

use super::Continuo;

/// The mode of the block that an instance is processing.
#[derive(Debug, Default)]
pub(super) struct BlockMode {
    offline: AtomicBool,
    /// The instance's virtual table, freed with the instance.
    table: AtomicPtr<Table>,
}

impl BlockMode {
    pub(super) fn is_offline(&self) -> bool {
        self.offline.load(Ordering::Relaxed)
    }

    /// What an instance that is being made for a VST3 host finds; `None` for other hosts.
    pub(super) fn of_new_instance() -> Option<Arc<Self>> {
        NEW.with_borrow_mut(Option::take)
    }
}

impl Drop for BlockMode {
    fn drop(&mut self) {
        let table = *self.table.get_mut();
        if !table.is_null() {
            // SAFETY: `watch_process` made it with `Box::into_raw` and nobody else frees it. The instance that owns this
            // `BlockMode` is going, so nobody looks its functions up any more.
            drop(unsafe { Box::from_raw(table) });
        }
    }
}

thread_local! {
    /// Handed from the factory to the instance that it is making, on the way through the framework.
    static NEW: RefCell<Option<Arc<BlockMode>>> = const { RefCell::new(None) };
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
    // SAFETY: only `watch_process` puts this function into a table, and that table is a `Table`. The host keeps the
    // instance alive during the call.
    unsafe {
        let table = &*(*this).vtbl.cast::<Table>();
        let offline = !data.is_null() && (*data).processMode == kOffline as int32;
        (*table.mode).offline.store(offline, Ordering::Relaxed);
        (table.process)(this, data)
    }
}

/// Gives `instance` a virtual table of its own whose `process` notes down the block's mode.
fn watch_process(instance: &ComWrapper<Wrapper<Continuo>>, mode: &Arc<BlockMode>) {
    let Some(processor) = instance.as_com_ref::<IAudioProcessor>() else { return };
    let processor = processor.as_ptr();
    // SAFETY: `processor` points to a valid `IAudioProcessor` (the bindings' promise), whose table is complete. No host
    // has seen the instance yet, so nothing reads the pointer while it is replaced.
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

/// The factory of the library's one class.
struct Factory {
    info: PluginInfo,
}

impl Class for Factory {
    type Interfaces = (IPluginFactory, IPluginFactory2, IPluginFactory3);
}

impl IPluginFactoryTrait for Factory {
    unsafe fn getFactoryInfo(&self, info: *mut PFactoryInfo) -> tresult {
        // SAFETY: the host gives null or room for the structure.
        unsafe { fill(info, 0, || self.info.create_factory_info()) }
    }

    unsafe fn countClasses(&self) -> int32 {
        1
    }

    unsafe fn getClassInfo(&self, index: int32, info: *mut PClassInfo) -> tresult {
        // SAFETY: as above.
        unsafe { fill(info, index, || self.info.create_class_info()) }
    }

    unsafe fn createInstance(&self, cid: FIDString, iid: FIDString, object: *mut *mut c_void) -> tresult {
        if cid.is_null() || iid.is_null() || object.is_null() {
            return kInvalidArgument;
        }
        // SAFETY: a class id has sixteen bytes.
        if unsafe { *cid.cast::<[u8; 16]>() } != *self.info.cid {
            return kInvalidArgument;
        }
        let mode = Arc::new(BlockMode::default());
        NEW.set(Some(Arc::clone(&mode)));
        let instance = ComWrapper::new(Wrapper::<Continuo>::new());
        watch_process(&instance, &mode);
        let Some(unknown) = instance.as_com_ref::<FUnknown>() else { return kInternalError };
        let unknown = unknown.as_ptr();
        // SAFETY: `unknown` is a valid interface pointer; `iid` has sixteen bytes and `object` has room for a pointer.
        unsafe { ((*(*unknown).vtbl).queryInterface)(unknown, iid.cast::<TUID>(), object) }
    }
}

impl IPluginFactory2Trait for Factory {
    unsafe fn getClassInfo2(&self, index: int32, info: *mut PClassInfo2) -> tresult {
        // SAFETY: as above.
        unsafe { fill(info, index, || self.info.create_class_info_2()) }
    }
}

impl IPluginFactory3Trait for Factory {
    unsafe fn getClassInfoUnicode(&self, index: int32, info: *mut PClassInfoW) -> tresult {
        // SAFETY: as above.
        unsafe { fill(info, index, || self.info.create_class_info_unicode()) }
    }

    unsafe fn setHostContext(&self, _context: *mut FUnknown) -> tresult {
        kResultOk
    }
}

/// Writes what `make` gives to `target` for the only class, which has index 0.
///
/// # Safety
/// `target` is null or has room for a `T`.
unsafe fn fill<T>(target: *mut T, index: int32, make: impl FnOnce() -> T) -> tresult {
    if target.is_null() || index != 0 {
        return kInvalidArgument;
    }
    // SAFETY: as this function's caller promises.
    unsafe { target.write(make()) };
    kResultOk
}

/// The VST3 entry: gives the host a factory, or null.
#[unsafe(no_mangle)]
pub extern "system" fn GetPluginFactory() -> *mut c_void {
    let factory = ComWrapper::new(Factory { info: PluginInfo::for_plugin::<Continuo>() });
    factory.to_com_ptr::<IPluginFactory>().map_or(null_mut(), |factory| factory.into_raw().cast())
}

/// Called once after loading.
#[cfg(all(target_family = "unix", not(target_os = "macos")))]
#[unsafe(no_mangle)]
pub extern "C" fn ModuleEntry(_library: *mut c_void) -> bool {
    nice_plug::wrapper::setup_logger::<Continuo>();
    true
}

/// Called once before unloading.
#[cfg(all(target_family = "unix", not(target_os = "macos")))]
#[unsafe(no_mangle)]
pub extern "C" fn ModuleExit() -> bool {
    true
}

/// Called once after loading.
#[cfg(target_os = "macos")]
#[unsafe(no_mangle)]
pub extern "C" fn bundleEntry(_bundle: *mut c_void) -> bool {
    nice_plug::wrapper::setup_logger::<Continuo>();
    true
}

/// Called once before unloading.
#[cfg(target_os = "macos")]
#[unsafe(no_mangle)]
pub extern "C" fn bundleExit() -> bool {
    true
}

/// Called once after loading.
#[cfg(target_os = "windows")]
#[unsafe(no_mangle)]
pub extern "system" fn InitDll() -> bool {
    nice_plug::wrapper::setup_logger::<Continuo>();
    true
}

/// Called once before unloading.
#[cfg(target_os = "windows")]
#[unsafe(no_mangle)]
pub extern "system" fn ExitDll() -> bool {
    true
}
