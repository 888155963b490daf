//! A VST3 host that does no more than the tests need.

use std::ffi::c_void;
use std::ptr::null_mut;

use nice_plug::wrapper::vst3::vst3::Steinberg::Vst::ProcessContext_::StatesAndFlags_::{
    kPlaying, kProjectTimeMusicValid, kTempoValid,
};
use nice_plug::wrapper::vst3::vst3::Steinberg::Vst::{
    AudioBusBuffers, AudioBusBuffers__type0, BusDirections_::kInput, BusDirections_::kOutput, IAudioProcessor,
    IAudioProcessorTrait as _, IComponent, IComponentTrait as _, IEditController, IEditControllerTrait as _,
    IEventList, IParameterChanges, MediaTypes_::kAudio, ProcessContext, ProcessData, ProcessModes, ProcessSetup,
    SymbolicSampleSizes_::kSample32,
};
use nice_plug::wrapper::vst3::vst3::Steinberg::{
    IBStream, IPluginBaseTrait as _, IPluginFactory, IPluginFactoryTrait as _, PClassInfo, kInvalidArgument, kResultOk,
};
use nice_plug::wrapper::vst3::vst3::{ComPtr, ComWrapper, Interface as _};

use crate::common;
use crate::common::host::number_of;
use crate::stream::Stream;

/// Frames of a block.
pub const BLOCK: usize = 512;

/// The library, and its factory.
pub fn factory(bundle: &common::Bundle) -> (libloading::Library, ComPtr<IPluginFactory>) {
    // SAFETY: the library is the plugin of this very build, and the function is the VST3 entry, which has this type.
    unsafe {
        let library = libloading::Library::new(&bundle.clap).unwrap();
        let entry = library.get::<unsafe extern "system" fn() -> *mut c_void>(b"GetPluginFactory\0").unwrap();
        let factory = ComPtr::from_raw(entry().cast::<IPluginFactory>()).unwrap();
        (library, factory)
    }
}

/// An active instance in a host that does no more than this.
pub struct Instance {
    pub component: ComPtr<IComponent>,
    processor: ComPtr<IAudioProcessor>,
    // Last: the library outlives the instance.
    _library: libloading::Library,
}

impl Instance {
    /// Sets the modes of `setups` in turn, as a host does that changes its mind, activates, and sets parameters (normalised)
    /// before the first block, which is when a controller may.
    pub fn new(bundle: &common::Bundle, setups: &[ProcessModes], values: &[(&str, f64)]) -> Self {
        let (library, factory) = factory(bundle);
        // SAFETY: plain COM calls with room for what they give, in the order that VST3 prescribes.
        unsafe {
            let mut info: PClassInfo = std::mem::zeroed();
            assert_eq!(factory.countClasses(), 1);
            assert_eq!(factory.getClassInfo(0, &raw mut info), kResultOk);
            assert_eq!(factory.getClassInfo(1, &raw mut info), kInvalidArgument);
            let mut object: *mut c_void = null_mut();
            let unknown = [1_u8; 16];
            let nothing =
                factory.createInstance(unknown.as_ptr().cast(), IComponent::IID.as_ptr().cast(), &raw mut object);
            assert_eq!(nothing, kInvalidArgument);
            let made = factory.createInstance(info.cid.as_ptr(), IComponent::IID.as_ptr().cast(), &raw mut object);
            assert_eq!(made, kResultOk);
            let component = ComPtr::from_raw(object.cast::<IComponent>()).unwrap();
            let processor = component.cast::<IAudioProcessor>().unwrap();
            let controller = component.cast::<IEditController>().unwrap();
            assert_eq!(component.initialize(null_mut()), kResultOk);
            component.activateBus(kAudio as i32, kInput as i32, 0, 1);
            component.activateBus(kAudio as i32, kOutput as i32, 0, 1);
            for mode in setups {
                let mut setup = ProcessSetup {
                    processMode: *mode as i32,
                    symbolicSampleSize: kSample32 as i32,
                    maxSamplesPerBlock: BLOCK as i32,
                    sampleRate: 48_000.0,
                };
                assert_eq!(processor.setupProcessing(&raw mut setup), kResultOk);
            }
            assert_eq!(component.setActive(1), kResultOk);
            for (id, normalised) in values {
                assert_eq!(controller.setParamNormalized(number_of(id), *normalised), kResultOk);
            }
            assert_eq!(processor.setProcessing(1), kResultOk);
            Self { component, processor, _library: library }
        }
    }

