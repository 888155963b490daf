//! What every implementation provides, and the choice among them.

use super::packed::{BLOCK, Block, Line, PackedMatrix, floats};
use super::precision::Precision;
use super::wavenet::Stack;
use std::ops::Range;

/// What happens to the sum of a product before it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Epilogue {
    /// `y = sum`
    Store,
    /// `y = max(sum, 0)`
    Relu,
    /// `y = y + sum`
    AddTo,
}

/// The arguments of a product, checked: raw so that all implementations share one signature.
#[derive(Debug, Clone, Copy)]
pub(super) struct Product {
    /// Weights of the matrix, in groups of up to [`super::packed::GROUP`] blocks.
    pub weights: *const u32,
    /// 8-bit: `[step][padded row]`, what a sum starts from.
    pub offsets: *const i32,
    /// The step of the first word that is multiplied.
    pub first_step: usize,
    /// Offsets from one step to the next.
    pub offset_stride: usize,
    /// 8-bit: one scale per padded row.
    pub scales: *const f32,
    /// Bias, one value per padded row; null for none.
    pub bias: *const f32,
    /// Blocks of 16 rows.
    pub blocks: usize,
    /// Words of input per row.
    pub words: usize,
    /// Words that are summed before their sum is added to the total.
    pub step: usize,
    /// The words that are multiplied: with the first, sums begin; with the last, they end as the epilogue says; between two
    /// calls, `y` holds what they have come to.
    pub begin: usize,
    /// The word after the last.
    pub end: usize,
    /// First column of the input of these words.
    pub x: *const u32,
    /// Words from one input column to the next.
    pub x_stride: usize,
    /// 8-bit: `[column][step]` of these words, what the input's codes are multiplied with.
    pub x_scales: *const f32,
    /// Scales from one column to the next.
    pub scale_stride: usize,
    /// First column of the output.
    pub y: *mut f32,
    /// Floats from one output column to the next.
    pub y_stride: usize,
    /// Number of columns.
    pub columns: usize,
    /// What happens to each sum.
    pub epilogue: Epilogue,
    /// Where the gate of the output goes, of which nothing need then be found in `y`; null for no gate.
    pub z: *mut u32,
    /// Words from one gate column to the next.
    pub z_stride: usize,
}

impl Product {
    /// The arguments of a product of some parts of the input, of which alone `x` holds columns.
    ///
    /// # Panics
    /// If a slice is too short, which is a mistake in the caller and never in a file.
    #[inline(always)]
    pub fn checked(
        matrix: PackedMatrix<'_>,
        of: Range<usize>,
        columns: usize,
        x: Inputs<'_>,
        y: &mut [Block],
        epilogue: Epilogue,
        gate: Option<Gated<'_>>,
    ) -> Self {
        let PackedMatrix { precision, weights, offsets, offset_stride, scales, bias, blocks, .. } = matrix;
        let PackedMatrix { parts, part_words, step, .. } = matrix;
        let words = parts * part_words;
        assert!(columns > 0 && blocks > 0, "a product of nothing");
        assert!(weights.len() == blocks * words, "weights of a product");
        assert!(bias.is_none_or(|bias| bias.len() == blocks), "bias of a product");
        assert!(of.start < of.end && of.end <= parts, "parts of a product");
        let seen = of.len() * part_words;
        assert!(columns == 1 || x.stride >= seen, "columns of a product overlap");
        assert!(x.words.len() >= (columns - 1) * x.stride + seen, "input of a product");
        assert!(y.len() == columns * blocks, "output of a product");
        assert!(epilogue != Epilogue::AddTo || of == (0..parts), "what is added to cannot hold what is not ready");
        // 8-bit sums go over one part or over all.
        let steps = if step == words { 1 } else { of.len() };
        let first_step = if step == words { 0 } else { of.start };
        if precision == Precision::Int8 {
            let least = (first_step + steps - 1) * offset_stride + blocks;
            assert!(offsets.is_some_and(|offsets| offsets.len() >= least), "offsets of a product");
            assert!(scales.is_some_and(|scales| scales.len() == blocks), "scales of a product");
            assert!(x.scales.len() >= columns * steps, "scales of a product's input");
        }
        let (z, z_stride) = match gate {
            None => (std::ptr::null_mut(), 0),
            Some(gate) => {
                let wide = precision.words(blocks / 2 * BLOCK);
                assert!(columns == 1 || gate.stride >= wide, "columns of a gate overlap");
                assert!(gate.words.len() >= (columns - 1) * gate.stride + wide, "output of a gate");
                (gate.words.as_mut_ptr(), gate.stride)
            }
        };
        let start = |lines: Option<&[Line]>| lines.map_or(std::ptr::null(), |lines| lines.as_ptr().cast::<u32>());
        Self {
            weights: weights.as_ptr().cast(),
            offsets: start(offsets).cast(),
            first_step,
            offset_stride: offset_stride * BLOCK,
            scales: start(scales).cast(),
            bias: start(bias).cast(),
            blocks,
            words,
            step,
            begin: of.start * part_words,
            end: of.end * part_words,
            x: x.words.as_ptr(),
            x_stride: x.stride,
            x_scales: x.scales.as_ptr(),
            scale_stride: steps,
            y: y.as_mut_ptr().cast(),
            y_stride: blocks * BLOCK,
            columns,
            epilogue,
            z,
            z_stride,
        }
    }

