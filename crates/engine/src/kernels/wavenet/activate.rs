//! What the sums of the head go through.

use crate::kernels::Kernel;
use crate::kernels::arguments::Epilogue;
use crate::kernels::packed::{BLOCK, Block, floats_mut};
use continuo_package::family::wavenet::Activation;
use continuo_simd::{Operation, Simd, math};

/// What of an activation a product does itself, before it stores a sum.
pub(super) fn epilogue(activation: Activation) -> Epilogue {
    if activation == Activation::Relu { Epilogue::Relu } else { Epilogue::Store }
}

/// Does what is left of an activation after [`epilogue`].
pub(super) fn finish(kernel: Kernel, activation: Activation, y: &mut [Block]) {
    match activation {
        Activation::Relu | Activation::None => {}
        Activation::Tanh => kernel.run(ScaledTanh { y, amplitude: 1.0, slope: 1.0 }),
        Activation::ScaledTanh => {
            kernel.run(ScaledTanh { y, amplitude: Activation::AMPLITUDE, slope: Activation::SLOPE });
        }
    }
}

/// `y = amplitude · tanh(slope · y)`
struct ScaledTanh<'a> {
    y: &'a mut [Block],
    amplitude: f32,
    slope: f32,
}

impl Operation for ScaledTanh<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let (amplitude, slope) = (s.splat(self.amplitude), s.splat(self.slope));
        for block in floats_mut(self.y).chunks_exact_mut(BLOCK) {
            // SAFETY: a block is what an instruction set computes at once.
            unsafe {
                let value = s.load(block.as_ptr());
                let tanh = s.mul(amplitude, math::tanh(s, s.mul(slope, value)));
                // A tanh clamps what is no finite number to one; the outputs must not hide it.
                s.store(block.as_mut_ptr(), s.add(tanh, s.mul(s.splat(0.0), value)));
            }
        }
    }
}
