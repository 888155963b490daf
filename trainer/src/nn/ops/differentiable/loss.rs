//! The softmax's loss, differentiated.

use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind, unary};
use burn::tensor::TensorMetadata as _;
use burn::tensor::ops::{FloatTensor, IntTensor};

use crate::nn::ops::operations::Operations;

#[derive(Debug)]
struct RowLosses;

impl<B: Operations> Backward<B, 1> for RowLosses {
    /// The gradient of each row's loss.
    type State = FloatTensor<B>;

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let of_rows = ops.state;
        unary::<B, _>(ops.parents, ops.node, gradients, |gradient| {
            let [rows, _] = of_rows.shape().dims();
            B::float_mul(of_rows, B::float_reshape(gradient, [rows, 1].into()))
        });
    }
}

/// [`Operations::row_losses`], differentiated.
pub fn row_losses<B: Operations, C: CheckpointStrategy>(
    logits: FloatTensor<Autodiff<B, C>>,
    targets: IntTensor<B>,
) -> FloatTensor<Autodiff<B, C>> {
    match Backward::<B, 1>::prepare::<C>(RowLosses, [logits.node]).compute_bound().stateful() {
        OpsKind::Tracked(prep) => {
            let (losses, of_rows) = B::row_losses_saving(logits.primitive, targets);
            prep.finish(of_rows, losses)
        }
        OpsKind::UnTracked(prep) => prep.finish(B::row_losses(logits.primitive, targets)),
    }
}
