//! What a layer does, written once over instruction sets and precisions and inlined into one function for each, so that
//! nothing stands between its small steps.

use super::network::{PackedWaveNet, Sizes};
use super::scratch::Scratch;
use super::state::WaveNetState;
use crate::kernels::arguments::{Epilogue, Gated, Inputs, Product};
use crate::kernels::coding::{Coding, copy, fetch};
use crate::kernels::dot::{Dot, ProductOperation, Tiles};
use crate::kernels::packed::{BLOCK, Block};
use std::ops::Range;

/// How many layers ahead a layer's past is asked for.
const LAYERS_AHEAD: usize = 2;

/// The layers of a network, what variations remember of them, and the room in which a pass works.
pub(super) struct Stack<'a> {
    pub(super) net: &'a PackedWaveNet,
    pub(super) sizes: Sizes,
    pub(super) scratch: &'a mut Scratch,
    pub(super) states: &'a mut [WaveNetState],
}

/// A layer's past for every column, and its input put in the place of the oldest.
pub(super) struct GatherTaps<'a> {
    pub stack: Stack<'a>,
    pub layer: usize,
    /// Frames of each variation.
    pub frames: usize,
}

impl ProductOperation for GatherTaps<'_> {
    type Output = ();

    #[inline(always)]
    fn run<D: Dot>(self, dot: D) {
        let Self { stack: Stack { sizes, scratch, states, .. }, layer, frames } = self;
        assert!(sizes.precision == D::Coding::PRECISION, "precision of a pass");
        let seen = Seen::of(sizes, scratch, states.len() * frames);
        // SAFETY: there is room for so many columns.
        unsafe { seen.gather(dot, sizes, states, layer, frames) }
    }
}

/// Layers for every column: for each its dilated convolution over the past and the newest frame, the gate, and the residual
/// path.
pub(super) struct Layers<'a> {
    pub stack: Stack<'a>,
    pub range: Range<usize>,
    /// Frames of each variation.
    pub frames: usize,
}

impl ProductOperation for Layers<'_> {
    type Output = ();

    #[inline(always)]
    fn run<D: Dot>(self, dot: D) {
        let Self { stack: Stack { net, sizes, scratch: room, states }, range, frames } = self;
        assert!(sizes.precision == D::Coding::PRECISION, "precision of a pass");
        let columns = states.len() * frames;
        let Sizes { taps, gate_words, .. } = sizes;
        let z_stride = sizes.z_stride();
        let [first, ..] = &net.layers[..] else { return };
        assert!(range.end <= net.layers.len(), "layers of a pass");
        // As in `SingleColumn`: what changes from layer to layer is where the weights lie, and the room is reached by these pointers
        // alone. The padding of one layer's gate lies where the next one writes.
        assert!(room.z.len() >= columns * z_stride && room.z_scales.len() >= columns, "room of a pass");
        let inputs = Inputs { words: &room.z, stride: z_stride, scales: &room.z_scales };
        let (matrix, epilogue) = (first.residual, Epilogue::AddTo);
        let residual = matrix.map(|matrix| {
            Product::checked(net.arena.matrix(matrix), 0..1, columns, inputs, &mut room.x, epilogue, None)
        });
        let inputs = Inputs { words: &room.taps, stride: sizes.taps_stride(), scales: &room.tap_scales };
        let gate = Some(Gated { words: &mut room.z, stride: z_stride });
        let matrix = net.arena.matrix(first.dilated);
        let dilated = Product::checked(matrix, 0..taps, columns, inputs, &mut room.h, Epilogue::Store, gate);
        let (h, z, z_scales) = (room.h.as_mut_ptr().cast(), room.z.as_mut_ptr(), room.z_scales.as_ptr());
        let seen = Seen::of(sizes, room, columns);
        let told = Told::of(sizes, room, columns);
        let dilated = Product { x: seen.words, x_scales: seen.scales, y: h, ..dilated };
        let residual = residual.map(|residual| Product { x_scales: z_scales, y: seen.x.cast(), ..residual });
        let is_told = states.first().is_some_and(|state| !state.told.is_empty());
        for index in range {
            let layer = &net.layers[index];
            // SAFETY: the products are checked but for where the weights and this layer's gates lie, and the room is for so
            // many columns.
            unsafe {
                seen.gather(dot, sizes, states, index, frames);
                let z = z.add(index * gate_words);
                let mut dilated = dilated.with_weights(&net.arena, layer.dilated);
                if is_told {
                    told.gather(sizes, states, index, frames);
                    dilated = dilated.with_biases(told.biases.cast(), told.blocks * BLOCK);
                }
                D::Tiles::product(dot, &Product { z, ..dilated });
                if let (Some(residual), Some(matrix)) = (residual, layer.residual) {
                    let residual = residual.with_weights(&net.arena, matrix);
                    D::Tiles::product(dot, &Product { x: z, ..residual });
                }
            }
        }
    }
}

