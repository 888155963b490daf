//! The built plugin through its VST3 entry: what an offline host hears, and what a real-time host is spared.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::float_cmp, clippy::ignored_unit_patterns)]

mod common;

use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::Mutex;

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
    IBStream, IBStreamTrait, IPluginBaseTrait as _, IPluginFactory, IPluginFactoryTrait as _, PClassInfo, int32, int64,
    kInvalidArgument, kNotImplemented, kResultFalse, kResultOk, tresult,
};
use nice_plug::wrapper::vst3::vst3::{Class, ComPtr, ComWrapper, Interface as _};

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

    /// The state, as it comes into `stream`; `false` if the plugin says that it could not be saved.
    fn save(&self, stream: Stream) -> (bool, Vec<u8>) {
        let stream = ComWrapper::new(stream);
        let pointer = stream.as_com_ref::<IBStream>().unwrap().as_ptr();
        // SAFETY: the stream lives through the call.
        let result = unsafe { self.component.getState(pointer) };
        let bytes = stream.inner.lock().unwrap().bytes.clone();
        (result == kResultOk, bytes)
    }

    /// Gives a state back; `false` if the plugin refuses it.
    fn restore(&self, stream: Stream) -> bool {
        let stream = ComWrapper::new(stream);
        let pointer = stream.as_com_ref::<IBStream>().unwrap().as_ptr();
        // SAFETY: the stream lives through the call.
        unsafe { self.component.setState(pointer) == kResultOk }
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

/// A host's stream that moves few bytes at a time, and none after some.
struct Stream {
    inner: Mutex<Inner>,
    /// Most bytes per call.
    piece: usize,
    /// Where it fails; what a failure looks like differs between hosts.
    fails_at: usize,
    failure: tresult,
    /// Whether it can say where it is and how long it is.
    seeks: bool,
}

struct Inner {
    bytes: Vec<u8>,
    position: usize,
}

impl Stream {
    fn new(bytes: &[u8], piece: usize) -> Self {
        let inner = Mutex::new(Inner { bytes: bytes.to_vec(), position: 0 });
        Self { inner, piece, fails_at: usize::MAX, failure: kResultFalse, seeks: true }
    }
}

impl Class for Stream {
    type Interfaces = (IBStream,);
}

impl IBStreamTrait for Stream {
    unsafe fn read(&self, buffer: *mut c_void, asked: int32, count: *mut int32) -> tresult {
        let mut inner = self.inner.lock().unwrap();
        let position = inner.position;
        let given = self.piece.min(asked as usize).min(inner.bytes.len() - position).min(self.fails_at - position);
        // SAFETY: the plugin gives room for as many bytes as it asks for.
        unsafe {
            std::ptr::copy_nonoverlapping(inner.bytes.as_ptr().add(position), buffer.cast(), given);
            *count = given as int32;
        }
        inner.position += given;
        // Some hosts call the end of a stream a failure.
        if given == 0 { kResultFalse } else { kResultOk }
    }

    unsafe fn write(&self, buffer: *mut c_void, asked: int32, count: *mut int32) -> tresult {
        let mut inner = self.inner.lock().unwrap();
        let taken = self.piece.min(asked as usize).min(self.fails_at - inner.bytes.len());
        // SAFETY: the plugin's buffer holds as many bytes as it offers.
        unsafe {
            inner.bytes.extend_from_slice(std::slice::from_raw_parts(buffer.cast(), taken));
            *count = taken as int32;
        }
        if taken == 0 { self.failure } else { kResultOk }
    }

    unsafe fn seek(&self, offset: int64, mode: int32, result: *mut int64) -> tresult {
        if !self.seeks {
            return kNotImplemented;
        }
        let mut inner = self.inner.lock().unwrap();
        let from = [0, inner.position, inner.bytes.len()][mode as usize];
        inner.position = (from as i64 + offset) as usize;
        if !result.is_null() {
            // SAFETY: not null, so it has room for a position.
            unsafe { *result = inner.position as i64 };
        }
        kResultOk
    }

    unsafe fn tell(&self, position: *mut int64) -> tresult {
        if !self.seeks {
            return kNotImplemented;
        }
        // SAFETY: the plugin gives room for a position.
        unsafe { *position = self.inner.lock().unwrap().position as i64 };
        kResultOk
    }
}

/// The session in a state.
fn saved(state: &[u8]) -> continuo::session::SavedSession {
    common::saved(&[&[0; 8], state].concat())
}

#[test]
fn a_state_is_read_to_its_end_in_whatever_pieces_it_comes() {
    let bundle = common::Bundle::new();
    let golden = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/states/1b/inline.state")).unwrap();
    // In a CLAP stream, the length comes first.
    let golden = &golden[8..];
    let take = saved(golden).take;
    assert!(take.is_some());
    for piece in [1, 23, 4096, usize::MAX] {
        for seeks in [true, false] {
            let instance = Instance::new(&bundle, &[kRealtime], &[]);
            assert!(instance.restore(Stream { seeks, ..Stream::new(golden, piece) }));
            let (saved_well, state) = instance.save(Stream { seeks, ..Stream::new(&[], piece) });
            assert!(saved_well && saved(&state).take == take, "{piece} bytes per call");
            // What follows the place from which a host has it read is all there is; what is before it is the host's.
            let stream = Stream::new(&[b"host's own", state.as_slice()].concat(), piece);
            stream.inner.lock().unwrap().position = 10;
            assert!(instance.restore(stream));
            assert_eq!(saved(&instance.save(Stream::new(&[], piece)).1).take, take);
        }
    }
}

#[test]
fn a_full_disk_is_no_saved_project_and_half_a_state_is_none() {
    let bundle = common::Bundle::new();
    let golden = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/states/1b/inline.state")).unwrap();
    let golden = &golden[8..];
    let instance = Instance::new(&bundle, &[kRealtime], &[]);
    for fails_at in [0, 1, golden.len() / 2] {
        assert!(instance.restore(Stream::new(golden, 4096)));
        // A host may also say that all is well and count nothing.
        for failure in [kResultFalse, kResultOk] {
            let (saved_well, _) = instance.save(Stream { fails_at, failure, ..Stream::new(&[], 23) });
            assert!(!saved_well, "{fails_at} of {} bytes", golden.len());
        }
        for seeks in [true, false] {
            assert!(instance.restore(Stream::new(golden, 4096)));
            assert!(!instance.restore(Stream { fails_at, seeks, ..Stream::new(golden, 23) }));
            let (saved_well, again) = instance.save(Stream::new(&[], 4096));
            assert!(saved_well);
            if fails_at == 0 {
                assert_eq!(saved(&again).take, None, "the take of before is still there");
            } else {
                assert!(again == golden[..fails_at], "what came is saved again as it came");
            }
        }
    }
    assert!(instance.restore(Stream::new(golden, 4096)));
    assert!(saved(&instance.save(Stream::new(&[], 4096)).1).take.is_some());
}
