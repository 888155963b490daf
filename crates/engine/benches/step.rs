//! Criterion's benchmarks of a frame: every kernel and precision by number of takes, and ONNX Runtime stepping the same
//! graph. For comparing one commit with another; the table beside the roofline is `benches/engine.rs`.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

#[path = "../tests/common/mod.rs"]
mod common;

use common::support::graph::thirty_layers;
use common::{RandomPackage, STEP, runtime, voice};
use continuo_engine::family::wavenet::WaveNetWeights;
use continuo_engine::kernels::packed::{BLOCK, Block};
use continuo_engine::kernels::wavenet::{PackedWaveNet, Scratch};
use continuo_engine::kernels::{Kernel, Precision};
use continuo_engine::ort::StepGraph;
use continuo_engine::{Sampling, Stepping};
use continuo_package::{Package, onnx};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

fn step(criterion: &mut Criterion) {
    let random = RandomPackage::new(thirty_layers());
    let package = Package::open(&random.path).unwrap();
    let graph = &package.graphs[&STEP];
    let weights = WaveNetWeights::from_graph(&random.shape, &onnx::decode(graph).unwrap().graph.unwrap()).unwrap();
    let mut group = criterion.benchmark_group("step");
    group.measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_millis(300));

    let session = StepGraph::new(&runtime(), graph, package.manifest.graph(STEP).unwrap()).unwrap();
    let mut state = session.bind::<u32>(&session.initial_state().unwrap(), 0).unwrap();
    let mut run = || {
        black_box(session.step(&mut state, black_box(100)).unwrap());
    };
    group.bench_function(BenchmarkId::new("ONNX Runtime", 1), |bencher| bencher.iter(&mut run));

    for (kernel, precision) in
        Kernel::available().flat_map(|kernel| Precision::ALL.map(|precision| (kernel, precision)))
    {
        let net = PackedWaveNet::new(&weights, precision, 0).unwrap();
        for takes in [1, 8] {
            let mut states = vec![net.new_state(); takes];
            let mut scratch = Scratch::default();
            let mut logits = vec![Block::default(); takes * net.logits_stride() / BLOCK];
            let codes = vec![black_box(100); takes];
            let mut run = || net.step(kernel, &mut scratch, &mut states, &codes, &mut logits);
            group.bench_function(BenchmarkId::new(format!("{} {precision}", kernel.name()), takes), |bencher| {
                bencher.iter(&mut run);
            });
        }
    }
    group.finish();
}

fn generate(criterion: &mut Criterion) {
    let random = RandomPackage::new(thirty_layers());
    let model = random.with_runtime(Stepping::Auto);
    println!("stepping with {}", model.backend(None));
    let mut group = criterion.benchmark_group("frame with sampling");
    group.measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_millis(300));
    for (name, top_k) in [("all", 0), ("top 40", 40)] {
        let sampling = Sampling { top_k, ..Sampling::default() };
        let (mut one, mut out, never) = (voice(&model, sampling, 0..1), [Vec::new()], AtomicBool::new(false));
        let mut frame = || {
            out[0].clear();
            one.generate(1, &mut out, &never).unwrap();
            black_box(out[0][0])
        };
        group.bench_function(name, |bencher| bencher.iter(&mut frame));
    }
    group.finish();
}

criterion_group!(benches, step, generate);
criterion_main!(benches);