/// Some layers for one column, which is the one frame of a variation alone: the same bits as [`Layers`]. Before the first of
/// these layers, those before it have gone this way.
///
/// A frame alone is a chain of small steps that wait for one another: encode, product, gate, product. What does not
/// wait, the next layer's convolution over its past, comes behind the gate: the processor reads those weights while it
/// computes the gate.
pub(super) struct SingleColumn<'a> {
    pub stack: Stack<'a>,
    pub range: Range<usize>,
}

impl ProductOperation for SingleColumn<'_> {
    type Output = ();

    #[inline(always)]
    fn run<D: Dot>(self, dot: D) {
        let Self { stack: Stack { net, sizes, scratch, states }, range } = self;
        let Sizes { taps, gate_words, residual_words, precision, .. } = sizes;
        assert!(precision == D::Coding::PRECISION, "precision of a pass");
        let Scratch { x, taps: seen, h, z, z_scales, .. } = scratch;
        let [state] = states else { return };
        let (count, newest) = (net.layers.len(), taps - 1);
        let [first, ..] = &net.layers[..] else { return };
        assert!(range.end <= count && state.layers.len() == count, "layers of a pass");
        assert!(z.len() >= sizes.z_stride() && seen.len() >= precision.words(x.len() * BLOCK), "room of a pass");
        // All layers have one shape, so their products are checked once; what changes is where the weights lie. From here
        // on, the room is reached by these pointers alone.
        let scale = [1.0];
        let inputs = Inputs { words: seen, stride: 0, scales: &scale };
        let dilated = Product::checked(net.arena.matrix(first.dilated), 0..1, 1, inputs, h, Epilogue::Store, None);
        let inputs = Inputs { words: z, stride: 0, scales: z_scales };
        let residual = first
            .residual
            .map(|matrix| Product::checked(net.arena.matrix(matrix), 0..1, 1, inputs, x, Epilogue::AddTo, None));
        let (blocks, x, seen) = (x.len(), x.as_mut_ptr().cast::<f32>(), seen.as_mut_ptr());
        let block_words = precision.words(blocks * BLOCK);
        let (h, z) = (h.as_mut_ptr().cast::<f32>(), z.as_mut_ptr());
        assert!(state.told.is_empty() || state.told.len() == net.told_blocks(), "what a frame is told");
        if range.start == 0 {
            // SAFETY: the product is checked but for where things lie.
            unsafe { past(dot, net, sizes, state, 0, Product { y: h, ..dilated }) };
        }
        for index in range {
            let layer = &net.layers[index];
            let ring = &mut state.layers[index];
            let place = ring.place();
            // Whole blocks have no padding that would reach into the next frame.
            let at = if place.len() == block_words { place.as_mut_ptr() } else { seen };
            // SAFETY: either place has room for the blocks' words.
            let scale = unsafe { D::Coding::encode(dot.simd(), x, blocks, at) };
            if place.len() < block_words {
                // SAFETY: these words were just written.
                place.copy_from_slice(unsafe { std::slice::from_raw_parts(at, residual_words) });
            }
            ring.pushed(scale);
            // SAFETY: there are so many layers' gates.
            let z = unsafe { z.add(index * gate_words) };
            let product = dilated.segment(newest).with_weights(&net.arena, layer.dilated);
            let product = state.biases(product, index, sizes);
            // SAFETY: the product is checked but for what was just set.
            unsafe {
                D::Tiles::product_of_one(dot, &Product { x: at, x_scales: &raw const scale, y: h, z, ..product });
            }
            if let (Some(product), Some(matrix)) = (residual, layer.residual) {
                let product = product.with_weights(&net.arena, matrix);
                // SAFETY: as above.
                unsafe { D::Tiles::product_of_one(dot, &Product { x: z, y: x, ..product }) };
            }
            if index + 1 < count {
                // SAFETY: as above.
                unsafe { past(dot, net, sizes, state, index + 1, Product { y: h, ..dilated }) };
            }
        }
    }
}

impl WaveNetState {
    /// The dilated convolution of a layer with what this variation's gates are told in place of its biases, if anything.
    #[inline(always)]
    fn biases(&self, dilated: Product, layer: usize, sizes: Sizes) -> Product {
        match self.told.get(layer * 2 * sizes.gate_blocks) {
            Some(first) => dilated.with_biases(std::ptr::from_ref(first).cast(), 0),
            None => dilated,
        }
    }
}

/// The room for what a layer's gates are told, of so many columns.
#[derive(Clone, Copy)]
struct Told {
    /// `[column][2D]`
    biases: *mut Block,
    /// Blocks of a column.
    blocks: usize,
}

impl Told {
    /// # Panics
    /// If there is no room for so many columns: a mistake in the caller.
    #[inline(always)]
    fn of(sizes: Sizes, scratch: &mut Scratch, columns: usize) -> Self {
        let blocks = 2 * sizes.gate_blocks;
        assert!(scratch.told.len() >= columns * blocks, "columns of a pass");
        Self { biases: scratch.told.as_mut_ptr(), blocks }
    }

