//! A host hears that its project has changed, on its UI thread, though no editor is open.

use std::ptr::null_mut;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use nice_plug::wrapper::vst3::vst3::Steinberg::Vst::ProcessModes_::kOffline;
use nice_plug::wrapper::vst3::vst3::Steinberg::Vst::{
    IComponentHandler, IComponentHandler2, IComponentHandler2Trait, IComponentHandlerTrait, IEditController,
    IEditControllerTrait as _, IParamValueQueue, IParamValueQueueTrait, IParameterChanges, IParameterChangesTrait,
    ParamID, ParamValue,
};
use nice_plug::wrapper::vst3::vst3::Steinberg::{
    FIDString, TBool, int32, kInvalidArgument, kNotImplemented, kResultOk, tresult,
};
use nice_plug::wrapper::vst3::vst3::{Class, ComPtr, ComWrapper};

use crate::common;
use crate::common::host::number_of;
use crate::host::Instance;
use crate::stream::Stream;

/// The host as a controller knows it.
#[derive(Default)]
struct Handler {
    /// How often it was told of a change.
    dirty: AtomicUsize,
}

impl Class for Handler {
    type Interfaces = (IComponentHandler, IComponentHandler2);
}

impl IComponentHandlerTrait for Handler {
    unsafe fn beginEdit(&self, _id: ParamID) -> tresult {
        kResultOk
    }

    unsafe fn performEdit(&self, _id: ParamID, _value: ParamValue) -> tresult {
        kResultOk
    }

    unsafe fn endEdit(&self, _id: ParamID) -> tresult {
        kResultOk
    }

    unsafe fn restartComponent(&self, _flags: int32) -> tresult {
        kResultOk
    }
}

impl IComponentHandler2Trait for Handler {
    unsafe fn setDirty(&self, state: TBool) -> tresult {
        self.dirty.fetch_add(usize::from(state), Ordering::Relaxed);
        kResultOk
    }

    unsafe fn requestOpenEditor(&self, _name: FIDString) -> tresult {
        kNotImplemented
    }

    unsafe fn startGroupEdit(&self) -> tresult {
        kNotImplemented
    }

    unsafe fn finishGroupEdit(&self) -> tresult {
        kNotImplemented
    }
}

/// What a block has put out: the last value of one parameter.
#[derive(Default)]
struct PutOut(Mutex<Option<(ParamID, ParamValue)>>);

impl Class for PutOut {
    type Interfaces = (IParamValueQueue,);
}

impl IParamValueQueueTrait for PutOut {
    unsafe fn getParameterId(&self) -> ParamID {
        self.0.lock().unwrap().map_or(0, |(id, _)| id)
    }

    unsafe fn getPointCount(&self) -> int32 {
        1
    }

    unsafe fn getPoint(&self, _index: int32, _frame: *mut int32, _value: *mut ParamValue) -> tresult {
        kNotImplemented
    }

    unsafe fn addPoint(&self, frame: int32, value: ParamValue, _index: *mut int32) -> tresult {
        assert_eq!(frame, 0);
        let id = self.0.lock().unwrap().unwrap().0;
        *self.0.lock().unwrap() = Some((id, value));
        kResultOk
    }
}

/// The place for it.
struct Place(ComWrapper<PutOut>);

impl Class for Place {
    type Interfaces = (IParameterChanges,);
}

impl IParameterChangesTrait for Place {
    unsafe fn getParameterCount(&self) -> int32 {
        0
    }

    unsafe fn getParameterData(&self, _index: int32) -> *mut IParamValueQueue {
        null_mut()
    }

    unsafe fn addParameterData(&self, id: *const ParamID, _index: *mut int32) -> *mut IParamValueQueue {
        // SAFETY: the plugin names a parameter.
        *self.0.0.lock().unwrap() = Some((unsafe { *id }, -1.0));
        self.0.as_com_ref::<IParamValueQueue>().unwrap().as_ptr()
    }
}

/// Has a block processed, and brings what it puts out to the controller, as hosts do. Says what that was.
fn block(instance: &Instance, controller: &ComPtr<IEditController>) -> Option<(ParamID, ParamValue)> {
    let place = ComWrapper::new(Place(ComWrapper::new(PutOut::default())));
    let pointer = place.as_com_ref::<IParameterChanges>().unwrap().as_ptr();
    instance.block_with(kOffline, 0, false, null_mut(), null_mut(), pointer);
    let put_out = *place.0.0.lock().unwrap();
    if let Some((id, value)) = put_out {
        // SAFETY: a plain COM call.
        assert_ne!(unsafe { controller.setParamNormalized(id, value) }, kInvalidArgument);
    }
    put_out
}

#[test]
fn a_render_that_ends_marks_the_project_once() {
    let bundle = common::Bundle::new();
    let instance = Instance::new(&bundle, &[kOffline], &[("length", 0.0), ("render", 1.0)]);
    let controller = instance.component.cast::<IEditController>().unwrap();
    let handler = ComWrapper::new(Handler::default());
    let pointer = handler.as_com_ref::<IComponentHandler>().unwrap().as_ptr();
    let dirty = || handler.dirty.load(Ordering::Relaxed);
    let state = instance.save(Stream::new(&[], 4096)).1;
    // SAFETY: plain COM calls; the handler outlives the instance.
    unsafe {
        assert_eq!(controller.setComponentHandler(pointer), kResultOk);
        controller.setParamNormalized(number_of("gain"), 0.25);
        assert_eq!(dirty(), 0, "nothing was changed but by the host");
    }
    // The first block begins a render.
    let put_out = (0..2_000).find_map(|_| {
        std::thread::sleep(Duration::from_millis(10));
        block(&instance, &controller)
    });
    let (id, value) = put_out.expect("no block has put out a change");
    assert_eq!(id, number_of("revision"));
    assert!(value > 0.0 && value <= 1.0, "{value}");
    assert_eq!(dirty(), 1);
    assert_eq!(block(&instance, &controller), None);
    // What a host opens it knows.
    assert!(instance.restore(Stream::new(&state, 4096)));
    assert_eq!(block(&instance, &controller), None);
    // SAFETY: as above.
    unsafe {
        controller.setParamNormalized(number_of("gain"), 0.5);
        assert_eq!(dirty(), 1);
        assert_eq!(controller.setComponentHandler(null_mut()), kResultOk);
    }
}
