//! What this machine can do and how near the engine comes: `cargo xtask bench roofline` and `cargo xtask bench engine`.
//!
//! Peers are measured in the same run. Each figure is the median of repeated runs; JSON with all of them goes to the file
//! that `--json` names.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

#[path = "support/ada.rs"]
mod ada;
#[path = "../tests/common/mod.rs"]
mod common;

use common::support::clip::notes;
use common::support::graph::{piano_2016, thirty_layers};
use common::{RandomPackage, STEP, generate, piano, prime, runtime};
use continuo_engine::family::wavenet::WaveNetWeights;
use continuo_engine::kernels::packed::{BLOCK, Block};
use continuo_engine::kernels::wavenet::{PackedWaveNet, Scratch};
use continuo_engine::kernels::{Kernel, Precision, roofline};
use continuo_engine::ort::StepGraph;
use continuo_engine::{
    Forecasts, LoadOptions, Model, RenderRequest, Sampling, Stepping, Voice, VoiceRequest, Workers, render,
};
use continuo_package::{Package, onnx};
use serde_json::{Value, json};
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

/// Frames per second of the networks here.
const RATE_HZ: f64 = 16_000.0;

/// A voice of so many variations.
fn voice(model: &Model, precision: Precision, variations: u32, workers: &Workers) -> Box<dyn Voice> {
    let request = VoiceRequest::new(Sampling::default(), 0..variations);
    model.voice(&VoiceRequest { precision: Some(precision), workers: workers.clone(), ..request }).unwrap()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The median time of `run`, over so many runs, in seconds.
fn seconds(times: usize, mut run: impl FnMut()) -> f64 {
    let once = |_| {
        let started = Instant::now();
        run();
        started.elapsed().as_secs_f64()
    };
    median((0..times).map(once).collect())
}

/// Median microseconds of a step, from a hundred runs of twenty.
fn step_micros(mut step: impl FnMut()) -> f64 {
    (0..50).for_each(|_| step());
    seconds(100, || (0..20).for_each(|_| step())) / 20.0 * 1e6
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

fn machine() -> Value {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let line = cpu.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split(": ").nth(1).unwrap_or("unknown").to_owned()
    };
    json!({
        "cpu": field("model name"), "family": field("cpu family"), "model": field("model\t"), "cores": cores(),
        "kernels": Kernel::available().map(Kernel::name).collect::<Vec<_>>(),
    })
}

/// Peaks and bandwidths, measured.
struct Roofline {
    /// Multiply-adds per second on one core, by precision.
    peak: [f64; 3],
    /// Bytes per second on one core: what lies in each cache and in memory.
    levels: [(&'static str, usize, f64); 4],
}

impl Roofline {
    fn measure() -> Self {
        let kernel = Kernel::best();
        let levels = [("L1", 16 << 10), ("L2", 512 << 10), ("L3", 8 << 20), ("memory", 256 << 20)];
        Self {
            peak: Precision::ALL.map(|precision| roofline::peak_multiply_adds(kernel, precision, 1)),
            levels: levels.map(|(name, bytes)| (name, bytes, roofline::read_bandwidth(kernel, bytes, 1))),
        }
    }

    /// Bandwidth of the nearest level that holds so many bytes from one pass to the next.
    fn bandwidth(&self, bytes: usize) -> (&'static str, f64) {
        let level = match bytes {
            0..=24_576 => 0,
            24_577..=900_000 => 1,
            900_001..=24_000_000 => 2,
            _ => 3,
        };
        (self.levels[level].0, self.levels[level].2)
    }
}

fn print_roofline() -> Value {
    let best = Kernel::best();
    let mut peaks = Vec::new();
    println!("{:<20} {:<6} {:>16} {:>16}", "peak, registers", "", "1 core, G/s", format!("{} cores, G/s", cores()));
    for kernel in Kernel::available() {
        for precision in Precision::ALL {
            let [one, all] = [1, cores()].map(|threads| roofline::peak_multiply_adds(kernel, precision, threads) / 1e9);
            println!("{:<20} {:<6} {one:>16.1} {all:>16.1}", kernel.name(), precision.name());
            peaks.push(json!({"kernel": kernel.name(), "precision": precision, "one_core": one, "all_cores": all}));
        }
    }
    let mut reads = Vec::new();
    println!("\n{:<20} {:<6} {:>16} {:>16}", "reading", "", "1 core, GB/s", format!("{} cores, GB/s", cores()));
    for (name, bytes) in [("L1", 16 << 10), ("L2", 512 << 10), ("L3", 8 << 20), ("memory", 256 << 20)] {
        let [one, all] = [1, cores()].map(|threads| roofline::read_bandwidth(best, bytes, threads) / 1e9);
        println!("{name:<20} {:<6} {one:>16.1} {all:>16.1}", format!("{} K", bytes >> 10));
        reads.push(json!({"level": name, "bytes": bytes, "one_core": one, "all_cores": all}));
    }
    println!("(multiply-adds: one counts as one, not as two operations)");
    json!({"multiply_adds_per_second_1e9": peaks, "read_bytes_per_second_1e9": reads})
}

/// A network with random weights, and ONNX Runtime's time for a frame of it.
struct Subject {
    name: &'static str,
    package: RandomPackage,
    weights: WaveNetWeights,
    onnx_micros: f64,
}

impl Subject {
    fn new(name: &'static str, package: RandomPackage) -> Self {
        let opened = Package::open(&package.path).unwrap();
        let graph = &opened.graphs[&STEP];
        let weights = WaveNetWeights::from_graph(&package.shape, &onnx::decode(graph).unwrap().graph.unwrap()).unwrap();
        let session = StepGraph::new(&runtime(), graph, opened.manifest.graph(STEP).unwrap()).unwrap();
        let mut state = session.bind::<u32>(&session.initial_state().unwrap(), 0).unwrap();
        let onnx_micros = step_micros(|| {
            black_box(session.step(&mut state, black_box(100)).unwrap());
        });
        Self { name, package, weights, onnx_micros }
    }

    /// A table of precisions and takes on one core.
    fn steps(&self, roofline: &Roofline, takes: &[usize], json: &mut Vec<Value>) {
        let kernel = Kernel::best();
        println!("\n{}: ONNX Runtime, preallocated IoBinding, {:.1} µs per frame", self.name, self.onnx_micros);
        println!(
            "{:<6} {:>5} {:>10} {:>10} {:>10} {:>10} {:>9} {:>9} {:>14}",
            "", "takes", "µs/frame", "µs/take", "× ONNX", "× real", "% peak", "% read", "× takes alone"
        );
        for precision in Precision::ALL {
            let net = PackedWaveNet::new(&self.weights, precision, 0).unwrap();
            let bytes = net.lines() * 64;
            let mut alone = 0.0;
            for &takes in takes {
                let mut states = vec![net.new_state(); takes];
                let mut scratch = Scratch::default();
                let mut logits = vec![Block::default(); takes * net.logits_stride() / BLOCK];
                let codes = vec![black_box(100); takes];
                let micros = step_micros(|| net.step(kernel, &mut scratch, &mut states, &codes, &mut logits));
                let each = micros / takes as f64;
                if takes == 1 {
                    alone = micros;
                }
                let peak =
                    net.multiply_adds() as f64 * takes as f64 / (micros * 1e-6) / roofline.peak[precision as usize];
                let (level, bandwidth) = roofline.bandwidth(bytes);
                let read = bytes as f64 / (micros * 1e-6) / bandwidth;
                let (onnx, real) = (self.onnx_micros / each, 1e6 / RATE_HZ / micros);
                println!(
                    "{:<6} {takes:>5} {micros:>10.1} {each:>10.1} {onnx:>10.1} {real:>10.2} {:>9.0} {:>6.0} {level} {:>14.2}",
                    precision.name(),
                    peak * 100.0,
                    read * 100.0,
                    alone / each
                );
                json.push(json!({
                    "network": self.name, "kernel": kernel.name(), "precision": precision, "takes": takes, "cores": 1,
                    "micros_per_frame": micros, "onnx_runtime_micros": self.onnx_micros, "times_onnx_runtime": onnx,
                    "times_real_time": real, "share_of_peak": peak, "share_of_read": read, "read_from": level,
                    "packed_bytes": bytes, "times_takes_alone": alone / each,
                }));
            }
        }
    }

    /// Steps in every vector kernel that this processor can run.
    fn kernels(&self, json: &mut Vec<Value>) {
        println!("\n{}: µs per pass by kernel", self.name);
        for kernel in Kernel::available().filter(|kernel| kernel.name() != "scalar") {
            for precision in Precision::ALL {
                let net = PackedWaveNet::new(&self.weights, precision, 0).unwrap();
                let [one, eight] = [1, 8].map(|takes| {
                    let (mut states, codes) = (vec![net.new_state(); takes], vec![black_box(100); takes]);
                    let mut scratch = Scratch::default();
                    let mut logits = vec![Block::default(); takes * net.logits_stride() / BLOCK];
                    step_micros(|| net.step(kernel, &mut scratch, &mut states, &codes, &mut logits))
                });
                println!("{:<20} {:<6} 1 take {one:>8.1}   8 takes {eight:>8.1}", kernel.name(), precision.name());
                json.push(json!({
                    "network": self.name, "work": "kernel", "kernel": kernel.name(), "precision": precision,
                    "micros_of_1_take": one, "micros_of_8_takes": eight,
                }));
            }
        }
    }

    /// Whole frames with sampling, on one core and on all.
    fn generate(&self, takes: &[u32], json: &mut Vec<Value>) {
        let model = self.package.native();
        println!("\n{}: generating with sampling", self.name);
        println!("{:<6} {:>5} {:>7} {:>10} {:>10} {:>10}", "", "takes", "threads", "µs/frame", "× ONNX", "× real");
        for precision in Precision::ALL {
            for &takes in takes {
                for threads in [1, cores()] {
                    let workers = Workers::new(threads, || {}).unwrap();
                    let mut voice = voice(&model, precision, takes, &workers);
                    let mut out = vec![Vec::new(); takes as usize];
                    generate(&mut *voice, 256, &mut out);
                    let micros = seconds(15, || generate(&mut *voice, 256, &mut out)) / 256.0 * 1e6;
                    let (onnx, real) = (self.onnx_micros * f64::from(takes) / micros, 1e6 / RATE_HZ / micros);
                    println!(
                        "{:<6} {takes:>5} {threads:>7} {micros:>10.1} {onnx:>10.1} {real:>10.2}",
                        precision.name()
                    );
                    json.push(json!({
                        "network": self.name, "precision": precision, "takes": takes, "threads": threads,
                        "with_sampling": true, "micros_per_frame": micros, "times_onnx_runtime": onnx,
                        "times_real_time": real,
                    }));
                }
            }
        }
    }

    /// Priming with 10 s, beside ONNX Runtime over the frames that are heard.
    fn prime(&self, json: &mut Vec<Value>) {
        let model = self.package.native();
        let clip = notes((10.0 * RATE_HZ) as usize, RATE_HZ as f32, 3);
        let opened = Package::open(&self.package.path).unwrap();
        let graph = &opened.graphs[&STEP];
        let session = StepGraph::new(&runtime(), graph, opened.manifest.graph(STEP).unwrap()).unwrap();
        let reach = model.manifest().reach.frames().unwrap() as usize;
        let signal = model.manifest().signal;
        let codes: Vec<u32> = clip[clip.len() - reach..].iter().map(|&value| signal.encode(value)).collect();
        let mut logits = Vec::new();
        let onnx = seconds(3, || {
            session.run(&mut session.initial_state().unwrap(), 0, &codes, &mut logits).unwrap();
        });
        println!("\n{}: priming with 10 s (the last {reach} frames are heard): ONNX Runtime {onnx:.3} s", self.name);
        for precision in Precision::ALL {
            let prime = seconds(5, || prime(&mut *voice(&model, precision, 1, &Workers::alone()), &clip));
            println!("{:<6} {prime:>10.3} s {:>10.1} × ONNX Runtime", precision.name(), onnx / prime);
            json.push(json!({
                "network": self.name, "work": "prime 10 s", "precision": precision, "seconds": prime,
                "onnx_runtime_seconds": onnx,
            }));
        }
    }

    /// From a package file to a model that can render.
    fn load(&self, json: &mut Vec<Value>) {
        let megabytes = std::fs::metadata(&self.package.path).unwrap().len() as f64 / 1e6;
        println!("\n{}: loading {megabytes:.1} MB to ready", self.name);
        let ready = |model: &Arc<Model>, precision| {
            drop(voice(model, precision, 1, &Workers::alone()));
        };
        for precision in Precision::ALL {
            for (what, runtime) in [("checked against ONNX Runtime", Some(runtime())), ("unchecked", None)] {
                let options = LoadOptions {
                    runtime,
                    stepping: Stepping::Auto,
                    precision: Some(precision),
                    ..LoadOptions::default()
                };
                let load = seconds(5, || ready(&Model::load(&self.package.path, &options).unwrap(), precision));
                println!("{:<6} {:>8.0} ms, {what}", precision.name(), load * 1e3);
                json.push(json!({
                    "network": self.name, "work": "load", "precision": precision, "what": what, "seconds": load,
                    "megabytes": megabytes,
                }));
            }
        }
    }
}

/// Resident memory of this process in MB, where the system says.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kb| kb.parse::<f64>().ok()).unwrap_or(f64::NAN) / 1024.0
}

/// The shipped model: forecast against truth, and memory over renders for so many minutes.
fn renders(minutes: f64, json: &mut Vec<Value>) {
    let Some(path) = piano() else { return };
    let options = LoadOptions { runtime: Some(runtime()), ..LoadOptions::default() };
    let model = Model::load(&path, &options).unwrap();
    let (workers, forecasts) = (Workers::new(cores(), || {}).unwrap(), Forecasts::new(&model, None));
    println!("\nshipped model: {}", model.backend(None));
    for (seconds, takes) in [(8.0, 1u32), (8.0, 4), (20.0, 8)] {
        let request = RenderRequest {
            seed: None,
            frames: (seconds * RATE_HZ) as u64,
            sampling: Sampling::default(),
            class: 0,
            variations: 0..takes,
            precision: None,
            workers: workers.clone(),
        };
        let forecast = forecasts.forecast(&request.workload(0), &AtomicBool::new(false)).unwrap().as_secs_f64();
        let started = Instant::now();
        render(&model, &request, &AtomicBool::new(false), &mut |_| {}).unwrap();
        let taken = started.elapsed().as_secs_f64();
        println!(
            "{seconds} s × {takes} takes: forecast {forecast:.2} s, taken {taken:.2} s ({:+.0} %)",
            (forecast / taken - 1.0) * 100.0
        );
        json.push(json!({"work": "render", "seconds": seconds, "takes": takes, "forecast": forecast, "taken": taken}));
    }
    let request = RenderRequest {
        seed: None,
        frames: (60.0 * RATE_HZ) as u64,
        sampling: Sampling::default(),
        class: 0,
        variations: 0..8,
        precision: None,
        workers,
    };
    let started = Instant::now();
    let mut samples = vec![resident()];
    while samples.len() < 3 || started.elapsed().as_secs_f64() < minutes * 60.0 {
        let mut most = 0f64;
        let mut kept: Vec<Vec<f32>> = vec![Vec::new(); 8];
        render(&model, &request, &AtomicBool::new(false), &mut |block| {
            kept.iter_mut().zip(block.sound).for_each(|(kept, frames)| kept.extend_from_slice(frames));
            if block.first_frame % 16_384 == 0 {
                most = most.max(resident());
            }
        })
        .unwrap();
        samples.push(most.max(resident()));
    }
    let (first, last) = (samples[1], samples[samples.len() - 1]);
    println!(
        "8 takes × 60 s, {} renders in {:.1} min: resident {:.0} MB before, {first:.0} MB in the first, {last:.0} MB in the last",
        samples.len() - 1,
        started.elapsed().as_secs_f64() / 60.0,
        samples[0]
    );
    json.push(
        json!({"work": "memory", "resident_megabytes": samples, "minutes": started.elapsed().as_secs_f64() / 60.0}),
    );
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let value = |name: &str| {
        arguments.iter().position(|argument| argument == name).and_then(|place| arguments.get(place + 1)).cloned()
    };
    let minutes = value("--minutes").and_then(|minutes| minutes.parse().ok()).unwrap_or(0.0);
    let json_file = value("--json");
    let only_roofline = arguments.iter().any(|argument| argument == "roofline");
    let only_ada = arguments.iter().any(|argument| argument == "ada");
    let asked = only_roofline || only_ada || arguments.iter().any(|argument| argument == "engine");
    if !asked {
        // `cargo bench` and `cargo test --benches` run every bench; this one is long and runs when it is named.
        println!("name what to measure: roofline, engine, or ada, which is a part of it");
        return;
    }
    let mut measured = Vec::new();
    if only_ada {
        ada::rows(&mut measured);
    }
    let roofline = if only_ada { Value::Null } else { print_roofline() };
    if !(only_roofline || only_ada) {
        let roofline = Roofline::measure();
        let thirty = Subject::new("30 layers 64/128/256", RandomPackage::new(thirty_layers()));
        thirty.steps(&roofline, &[1, 2, 4, 8, 16], &mut measured);
        thirty.kernels(&mut measured);
        thirty.generate(&[1, 4, 8], &mut measured);
        let large = Subject::new("wavenet-piano-2016", RandomPackage::new(piano_2016()));
        large.steps(&roofline, &[1, 2, 8], &mut measured);
        large.generate(&[1, 2], &mut measured);
        large.prime(&mut measured);
        large.load(&mut measured);
        ada::rows(&mut measured);
        renders(minutes, &mut measured);
    }
    if let Some(file) = json_file {
        let all = json!({"machine": machine(), "engine": continuo_engine::VERSION, "roofline": roofline, "measured": measured});
        std::fs::write(&file, serde_json::to_string_pretty(&all).unwrap()).unwrap();
        println!("\n{file}");
    }
}