    /// Puts what a layer's gates are told beside one another, column by column.
    ///
    /// # Safety
    /// This is room for `frames` columns of each state, and nobody else looks at it.
    ///
    /// # Panics
    /// If one of the variations is told something and another one is not: a mistake in the caller.
    #[inline(always)]
    unsafe fn gather(self, sizes: Sizes, states: &[WaveNetState], layer: usize, frames: usize) {
        let Self { biases, blocks } = self;
        for (variation, state) in states.iter().enumerate() {
            assert!(state.told.len() == sizes.layers * blocks, "what a frame is told");
            let told = &state.told[layer * blocks..][..blocks];
            for column in variation * frames..(variation + 1) * frames {
                // SAFETY: each column has its part of the room.
                unsafe { std::ptr::copy_nonoverlapping(told.as_ptr(), biases.add(column * blocks), blocks) };
            }
        }
    }
}

/// The room for what a layer sees, of so many columns.
#[derive(Clone, Copy)]
struct Seen {
    /// `[column][R]`: a layer's input, which its residual path adds to.
    x: *mut Block,
    /// `[column][tap]`, words.
    words: *mut u32,
    /// `[column][tap]`
    scales: *mut f32,
}

impl Seen {
    /// # Panics
    /// If there is no room for so many columns: a mistake in the caller.
    #[inline(always)]
    fn of(sizes: Sizes, scratch: &mut Scratch, columns: usize) -> Self {
        let Sizes { precision, taps, residual_blocks, residual_words, .. } = sizes;
        let stride = sizes.taps_stride();
        let Scratch { x, taps: words, tap_scales: scales, .. } = scratch;
        assert!(stride >= (taps - 1) * residual_words + precision.words(residual_blocks * BLOCK), "words of a column");
        assert!(x.len() >= columns * residual_blocks && words.len() >= columns * stride, "columns of a pass");
        assert!(scales.len() >= columns * taps, "scales of a pass");
        Self { x: x.as_mut_ptr(), words: words.as_mut_ptr(), scales: scales.as_mut_ptr() }
    }

    /// See [`GatherTaps`].
    ///
    /// # Safety
    /// This is room for `frames` columns of each state, and nobody else looks at it.
    #[inline(always)]
    unsafe fn gather<D: Dot>(self, dot: D, sizes: Sizes, states: &mut [WaveNetState], layer: usize, frames: usize) {
        let s = dot.simd();
        let Sizes { taps, residual_blocks, residual_words, .. } = sizes;
        let (newest, stride) = (taps - 1, sizes.taps_stride());
        // A ring is far larger than what a step reads of it, so that every step finds it in a slower cache.
        for state in &*states {
            if let Some(ring) = state.layers.get(layer + LAYERS_AHEAD) {
                fetch(s, ring.oldest_frame());
            }
        }
        let mut column = 0;
        for state in states {
            let ring = &mut state.layers[layer];
            assert!(ring.place().len() == residual_words, "words of a frame");
            for _ in 0..frames {
                // SAFETY: each column has its part of the three, and the words of whole blocks fit behind its past.
                unsafe {
                    let (x, seen) = (self.x.add(column * residual_blocks), self.words.add(column * stride));
                    let scales = self.scales.add(column * taps);
                    for tap in 0..newest {
                        let (words, scale) = ring.tap(tap);
                        copy(s, words.as_ptr(), seen.add(tap * residual_words), residual_words);
                        *scales.add(tap) = scale;
                    }
                    let seen = seen.add(newest * residual_words);
                    let scale = D::Coding::encode(s, x.cast(), residual_blocks, seen);
                    *scales.add(newest) = scale;
                    copy(s, seen, ring.place().as_mut_ptr(), residual_words);
                    ring.pushed(scale);
                }
                column += 1;
            }
        }
    }
}

/// The convolution of a layer over its past: `y` then holds the sums to which the newest frame is added.
///
/// # Safety
/// `dilated` is a product of the first layer's dilated convolution, checked but for where its weights and inputs lie.
#[inline(always)]
unsafe fn past<D: Dot>(
    dot: D,
    net: &PackedWaveNet,
    sizes: Sizes,
    state: &WaveNetState,
    layer: usize,
    dilated: Product,
) {
    if let Some(later) = state.layers.get(layer + LAYERS_AHEAD) {
        fetch(dot.simd(), later.oldest_frame());
    }
    for tap in 0..sizes.taps - 1 {
        let (words, scale) = state.layers[layer].tap(tap);
        let product = dilated.segment(tap).with_weights(&net.arena, net.layers[layer].dilated);
        let product = state.biases(product, layer, sizes);
        assert!(words.len() == product.end - product.begin, "words of a tap");
        // SAFETY: the product is checked but for where things lie, and the tap has its words.
        unsafe {
            D::Tiles::product_of_one(dot, &Product { x: words.as_ptr(), x_scales: &raw const scale, ..product });
        }
    }
}
