//! Which MIDI controllers a host sends.
//!
//! A VST3 host turns a controller into a parameter that the plugin has named for it. The framework names one for every
//! controller of every channel, 2 080 hidden parameters in all, over which hosts take minutes to load. So each instance's
//! `IEditController` and `IMidiMapping` have functions here that show only the controllers that the instrument listens to.
//! The parameters keep the framework's ids, by which it turns them back into controllers at their frames.
//!
//! The same table is where the host says who it is and sets parameters, of which [`super::changes`] hears.

use std::sync::{Arc, OnceLock};

use nice_plug::wrapper::vst3::vst3::ComRef;
use nice_plug::wrapper::vst3::vst3::Steinberg::Vst::{
    CtrlNumber, IComponentHandler, IEditController, IEditControllerVtbl, IMidiMapping, IMidiMappingVtbl, ParamID,
    ParamValue, ParameterInfo,
};
use nice_plug::wrapper::vst3::vst3::Steinberg::{int16, int32, kInvalidArgument, kResultFalse, tresult};

use super::changes::Changes;
use crate::plugin::midi::CONTROLLERS;

/// MIDI's channels.
const CHANNELS: int32 = 16;
/// Parameters that the framework has for one channel: 128 controllers, channel pressure and pitch bend, in this order.
const FRAMEWORKS: int32 = 130;
/// Parameters that a host is shown for one channel.
const SHOWN: int32 = CONTROLLERS.len() as int32;

/// An instance's own virtual tables, freed with the instance.
#[derive(Debug, Default)]
pub(super) struct ControllerTables {
    parameters: OnceLock<Box<Parameters>>,
    mapping: OnceLock<Box<Mapping>>,
}

/// The table of `IEditController`, and what its functions need.
#[repr(C)]
struct Parameters {
    /// First, so that a pointer to it is a pointer to the whole.
    functions: IEditControllerVtbl,
    framework: IEditControllerVtbl,
    changes: Arc<Changes>,
}

/// The table of `IMidiMapping`, and what its function needs.
#[repr(C)]
struct Mapping {
    /// First, so that a pointer to it is a pointer to the whole.
    functions: IMidiMappingVtbl,
    framework: IMidiMappingVtbl,
}

impl std::fmt::Debug for Parameters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parameters").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Mapping {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mapping").finish_non_exhaustive()
    }
}

/// Gives an instance's interfaces virtual tables of their own with the functions below.
///
/// # Safety
/// No host may have seen the instance yet, and it must own `place`.
pub(super) unsafe fn replace(
    controller: ComRef<'_, IEditController>,
    mapping: ComRef<'_, IMidiMapping>,
    place: &ControllerTables,
    changes: &Arc<Changes>,
) {
    let (controller, mapping) = (controller.as_ptr(), mapping.as_ptr());
    // SAFETY: both point to valid interfaces (the bindings' promise), whose tables are complete. As no host has seen them,
    // nothing reads the pointers while they are replaced.
    unsafe {
        let framework = *(*controller).vtbl;
        let functions = IEditControllerVtbl {
            getParameterCount: count,
            getParameterInfo: information,
            setParamNormalized: set_parameter,
            setComponentHandler: set_handler,
            ..framework
        };
        let changes = Arc::clone(changes);
        let table = place.parameters.get_or_init(|| Box::new(Parameters { functions, framework, changes }));
        (&raw mut (*controller).vtbl).write((&raw const **table).cast());

        let framework = *(*mapping).vtbl;
        let functions = IMidiMappingVtbl { getMidiControllerAssignment: assignment, ..framework };
        let table = place.mapping.get_or_init(|| Box::new(Mapping { functions, framework }));
        (&raw mut (*mapping).vtbl).write((&raw const **table).cast());
    }
}

/// The framework's functions, and how many parameters the instrument has besides the controllers.
///
/// # Safety
/// `this` must be a living controller to which [`replace`] has given its table.
unsafe fn framework<'a>(this: *mut IEditController) -> (&'a IEditControllerVtbl, int32) {
    // SAFETY: as the caller promises; the table lives as long as the instance, which the host keeps alive during a call.
    unsafe {
        let framework = &(*(*this).vtbl.cast::<Parameters>()).framework;
        (framework, (framework.getParameterCount)(this) - CHANNELS * FRAMEWORKS)
    }
}

unsafe extern "system" fn count(this: *mut IEditController) -> int32 {
    // SAFETY: only `replace` puts this function into a table.
    unsafe { framework(this) }.1 + CHANNELS * SHOWN
}

unsafe extern "system" fn information(this: *mut IEditController, index: int32, info: *mut ParameterInfo) -> tresult {
    // SAFETY: only `replace` puts this function into a table.
    let (framework, own) = unsafe { framework(this) };
    let shown = index - own;
    let index = if shown < 0 {
        index
    } else if shown < CHANNELS * SHOWN {
        own + shown / SHOWN * FRAMEWORKS + int32::from(CONTROLLERS[(shown % SHOWN) as usize])
    } else {
        return kInvalidArgument;
    };
    // SAFETY: the framework's own function, with what the host gave.
    unsafe { (framework.getParameterInfo)(this, index, info) }
}

unsafe extern "system" fn set_parameter(this: *mut IEditController, id: ParamID, value: ParamValue) -> tresult {
    // SAFETY: only `replace` puts this function into a table, and the framework's function gets what the host gave.
    unsafe {
        let table = &*(*this).vtbl.cast::<Parameters>();
        let result = (table.framework.setParamNormalized)(this, id, value);
        table.changes.tell();
        result
    }
}

unsafe extern "system" fn set_handler(this: *mut IEditController, handler: *mut IComponentHandler) -> tresult {
    // SAFETY: as above.
    unsafe {
        let table = &*(*this).vtbl.cast::<Parameters>();
        table.changes.listen(handler);
        (table.framework.setComponentHandler)(this, handler)
    }
}

unsafe extern "system" fn assignment(
    this: *mut IMidiMapping,
    bus: int32,
    channel: int16,
    controller: CtrlNumber,
    id: *mut ParamID,
) -> tresult {
    if !CONTROLLERS.iter().any(|heard| CtrlNumber::from(*heard) == controller) {
        return kResultFalse;
    }
    // SAFETY: only `replace` puts this function into a table, and the framework's function gets what the host gave.
    unsafe {
        let table = &*(*this).vtbl.cast::<Mapping>();
        (table.framework.getMidiControllerAssignment)(this, bus, channel, controller, id)
    }
}
