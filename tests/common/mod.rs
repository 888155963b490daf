//! A bundle of the built plugin with a small model of random weights, and what the host tests share.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::missing_panics_doc, clippy::missing_errors_doc)]

#[path = "../../crates/engine/tests/support/graph.rs"]
pub mod graph;

pub use continuo_testhost as host;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use continuo::json::Object;
use continuo::session::{Repeat, SavedPlacement, SavedSession};
use continuo::take::Take;
use continuo::take::bench::lay_out;
use continuo_engine::audio::{Clip, WavFormat, write_wav};
use continuo_package::family::wavenet::FAMILY;
use continuo_package::{
    Architecture, Defaults, FORMAT_VERSION, GraphId, GraphRole, Manifest, PackageWriter, Shape, Signal, TrainingFacts,
};
use continuo_realtime::Frame;
use prost::Message as _;

/// Rate of the test model.
pub const MODEL_RATE_HZ: u32 = 16_000;

/// A folder with `Continuo.clap` and, beside it, `Continuo.resources`, as the bundler lays them out.
///
/// Each bundle is a library of its own to the loader, and so has a renderer of its own.
pub struct Bundle {
    pub folder: tempfile::TempDir,
    pub clap: PathBuf,
    pub model: PathBuf,
    pub seed: PathBuf,
}

impl Bundle {
    pub fn new() -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let clap = folder.path().join("Continuo.clap");
        std::fs::copy(library(), &clap).unwrap();
        let presets = folder.path().join("Continuo.resources/presets");
        std::fs::create_dir_all(presets.join("models")).unwrap();
        std::fs::create_dir_all(presets.join("seeds")).unwrap();
        let model = presets.join("models/piano-16k.continuo");
        write_model(&model);
        let seed = presets.join("seeds/01-test.wav");
        write_wav(&seed, &seed_clip(), WavFormat::I24).unwrap();
        Self { folder, clap, model, seed }
    }

    pub fn load(&self) -> host::Plugin {
        host::Plugin::load(&self.clap).unwrap()
    }
}

