//! Recurrent layers over whole sequences, differentiated.

use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::tensor::ops::FloatTensor;

use crate::kernels::recurrent::{gru, lstm};
use crate::nn::ops::operations::Operations;
use crate::nn::ops::recurrent::{Gru, Lstm};

#[derive(Debug)]
struct LstmSequence;

impl<B: Operations> Backward<B, 6> for LstmSequence {
    type State = (Lstm<FloatTensor<B>>, lstm::Saved<FloatTensor<B>>);

    fn backward(self, ops: Ops<Self::State, 6>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<B>(&ops.node);
        let (inputs, saved) = ops.state;
        let of_inputs = <[FloatTensor<B>; 6]>::from(B::lstm_gradient(inputs, saved, gradient));
        for (node, gradient) in ops.parents.into_iter().zip(of_inputs) {
            if let Some(node) = node {
                gradients.register::<B>(node.id, gradient);
            }
        }
    }
}

/// [`Operations::lstm_sequence`], differentiated.
pub fn lstm<B: Operations, C: CheckpointStrategy>(
    inputs: Lstm<FloatTensor<Autodiff<B, C>>>,
) -> FloatTensor<Autodiff<B, C>> {
    let all = <[FloatTensor<Autodiff<B, C>>; 6]>::from(inputs);
    let nodes = all.each_ref().map(|tensor| tensor.node.clone());
    let inputs = Lstm::from(all.map(|tensor| tensor.primitive));
    match Backward::<B, 6>::prepare::<C>(LstmSequence, nodes).compute_bound().stateful() {
        OpsKind::Tracked(prep) => {
            let (outputs, saved) = B::lstm_saving(inputs.clone());
            prep.finish((inputs, saved), outputs)
        }
        OpsKind::UnTracked(prep) => prep.finish(B::lstm_sequence(inputs)),
    }
}

#[derive(Debug)]
struct GruSequence;

impl<B: Operations> Backward<B, 6> for GruSequence {
    type State = (Gru<FloatTensor<B>>, gru::Saved<FloatTensor<B>>);

    fn backward(self, ops: Ops<Self::State, 6>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<B>(&ops.node);
        let (inputs, saved) = ops.state;
        let of_inputs = <[FloatTensor<B>; 6]>::from(B::gru_gradient(inputs, saved, gradient));
        for (node, gradient) in ops.parents.into_iter().zip(of_inputs) {
            if let Some(node) = node {
                gradients.register::<B>(node.id, gradient);
            }
        }
    }
}

/// [`Operations::gru_sequence`], differentiated.
pub fn gru<B: Operations, C: CheckpointStrategy>(
    inputs: Gru<FloatTensor<Autodiff<B, C>>>,
) -> FloatTensor<Autodiff<B, C>> {
    let all = <[FloatTensor<Autodiff<B, C>>; 6]>::from(inputs);
    let nodes = all.each_ref().map(|tensor| tensor.node.clone());
    let inputs = Gru::from(all.map(|tensor| tensor.primitive));
    match Backward::<B, 6>::prepare::<C>(GruSequence, nodes).compute_bound().stateful() {
        OpsKind::Tracked(prep) => {
            let (outputs, saved) = B::gru_saving(inputs.clone());
            prep.finish((inputs, saved), outputs)
        }
        OpsKind::UnTracked(prep) => prep.finish(B::gru_sequence(inputs)),
    }
}
