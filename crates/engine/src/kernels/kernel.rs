//! The choice among the instruction sets that are compiled into this program.

use super::arguments::{Epilogue, Gated, Inputs, Product};
use super::coding::{Coding, gate};
use super::dot::{Dot, ProductOperation, Products, Tiles};
use super::packed::{BLOCK, Block, PackedMatrix, floats};
use super::precision::Precision;
#[cfg(target_arch = "aarch64")]
use continuo_simd::Neon;
#[cfg(target_arch = "x86_64")]
use continuo_simd::{Avx2, Avx2Vnni, Avx512, Avx512Vnni, Avx512VnniBf16};
use continuo_simd::{InstructionSet, Operation, Scalar, Work};
use std::ops::Range;

/// An instruction set that this processor has. Only such ones can be had, which makes the methods safe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kernel(Set);

/// Declares the instruction sets, fastest first, and all that is done for one of them.
macro_rules! sets {
    ($($(#[$there:meta])* $set:ident),+ $(,)?) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        enum Set {
            $($(#[$there])* $set($set)),+
        }

        impl Kernel {
            /// All that this processor has, fastest first; the last runs everywhere.
            pub fn available() -> impl Iterator<Item = Self> {
                let all = [$($(#[$there])* $set::detect().map(Set::$set)),+];
                all.into_iter().flatten().map(Self)
            }

            /// The name of the instruction set, for example `AVX-512`.
            pub fn name(self) -> &'static str {
                match self.0 {
                    $($(#[$there])* Set::$set(_) => $set::NAME),+
                }
            }

            /// Runs an operation, inside the one function that enables the instruction set.
            #[inline]
            pub(crate) fn run<O: Operation>(self, operation: O) -> O::Output {
                match self.0 {
                    $($(#[$there])* Set::$set(set) => set.run(operation)),+
                }
            }

            /// Runs an operation that multiplies in this precision, inside the one function that enables the instruction
            /// set.
            #[inline]
            pub(crate) fn run_in<O: ProductOperation>(self, precision: Precision, operation: O) -> O::Output {
                match self.0 {
                    $($(#[$there])* Set::$set(set) => run_in(set, precision, operation)),+
                }
            }
        }
    };
}

sets! {
    #[cfg(target_arch = "x86_64")]
    Avx512VnniBf16,
    #[cfg(target_arch = "x86_64")]
    Avx512Vnni,
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2Vnni,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "aarch64")]
    Neon,
    Scalar,
}

#[inline]
fn run_in<I: Products, O: ProductOperation>(set: I, precision: Precision, operation: O) -> O::Output {
    match precision {
        Precision::F32 => enable(set.f32(), operation),
        Precision::Bf16 => enable(set.bf16(), operation),
        Precision::Int8 => enable(set.int8(), operation),
    }
}

/// Compiled once for each way to multiply, however many instruction sets have it.
#[inline]
fn enable<D: Dot, O: ProductOperation>(dot: D, operation: O) -> O::Output {
    dot.set().enable(With { dot, operation })
}

struct With<D, O> {
    dot: D,
    operation: O,
}

impl<D: Dot, O: ProductOperation> Work for With<D, O> {
    type Output = O::Output;

    #[inline(always)]
    fn run(self) -> O::Output {
        self.operation.run(self.dot)
    }
}

impl Kernel {
    /// The fastest that this processor has.
    pub fn best() -> Self {
        Self::available().next().unwrap_or(Self(Set::Scalar(Scalar)))
    }

    /// The one of this name, where the processor has it.
    pub fn named(name: &str) -> Option<Self> {
        Self::available().find(|kernel| kernel.name() == name)
    }

    /// `y[c] = epilogue(W · x[c] + bias)` for every column `c`; see [`Multiply`].
    ///
    /// # Panics
    /// If a slice is too short, which is a mistake in the caller and never in a file.
    pub(crate) fn multiply(self, product: Multiply<'_>) {
        if product.columns > 0 && product.matrix.blocks > 0 {
            self.run_in(product.matrix.precision, product);
        }
    }

    /// Writes the words of `x` to `to` and gives back what its codes are multiplied with (1 unless 8-bit).
    ///
    /// # Panics
    /// If `to` is too short, which is a mistake in the caller.
    pub(crate) fn encode(self, precision: Precision, x: &[Block], to: &mut [u32]) -> f32 {
        self.run_in(precision, Encode { x, to })
    }

    /// `z = tanh(h₀) · sigmoid(h₁)`: even blocks of `h` are `h₀`, odd ones `h₁`; `z` gets the words of 16 values per pair.
    ///
    /// # Panics
    /// If `z` is too short, which is a mistake in the caller.
    pub fn gate(self, precision: Precision, h: &[Block], z: &mut [u32]) {
        self.run_in(precision, Gate { h, z });
    }
}

/// A product of a packed matrix with columns of activations.
pub(crate) struct Multiply<'a> {
    /// The weights.
    pub matrix: PackedMatrix<'a>,
    /// The segments of the input that are multiplied, of which alone `x` holds columns. All of them, one range after
    /// another, make the same bits as one product.
    pub segments: Range<usize>,
    /// Number of columns.
    pub columns: usize,
    /// Their inputs.
    pub x: Inputs<'a>,
    /// `columns` vectors of as many blocks as the matrix has.
    pub y: &'a mut [Block],
    /// What happens to each sum.
    pub epilogue: Epilogue,
    /// Where the gate of the sums' pairs of blocks goes (see [`Kernel::gate`]); `y` is then only room.
    pub gate: Option<Gated<'a>>,
}

impl ProductOperation for Multiply<'_> {
    type Output = ();

    #[inline(always)]
    fn run<D: Dot>(self, dot: D) {
        let Self { matrix, segments, columns, x, y, epilogue, gate } = self;
        assert!(matrix.precision == D::Coding::PRECISION, "precision of a product");
        let product = Product::checked(matrix, segments, columns, x, y, epilogue, gate);
        // SAFETY: the lengths were just checked.
        unsafe { D::Tiles::product(dot, &product) }
    }
}

/// See [`Kernel::encode`].
struct Encode<'a> {
    x: &'a [Block],
    to: &'a mut [u32],
}

impl ProductOperation for Encode<'_> {
    type Output = f32;

    #[inline(always)]
    fn run<D: Dot>(self, dot: D) -> f32 {
        let Self { x, to } = self;
        assert!(to.len() >= D::Coding::WORDS * x.len(), "words of activations");
        // SAFETY: the words of `x` fit.
        unsafe { D::Coding::encode(dot.simd(), floats(x).as_ptr(), x.len(), to.as_mut_ptr()) }
    }
}

/// See [`Kernel::gate`].
struct Gate<'a> {
    h: &'a [Block],
    z: &'a mut [u32],
}

impl ProductOperation for Gate<'_> {
    type Output = ();

    #[inline(always)]
    fn run<D: Dot>(self, dot: D) {
        let pairs = self.h.len() / 2;
        assert!(self.z.len() >= D::Coding::WORDS * pairs, "output of a gate");
        // SAFETY: `h` holds 2 · `pairs` blocks and `z` the words of as many values.
        unsafe { gate::<D::Simd, D::Coding>(dot.simd(), floats(self.h).as_ptr(), self.z.as_mut_ptr(), pairs) }
    }
}

const _: () = assert!(BLOCK == continuo_simd::LANES, "a block is what instruction sets compute at once");
