//! Discrete autoencoders through the training loop: resumed, shared, collapsed, learnt; their codes, their priors, their packages.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::path::Path;

use common::{library, recordings, workers};
use continuo_engine::Runtime;
use continuo_package::family::ada::AdaShape;
use continuo_package::{GraphId, GraphRole, Shape as _};
use continuo_trainer::cli::{CodesArgs, DeviceArg, PlanArgs};
use continuo_trainer::codes::{self, dataset::Origin};
use continuo_trainer::config;
use continuo_trainer::data::batches::{Batches, Coder, held_out};
use continuo_trainer::data::dataset::{Dataset, Split};
use continuo_trainer::device::Device;
use continuo_trainer::family::FAMILIES;
use continuo_trainer::nn::Tensors;
use continuo_trainer::plan;
use continuo_trainer::random::{Purpose, Random};
use continuo_trainer::task::{Task, Verification};
use continuo_trainer::training::checkpoint::Checkpoint;
use continuo_trainer::training::run::{Run, RunError};
use continuo_trainer::training::trainer::{End, Limits, Trainer};

const TINY: &str = r#"
family = "ada"

[model]
sample_rate_hz = 16000
levels = 32
hop = 8

[model.encoder]
blocks = 2
cycle = 2
filter_width = 3
channels = 8

[model.modulator]
blocks = 2
cycle = 2
filter_width = 3
channels = 8

[model.decoder]
stacks = 1
layers = 3
filter_width = 2
residual_channels = 8
dilation_channels = 6
skip_channels = 12
end_channels = 12

[quantiser]
kind = "vq"
codes = 12
code_channels = 4
penalty = 0.25
gamma = 0.9
restart_below = 0.1

[training]
steps = 9
batch = 4
chunk_frames = 160
learning_rate = 0.01
clip_norm = 1.0
average_decay = 0.9
rng_seed = 5

[evaluation]
every_steps = 4
chunks = 3
chunk_frames = 160

[corpus]
description = "tones of the tests"
licence = "CC0-1.0"
"#;

const TINY_PRIOR: &str = r#"
family = "ada"
stage = "prior"

[model]
codes = 12
codes_per_second = 2000
stacks = 2
layers = 3
filter_width = 2
residual_channels = 8
dilation_channels = 8
skip_channels = 12
end_channels = 12

[training]
steps = 6
batch = 2
chunk_frames = 24
learning_rate = 0.01
average_decay = 0.9

[evaluation]
every_steps = 0
chunks = 2
chunk_frames = 24
"#;

fn amae(text: &str) -> String {
    let text = text.replace("kind = \"vq\"", "kind = \"amae\"").replace("code_channels = 4\n", "");
    text.replace("restart_below = 0.1\n", "").replace("hop = 8\n", "hop = 8\ninput = \"continuous\"\n")
}

fn dataset(dir: &Path) -> Dataset {
    common::tones(&dir.join("data"), &[2400, 390, 1900, 1205])
}

fn create(dir: &Path, name: &str, toml: &str, data: &Dataset) -> Run {
    Run::create(&dir.join(name), config::parse(toml, FAMILIES).unwrap(), data, false).unwrap()
}

/// Goes on from the newest checkpoint, or begins, and trains so many steps.
fn sitting(run: &Run, data: &Dataset, steps: u64) -> Result<End, RunError> {
    let task = run.config.task(&Device::Cpu).unwrap();
    let mut trainer = match Checkpoint::newest(&run.checkpoints()) {
        Ok((checkpoint, _)) => Trainer::resume(run, data, task, &checkpoint).unwrap(),
        Err(_) => Trainer::begin(run, data, task).unwrap(),
    };
    trainer.train(Limits { steps: Some(steps), quiet: true, ..Limits::default() })
}

/// The newest checkpoint, without what differs between two runs of the same steps.
fn newest(run: &Run) -> Checkpoint {
    let (mut checkpoint, refused) = Checkpoint::newest(&run.checkpoints()).unwrap();
    assert!(refused.is_empty());
    checkpoint.file = "checkpoint".into();
    checkpoint.progress.wall_seconds = 0.0;
    checkpoint.about = None;
    checkpoint
}

