//! Which device computes a WaveNet.

use std::sync::Arc;

use super::compute::{Compute, ComputeError};
use super::fused::Fused;
use super::parameters::Table;
use crate::device::Device;
use crate::kernels::Level;

/// Opens the passes of a device for the tensors of `table`. On the CPU they run on `threads` threads (0 = one per core).
///
/// # Errors
/// [`ComputeError`] if the device cannot be used, or this build cannot use it.
pub fn open(device: &Device, table: &Arc<Table>, threads: usize) -> Result<Box<dyn Compute>, ComputeError> {
    match device {
        Device::Cpu => Ok(Box::new(Fused::new(table, Level::detect(), threads)?)),
        Device::Cuda { index, name } => cuda::open(table, *index, name),
    }
}

/// CUDA through Burn.
#[cfg(feature = "cuda")]
mod cuda {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Arc;

    use burn::backend::cuda::CudaDevice;
    use burn::backend::{Autodiff, Cuda};

    use crate::family::wavenet::compute::{Compute, ComputeError};
    use crate::family::wavenet::network::Network;
    use crate::family::wavenet::parameters::Table;
    use crate::family::wavenet::sequence::Sequence;

    /// Opens a device that exists.
    #[allow(clippy::unnecessary_wraps)] // A build without CUDA has to refuse.
    pub fn open(table: &Arc<Table>, index: usize, name: &str) -> Result<Box<dyn Compute>, ComputeError> {
        let network = Network::<Autodiff<Cuda>>::new(table, CudaDevice::new(index), name.to_owned());
        Ok(Box::new(Guarded(network)))
    }

    /// Burn's CUDA runtime panics when memory runs out or a kernel does not compile; here that becomes an error.
    struct Guarded<C>(C);

    impl<C: Compute> Guarded<C> {
        fn guard<T>(&mut self, f: impl FnOnce(&mut C) -> Result<T, ComputeError>) -> Result<T, ComputeError> {
            let compute = &mut self.0;
            catch_unwind(AssertUnwindSafe(|| f(compute))).unwrap_or_else(|panic| {
                let said = panic
                    .downcast_ref::<String>()
                    .map(String::as_str)
                    .or_else(|| panic.downcast_ref::<&str>().copied())
                    .unwrap_or("the CUDA runtime failed");
                Err(ComputeError::Device {
                    device: self.0.device(),
                    reason: format!(
                        "{said}. Check that the CUDA toolkit's headers and NVRTC are installed; if memory ran out, set a \
                         smaller batch or chunk_frames"
                    ),
                })
            })
        }
    }

    impl<C: Compute> Compute for Guarded<C> {
        fn device(&self) -> String {
            self.0.device()
        }

        fn penalise_logits(&mut self, weight: f64) {
            self.0.penalise_logits(weight);
        }

        fn gradient(&mut self, values: &[f32], batch: &[Sequence], gradient: &mut [f32]) -> Result<f64, ComputeError> {
            self.guard(|compute| compute.gradient(values, batch, gradient))
        }

        fn loss(&mut self, values: &[f32], batch: &[Sequence]) -> Result<f64, ComputeError> {
            self.guard(|compute| compute.loss(values, batch))
        }

        fn outputs(&mut self, values: &[f32], sequence: &Sequence) -> Result<Vec<f32>, ComputeError> {
            self.guard(|compute| compute.outputs(values, sequence))
        }
    }
}

/// A build without CUDA.
#[cfg(not(feature = "cuda"))]
mod cuda {
    use std::sync::Arc;

    use crate::family::wavenet::compute::{Compute, ComputeError};
    use crate::family::wavenet::parameters::Table;

    /// Never asked: such a build finds no CUDA device.
    pub fn open(_: &Arc<Table>, _: usize, name: &str) -> Result<Box<dyn Compute>, ComputeError> {
        Err(ComputeError::Device { device: name.to_owned(), reason: "not in this build".into() })
    }
}
