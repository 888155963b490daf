//! The reference: plain loops over the packed weights, without any instruction set.
//!
//! It multiplies and adds with two roundings, because a fused operation without its instruction is a library call.

use super::contract::{Primitives, Product};
use super::simd::{self, Simd};

pub(super) const SCALAR: Primitives =
    Primitives { name: "scalar", supported: || true, product, gate, fetch: simd::fetch::<Scalar> };

/// # Safety
/// See [`Primitives::product`].
unsafe fn product(arguments: &Product) {
    // SAFETY: passed on.
    unsafe { simd::product::<Scalar, 1, 1, 1, 0>(arguments) }
}

/// # Safety
/// See [`Primitives::gate`].
unsafe fn gate(h: *const f32, z: *mut f32, blocks: usize) {
    // SAFETY: passed on.
    unsafe { simd::gate::<Scalar>(h, z, blocks) }
}

struct Scalar;

impl Simd for Scalar {
    type V = [f32; 16];

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self::V {
        [value; 16]
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self::V {
        // SAFETY: the trait's contract.
        unsafe { from.cast::<Self::V>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store(to: *mut f32, value: Self::V) {
        // SAFETY: the trait's contract.
        unsafe { to.cast::<Self::V>().write_unaligned(value) }
    }
    #[inline(always)]
    unsafe fn mul_add(a: Self::V, b: Self::V, mut c: Self::V) -> Self::V {
        for lane in 0..16 {
            c[lane] += a[lane] * b[lane];
        }
        c
    }
    #[inline(always)]
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V {
        lanes(a, b, |a, b| a + b)
    }
    #[inline(always)]
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V {
        lanes(a, b, |a, b| a - b)
    }
    #[inline(always)]
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V {
        lanes(a, b, |a, b| a * b)
    }
    #[inline(always)]
    unsafe fn div(a: Self::V, b: Self::V) -> Self::V {
        lanes(a, b, |a, b| a / b)
    }
    #[inline(always)]
    unsafe fn min(a: Self::V, b: Self::V) -> Self::V {
        lanes(a, b, |a, b| if a < b { a } else { b })
    }
    #[inline(always)]
    unsafe fn max(a: Self::V, b: Self::V) -> Self::V {
        lanes(a, b, |a, b| if a > b { a } else { b })
    }
    #[inline(always)]
    unsafe fn round(a: Self::V) -> Self::V {
        // Adding and taking away 1.5 · 2²³ rounds to even for |a| < 2²², without a library call.
        const MAGIC: f32 = 12_582_912.0;
        lanes(a, a, |a, _| (a + MAGIC) - MAGIC)
    }
    #[inline(always)]
    unsafe fn scale(a: Self::V, n: Self::V) -> Self::V {
        lanes(a, n, |a, n| a * f32::from_bits(((n as i32 + 127) << 23) as u32))
    }
    #[inline(always)]
    unsafe fn prefetch(_at: *const f32) {}
}

/// A plain loop, which compilers turn into whatever vectors there are.
#[inline(always)]
fn lanes(mut a: [f32; 16], b: [f32; 16], operation: impl Fn(f32, f32) -> f32) -> [f32; 16] {
    for lane in 0..16 {
        a[lane] = operation(a[lane], b[lane]);
    }
    a
}