fn trained(run: &Run) -> Box<dyn Task> {
    let mut task = run.config.task(&Device::Cpu).unwrap();
    Checkpoint::newest(&run.checkpoints()).unwrap().0.restore(task.as_mut()).unwrap();
    task
}

#[test]
fn weights_and_codebook_resume_as_if_they_had_never_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(dir.path());
    for (name, toml) in [("vq", TINY.to_owned()), ("amae", amae(TINY))] {
        let whole = create(dir.path(), &format!("{name}-whole"), &toml, &data);
        assert_eq!(sitting(&whole, &data, 99).unwrap(), End::Finished);
        let expected = newest(&whole);
        assert_eq!(expected.progress.step, 9);
        let counts = &expected.tensors["buffers/codebook/counts"];
        assert!(counts.values.iter().sum::<f32>() > 1.0);
        assert_eq!(expected.tensors.contains_key("buffers/codebook/vectors"), name == "vq");
        assert!(expected.tensors.contains_key("autoencoder/average/encoder.block.1.mix.weight"));

        let broken = create(dir.path(), &format!("{name}-broken"), &toml, &data);
        for _ in 0..9 {
            sitting(&broken, &data, 1).unwrap();
        }
        assert_eq!(newest(&broken), expected, "{name}");

        // Threads change nothing, another seed everything.
        let threads = toml.replace("rng_seed = 5", "rng_seed = 5\nthreads = 2");
        let other = create(dir.path(), &format!("{name}-threads"), &threads, &data);
        sitting(&other, &data, 99).unwrap();
        assert_eq!(newest(&other).tensors, expected.tensors);
        let other = create(dir.path(), &format!("{name}-seed"), &toml.replace("rng_seed = 5", "rng_seed = 6"), &data);
        sitting(&other, &data, 99).unwrap();
        assert_ne!(newest(&other).tensors, expected.tensors);
    }
}

#[test]
fn two_workers_learn_the_codebook_of_one() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(dir.path());
    let steps = |task: &mut Box<dyn Task>, rows: std::ops::Range<usize>| {
        let mut batches = Batches::new(&data, task.batches(), 5).unwrap().of_rows(rows);
        for number in 0..4 {
            task.step(number, &mut batches).unwrap();
        }
        let codebook = task.buffers()[0].1.clone();
        (task.networks()[0].weights.values.clone(), codebook)
    };
    // Which queries codes begin at depends on how many workers there are; so none begin again, and all begin alike.
    let toml = TINY.replace("restart_below = 0.1\n", "");
    let begun = || {
        let mut task = config::parse(&toml, FAMILIES).unwrap().task(&Device::Cpu).unwrap();
        let mut random = Random::new(3, Purpose::named("codebook of the tests"), 0);
        for (_, buffer) in task.buffers_mut() {
            buffer.get_mut("vectors").iter_mut().for_each(|value| *value = 2.0 * random.uniform() - 1.0);
            buffer.get_mut("counts").fill(1.0);
            let vectors = buffer.get("vectors").to_vec();
            buffer.get_mut("sums").copy_from_slice(&vectors);
        }
        task
    };
    let (weights, codebook) = steps(&mut begun(), 0..4);
    let [first, second] = workers(|peers| {
        let mut task = begun();
        task.share(&peers).unwrap();
        let rows = 2 * peers.worker()..2 * peers.worker() + 2;
        steps(&mut task, rows)
    });
    assert_eq!((&first.0, &first.1), (&second.0, &second.1), "bit for bit");
    let near = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-3);
    assert!(near(&first.0, &weights) && near(&first.1.values, &codebook.values));
    let used = |codebook: &Tensors| codebook.get("counts").iter().sum::<f32>();
    assert!((used(&first.1) - used(&codebook)).abs() < 1e-2, "counts of all rows");
}

