//! Shapes, weights, sequences, datasets and configurations for the trainer's tests.

#![allow(dead_code, clippy::unwrap_used)]

#[cfg(feature = "gpu")]
pub mod gpu;
pub mod program;
pub mod toy;

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use continuo_engine::{Model, VoiceRequest};
use continuo_package::family::wavenet::reference::Reference;
use continuo_package::family::wavenet::{Activation, WaveNetShape};
use continuo_trainer::cli::ExportArgs;
use continuo_trainer::family::wavenet::parameters::Table;
use continuo_trainer::family::wavenet::sequence::{Sequence, Symbols};
use continuo_trainer::peers::join::{Greeting, join};
use continuo_trainer::peers::key::Key;
use continuo_trainer::peers::meeting::Meeting;
use continuo_trainer::peers::{Peers, Standing};
use continuo_trainer::random::{Purpose, Random};

/// A shape whose channels are no multiples of anything, with three taps and uneven dilations.
pub fn odd_shape(biases: bool) -> WaveNetShape {
    WaveNetShape {
        levels: 19,
        dilations: vec![1, 2, 5, 1, 3],
        filter_width: 3,
        residual_channels: 5,
        dilation_channels: 18,
        skip_channels: 7,
        end_channels: 17,
        biases,
        ..WaveNetShape::default()
    }
}

/// A small shape with two taps.
pub fn small_shape() -> WaveNetShape {
    WaveNetShape {
        levels: 32,
        dilations: WaveNetShape::doubling_dilations(2, 4),
        filter_width: 2,
        residual_channels: 16,
        dilation_channels: 12,
        skip_channels: 20,
        end_channels: 16,
        ..WaveNetShape::default()
    }
}

/// Sequences of arbitrary codes with `targets` targets each.
pub fn sequences(shape: &WaveNetShape, count: usize, targets: usize, rng_seed: u64) -> Vec<Sequence> {
    let mut random = Random::new(rng_seed, Purpose::named("codes of the tests"), 0);
    let length = shape.receptive_field_frames() as usize + targets;
    let classes = shape.classes.len().max(1);
    let sequence = |index: usize| {
        let symbols = if shape.is_real() {
            Symbols::Values((0..length).map(|_| 2.0 * random.uniform() - 1.0).collect())
        } else {
            Symbols::Codes((0..length).map(|_| random.below(shape.levels.into()) as u16).collect())
        };
        Sequence { symbols, class: index % classes }
    };
    (0..count).map(sequence).collect()
}

/// What two workers come to, each on a thread of its own.
pub fn workers<T: Send>(work: impl Fn(Peers) -> T + Sync) -> [T; 2] {
    let meeting = Meeting::here().unwrap();
    let address = meeting.address().to_string();
    let standing = Standing {
        trainer_version: String::new(),
        workers: 2,
        config: String::new(),
        dataset: String::new(),
        step: 0,
        state: String::new(),
        most_bytes: 1 << 20,
    };
    let patience = Duration::from_secs(30);
    let greeting = Greeting { worker: 1, standing: standing.clone() };
    std::thread::scope(|scope| {
        let other = || work(join(&address, &greeting, &Key::default(), patience, &mut || None).unwrap());
        let other = scope.spawn(other);
        let first = work(meeting.welcome(&standing, &Key::default(), patience, &mut || None).unwrap());
        [first, other.join().unwrap()]
    })
}

/// What the network in double precision puts out for the last N frames, row by row.
pub fn expected_outputs(reference: &mut Reference, sequence: &Sequence) -> Vec<f64> {
    reference.set_class(sequence.class);
    match &sequence.symbols {
        Symbols::Codes(codes) => reference.logits(codes).concat(),
        Symbols::Values(values) => reference.predictions(values),
    }
}

/// The mean loss of a batch whose sequences have one length.
pub fn expected_loss(reference: &mut Reference, batch: &[Sequence]) -> f64 {
    let loss = |sequence: &Sequence| {
        reference.set_class(sequence.class);
        match &sequence.symbols {
            Symbols::Codes(codes) => reference.loss(std::slice::from_ref(codes)),
            Symbols::Values(values) => reference.squared_error(std::slice::from_ref(values)),
        }
    };
    batch.iter().map(loss).sum::<f64>() / batch.len() as f64
}

/// The odd shape over real values, with each of the functions that a head may have.
pub fn real_shape() -> WaveNetShape {
    let (activation, output) = (Activation::Tanh, Activation::ScaledTanh);
    WaveNetShape { levels: 0, activation, output, ..odd_shape(true) }
}

/// The odd shape with three classes, and a head with a scaled tanh in place of rectified sums.
pub fn told_shape() -> WaveNetShape {
    let classes = ["grand", "upright", "harpsichord"].map(String::from).to_vec();
    WaveNetShape { classes, activation: Activation::ScaledTanh, ..odd_shape(true) }
}

/// The odd shape whose head has no functions at all.
pub fn plain_shape() -> WaveNetShape {
    WaveNetShape { activation: Activation::None, ..odd_shape(true) }
}

/// Weights large enough that every non-linearity matters, biases included.
pub fn weights(table: &Table, rng_seed: u64) -> Vec<f32> {
    let mut random = Random::new(rng_seed, Purpose::named("weights of the tests"), 0);
    (0..table.weights()).map(|_| random.uniform() - 0.5).collect()
}

/// The network in double precision, with these weights.
pub fn reference(table: &Table, values: &[f32]) -> Reference {
    Reference::new(&table.shape, |name, _| values[table.find(name).unwrap().range()].to_vec())
}

