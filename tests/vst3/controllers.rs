//! MIDI controllers: which ones a host is told to send, and what they do.

use nice_plug::wrapper::vst3::vst3::Steinberg::Vst::ProcessModes_::kRealtime;
use nice_plug::wrapper::vst3::vst3::Steinberg::Vst::{
    Event, Event__type0, IEditController, IEditControllerTrait as _, IEventList, IEventListTrait, IMidiMapping,
    IMidiMappingTrait as _, IParamValueQueue, IParamValueQueueTrait, IParameterChanges, IParameterChangesTrait,
    NoteOnEvent, ParamID, ParamValue, ParameterInfo,
};
use nice_plug::wrapper::vst3::vst3::Steinberg::{int32, kInvalidArgument, kNotImplemented, kResultOk, tresult};
use nice_plug::wrapper::vst3::vst3::{Class, ComPtr, ComWrapper};

use crate::common;
use crate::host::{BLOCK, Instance};
use crate::stream::Stream;

/// The one note of a block: middle C on the first channel, at its first frame.
struct OneNote;

impl Class for OneNote {
    type Interfaces = (IEventList,);
}

impl IEventListTrait for OneNote {
    unsafe fn getEventCount(&self) -> int32 {
        1
    }

    unsafe fn getEvent(&self, _index: int32, event: *mut Event) -> tresult {
        let note = NoteOnEvent { channel: 0, pitch: 60, tuning: 0.0, velocity: 1.0, length: 0, noteId: -1 };
        let __field0 = Event__type0 { noteOn: note };
        // SAFETY: the plugin gives room for an event.
        unsafe { event.write(Event { busIndex: 0, sampleOffset: 0, ppqPosition: 0.0, flags: 0, r#type: 0, __field0 }) };
        kResultOk
    }

    unsafe fn addEvent(&self, _event: *mut Event) -> tresult {
        kNotImplemented
    }
}

/// One value of one parameter at a frame of a block.
struct Change {
    id: ParamID,
    frame: int32,
    value: ParamValue,
}

impl Class for Change {
    type Interfaces = (IParamValueQueue,);
}

impl IParamValueQueueTrait for Change {
    unsafe fn getParameterId(&self) -> ParamID {
        self.id
    }

    unsafe fn getPointCount(&self) -> int32 {
        1
    }

    unsafe fn getPoint(&self, _index: int32, frame: *mut int32, value: *mut ParamValue) -> tresult {
        // SAFETY: the plugin gives room for both.
        unsafe { (*frame, *value) = (self.frame, self.value) };
        kResultOk
    }

    unsafe fn addPoint(&self, _frame: int32, _value: ParamValue, _index: *mut int32) -> tresult {
        kNotImplemented
    }
}

/// All that changes in a block.
struct OneChange(ComPtr<IParamValueQueue>);

impl Class for OneChange {
    type Interfaces = (IParameterChanges,);
}

impl IParameterChangesTrait for OneChange {
    unsafe fn getParameterCount(&self) -> int32 {
        1
    }

    unsafe fn getParameterData(&self, _index: int32) -> *mut IParamValueQueue {
        self.0.as_ptr()
    }

    unsafe fn addParameterData(&self, _id: *const ParamID, _index: *mut int32) -> *mut IParamValueQueue {
        std::ptr::null_mut()
    }
}

fn controller(instance: &Instance) -> ComPtr<IEditController> {
    instance.component.cast().unwrap()
}

/// The parameter that stands for a controller of a channel.
fn assigned(instance: &Instance, channel: i16, number: i16) -> Option<ParamID> {
    let mapping: ComPtr<IMidiMapping> = instance.component.cast().unwrap();
    let mut id = 0;
    // SAFETY: plain COM call with room for what it gives.
    let result = unsafe { mapping.getMidiControllerAssignment(0, channel, number, &raw mut id) };
    (result == kResultOk).then_some(id)
}

/// What the host is told of each parameter.
fn parameters(instance: &Instance) -> Vec<ParameterInfo> {
    let controller = controller(instance);
    // SAFETY: plain COM calls with room for what they give; zeros are a valid `ParameterInfo`.
    unsafe {
        let count = controller.getParameterCount();
        let mut info: ParameterInfo = std::mem::zeroed();
        assert_eq!(controller.getParameterInfo(count, &raw mut info), kInvalidArgument);
        assert_eq!(controller.getParameterInfo(-1, &raw mut info), kInvalidArgument);
        (0..count)
            .map(|index| {
                assert_eq!(controller.getParameterInfo(index, &raw mut info), kResultOk, "parameter {index}");
                info
            })
            .collect()
    }
}

#[test]
fn a_host_is_shown_the_controllers_that_are_listened_to_and_no_others() {
    let bundle = common::Bundle::new();
    let instance = Instance::new(&bundle, &[kRealtime], &[]);
    let all = parameters(&instance);
    let mut ids: Vec<ParamID> = all.iter().map(|info| info.id).collect();
    for channel in 0..16 {
        for number in 0..130 {
            let id = assigned(&instance, channel, number);
            assert_eq!(id.is_some(), matches!(number, 120 | 123), "controller {number}");
            assert!(id.is_none_or(|id| ids.contains(&id)), "controller {number} of channel {channel} is not listed");
        }
    }
    assert_eq!(assigned(&instance, 16, 120), None);
    // Besides the count of revisions only these are hidden: what a musician may turn is not.
    assert_eq!(all.iter().filter(|info| info.flags & (1 << 4) != 0).count(), 2 * 16 + 1);
    assert!(all.len() < 100, "{} parameters", all.len());
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all.len(), "two parameters have one id");
}

#[test]
fn controllers_120_and_123_silence_their_channel_at_their_frame() {
    let bundle = common::Bundle::new();
    let golden = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/states/1b/inline.state")).unwrap();
    // Long enough for a key's release, in blocks.
    let end = 48_000 / 50 * 3 / BLOCK + 2;
    let heard = |change: Option<(i16, i16, i32)>| -> Vec<[f32; 2]> {
        let instance = Instance::new(&bundle, &[kRealtime], &[]);
        assert!(instance.restore(Stream::new(&golden[8..], 4096)));
        let midi = common::host::number_of("playback");
        // SAFETY: plain COM call.
        assert_eq!(unsafe { controller(&instance).setParamNormalized(midi, 1.0) }, kResultOk);
        let note = ComWrapper::new(OneNote).to_com_ptr::<IEventList>().unwrap();
        let (no_changes, no_events) = (std::ptr::null_mut(), std::ptr::null_mut());
        let mut heard = instance.block_with(kRealtime, 0, false, no_changes, note.as_ptr(), std::ptr::null_mut());
        for block in 1..10 + end {
            let change = change.filter(|_| block == 8).map(|(channel, number, frame)| {
                let id = assigned(&instance, channel, number).unwrap();
                let queue = ComWrapper::new(Change { id, frame, value: 0.0 }).to_com_ptr().unwrap();
                ComWrapper::new(OneChange(queue)).to_com_ptr::<IParameterChanges>().unwrap()
            });
            let changes = change.as_ref().map_or(no_changes, ComPtr::as_ptr);
            heard.extend(instance.block_with(kRealtime, 0, false, changes, no_events, std::ptr::null_mut()));
        }
        heard
    };
    let whole = heard(None);
    let sounds = |heard: &[[f32; 2]]| heard.iter().flatten().any(|value| *value != 0.0);
    assert!(sounds(&whole[8 * BLOCK..]), "the note was not heard");
    assert!(heard(Some((1, 120, 100))) == whole, "another channel's controller was heeded");
    for number in [120, 123] {
        let silenced = heard(Some((0, number, 100)));
        let at = 8 * BLOCK + 100;
        assert!(silenced[..=at] == whole[..=at], "controller {number} came too early");
        assert!(silenced[at + 1..at + 20] != whole[at + 1..at + 20], "controller {number} came late or never");
        assert!(!sounds(&silenced[at + 48_000 / 50 * 3..]), "controller {number} left something to hear");
    }
}