#[test]
fn a_collapsed_codebook_ends_the_run_in_words() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(dir.path());
    // A hundred times the commitment, a rate at which the encoder dies, and no code begins again.
    let toml = TINY.replace("restart_below = 0.1\n", "").replace("penalty = 0.25", "penalty = 25.0");
    let toml = toml.replace("steps = 9", "steps = 1000\nlog_every_steps = 25");
    let toml =
        toml.replace("every_steps = 4", "every_steps = 0").replace("learning_rate = 0.01", "learning_rate = 0.3");
    let run = create(dir.path(), "collapsed", &toml, &data);
    let error = sitting(&run, &data, 1000).unwrap_err();
    let RunError::Hopeless { step, what } = &error else { panic!("{error}") };
    assert!(*step >= 100 && what.contains("codebook has collapsed") && what.contains("restart_below"), "{error}");
    // What is trained as it should be goes on beyond that.
    let healthy =
        TINY.replace("steps = 9", "steps = 150\nlog_every_steps = 25").replace("every_steps = 4", "every_steps = 0");
    let run = create(dir.path(), "healthy", &healthy, &data);
    assert_eq!(sitting(&run, &data, 1000).unwrap(), End::Finished);
}

#[test]
fn codes_of_a_dataset_carry_a_prior_and_both_are_the_package() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(dir.path());
    let runtime = Runtime::open(&library()).unwrap();
    for (name, toml) in [("vq", TINY.to_owned()), ("amae", amae(TINY))] {
        let run = create(dir.path(), name, &toml, &data);
        sitting(&run, &data, 99).unwrap();
        let arguments = CodesArgs {
            run: run.dir.clone(),
            out: dir.path().join(format!("{name}-codes")),
            data: None,
            device: DeviceArg::Cpu,
            force: false,
        };
        let origin = codes::run(&arguments).unwrap();
        assert_eq!((origin.codes, origin.hop, origin.level, origin.steps), (12, 8, 0, 9));
        let codes = Dataset::open(&arguments.out).unwrap();
        assert_eq!(codes.sample_rate_hz(), 2_000);
        assert_eq!(Origin::of(&codes).unwrap(), Some(origin));

        // What lies there is what the encoder makes of each recording.
        let mut task = trained(&run);
        let coder = Coder::new(continuo_trainer::codes::dataset::signal(12));
        for (audio, of_codes) in data.index().recordings.iter().zip(&codes.index().recordings) {
            let found: Vec<u32> = codes.frames(of_codes).iter().map(|&frame| coder.code(frame).into()).collect();
            assert_eq!(found.len() as u64, audio.frames / 8);
            assert_eq!(found, task.encode(data.frames(audio)).unwrap());
        }

        // Audio is refused by a prior, and codes by level 0.
        let config = config::parse(TINY_PRIOR, FAMILIES).unwrap();
        let prior = config.task(&Device::Cpu).unwrap();
        assert!(prior.accept(&data).unwrap_err().contains("`continuo-trainer codes` makes"));
        assert!(task.accept(&codes).unwrap_err().contains("holds codes"));
        let run_of_prior = create(dir.path(), &format!("{name}-prior"), TINY_PRIOR, &codes);
        assert_eq!(sitting(&run_of_prior, &codes, 99).unwrap(), End::Finished);

        let mut package = task.package().unwrap();
        let mut prior = trained(&run_of_prior);
        prior.join(&mut package).unwrap();
        assert!(prior.join(&mut package).unwrap_err().contains("a prior already"));
        assert!(prior.package().unwrap_err().to_string().contains("--with"));
        let check = |dataset| Verification { runtime: &runtime, dataset };
        let said = task.verify(&mut package, &check(&data)).unwrap();
        assert!(said.iter().any(|line| line.contains("codes the same")), "{said:?}");
        let said = prior.verify(&mut package, &check(&codes)).unwrap();
        assert!(said.iter().any(|line| line.contains("prior")), "{said:?}");
        let manifest = &package.manifest;
        let shape: &AdaShape = manifest.architecture.shape_of().unwrap();
        shape.validate().unwrap();
        assert_eq!(manifest.graphs.len(), 4);
        assert!(package.graphs.contains_key(&GraphId::of(GraphRole::Prior)));
        assert!(manifest.training.figures.contains_key("prior_heldout_nll_nats"));
        assert!(manifest.training.figures["heldout_codebook_perplexity"] >= 1.0);

        // A package that is not the trained model is found out.
        let mut other = task.package().unwrap();
        for value in task.networks_mut().into_iter().flat_map(|network| network.average.iter_mut()) {
            *value *= 1.01;
        }
        let error = task.verify(&mut other, &check(&data)).unwrap_err().to_string();
        assert!(error.contains("not the trained model"), "{error}");

        // The package opens, and another run starts from it.
        let file = dir.path().join(format!("{name}.continuo"));
        package.write_draft(&file).unwrap();
        let opened = continuo_package::Package::open(&file).unwrap();
        let mut again = run.config.task(&Device::Cpu).unwrap();
        again.start_from(&opened).unwrap();
        let first = held_out(&data, &again.heldout()).unwrap();
        let (found, expected) = (again.measure(&first).unwrap(), trained(&run).measure(&first).unwrap());
        assert!((found["nll_nats"] - expected["nll_nats"]).abs() < 1e-5, "{found:?} {expected:?}");
    }
}

