//! Convolutions over time, differentiated.

use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind, unary};
use burn::tensor::TensorMetadata;
use burn::tensor::ops::FloatTensor;

use crate::kernels::convolution::Convolution;
use crate::nn::ops::operations::Operations;

/// One of the three operations: what it is a sum over, and its own gradients by each of the two.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// Of input and weights.
    Forward,
    /// Of windows and weights, for an input of this many frames.
    Input(usize),
    /// Of input and windows, for this many taps.
    Weight(usize),
}

/// What the way back needs: the two operands.
#[derive(Debug)]
struct State<T> {
    first: T,
    second: T,
    kind: Kind,
    convolution: Convolution,
}

// A derived one would ask the same, but of the backend.
impl<T: Clone> Clone for State<T> {
    fn clone(&self) -> Self {
        Self { first: self.first.clone(), second: self.second.clone(), ..*self }
    }
}

impl<T: Clone + TensorMetadata> State<T> {
    /// The result, of a backend's tensors.
    fn compute<B: Operations<FloatTensorPrimitive = T>>(&self, bias: Option<T>) -> T {
        let (first, second) = (self.first.clone(), self.second.clone());
        match self.kind {
            Kind::Forward => B::time_conv(first, second, bias, &self.convolution),
            Kind::Input(length) => B::time_conv_input(first, second, bias, length, &self.convolution),
            Kind::Weight(kernel) => B::time_conv_weight(first, second, kernel, &self.convolution),
        }
    }

    /// Registers the gradients of the operands that ask for one, given the result's.
    fn back<B: Operations<FloatTensorPrimitive = T>>(
        self,
        gradient: &T,
        nodes: [Option<burn::backend::autodiff::NodeId>; 2],
        gradients: &mut Gradients,
    ) {
        let Self { first, second, kind, convolution } = self;
        let [of_first, of_second] = nodes;
        let last_axis = |tensor: &T| -> usize {
            let [_, _, frames] = tensor.shape().dims();
            frames
        };
        if let Some(node) = of_first {
            let (gradient, second) = (gradient.clone(), second.clone());
            let length = last_axis(&first);
            gradients.register::<B>(
                node,
                match kind {
                    Kind::Forward => B::time_conv_input(gradient, second, None, length, &convolution),
                    Kind::Input(_) => B::time_conv(gradient, second, None, &convolution),
                    // The result has the weights' axes here, the second operand the windows'.
                    Kind::Weight(_) => B::time_conv_input(second, gradient, None, length, &convolution),
                },
            );
        }
        if let Some(node) = of_second {
            let gradient = gradient.clone();
            gradients.register::<B>(
                node,
                match kind {
                    Kind::Forward => B::time_conv_weight(first, gradient, last_axis(&second), &convolution),
                    Kind::Input(_) => B::time_conv_weight(gradient, first, last_axis(&second), &convolution),
                    Kind::Weight(_) => B::time_conv(first, gradient, None, &convolution),
                },
            );
        }
    }
}

/// An operation without a bias.
#[derive(Debug)]
struct Plain;

impl<B: Operations> Backward<B, 2> for Plain {
    type State = State<FloatTensor<B>>;

    fn backward(self, ops: Ops<Self::State, 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<B>(&ops.node);
        let nodes = ops.parents.map(|node| node.map(|node| node.id));
        ops.state.back::<B>(&gradient, nodes, gradients);
    }
}

/// An operation with a bias for each channel of its result.
#[derive(Debug)]
struct Biased;

impl<B: Operations> Backward<B, 3> for Biased {
    type State = State<FloatTensor<B>>;

    fn backward(self, ops: Ops<Self::State, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<B>(&ops.node);
        let [first, second, bias] = ops.parents.map(|node| node.map(|node| node.id));
        ops.state.back::<B>(&gradient, [first, second], gradients);
        if let Some(node) = bias {
            gradients.register::<B>(node, B::channel_sums(gradient));
        }
    }
}

fn tracked<B: Operations, C: CheckpointStrategy>(
    first: FloatTensor<Autodiff<B, C>>,
    second: FloatTensor<Autodiff<B, C>>,
    bias: Option<FloatTensor<Autodiff<B, C>>>,
    kind: Kind,
    convolution: Convolution,
) -> FloatTensor<Autodiff<B, C>> {
    let nodes = [first.node, second.node];
    let state = State { first: first.primitive, second: second.primitive, kind, convolution };
    if let Some(bias) = bias {
        let [first, second] = nodes;
        let output = state.compute::<B>(Some(bias.primitive));
        return match Backward::<B, 3>::prepare::<C>(Biased, [first, second, bias.node]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(state, output),
            OpsKind::UnTracked(prep) => prep.finish(output),
        };
    }
    let output = state.compute::<B>(None);
    match Backward::<B, 2>::prepare::<C>(Plain, nodes).compute_bound().stateful() {
        OpsKind::Tracked(prep) => prep.finish(state, output),
        OpsKind::UnTracked(prep) => prep.finish(output),
    }
}

/// [`Operations::time_conv`], differentiated.
pub fn time_conv<B: Operations, C: CheckpointStrategy>(
    x: FloatTensor<Autodiff<B, C>>,
    weight: FloatTensor<Autodiff<B, C>>,
    bias: Option<FloatTensor<Autodiff<B, C>>>,
    convolution: Convolution,
) -> FloatTensor<Autodiff<B, C>> {
    tracked::<B, C>(x, weight, bias, Kind::Forward, convolution)
}

/// [`Operations::time_conv_input`], differentiated.
pub fn time_conv_input<B: Operations, C: CheckpointStrategy>(
    y: FloatTensor<Autodiff<B, C>>,
    weight: FloatTensor<Autodiff<B, C>>,
    bias: Option<FloatTensor<Autodiff<B, C>>>,
    length: usize,
    convolution: Convolution,
) -> FloatTensor<Autodiff<B, C>> {
    tracked::<B, C>(y, weight, bias, Kind::Input(length), convolution)
}

/// [`Operations::time_conv_weight`], differentiated.
pub fn time_conv_weight<B: Operations, C: CheckpointStrategy>(
    x: FloatTensor<Autodiff<B, C>>,
    y: FloatTensor<Autodiff<B, C>>,
    kernel: usize,
    convolution: Convolution,
) -> FloatTensor<Autodiff<B, C>> {
    tracked::<B, C>(x, y, None, Kind::Weight(kernel), convolution)
}

/// Sums over batch and frames; the state is the axes.
#[derive(Debug)]
struct Sums;

impl<B: Operations> Backward<B, 1> for Sums {
    type State = [usize; 3];

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let [batch, channels, frames] = ops.state;
        unary::<B, _>(ops.parents, ops.node, gradients, |gradient| {
            let column = B::float_reshape(gradient, [1, channels, 1].into());
            B::float_expand(column, [batch, channels, frames].into())
        });
    }
}

/// [`Operations::channel_sums`], differentiated.
pub fn channel_sums<B: Operations, C: CheckpointStrategy>(
    y: FloatTensor<Autodiff<B, C>>,
) -> FloatTensor<Autodiff<B, C>> {
    let axes = y.primitive.shape().dims();
    let output = B::channel_sums(y.primitive);
    match Backward::<B, 1>::prepare::<C>(Sums, [y.node]).compute_bound().stateful() {
        OpsKind::Tracked(prep) => prep.finish(axes, output),
        OpsKind::UnTracked(prep) => prep.finish(output),
    }
}