    /// A product of one part, made that of another part.
    #[inline(always)]
    pub fn part(self, index: usize) -> Self {
        let width = self.end - self.begin;
        let first_step = if self.step == self.words { 0 } else { index };
        Self { begin: index * width, end: (index + 1) * width, first_step, ..self }
    }
}

/// The primitives of one instruction set; tables are indexed by [`Precision::index`].
#[derive(Debug)]
pub(super) struct Primitives {
    pub name: &'static str,
    pub supported: fn() -> bool,
    /// `y = W · x` for every column, and the gate of `y` where one is wanted.
    ///
    /// # Safety
    /// The instruction set is there, and the pointers reach what [`Product`] says.
    pub product: [unsafe fn(&Product); 3],
    /// `z = tanh(h₀) · sigmoid(h₁)` over pairs of 16 values: `h` has 32 floats per pair, `z` the words of 16 values.
    ///
    /// # Safety
    /// The instruction set is there; `h` reaches 32 · `pairs` floats and `z` the words of 16 · `pairs` values.
    pub gate: [unsafe fn(h: *const f32, z: *mut u32, pairs: usize); 3],
    /// Writes the words of blocks of activations; gives back what their codes are multiplied with.
    ///
    /// # Safety
    /// The instruction set is there; `from` reaches 16 · `blocks` floats and `to` their words.
    pub encode: [unsafe fn(from: *const f32, blocks: usize, to: *mut u32) -> f32; 3],
    /// What a layer sees, for every column; see [`super::wavenet::Stack::exchange`].
    ///
    /// # Safety
    /// The instruction set is there.
    pub exchange: [unsafe fn(Stack<'_>, index: usize, frames: usize); 3],
    /// Some layers, for every column; see [`super::wavenet::Stack::layers`].
    ///
    /// # Safety
    /// The instruction set is there.
    pub layers: [unsafe fn(Stack<'_>, layers: Range<usize>, frames: usize); 3],
    /// Some layers for one column; see [`super::wavenet::Stack::alone`].
    ///
    /// # Safety
    /// The instruction set is there.
    pub alone: [unsafe fn(Stack<'_>, layers: Range<usize>); 3],
    /// As many products as can be under way at once, of registers alone, so many times; see [`super::roofline`]. Gives
    /// back how many lines of weights met a word each time.
    ///
    /// # Safety
    /// The instruction set is there.
    pub peak: [unsafe fn(rounds: u64) -> u64; 3],
    /// The highest of some logits; not finite where one of them is not.
    ///
    /// # Safety
    /// The instruction set is there; `logits` reaches 16 · `blocks` floats.
    pub highest: unsafe fn(logits: *const f32, blocks: usize) -> f32,
    /// Their weights in a softmax; see [`Kernel::weigh`].
    ///
    /// # Safety
    /// The instruction set is there; `logits` and `weights` reach 16 · `blocks` floats.
    pub weigh: unsafe fn(logits: *const f32, blocks: usize, highest: f32, inverse: f32, weights: *mut f32),
    /// Reads blocks and does next to nothing with them.
    ///
    /// # Safety
    /// The instruction set is there; `from` reaches 16 · `blocks` floats.
    pub read: unsafe fn(from: *const f32, blocks: usize) -> f32,
}

/// Makes the table of an instruction set: functions that enable it (by `attribute`), over `simd`, with one way to
/// multiply per precision and the tiles that its registers allow (see [`super::product::product`]).
macro_rules! primitives {
    (
        $(#[$doc:meta])*
        $table:ident = $name:literal, $supported:expr, $simd:ty, { $(#[$attribute:meta])* },
        f32: $f32:ty, $f32_tiles:tt, bf16: $bf16:ty, $bf16_tiles:tt, int8: $int8:ty, $int8_tiles:tt
    ) => {
        $(#[$doc])*
        pub(super) const $table: $crate::kernels::contract::Primitives = {
            use $crate::kernels::contract::{Primitives, Product, primitives};
            use $crate::kernels::{product::Dot, simd, wavenet::Stack};
            primitives!(@ f32_product, f32_gate, f32_encode, f32_exchange, f32_layers, f32_alone, f32_peak, $simd, $f32, $f32_tiles, { $(#[$attribute])* });
            primitives!(@ bf16_product, bf16_gate, bf16_encode, bf16_exchange, bf16_layers, bf16_alone, bf16_peak, $simd, $bf16, $bf16_tiles, { $(#[$attribute])* });
            primitives!(@ int8_product, int8_gate, int8_encode, int8_exchange, int8_layers, int8_alone, int8_peak, $simd, $int8, $int8_tiles, { $(#[$attribute])* });
            $(#[$attribute])*
            unsafe fn read(from: *const f32, blocks: usize) -> f32 {
                // SAFETY: passed on; `supported` stands for the instruction set.
                unsafe { $crate::kernels::roofline::read::<$simd>(from, blocks) }
            }
            $(#[$attribute])*
            unsafe fn highest(logits: *const f32, blocks: usize) -> f32 {
                // SAFETY: passed on; `supported` stands for the instruction set.
                unsafe { $crate::kernels::softmax::highest::<$simd>(logits, blocks) }
            }
            $(#[$attribute])*
            unsafe fn weigh(logits: *const f32, blocks: usize, highest: f32, inverse: f32, weights: *mut f32) {
                // SAFETY: passed on; `supported` stands for the instruction set.
                unsafe { $crate::kernels::softmax::weigh::<$simd>(logits, blocks, highest, inverse, weights) }
            }
            Primitives {
                name: $name,
                supported: $supported,
                product: [f32_product, bf16_product, int8_product],
                gate: [f32_gate, bf16_gate, int8_gate],
                encode: [f32_encode, bf16_encode, int8_encode],
                exchange: [f32_exchange, bf16_exchange, int8_exchange],
                layers: [f32_layers, bf16_layers, int8_layers],
                alone: [f32_alone, bf16_alone, int8_alone],
                peak: [f32_peak, bf16_peak, int8_peak],
                highest,
                weigh,
                read,
            }
        };
    };
    (
        @ $product:ident, $gate:ident, $encode:ident, $exchange:ident, $layers:ident, $alone:ident, $peak:ident,
        $simd:ty, $dot:ty,
        [$one:literal, $two:literal, $four:literal, $eight:literal], { $(#[$attribute:meta])* }
    ) => {
        $(#[$attribute])*
        unsafe fn $product(arguments: &Product) {
            // SAFETY: passed on; `supported` stands for the instruction set.
            unsafe { $crate::kernels::product::product::<$simd, $dot, $one, $two, $four, $eight>(arguments) }
        }
        $(#[$attribute])*
        unsafe fn $gate(h: *const f32, z: *mut u32, pairs: usize) {
            // SAFETY: passed on; `supported` stands for the instruction set.
            unsafe { simd::gate::<$simd, <$dot as Dot<$simd>>::Coding>(h, z, pairs) }
        }
        $(#[$attribute])*
        unsafe fn $encode(from: *const f32, blocks: usize, to: *mut u32) -> f32 {
            // SAFETY: passed on; `supported` stands for the instruction set.
            unsafe { <<$dot as Dot<$simd>>::Coding as simd::Coding<$simd>>::encode(from, blocks, to) }
        }
        $(#[$attribute])*
        unsafe fn $exchange(mut stack: Stack<'_>, index: usize, frames: usize) {
            // SAFETY: passed on; `supported` stands for the instruction set.
            unsafe { stack.exchange::<$simd, $dot>(index, frames) }
        }
        $(#[$attribute])*
        unsafe fn $layers(mut stack: Stack<'_>, layers: std::ops::Range<usize>, frames: usize) {
            // SAFETY: passed on; `supported` stands for the instruction set.
            unsafe { stack.layers::<$simd, $dot, $one, $two, $four, $eight>(layers, frames) }
        }
        $(#[$attribute])*
        unsafe fn $alone(mut stack: Stack<'_>, layers: std::ops::Range<usize>) {
            // SAFETY: passed on; `supported` stands for the instruction set.
            unsafe { stack.alone::<$simd, $dot, $one, $two>(layers) }
        }
        $(#[$attribute])*
        unsafe fn $peak(rounds: u64) -> u64 {
            // SAFETY: passed on; `supported` stands for the instruction set.
            unsafe { $crate::kernels::roofline::peak::<$simd, $dot, { 4 * $four }>(rounds) }
        }
    };
}
pub(super) use primitives;

/// The implementations compiled into this program, fastest first; the last runs everywhere.
static ALL: &[Primitives] = &[
    #[cfg(target_arch = "x86_64")]
    super::avx512::VNNI_BF16,
    #[cfg(target_arch = "x86_64")]
    super::avx512::VNNI,
    #[cfg(target_arch = "x86_64")]
    super::avx512::PLAIN,
    #[cfg(target_arch = "x86_64")]
    super::avx2::VNNI,
    #[cfg(target_arch = "x86_64")]
    super::avx2::AVX2,
    #[cfg(target_arch = "aarch64")]
    super::neon::NEON,
    super::scalar::SCALAR,
];

/// For those that add to [`Kernel`].
pub(super) fn primitives_of(kernel: Kernel) -> &'static Primitives {
    kernel.0
}

/// An implementation that this processor can run. Only such ones can be had, which makes its methods safe.
#[derive(Debug, Clone, Copy)]
pub struct Kernel(&'static Primitives);

impl PartialEq for Kernel {
    fn eq(&self, other: &Self) -> bool {
        self.0.name == other.0.name
    }
}

impl Eq for Kernel {}

/// Columns of activations in words, and for 8-bit ones what their codes are multiplied with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Inputs<'a> {
    /// Columns, `stride` words apart.
    pub words: &'a [u32],
    /// Words from one column to the next.
    pub stride: usize,
    /// `[column][part]` where parts have scales of their own, else `[column]`; not read unless 8-bit.
    pub scales: &'a [f32],
}

/// Where the gate of a product goes: columns of words, `stride` apart.
#[derive(Debug)]
pub(super) struct Gated<'a> {
    /// Columns, `stride` words apart.
    pub words: &'a mut [u32],
    /// Words from one column to the next.
    pub stride: usize,
}

impl Kernel {
    /// All implementations that this processor can run, fastest first; never empty.
    pub fn available() -> impl Iterator<Item = Self> {
        ALL.iter().filter(|primitives| (primitives.supported)()).map(Self)
    }

    /// The fastest implementation that this processor can run.
    pub fn best() -> Self {
        Self::available().next().unwrap_or(Self(&super::scalar::SCALAR))
    }

    /// The implementation of this name, where the processor can run it.
    pub fn named(name: &str) -> Option<Self> {
        Self::available().find(|kernel| kernel.name() == name)
    }

    /// The name of the instruction set, for example `AVX-512`.
    pub fn name(self) -> &'static str {
        self.0.name
    }

    /// `y[c] = epilogue(W · x[c] + bias)` for every column `c`; with `gate`, `tanh · sigmoid` of its pairs of blocks (see
    /// [`Kernel::gate`]), and then `y` is only room.
    ///
    /// `y` holds `columns` vectors of `matrix.blocks` blocks each.
    ///
    /// # Panics
    /// If a slice is shorter than that, which is a mistake in the caller and never in a file.
    pub(super) fn product(
        self,
        matrix: PackedMatrix<'_>,
        columns: usize,
        x: Inputs<'_>,
        y: &mut [Block],
        epilogue: Epilogue,
        gate: Option<Gated<'_>>,
    ) {
        self.product_of(matrix, 0..matrix.parts, columns, x, y, epilogue, gate);
    }

    /// As [`Kernel::product`] of some parts of the input, of which alone `x` holds columns; all of them, one range after another, make
    /// the same bits as one call.
    ///
    /// # Panics
    /// As [`Kernel::product`].
    #[allow(clippy::too_many_arguments, reason = "a product has as many")]
    pub(super) fn product_of(
        self,
        matrix: PackedMatrix<'_>,
        of: Range<usize>,
        columns: usize,
        x: Inputs<'_>,
        y: &mut [Block],
        epilogue: Epilogue,
        gate: Option<Gated<'_>>,
    ) {
        if columns == 0 || matrix.blocks == 0 {
            return;
        }
        let product = Product::checked(matrix, of, columns, x, y, epilogue, gate);
        // SAFETY: a `Kernel` exists only where its instruction set does; the lengths were just checked.
        unsafe { (self.0.product[matrix.precision.index()])(&product) }
    }

    /// Writes the words of `x` to `to` and gives back what its codes are multiplied with (1 unless 8-bit).
    ///
    /// # Panics
    /// If `to` is too short, which is a mistake in the caller.
    pub(super) fn encode(self, precision: Precision, x: &[Block], to: &mut [u32]) -> f32 {
        assert!(to.len() >= precision.words(x.len() * BLOCK), "words of activations");
        // SAFETY: as above; the words of `x` fit.
        unsafe { (self.0.encode[precision.index()])(floats(x).as_ptr(), x.len(), to.as_mut_ptr()) }
    }

    /// See [`Stack::exchange`].
    pub(super) fn exchange(self, stack: Stack<'_>, index: usize, frames: usize) {
        // SAFETY: as above.
        unsafe { (self.0.exchange[stack.precision().index()])(stack, index, frames) }
    }

    /// See [`Stack::layers`].
    pub(super) fn layers(self, stack: Stack<'_>, layers: Range<usize>, frames: usize) {
        // SAFETY: as above.
        unsafe { (self.0.layers[stack.precision().index()])(stack, layers, frames) }
    }

    /// See [`Stack::alone`].
    pub(super) fn alone(self, stack: Stack<'_>, layers: Range<usize>) {
        // SAFETY: as above.
        unsafe { (self.0.alone[stack.precision().index()])(stack, layers) }
    }

    /// `z = tanh(h₀) · sigmoid(h₁)`: even blocks of `h` are `h₀`, odd ones `h₁`; `z` gets the words of 16 values per pair.
    ///
    /// # Panics
    /// If `z` is too short, which is a mistake in the caller.
    pub fn gate(self, precision: Precision, h: &[Block], z: &mut [u32]) {
        let pairs = h.len() / 2;
        assert!(z.len() >= precision.words(pairs * BLOCK), "output of a gate");
        // SAFETY: as above; `h` holds 2 · `pairs` blocks and `z` the words of as many values.
        unsafe { (self.0.gate[precision.index()])(floats(h).as_ptr(), z.as_mut_ptr(), pairs) }
    }
}