#[test]
fn a_second_level_stands_on_the_codes_of_the_first() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(dir.path());
    let first = create(dir.path(), "first", TINY, &data);
    sitting(&first, &data, 99).unwrap();
    let encode = |run: &Run, out: &str| {
        let (run, out) = (run.dir.clone(), dir.path().join(out));
        codes::run(&CodesArgs { run, out: out.clone(), data: None, device: DeviceArg::Cpu, force: false }).unwrap();
        Dataset::open(&out).unwrap()
    };
    let codes = encode(&first, "codes");
    let toml = amae(TINY)
        .replace("family = \"ada\"\n", "family = \"ada\"\nlevel = 1\n")
        .replace("input = \"continuous\"\n", "");
    let toml = toml.replace("levels = 32", "levels = 12").replace("hop = 8", "hop = 4");
    let toml = toml
        .replace("sample_rate_hz = 16000", "sample_rate_hz = 2000")
        .replace("chunk_frames = 160", "chunk_frames = 48");
    let second = create(dir.path(), "second", &toml, &codes);
    sitting(&second, &codes, 99).unwrap();
    let of_second = encode(&second, "codes-of-second");
    assert_eq!(Origin::of(&of_second).unwrap().map(|origin| (origin.level, origin.hop)), Some((1, 4)));
    let toml = TINY_PRIOR
        .replace("codes_per_second = 2000", "codes_per_second = 500")
        .replace("chunk_frames = 24", "chunk_frames = 12");
    let prior = create(dir.path(), "prior", &toml, &of_second);
    sitting(&prior, &of_second, 99).unwrap();

    let runtime = Runtime::open(&library()).unwrap();
    let mut package = trained(&first).package().unwrap();
    trained(&second).join(&mut package).unwrap();
    trained(&prior).join(&mut package).unwrap();
    let shape: &AdaShape = package.manifest.architecture.shape_of().unwrap();
    shape.validate().unwrap();
    assert_eq!((shape.autoencoders.len(), shape.frames_per_code(1), package.graphs.len()), (2, 32, 7));
    for (run, dataset) in [(&first, &data), (&second, &codes), (&prior, &of_second)] {
        let said = trained(run).verify(&mut package, &Verification { runtime: &runtime, dataset }).unwrap();
        assert!(said[0].contains("ONNX Runtime"), "{said:?}");
    }
    assert!(trained(&second).package().unwrap_err().to_string().contains("--with"));
}

/// Patterns of a hop each, drawn at random one after another.
const PATTERNS: u64 = 8;
const HOP: usize = 16;

fn patterns(hops: usize, index: u64) -> Vec<i16> {
    let mut random = Random::new(7, Purpose::named("patterns of the tests"), 0);
    let shapes: Vec<i16> =
        (0..PATTERNS as usize * HOP).map(|_| (random.below(60_000) as i32 - 30_000) as i16).collect();
    let mut random = Random::new(7, Purpose::named("order of the patterns"), index);
    (0..hops).flat_map(|_| shapes[random.below(PATTERNS) as usize * HOP..][..HOP].to_vec()).collect()
}