    /// One block at frame `position` of the song.
    pub fn block(&self, mode: ProcessModes, position: usize, playing: bool) -> Vec<[f32; 2]> {
        self.block_with(mode, position, playing, null_mut(), null_mut(), null_mut())
    }

    /// One block with what a host has to say in it.
    pub fn block_with(
        &self,
        mode: ProcessModes,
        position: usize,
        playing: bool,
        changes: *mut IParameterChanges,
        events: *mut IEventList,
        puts_out: *mut IParameterChanges,
    ) -> Vec<[f32; 2]> {
        let mut channels = [[f32::NAN; BLOCK]; 2];
        let mut side = [[0.0_f32; BLOCK]; 2];
        let [left, right] = &mut channels;
        let [side_left, side_right] = &mut side;
        let mut out = [left.as_mut_ptr(), right.as_mut_ptr()];
        let mut into = [side_left.as_mut_ptr(), side_right.as_mut_ptr()];
        let bus = |pointers: &mut [*mut f32; 2]| AudioBusBuffers {
            numChannels: 2,
            silenceFlags: 0,
            __field0: AudioBusBuffers__type0 { channelBuffers32: pointers.as_mut_ptr() },
        };
        let (mut inputs, mut outputs) = (bus(&mut into), bus(&mut out));
        // SAFETY: all zeros is a valid context.
        let mut context: ProcessContext = unsafe { std::mem::zeroed() };
        // The flags' type differs between systems.
        #[allow(clippy::unnecessary_cast)]
        {
            context.state = (kTempoValid | kProjectTimeMusicValid | if playing { kPlaying } else { 0 }) as u32;
        }
        context.sampleRate = 48_000.0;
        context.projectTimeSamples = position as i64;
        context.projectTimeMusic = position as f64 / 24_000.0;
        context.tempo = 120.0;
        let mut data = ProcessData {
            processMode: mode as i32,
            symbolicSampleSize: kSample32 as i32,
            numSamples: BLOCK as i32,
            numInputs: 1,
            numOutputs: 1,
            inputs: &raw mut inputs,
            outputs: &raw mut outputs,
            inputParameterChanges: changes,
            outputParameterChanges: puts_out,
            inputEvents: events,
            outputEvents: null_mut(),
            processContext: &raw mut context,
        };
        // SAFETY: `data` points to buffers of the announced sizes that live through the call.
        assert_eq!(unsafe { self.processor.process(&raw mut data) }, kResultOk);
        (0..BLOCK).map(|frame| [channels[0][frame], channels[1][frame]]).collect()
    }

    /// The state, as it comes into `stream`; `false` if the plugin says that it could not be saved.
    pub fn save(&self, stream: Stream) -> (bool, Vec<u8>) {
        let stream = ComWrapper::new(stream);
        let pointer = stream.as_com_ref::<IBStream>().unwrap().as_ptr();
        // SAFETY: the stream lives through the call.
        let result = unsafe { self.component.getState(pointer) };
        let bytes = stream.inner.lock().unwrap().bytes.clone();
        (result == kResultOk, bytes)
    }

    /// Gives a state back; `false` if the plugin refuses it.
    pub fn restore(&self, stream: Stream) -> bool {
        let stream = ComWrapper::new(stream);
        let pointer = stream.as_com_ref::<IBStream>().unwrap().as_ptr();
        // SAFETY: the stream lives through the call.
        unsafe { self.component.setState(pointer) == kResultOk }
    }

    pub fn play(&self, mode: ProcessModes, blocks: usize) -> Vec<[f32; 2]> {
        (0..blocks).flat_map(|block| self.block(mode, block * BLOCK, true)).collect()
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // SAFETY: plain COM calls in the order that VST3 prescribes.
        unsafe {
            self.processor.setProcessing(0);
            self.component.setActive(0);
            self.component.terminate();
        }
    }
}
