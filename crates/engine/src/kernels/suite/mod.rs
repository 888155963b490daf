//! One suite of tests, instantiated for every instruction set and precision.

use super::kernel::Kernel;
use super::packed::{BLOCK, Block, floats_mut};
use super::precision::Precision;

mod gate;
mod products;

/// Makes a test of each of these functions of a kernel and a precision, for every instruction set that is compiled into this
/// program and every precision. A processor without it says so and does not count as a pass in silence.
macro_rules! suite {
    ($($test:ident),+ $(,)?) => {
        $crate::kernels::suite::suite!(@ scalar, "scalar", $($test),+);
        #[cfg(target_arch = "x86_64")]
        $crate::kernels::suite::suite!(@ avx2, "AVX2", $($test),+);
        #[cfg(target_arch = "x86_64")]
        $crate::kernels::suite::suite!(@ avx2_vnni, "AVX2 VNNI", $($test),+);
        #[cfg(target_arch = "x86_64")]
        $crate::kernels::suite::suite!(@ avx512, "AVX-512", $($test),+);
        #[cfg(target_arch = "x86_64")]
        $crate::kernels::suite::suite!(@ avx512_vnni, "AVX-512 VNNI", $($test),+);
        #[cfg(target_arch = "x86_64")]
        $crate::kernels::suite::suite!(@ avx512_vnni_bf16, "AVX-512 VNNI BF16", $($test),+);
        #[cfg(target_arch = "aarch64")]
        $crate::kernels::suite::suite!(@ neon, "NEON", $($test),+);
    };
    (@ $set:ident, $name:literal, $($test:ident),+) => {
        mod $set {
            $crate::kernels::suite::suite!(@@ f32, F32, $name, $($test),+);
            $crate::kernels::suite::suite!(@@ bf16, Bf16, $name, $($test),+);
            $crate::kernels::suite::suite!(@@ int8, Int8, $name, $($test),+);
        }
    };
    (@@ $module:ident, $precision:ident, $name:literal, $($test:ident),+) => {
        mod $module {
            use $crate::kernels::{Kernel, Precision};

            $(
                #[test]
                fn $test() {
                    match Kernel::named($name) {
                        Some(kernel) => super::super::$test(kernel, Precision::$precision),
                        None => eprintln!("not run: this processor has no {}", $name),
                    }
                }
            )+
        }
    };
}
pub(in crate::kernels) use suite;

/// The value of a bfloat16.
fn from_bf16(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

#[test]
fn the_best_kernel_is_the_first_that_is_there() {
    assert_eq!(Some(Kernel::best()), Kernel::available().next());
    assert!(Kernel::available().any(|kernel| kernel.name() == "scalar"));
    assert_eq!(Kernel::named("abacus"), None);
    let mut h = [Block::default(); 2];
    floats_mut(&mut h)[0] = 1.0;
    let mut z = [0u32; BLOCK];
    Kernel::best().gate(Precision::F32, &h, &mut z);
    assert!((f32::from_bits(z[0]) - 0.5 * 1f32.tanh()).abs() < 1e-6);
}
