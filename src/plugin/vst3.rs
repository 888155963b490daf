//! The VST3 entry, with what the framework keeps to itself or leaves to chance.
//!
//! The factory here is otherwise the framework's own, which is a macro. It gives each instance a `process` of its own, which
//! notes down each block's mode ([`process`]), a `getState` and `setState` of its own ([`state`]), and shows the host the
//! MIDI controllers that the instrument listens to and no others ([`controllers`]), and tells the host when something that is
//! saved has changed ([`changes`]).

mod changes;
mod controllers;
mod process;
mod state;

use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::Arc;

use nice_plug::wrapper::vst3::vst3::Steinberg::Vst::{IAudioProcessor, IComponent, IEditController, IMidiMapping};
use nice_plug::wrapper::vst3::vst3::Steinberg::{
    FIDString, FUnknown, IPluginFactory, IPluginFactory2, IPluginFactory2Trait, IPluginFactory3, IPluginFactory3Trait,
    IPluginFactoryTrait, PClassInfo, PClassInfo2, PClassInfoW, PFactoryInfo, TUID, int32, kInternalError,
    kInvalidArgument, kResultOk, tresult,
};
use nice_plug::wrapper::vst3::vst3::{Class, ComWrapper};
use nice_plug::wrapper::vst3::{PluginInfo, Wrapper};

use super::{Continuo, newest_params};

pub(super) use process::BlockMode;

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
        process::hand_over(&mode);
        let instance = ComWrapper::new(Wrapper::<Continuo>::new());
        let Some(params) = newest_params() else { return kInternalError };
        let (Some(processor), Some(component)) =
            (instance.as_com_ref::<IAudioProcessor>(), instance.as_com_ref::<IComponent>())
        else {
            return kInternalError;
        };
        let (Some(controller), Some(mapping)) =
            (instance.as_com_ref::<IEditController>(), instance.as_com_ref::<IMidiMapping>())
        else {
            return kInternalError;
        };
        mode.changes().begin(&params);
        // SAFETY: the host has not seen the instance yet, and the instance has taken `mode` over.
        unsafe {
            process::watch(processor, &mode);
            state::replace(component, mode.states(), &params, mode.changes());
            controllers::replace(controller, mapping, mode.controllers(), mode.changes());
        }
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
