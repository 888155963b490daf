//! The gate by itself.

use crate::kernels::kernel::Kernel;
use crate::kernels::packed::{BLOCK, Block};
use crate::kernels::precision::{MOST_CODE, Precision};
use crate::kernels::suite::{from_bf16, suite};
use continuo_simd::CODE_OFFSET;

suite! {
    gate_is_within_its_bound,
}

fn gate_is_within_its_bound(kernel: Kernel, precision: Precision) {
    // The stated bounds are 5e-7 in f32 and 5e-6 below, for every pair of finite inputs; to them comes half a step of the
    // precision.
    let bound = match precision {
        Precision::F32 => 5e-7,
        Precision::Bf16 => 1.0 / 512.0 + 5e-6,
        Precision::Int8 => 0.5 / 127.0 + 5e-6,
    };
    let mut inputs: Vec<f32> = (-2000..=2000).map(|step| step as f32 / 100.0).collect();
    inputs.extend([0.0, -0.0, 1e-30, -1e-30, 1e-4, -1e-4, 88.0, -88.0, 1e4, -1e4, f32::MAX, f32::MIN]);
    let others = [-90.0f32, -20.0, -3.3, -0.5, 0.0, 0.1, 2.0, 17.0, 300.0];
    let mut largest = 0f64;
    let mut check = |a: f32, b: f32, z: f32| {
        // `max` would pass over a NaN.
        assert!(z.is_finite(), "{}: the gate of {a} and {b} is {z}", kernel.name());
        let expected = f64::from(a).tanh() / (1.0 + (-f64::from(b)).exp());
        largest = largest.max((f64::from(z) - expected).abs());
    };
    for chunk in inputs.chunks(BLOCK) {
        for other in others {
            for swapped in [false, true] {
                let mut h = [Block::default(), Block([other; BLOCK])];
                h[0].0[..chunk.len()].copy_from_slice(chunk);
                if swapped {
                    h.swap(0, 1);
                }
                let mut words = [0u32; BLOCK];
                kernel.gate(precision, &h, &mut words);
                let z = values(precision, &words);
                (0..chunk.len()).for_each(|lane| check(h[0].0[lane], h[1].0[lane], z[lane]));
            }
        }
    }
    assert!(largest < bound, "{}: the gate is off by {largest:e}", kernel.name());
}

/// The values that a gate's words stand for.
fn values(precision: Precision, words: &[u32]) -> Vec<f32> {
    match precision {
        Precision::F32 => words.iter().copied().map(f32::from_bits).collect(),
        Precision::Bf16 => {
            words.iter().flat_map(|word| [from_bf16(*word as u16), from_bf16((word >> 16) as u16)]).collect()
        }
        Precision::Int8 => {
            let value = |code: u8| (f32::from(code) - f32::from(CODE_OFFSET)) / MOST_CODE;
            words.iter().flat_map(|word| word.to_ne_bytes().map(value)).collect()
        }
    }
}
