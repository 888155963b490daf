#![allow(missing_docs, clippy::all)]
#[path = "../tests/common/mod.rs"]
mod common;
use common::support::graph::{piano_2016, thirty_layers, wavenet_graph};
use continuo_engine::kernels::packed::{BLOCK, Block};
use continuo_engine::kernels::wavenet::{PackedWaveNet, Scratch};
use continuo_engine::kernels::{Kernel, Precision};
use continuo_engine::weights::WaveNetWeights;
use std::hint::black_box;
use std::time::Instant;
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let which = args.get(1).map_or("30", |s| s);
    let precisions: Vec<Precision> = match args.get(2).map(|s| s.as_str()) {
        Some("int8") => vec![Precision::Int8],
        Some("f32") => vec![Precision::F32],
        Some("bf16") => vec![Precision::Bf16],
        _ => Precision::ALL.to_vec(),
    };
    let takes: Vec<usize> = args.get(3).map_or(vec![1, 8], |s| s.split(',').map(|t| t.parse().unwrap()).collect());
    let shape = if which == "2016" { piano_2016() } else { thirty_layers() };
    let model = wavenet_graph(&shape, 7);
    let weights = WaveNetWeights::from_graph(&shape, &model.graph.expect("a graph")).expect("a WaveNet");
    let kernel = args.get(4).map_or(Kernel::best(), |name| Kernel::named(name).expect("kernel"));
    for precision in precisions {
        let net = PackedWaveNet::new(&weights, precision).unwrap();
        for &takes in &takes {
            let mut states = vec![net.new_state(); takes];
            let mut scratch = Scratch::default();
            let mut logits = vec![Block::default(); takes * net.logits_stride() / BLOCK];
            let mut codes = vec![black_box(100u32); takes];
            let mut n = 0u32;
            let mut step = || {
                n = n.wrapping_mul(1664525).wrapping_add(1013904223);
                codes.fill(n >> 24);
                net.advance(kernel, &mut scratch, &mut states, &codes, Some(&mut logits))
            };
            (0..200).for_each(|_| step());
            let mut times: Vec<f64> = (0..400)
                .map(|_| {
                    let s = Instant::now();
                    (0..20).for_each(|_| step());
                    s.elapsed().as_secs_f64() / 20.0 * 1e6
                })
                .collect();
            times.sort_by(f64::total_cmp);
            println!("{precision} takes {takes}: median {:.2} p10 {:.2} min {:.2} µs", times[200], times[40], times[0]);
        }
    }
}