#[test]
fn the_small_model_learns_what_only_codes_can_tell() {
    let dir = tempfile::tempdir().unwrap();
    let data = recordings(&dir.path().join("data"), 16_000, 1, &[patterns(2_048, 0), patterns(512, 1)], 1);
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/ada-small.toml")).unwrap();
    // In the order of the recording, chunks begin where hops do. Shorter ones, fewer steps and a higher rate: a test is no night.
    let changed = [
        ("steps = 1500", "steps = 150\norder = \"sequential\""),
        ("decay_steps = 700", "decay_steps = 60"),
        ("warmup_steps = 100", "warmup_steps = 10"),
        ("learning_rate = 0.002", "learning_rate = 0.006"),
        ("chunk_frames = 2048", "chunk_frames = 512"),
        ("chunk_frames = 4096", "chunk_frames = 1024"),
        ("every_steps = 250", "every_steps = 0"),
    ];
    let text = changed.iter().fold(text, |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    });
    let run = create(dir.path(), "small", &text, &data);
    assert_eq!(sitting(&run, &data, 999).unwrap(), End::Finished);
    let mut task = trained(&run);
    let figures = task.measure(&held_out(&data, &task.heldout()).unwrap()).unwrap();
    // Which pattern comes next is drawn: whoever hears the past alone pays ln 8 for each hop.
    let blind = (PATTERNS as f64).ln() / HOP as f64;
    assert!(figures["nll_nats"] < 0.6 * blind, "{figures:?}: without codes it is {blind:.3} at best");
    assert!(figures["perplexity"] > 0.8 * PATTERNS as f64, "{figures:?}");
    let codes = task.encode(data.frames(data.recordings(Split::Heldout).next().unwrap())).unwrap();
    assert_eq!(codes.len(), 512);
}

#[test]
fn a_plan_passes_over_what_is_finished_and_goes_on_with_what_has_begun() {
    let dir = tempfile::tempdir().unwrap();
    dataset(dir.path());
    let file = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    file("level.toml", TINY);
    file("prior.toml", TINY_PRIOR);
    let stages = "[[stage]]\nname = \"level\"\ntrain = \"level.toml\"\n\n[[stage]]\nname = \"codes\"\ncodes = \"level\"\n\n\
                  [[stage]]\nname = \"prior\"\ntrain = \"prior.toml\"\ndata = \"codes\"\n";
    file("plan.toml", stages);
    let arguments = PlanArgs {
        plan: dir.path().join("plan.toml"),
        data: dir.path().join("data"),
        out: dir.path().join("out"),
        stage: None,
        device: DeviceArg::Cpu,
        plain: true,
        runtime: None,
    };
    let stage = |name: &str| PlanArgs { stage: Some(name.into()), ..arguments.clone() };
    assert!(plan::run(&stage("codes")).unwrap_err().to_string().contains("stage \"codes\""), "nothing is trained yet");
    assert!(plan::run(&stage("nobody")).unwrap_err().to_string().contains("level, codes, prior"));

    // The level stands in its middle, as if somebody had stopped it.
    let data = Dataset::open(&arguments.data).unwrap();
    let run = create(&arguments.out, "level", TINY, &data);
    sitting(&run, &data, 4).unwrap();
    assert_eq!(plan::run(&arguments).unwrap(), End::Finished);
    let open = |name: &str| Run::open(&arguments.out.join(name), FAMILIES).unwrap();
    assert_eq!((newest(&open("level")).progress.step, newest(&open("prior")).progress.step), (9, 6));
    let whole = create(dir.path(), "whole", TINY, &data);
    sitting(&whole, &data, 99).unwrap();
    assert_eq!(newest(&open("level")).tensors, newest(&whole).tensors);

    // Again: nothing is made anew.
    let made = |name: &str| std::fs::metadata(arguments.out.join(name)).unwrap().modified().unwrap();
    let index = made("codes/index.json");
    assert_eq!(plan::run(&arguments).unwrap(), End::Finished);
    assert_eq!(made("codes/index.json"), index);
    // After more steps of the level its codes are others.
    let mut level = open("level");
    level.config.set_steps(11);
    level.save().unwrap();
    plan::run(&stage("level")).unwrap();
    plan::run(&stage("codes")).unwrap();
    let codes = Dataset::open(&arguments.out.join("codes")).unwrap();
    assert_eq!(Origin::of(&codes).unwrap().map(|origin| origin.steps), Some(11));
}