/// A dataset in `dir`: one file of tones per length, the last one held out. Their periods are whole numbers of frames.
pub fn tones(dir: &std::path::Path, lengths: &[u64]) -> continuo_trainer::data::dataset::Dataset {
    tones_of(dir, 1, lengths)
}

/// The same with this many channels, all alike.
pub fn tones_of(dir: &std::path::Path, channels: u16, lengths: &[u64]) -> continuo_trainer::data::dataset::Dataset {
    let period = 40.0;
    let tone = |i: usize, length: u64| {
        let frame = |t: u64| {
            // Whole frames apart, so that every file holds the same values.
            let phase = std::f64::consts::TAU * (t as f64 + 7.0 * i as f64) / period;
            let amplitude = 0.5 * phase.sin() + 0.2 * (3.0 * phase).sin();
            (amplitude * 32_767.0) as i16
        };
        (0..length).map(frame).collect()
    };
    let sounds: Vec<Vec<i16>> = lengths.iter().enumerate().map(|(i, &length)| tone(i, length)).collect();
    recordings(dir, 16_000, channels, &sounds, 1)
}

/// A dataset in `dir` of these sounds, each the same in all channels, the last `heldout` of them held out.
pub fn recordings(
    dir: &std::path::Path,
    rate_hz: u32,
    channels: u16,
    sounds: &[Vec<i16>],
    heldout: usize,
) -> continuo_trainer::data::dataset::Dataset {
    use continuo_trainer::data::dataset::{
        Dataset, FORMAT_VERSION, FRAMES_FILE, INDEX_FILE, Index, Levels, Recording, Split,
    };
    let mut offset = 0;
    let mut frames: Vec<u8> = Vec::new();
    let mut recordings = Vec::new();
    for (i, sound) in sounds.iter().enumerate() {
        for frame in sound {
            (0..channels).for_each(|_| frames.extend(frame.to_le_bytes()));
        }
        let length = sound.len() as u64;
        let split = if i + heldout >= sounds.len() { Split::Heldout } else { Split::Train };
        recordings.push(Recording {
            name: format!("tone{i}.wav"),
            offset,
            frames: length,
            split,
            source: format!("tone{i}.wav").into(),
            source_sha256: format!("{i:064}"),
            source_rate_hz: rate_hz,
            source_channels: channels,
            levels: Levels::default(),
            trimmed: None,
            warnings: Vec::new(),
        });
        offset += length;
    }
    let index = Index {
        format_version: FORMAT_VERSION,
        trainer_version: "0".into(),
        sample_rate_hz: rate_hz,
        channels,
        holdout: 0.5,
        frames_total: offset,
        trim_silence_dbfs: None,
        recordings,
    };
    std::fs::create_dir_all(dir).unwrap();
    std::fs::write(dir.join(FRAMES_FILE), frames).unwrap();
    std::fs::write(dir.join(INDEX_FILE), serde_json::to_vec(&index).unwrap()).unwrap();
    Dataset::open(dir).unwrap()
}

/// ONNX Runtime: the file that `CONTINUO_ONNXRUNTIME` names, else the one that `cargo xtask fetch-runtime` puts in place.
pub fn library() -> std::path::PathBuf {
    let name = "libcontinuo_onnxruntime.so";
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../.cache/runtime");
    let path = std::env::var_os("CONTINUO_ONNXRUNTIME").map_or_else(|| folder.join(name), std::path::PathBuf::from);
    assert!(
        path.is_file(),
        "{}: no ONNX Runtime library; run `cargo xtask fetch-runtime` first, or set CONTINUO_ONNXRUNTIME",
        path.display()
    );
    path
}

/// What a model plays after a clip, which may be empty.
pub fn played(model: &Model, request: &VoiceRequest, clip: &[f32], frames: usize) -> Vec<f32> {
    let mut voice = model.voice(request).unwrap();
    let cancel = AtomicBool::new(false);
    if !clip.is_empty() {
        voice.prime(&[clip], &cancel).unwrap();
    }
    let mut sound = vec![Vec::new()];
    voice.generate(frames, &mut sound, &cancel).unwrap();
    sound.remove(0)
}

/// Pearson's correlation.
pub fn correlation(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len());
    let mean = |x: &[f32]| x.iter().map(|&x| f64::from(x)).sum::<f64>() / x.len() as f64;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for (&a, &b) in a.iter().zip(b) {
        let (a, b) = (f64::from(a) - mean_a, f64::from(b) - mean_b);
        ab += a * b;
        aa += a * a;
        bb += b * b;
    }
    ab / (aa * bb).sqrt()
}

/// An export with these settings to start with.
pub fn export_arguments(run: &Path, out: &Path, temperature: f32, top_k: u32) -> ExportArgs {
    ExportArgs {
        run: run.to_path_buf(),
        out: out.to_path_buf(),
        with: Vec::new(),
        name: None,
        author: "The tests".into(),
        licence: "CC0-1.0".into(),
        licence_file: None,
        runtime: Some(library()),
        data: None,
        temperature: Some(temperature),
        top_k: Some(top_k),
    }
}

/// A configuration that trains in a second.
pub const TINY: &str = r#"
family = "wavenet"

[model]
sample_rate_hz = 16000
levels = 64
stacks = 2
layers = 4
filter_width = 2
residual_channels = 16
dilation_channels = 16
skip_channels = 32
end_channels = 32

[training]
steps = 12
batch = 3
chunk_frames = 400
learning_rate = 0.01
warmup_steps = 3
decay = "linear"
decay_steps = 4
decay_to = 0.1
clip_norm = 1.0
average_decay = 0.9
rng_seed = 5

[evaluation]
every_steps = 4
chunks = 2
chunk_frames = 500

[corpus]
description = "tones of the tests"
licence = "CC0-1.0"
"#;
