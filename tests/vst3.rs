//! The built plugin through its VST3 entry: what an offline host hears, and what a real-time host is spared.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::float_cmp, clippy::ignored_unit_patterns)]

mod common;

use std::ffi::c_void;
use std::ptr::null_mut;

use common::host::number_of;
use nice_plug::wrapper::vst3::vst3::Steinberg::Vst::ProcessContext_::StatesAndFlags_::{
    kPlaying, kProjectTimeMusicValid, kTempoValid,
};
use nice_plug::wrapper::vst3::vst3::Steinberg::Vst::ProcessModes_::{kOffline, kRealtime};
use nice_plug::wrapper::vst3::vst3::Steinberg::Vst::{
    AudioBusBuffers, AudioBusBuffers__type0, BusDirections_::kInput, BusDirections_::kOutput, IAudioProcessor,
    IAudioProcessorTrait as _, IComponent, IComponentTrait as _, IEditController, IEditControllerTrait as _,
    MediaTypes_::kAudio, ProcessContext, ProcessData, ProcessModes, ProcessSetup, SymbolicSampleSizes_::kSample32,
};
use nice_plug::wrapper::vst3::vst3::Steinberg::{
    IPluginBaseTrait as _, IPluginFactory, IPluginFactoryTrait as _, PClassInfo, kInvalidArgument, kResultOk,
};
use nice_plug::wrapper::vst3::vst3::{ComPtr, Interface as _};

const BLOCK: usize = 512;

/// An active instance in a host that does no more than this.
struct Instance {
    component: ComPtr<IComponent>,
    processor: ComPtr<IAudioProcessor>,
    // Last: the library outlives the instance.
    _library: libloading::Library,
}

impl Instance {
    /// Sets the modes of `setups` in turn, as a host does that changes its mind, activates, and sets parameters (normalised)
    /// before the first block, which is when a controller may.
    fn new(bundle: &common::Bundle, setups: &[ProcessModes], values: &[(&str, f64)]) -> Self {
        // SAFETY: the library is the plugin of this very build, and the function is the VST3 entry, which has this type.
        let (library, factory) = unsafe {
            let library = libloading::Library::new(&bundle.clap).unwrap();
            let entry = library.get::<unsafe extern "system" fn() -> *mut c_void>(b"GetPluginFactory\0").unwrap();
            let factory = ComPtr::from_raw(entry().cast::<IPluginFactory>()).unwrap();
            (library, factory)
        };
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
    fn block(&self, mode: ProcessModes, position: usize, playing: bool) -> Vec<[f32; 2]> {
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
            inputParameterChanges: null_mut(),
            outputParameterChanges: null_mut(),
            inputEvents: null_mut(),
            outputEvents: null_mut(),
            processContext: &raw mut context,
        };
        // SAFETY: `data` points to buffers of the announced sizes that live through the call.
        assert_eq!(unsafe { self.processor.process(&raw mut data) }, kResultOk);
        (0..BLOCK).map(|frame| [channels[0][frame], channels[1][frame]]).collect()
    }

    fn play(&self, mode: ProcessModes, blocks: usize) -> Vec<[f32; 2]> {
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

#[test]
fn an_offline_block_waits_for_its_frames_whatever_mode_was_set_up() {
    let bundle = common::Bundle::new();
    // The framework would report "real time" here: the mode before the last one.
    let instance = Instance::new(&bundle, &[kRealtime, kOffline], &[("rng_seed", 0.25), ("render", 1.0)]);
    let blocks = 24_000 / BLOCK + 150;
    let growing = instance.play(kOffline, blocks);
    instance.block(kOffline, 0, false);
    let finished = instance.play(kOffline, blocks);
    assert!(common::bits(&growing) == common::bits(&finished));
    assert!(finished[30_000..].iter().any(|frame| frame[0] != 0.0), "no continuation was heard");
}

#[test]
fn a_real_time_block_never_waits_whatever_mode_was_set_up() {
    let bundle = common::Bundle::new();
    // The framework would report "offline" here.
    let values = [("length", 1.0), ("takes", 1.0), ("render", 1.0)];
    let instance = Instance::new(&bundle, &[kOffline, kRealtime], &values);
    // Two minutes in: a block that waited would bring sound, after a long time.
    for block in 0..100 {
        let heard = instance.block(kRealtime, 48_000 * 100 + block * BLOCK, true);
        assert!(heard.iter().flatten().all(|value| *value == 0.0));
    }
}