/// The plugin library of this very build, beside the test program.
fn library() -> PathBuf {
    let name = format!("{}continuo{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let program = std::env::current_exe().unwrap();
    let beside = program.parent().unwrap().join(&name);
    if beside.is_file() { beside } else { program.parent().unwrap().parent().unwrap().join(name) }
}

/// Writes a package with random weights.
pub fn write_model(path: &Path) {
    write_model_of(path, 7);
}

/// Writes a package with the random weights of a number.
pub fn write_model_of(path: &Path, number: u64) {
    let shape = graph::small();
    let manifest = Manifest {
        format_version: FORMAT_VERSION,
        name: "Random".into(),
        author: "The tests".into(),
        licence: "CC0-1.0".into(),
        sample_rate_hz: MODEL_RATE_HZ,
        channels: 1,
        signal: Signal::MuLaw { levels: shape.levels },
        reach: shape.reach(),
        architecture: Architecture::new(&FAMILY, shape.clone()),
        graphs: shape.graphs(),
        defaults: Defaults::default(),
        training: TrainingFacts::default(),
        run_id: "test".into(),
        trainer_version: "0".into(),
    };
    let model = graph::wavenet_graph(&shape, number);
    PackageWriter::new(manifest, "Do as you like.\n")
        .graph(GraphId::of(GraphRole::Step), model.encode_to_vec())
        .write(path)
        .unwrap();
}

/// Half a second of stereo that starts loud, so that its first frame shows.
pub fn seed_clip() -> Clip {
    let tone = |hz: f32| (0..24_000).map(|frame| 0.5 * (hz * frame as f32 / 48_000.0 * 6.283_185_5).cos()).collect();
    Clip { sample_rate_hz: 48_000, channels: vec![tone(220.0), tone(331.0)] }
}

/// What the session in a CLAP state holds: eight bytes of length, then zstd over JSON with JSON inside.
pub fn saved(state: &[u8]) -> SavedSession {
    let plain = zstd::decode_all(&state[8..]).unwrap();
    let whole: serde_json::Value = serde_json::from_slice(&plain).unwrap();
    serde_json::from_str(whole["fields"]["session"].as_str().unwrap()).unwrap()
}

/// `state` with its session changed.
pub fn with_session(state: &[u8], change: impl FnOnce(&mut SavedSession)) -> Vec<u8> {
    let mut session = saved(state);
    change(&mut session);
    let plain = zstd::decode_all(&state[8..]).unwrap();
    let mut whole: serde_json::Value = serde_json::from_slice(&plain).unwrap();
    whole["fields"]["session"] = serde_json::Value::String(serde_json::to_string(&session).unwrap());
    let packed = zstd::encode_all(serde_json::to_vec(&whole).unwrap().as_slice(), 1).unwrap();
    let mut bytes = (packed.len() as u64).to_le_bytes().to_vec();
    bytes.extend(packed);
    bytes
}

/// The take in a state.
pub fn take(state: &[u8]) -> Take {
    saved(state).take.expect("the state holds a take").unpack(None).unwrap()
}

/// What variation `index` of a take sounds like at a rate, left and right, without any fade.
pub fn sound(take: &Take, rate_hz: u32, index: usize, with_seed: bool) -> [Vec<f32>; 2] {
    heard_of(take, rate_hz, index, (with_seed, false))
}

/// The same, with or without the seed clip, and at the clip's level or as it was made.
pub fn heard_of(take: &Take, rate_hz: u32, index: usize, (with_seed, matched): (bool, bool)) -> [Vec<f32>; 2] {
    let play = lay_out(take, rate_hz).unwrap();
    let view = play.view(index, with_seed, matched).unwrap();
    let (left, right) = (0..view.frames() as i64)
        .map(|frame| match view.frame(frame) {
            Frame::Ready([left, right]) => (left, right),
            other => panic!("frame {frame}: {other:?}"),
        })
        .unzip();
    [left, right]
}

/// Renders with the given parameters in an offline host, from bar 1 on, and gives what was heard and the state then.
pub fn render(bundle: &Bundle, values: &[(&str, &str)], seconds: f64) -> (Vec<[f32; 2]>, Vec<u8>) {
    let mut plugin = bundle.load();
    plugin.set_offline().unwrap();
    let heard = play(&mut plugin, 48_000, 512, values, 0, (seconds * 48_000.0) as usize, true);
    let state = wait_for_take(&mut plugin, |_| true);
    (heard, state)
}

/// The plugin's state once it holds a finished take that is `wanted`.
pub fn wait_for_take(plugin: &mut host::Plugin, wanted: impl Fn(&Take) -> bool) -> Vec<u8> {
    for _ in 0..6_000 {
        let state = plugin.save().unwrap();
        if saved(&state).take.is_some() && wanted(&take(&state)) {
            return state;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("the render does not come to an end");
}

/// Plays `frames` frames from `position` on in blocks of `block`; `values` are set in the first block, and `render` goes on
/// there if `render` says so.
pub fn play(
    plugin: &mut host::Plugin,
    rate_hz: u32,
    block: u32,
    values: &[(&str, &str)],
    position: i64,
    frames: usize,
    render: bool,
) -> Vec<[f32; 2]> {
    let mut events: Vec<_> = values.iter().map(|(id, text)| plugin.value(id, text).unwrap()).collect();
    let (off, on) = (plugin.value("render", "off").unwrap(), plugin.value("render", "on").unwrap());
    events.extend(render.then_some(on));
    let setup = host::Setup { sample_rate_hz: rate_hz, block };
    plugin
        .play(
            setup,
            |_| {},
            move |deck| {
                if render {
                    // It may have been left on.
                    deck.set(0, off);
                    deck.run(1)?;
                }
                for event in events {
                    deck.set(0, event);
                }
                deck.position = position;
                deck.playing = true;
                roll(deck, frames, block)
            },
        )
        .unwrap()
}

/// Runs the deck for `frames` frames.
pub fn roll(deck: &mut host::Deck, frames: usize, block: u32) -> anyhow::Result<Vec<[f32; 2]>> {
    let mut heard = Vec::with_capacity(frames);
    while heard.len() < frames {
        let count = (frames - heard.len()).min(block as usize);
        let channels = deck.run(count as u32)?;
        heard.extend((0..count).map(|frame| [channels[0][frame], channels[1][frame]]));
    }
    Ok(heard)
}

/// The same, as bits: what "the same audio" means here.
pub fn bits(frames: &[[f32; 2]]) -> Vec<[u32; 2]> {
    frames.iter().map(|frame| frame.map(f32::to_bits)).collect()
}

/// A state of a fresh instance with a finished take: rendered once, for all tests of a program.
pub fn finished_state() -> (Arc<Bundle>, Vec<u8>) {
    static ONCE: std::sync::OnceLock<(Arc<Bundle>, Vec<u8>)> = std::sync::OnceLock::new();
    let (bundle, state) = ONCE.get_or_init(|| {
        let bundle = Bundle::new();
        let (_, state) = render(&bundle, &[("length", "1"), ("takes", "2"), ("rng_seed", "5")], 0.1);
        (Arc::new(bundle), state)
    });
    (Arc::clone(bundle), state.clone())
}

/// A variation of the chosen take of a state, placed in the song.
pub fn placement(state: &[u8], variation: usize, begin: f64, bars: Option<u32>, repeat: Repeat) -> SavedPlacement {
    let take = saved(state).take.expect("the state holds a take").variations[0].sha256.clone();
    SavedPlacement { take, number: 1, variation, begin, bars, repeat, gain_db: 0.0, other: Object::default() }
}

/// A state with these placements.
pub fn place(state: &[u8], placements: &[SavedPlacement]) -> Vec<u8> {
    with_session(state, |session| session.arrangement = placements.to_vec())
}
